"""Belvo's error bodies, which are arrays, and its pages.

Source: Belvo's OpenAPI 1.35.0 and its pages on error handling.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeVar
from urllib.parse import urlencode

from .basic_auth import has_basic
from .faults import FaultKind
from .wire import Answer, Call, JsonObject, Refusal

__all__ = [
    "ERROR_CODES",
    "LINK_STATUSES",
    "check_keys",
    "coded",
    "error",
    "fault_refusal",
    "not_found",
    "ordered_error",
    "page_of",
    "required",
]

SECRET_ID: Final = "sandbox_id"
SECRET_PASSWORD: Final = "sandbox_password"

_DEFAULT_PAGE_SIZE: Final = 100
_LARGEST_PAGE: Final = 1000
_ELSEWHERE: Final = 1000
"""Rows of other links, where a count is of all of them."""

_CODES: Final[Mapping[str, tuple[int, str]]] = {
    "authentication_failed": (401, "Invalid Secret Keys"),
    "access_to_resource_denied": (403, "You don't have access to this resource."),
    "token_required": (428, "A MFA token is required by the institution to login"),
    "login_error": (400, "Login error"),
    "invalid_link": (400, "The link has been invalidated."),
    "unconfirmed_link": (400, "The link creation has not been completed yet"),
    "session_expired": (400, "The session has expired"),
    "too_many_sessions": (400, "A session with these credentials is open already"),
    "institution_down": (400, "The financial institution is down"),
    "institution_unavailable": (400, "The institution is being maintained"),
    "institution_inactive": (400, "The institution is no longer active"),
    "unsupported_operation": (400, "The institution does not support this resource"),
    "invalid_access_mode_switch": (400, "The link has no stored credentials."),
    "invalid_period": (400, "The period is not valid."),
    "required": (400, "This field is required."),
    "invalid": (400, "This value is not valid."),
    "null": (400, "This field may not be null."),
    "blank": (400, "This field may not be blank."),
    "does_not_exist": (400, "There is no such object."),
    "not_found": (404, "Not found"),
    "method_not_allowed": (405, "Method not allowed."),
    "conflict": (409, "Conflict"),
    "request_timeout": (408, "The request timed out"),
    "unexpected_error": (500, "An unexpected error"),
}
_BARE: Final = (400, 401, 403, 404, 405, 408, 409, 428, 429, 500, 502, 503, 504)
ERROR_CODES: Final = (*_CODES, *(f"HTTP_{status}" for status in _BARE))
"""What can be ordered: a code of Belvo's, or a status whose body has none."""

LINK_STATUSES: Final[Mapping[str, str]] = {
    "invalid_link": "invalid",
    "unconfirmed_link": "unconfirmed",
    "token_required": "token_required",
}
"""Why a link is broken, by the code of its live readings → the link's own `status`."""

T = TypeVar("T")


def error(call: Call, status: int, code: str, message: str, field: str | None = None) -> Answer:
    """An error answer in Belvo's form."""
    row: JsonObject = {"request_id": call.request_id, "message": message, "code": code}
    if field is not None:
        row["field"] = field
    return Answer(status, [row])


def required(call: Call, field: str) -> Refusal:
    """The refusal of a request without a field that it must have."""
    return Refusal(coded(call, "required", field))


def coded(call: Call, code: str, field: str | None = None) -> Answer:
    """The error with one of Belvo's codes."""
    status, message = _CODES[code]
    return error(call, status, code, message, field)


def ordered_error(call: Call, code: str) -> Answer:
    """The error with one of `ERROR_CODES`."""
    if code in _CODES:
        return coded(call, code)
    return Answer(int(code.removeprefix("HTTP_")), {"detail": "No code tells more."})


def not_found(call: Call) -> Refusal:
    """The refusal of an id that names nothing."""
    return Refusal(coded(call, "not_found"))


def fault_refusal(kind: FaultKind, call: Call) -> Answer | None:
    """Belvo's own answer to each kind of trouble."""
    if kind is FaultKind.RATE_LIMIT:
        return error(call, 429, "too_many_requests", "Too many requests")
    table = {
        FaultKind.DOWN: "unexpected_error",
        FaultKind.VALIDATION: "invalid",
        FaultKind.INSTITUTION_DOWN: "institution_down",
        FaultKind.BAD_KEYS: "authentication_failed",
        FaultKind.AUTH: "invalid_link",
    }
    code = table.get(kind)
    return None if code is None else coded(call, code)


def check_keys(call: Call) -> None:
    """Hold a call against the client's keys.

    Raises:
        Refusal: 401.

    """
    if not has_basic(call.headers.get("authorization"), SECRET_ID, SECRET_PASSWORD):
        raise Refusal(coded(call, "authentication_failed"))


def page_of(
    call: Call,
    rows: Sequence[T],
    kind: FaultKind | None,
    *,
    counts: Literal["filtered", "everything"] = "filtered",
) -> tuple[Sequence[T], JsonObject]:
    """One page of a listing and the fields around it; `next` is an absolute URL.

    A size above 1000 becomes 1000. Under the truncated fault `next` ends early though `count`
    counts all; under the frozen one `next` leads to the same page for ever. `counts` everything:
    `count` is of more than was asked for.

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
        raise not_found(call)
    return shown[(page - 1) * size : page * size], {
        "count": len(rows) + (_ELSEWHERE if counts == "everything" else 0),
        "next": following,
        "previous": _url(call, page - 1) if page > 1 else None,
    }


def _url(call: Call, page: int) -> str:
    query = {name: value for name, value in call.query.items() if name != "page"}
    return f"{call.base_url}{call.path}?{urlencode({**query, 'page': page})}"


def _natural(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() and int(text) > 0 else default
