"""How much of a window people will hold, foreseen from what they wanted and took lately."""

import math
from collections import deque
from typing import Final, TypedDict

from .window import Ages, SlidingWindow

__all__ = ["Demand", "DemandMemory"]

_STEPS: Final = 16


class DemandMemory(TypedDict):
    """What was wanted and taken, by age in seconds: JSON data of bounded size.

    `before` and `lately` are the most wanted in a window of the stretch before and of the present
    one, which is `age_s` old; None before the first.
    """

    wanted: Ages
    took: Ages
    before: int
    lately: int
    age_s: float | None


class Demand:
    """What interactive calls want of one window. Times must not go back.

    Looked at is what they wanted, not what they got: whoever left them too little would never learn
    of it from the latter. What they took in a burst adds to what comes next until it has left.

    Args:
        calls: as many of the last calls are looked at.
        window_s: length of the window in seconds.

    """

    __slots__ = ("_before", "_lately", "_since", "_took", "_wanted", "_window_s")

    def __init__(self, calls: int, window_s: float) -> None:
        self._window_s = window_s
        self._wanted = SlidingWindow(calls, window_s)
        self._took: deque[tuple[float, int]] = deque()
        self._since = -math.inf
        self._before = 0
        self._lately = 0

    def want(self, now: float) -> None:
        """Note a call that comes, once, whether there is room for it or not."""
        self._turn(now)
        self._wanted.take(now)
        self._lately = max(self._lately, self._wanted.used(now))

    def took(self, now: float) -> None:
        """Note a call that was counted in the window."""
        step_s = self._window_s / _STEPS
        if self._took and now - self._took[-1][0] < step_s:
            began, count = self._took[-1]
            self._took[-1] = began, count + 1
        else:
            self._took.append((now, 1))
        while now - self._took[0][0] >= self._window_s:
            self._took.popleft()

    def foreseen(self, now: float) -> int:
        """The most that they will hold at any time of the next window.

        By then comes as much again as the most that they wanted in any window of the last while
        (one to two windows long), evenly, and what they hold now leaves as it came.
        """
        self._turn(now)
        wanted = max(self._before, self._lately)
        most, held = float(wanted), 0
        for began, count in reversed(self._took):
            left_s = self._window_s - (now - began)
            if left_s <= 0.0:
                break
            held += count
            most = max(most, held + wanted * left_s / self._window_s)
        return round(most)

    def changes_in_s(self, now: float) -> float:
        """Seconds until what was wanted may be forgotten, and less be foreseen."""
        self._turn(now)
        return self._since + self._window_s - now

    def memory(self, now: float, most_entries: int) -> DemandMemory:
        """All that foresight rests on."""
        return {
            "wanted": self._wanted.ages(now, most_entries),
            "took": [(now - began, count) for began, count in self._took],
            "before": self._before,
            "lately": self._lately,
            "age_s": None if self._since == float("-inf") else now - self._since,
        }

    def restore(self, told: DemandMemory, now: float, elapsed_s: float) -> None:
        """Take up what another told `elapsed_s` seconds ago; this one must be fresh."""
        self._wanted.restore(told["wanted"], now, elapsed_s)
        self._took.extend((now - elapsed_s - age_s, count) for age_s, count in told["took"])
        if told["age_s"] is not None:
            self._since = now - elapsed_s - told["age_s"]
            self._before, self._lately = told["before"], told["lately"]

    def _turn(self, now: float) -> None:
        """Begin a new stretch of memory once the present one is as long as the window."""
        stretches = (now - self._since) / self._window_s
        if stretches >= 1.0:
            self._before = self._lately if stretches < 2.0 else 0
            self._lately = self._wanted.used(now)
            self._since = now
