"""Belvo's error bodies, which are arrays, and its pages.

Source: Belvo's OpenAPI 1.35.0 and its pages on error handling.
"""

from collections.abc import Sequence
from typing import Final, TypeVar
from urllib.parse import urlencode

from .basic_auth import has_basic
from .faults import FaultKind
from .wire import Answer, Call, JsonObject, Refusal

__all__ = ["check_keys", "error", "fault_refusal", "not_found", "page_of", "required"]

SECRET_ID: Final = "sandbox_id"
SECRET_PASSWORD: Final = "sandbox_password"

_BAD_KEYS: Final = (401, "authentication_failed", "Invalid Secret Keys")
_INVALID_LINK: Final = (400, "invalid_link", "The link has been invalidated.")
_DEFAULT_PAGE_SIZE: Final = 100
_LARGEST_PAGE: Final = 1000

T = TypeVar("T")


def error(call: Call, status: int, code: str, message: str, field: str | None = None) -> Answer:
    """An error answer in Belvo's form."""
    row: JsonObject = {"request_id": call.request_id, "message": message, "code": code}
    if field is not None:
        row["field"] = field
    return Answer(status, [row])


def required(call: Call, field: str) -> Refusal:
    """The refusal of a request without a field that it must have."""
    return Refusal(error(call, 400, "required", "This field is required.", field))


def not_found(call: Call) -> Refusal:
    """The refusal of an id that names nothing."""
    return Refusal(error(call, 404, "not_found", "Not found"))


def bad_keys(call: Call) -> Answer:
    """The answer to wrong keys."""
    return error(call, *_BAD_KEYS)


def invalid_link(call: Call) -> Answer:
    """The answer of a live request through a link whose credentials no longer work."""
    return error(call, *_INVALID_LINK)


def fault_refusal(kind: FaultKind, call: Call) -> Answer | None:
    """Belvo's own answer to each kind of trouble."""
    table: dict[FaultKind, tuple[int, str, str]] = {
        FaultKind.DOWN: (500, "unexpected_error", "An unexpected error"),
        FaultKind.RATE_LIMIT: (429, "too_many_requests", "Too many requests"),
        FaultKind.VALIDATION: (400, "invalid", "This value is not valid."),
        FaultKind.INSTITUTION_DOWN: (400, "institution_down", "The financial institution is down"),
        FaultKind.BAD_KEYS: _BAD_KEYS,
        FaultKind.AUTH: _INVALID_LINK,
    }
    row = table.get(kind)
    return None if row is None else error(call, *row)


def check_keys(call: Call) -> None:
    """Hold a call against the client's keys.

    Raises:
        Refusal: 401.

    """
    if not has_basic(call.headers.get("authorization"), SECRET_ID, SECRET_PASSWORD):
        raise Refusal(bad_keys(call))


def page_of(
    call: Call, rows: Sequence[T], kind: FaultKind | None
) -> tuple[Sequence[T], JsonObject]:
    """One page of a listing and the fields around it; `next` is an absolute URL.

    A size above 1000 becomes 1000. Under the truncated fault `next` ends early though `count`
    counts all; under the frozen one `next` leads to the same page for ever.

    Raises:
        Refusal: 404 for a page past the last.

    """
    if kind is FaultKind.EMPTY:
        rows = rows[:0]
    shown = rows[: len(rows) // 2] if kind is FaultKind.TRUNCATED else rows
    size = min(_natural(call.query.get("page_size"), _DEFAULT_PAGE_SIZE), _LARGEST_PAGE)
    page = _natural(call.query.get("page"), 1)
    pages = max(1, -(-len(shown) // size))
    following: str | None = _url(call, page + 1) if page < pages else None
    if kind is FaultKind.FROZEN:
        following = _url(call, page)
    elif page > pages:
        raise Refusal(error(call, 404, "not_found", "Invalid page."))
    return shown[(page - 1) * size : page * size], {
        "count": len(rows),
        "next": following,
        "previous": _url(call, page - 1) if page > 1 else None,
    }


def _url(call: Call, page: int) -> str:
    query = {name: value for name, value in call.query.items() if name != "page"}
    return f"{call.base_url}{call.path}?{urlencode({**query, 'page': page})}"


def _natural(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() and int(text) > 0 else default
