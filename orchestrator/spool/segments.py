"""Names and locks of a spool's files.

A file is `OWNER.SEQUENCE.spool`; its owner, one process, holds a lock on it while it may still
write there. The system lets go of the lock when the process ends, in whichever way.
"""

import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from uuid import uuid4

__all__ = ["Segment", "created", "is_locked", "new_owner", "segments_in"]

_SUFFIX: Final = ".spool"
_SEQUENCE_DIGITS: Final = 8


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One file of a spool. Later ones of an owner have a higher `sequence`."""

    owner: str
    sequence: int

    @property
    def name(self) -> str:
        """The file's name."""
        return f"{self.owner}.{self.sequence:0{_SEQUENCE_DIGITS}d}{_SUFFIX}"

    @classmethod
    def of(cls, name: str) -> Self | None:
        """What a file's name says; None where it is no spool's, or one that is being made."""
        owner, _, sequence = name.removesuffix(_SUFFIX).rpartition(".")
        is_named = name.endswith(_SUFFIX) and owner and not owner.startswith(".")
        if not (is_named and sequence.isdecimal()):
            return None
        return cls(owner, int(sequence))


def new_owner(what: str) -> str:
    """An owner's name that no other process has, past ones included."""
    return f"{what}-{os.getpid()}-{uuid4().hex[:12]}"


def created(folder: Path, segment: Segment) -> int:
    """A new file, locked before anyone can see it under its name; its descriptor, for appending.

    Raises:
        OSError: it cannot be made.

    """
    draft = folder / f".{segment.name}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        draft.rename(folder / segment.name)
    except BaseException:
        os.close(descriptor)
        draft.unlink(missing_ok=True)
        raise
    return descriptor


def segments_in(folder: Path) -> Iterator[Segment]:
    """The files that are there, by owner and in order."""
    found = (Segment.of(entry.name) for entry in folder.iterdir())
    return iter(sorted(segment for segment in found if segment is not None))


def is_locked(path: Path) -> bool:
    """Whether the file's owner lives and may still write there."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
