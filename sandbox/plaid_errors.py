"""Plaid's error bodies and the checks of its request bodies.

Source: Plaid's OpenAPI 2020-09-14 (PlaidError) and its error pages. Nearly every error is a 400;
`error_type` and `error_code` say what it is.
"""

from collections.abc import Collection
from typing import Final

from .faults import FaultKind
from .wire import Answer, Call, JsonObject, Refusal

__all__ = ["body_fields", "check_keys", "error", "fault_refusal", "integer", "refuse", "text"]

CLIENT_ID: Final = "sandbox_client"
SECRET: Final = "sandbox_secret"

_LIMIT_CODES: Final = {
    "/accounts/get": "ACCOUNTS_LIMIT",
    "/accounts/balance/get": "BALANCE_LIMIT",
    "/item/get": "ITEM_GET_LIMIT",
    "/transactions/sync": "TRANSACTIONS_SYNC_LIMIT",
    "/transactions/get": "TRANSACTIONS_LIMIT",
    "/transactions/refresh": "TRANSACTIONS_REFRESH_LIMIT",
    "/institutions/get_by_id": "INSTITUTIONS_GET_BY_ID_LIMIT",
}


def error(  # noqa: PLR0917  the fields of Plaid's error object, in its order
    call: Call,
    error_type: str,
    error_code: str,
    message: str,
    display: str | None = None,
    status: int = 400,
) -> Answer:
    """An error answer in Plaid's form."""
    return Answer(status, error_object(call, error_type, error_code, message, display))


def error_object(
    call: Call, error_type: str, error_code: str, message: str, display: str | None = None
) -> JsonObject:
    """A PlaidError, as it is answered and as it stands inside an item."""
    return {
        "error_type": error_type,
        "error_code": error_code,
        "error_code_reason": None,
        "error_message": message,
        "display_message": display,
        "documentation_url": "https://plaid.com/docs/errors/",
        "request_id": call.request_id,
        "suggested_action": None,
    }


def refuse(call: Call, error_type: str, error_code: str, message: str) -> Refusal:
    """An error to be raised out of a handler."""
    return Refusal(error(call, error_type, error_code, message))


def login_required(call: Call) -> JsonObject:
    """The error of an Item whose user has to sign in again."""
    return error_object(
        call,
        "ITEM_ERROR",
        "ITEM_LOGIN_REQUIRED",
        "the login details of this item have changed and need to be given again",
        "Your account's login details have changed. Please sign in to your bank again.",
    )


def limit_refusal(call: Call) -> Answer:
    """A 429 with the code of the endpoint's own limit."""
    code = _LIMIT_CODES.get(call.path, "RATE_LIMIT_EXCEEDED")
    return error(call, "RATE_LIMIT_EXCEEDED", code, "rate limit exceeded", status=429)


_FAULTS: Final[dict[FaultKind, tuple[str, str, str, str | None, int]]] = {
    FaultKind.DOWN: ("API_ERROR", "INTERNAL_SERVER_ERROR", "an unexpected error", None, 500),
    FaultKind.VALIDATION: ("INVALID_REQUEST", "INVALID_FIELD", "a field is not valid", None, 400),
    FaultKind.INSTITUTION_DOWN: (
        "INSTITUTION_ERROR",
        "INSTITUTION_DOWN",
        "this institution is not responding at the moment",
        "This bank is not responding. Please try again later.",
        400,
    ),
    FaultKind.BAD_KEYS: (
        "INVALID_INPUT",
        "INVALID_API_KEYS",
        "invalid client_id or secret provided",
        None,
        400,
    ),
}


def fault_refusal(kind: FaultKind, call: Call) -> Answer | None:
    """Plaid's own answer to each kind of trouble."""
    if kind is FaultKind.RATE_LIMIT:
        return limit_refusal(call)
    if kind is FaultKind.AUTH:
        return Answer(400, login_required(call))
    row = _FAULTS.get(kind)
    return None if row is None else error(call, *row)


def check_keys(call: Call) -> None:
    """Take the client's keys from the headers or, failing them, from the body.

    Raises:
        Refusal: they are missing or wrong.

    """
    client_id = call.headers.get("plaid-client-id") or call.body.get("client_id")
    secret = call.headers.get("plaid-secret") or call.body.get("secret")
    missing = [n for n, v in (("client_id", client_id), ("secret", secret)) if not v]
    if missing:
        raise refuse(
            call,
            "INVALID_REQUEST",
            "MISSING_FIELDS",
            f"the following required fields are missing: {', '.join(missing)}",
        )
    if (client_id, secret) != (CLIENT_ID, SECRET):
        raise Refusal(error(call, *_FAULTS[FaultKind.BAD_KEYS]))


def body_fields(call: Call, *, required: Collection[str], allowed: Collection[str] = ()) -> None:
    """Hold a body against the fields that its endpoint knows.

    Raises:
        Refusal: not a JSON object, a required field missing, or an unknown one there.

    """
    if not call.body_is_readable:
        raise refuse(call, "INVALID_REQUEST", "INVALID_BODY", "body could not be parsed as JSON")
    missing = [name for name in required if call.body.get(name) in (None, "", [])]
    if missing:
        raise refuse(
            call,
            "INVALID_REQUEST",
            "MISSING_FIELDS",
            f"the following required fields are missing: {', '.join(missing)}",
        )
    known = {"client_id", "secret", *required, *allowed}
    unknown = [name for name in call.body if name not in known]
    if unknown:
        raise refuse(
            call,
            "INVALID_REQUEST",
            "UNKNOWN_FIELDS",
            f"the following fields are not recognized by this endpoint: {', '.join(unknown)}",
        )


def text(call: Call, where: JsonObject, name: str, default: str = "") -> str:
    """A string field.

    Raises:
        Refusal: it is there and no string.

    """
    value = where.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise refuse(call, "INVALID_REQUEST", "INVALID_FIELD", f"{name} must be a string")
    return value


def integer(call: Call, where: JsonObject, name: str, *, default: int, low: int, high: int) -> int:
    """An integer field within its bounds.

    Raises:
        Refusal: it is there and no integer, or out of bounds.

    """
    value = where.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise refuse(
            call,
            "INVALID_REQUEST",
            "INVALID_FIELD",
            f"{name} must be an integer between {low} and {high}",
        )
    return value
