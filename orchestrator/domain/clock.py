"""Where time comes from. Only edges hold a clock; state machines take `now` as an argument."""

import time
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "SystemClock", "from_unix"]


class Clock(Protocol):
    """Two readings: `now_s` never goes back and never leaves its process; `unix_s` may do both."""

    def now_s(self) -> float:
        """Monotonic seconds, for durations within this process."""
        ...

    def unix_s(self) -> float:
        """Seconds since 1970 UTC, for everything that is stored or sent."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now_s(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def unix_s(self) -> float:
        """Seconds since 1970 UTC."""
        return time.time()


def from_unix(unix_s: float) -> datetime:
    """An aware UTC datetime of unix seconds."""
    return datetime.fromtimestamp(unix_s, tz=UTC)
