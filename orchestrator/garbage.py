"""Python's search for garbage in cycles, in processes that make many short-lived objects."""

import gc
from typing import Final

__all__ = ["collect_seldom"]

_YOUNG_OBJECTS: Final = 50_000
_YOUNG_ROUNDS: Final = 10
_MIDDLE_ROUNDS: Final = 10


def collect_seldom() -> None:
    """Look for cycles once some hundred requests have left any, and never at what a start leaves.

    Call it once a process has what it keeps. Nearly everything here is freed as soon as nobody
    holds it; what is left are cycles behind exceptions and cancelled tasks, which can wait. The
    bound is above what hundreds of requests under way hold: else each wave of them is searched for
    nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, _YOUNG_ROUNDS, _MIDDLE_ROUNDS)
