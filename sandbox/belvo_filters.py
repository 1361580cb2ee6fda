"""Belvo's query filters on transactions: `field`, `field__gte`, `field__range`, `field__in` and so on.

Source: Belvo's OpenAPI 1.35.0, parameters of `GET /api/transactions/`. Unknown filters are ignored.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from operator import eq, ge, gt, le, lt
from typing import Final

from .belvo_shapes import BelvoIds, booked_at
from .belvo_store import StoredMovement

__all__ = ["BadFilter", "filtered"]

_COMPARE: Final[Mapping[str, Callable[[datetime, datetime], bool]]] = {
    "": eq,
    "gt": gt,
    "gte": ge,
    "lt": lt,
    "lte": le,
}
_TIMES: Final = ("value_date", "accounting_date", "created_at", "collected_at")
_TEXTS: Final = ("account", "type", "status")

_Test = Callable[[StoredMovement], bool]


class BadFilter(ValueError):
    """A filter whose value cannot be read; `field` is its name."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def filtered(
    stored: Sequence[StoredMovement], query: Mapping[str, str], ids: BelvoIds
) -> list[StoredMovement]:
    """The rows that pass every filter of the query.

    Raises:
        BadFilter: a value that is no date, or a range that is no pair.

    """
    tests: list[_Test] = []
    for name, value in query.items():
        field, _, how = name.partition("__")
        if field in _TIMES:
            tests.append(_time_test(name, field, how, value))
        elif field in _TEXTS and how in ("", "in"):
            wanted = frozenset(value.split(",") if how else (value,))
            tests.append(_text_test(field, wanted, ids))
    return [row for row in stored if all(test(row) for test in tests)]


def _text_test(field: str, wanted: frozenset[str], ids: BelvoIds) -> _Test:
    def test(row: StoredMovement) -> bool:
        movement = row.sighting.movement
        match field:
            case "account":
                return ids.account(movement.account) in wanted
            case "type":
                return ("INFLOW" if movement.amount > 0 else "OUTFLOW") in wanted
            case _:
                return ("PENDING" if row.sighting.pending else "PROCESSED") in wanted

    return test


def _time_test(name: str, field: str, how: str, value: str) -> _Test:
    if how == "range":
        low, comma, high = value.partition(",")
        if not comma:
            raise BadFilter(name)
        first, last = _moment(name, low), _moment(name, high)

        def between(row: StoredMovement) -> bool:
            at = _time_of(row, field)
            return at is not None and first <= at <= last

        return between
    compare = _COMPARE.get(how)
    if compare is None:
        return lambda _row: True
    bound = _moment(name, value)

    def compares(row: StoredMovement) -> bool:
        at = _time_of(row, field)
        return at is not None and compare(at, bound)

    return compares


def _time_of(row: StoredMovement, field: str) -> datetime | None:
    match field:
        case "value_date":
            return datetime.combine(row.sighting.movement.authorized_on, time.min, UTC)
        case "accounting_date":
            booked = booked_at(row.sighting)
            return None if booked is None else datetime.combine(booked, time.min, UTC)
        case _:
            return row.written_at


def _moment(name: str, text: str) -> datetime:
    try:
        if len(text) == len("2026-01-01"):
            return datetime.combine(date.fromisoformat(text), time.min, UTC)
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BadFilter(name) from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
