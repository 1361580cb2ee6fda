"""The form of a spool's records: a line each, with a checksum, so that a torn end shows.

    crc32 of the rest, 8 hex digits │ kind, one letter │ JSON array of the row's values │ newline

Values stand in the order of the fields of the row's class, and the first of them is the row's id.
An attempt is written twice: its intent before the call, the whole row before its answer.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import fields
from enum import Enum
from operator import attrgetter
from typing import Final
from zlib import crc32

import orjson

from orchestrator.domain import CircuitChange, ConnectionAttempt, Json, RequestRecord

__all__ = [
    "Kind",
    "Row",
    "Values",
    "encoded_intent",
    "encoded_row",
    "id_in",
    "kind_of",
    "rows_in",
    "values_in",
]

Row = ConnectionAttempt | CircuitChange | RequestRecord

Values = list[Json]
"""A row as JSON has it: times as RFC 3339 text, enumerations as their values."""

_CHECKSUM_DIGITS: Final = 8
_VALUES_AT: Final = _CHECKSUM_DIGITS + 1
_ID_AT: Final = _VALUES_AT + 2
_INTENT: Final = b"I["


class Kind(Enum):
    """What a record holds; the value is its letter."""

    INTENT = "I"
    ATTEMPT = "A"
    CHANGE = "C"
    REQUEST = "R"


_CLASSES: Final = {
    Kind.INTENT: ConnectionAttempt,
    Kind.ATTEMPT: ConnectionAttempt,
    Kind.CHANGE: CircuitChange,
    Kind.REQUEST: RequestRecord,
}
_WIDTHS: Final = {kind: len(fields(row_class)) for kind, row_class in _CLASSES.items()}
_BY_LETTER: Final = {ord(kind.value): kind for kind in Kind}


def _values_of(row_class: type[Row]) -> Callable[[Row], tuple[object, ...]]:
    return attrgetter(*(field.name for field in fields(row_class)))


_ATTEMPT_VALUES: Final = _values_of(ConnectionAttempt)
_WRITTEN: Final[dict[type[Row], tuple[bytes, Callable[[Row], tuple[object, ...]]]]] = {
    ConnectionAttempt: (b"A", _ATTEMPT_VALUES),
    CircuitChange: (b"C", _values_of(CircuitChange)),
    RequestRecord: (b"R", _values_of(RequestRecord)),
}


def encoded_intent(attempt: ConnectionAttempt) -> bytes:
    """The line that says that an attempt is about to be sent."""
    text = b"I" + orjson.dumps(_ATTEMPT_VALUES(attempt))
    return b"%08x%b\n" % (crc32(text), text)


def encoded_row(row: Row) -> bytes:
    """A row's line."""
    letter, values = _WRITTEN[type(row)]
    text = letter + orjson.dumps(values(row))
    return b"%08x%b\n" % (crc32(text), text)


def kind_of(line: bytes) -> Kind | None:
    """What a line holds, with its newline or without; None where it is damaged."""
    text = line[_CHECKSUM_DIGITS:].rstrip(b"\n")
    if not text or line[:_CHECKSUM_DIGITS] != b"%08x" % crc32(text):
        return None
    return _BY_LETTER.get(text[0])


def id_in(line: bytes) -> bytes:
    """The id of an undamaged line's row, as it is spelled there."""
    return line[_ID_AT : line.find(b'"', _ID_AT)]


def rows_in(chunk: bytes) -> int:
    """How many rows for the log stand in whole lines (an intent is none); damaged ones count."""
    lines = chunk.splitlines()
    return sum(not line.startswith(_INTENT, _CHECKSUM_DIGITS) for line in lines)


def values_in(kind: Kind, lines: Sequence[bytes]) -> list[Values]:
    """The values of undamaged lines of one kind; fewer where another version of this program wrote them."""
    width = _WIDTHS[kind]
    texts = [line[_VALUES_AT:] for line in lines]
    try:
        # All at once: a call for each would cost more than what it reads.
        found = orjson.loads(b"[%b]" % b",".join(texts))
    except orjson.JSONDecodeError:
        found = _readable(texts)
    return [values for values in found if isinstance(values, list) and len(values) == width]


def _readable(texts: Sequence[bytes]) -> list[Json]:
    found: list[Json] = []
    for text in texts:
        with suppress(orjson.JSONDecodeError):
            found.append(orjson.loads(text))
    return found
