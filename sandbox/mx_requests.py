"""What MX takes in a request: parts of bodies with their types, pages, dates.

Source: MX's OpenAPI v20250224 and v20111101.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Final, Literal, TypeVar

from .faults import FaultKind
from .mx_errors import bad_request, error
from .wire import Call, JsonObject, Refusal

__all__ = [
    "BOOLEAN",
    "CREDENTIALS",
    "OBJECT",
    "TEXT",
    "TEXTS",
    "WHOLE",
    "Kind",
    "credentials_of",
    "flag_of",
    "moment",
    "page_of",
    "part_of",
]

_DEFAULT_PER_PAGE: Final = 25

T = TypeVar("T")
Kind = Callable[[object], bool]
"""Whether a field's value is of the documented type."""


def TEXT(value: object) -> bool:  # noqa: N802  a type's name
    """A string."""
    return isinstance(value, str)


def BOOLEAN(value: object) -> bool:  # noqa: N802
    """True or false."""
    return isinstance(value, bool)


def WHOLE(value: object) -> bool:  # noqa: N802
    """A whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def OBJECT(value: object) -> bool:  # noqa: N802
    """A JSON object."""
    return isinstance(value, dict)


def TEXTS(value: object) -> bool:  # noqa: N802
    """A list of strings."""
    return isinstance(value, list) and all(map(TEXT, value))


def CREDENTIALS(value: object) -> bool:  # noqa: N802
    """A list of pairs of a credential's guid and the user's value for it."""
    return isinstance(value, list) and all(
        isinstance(row, dict) and TEXT(row.get("guid")) and TEXT(row.get("value")) for row in value
    )


def part_of(
    call: Call, name: str, kinds: Mapping[str, Kind], *, required: Sequence[str] = ()
) -> JsonObject:
    """The object under `name` in the body, without its nulls, once its fields are as documented.

    Raises:
        Refusal: 400 where it is missing or empty, or lacks a field, or has one of another type.

    """
    if not call.body_is_readable:
        raise bad_request(call, "The body is not a JSON object")
    part = {field: value for field, value in call.part(name).items() if value is not None}
    if not part:
        raise bad_request(call, f"{name} must not be empty")
    for field in required:
        if field not in part:
            raise bad_request(call, f"{name}.{field} is required")
    for field, is_right in kinds.items():
        if field in part and not is_right(part[field]):
            raise bad_request(call, f"{name}.{field} is not of the documented type")
    return part


def credentials_of(part: JsonObject, name: str) -> dict[str, str]:
    """Values by guid of a field that is of the kind `CREDENTIALS`; empty where it is absent."""
    rows = part.get(name)
    return {row["guid"]: row["value"] for row in rows} if isinstance(rows, list) else {}


def page_of(
    call: Call, rows: Sequence[T], kind: FaultKind | None = None, *, most: int = 1000
) -> tuple[Sequence[T], JsonObject]:
    """One page of a listing and its `pagination`.

    A size above `most` silently becomes 25. Under the truncated fault the last pages are missing
    from `total_pages` though `total_entries` counts them; under the frozen one every page is the
    first and there is always one more.
    """
    size = _natural(call.query.get("records_per_page"), _DEFAULT_PER_PAGE)
    if not 10 <= size <= most:
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


def flag_of(call: Call, name: str) -> bool | None:
    """A boolean of the query, None where it is not there.

    Raises:
        Refusal: it is neither `true` nor `false`.

    """
    value = call.query.get(name)
    if value is None:
        return None
    if value.lower() not in ("true", "false"):
        raise bad_request(call, f"{name} must be true or false")
    return value.lower() == "true"


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
