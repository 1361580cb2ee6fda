"""Movements in their one order, cut into answers that go on after a position."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Self

from orchestrator.domain import (
    ErrorClass,
    ErrorScope,
    Failure,
    ProviderFailure,
    ProviderTransaction,
)

from .wire_failures import malformed

__all__ = ["CursorFields", "Position", "cut", "invalid_cursor", "packed", "shifted", "unpacked"]

_LONGEST_CURSOR: Final = 1500
_EARLIEST_YEAR: Final = 1970


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Where a row stands in the order (date, vendor's id)."""

    day: date
    transaction_id: str

    @classmethod
    def of(cls, row: ProviderTransaction) -> Self:
        """The row's place."""
        return cls(row.date, row.provider_transaction_id)


def cut(
    rows: Iterable[ProviderTransaction], *, after: Position | None, limit: int
) -> tuple[tuple[ProviderTransaction, ...], Position | None]:
    """At most `limit` rows after a position, in order; and where to go on, None at the end."""
    ordered = sorted(
        (row for row in rows if after is None or Position.of(row) > after), key=Position.of
    )
    page = tuple(ordered[:limit])
    return page, Position.of(page[-1]) if len(ordered) > limit else None


def shifted(day: date, days: int) -> date:
    """The day so many days later (earlier, if negative), held within the calendar."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return date.max if days > 0 else date.min


def invalid_cursor() -> ProviderFailure:
    """The failure of a cursor that this adapter never gave out."""
    return ProviderFailure(
        Failure(
            error_class=ErrorClass.VALIDATION,
            scope=ErrorScope.REQUEST,
            code="INVALID_CURSOR",
            message="the cursor is not one that this provider's adapter gave out",
            sent=False,
        )
    )


def packed(*fields: str | date | datetime | None) -> str:
    """A cursor's text out of its fields: a compact JSON list, times and dates in ISO 8601.

    Raises:
        ProviderFailure: `MALFORMED`, where a vendor's id or cursor is too long to be kept.

    """
    cursor = json.dumps(
        [field.isoformat() if isinstance(field, date) else field for field in fields],
        separators=(",", ":"),
    )
    if len(cursor) > _LONGEST_CURSOR:
        raise malformed("an identifier is too long")
    return cursor


class CursorFields:
    """A cursor's fields, read in order.

    Every reader raises `ProviderFailure` (`INVALID_CURSOR`) where the field is not of its kind.
    """

    def __init__(self, fields: list[object]) -> None:
        self._fields = iter(fields)

    def optional_text(self) -> str | None:
        """The next field as it is."""
        value = next(self._fields)
        if value is None or isinstance(value, str):
            return value
        raise invalid_cursor()

    def text(self) -> str:
        """The next field, which must be there."""
        value = self.optional_text()
        if value is None:
            raise invalid_cursor()
        return value

    def optional_day(self) -> date | None:
        """The next field as a date."""
        value = self.optional_text()
        try:
            return None if value is None else date.fromisoformat(value)
        except ValueError:
            raise invalid_cursor() from None

    def day(self) -> date:
        """The next field as a date, which must be there."""
        value = self.optional_day()
        if value is None:
            raise invalid_cursor()
        return value

    def optional_instant(self) -> datetime | None:
        """The next field as an aware datetime."""
        value = self.optional_text()
        try:
            at = None if value is None else datetime.fromisoformat(value)
        except ValueError:
            raise invalid_cursor() from None
        if at is not None and (at.tzinfo is None or at.year < _EARLIEST_YEAR):
            raise invalid_cursor()
        return at

    def instant(self) -> datetime:
        """The next field as an aware datetime, which must be there."""
        value = self.optional_instant()
        if value is None:
            raise invalid_cursor()
        return value

    def optional_position(self) -> Position | None:
        """The next two fields as a position, or None where both are null."""
        day, transaction_id = self.optional_day(), self.optional_text()
        if day is None and transaction_id is None:
            return None
        if day is None or transaction_id is None:
            raise invalid_cursor()
        return Position(day, transaction_id)


def unpacked(cursor: str, *, kind: str, fields: int) -> CursorFields:
    """The fields of a cursor of this kind, after the kind itself.

    Args:
        cursor: from `packed`, whose first field is the kind.
        kind: which adapter's, and which version of its layout.
        fields: how many follow the kind.

    Raises:
        ProviderFailure: `INVALID_CURSOR`.

    """
    try:
        value = json.loads(cursor)
    except (ValueError, RecursionError):
        raise invalid_cursor() from None
    if not isinstance(value, list) or len(value) != fields + 1 or value[0] != kind:
        raise invalid_cursor()
    return CursorFields(value[1:])
