"""Room for ever new names: what is kept by key is kept for so many."""

from collections.abc import Hashable
from typing import Final, TypeVar

__all__ = ["MOST_KEYS", "make_room"]

MOST_KEYS: Final = 20_000

Value = TypeVar("Value")


def make_room(kept: dict[Hashable, Value]) -> None:
    """Drop the oldest key where there are too many; call it before a new one."""
    if len(kept) >= MOST_KEYS:
        del kept[next(iter(kept))]
