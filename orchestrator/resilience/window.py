"""Exact sliding windows: one, and one for each connection."""

import math
from collections import OrderedDict, deque
from collections.abc import Iterable

from .learned_limit import LearnedLimit
from .quota import Quota

__all__ = ["Ages", "ConnectionWindows", "SlidingWindow"]

Ages = list[tuple[float, int]]
"""Calls of a window by age, the oldest first: seconds since, and how many were made then."""


class SlidingWindow:
    """At most `calls` in any half-open interval of `window_s` seconds.

    It remembers when the last `calls` calls were made, no more: a further one fits exactly when the
    oldest of these is out of the window. That makes asking and taking O(1), with nothing rounded to
    buckets and no burst at a bucket's edge. Times must not go back.
    """

    __slots__ = ("_taken_at", "calls", "window_s")

    def __init__(self, calls: int, window_s: float) -> None:
        self.calls = calls
        self.window_s = window_s
        self._taken_at: deque[float] = deque(maxlen=calls)

    def wait_s(self, now: float, most: int | None = None) -> float:
        """Seconds until a call fits, 0 when it fits now.

        Args:
            now: seconds.
            most: a bound below `calls` that holds at the moment; below 1, nothing fits at all and
                the window's whole length is told.

        """
        most = self.calls if most is None else min(most, self.calls)
        used = self.used(now)
        if used < most:
            return 0.0
        if most < 1:
            return self.window_s
        return max(0.0, self.window_s - (now - self._taken_at[used - most]))

    def take(self, now: float) -> None:
        """Count a call that `wait_s` has let pass."""
        self._taken_at.append(now)

    def used(self, now: float) -> int:
        """Calls in the window that ends now."""
        while self._taken_at and now - self._taken_at[0] >= self.window_s:
            self._taken_at.popleft()
        return len(self._taken_at)

    def idle_in_s(self, now: float) -> float:
        """Seconds until no call is in the window, 0 when none is."""
        return max(0.0, self.window_s - (now - self._taken_at[-1])) if self._taken_at else 0.0

    def ages(self, now: float, most_entries: int) -> Ages:
        """What is in the window, in at most so many entries.

        Neighbours are told together, as if all had been made with the youngest of them: whoever
        takes it up counts them longer than we do, never shorter.
        """
        used = self.used(now)
        together = -(-used // most_entries)
        taken = list(self._taken_at)
        groups = [taken[at : at + together] for at in range(0, used, together or 1)]
        return [(now - group[-1], len(group)) for group in groups]

    def restore(self, ages: Iterable[tuple[float, int]], now: float, elapsed_s: float) -> None:
        """Take up what another window told `elapsed_s` seconds ago; this one must be empty."""
        for age_s, count in ages:
            if age_s + elapsed_s < self.window_s:
                self._taken_at.extend([now - age_s - elapsed_s] * min(count, self.calls))

    def assume(self, count: int, now: float) -> None:
        """Count so many calls that may have been made, at most as many as fit, as made just now."""
        self._taken_at.extend([now] * max(0, min(count, self.calls - self.used(now))))


class ConnectionWindows:
    """One quota's window for each connection that used it lately.

    A window is let go as soon as it is empty. They lie in order of last use, which is the order in
    which they empty, so that only the first needs a look. What was `learned` holds for all of them.

    Args:
        quota: of connection scope.
        maximum: windows kept at once. A live window is never given up, as that would break the
            vendor's limit: at the bound, connections without a window wait for one to empty.

    """

    __slots__ = ("_assumed", "_assumed_at", "_by_connection", "_maximum", "learned", "quota")

    def __init__(self, quota: Quota, maximum: int) -> None:
        self.quota = quota
        self.learned: LearnedLimit | None = None
        self._maximum = maximum
        self._by_connection: OrderedDict[str, SlidingWindow] = OrderedDict()
        self._assumed = 0
        self._assumed_at = -math.inf

    def __len__(self) -> int:
        return len(self._by_connection)

    def limit(self, now: float) -> int:
        """Calls that a window takes now: the quota's, or fewer where that was learned."""
        learned = None if self.learned is None else self.learned.effective(now)
        return self.quota.calls if learned is None else min(learned, self.quota.calls)

    def wait_s(self, connection_id: str, now: float) -> float:
        """Seconds until a call of this connection fits, 0 when it fits now."""
        self.evict(now)
        window = self._by_connection.get(connection_id)
        if window is None and len(self._by_connection) >= self._maximum:
            return next(iter(self._by_connection.values())).idle_in_s(now)
        if window is None:
            # The usual case first: where nothing is assumed, a window that is not there is empty.
            if not self._assumed or now - self._assumed_at >= self.quota.counted_s:
                return 0.0
            window = self._fresh(now)
        return window.wait_s(now, self.limit(now))

    def take(self, connection_id: str, now: float) -> None:
        """Count a call that `wait_s` has let pass."""
        window = self._by_connection.get(connection_id)
        if window is None:
            window = self._by_connection[connection_id] = self._fresh(now)
        window.take(now)
        self._by_connection.move_to_end(connection_id)

    def used(self, connection_id: str, now: float) -> int:
        """Calls in this connection's window."""
        window = self._by_connection.get(connection_id)
        return 0 if window is None else window.used(now)

    def throttled(self, connection_id: str, now: float) -> None:
        """Learn from a call of this connection's that the vendor refused although there was room."""
        self.learned = LearnedLimit.after(
            self.learned,
            used=self.used(connection_id, now),
            published=self.quota.calls,
            now=now,
        )

    def evict(self, now: float) -> None:
        """Let go of the windows that have emptied."""
        while self._by_connection:
            connection_id, window = next(iter(self._by_connection.items()))
            if window.idle_in_s(now) > 0.0:
                return
            del self._by_connection[connection_id]

    def ages(self, now: float, most_windows: int, most_entries: int) -> dict[str, Ages]:
        """The windows used last, at most so many of them."""
        self.evict(now)
        kept = list(self._by_connection.items())[-most_windows:]
        return {name: window.ages(now, most_entries) for name, window in kept}

    def restore(self, told: dict[str, Ages], now: float, elapsed_s: float) -> None:
        """Take up what another told `elapsed_s` seconds ago; this one must be empty."""
        for connection_id, ages in told.items():
            window = SlidingWindow(self.quota.calls, self.quota.counted_s)
            window.restore(ages, now, elapsed_s)
            self._by_connection[connection_id] = window

    def assume(self, count: int, now: float) -> None:
        """Count so many calls, as made just now, for every connection there may be."""
        for window in self._by_connection.values():
            window.assume(count, now)
        self._assumed, self._assumed_at = count, now
        self.evict(now)

    def assume_of(self, connection_id: str, count: int, now: float) -> None:
        """Count so many calls, as made just now, for one connection."""
        window = self._by_connection.setdefault(connection_id, self._fresh(now))
        window.assume(count, now)
        self._by_connection.move_to_end(connection_id)

    def _fresh(self, now: float) -> SlidingWindow:
        window = SlidingWindow(self.quota.calls, self.quota.counted_s)
        if self._assumed:
            window.restore([(now - self._assumed_at, self._assumed)], now, 0.0)
        return window
