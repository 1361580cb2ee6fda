"""A vendor's limits as data, and a call as they see it."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from orchestrator.domain import Lane, quick_init

__all__ = ["Quota", "QuotaScope", "Reach", "ToldAllowance", "VendorCall"]

_SLACK_RATIO: Final = 0.02
_LEAST_SLACK_S: Final = 0.04
_MOST_SLACK_RATIO: Final = 0.04


class QuotaScope(StrEnum):
    """Whose calls a limit counts together."""

    CLIENT = "client"
    CONNECTION = "connection"


class Reach(IntEnum):
    """Whom a limit holds back together, the widest first.

    `ENTRANTS` are calls that begin an attempt: later pages of those under way go on.
    """

    EVERYONE = 1
    ENTRANTS = 2
    ENDPOINT = 3
    INSTITUTION = 4
    CONNECTION = 5


@dataclass(frozen=True, slots=True)
class Quota:
    """At most `calls` in any `window_s` seconds.

    `scope` says whose calls count together; `endpoint` limits it to one endpoint of the vendor,
    None means all of them together.

    Raises:
        ValueError: `calls` or `window_s` is not positive.

    """

    scope: QuotaScope
    calls: int
    window_s: float
    endpoint: str | None = None

    def __post_init__(self) -> None:
        if self.calls < 1 or self.window_s <= 0:
            raise ValueError("a quota needs at least one call in a positive window")

    @property
    def counted_s(self) -> float:
        """The window as we count it: longer by 2 %, or by 40 ms where that is more, at most 4 %.

        A vendor counts when calls arrive. As long as ways there differ by less than this, no window
        of the vendor's ever holds more than ours did; and at least 96 % of the limit can be used.
        """
        least_s = min(_LEAST_SLACK_S, _MOST_SLACK_RATIO * self.window_s)
        return self.window_s + max(_SLACK_RATIO * self.window_s, least_s)


@quick_init
@dataclass(frozen=True, slots=True)
class VendorCall:
    """One HTTP call as limits see it.

    `endpoint` is the name under which the vendor's limits know it; None where it is not known yet,
    and then only the limits over all endpoints hold. `connection_id` and `institution_id` are None
    where it is nobody's, or no particular bank's. `lane` is who waits for it.
    """

    endpoint: str | None = None
    connection_id: str | None = None
    institution_id: str | None = None
    lane: Lane = Lane.INTERACTIVE


@dataclass(frozen=True, slots=True)
class ToldAllowance:
    """What a vendor said of its own limit beside an answer: so many calls more until it resets."""

    remaining: int
    reset_s: float
