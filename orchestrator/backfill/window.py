"""How many operations a job keeps under way: more while answers come, half when limits say no.

Pure: `now` is an argument.
"""

from typing import Final

__all__ = ["InFlightWindow"]

_FIRST: Final = 16.0
_SHRINK_RATIO: Final = 0.5
_SHRINK_AT_MOST_EVERY_S: Final = 1.0


class InFlightWindow:
    """Additive increase, multiplicative decrease.

    It doubles with each window's worth of answers until limits first say no, and from there on
    grows by one with each; it halves at most once a second, as what was under way together is
    refused together.

    Args:
        most: the bound that the job was given.

    """

    def __init__(self, most: int) -> None:
        self._most = float(most)
        self._size = min(_FIRST, self._most)
        self._doubles = True
        self._shrunk_at = float("-inf")

    @property
    def size(self) -> int:
        """Operations that may be under way at once, at least one."""
        return int(self._size)

    def answered(self) -> None:
        """An operation was answered, well or not, and no limit stood in its way."""
        self._size = min(self._most, self._size + (1.0 if self._doubles else 1.0 / self._size))

    def limited(self, now: float) -> None:
        """A limit refused an operation."""
        self._doubles = False
        if now - self._shrunk_at >= _SHRINK_AT_MOST_EVERY_S:
            self._shrunk_at = now
            self._size = max(1.0, self._size * _SHRINK_RATIO)

    def resize(self, most: int) -> None:
        """Take another bound."""
        self._most = float(most)
        self._size = min(self._size, self._most)

    def __repr__(self) -> str:
        return f"InFlightWindow({self.size}/{int(self._most)})"
