"""Rows of the log back into the values they were written from."""

import datetime as dt
from typing import Final

import duckdb

from orchestrator.domain import ConnectionAttempt, ErrorScope, Lane, Operation, RequestRecord

from .schema import ATTEMPTS, REQUESTS, Table

__all__ = ["attempts_of", "request_of"]

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def attempts_of(
    connection: duckdb.DuckDBPyConnection, request_id: str
) -> tuple[ConnectionAttempt, ...]:
    """A request's attempts, in order."""
    rows = connection.execute(
        f"select {_columns(ATTEMPTS)} from attempts where request_id = ? "  # noqa: S608  own names
        "order by attempt_number, started_at, attempt_id",
        [request_id],
    ).fetchall()
    return tuple(_attempt(dict(zip(ATTEMPTS.column_names, row, strict=True))) for row in rows)


def request_of(connection: duckdb.DuckDBPyConnection, request_id: str) -> RequestRecord | None:
    """A request's record; None where it has not ended, or never was."""
    rows = connection.execute(
        f"select {_columns(REQUESTS)} from requests where request_id = ? "  # noqa: S608  own names
        'order by "at" desc limit 1',
        [request_id],
    ).fetchall()
    if not rows:
        return None
    row = dict(zip(REQUESTS.column_names, rows[0], strict=True))
    return RequestRecord(
        **{**row, "at": _time(row["at"]), "operation": Operation(row["operation"])}
    )


def _attempt(row: dict[str, object]) -> ConnectionAttempt:
    scope = row["error_scope"]
    read = {
        **row,
        "attempt_id": str(row["attempt_id"]),
        "operation": Operation(str(row["operation"])),
        "error_scope": None if scope is None else ErrorScope(str(scope)),
        "priority": Lane(str(row["priority"])),
        "started_at": _time(row["started_at"]),
        "candidates": _texts(row["candidates"]),
        "eligible": _texts(row["eligible"]),
    }
    return ConnectionAttempt(**read)  # type: ignore[arg-type]  # DuckDB rows carry no types


def _columns(table: Table) -> str:
    # Times as whole microseconds: exact, and free of the reader's time zone library.
    return ", ".join(
        f'epoch_us("{name}")' if name == table.time_column else f'"{name}"'
        for name in table.column_names
    )


def _time(unix_us: object) -> dt.datetime:
    return _EPOCH + dt.timedelta(microseconds=int(str(unix_us)))


def _texts(values: object) -> tuple[str, ...]:
    return tuple(str(value) for value in values) if isinstance(values, list) else ()
