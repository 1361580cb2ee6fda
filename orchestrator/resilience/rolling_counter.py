"""A count over the last day or so, in bounded memory."""

from collections import deque

__all__ = ["RollingCounter"]


class RollingCounter:
    """How often something happened in the last `window_s` seconds, to within one bucket.

    Memory: `window_s / bucket_s` pairs at most. Times must not go back.
    """

    __slots__ = ("_bucket_s", "_buckets", "_total", "_window_s")

    def __init__(self, window_s: float = 86_400.0, bucket_s: float = 60.0) -> None:
        self._window_s = window_s
        self._bucket_s = bucket_s
        self._buckets: deque[tuple[float, int]] = deque()
        self._total = 0

    def add(self, now: float) -> None:
        """Count one."""
        start = now // self._bucket_s * self._bucket_s
        if self._buckets and self._buckets[-1][0] == start:
            self._buckets[-1] = (start, self._buckets[-1][1] + 1)
        else:
            self._buckets.append((start, 1))
        self._total += 1
        self.total(now)

    def total(self, now: float) -> int:
        """The count now."""
        while self._buckets and self._buckets[0][0] + self._window_s <= now:
            self._total -= self._buckets.popleft()[1]
        return self._total
