"""The log's tables as data: one definition for DDL, for Arrow batches and for checks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

__all__ = [
    "ARCHIVED_SQL",
    "ATTEMPTS",
    "CIRCUIT_CHANGES",
    "POSITIONS_SQL",
    "REQUESTS",
    "TABLES",
    "Column",
    "Table",
]

_TEXT: Final = pa.string()
_TEXTS: Final = pa.list_(pa.string())
_TIME: Final = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name (a field of the row's dataclass), its DuckDB type, how it is handed in."""

    name: str
    sql_type: str
    arrow_type: pa.DataType


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    `id_column` names a row for good; `time_column` is what a row that is sent again repeats
    exactly, and by which the search for earlier copies is narrowed.
    """

    name: str
    columns: tuple[Column, ...]
    id_column: str
    time_column: str

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names in column order."""
        return tuple(column.name for column in self.columns)

    @property
    def create_sql(self) -> str:
        """The statement that makes the table where it is missing."""
        columns = ", ".join(f'"{column.name}" {column.sql_type}' for column in self.columns)
        return f'create table if not exists "{self.name}" ({columns})'

    def batch(self, rows: Sequence[object]) -> pa.Table:
        """Rows (dataclasses with these fields) as one Arrow table.

        Raises:
            pyarrow.ArrowException: a value does not fit its column.
            TypeError: likewise.

        """
        return pa.table(
            {
                column.name: pa.array(
                    [getattr(row, column.name) for row in rows], type=column.arrow_type
                )
                for column in self.columns
            }
        )


def _text(name: str) -> Column:
    return Column(name, "VARCHAR", _TEXT)


def _integer(name: str) -> Column:
    return Column(name, "INTEGER", pa.int32())


def _number(name: str) -> Column:
    return Column(name, "DOUBLE", pa.float64())


def _flag(name: str) -> Column:
    return Column(name, "BOOLEAN", pa.bool_())


def _time(name: str) -> Column:
    return Column(name, "TIMESTAMP WITH TIME ZONE", _TIME)


def _texts(name: str) -> Column:
    return Column(name, "VARCHAR[]", _TEXTS)


ATTEMPTS: Final = Table(
    "attempts",
    (
        Column("attempt_id", "UUID", _TEXT),
        _text("request_id"),
        _text("job_id"),
        _text("operation"),
        _text("provider"),
        _text("region"),
        _text("institution_id"),
        _text("space_hash"),
        _text("connection_id"),
        _integer("attempt_number"),
        _flag("hedge"),
        _time("started_at"),
        _number("latency_ms"),
        _number("waited_ms"),
        _integer("http_calls"),
        _text("outcome"),
        _text("error_code"),
        _text("error_scope"),
        _integer("http_status"),
        _text("provider_request_id"),
        _text("circuit_state"),
        _text("priority"),
        _flag("failover"),
        _texts("candidates"),
        _texts("eligible"),
        _number("propensity"),
        _number("score"),
        _text("policy"),
        _text("model_version"),
        _integer("items"),
        _text("node_id"),
    ),
    id_column="attempt_id",
    time_column="started_at",
)

CIRCUIT_CHANGES: Final = Table(
    "circuit_changes",
    (
        _time("at"),
        _text("provider"),
        _text("scope"),
        _text("from_state"),
        _text("to_state"),
        _text("reason"),
        _text("change_id"),
    ),
    id_column="change_id",
    time_column="at",
)

REQUESTS: Final = Table(
    "requests",
    (
        _text("request_id"),
        _time("at"),
        _text("operation"),
        _text("region"),
        _text("outcome"),
        _text("provider"),
        _integer("attempts"),
        _flag("failover"),
        _number("total_ms"),
        _text("story"),
    ),
    id_column="request_id",
    time_column="at",
)

ARCHIVED_SQL: Final = 'create table if not exists "archived_files" ("file" VARCHAR)'
"""Parquet files whose rows have left the log; ours alone, no reader's."""

POSITIONS_SQL: Final = (
    'create table if not exists "spool_positions" ("file" VARCHAR, "position" BIGINT)'
)
"""How far each spool file was committed; ours alone, no reader's."""

TABLES: Final = (ATTEMPTS, CIRCUIT_CHANGES, REQUESTS)
