"""Finicity's pages: records counted from one, and what is wrong with a query.

Source: Finicity's OpenAPI 1.42.0 (start and limit of transactions and customers).
"""

from collections.abc import Sequence
from typing import Final, TypeVar

from .faults import FaultKind
from .finicity_errors import refusal
from .wire import Call, JsonObject

__all__ = ["limit_of", "page_of", "seconds", "whole"]

_DEFAULT_LIMIT: Final = 25
_LARGEST_LIMIT: Final = 1000

T = TypeVar("T")


def whole(call: Call, name: str, default: int) -> int:
    """A whole number of the query.

    Raises:
        Refusal: 400, it is none.

    """
    value = call.query.get(name)
    if value is None:
        return default
    digits = value.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 12):
        raise refusal(400, "10100", f"Invalid parameter ({name})")
    return int(value)


def seconds(call: Call, name: str) -> int:
    """A time of the query, which must be there.

    Raises:
        Refusal: 400.

    """
    if name not in call.query:
        raise refusal(400, "10005", f"Missing parameter ({name})")
    return whole(call, name, 0)


def limit_of(call: Call) -> int:
    """The largest number of rows that a call takes.

    Raises:
        Refusal: 400, it is out of its range.

    """
    limit = whole(call, "limit", _DEFAULT_LIMIT)
    if limit < 1:
        raise refusal(400, "41004", "Limit cannot be less than one.")
    if limit > _LARGEST_LIMIT:
        raise refusal(400, "10100", "Invalid parameter (limit)")
    return limit


def page_of(
    call: Call, rows: Sequence[T], kind: FaultKind | None, *, flag_as_text: bool = True
) -> tuple[Sequence[T], JsonObject]:
    """The records from number `start` on, and the fields around them.

    Under the truncated fault the last half is missing though `found` counts it; under the frozen one
    every page is the first, and there is always more.

    Raises:
        Refusal: 400.

    """
    limit, start = limit_of(call), whole(call, "start", 1)
    if start < 1:
        raise refusal(400, "41003", "Start index cannot be less than one.")
    if kind is FaultKind.EMPTY:
        rows = rows[:0]
    shown = rows[: len(rows) // 2] if kind is FaultKind.TRUNCATED else rows
    if kind is FaultKind.FROZEN:
        start = 1
    page = shown[start - 1 : start - 1 + limit]
    more = kind is FaultKind.FROZEN or start - 1 + limit < len(shown)
    return page, {
        "found": len(rows),
        "displaying": len(page),
        "moreAvailable": str(more).lower() if flag_as_text else more,
    }
