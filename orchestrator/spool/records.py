"""The form of a spool's records: a line each, with a checksum, so that a torn end shows.

    crc32 of the rest, 8 hex digits │ space │ JSON [kind, fields] │ newline

An attempt is written twice: its intent before the call, the whole row before its answer.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from zlib import crc32

import orjson

from orchestrator.domain import (
    CircuitChange,
    ConnectionAttempt,
    ErrorScope,
    Lane,
    Operation,
    RequestRecord,
)

__all__ = ["Kind", "Record", "Row", "decoded", "encoded", "is_row"]

Row = ConnectionAttempt | CircuitChange | RequestRecord

_CHECKSUM_DIGITS: Final = 8
_INTENT: Final = b'["intent",'


class Kind(StrEnum):
    """What a record holds."""

    INTENT = "intent"
    ATTEMPT = "attempt"
    CHANGE = "change"
    REQUEST = "request"


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it was read back."""

    kind: Kind
    row: Row


def encoded(kind: Kind, row: Row) -> bytes:
    """A record's line."""
    text = orjson.dumps([kind.value, row])
    return b"%08x %b\n" % (crc32(text), text)


def is_row(line: bytes) -> bool:
    """Whether a line holds a row for the log (an intent is none); damaged ones count."""
    return not line.startswith(_INTENT, _CHECKSUM_DIGITS + 1)


def decoded(line: bytes) -> Record | None:
    """What a line (without its newline) says; None where it is damaged."""
    text = line[_CHECKSUM_DIGITS + 1 :]
    if line[:_CHECKSUM_DIGITS] != b"%08x" % crc32(text):
        return None
    try:
        name, fields = orjson.loads(text)
        kind = Kind(name)
        return Record(kind, _READERS[kind](fields))
    except (ValueError, TypeError, KeyError):
        # Whole by its checksum, and written by another version of this program.
        return None


def _attempt(fields: Mapping[str, object]) -> ConnectionAttempt:
    scope = fields["error_scope"]
    read = {
        **fields,
        "operation": Operation(str(fields["operation"])),
        "error_scope": None if scope is None else ErrorScope(str(scope)),
        "priority": Lane(str(fields["priority"])),
        "started_at": _time(fields["started_at"]),
        "candidates": _texts(fields["candidates"]),
        "eligible": _texts(fields["eligible"]),
    }
    return ConnectionAttempt(**read)  # type: ignore[arg-type]  # JSON carries no types


def _change(fields: Mapping[str, object]) -> CircuitChange:
    return CircuitChange(**{**fields, "at": _time(fields["at"])})  # type: ignore[arg-type]  # as above


def _request(fields: Mapping[str, object]) -> RequestRecord:
    read = {
        **fields,
        "at": _time(fields["at"]),
        "operation": Operation(str(fields["operation"])),
    }
    return RequestRecord(**read)  # type: ignore[arg-type]  # as above


_READERS: Final[Mapping[Kind, Callable[[Mapping[str, object]], Row]]] = {
    Kind.INTENT: _attempt,
    Kind.ATTEMPT: _attempt,
    Kind.CHANGE: _change,
    Kind.REQUEST: _request,
}


def _time(text: object) -> dt.datetime:
    return dt.datetime.fromisoformat(str(text))


def _texts(values: object) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise TypeError("not a list")
    return tuple(str(value) for value in values)
