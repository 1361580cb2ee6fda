"""How fast a job goes, and what it is doing just now, for whoever watches. Pure."""

import json
from collections import deque
from typing import Final

from .schedule import Schedule

__all__ = ["Pace"]

_OVER_S: Final = 30.0


class Pace:
    """Items a second over the last half minute.

    Args:
        now: when the run began, monotonic.

    """

    def __init__(self, now: float) -> None:
        self._marks: deque[tuple[float, int]] = deque([(now, 0)])
        self._ended = 0

    def note(self, now: float, ended: int) -> None:
        """So many more items have ended."""
        self._ended += ended
        self._marks.append((now, self._ended))
        while len(self._marks) > 2 and now - self._marks[1][0] >= _OVER_S:
            self._marks.popleft()

    def rate(self, now: float) -> float:
        """Items a second."""
        began, before = self._marks[0]
        return (self._ended - before) / max(now - began, 1e-9) if now > began else 0.0

    def live(self, now: float, *, at: float, left: int, schedule: Schedule) -> str:
        """What is shown of a running job, as JSON.

        Args:
            now: monotonic.
            at: unix seconds.
            left: items that have not ended.
            schedule: what is under way.

        """
        rate = self.rate(now)
        return json.dumps(
            {
                "at": at,
                "inFlight": schedule.in_flight,
                "window": schedule.window.size,
                "waiting": schedule.parked,
                "waitingOnLimits": schedule.limited,
                "wakesInS": schedule.wake_in_s(now),
                "ratePerS": round(rate, 2),
                "timeLeftS": round(left / rate, 1) if rate > 0 else None,
            }
        )
