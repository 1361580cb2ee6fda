"""Appending to a process's own spool: on return a row is out of this process's hands."""

import os
from collections import deque
from pathlib import Path
from typing import Final

import structlog

from orchestrator.domain import ConnectionAttempt

from .records import Row, encoded_intent, encoded_row
from .segments import Segment, created, new_owner

__all__ = ["SpoolWriter"]

_SEGMENT_BYTES: Final = 4 * 1024 * 1024
_MOST_WAITING: Final = 100_000

_log = structlog.get_logger("spool")


class SpoolWriter:
    """Writes rows in order. One thread uses it; no call waits for more than a write.

    Where the disk takes nothing, rows wait in memory and go first with the next one that it takes;
    past 100,000 of them the oldest are dropped and counted in `lost`.

    Args:
        folder: of all spools; made where it is missing.
        what: whose, for people who look at the folder.
        segment_bytes: size past which another file is begun.
        most_waiting: rows kept in memory.

    """

    def __init__(
        self,
        folder: Path,
        what: str,
        *,
        segment_bytes: int = _SEGMENT_BYTES,
        most_waiting: int = _MOST_WAITING,
    ) -> None:
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._most_waiting = most_waiting
        self._waiting: deque[bytes] = deque()
        self._segment = Segment(new_owner(what), 0)
        self._descriptor: int | None = None
        self._size = 0
        self.lost = 0

    @property
    def waiting(self) -> int:
        """Rows in memory that the disk has not taken yet."""
        return len(self._waiting)

    @property
    def owner(self) -> str:
        """Under which name the files stand."""
        return self._segment.owner

    def intend(self, attempt: ConnectionAttempt) -> None:
        """Write down that an attempt is about to be sent; its outcome fields say what if it is lost."""
        self._append(encoded_intent(attempt))

    def put(self, row: Row) -> None:
        """Write down a row."""
        self._append(encoded_row(row))

    def retry(self) -> bool:
        """Try again to write what waits; whether nothing waits any more."""
        return not self._waiting or self._drained()

    def close(self) -> None:
        """Let the file go, so that a reader takes this owner for ended. A later row begins again."""
        self.retry()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _append(self, line: bytes) -> None:
        if self._waiting:
            self._keep(line)
            self._drained()
        elif not self._written(line):
            self._keep(line)

    def _drained(self) -> bool:
        while self._waiting:
            if not self._written(self._waiting[0]):
                return False
            self._waiting.popleft()
        return True

    def _keep(self, line: bytes) -> None:
        if not self._waiting:
            _log.error("spool_takes_nothing", owner=self._segment.owner)
        self._waiting.append(line)
        if len(self._waiting) > self._most_waiting:
            self._waiting.popleft()
            self.lost += 1

    def _written(self, line: bytes) -> bool:
        """Write a line whole or not at all."""
        try:
            descriptor = self._open()
            done = os.write(descriptor, line)
            if done == len(line):
                self._size += done
                return True
            # A full disk took a part: what a reader might see of it goes.
            os.ftruncate(descriptor, self._size)
        except OSError:
            return False
        return False

    def _open(self) -> int:
        if self._descriptor is not None and self._size < self._segment_bytes:
            return self._descriptor
        self._folder.mkdir(parents=True, exist_ok=True)
        following = Segment(self._segment.owner, self._segment.sequence + 1)
        descriptor = created(self._folder, following)
        # The last file is let go only now: somebody who looks always finds this owner alive.
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._segment, self._descriptor, self._size = following, descriptor, 0
        return descriptor
