"""Permits that are out, each for a bounded time.

Whoever takes a permit may die before reporting. A lease gives every permit an end, so that a lost
one can hold nothing for ever (failsafe-go and gobreaker leak it).
"""

import math
from collections import OrderedDict
from collections.abc import Iterator
from itertools import count

__all__ = ["Leases"]


class Leases:
    """The permits that are out now.

    All have the same term and time never goes back, so insertion order is the order of expiry and
    every call is O(1) amortised. Memory: one entry a permit that is out.

    Args:
        term_s: seconds after which an unreported permit counts as lost.
        ids: where new ids come from. Share one iterator between several `Leases` where a permit of
            one must never be taken for a permit of another. Default: 1, 2, 3, …

    """

    __slots__ = ("_earliest", "_ends_at", "_ids", "_term_s")

    def __init__(self, term_s: float, ids: Iterator[int] | None = None) -> None:
        self._term_s = term_s
        self._ids = count(1) if ids is None else ids
        self._ends_at: OrderedDict[int, float] = OrderedDict()
        # No lease ends before; the one that set it may have been settled.
        self._earliest = math.inf

    def __len__(self) -> int:
        return len(self._ends_at)

    def __contains__(self, permit_id: int) -> bool:
        return permit_id in self._ends_at

    def holds(self, permit_id: int, now: float) -> bool:
        """Whether a permit is out and its lease still runs at `now`; ends no lease."""
        ends_at = self._ends_at.get(permit_id)
        return ends_at is not None and now < ends_at

    def grant(self, now: float) -> int:
        """A new permit's id; its lease ends at `now` + the term."""
        permit_id = next(self._ids)
        ends_at = self._ends_at[permit_id] = now + self._term_s
        self._earliest = min(self._earliest, ends_at)
        return permit_id

    def settle(self, permit_id: int) -> bool:
        """Take a permit back. False where it is not out: settled before, or its lease is over."""
        return self._ends_at.pop(permit_id, None) is not None

    def expire(self, now: float) -> tuple[int, ...]:
        """Take back every permit whose lease is over, and tell which they were."""
        if now < self._earliest:
            return ()
        ended: list[int] = []
        while self._ends_at and next(iter(self._ends_at.values())) <= now:
            ended.append(self._ends_at.popitem(last=False)[0])
        self._earliest = next(iter(self._ends_at.values()), math.inf)
        return tuple(ended)
