"""How Finicity names a login, and writes ids, times and flags: one thing in more forms than one.

The same id is a number here and a text there; times are seconds since 1970, as numbers or as texts;
`moreAvailable` is the text "true" or "false" of transactions and a boolean elsewhere.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from .payload import Payload
from .wire_failures import malformed

__all__ = ["Login", "epoch_s", "identifier", "optional_code", "optional_epoch", "said_flag"]

_ID_SHAPE: Final = re.compile(r"[A-Za-z0-9_\-]{1,64}")
_DIGITS: Final = re.compile(r"[0-9]{1,12}")
_FLAGS: Final = {"true": True, "false": False}
_LARGEST_ID: Final = 10**19


@dataclass(frozen=True, slots=True)
class Login:
    """One set of bank credentials of one customer: a connection's handle. It grants nothing."""

    customer_id: str = field(repr=False)
    login_id: str = field(repr=False)

    @property
    def path(self) -> str:
        """Where what belongs to it is found."""
        return f"aggregation/v1/customers/{self.customer_id}/institutionLogins/{self.login_id}"


def identifier(row: Payload, name: str) -> str:
    """An id that must be there, as text.

    Raises:
        ProviderFailure: `MALFORMED`.

    """
    value = row.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST_ID:
        return str(value)
    if isinstance(value, str) and _ID_SHAPE.fullmatch(value):
        return value
    raise malformed(f"{name} is no id")


def optional_epoch(row: Payload, name: str) -> datetime | None:
    """A point in time as aware UTC; None also where it is zero, which means none.

    Raises:
        ProviderFailure: `MALFORMED`.

    """
    value = row.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(int(value), UTC) if value else None
        except (ArithmeticError, ValueError, OSError):
            pass
    raise malformed(f"{name} is no time")


def said_flag(row: Payload, name: str) -> bool:
    """A flag that must be there, whether it is a boolean or its text.

    Raises:
        ProviderFailure: `MALFORMED`.

    """
    value = row.get(name)
    if isinstance(value, str):
        value = _FLAGS.get(value.lower())
    if not isinstance(value, bool):
        raise malformed(f"{name} is no flag")
    return value


def optional_code(row: Payload, name: str) -> str | None:
    """A code as text, whether it is a number or a text; None where there is none to be read."""
    value = row.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST_ID:
        return str(value)
    return value.strip() if isinstance(value, str) and value.strip() else None


def epoch_s(at: datetime) -> str:
    """A point in time as Finicity wants it in a query; none is before 1970."""
    return str(max(0, int(at.timestamp())))
