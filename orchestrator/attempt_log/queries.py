"""Reading the log: statistics, one request's story, and readers' own SELECTs within bounds."""

import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from uuid import uuid4

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from orchestrator.domain import ConnectionAttempt, QueryRefused, RequestRecord, StoreError

from .archived import archived_files, show_archived
from .database import open_database, store_errors
from .query_guard import check_query
from .row_reading import attempts_of, request_of
from .statistics import LogStats, read_stats

__all__ = [
    "DEFAULT_ANSWER_LIMIT_MB",
    "DEFAULT_MEMORY_LIMIT_MB",
    "LogReader",
    "RequestStory",
    "read_only",
]

DEFAULT_MEMORY_LIMIT_MB: Final = 128
DEFAULT_ANSWER_LIMIT_MB: Final = 1024
_BATCH_ROWS: Final = 10_000
_ALL_ATTEMPTS: Final = "select * from attempts order by started_at"


@dataclass(frozen=True, slots=True)
class RequestStory:
    """All that the log knows of one request; `request` is None until it has ended."""

    request: RequestRecord | None
    attempts: tuple[ConnectionAttempt, ...]


class LogReader:
    """Reads an open log. Its methods may be called from several threads at once.

    Args:
        connection: to the locked-down database; closed with this.
        archive: the folder of the months that have left the file; None leaves them out.
        answer_limit_mb: an answer that is larger is refused.

    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        archive: Path | None = None,
        *,
        answer_limit_mb: int = DEFAULT_ANSWER_LIMIT_MB,
    ) -> None:
        self._connection = connection
        self._archive = archive
        # DuckDB refuses a connection that another thread is calling at this instant.
        self._calling = threading.Lock()
        self._answer_bytes = answer_limit_mb * 1_000_000

    def stats(self, now_unix_s: float) -> LogStats:
        """What the 24 hours before `now_unix_s` look like.

        Raises:
            StoreError: the file cannot be read.

        """
        with self._cursor("the statistics cannot be read") as cursor:
            return read_stats(cursor, now_unix_s)

    def request_story(self, request_id: str) -> RequestStory | None:
        """One request's record and its attempts in order; None where the log has neither.

        Raises:
            StoreError: the file cannot be read.

        """
        with self._cursor("the request cannot be read") as cursor:
            request = request_of(cursor, request_id)
            attempts = attempts_of(cursor, request_id)
        return RequestStory(request, attempts) if request or attempts else None

    def attempts_frame(self, sql: str, *, timeout_s: float, max_rows: int) -> pd.DataFrame:
        """The answer to one SELECT over the log's tables, times in UTC.

        Args:
            sql: `attempts`, `circuit_changes` and `requests` are there, archived months included,
                and nothing else is.
            timeout_s: it is interrupted after this long.
            max_rows: an answer with more rows is refused, never cut.

        Raises:
            QueryRefused: not one such SELECT, wrong in itself, or out of bounds.
            StoreError: the file cannot be read.

        """
        with self._answer(sql, timeout_s) as reader:
            batches: list[pa.RecordBatch] = []
            rows = size = 0
            for batch in reader:
                batches.append(batch)
                rows += batch.num_rows
                size += batch.nbytes
                if rows > max_rows:
                    raise QueryRefused(
                        f"the answer has more than {max_rows} rows: add a LIMIT or aggregate"
                    )
                if size > self._answer_bytes:
                    raise QueryRefused(
                        f"the answer is larger than {self._answer_bytes // 1_000_000} MB: "
                        "select fewer columns or rows"
                    )
            frame: pd.DataFrame = _plain(pa.Table.from_batches(batches, reader.schema)).to_pandas()
            return frame

    def export_parquet(
        self,
        path: Path,
        *,
        sql: str = _ALL_ATTEMPTS,
        timeout_s: float = 600.0,
        with_archive: bool = True,
    ) -> int:
        """Write an answer to a Parquet file, in pieces; how many rows it has.

        The file appears whole or not at all, and replaces one of the same name. Without
        `with_archive` it holds what is in the log's own file.

        Raises:
            QueryRefused: as for `attempts_frame`.
            StoreError: the file cannot be written.

        """
        draft = path.with_name(f".{path.name}.{uuid4().hex}")
        rows = 0
        try:
            with self._answer(sql, timeout_s, with_archive=with_archive) as reader:
                with pq.ParquetWriter(draft, reader.schema) as writer:
                    for batch in reader:
                        writer.write_batch(batch)
                        rows += batch.num_rows
                os.replace(draft, path)  # noqa: PTH105  says that it replaces
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error
        finally:
            draft.unlink(missing_ok=True)
        return rows

    def close(self) -> None:
        """Let the file go."""
        with self._calling:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def _cursor(self, what: str) -> Iterator[duckdb.DuckDBPyConnection]:
        # A connection of its own to the same instance: threads do not wait for one another.
        with store_errors(what):
            with self._calling:
                cursor = self._connection.cursor()
            with closing(cursor):
                yield cursor

    @contextmanager
    def _answer(
        self, sql: str, timeout_s: float, *, with_archive: bool = True
    ) -> Iterator[pa.RecordBatchReader]:
        with self._cursor("the attempt log cannot be read") as cursor:
            text = check_query(cursor, sql)
            timer = threading.Timer(timeout_s, cursor.interrupt)
            timer.daemon = True
            timer.start()
            try:
                self._begin_reading(cursor, self._archive if with_archive else None)
                yield cursor.sql(text).to_arrow_reader(_BATCH_ROWS)
            except duckdb.InterruptException:
                raise QueryRefused(
                    f"the query took longer than {timeout_s:g} s: narrow it by started_at"
                ) from None
            except duckdb.OutOfMemoryException:
                raise QueryRefused(
                    "the query needs more memory than readers may use: narrow it by started_at"
                ) from None
            except (duckdb.ProgrammingError, duckdb.DataError, duckdb.NotSupportedError) as error:
                raise QueryRefused(f"the query is wrong: {error}") from None
            finally:
                timer.cancel()
                timer.join()

    @staticmethod
    def _begin_reading(cursor: duckdb.DuckDBPyConnection, archive: Path | None) -> None:
        names = frozenset[str]() if archive is None else archived_files(cursor)
        if archive is not None and names:
            try:
                show_archived(cursor, archive, names)
            except (OSError, pa.ArrowException) as error:
                raise StoreError(f"the archive {archive} cannot be read: {error}") from error
        # The second wall: whatever the check may miss cannot write.
        cursor.execute("begin transaction read only").fetchall()
        if archive is not None and archived_files(cursor) != names:
            raise StoreError("a month was archived at this instant: ask again")


def _plain(answer: pa.Table) -> pa.Table:
    # Sums of integers arrive as decimals without a fraction, which pandas keeps as objects.
    for place, field in enumerate(answer.schema):
        if pa.types.is_decimal(field.type):
            answer = answer.set_column(
                place, field.name, answer.column(place).cast(pa.float64(), safe=False)
            )
    return answer


def read_only(
    path: Path,
    *,
    memory_limit_mb: int = DEFAULT_MEMORY_LIMIT_MB,
    threads: int = 2,
    archive: Path | None = None,
) -> LogReader:
    """A reader of a stopped server's file, and of its archive, with the same refusals.

    Raises:
        StoreError: there is no such file, a server has it open, or it is damaged.

    """
    connection = open_database(
        path, memory_limit_mb=memory_limit_mb, threads=threads, read_only=True
    )
    return LogReader(connection, archive)
