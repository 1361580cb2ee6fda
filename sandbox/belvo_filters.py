"""Belvo's query filters on transactions: `field`, `field__gte`, `field__range`, `field__in` and so on.

Source: Belvo's OpenAPI 1.35.0, parameters of `GET /api/transactions/`. Unknown filters are ignored.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from operator import eq, ge, gt, le, lt
from typing import Final

from .belvo_shapes import BelvoIds, written_at
from .world import Sighting

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


class BadFilter(ValueError):
    """A filter whose value cannot be read; `field` is its name."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def filtered(
    seen: Sequence[Sighting], query: Mapping[str, str], ids: BelvoIds, linked_at: datetime
) -> list[Sighting]:
    """The sightings that pass every filter of the query.

    Raises:
        BadFilter: a value that is no date, or a range that is no pair.

    """
    tests: list[Callable[[Sighting], bool]] = []
    for name, value in query.items():
        field, _, how = name.partition("__")
        if field in _TIMES:
            tests.append(_time_test(name, field, how, value, linked_at))
        elif field in _TEXTS and how in ("", "in"):
            wanted = frozenset(value.split(",") if how else (value,))
            tests.append(_text_test(field, wanted, ids))
    return [sighting for sighting in seen if all(test(sighting) for test in tests)]


def _text_test(field: str, wanted: frozenset[str], ids: BelvoIds) -> Callable[[Sighting], bool]:
    def test(sighting: Sighting) -> bool:
        match field:
            case "account":
                return ids.account(sighting.movement.account) in wanted
            case "type":
                return ("INFLOW" if sighting.movement.amount > 0 else "OUTFLOW") in wanted
            case _:
                return ("PENDING" if sighting.pending else "PROCESSED") in wanted

    return test


def _time_test(
    name: str, field: str, how: str, value: str, linked_at: datetime
) -> Callable[[Sighting], bool]:
    if how == "range":
        low, comma, high = value.partition(",")
        if not comma:
            raise BadFilter(name)
        first, last = _moment(name, low), _moment(name, high)

        def between(sighting: Sighting) -> bool:
            at = _time_of(sighting, field, linked_at)
            return at is not None and first <= at <= last

        return between
    compare = _COMPARE.get(how)
    if compare is None:
        return lambda _sighting: True
    bound = _moment(name, value)

    def compares(sighting: Sighting) -> bool:
        at = _time_of(sighting, field, linked_at)
        return at is not None and compare(at, bound)

    return compares


def _time_of(sighting: Sighting, field: str, linked_at: datetime) -> datetime | None:
    match field:
        case "value_date":
            return datetime.combine(sighting.movement.authorized_on, time.min, UTC)
        case "accounting_date":
            if sighting.pending:
                return None
            return datetime.combine(sighting.movement.settles_on, time.min, UTC)
        case _:
            return written_at(sighting, linked_at)


def _moment(name: str, text: str) -> datetime:
    try:
        if len(text) == len("2026-01-01"):
            return datetime.combine(date.fromisoformat(text), time.min, UTC)
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BadFilter(name) from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
