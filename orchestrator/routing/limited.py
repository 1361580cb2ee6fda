"""Candidates that could answer but for their limits: when they may, and when to ask them again."""

from dataclasses import dataclass
from typing import Final

from orchestrator.resilience import jittered_backoff_s

from .eligibility import Candidate

__all__ = ["UNTOLD_LIMIT_S", "Limited", "LimitedCandidates"]

UNTOLD_LIMIT_S: Final = 1.0
# A guard may promise a place in a moment and refuse again: asking once more must not spin.
_REFUSED_AGAIN_BASE_S: Final = 0.05
_REFUSED_AGAIN_CAP_S: Final = 2.0
_PATIENCE_S: Final = 0.5
# A wait leaves this much for the attempt itself: granted later, it would be sent in vain.
_USEFUL_S: Final = 1.0
_USEFUL_RATIO: Final = 0.1


@dataclass(frozen=True, slots=True)
class Limited:
    """One of them. It has room from `ready_at`, and may be asked, to wait for that, from `ask_at`."""

    candidate: Candidate
    ready_at: float
    ask_at: float


class LimitedCandidates:
    """A request's limited candidates. Times are of the plan's clock."""

    __slots__ = ("_limited", "_queue_full", "_refusals")

    def __init__(self) -> None:
        self._limited: list[Limited] = []
        self._refusals: dict[Candidate, int] = {}
        self._queue_full: set[Candidate] = set()

    def known(self, candidate: Candidate, retry_after_s: float | None, now: float) -> None:
        """Take one whose limits are known from afar: its own guard may be asked at once."""
        ready_at = now + (UNTOLD_LIMIT_S if retry_after_s is None else retry_after_s)
        self._limited.append(Limited(candidate, ready_at, now))

    def refused(
        self, candidate: Candidate, retry_after_s: float | None, now: float, *, queue_full: bool
    ) -> None:
        """Take one that its own guard has refused; each time it is left alone a little longer."""
        times = self._refusals[candidate] = self._refusals.get(candidate, 0) + 1
        pause_s = jittered_backoff_s(
            times, base_s=_REFUSED_AGAIN_BASE_S, cap_s=_REFUSED_AGAIN_CAP_S, unit_random=1.0
        )
        wait_s = max(pause_s, UNTOLD_LIMIT_S if retry_after_s is None else retry_after_s)
        if queue_full:
            self._queue_full.add(candidate)
            pause_s = wait_s
        else:
            self._queue_full.discard(candidate)
        self._limited.append(Limited(candidate, now + wait_s, now + pause_s))

    def soonest(self, last_moment: float) -> Limited | None:
        """The one that has room first; None where none has in time."""
        best = min(self._limited, key=lambda limited: limited.ready_at, default=None)
        return None if best is None or best.ready_at > last_moment else best

    def wait_s(
        self, now: float, share_s: float, last_moment: float, ready_at: float | None
    ) -> float:
        """How long an attempt may wait at another candidate's, where none can be asked at once.

        Until one of these has room, if it has in time; at least as long as is known to be needed,
        and a moment; and never so long that too little is left for the attempt itself.

        Args:
            now: the time.
            share_s: what the attempt may take in all.
            last_moment: when it is too late to ask anybody.
            ready_at: when the one that is asked has room, where that is known.

        """
        other = self.soonest(last_moment)
        until = last_moment if other is None else other.ready_at
        if ready_at is not None:
            until = max(until, ready_at + _PATIENCE_S)
        return max(0.0, min(until - now, share_s - min(_USEFUL_S, _USEFUL_RATIO * share_s)))

    def take(self, limited: Limited) -> None:
        """Take one out, to ask it."""
        self._limited.remove(limited)

    @property
    def queues_full(self) -> bool:
        """Whether all that are limited were so because their queues take nobody."""
        return bool(self._limited) and all(
            limited.candidate in self._queue_full for limited in self._limited
        )
