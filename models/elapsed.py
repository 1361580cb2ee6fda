"""Time that never goes back, out of timestamps that may."""

from typing import Final

__all__ = ["ElapsedTime"]

_STEP_S: Final = 60.0


class ElapsedTime:
    """Seconds gone by, from the `at` of decisions and outcomes as they come.

    Outcomes arrive late and in any order, so an older `at` than the latest is normal: time stands
    still for it. A *decision* more than a minute behind the latest is a clock that was set back,
    and time goes on from there, since evidence would not age until the old time was reached again.
    """

    def __init__(self) -> None:
        self.elapsed_s = 0.0
        self._latest: float | None = None

    def decision_at(self, at: float) -> float:
        """The elapsed time of a decision at unix time `at`."""
        if self._latest is not None and at < self._latest - _STEP_S:
            self._latest = at
        self._advance(at)
        return self.elapsed_s

    def outcome_at(self, at: float) -> tuple[float, float]:
        """The elapsed time now, and how many seconds before it an outcome of `at` happened."""
        self._advance(at)
        latest = at if self._latest is None else self._latest
        return self.elapsed_s, latest - at

    def _advance(self, at: float) -> None:
        if self._latest is None:
            self._latest = at
        elif at > self._latest:
            self.elapsed_s += at - self._latest
            self._latest = at
