"""A client-wide limit that all lanes share: interactive calls use all of it, backfill what they leave."""

import math
from typing import Final, TypedDict

from orchestrator.domain import Lane

from .demand import Demand, DemandMemory
from .learned_limit import LearnedLimit
from .quota import Quota
from .window import Ages, SlidingWindow

__all__ = ["SharedMemory", "SharedWindow"]

_HEADROOM_RATIO: Final = 0.05
_HEADROOM_CALLS: Final = 30
_LEAST_HEADROOM_RATIO: Final = 0.02
"""A crowd's unevenness grows with the root of its size: of a large window, a smaller share will do."""
_SMALLEST_SHARED: Final = 10
_PACES: Final = 8


class SharedMemory(TypedDict):
    """All calls of a window by age, backfill's own, and what people wanted and took."""

    all: Ages
    backfill: Ages
    demand: DemandMemory


class SharedWindow:
    """One client-wide quota, with headroom for interactive calls.

    Backfill may hold 95 % of what interactive calls leave free by what is foreseen of them, up to
    98 % where that is 1500 calls and more; so these find room at once as long as their demand stays
    within what it was and what is kept back. And it takes that evenly, an eighth in each eighth of
    the window: when more people come than were foreseen, some of what it holds is free again soon.
    Where less than 10 are left, there is no share to keep back, and only the order in the queue
    helps.

    Args:
        quota: of client scope.
        published: False where the vendor names no limit: then `quota` is only how much is watched,
            and nothing is held back until something is `learned`.

    """

    __slots__ = ("_all", "_backfill", "_demand", "_pace", "learned", "published", "quota")

    def __init__(self, quota: Quota, *, published: bool = True) -> None:
        self.quota = quota
        self.published = published
        self.learned: LearnedLimit | None = None
        self._all = SlidingWindow(quota.calls, quota.counted_s)
        self._backfill = SlidingWindow(quota.calls, quota.counted_s)
        self._pace = SlidingWindow(-(-quota.calls // _PACES), quota.counted_s / _PACES)
        self._demand = Demand(quota.calls, quota.counted_s)

    def limit(self, now: float) -> int | None:
        """Calls that the window takes now, None for any number."""
        learned = None if self.learned is None else self.learned.effective(now)
        if not self.published:
            return learned
        return self.quota.calls if learned is None else min(learned, self.quota.calls)

    def wait_s(self, lane: Lane, now: float) -> float:
        """Seconds until a call of this lane fits, 0 when it fits now."""
        limit = self.limit(now)
        if limit is None:
            return 0.0
        wait_s = self._all.wait_s(now, limit)
        if lane is Lane.INTERACTIVE:
            return wait_s
        share = self._for_backfill(limit, now)
        own_s = self._backfill.wait_s(now, share)
        if own_s > 0.0:
            # Less may be foreseen before that is over: then it is worth another look.
            own_s = min(own_s, self._demand.changes_in_s(now))
        return max(wait_s, own_s, self._pace.wait_s(now, -(-share // _PACES)))

    def want(self, lane: Lane, now: float) -> None:
        """Note a call that comes, once, whether there is room for it or not."""
        if lane is Lane.INTERACTIVE:
            self._demand.want(now)

    def take(self, lane: Lane, now: float) -> None:
        """Count a call that `wait_s` has let pass."""
        self._all.take(now)
        if lane is Lane.INTERACTIVE:
            self._demand.took(now)
        else:
            self._backfill.take(now)
            self._pace.take(now)

    def used(self, now: float) -> int:
        """Calls in the window, of all lanes."""
        return self._all.used(now)

    def fullness(self, now: float) -> float:
        """What is used of what is allowed, 0 when nothing is held back."""
        limit = self.limit(now)
        return 0.0 if limit is None else self.used(now) / limit

    def throttled(self, now: float) -> None:
        """Learn from a call that the vendor refused although there was room."""
        published = self.quota.calls if self.published else None
        used = self.used(now)
        self.learned = LearnedLimit.after(self.learned, used=used, published=published, now=now)

    def memory(self, now: float, most_entries: int) -> SharedMemory:
        """What is in the window, and what is foreseen for it."""
        return {
            "all": self._all.ages(now, most_entries),
            "backfill": self._backfill.ages(now, most_entries),
            "demand": self._demand.memory(now, most_entries),
        }

    def restore(self, told: SharedMemory, now: float, elapsed_s: float) -> None:
        """Take up what another told `elapsed_s` seconds ago; this one must be fresh."""
        self._all.restore(told["all"], now, elapsed_s)
        self._backfill.restore(told["backfill"], now, elapsed_s)
        self._demand.restore(told["demand"], now, elapsed_s)

    def assume(self, count: int, now: float) -> None:
        """Count so many calls as made just now, whosever they were."""
        self._all.assume(count, now)
        self._backfill.assume(count, now)

    def _for_backfill(self, limit: int, now: float) -> int:
        left = max(0, limit - self._demand.foreseen(now))
        if left < _SMALLEST_SHARED:
            return left
        kept = min(_HEADROOM_RATIO * left, _HEADROOM_CALLS)
        return left - math.ceil(max(kept, _LEAST_HEADROOM_RATIO * left))
