"""Identifiers that are unique and no secret: drawn without a system call each."""

import os
import random
from typing import Final

__all__ = ["random_hex", "random_uuid"]

# Seeded by the system, once a process; whoever seeds `random` itself changes nothing here.
_DRAWS: Final = random.Random()  # noqa: S311  unique, not secret
os.register_at_fork(after_in_child=_DRAWS.seed)

_VERSION_4: Final = 0x4000 << 64 | 0x8000 << 48
_FREE: Final = ~(0xF000 << 64 | 0xC000 << 48)


def random_hex() -> str:
    """32 digits."""
    return f"{_DRAWS.getrandbits(128):032x}"


def random_uuid() -> str:
    """A UUID of version 4, in its usual form."""
    text = f"{_DRAWS.getrandbits(128) & _FREE | _VERSION_4:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
