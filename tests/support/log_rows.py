"""Rows of the log for tests, each field of which can be set, and back from a spool's values."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import fields
from typing import Any
from uuid import UUID

from orchestrator.domain import (
    CircuitChange,
    ConnectionAttempt,
    ErrorScope,
    Lane,
    Operation,
    RequestRecord,
)
from orchestrator.spool import Row, SpoolBatch, Values
from orchestrator.spool.records import Kind, encoded_row, kind_of, values_in

NOW = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)


def attempt(number: int = 1, **fields: Any) -> ConnectionAttempt:
    """A successful attempt; `number` makes its id."""
    values: dict[str, Any] = {
        "attempt_id": str(UUID(int=number, version=4)),
        "request_id": f"req_{number}",
        "job_id": None,
        "operation": Operation.GET_ACCOUNTS,
        "provider": "plaid",
        "region": "US",
        "institution_id": "ins_chase",
        "space_hash": "0123abcd",
        "connection_id": "conn_1",
        "attempt_number": 1,
        "hedge": False,
        "started_at": NOW - dt.timedelta(minutes=1),
        "latency_ms": 100.0,
        "waited_ms": 0.0,
        "http_calls": 1,
        "outcome": "success",
        "error_code": None,
        "error_scope": None,
        "http_status": 200,
        "provider_request_id": None,
        "circuit_state": "CLOSED",
        "priority": Lane.INTERACTIVE,
        "failover": False,
        "candidates": ("plaid", "mx"),
        "eligible": ("plaid",),
        "propensity": 0.9,
        "score": None,
        "policy": "adaptive",
        "model_version": None,
        "items": 2,
        "node_id": None,
    }
    return ConnectionAttempt(**{**values, **fields})


def failed(
    number: int, outcome: str, scope: ErrorScope, code: str = "SOME_CODE", **fields: Any
) -> ConnectionAttempt:
    """A failed attempt."""
    return attempt(number, outcome=outcome, error_scope=scope, error_code=code, **fields)


def change(number: int = 1, **fields: Any) -> CircuitChange:
    """A circuit that opens."""
    values: dict[str, Any] = {
        "change_id": f"chg_{number}",
        "at": NOW - dt.timedelta(minutes=2),
        "provider": "plaid",
        "scope": "provider",
        "from_state": "CLOSED",
        "to_state": "OPEN",
        "reason": "5 consecutive failures",
    }
    return CircuitChange(**{**values, **fields})


def request(number: int = 1, **fields: Any) -> RequestRecord:
    """A request that succeeded."""
    values: dict[str, Any] = {
        "request_id": f"req_{number}",
        "at": NOW - dt.timedelta(minutes=1),
        "operation": Operation.GET_ACCOUNTS,
        "region": "US",
        "outcome": "success",
        "provider": "plaid",
        "attempts": 1,
        "failover": False,
        "total_ms": 120.5,
        "story": '{"policy":"adaptive"}',
    }
    return RequestRecord(**{**values, **fields})


def values_of(row: Row) -> Values:
    """A row's values as a spool gives them."""
    line = encoded_row(row)
    kind = kind_of(line)
    assert kind is not None
    (values,) = values_in(kind, [line])
    return values


def row_of(row_class: type[Row], values: Values) -> Row:
    """The row whose values a spool gave."""
    told: dict[str, Any] = dict(zip((f.name for f in fields(row_class)), values, strict=True))
    for name in ("started_at", "at"):
        if name in told:
            told[name] = dt.datetime.fromisoformat(told[name])
    for name, read in (("operation", Operation), ("error_scope", ErrorScope), ("priority", Lane)):
        if told.get(name) is not None:
            told[name] = read(told[name])
    for name in ("candidates", "eligible"):
        if name in told:
            told[name] = tuple(told[name])
    return row_class(**told)


def attempts_of(values: Iterable[Values]) -> list[ConnectionAttempt]:
    """Attempts whose values a spool gave."""
    rows = (row_of(ConnectionAttempt, row) for row in values)
    return [row for row in rows if isinstance(row, ConnectionAttempt)]


def rows_of(batch: SpoolBatch) -> list[Row]:
    """All rows of a batch."""
    return [
        *attempts_of(batch.attempts),
        *(row_of(CircuitChange, row) for row in batch.changes),
        *(row_of(RequestRecord, row) for row in batch.requests),
    ]


def row_in(line: bytes) -> Row:
    """The row that a spool's line holds."""
    kind = kind_of(line.removesuffix(b"\n"))
    assert kind is not None, line
    (values,) = values_in(kind, [line])
    classes: dict[Kind, type[Row]] = {Kind.CHANGE: CircuitChange, Kind.REQUEST: RequestRecord}
    return row_of(classes.get(kind, ConnectionAttempt), values)
