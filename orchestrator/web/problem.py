"""Errors over HTTP: `application/problem+json` (RFC 9457) with the members of the contract."""

import math
from collections.abc import Mapping
from typing import Final

import orjson
from fastapi import Response

from orchestrator.domain import ErrorScope, ErrorType, Json, OperationError, to_wire

__all__ = [
    "PROBLEM_JSON",
    "error_wire",
    "internal_body",
    "problem",
    "problem_body",
    "status_of",
]

PROBLEM_JSON: Final = "application/problem+json"

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
_DEFAULT_RETRY_AFTER_S: Final = 1.0


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
    message = "something failed on our side; look for this requestId in the log"
    return {
        "type": "urn:provider-orchestrator:error:internal",
        "title": "Our own fault",
        "status": 500,
        "detail": message,
        "success": False,
        "requestId": request_id,
        "error": {
            "type": "internal",
            "code": "INTERNAL",
            "message": message,
            "retryable": True,
            "provider": None,
            "scope": None,
            "retryAfterS": None,
            "userAction": None,
        },
        "attempts": [],
        "decision": None,
    }


def problem(
    error: OperationError,
    request_id: str,
    extra: Mapping[str, Json] | None = None,
    *,
    status: int | None = None,
) -> Response:
    """The HTTP answer for an error, with Retry-After where a wait helps."""
    status = status or status_of(error)
    headers = {"X-Request-Id": request_id}
    if status in (429, 503) and error.retryable:
        wait_s = _DEFAULT_RETRY_AFTER_S if error.retry_after_s is None else error.retry_after_s
        headers["Retry-After"] = str(max(1, math.ceil(wait_s)))
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(
        orjson.dumps(problem_body(error, request_id, extra, status=status)),
        status_code=status,
        headers=headers,
        media_type=PROBLEM_JSON,
    )
