"""Typed reading of a vendor's JSON: what is not of the documented shape is `MALFORMED`.

Every reader takes an object of the answer and a field's name. `optional_*` answer None where the
field is absent or null; the others want a value. All raise `ProviderFailure` (`MALFORMED`), never
`KeyError` or `TypeError`; what they say names our field, never the vendor's content.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from orchestrator.domain import decimal_or_none

from .wire_failures import malformed

__all__ = [
    "NO_CURRENCY",
    "Payload",
    "currency",
    "day",
    "decimal",
    "flag",
    "integer",
    "mask_of",
    "optional_day",
    "optional_decimal",
    "optional_flag",
    "optional_instant",
    "optional_section",
    "optional_text",
    "rows",
    "section",
    "text",
]

Payload = Mapping[str, object]
"""A JSON object."""

NO_CURRENCY: Final = "XXX"
"""ISO 4217's code for "no currency", where a vendor tells none: flagged, not guessed."""

_DAY_SHAPE: Final = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ].*)?", re.ASCII)
_MASK_SHAPE: Final = re.compile(r"\d{2,4}\Z", re.ASCII)
_SEPARATORS: Final = re.compile(r"[\s\-./]")
_LARGEST_EXPONENT: Final = 24


def text(row: Payload, name: str) -> str:
    """A text that must be there and not empty."""
    value = row.get(name)
    if not isinstance(value, str) or not value or not _is_unicode(value):
        raise malformed(f"{name} is no text")
    return value


def optional_text(row: Payload, name: str) -> str | None:
    """A text; None also where it is empty. Lone surrogates, which no encoder takes, are replaced."""
    value = row.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise malformed(f"{name} is no text")
    return value if _is_unicode(value) else value.encode(errors="replace").decode()


def flag(row: Payload, name: str) -> bool:
    """A boolean that must be there."""
    value = row.get(name)
    if not isinstance(value, bool):
        raise malformed(f"{name} is no boolean")
    return value


def optional_flag(row: Payload, name: str) -> bool | None:
    """A boolean."""
    return None if row.get(name) is None else flag(row, name)


def integer(row: Payload, name: str) -> int:
    """A whole number that must be there and not negative (counts and pages)."""
    value = row.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise malformed(f"{name} is no count")
    return value


def decimal(row: Payload, name: str) -> Decimal:
    """An amount that must be there."""
    value = optional_decimal(row, name)
    if value is None:
        raise malformed(f"{name} is missing")
    return value


def optional_decimal(row: Payload, name: str) -> Decimal | None:
    """An amount, exact. One beyond 10^24 or finer than 10^-24 is no money and is refused."""
    try:
        value = decimal_or_none(row.get(name))
    except ValueError:
        raise malformed(f"{name} is no decimal number") from None
    if value is None:
        return None
    plain = str(value)
    if len(plain) <= _LARGEST_EXPONENT and "E" not in plain:
        return value  # as most are: so short a text without an exponent is within the bounds
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -_LARGEST_EXPONENT:
        raise malformed(f"{name} is no amount")
    # Zero has a magnitude of its exponent alone, which is what a formatter would spell out.
    if max(value.adjusted(), exponent) > _LARGEST_EXPONENT:
        raise malformed(f"{name} is no amount")
    return value


def day(row: Payload, name: str) -> date:
    """A calendar date that must be there."""
    value = optional_day(row, name)
    if value is None:
        raise malformed(f"{name} is missing")
    return value


def optional_day(row: Payload, name: str) -> date | None:
    """A calendar date, `YYYY-MM-DD` or the date part of a timestamp, as the vendor wrote it."""
    value = optional_text(row, name)
    if value is None:
        return None
    parts = _DAY_SHAPE.fullmatch(value)
    try:
        if parts is not None:
            return date(int(parts[1]), int(parts[2]), int(parts[3]))
    except ValueError:
        pass
    raise malformed(f"{name} is no date")


def optional_instant(row: Payload, name: str) -> datetime | None:
    """A point in time as aware UTC; a timestamp without a zone is taken as UTC."""
    value = optional_text(row, name)
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise malformed(f"{name} is no timestamp") from None


def section(row: Payload, name: str) -> Payload:
    """A nested object that must be there."""
    value = optional_section(row, name)
    if value is None:
        raise malformed(f"{name} is missing")
    return value


def optional_section(row: Payload, name: str) -> Payload | None:
    """A nested object."""
    value = row.get(name)
    if value is not None and not isinstance(value, dict):
        raise malformed(f"{name} is no object")
    return value


def rows(row: Payload, name: str) -> tuple[Payload, ...]:
    """A list of objects that must be there; it may be empty."""
    value = row.get(name)
    if not isinstance(value, list):
        raise malformed(f"{name} is no list")
    for element in value:
        if not isinstance(element, dict):
            raise malformed(f"{name} holds something else than objects")
    return tuple(value)


def currency(row: Payload, *names: str) -> str:
    """The first of these fields that names a currency, in upper case; else `NO_CURRENCY`."""
    for name in names:
        value = optional_text(row, name)
        if value is not None:
            return value.upper()
    return NO_CURRENCY


def mask_of(number: str | None) -> str | None:
    """The last two to four digits of an account number that may be hidden in part (`XX-1234`)."""
    found = _MASK_SHAPE.search(_SEPARATORS.sub("", number or ""))
    return None if found is None else found[0]


def _is_unicode(value: str) -> bool:
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)
