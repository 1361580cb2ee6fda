"""The one writer of the attempt log."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar
from uuid import UUID

import duckdb
import pyarrow as pa

from orchestrator.domain import CircuitChange, ConnectionAttempt, RequestRecord, StoreError

from .database import open_database, store_errors
from .queries import DEFAULT_MEMORY_LIMIT_MB, LogReader
from .schema import ATTEMPTS, CIRCUIT_CHANGES, REQUESTS, Table

__all__ = ["AppendReport", "AttemptLogStore", "UnfitRow"]

_SLACK: Final = dt.timedelta(minutes=1)
_HEARSAY_SQL: Final = (
    "select attempt_id from attempts where node_id is null "
    "and started_at > (select max(started_at) from attempts) - interval 1 hour"
)
_Row = TypeVar("_Row")


class UnfitRow(StoreError):
    """A row that no table takes, as it was written by a mistaken or another program."""


@dataclass(frozen=True, slots=True)
class AppendReport:
    """How many rows a batch added, and how many were there already."""

    attempts: int
    changes: int
    requests: int
    duplicates: int


class AttemptLogStore(LogReader):
    """The attempt log's file, open for writing.

    `append`, `checkpoint` and `close` belong to one thread; the reading methods may be called from
    others meanwhile.

    Rows are told from their copies by id, among rows of about the same time: a row that is sent
    again carries its time again. No index holds the ids, because DuckDB keeps a whole index in
    memory (about 100 bytes a row): under a 100 MB bound inserts fail after 1.6 million rows with a
    primary key, and go on without.

    Args:
        path: the file; made where it is missing.
        memory_limit_mb: DuckDB's own bound.
        threads: how many DuckDB may use.

    Raises:
        StoreError: in use by another process, damaged, or of another version; says what to do.

    """

    def __init__(
        self, path: Path, *, memory_limit_mb: int = DEFAULT_MEMORY_LIMIT_MB, threads: int = 2
    ) -> None:
        connection = open_database(
            path, memory_limit_mb=memory_limit_mb, threads=threads, read_only=False
        )
        super().__init__(connection, memory_limit_mb)
        with self._cursor(f"the attempt log {path} cannot be read") as cursor:
            # The few rows that a better one may still replace, so that no batch searches for them.
            self._hearsay = {str(row[0]) for row in cursor.execute(_HEARSAY_SQL).fetchall()}

    def append(
        self,
        attempts: Sequence[ConnectionAttempt] = (),
        changes: Sequence[CircuitChange] = (),
        requests: Sequence[RequestRecord] = (),
        *,
        positions: Mapping[str, int] | None = None,
        forgotten: Collection[str] = (),
    ) -> AppendReport:
        """Commit rows, all or none; durable on return. Rows that are there already stay as they are.

        But for one: an attempt's row that its provider's actor wrote takes the place of the one
        that a router wrote without having heard of it (`node_id` is null there).

        Args:
            attempts: rows of `attempts`.
            changes: rows of `circuit_changes`.
            requests: rows of `requests`.
            positions: spool file → offset up to which these rows reach, committed with them.
            forgotten: spool files that are gone.

        Raises:
            UnfitRow: a row fits no table; nothing was written.
            StoreError: nothing was written.

        """
        given = len(attempts) + len(changes) + len(requests)
        try:
            batches = (
                (ATTEMPTS, _by_id((_attempt_id(a.attempt_id), a) for a in attempts)),
                (CIRCUIT_CHANGES, _by_id((c.change_id, c) for c in changes)),
                (REQUESTS, _by_id((r.request_id, r) for r in requests)),
            )
            arrow = [(table, table.batch(rows)) for table, rows in batches]
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise UnfitRow("a row does not fit the attempt log; nothing was written") from error
        if not (given or positions or forgotten):
            return AppendReport(0, 0, 0, 0)
        with (
            store_errors("the attempt log could not be written"),
            closing(self._connection.cursor()) as cursor,
        ):
            cursor.execute("begin transaction").fetchall()
            # An error leaves through closing the cursor, which rolls back.
            better = [a for a in attempts if a.node_id and a.attempt_id in self._hearsay]
            _forget_hearsay(cursor, better)
            added = [_insert(cursor, table, rows) for table, rows in arrow]
            _keep_positions(cursor, positions or {}, forgotten)
            cursor.execute("commit").fetchall()
        self._hearsay -= {a.attempt_id for a in better}
        self._hearsay |= {a.attempt_id for a in attempts if a.node_id is None}
        return AppendReport(added[0], added[1], added[2], duplicates=given - sum(added))

    @staticmethod
    def fits(row: ConnectionAttempt | CircuitChange | RequestRecord) -> bool:
        """Whether a table takes this row."""
        try:
            if isinstance(row, ConnectionAttempt):
                _attempt_id(row.attempt_id)
                ATTEMPTS.batch([row])
            elif isinstance(row, CircuitChange):
                CIRCUIT_CHANGES.batch([row])
            else:
                REQUESTS.batch([row])
        except (pa.ArrowException, TypeError, ValueError):
            return False
        return True

    def spool_positions(self) -> dict[str, int]:
        """How far each spool file was committed.

        Raises:
            StoreError: the file cannot be read.

        """
        with self._cursor("the spool's positions cannot be read") as cursor:
            rows = cursor.execute('select "file", "position" from spool_positions').fetchall()
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
            return frozenset(
                str(row[0])
                for row in cursor.execute('select "file" from archived_files').fetchall()
            )

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


def _by_id(rows: Iterable[tuple[str, _Row]]) -> list[_Row]:
    """Rows without later copies of an id."""
    kept: dict[str, _Row] = {}
    for row_id, row in rows:
        kept.setdefault(row_id, row)
    return list(kept.values())


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), dt.UTC)


def _attempt_id(text: str) -> str:
    return UUID(text).hex


def _forget_hearsay(
    cursor: duckdb.DuckDBPyConnection, attempts: Sequence[ConnectionAttempt]
) -> None:
    if not attempts:
        return
    times = [attempt.started_at for attempt in attempts]
    cursor.execute(
        "delete from attempts where node_id is null and started_at between ? and ? "
        "and list_contains(?::UUID[], attempt_id)",
        [min(times) - _SLACK, max(times) + _SLACK, [a.attempt_id for a in attempts]],
    ).fetchall()


def _keep_positions(
    cursor: duckdb.DuckDBPyConnection, positions: Mapping[str, int], forgotten: Collection[str]
) -> None:
    gone = [*positions, *forgotten]
    if gone:
        cursor.execute(
            'delete from spool_positions where list_contains(?::VARCHAR[], "file")', [gone]
        ).fetchall()
    for name, position in positions.items():
        cursor.execute("insert into spool_positions values (?, ?)", [name, position]).fetchall()


def _insert(cursor: duckdb.DuckDBPyConnection, table: Table, rows: pa.Table) -> int:
    if rows.num_rows == 0:
        return 0
    times = rows.column(table.time_column).to_pylist()
    names = ", ".join(f'"{name}"' for name in table.column_names)
    id_type = next(c.sql_type for c in table.columns if c.name == table.id_column)
    cursor.register("batch", rows)
    try:
        ((added,),) = cursor.execute(
            f'insert into "{table.name}" by name '  # noqa: S608  the names are the schema's own
            f"select {names} from batch "
            f'where "{table.id_column}"::{id_type} not in ('
            f'select "{table.id_column}" from "{table.name}" '
            f'where "{table.time_column}" between ? and ?)',
            [min(times) - _SLACK, max(times) + _SLACK],
        ).fetchall()
    finally:
        cursor.unregister("batch")
    return int(added)
