"""MX's error bodies, its versions and its page rules.

Source: docs.mx.com, overview of errors; MX's OpenAPI v20250224 and v20111101.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Final, Literal, TypeVar

from .basic_auth import has_basic
from .faults import FaultKind
from .wire import Answer, Call, JsonObject, Refusal

__all__ = [
    "check_access",
    "error",
    "fault_refusal",
    "is_legacy",
    "moment",
    "not_found",
    "page_of",
]

_CLIENT_ID: Final = "sandbox_client"
_API_KEY: Final = "sandbox_key"
_VERSION: Final = "v20250224"
_LEGACY_TYPE: Final = "application/vnd.mx.api.v1+json"
_DEFAULT_PER_PAGE: Final = 25

T = TypeVar("T")


def is_legacy(call: Call) -> bool:
    """Whether the call speaks v20111101, which its media type alone chooses."""
    return "accept-version" not in call.headers and _LEGACY_TYPE in call.headers.get("accept", "")


def content_type(call: Call) -> str:
    """The media type of answers in the version that the call speaks."""
    return _LEGACY_TYPE if is_legacy(call) else "application/json"


def error(call: Call, status: int, kind: str, message: str) -> Answer:
    """An error answer in MX's form."""
    body = {"error": {"message": message, "status": str(status), "type": kind}}
    return Answer(status, body, content_type=content_type(call))


def not_found(call: Call, what: str) -> Refusal:
    """The refusal of a user or member that is not there."""
    return Refusal(error(call, 404, "not_found", f"{what} not found"))


def fault_refusal(kind: FaultKind, call: Call) -> Answer | None:
    """MX's own answer to each kind of trouble."""
    table = {
        FaultKind.DOWN: (503, "service_unavailable", "The platform is not available."),
        FaultKind.RATE_LIMIT: (429, "too_many_requests", "Too many requests."),
        FaultKind.VALIDATION: (400, "bad_request", "A parameter is missing or not valid."),
        FaultKind.INSTITUTION_DOWN: (
            400,
            "institution_unavailable_error",
            "This institution is not available at the moment.",
        ),
        FaultKind.BAD_KEYS: (401, "unauthorized", "Invalid credentials."),
        FaultKind.AUTH: (403, "forbidden", "This user may not do that."),
    }
    row = table.get(kind)
    return None if row is None else error(call, *row)


def check_access(call: Call) -> None:
    """Hold a call against the client's keys and the versions that there are.

    Raises:
        Refusal: 401 or 406.

    """
    if not has_basic(call.headers.get("authorization"), _CLIENT_ID, _API_KEY):
        raise Refusal(error(call, 401, "unauthorized", "Invalid credentials."))
    version, accept = call.headers.get("accept-version"), call.headers.get("accept", "*/*")
    takes_json = "application/json" in accept or "*/*" in accept
    if not is_legacy(call) and (version != _VERSION or not takes_json):
        raise Refusal(error(call, 406, "not_acceptable", "The version is not supported."))


def page_of(
    call: Call, rows: Sequence[T], kind: FaultKind | None
) -> tuple[Sequence[T], JsonObject]:
    """One page of a listing and its `pagination`.

    A size above 1000 silently becomes 25. Under the truncated fault the last pages are missing
    from `total_pages` though `total_entries` counts them; under the frozen one every page is the
    first and there is always one more.
    """
    size = _natural(call.query.get("records_per_page"), _DEFAULT_PER_PAGE)
    if not 10 <= size <= 1000:
        size = _DEFAULT_PER_PAGE
    shown = rows
    if kind is FaultKind.EMPTY:
        rows = shown = rows[:0]
    elif kind is FaultKind.TRUNCATED:
        shown = rows[: len(rows) // 2]
    page = _natural(call.query.get("page"), 1)
    pages = max(1, -(-len(shown) // size))
    entries = len(rows)
    if kind is FaultKind.FROZEN:
        page, pages, entries = 1, pages + 1, pages * size + 1
    return shown[(page - 1) * size : page * size], {
        "current_page": page,
        "per_page": size,
        "total_entries": entries,
        "total_pages": pages,
    }


def _natural(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() and int(text) > 0 else default


def moment(call: Call, name: str, form: Literal["iso", "unix", "both"]) -> date | None:
    """A date of the query, in whichever form the sandbox is set to take.

    Raises:
        Refusal: it is there in another form.

    """
    value = call.query.get(name)
    if value is None:
        return None
    if value.isdecimal() and form in ("unix", "both") and len(value) <= 11:
        return datetime.fromtimestamp(int(value), UTC).date()
    if form in ("iso", "both"):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise Refusal(error(call, 400, "bad_request", f"{name} is not a valid date"))
