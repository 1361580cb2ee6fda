"""Who a failure is counted against: class and scope of a failure → a circuit, or none.

The table, first match wins:

    network DEADLINE, ACTOR_LOST   nobody       ours: a caller's deadline, a lost actor
    class rate_limit               nobody       the limiter's business
    scope request, connection      nobody       this call's or this user's own
    class network                  network      the line: see `NetworkEvidence`
    scope client                   client       our keys or contract: trips at once
    scope institution              institution
    scope provider                 provider
"""

import math
from collections import OrderedDict
from enum import StrEnum
from typing import Final

from orchestrator.domain import ErrorClass, ErrorScope, Failure

from .permit import Verdict

__all__ = ["Blame", "NetworkEvidence", "blame_of"]

_OURS: Final = frozenset({"DEADLINE", "ACTOR_LOST"})
_INSTITUTIONS_THAT_PROVE: Final = 2


class Blame(StrEnum):
    """Which circuits a failure speaks against."""

    NOBODY = "nobody"
    INSTITUTION = "institution"
    NETWORK = "network"
    PROVIDER = "provider"
    CLIENT = "client"


_BY_SCOPE: Final = {
    ErrorScope.REQUEST: Blame.NOBODY,
    ErrorScope.CONNECTION: Blame.NOBODY,
    ErrorScope.INSTITUTION: Blame.INSTITUTION,
    ErrorScope.CLIENT: Blame.CLIENT,
    ErrorScope.PROVIDER: Blame.PROVIDER,
}


def blame_of(failure: Failure) -> Blame:
    """Who this failure is counted against."""
    by_network = failure.error_class is ErrorClass.NETWORK
    if failure.error_class is ErrorClass.RATE_LIMIT or (by_network and failure.code in _OURS):
        return Blame.NOBODY
    by_scope = _BY_SCOPE[failure.scope]
    return Blame.NETWORK if by_network and by_scope is not Blame.NOBODY else by_scope


class NetworkEvidence:
    """Tells a bank that cannot be reached from a provider that cannot.

    A network failure on the way to one institution may be that institution's fault; once two have
    failed and neither has worked since, it is the provider's.

    Args:
        age_s: seconds after which an unresolved failure proves nothing any more.
        max_institutions: how many are remembered; the one that failed longest ago goes first.

    """

    __slots__ = ("_age_s", "_failed_at", "_max", "_now")

    def __init__(self, age_s: float = 300.0, max_institutions: int = 10_000) -> None:
        self._age_s = age_s
        self._max = max_institutions
        self._now = -math.inf
        self._failed_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._failed_at)

    def verdicts(
        self, blame: Blame | None, institution_id: str | None, now: float
    ) -> tuple[Verdict, Verdict, Verdict]:
        """What a result means for the circuits of provider, operation and institution.

        Args:
            blame: whom it is counted against, None for a success.
            institution_id: where it happened.
            now: seconds.

        """
        neutral, failure = Verdict.NEUTRAL, Verdict.FAILURE
        match blame:
            case None:
                if institution_id is not None:
                    self.worked(institution_id)
                return Verdict.SUCCESS, Verdict.SUCCESS, Verdict.SUCCESS
            case Blame.INSTITUTION:
                return neutral, neutral, failure
            case Blame.NETWORK if institution_id is not None:
                wide = failure if self.failed(institution_id, now) else neutral
                return wide, wide, failure
            case Blame.NETWORK | Blame.PROVIDER:
                return failure, failure, neutral
            case _:
                return neutral, neutral, neutral

    def failed(self, institution_id: str, now: float) -> bool:
        """Note a network failure there; True where the provider is now suspect."""
        self._now = max(self._now, now)
        self._failed_at[institution_id] = self._now
        self._failed_at.move_to_end(institution_id)
        while len(self._failed_at) > self._max:
            self._failed_at.popitem(last=False)
        self._forget()
        return len(self._failed_at) >= _INSTITUTIONS_THAT_PROVE

    def worked(self, institution_id: str) -> None:
        """Resolve what was noted there."""
        self._failed_at.pop(institution_id, None)

    def clear(self) -> None:
        """Forget everything."""
        self._failed_at.clear()

    def ages(self, now: float) -> list[tuple[str, float]]:
        """Who has failed, and how many seconds ago; the oldest first."""
        return [(name, max(self._now, now) - at) for name, at in self._failed_at.items()]

    def restore(self, told: list[tuple[str, float]], now: float, elapsed_s: float) -> None:
        """Take up what another told `elapsed_s` seconds ago; this one must be fresh."""
        self._now = max(self._now, now)
        self._failed_at.update((name, self._now - age_s - elapsed_s) for name, age_s in told)

    def _forget(self) -> None:
        while self._failed_at and next(iter(self._failed_at.values())) + self._age_s <= self._now:
            self._failed_at.popitem(last=False)
