"""MX's error bodies, its versions, and every error that a fault can ask for.

Source: docs.mx.com, overview of errors; MX's OpenAPI v20250224 and v20111101.
"""

from typing import Final

from .basic_auth import has_basic
from .faults import FaultKind
from .mx_jobs import STATUSES
from .wire import Answer, Call, Refusal

__all__ = [
    "ERROR_CODES",
    "bad_request",
    "check_access",
    "content_type",
    "error",
    "error_answer",
    "fault_refusal",
    "is_legacy",
    "not_found",
]

_CLIENT_ID: Final = "sandbox_client"
_API_KEY: Final = "sandbox_key"
_VERSION: Final = "v20250224"
_LEGACY_TYPE: Final = "application/vnd.mx.api.v1+json"

_INSTITUTION_ERRORS: Final = {
    "institution_maintenance_error": "The institution is being maintained.",
    "institution_unavailable_error": "This institution is not available at the moment.",
    "institution_prevented_error": "Connections to this institution are prevented.",
    "institution_prevent_new_error": "New connections to this institution are prevented.",
    "institution_prevent_verification_error": "Verification is prevented at this institution.",
}
_HTTP_ERRORS: Final = {
    "HTTP_400": "A parameter is missing or not valid.",
    "HTTP_401": "Invalid credentials.",
    "HTTP_403": "The address is not known, or the feature is not available.",
    "HTTP_404": "Not found.",
    "HTTP_405": "A constraint of the endpoint is not met.",
    "HTTP_406": "The version is not supported.",
    "HTTP_409": "Another job of this member is running.",
    "HTTP_422": "The data cannot be processed.",
    "HTTP_429": "Too many requests.",
    "HTTP_500": "Something went wrong.",
    "HTTP_502": "Something went wrong.",
    "HTTP_503": "The platform is being updated.",
    "HTTP_504": "Something went wrong.",
}

ERROR_CODES: Final = frozenset({*_INSTITUTION_ERRORS, *_HTTP_ERRORS, *STATUSES})
"""Error types, bare HTTP statuses, and the statuses of a member, which show in its data."""


def is_legacy(call: Call) -> bool:
    """Whether the call speaks v20111101, which its media type alone chooses."""
    return "accept-version" not in call.headers and _LEGACY_TYPE in call.headers.get("accept", "")


def content_type(call: Call) -> str:
    """The media type of answers in the version that the call speaks."""
    return _LEGACY_TYPE if is_legacy(call) else "application/json"


def error(call: Call, status: int, kind: str | None, message: str) -> Answer:
    """An error answer in MX's form."""
    body = {"error": {"message": message, "status": str(status), "type": kind}}
    return Answer(status, body, content_type=content_type(call))


def error_answer(code: str, call: Call) -> Answer | None:
    """The error of that code; None where it is a member's status, which shows in the data."""
    if code in _INSTITUTION_ERRORS:
        return error(call, 400, code, _INSTITUTION_ERRORS[code])
    if code in _HTTP_ERRORS:
        return error(call, int(code.removeprefix("HTTP_")), None, _HTTP_ERRORS[code])
    return None


def bad_request(call: Call, message: str) -> Refusal:
    """The refusal of a request that lacks something or has it in a wrong form."""
    return Refusal(error(call, 400, "bad_request", message))


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
    if call.method == "DELETE" and version is None and accept == "*/*":
        # MX's own client names no version where no body comes back.
        return
    if not is_legacy(call) and (version != _VERSION or not takes_json):
        raise Refusal(error(call, 406, "not_acceptable", "The version is not supported."))
