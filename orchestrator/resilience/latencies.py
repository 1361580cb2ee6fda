"""How long a provider's operations take when they work: a quantile over the last of them."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

__all__ = ["Latencies"]

_FEWEST: Final = 20

Key = TypeVar("Key", bound=Hashable)


class Latencies(Generic[Key]):
    """An exact quantile over a sliding window of the last `size` latencies, for each key.

    A window follows a provider that becomes slow within so many calls, which no estimate over all
    time does. Noting one costs a search and a shift in a list of that size.

    Args:
        ratio: which quantile, over 0 and below 1.
        size: latencies kept for each key, at least 20.

    Raises:
        ValueError: an argument is out of its range.

    """

    __slots__ = ("_in_order", "_ratio", "_size", "_sorted")

    def __init__(self, ratio: float = 0.95, size: int = 256) -> None:
        if not 0.0 < ratio < 1.0 or size < _FEWEST:
            raise ValueError(f"ratio must be over 0 and below 1, and size at least {_FEWEST}")
        self._ratio = ratio
        self._size = size
        self._in_order: dict[Key, deque[float]] = {}
        self._sorted: dict[Key, list[float]] = {}

    def note(self, key: Key, latency_s: float) -> None:
        """Take in how long a success took."""
        in_order = self._in_order.setdefault(key, deque())
        ranked = self._sorted.setdefault(key, [])
        if len(in_order) == self._size:
            del ranked[bisect_left(ranked, in_order.popleft())]
        in_order.append(latency_s)
        insort(ranked, latency_s)

    def quantile_s(self, key: Key) -> float | None:
        """The quantile in seconds: the smallest latency that covers the ratio; None below 20 of them."""
        ranked = self._sorted.get(key, ())
        if len(ranked) < _FEWEST:
            return None
        return ranked[min(len(ranked) - 1, int(self._ratio * len(ranked)))]

    def told(self) -> tuple[tuple[Key, float], ...]:
        """All quantiles that are known."""
        known = ((key, self.quantile_s(key)) for key in self._sorted)
        return tuple((key, quantile_s) for key, quantile_s in known if quantile_s is not None)
