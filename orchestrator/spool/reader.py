"""Reading everybody's spools: what is new, whose attempts will have no end, what may be deleted.

An attempt whose owner ended between intent and outcome becomes a row of its own: nobody will tell
how it went. What was read is given as a batch with the positions up to which it reaches; whoever
commits rows and positions together, and then says so, has every row exactly once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from .records import Kind, Values, id_in, kind_of, rows_in, values_in
from .segments import Segment, is_locked, segments_in

__all__ = ["SpoolBatch", "SpoolReader"]

_CHUNK_BYTES: Final = 4 * 1024 * 1024

_log = structlog.get_logger("spool")


@dataclass(slots=True)
class SpoolBatch:
    """Rows to commit together with `positions`, the file offsets up to which they reach.

    `taken` tells how many of them each file held, `damaged` how many records say nothing. `ended`
    names files that are used up once this is committed, `forgotten` files that are gone and whose
    positions may go. `more` says that a file holds more than was taken.
    """

    attempts: list[Values] = field(default_factory=list)
    changes: list[Values] = field(default_factory=list)
    requests: list[Values] = field(default_factory=list)
    positions: dict[str, int] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)
    damaged: int = 0
    forgotten: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    more: bool = False

    @property
    def rows(self) -> int:
        """How many."""
        return len(self.attempts) + len(self.changes) + len(self.requests)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to commit."""
        return not (self.rows or self.positions or self.ended or self.forgotten)


@dataclass(slots=True)
class _File:
    """A file as far as it is known.

    `open` holds the lines of intents whose outcome has not been read, by attempt. Of the rows up to
    `counted_to`, those up to `position` are committed and `waiting` are not.
    """

    position: int = 0
    open: dict[bytes, bytes] = field(default_factory=dict)
    counted_to: int = 0
    waiting: int = 0

    def commit(self, position: int, rows: int) -> None:
        """So many more rows, up to there, are committed."""
        if position >= self.counted_to:
            self.counted_to, self.waiting = position, 0
        else:
            self.waiting -= rows
        self.position = position


class _Lines:
    """Whole lines of a batch, by what they hold."""

    def __init__(self) -> None:
        self.attempts: list[bytes] = []
        self.changes: list[bytes] = []
        self.requests: list[bytes] = []

    def __len__(self) -> int:
        return len(self.attempts) + len(self.changes) + len(self.requests)


class SpoolReader:
    """All spools of a folder. One thread uses it.

    Args:
        folder: of all spools.
        positions: file name → offset up to which rows were committed before.

    """

    def __init__(self, folder: Path, positions: Mapping[str, int]) -> None:
        self._folder = folder
        self._committed = dict(positions)
        self._files: dict[Segment, _File] = {}
        self._open_in: dict[bytes, Segment] = {}
        self._deleted: list[str] = []
        self._torn: set[Segment] = set()
        self.damaged = 0

    def read(self, most_rows: int) -> SpoolBatch:
        """What is new in all files, up to about so many rows; commits nothing.

        Until `committed` is called for it, the same rows are read again.
        """
        segments = self._known_segments()
        # Looked at before their rows are: what a file's owner wrote until it let go of it is read.
        locked = {segment for segment in segments if is_locked(self._folder / segment.name)}
        living = self._living(segments, locked)
        batch = SpoolBatch(
            forgotten=tuple({*self._deleted, *self._committed} - {s.name for s in segments})
        )
        lines = _Lines()
        for segment in segments:
            if len(lines) >= most_rows:
                batch.more = True
                break
            self._take(segment, lines, batch, most_rows)
        if not batch.more:
            self._bury(segments, living, locked, lines, batch)
        batch.attempts = values_in(Kind.ATTEMPT, lines.attempts)
        batch.changes = values_in(Kind.CHANGE, lines.changes)
        batch.requests = values_in(Kind.REQUEST, lines.requests)
        batch.damaged += len(lines) - batch.rows
        return batch

    def committed(self, batch: SpoolBatch) -> None:
        """Rows and positions of a batch are durable: go on after them, and delete used-up files."""
        by_name = {segment.name: file for segment, file in self._files.items()}
        for name, position in batch.positions.items():
            by_name[name].commit(position, batch.taken.get(name, 0))
        if batch.damaged:
            self.damaged += batch.damaged
            _log.error("spool_records_damaged", records=batch.damaged)
        for name in batch.forgotten:
            self._committed.pop(name, None)
        self._deleted = [name for name in self._deleted if name not in batch.forgotten]
        for name in batch.ended:
            (self._folder / name).unlink(missing_ok=True)
            self._deleted.append(name)
        for segment in [segment for segment in self._files if segment.name in batch.ended]:
            for attempt_id in self._files.pop(segment).open:
                self._open_in.pop(attempt_id, None)

    def rows_waiting(self) -> int:
        """How many rows stand in the files that were not committed."""
        return sum(self._count(segment) for segment in self._known_segments())

    def _living(self, segments: list[Segment], locked: set[Segment]) -> set[str]:
        """Owners that may still write.

        One that looked ended has begun another file meanwhile, perhaps: it does so before it lets
        the last one go, so that a second look finds it.
        """
        seen = set(segments)
        return {s.owner for s in locked} | {s.owner for s in self._listed() if s not in seen}

    def _listed(self) -> list[Segment]:
        return list(segments_in(self._folder)) if self._folder.is_dir() else []

    def _count(self, segment: Segment) -> int:
        file = self._files[segment]
        chunk = _read(self._folder / segment.name, file.counted_to)
        while end := chunk.rfind(b"\n") + 1:
            file.waiting += rows_in(chunk[:end])
            file.counted_to += end
            chunk = _read(self._folder / segment.name, file.counted_to)
        return file.waiting

    def _known_segments(self) -> list[Segment]:
        segments = self._listed()
        for segment in segments:
            if segment not in self._files:
                self._files[segment] = self._begun(segment)
        return segments

    def _begun(self, segment: Segment) -> _File:
        """A file seen for the first time: what was committed of it is read for its intents only."""
        position = self._committed.pop(segment.name, 0)
        known = _File(position, counted_to=position)
        if position:
            with (self._folder / segment.name).open("rb") as file:
                for line in file.read(position).splitlines():
                    kind = kind_of(line)
                    if kind is Kind.INTENT:
                        self._begin(segment, known, line)
                    elif kind is Kind.ATTEMPT:
                        self._end(segment, known, line)
        return known

    def _begin(self, segment: Segment, file: _File, line: bytes) -> None:
        """Keep an intent until its outcome is read."""
        attempt_id = id_in(line)
        file.open[attempt_id] = line
        self._open_in[attempt_id] = segment

    def _end(self, segment: Segment, file: _File, line: bytes) -> None:
        attempt_id = id_in(line)
        begun_in = self._open_in.pop(attempt_id, None)
        if begun_in == segment:
            file.open.pop(attempt_id, None)
        elif begun_in is not None and begun_in in self._files:
            self._files[begun_in].open.pop(attempt_id, None)

    def _take(self, segment: Segment, lines: _Lines, batch: SpoolBatch, most_rows: int) -> None:
        file = self._files[segment]
        chunk = _read(self._folder / segment.name, file.position)
        end = chunk.rfind(b"\n") + 1
        left = most_rows - len(lines)
        taken = rows = 0
        for line in chunk[:end].splitlines(keepends=True):
            if rows >= left:
                break
            taken += len(line)
            kind = kind_of(line)
            if kind is Kind.INTENT:
                self._begin(segment, file, line)
                continue
            rows += 1
            if kind is Kind.ATTEMPT:
                self._end(segment, file, line)
                lines.attempts.append(line)
            elif kind is Kind.REQUEST:
                lines.requests.append(line)
            elif kind is Kind.CHANGE:
                lines.changes.append(line)
            else:
                batch.damaged += 1
        if taken:
            batch.positions[segment.name] = file.position + taken
            batch.taken[segment.name] = rows
        batch.more = batch.more or taken < end or len(chunk) == _CHUNK_BYTES

    def _bury(
        self,
        segments: list[Segment],
        living: set[str],
        locked: set[Segment],
        lines: _Lines,
        batch: SpoolBatch,
    ) -> None:
        """Give attempts without an end a row, and name the files that are used up."""
        ended: list[str] = []
        for segment in segments:
            file = self._files[segment]
            if segment.owner not in living:
                lines.attempts += file.open.values()
                ended.append(segment.name)
                self._note_torn(segment, batch.positions.get(segment.name, file.position))
            elif not file.open and segment not in locked:
                ended.append(segment.name)
        batch.ended = tuple(ended)

    def _note_torn(self, segment: Segment, end: int) -> None:
        """A dead owner's file may end within a record: what it held is lost, once."""
        if segment not in self._torn and _read(self._folder / segment.name, end):
            self._torn.add(segment)
            self.damaged += 1


def _read(path: Path, position: int) -> bytes:
    """A piece of a file from a position on; empty where the file has gone."""
    try:
        with path.open("rb") as file:
            file.seek(position)
            return file.read(_CHUNK_BYTES)
    except FileNotFoundError:
        return b""
