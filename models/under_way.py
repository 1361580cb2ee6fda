"""Attempts under way: one that is overdue by its own p99 is evidence before it has failed."""

import heapq
from collections import deque
from math import exp, isfinite, isnan, log, sqrt
from typing import Final, NamedTuple

__all__ = ["Call", "Latency", "Started", "UnderWay"]

_LIMIT: Final = 10_000
_COMPARED: Final = 32
"""With more of one kind under way than this, the oldest is taken for the one that has ended."""

_FORGET_S: Final = 700.0
"""Over the longest request: whoever is not heard of by then never will be."""


class Latency:
    """Decayed mean and variance of the logarithm of latencies of one kind of call."""

    __slots__ = ("mean", "seen", "variance")

    _SHARE: Final = 0.04

    def __init__(self) -> None:
        self.mean, self.variance, self.seen = 0.0, 0.5, 0

    def learn(self, latency_s: float) -> None:
        """Take in how long a success took; what is no duration is passed over."""
        if not (isfinite(latency_s) and latency_s > 0.0):
            return
        value = log(min(max(latency_s, 1e-3), 600.0))
        self.seen += 1
        share = max(self._SHARE, 1.0 / self.seen)
        off = value - self.mean
        self.mean += share * off
        if self.seen > 1:
            self.variance = (1.0 - share) * (self.variance + share * off * off)

    @property
    def usual_s(self) -> float:
        """The mean, in seconds, as of a lognormal distribution."""
        return exp(min(self.mean + self.variance / 2.0, 6.0))

    @property
    def late_s(self) -> float:
        """The time within which 99 in 100 are back, and a little."""
        return max(0.5, exp(min(self.mean + 2.6 * sqrt(self.variance), 6.0)))


class Call(NamedTuple):
    """What was called."""

    provider: str
    operation: str
    institution_id: str | None
    region: str


class Started:
    """One attempt under way since `at_s`."""

    __slots__ = ("at_s", "call", "overdue")

    def __init__(self, call: Call, at_s: float) -> None:
        self.call = call
        self.at_s = at_s
        self.overdue = False


class UnderWay:
    """All attempts under way, as far as their starts were told. Bounded; owns no clock."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int]] = []
        self._started: dict[int, Started] = {}
        self._by_key: dict[Call, deque[int]] = {}
        self._number = 0

    def __len__(self) -> int:
        return len(self._started)

    @property
    def next_due_s(self) -> float:
        """When `due` is worth asking."""
        return self._due[0][0] if self._due else float("inf")

    def start(self, call: Call, at_s: float, late_s: float) -> None:
        """Note an attempt that begins at `at_s`; after `late_s` seconds it will be overdue."""
        if len(self._started) >= _LIMIT:
            self._forget(next(iter(self._started)))
        self._number += 1
        number = self._number
        self._started[number] = Started(call, at_s)
        self._by_key.setdefault(call, deque()).append(number)
        heapq.heappush(self._due, (at_s + late_s, number))

    def due(self, t_s: float) -> list[Started]:
        """Those that have become overdue since, each once."""
        found = []
        while self._due and self._due[0][0] <= t_s:
            _, number = heapq.heappop(self._due)
            started = self._started.get(number)
            if started is None:
                continue
            if started.overdue:
                self._forget(number)
                continue
            started.overdue = True
            found.append(started)
            heapq.heappush(self._due, (started.at_s + _FORGET_S, number))
        return found

    def end(self, call: Call, at_s: float) -> Started | None:
        """Take out the attempt that began nearest to `at_s` (NaN: the oldest); None where unknown."""
        numbers = self._by_key.get(call)
        if not numbers:
            return None
        best = numbers[0]
        if 1 < len(numbers) <= _COMPARED and not isnan(at_s):
            started = self._started
            best = min(numbers, key=lambda number: abs(started[number].at_s - at_s))
        found = self._started[best]
        self._forget(best)
        return found

    def _forget(self, number: int) -> None:
        call = self._started.pop(number).call
        numbers = self._by_key[call]
        numbers.remove(number)
        if not numbers:
            del self._by_key[call]
