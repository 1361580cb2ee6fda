"""Errors over HTTP: `application/problem+json` (RFC 9457) with the members of the contract."""

import math
from collections.abc import Mapping
from typing import Final

import orjson
from fastapi import Response

from orchestrator.domain import Json, OperationError

from .problem_documents import error_wire, internal_body, problem_body, status_of

__all__ = [
    "PROBLEM_JSON",
    "error_wire",
    "internal_body",
    "problem",
    "problem_body",
    "status_of",
]

PROBLEM_JSON: Final = "application/problem+json"
_DEFAULT_RETRY_AFTER_S: Final = 1.0


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
