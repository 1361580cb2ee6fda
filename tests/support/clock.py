"""A clock that runs as the machine's does, and can be moved on by hand."""

import time

from tests.support.sandbox import START

__all__ = ["SteppedClock"]


class SteppedClock:
    """A `Clock` that begins at the sandbox's instant; `jump` makes minutes pass at once.

    `running` False makes it stand still between jumps.
    """

    def __init__(self, *, running: bool = True) -> None:
        self._running = running
        self._began_s = time.monotonic()
        self._jumped_s = 0.0

    def now_s(self) -> float:
        """Monotonic seconds."""
        ran_s = time.monotonic() - self._began_s if self._running else 0.0
        return 1000.0 + ran_s + self._jumped_s

    def unix_s(self) -> float:
        """Seconds since 1970 UTC."""
        return START.timestamp() - 1000.0 + self.now_s()

    def jump(self, seconds: float) -> None:
        """Let time pass."""
        self._jumped_s += seconds
