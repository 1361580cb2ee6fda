"""The one writer of the attempt log."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from orchestrator.domain import CircuitChange, ConnectionAttempt, Json, RequestRecord, StoreError

from .archived import archived_files
from .batch import Batch
from .database import open_database
from .hearsay import Hearsay
from .queries import DEFAULT_ANSWER_LIMIT_MB, DEFAULT_MEMORY_LIMIT_MB, LogReader
from .schema import ATTEMPTS, CIRCUIT_CHANGES, REQUESTS, Table

__all__ = ["AppendReport", "AttemptLogStore", "UnfitRow"]

_SLACK: Final = dt.timedelta(minutes=1)
_COMMITS_OF_POSITIONS: Final = 256


class UnfitRow(StoreError):
    """A row that no table takes, as it was written by a mistaken or another program."""


@dataclass(frozen=True, slots=True)
class AppendReport:
    """How many rows a batch added, how many were there already, how many no table takes."""

    attempts: int
    changes: int
    requests: int
    duplicates: int
    unfit: int = 0


class AttemptLogStore(LogReader):
    """The attempt log's file, open for writing.

    `append`, `append_spooled`, `checkpoint` and `close` belong to one thread; the reading methods
    may be called from others meanwhile.

    Rows are told from their copies by id, among rows of about the same time: a row that is sent
    again carries its time again. No index holds the ids, because DuckDB keeps a whole index in
    memory (about 100 bytes a row): under a 100 MB bound inserts fail after 1.6 million rows with a
    primary key, and go on without.

    Args:
        path: the file; made where it is missing.
        memory_limit_mb: DuckDB's own bound.
        threads: how many DuckDB may use for one statement. With one, each statement runs in the
            thread that asks, so that no reader's work stands before the writer's.
        archive: the folder of the months that have left the file; readers see them too.
        answer_limit_mb: a reader's answer that is larger is refused.

    Raises:
        StoreError: in use by another process, damaged, or of another version; says what to do.

    """

    def __init__(
        self,
        path: Path,
        *,
        memory_limit_mb: int = DEFAULT_MEMORY_LIMIT_MB,
        threads: int = 1,
        archive: Path | None = None,
        answer_limit_mb: int = DEFAULT_ANSWER_LIMIT_MB,
    ) -> None:
        connection = open_database(
            path, memory_limit_mb=memory_limit_mb, threads=threads, read_only=False
        )
        super().__init__(connection, archive, answer_limit_mb=answer_limit_mb)
        with self._cursor(f"the attempt log {path} cannot be read") as cursor:
            self._hearsay = Hearsay(cursor)
        self._positions = self.spool_positions()
        self._commits_of_positions = 0

    def append(
        self,
        attempts: Sequence[ConnectionAttempt] = (),
        changes: Sequence[CircuitChange] = (),
        requests: Sequence[RequestRecord] = (),
    ) -> AppendReport:
        """Commit rows, all or none; durable on return. Rows that are there already stay as they are.

        But for one: an attempt's row that its provider's actor wrote takes the place of the one
        that a router wrote without having heard of it (`node_id` is null there).

        Args:
            attempts: rows of `attempts`.
            changes: rows of `circuit_changes`.
            requests: rows of `requests`.

        Raises:
            UnfitRow: a row fits no table; nothing was written.
            StoreError: nothing was written.

        """
        try:
            batch = Batch.of(
                (
                    (ATTEMPTS, ATTEMPTS.values_of(attempts)),
                    (CIRCUIT_CHANGES, CIRCUIT_CHANGES.values_of(changes)),
                    (REQUESTS, REQUESTS.values_of(requests)),
                )
            )
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise UnfitRow("a row does not fit the attempt log; nothing was written") from error
        return self._commit(batch, {}, ())

    def append_spooled(
        self,
        attempts: Sequence[Sequence[Json]],
        changes: Sequence[Sequence[Json]],
        requests: Sequence[Sequence[Json]],
        *,
        positions: Mapping[str, int],
        forgotten: Collection[str],
    ) -> AppendReport:
        """Commit what spools hold, and how far they were read, all or none; durable on return.

        As positions and rows are committed together, a row comes once, and nobody looks for it in
        the log. But for attempts whose calls nobody lived to count (`http_calls` is null): of those
        several may tell. Rows that fit no table are left out and counted, so that they stop no
        other.

        Args:
            attempts: values of rows, in the order of their class's fields, as JSON has them.
            changes: likewise.
            requests: likewise.
            positions: spool file → offset up to which these rows reach.
            forgotten: spool files that are gone.

        Raises:
            StoreError: nothing was written.

        """
        batch = Batch.spooled(
            ((ATTEMPTS, attempts), (CIRCUIT_CHANGES, changes), (REQUESTS, requests))
        )
        return self._commit(batch, positions, forgotten)

    def spool_positions(self) -> dict[str, int]:
        """How far each spool file was committed.

        Raises:
            StoreError: the file cannot be read.

        """
        with self._cursor("the spool's positions cannot be read") as cursor:
            rows = cursor.execute(
                'select "file", max("position") from spool_positions group by "file"'
            ).fetchall()
        return {str(name): int(position) for name, position in rows}

    def months(self, table: str, column: str, *, before: dt.date) -> tuple[dt.date, ...]:
        """First days of the months of which a table holds rows dated before a day, oldest first.

        Raises:
            StoreError: the file cannot be read.

        """
        with self._cursor("the log's months cannot be read") as cursor:
            rows = cursor.execute(
                f"select distinct date_trunc('month', \"{column}\")::DATE as month "  # noqa: S608
                f'from "{table}" where "{column}" < ? order by month',
                [_midnight(before)],
            ).fetchall()
        return tuple(row[0] for row in rows)

    def archived_files(self) -> frozenset[str]:
        """Names of the files whose rows have left the log.

        Raises:
            StoreError: the file cannot be read.

        """
        with self._cursor("the archive's files cannot be read") as cursor:
            return archived_files(cursor)

    def forget_month(
        self, table: str, column: str, first: dt.date, following: dt.date, file: str
    ) -> None:
        """Delete a table's rows from one day up to another, and note the file that holds them.

        Raises:
            StoreError: nothing was deleted.

        """
        with self._cursor("a month could not be taken out of the log") as cursor:
            cursor.execute("begin transaction").fetchall()
            cursor.execute(
                f'delete from "{table}" where "{column}" >= ? and "{column}" < ?',  # noqa: S608
                [_midnight(first), _midnight(following)],
            ).fetchall()
            cursor.execute("insert into archived_files values (?)", [file]).fetchall()
            cursor.execute("commit").fetchall()

    def checkpoint(self) -> None:
        """Fold the write-ahead log into the file.

        Raises:
            StoreError: it could not be done now; nothing is lost.

        """
        with self._cursor("the attempt log could not be checkpointed") as cursor:
            cursor.execute("checkpoint").fetchall()

    def _commit(
        self, batch: Batch, positions: Mapping[str, int], forgotten: Collection[str]
    ) -> AppendReport:
        if not (batch.given or positions or forgotten):
            return AppendReport(0, 0, 0, 0)
        known = {**self._positions, **positions}
        for name in forgotten:
            known.pop(name, None)
        added = {table.name: 0 for table in (ATTEMPTS, CIRCUIT_CHANGES, REQUESTS)}
        with self._cursor("the attempt log could not be written") as cursor:
            # An error leaves through closing the cursor, which rolls back.
            cursor.execute("begin transaction").fetchall()
            self._hearsay.make_way(cursor, batch.attempts)
            for table, rows in batch.new:
                _insert(cursor, table.name, rows)
                added[table.name] += rows.num_rows
            for table, rows in batch.told:
                added[table.name] += _insert_unknown(cursor, table, rows)
            if forgotten or self._commits_of_positions >= _COMMITS_OF_POSITIONS:
                cursor.execute("delete from spool_positions").fetchall()
                _insert_positions(cursor, known)
                self._commits_of_positions = 0
            elif positions:
                _insert_positions(cursor, positions)
            cursor.execute("commit").fetchall()
        self._positions = known
        self._commits_of_positions += 1
        self._hearsay.note(batch.attempts)
        return AppendReport(
            attempts=added[ATTEMPTS.name],
            changes=added[CIRCUIT_CHANGES.name],
            requests=added[REQUESTS.name],
            duplicates=batch.given - batch.unfit - sum(added.values()),
            unfit=batch.unfit,
        )


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), dt.UTC)


def _insert(cursor: duckdb.DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    # By place, not by name: half the work of a statement over a registered view.
    cursor.from_arrow(rows).insert_into(table)


def _insert_positions(cursor: duckdb.DuckDBPyConnection, positions: Mapping[str, int]) -> None:
    """Put rows beside the older ones of the same files, which say less."""
    if positions:
        rows = ", ".join(["(?, ?)"] * len(positions))
        values = [value for position in positions.items() for value in position]
        cursor.execute(f"insert into spool_positions values {rows}", values).fetchall()  # noqa: S608


def _insert_unknown(cursor: duckdb.DuckDBPyConnection, table: Table, rows: pa.Table) -> int:
    """Insert the rows that the table has not; how many those are."""
    times = rows.column(table.time_column).to_pylist()
    cursor.register("batch", rows)
    try:
        ((added,),) = cursor.execute(
            f'insert into "{table.name}" by name select * from batch '  # noqa: S608  own names
            f'where "{table.id_column}" not in ('
            f'select "{table.id_column}" from "{table.name}" '
            f'where "{table.time_column}" between ? and ?)',
            [min(times) - _SLACK, max(times) + _SLACK],
        ).fetchall()
    finally:
        cursor.unregister("batch")
    return int(added)
