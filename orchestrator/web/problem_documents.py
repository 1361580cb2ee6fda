"""Problem documents (RFC 9457) with the members of the contract, as values."""

from collections.abc import Mapping
from typing import Final

from orchestrator.domain import ErrorScope, ErrorType, Json, OperationError, to_wire

__all__ = [
    "TOO_MANY_REQUESTS",
    "error_wire",
    "internal_body",
    "own_answers",
    "problem_body",
    "status_of",
]

TOO_MANY_REQUESTS: Final = OperationError(
    ErrorType.OVERLOADED,
    "TOO_MANY_REQUESTS",
    "as many requests are under way as this server takes; ask again in a moment",
    retry_after_s=1.0,
)
_STATUS: Final[Mapping[ErrorType, int]] = {
    ErrorType.VALIDATION: 422,
    ErrorType.AUTH: 424,
    ErrorType.RATE_LIMIT: 429,
    ErrorType.NETWORK: 502,
    ErrorType.PROVIDER_DOWN: 503,
    ErrorType.DEADLINE: 504,
    ErrorType.NOT_FOUND: 404,
    ErrorType.IN_DOUBT: 409,
    ErrorType.CONFLICT: 409,
    ErrorType.UNAUTHORIZED: 401,
    ErrorType.FORBIDDEN: 403,
    ErrorType.TOO_LARGE: 413,
    ErrorType.OVERLOADED: 429,
}
_TITLE: Final[Mapping[ErrorType, str]] = {
    ErrorType.VALIDATION: "The request is not valid",
    ErrorType.AUTH: "The institution needs the end user",
    ErrorType.RATE_LIMIT: "A rate limit is reached",
    ErrorType.NETWORK: "No answer came from the provider",
    ErrorType.PROVIDER_DOWN: "No provider can answer now",
    ErrorType.DEADLINE: "The deadline has passed",
    ErrorType.NOT_FOUND: "Not found",
    ErrorType.IN_DOUBT: "It is not known whether the exchange took place",
    ErrorType.CONFLICT: "In conflict with another request",
    ErrorType.UNAUTHORIZED: "Authentication is needed",
    ErrorType.FORBIDDEN: "This key may not do that",
    ErrorType.TOO_LARGE: "The request is too large",
    ErrorType.OVERLOADED: "Too much is waiting already",
}


def status_of(error: OperationError) -> int:
    """The HTTP status of an error; refused keys of ours are our trouble, not the user's."""
    if error.type is ErrorType.AUTH and error.scope is ErrorScope.CLIENT:
        return 503
    return _STATUS[error.type]


def error_wire(error: OperationError) -> dict[str, Json]:
    """The `error` member."""
    return {
        "type": error.type.value,
        "code": error.code,
        "message": error.message,
        "retryable": error.retryable,
        "provider": error.provider,
        "scope": to_wire(error.scope),
        "retryAfterS": error.retry_after_s,
        "userAction": error.user_action,
    }


def problem_body(
    error: OperationError,
    request_id: str,
    extra: Mapping[str, Json] | None = None,
    *,
    status: int | None = None,
) -> dict[str, Json]:
    """The whole problem document; `status` where it is not the error's usual one."""
    return {
        "type": f"urn:provider-orchestrator:error:{error.type.value}",
        "title": _TITLE[error.type],
        "status": status or status_of(error),
        "detail": error.message,
        "success": False,
        "requestId": request_id,
        "error": error_wire(error),
        **(extra or {"attempts": [], "decision": None}),
    }


def internal_body(request_id: str) -> dict[str, Json]:
    """The problem document of a fault of our own, which no error type names."""
    return _ours(
        request_id,
        500,
        "Our own fault",
        "INTERNAL",
        "something failed on our side; look for this requestId in the log",
    )


def own_answers(request_id: str) -> dict[int, dict[str, Json]]:
    """What the proxy before us tells where no answer of ours comes, by status."""
    return {
        502: _ours(
            request_id,
            502,
            "The answer was lost",
            "ANSWER_LOST",
            "our process ended before it answered; ask again, with the same Idempotency-Key",
        ),
        503: _ours(
            request_id,
            503,
            "Not ready",
            "NOT_READY",
            "the server is starting or stopping; ask again in a moment",
            retry_after_s=1.0,
        ),
        504: _ours(
            request_id,
            504,
            "The answer did not come",
            "ANSWER_LATE",
            "our process did not answer; ask again, with the same Idempotency-Key",
        ),
    }


def _ours(
    request_id: str,
    status: int,
    title: str,
    code: str,
    message: str,
    *,
    retry_after_s: float | None = None,
) -> dict[str, Json]:
    return {
        "type": "urn:provider-orchestrator:error:internal",
        "title": title,
        "status": status,
        "detail": message,
        "success": False,
        "requestId": request_id,
        "error": {
            "type": "internal",
            "code": code,
            "message": message,
            "retryable": True,
            "provider": None,
            "scope": None,
            "retryAfterS": retry_after_s,
            "userAction": None,
        },
        "attempts": [],
        "decision": None,
    }
