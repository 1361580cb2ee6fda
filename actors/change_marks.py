"""Which of the vault's things have changed, told to every process of a machine without a message.

A mapped file of counters. The vault's actor raises a thing's counter once a change of it is committed
and before it answers for it; so whoever has heard of a change, from whomever, finds its counter
raised. Reading a counter costs no call.

One machine: all processes of a system map the same file.
"""

import mmap
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final
from zlib import crc32

from orchestrator.domain import ConfigurationError

__all__ = ["ChangeMarks", "Marks"]

Marks = tuple[int, ...]
_TOTAL: Final = 0
_EVERYTHING: Final = 1
_FIRST: Final = 2
_COUNTERS: Final = 8192
_SIZE: Final = _COUNTERS * 8


class ChangeMarks:
    """Counters by name. Names share counters now and then: then one is taken as changed, too.

    Args:
        path: the file; made where it is missing.

    Raises:
        ConfigurationError: the file cannot be made or mapped.

    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._map = _mapped(path)
        except OSError as error:
            raise ConfigurationError(
                f"{path} cannot be mapped ({error.strerror}): make its folder writable, and its "
                "disk less full"
            ) from None
        self._counters = memoryview(self._map).cast("Q")
        self._writing = threading.Lock()

    def changed(self, names: Iterable[str]) -> None:
        """Tell that these have changed; for the one process that commits changes."""
        with self._writing:
            # The total first: who then sees a counter raised while it reads, sees this one, too.
            self._counters[_TOTAL] += 1
            for name in names:
                self._counters[_slot(name)] += 1

    def everything_changed(self) -> None:
        """Tell that anything may have changed."""
        with self._writing:
            self._counters[_TOTAL] += 1
            self._counters[_EVERYTHING] += 1

    @property
    def total(self) -> int:
        """How many changes there were.

        Where it stays the same while something is read, marks taken afterwards belong to that.
        """
        return self._counters[_TOTAL]

    def of(self, names: Iterable[str]) -> Marks:
        """The marks of these: as long as they stay the same, so do the things."""
        counters = self._counters
        return (counters[_EVERYTHING], *[counters[_slot(name)] for name in names])

    def close(self) -> None:
        """Let the file go."""
        self._counters.release()
        self._map.close()


def _slot(name: str) -> int:
    return _FIRST + crc32(name.encode()) % (_COUNTERS - _FIRST)


def _mapped(path: Path) -> mmap.mmap:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if os.fstat(descriptor).st_size < _SIZE:
            os.posix_fallocate(descriptor, 0, _SIZE)
        return mmap.mmap(descriptor, _SIZE)
    finally:
        os.close(descriptor)
