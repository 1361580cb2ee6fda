"""Who waits for a provider's limits, and in which order they go on.

People before bulk jobs; within a lane, pages of attempts under way before new attempts; within these,
fair between spaces by weight. Whoever can go at once never comes here.
"""

import heapq
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from orchestrator.domain import Lane

from .fair_queue import FairQueue, Queued
from .quota import Reach, VendorCall

__all__ = ["Hold", "Lanes", "Waiter"]

_LOOK_AGAIN_S: Final = (
    1.0  # what was learned fades, what was told is told anew: sooner than foreseen
)
_ENDED_KEPT: Final = 64
_Door = tuple[str | None, str | None]


@dataclass(frozen=True, slots=True)
class Waiter:
    """Somebody who waits. `ticket` is what `Lanes.join` gave out; `deadline` is a time of `now`.

    `entrant` begins an attempt; who does not is a later page of one that is under way.
    """

    ticket: int
    call: VendorCall
    space: str
    entrant: bool
    deadline: float

    @property
    def door(self) -> _Door:
        """What it shares with others: the endpoint, and for entrants the institution."""
        return self.call.endpoint, self.call.institution_id


@dataclass(frozen=True, slots=True)
class Hold:
    """Not now. `reach` is who is held back together, `wait_s` for how long; None until a place frees."""

    reach: Reach
    wait_s: float | None


Gate = Callable[[Waiter], Hold | None]
"""Tries a waiter: a `Hold` keeps it waiting, None lets it go, be it served or sent away."""


@dataclass(slots=True)
class _Line:
    """One of the four lines: what stands in it, by door."""

    lane: Lane
    entrants: bool
    queue: FairQueue[_Door] = field(default_factory=FairQueue)


class Lanes:
    """The queue before a provider. Synchronous; one event loop owns it.

    After every `serve` all that still wait are held back by something; so whoever comes until
    `due_at` and finds the gate open takes nothing from anybody, and need not join.

    A waiter held back by its own connection alone steps aside until that is over, so that it holds
    up nobody; it keeps its place for when it returns. One that cannot be let through before its
    deadline is sent away at once.

    Args:
        most_waiting: entrants that may wait in one lane, at least 1. Default 1000. Pages are not
            counted: attempts under way are bounded elsewhere.
        weights: turns of a space against one of weight 1, over 0.

    Raises:
        ValueError: `most_waiting` or a weight is out of its range.

    """

    __slots__ = (
        "_aside",
        "_deadlines",
        "_due_at",
        "_entrants",
        "_lines",
        "_tickets",
        "_waiters",
        "most_waiting",
    )

    def __init__(
        self, most_waiting: int = 1000, *, weights: Mapping[str, float] | None = None
    ) -> None:
        if most_waiting < 1 or any(not weight > 0.0 for weight in (weights or {}).values()):
            raise ValueError("most_waiting must be at least 1, and weights over 0")
        self.most_waiting = most_waiting
        self._lines = tuple(
            _Line(lane, entrants, FairQueue(weights))
            for lane in (Lane.INTERACTIVE, Lane.BACKFILL)
            for entrants in (False, True)
        )
        self._tickets: Iterator[int] = count(1)
        self._waiters: dict[int, Waiter] = {}
        self._entrants: Counter[Lane] = Counter()
        self._aside: list[tuple[float, int]] = []
        self._deadlines: list[tuple[float, int]] = []
        self._due_at = 0.0

    def __len__(self) -> int:
        return len(self._waiters)

    @property
    def due_at(self) -> float:
        """When `serve` is worth calling though nothing has been given back; infinity for never."""
        if not self._waiters:
            return math.inf
        return min(self._due_at, self._deadlines[0][0])

    def waiting(self, lane: Lane) -> int:
        """Entrants that wait in a lane."""
        return self._entrants[lane]

    def has_room(self, lane: Lane) -> bool:
        """Whether one more entrant may wait in a lane."""
        return self._entrants[lane] < self.most_waiting

    def join(
        self, call: VendorCall, space: str, hold: Hold, now: float, *, entrant: bool, wait_s: float
    ) -> int:
        """Wait for at most `wait_s` seconds, held back by `hold`; what is given is the ticket."""
        if not self._waiters:
            self._due_at = now + _LOOK_AGAIN_S
        ticket = next(self._tickets)
        waiter = Waiter(ticket, call, space, entrant, now + wait_s)
        self._waiters[ticket] = waiter
        self._entrants[call.lane] += entrant
        heapq.heappush(self._deadlines, (waiter.deadline, ticket))
        if hold.reach is Reach.CONNECTION and hold.wait_s is not None:
            self._step_aside(ticket, now + hold.wait_s)
        else:
            self._stand(waiter)
            self._expect(hold, now)
        return ticket

    def leave(self, ticket: int) -> bool:
        """Wait no longer; False where the ticket is not waiting any more."""
        waiter = self._waiters.pop(ticket, None)
        if waiter is None:
            return False
        self._entrants[waiter.call.lane] -= waiter.entrant
        line = self._line_of(waiter)
        if ticket in line.queue:
            line.queue.discard(ticket)
        self._forget_gone()
        return True

    def serve(self, gate: Gate, now: float) -> tuple[Waiter, ...]:
        """Let through whoever can go, in order; what is told are those who have waited in vain."""
        self._return(now)
        self._due_at = now + _LOOK_AGAIN_S
        if self._aside:
            self._due_at = min(self._due_at, self._aside[0][0])
        in_vain: list[Waiter] = []
        shut: set[str | None] = set()
        all_held_until = now
        for line in self._lines:
            held_s = self._serve_line(line, gate, now, shut, in_vain)
            if held_s is not None:
                # What holds all interactive calls holds the others too, and maybe for longer.
                all_held_until = now + held_s if line.lane is Lane.INTERACTIVE else now
                break
        while self._deadlines:
            deadline, ticket = self._deadlines[0]
            if deadline > now and deadline >= all_held_until:
                break
            heapq.heappop(self._deadlines)
            waiter = self._waiters.get(ticket)
            if waiter is not None:
                self.leave(ticket)
                in_vain.append(waiter)
        return tuple(in_vain)

    def _serve_line(
        self, line: _Line, gate: Gate, now: float, shut: set[str | None], in_vain: list[Waiter]
    ) -> float | None:
        """Serve one line as far as it goes; for how long all behind it are held too, where they are."""
        full: set[str | None] = set()

        def is_shut(door: _Door) -> bool:
            return door[0] in shut or door[1] in full

        while (place := line.queue.first(is_shut)) is not None:
            waiter = self._waiters[place.rank]
            hold = gate(waiter)
            if hold is None:
                line.queue.serve(place.rank)
                del self._waiters[place.rank]
                self._entrants[line.lane] -= waiter.entrant
                self._forget_gone()
                continue
            if hold.reach is Reach.CONNECTION and hold.wait_s is not None:
                line.queue.discard(place.rank)
                if now + hold.wait_s > waiter.deadline:
                    self.leave(waiter.ticket)
                    in_vain.append(waiter)
                else:
                    self._step_aside(waiter.ticket, now + hold.wait_s)
                continue
            self._expect(hold, now)
            if hold.reach is Reach.EVERYONE:
                return hold.wait_s or 0.0
            if hold.reach is Reach.ENTRANTS:
                return None
            if hold.reach is Reach.ENDPOINT:
                shut.add(place.door[0])
            else:
                full.add(place.door[1])
        return None

    def _stand(self, waiter: Waiter) -> None:
        place = Queued(waiter.ticket, waiter.space, waiter.door)
        self._line_of(waiter).queue.add(place)

    def _step_aside(self, ticket: int, until: float) -> None:
        heapq.heappush(self._aside, (until, ticket))
        self._due_at = min(self._due_at, until)

    def _return(self, now: float) -> None:
        while self._aside and self._aside[0][0] <= now:
            waiter = self._waiters.get(heapq.heappop(self._aside)[1])
            if waiter is not None:
                self._stand(waiter)

    def _expect(self, hold: Hold, now: float) -> None:
        self._due_at = min(
            self._due_at, now + (_LOOK_AGAIN_S if hold.wait_s is None else hold.wait_s)
        )

    def _line_of(self, waiter: Waiter) -> _Line:
        return self._lines[2 * (waiter.call.lane is Lane.BACKFILL) + waiter.entrant]

    def _forget_gone(self) -> None:
        """Keep the heaps of times as small as the crowd: most leave long before their deadline."""
        for heap in (self._deadlines, self._aside):
            if len(heap) > 2 * len(self._waiters) + _ENDED_KEPT:
                heap[:] = [entry for entry in heap if entry[1] in self._waiters]
                heapq.heapify(heap)

    def __repr__(self) -> str:
        interactive, backfill = (self.waiting(lane) for lane in (Lane.INTERACTIVE, Lane.BACKFILL))
        pages = len(self) - interactive - backfill
        return f"Lanes({interactive} interactive, {backfill} backfill, {pages} pages waiting)"
