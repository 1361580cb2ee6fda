"""A queue that is fair between flows: each gets turns by its weight, however much it asks for.

Start-time fair queueing (P. Goyal, H. Vin, H. Cheng, SIGCOMM 1996): every flow has a virtual start,
the one with the earliest is served, and that moves its start on by 1 / weight. A flow that was idle
begins at the virtual time of now, so silence earns nothing. Starts belong to flows and not to items,
so what leaves the queue unserved costs its flow no turn.

Items wait before doors. While a door is shut, those before it are passed over, and their flows keep
at most one turn's advantage for it.
"""

import heapq
from bisect import bisect_left, insort
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

__all__ = ["FairQueue", "Queued"]

_CREDIT: Final = 1.0
_GONE_KEPT: Final = 64

Door = TypeVar("Door", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Queued(Generic[Door]):
    """One item's place. `rank` is unique and says who came first within a flow."""

    rank: int
    flow: str
    door: Door


@dataclass(slots=True)
class _Flow:
    start: float
    waiting: int = 0


_Turn = tuple[float, int, str]
"""A flow before a door: its start when it was put down, its first rank there, its name."""


@dataclass(slots=True)
class _Before:
    """Who waits before one door: ranks by flow, and flows in a heap by start.

    Starts move on while their turns lie in the heap; `turns` has the one that counts of each flow,
    never later than right, and the others are passed over when they come up.
    """

    ranks: dict[str, list[int]] = field(default_factory=dict)
    turns: dict[str, _Turn] = field(default_factory=dict)
    heap: list[_Turn] = field(default_factory=list)

    def put(self, turn: _Turn) -> None:
        self.turns[turn[2]] = turn
        heapq.heappush(self.heap, turn)
        if len(self.heap) > 2 * len(self.turns) + _GONE_KEPT:
            self.heap = list(self.turns.values())
            heapq.heapify(self.heap)


class FairQueue(Generic[Door]):
    """Items of weighted flows before doors. Synchronous; holds places only, not what stands there.

    Serving costs a look at each door and O(log n); memory is O(n) in what waits.

    Args:
        weights: turns of a flow against one of weight 1, over 0; 1 for flows that are not named.

    """

    __slots__ = ("_doors", "_flows", "_places", "_virtual", "_weights")

    def __init__(self, weights: Mapping[str, float] | None = None) -> None:
        self._weights = dict(weights or {})
        self._doors: dict[Door, _Before] = {}
        self._flows: dict[str, _Flow] = {}
        self._places: dict[int, Queued[Door]] = {}
        self._virtual = 0.0

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, rank: int) -> bool:
        return rank in self._places

    def add(self, place: Queued[Door]) -> None:
        """Stand in line; with a rank from before, in front of those that came later."""
        flow = self._flows.get(place.flow)
        if flow is None:
            flow = self._flows[place.flow] = _Flow(self._virtual)
        elif not flow.waiting:
            flow.start = max(flow.start, self._virtual)
        flow.waiting += 1
        before = self._doors.setdefault(place.door, _Before())
        ranks = before.ranks.setdefault(place.flow, [])
        insort(ranks, place.rank)
        if ranks[0] == place.rank:
            before.put((flow.start, place.rank, place.flow))
        self._places[place.rank] = place

    def first(self, shut: Callable[[Door], bool]) -> Queued[Door] | None:
        """Whose turn it is before the doors that are not shut; None where nobody is."""
        best: tuple[float, int] | None = None
        for door, before in self._doors.items():
            if shut(door):
                continue
            start, rank, _ = self._head(before)
            if best is None or (start, rank) < best:
                best = (start, rank)
        return None if best is None else self._places[best[1]]

    def serve(self, rank: int) -> None:
        """Take an item out as served: its flow has had a turn."""
        flow = self._flows[self._places[rank].flow]
        start = max(flow.start, self._virtual - _CREDIT)
        self._virtual = max(self._virtual, start)
        flow.start = start + 1.0 / self._weights.get(self._places[rank].flow, 1.0)
        self.discard(rank)

    def discard(self, rank: int) -> None:
        """Take an item out unserved."""
        place = self._places.pop(rank)
        before = self._doors[place.door]
        ranks = before.ranks[place.flow]
        del ranks[bisect_left(ranks, rank)]
        if not ranks:
            del before.ranks[place.flow], before.turns[place.flow]
        if not before.ranks:
            del self._doors[place.door]
        flow = self._flows[place.flow]
        flow.waiting -= 1
        if not self._places:
            # Nobody waits: what anybody was ahead no longer matters.
            self._flows.clear()
            self._virtual = 0.0
        elif not flow.waiting and len(self._flows) > 2 * len(self._places) + _GONE_KEPT:
            self._forget_idle()

    def _head(self, before: _Before) -> _Turn:
        """The earliest turn before a door, once those at the top of its heap are right."""
        while True:
            turn = before.heap[0]
            name = turn[2]
            if before.turns.get(name) != turn:
                heapq.heappop(before.heap)
                continue
            right = (self._flows[name].start, before.ranks[name][0], name)
            if right == turn:
                return turn
            before.turns[name] = right
            heapq.heapreplace(before.heap, right)

    def _forget_idle(self) -> None:
        """Let go of flows that do not wait: half of them, those that are ahead the least."""
        idle = [name for name, flow in self._flows.items() if not flow.waiting]
        idle.sort(key=lambda name: self._flows[name].start)
        for name in idle[: -(-len(idle) // 2)]:
            del self._flows[name]

    def __repr__(self) -> str:
        flows = sum(flow.waiting > 0 for flow in self._flows.values())
        return f"FairQueue({len(self)} of {flows} flows)"
