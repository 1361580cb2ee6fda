"""Which items are under way, ready, or waiting for their time. Pure: `now` is an argument."""

import heapq
from collections import deque
from itertools import count
from typing import Final

from .verdicts import OpenItem
from .window import InFlightWindow

__all__ = ["Schedule"]

_PARKED_PER_IN_FLIGHT: Final = 5


class Schedule:
    """The items in memory: never more than a few windows of them, however many wait in the file.

    Args:
        most_in_flight: see `InFlightWindow`.

    """

    def __init__(self, most_in_flight: int) -> None:
        self.window = InFlightWindow(most_in_flight)
        self._most = most_in_flight
        self._ready: deque[OpenItem] = deque()
        self._parked: list[tuple[float, int, OpenItem, bool]] = []
        self._order = count()
        self._in_flight = 0
        self._limited = 0
        self._pages_uncommitted = 0

    @property
    def in_flight(self) -> int:
        """Operations under way."""
        return self._in_flight

    @property
    def limited(self) -> int:
        """Items that wait because a limit refused them."""
        return self._limited

    @property
    def parked(self) -> int:
        """Items that wait for their time, whatever for."""
        return len(self._parked)

    @property
    def is_empty(self) -> bool:
        """Whether no item is in memory."""
        return not (self._ready or self._parked or self._in_flight or self._pages_uncommitted)

    def wants_more(self) -> bool:
        """Whether items should be read from the file: there is room for them."""
        room = self.window.size - self._in_flight - len(self._ready)
        return room > 0 and len(self._parked) < _PARKED_PER_IN_FLIGHT * self._most

    def add(self, item: OpenItem) -> None:
        """Take in an item that may be asked for at once."""
        self._ready.append(item)

    def next(self, now: float) -> OpenItem | None:
        """The next item to ask for, which counts as under way from here; None where there is none."""
        if self._in_flight >= self.window.size:
            return None
        while self._parked and self._parked[0][0] <= now:
            _, _, item, limited = heapq.heappop(self._parked)
            self._limited -= limited
            # In front of those that were never asked: they hold a place in memory already.
            self._ready.appendleft(item)
        if not self._ready:
            return None
        self._in_flight += 1
        return self._ready.popleft()

    def answered(self) -> None:
        """An operation ended that no limit refused."""
        self._in_flight -= 1
        self.window.answered()

    def refused(self, now: float) -> None:
        """An operation ended that a limit refused."""
        self._in_flight -= 1
        self.window.limited(now)

    def park(self, item: OpenItem, at: float, *, limited: bool) -> None:
        """Keep an item until its time."""
        self._limited += limited
        heapq.heappush(self._parked, (at, next(self._order), item, limited))

    def hold_page(self) -> None:
        """An item has read a page that is not on the disk yet: it goes on after that."""
        self._pages_uncommitted += 1

    def go_on(self, item: OpenItem) -> None:
        """The held page is on the disk."""
        self._pages_uncommitted -= 1
        self._ready.appendleft(item)

    def wake_in_s(self, now: float) -> float | None:
        """Seconds until a parked item's time comes; None where none is parked."""
        return max(0.0, self._parked[0][0] - now) if self._parked else None

    def __repr__(self) -> str:
        return (
            f"Schedule({self._in_flight} in flight, {len(self._ready)} ready, "
            f"{len(self._parked)} parked, {self.window!r})"
        )
