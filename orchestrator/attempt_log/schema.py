"""The log's tables as data: one definition for DDL, for Arrow batches and for checks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Final

import pyarrow as pa

from orchestrator.domain import CircuitChange, ConnectionAttempt, RequestRecord

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
_UUID: Final = pa.uuid()
_UUID_BYTES: Final = pa.binary(16)


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name (a field of the row's class), its DuckDB type, how it is handed in."""

    name: str
    sql_type: str
    arrow_type: pa.DataType

    def array(self, values: Sequence[object]) -> pa.Array:
        """Its values of several rows; times as datetimes or RFC 3339 text, an id as text.

        Raises:
            pyarrow.ArrowException: one does not fit.
            TypeError: likewise.
            ValueError: likewise.

        """
        if self.arrow_type is _UUID:
            ids = [bytes.fromhex(str(value).replace("-", "")) for value in values]
            return pa.ExtensionArray.from_storage(_UUID, pa.array(ids, _UUID_BYTES))
        if self.arrow_type is _TIME and values and isinstance(values[0], str):
            return pa.array(values, _TEXT).cast(_TIME)
        return pa.array(values, self.arrow_type)


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    `row_class` is the dataclass of its rows, whose fields are its columns. `id_column` names a row
    for good; `time_column` is what a row that is sent again repeats exactly, and by which the
    search for earlier copies is narrowed.
    """

    name: str
    row_class: type
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

    def values_of(self, rows: Iterable[object]) -> list[tuple[object, ...]]:
        """The values of rows of its class."""
        return list(map(attrgetter(*self._fields), rows))

    def fits(self, row: Sequence[object]) -> bool:
        """Whether the table takes a row."""
        try:
            self.batch([row])
        except (pa.ArrowException, TypeError, ValueError):
            return False
        return True

    def place_of(self, name: str) -> int:
        """Where a row's values have this column's."""
        return self._fields.index(name)

    @property
    def _fields(self) -> tuple[str, ...]:
        return tuple(field.name for field in fields(self.row_class))

    def batch(self, rows: Iterable[Sequence[object]]) -> pa.Table:
        """Rows, as values in the order of their class's fields, as one Arrow table.

        Raises:
            pyarrow.ArrowException: a value does not fit its column.
            TypeError: likewise.
            ValueError: likewise; or rows of different lengths.

        """
        values = list(zip(*rows, strict=True)) or [()] * len(self.columns)
        by_name = dict(zip(self._fields, values, strict=True))
        return pa.table({c.name: c.array(by_name[c.name]) for c in self.columns})


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
    ConnectionAttempt,
    (
        Column("attempt_id", "UUID", _UUID),
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
    CircuitChange,
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
    RequestRecord,
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
"""How far each spool file was committed: the highest of its rows. Ours alone, no reader's."""

TABLES: Final = (ATTEMPTS, CIRCUIT_CHANGES, REQUESTS)
