"""Exact sliding windows: one, and one for each connection."""

from collections import OrderedDict, deque

from .quota import Quota

__all__ = ["ConnectionWindows", "SlidingWindow"]


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

    def wait_s(self, now: float) -> float:
        """Seconds until a call fits, 0 when it fits now."""
        if len(self._taken_at) < self.calls:
            return 0.0
        return max(0.0, self.window_s - (now - self._taken_at[0]))

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


class ConnectionWindows:
    """One quota's window for each connection that used it lately.

    A window is let go as soon as it is empty. They lie in order of last use, which is the order in
    which they empty, so that only the first needs a look.

    Args:
        quota: of connection scope.
        maximum: windows kept at once. A live window is never given up, as that would break the
            vendor's limit: at the bound, connections without a window wait for one to empty.

    """

    __slots__ = ("_by_connection", "_maximum", "quota")

    def __init__(self, quota: Quota, maximum: int) -> None:
        self.quota = quota
        self._maximum = maximum
        self._by_connection: OrderedDict[str, SlidingWindow] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_connection)

    def wait_s(self, connection_id: str, now: float) -> float:
        """Seconds until a call of this connection fits, 0 when it fits now."""
        self.evict(now)
        window = self._by_connection.get(connection_id)
        if window is not None:
            return window.wait_s(now)
        if len(self._by_connection) < self._maximum:
            return 0.0
        return next(iter(self._by_connection.values())).idle_in_s(now)

    def take(self, connection_id: str, now: float) -> None:
        """Count a call that `wait_s` has let pass."""
        window = self._by_connection.get(connection_id)
        if window is None:
            window = SlidingWindow(self.quota.calls, self.quota.window_s)
            self._by_connection[connection_id] = window
        window.take(now)
        self._by_connection.move_to_end(connection_id)

    def evict(self, now: float) -> None:
        """Let go of the windows that have emptied."""
        while self._by_connection:
            connection_id, window = next(iter(self._by_connection.items()))
            if window.idle_in_s(now) > 0.0:
                return
            del self._by_connection[connection_id]
