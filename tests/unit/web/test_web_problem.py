"""Errors as problem documents."""

import json

import pytest

from orchestrator.domain import ErrorScope, ErrorType, OperationError
from orchestrator.web.problem import internal_body, problem, problem_body, status_of

TABLE = {
    ErrorType.VALIDATION: (422, False),
    ErrorType.AUTH: (424, False),
    ErrorType.RATE_LIMIT: (429, True),
    ErrorType.NETWORK: (502, True),
    ErrorType.PROVIDER_DOWN: (503, True),
    ErrorType.DEADLINE: (504, True),
    ErrorType.NOT_FOUND: (404, False),
    ErrorType.IN_DOUBT: (409, False),
    ErrorType.CONFLICT: (409, False),
    ErrorType.UNAUTHORIZED: (401, False),
    ErrorType.FORBIDDEN: (403, False),
    ErrorType.TOO_LARGE: (413, False),
    ErrorType.OVERLOADED: (429, True),
}


def test_every_type_is_in_the_table() -> None:
    """Know a status for every error type."""
    assert set(ErrorType) == set(TABLE)


@pytest.mark.parametrize(("error_type", "row"), TABLE.items())
def test_type_decides_status_and_retry(error_type: ErrorType, row: tuple[int, bool]) -> None:
    """Answer each type with the contract's status, and say whether to send it again."""
    error = OperationError(error_type, "CODE", "message")
    response = problem(error, "req_1")
    body = json.loads(bytes(response.body))

    assert row == (response.status_code, body["error"]["retryable"])
    assert row[0] == body["status"]
    assert "application/problem+json" == response.headers["content-type"]
    assert "req_1" == response.headers["x-request-id"] == body["requestId"]
    assert (row[0] in {429, 503}) is ("retry-after" in response.headers)


def test_refused_keys_of_ours_are_unavailable() -> None:
    """Answer 503 without Retry-After where a provider refuses our own keys."""
    error = OperationError(ErrorType.AUTH, "KEYS", "refused", scope=ErrorScope.CLIENT)

    assert 503 == status_of(error)
    assert "retry-after" not in problem(error, "req_1").headers


@pytest.mark.parametrize(
    ("retry_after_s", "header"), [(None, "1"), (0.0, "1"), (0.2, "1"), (1.2, "2"), (60.0, "60")]
)
def test_wait_is_whole_seconds_rounded_up(retry_after_s: float | None, header: str) -> None:
    """Round Retry-After up to whole seconds, and never below one."""
    error = OperationError(ErrorType.PROVIDER_DOWN, "DOWN", "down", retry_after_s=retry_after_s)

    assert header == problem(error, "req_1").headers["retry-after"]


def test_document_has_every_member() -> None:
    """Give all members of the contract, the request's own story among them."""
    error = OperationError(
        ErrorType.AUTH,
        "LOGIN",
        "log in again",
        provider="plaid",
        scope=ErrorScope.CONNECTION,
        user_action="log in at the bank",
    )
    body = problem_body(error, "req_1", {"operation": "getAccounts", "attempts": [1]})

    assert {
        "type": "urn:provider-orchestrator:error:auth",
        "title": "The institution needs the end user",
        "status": 424,
        "detail": "log in again",
        "success": False,
        "requestId": "req_1",
        "error": {
            "type": "auth",
            "code": "LOGIN",
            "message": "log in again",
            "retryable": False,
            "provider": "plaid",
            "scope": "connection",
            "retryAfterS": None,
            "userAction": "log in at the bank",
        },
        "operation": "getAccounts",
        "attempts": [1],
    } == body


def test_missing_key_is_told_how_to_authenticate() -> None:
    """Name the scheme on a 401."""
    error = OperationError(ErrorType.UNAUTHORIZED, "UNAUTHORIZED", "no key")

    assert "Bearer" == problem(error, "req_1").headers["www-authenticate"]


def test_own_fault_has_the_same_members() -> None:
    """Shape a fault of our own as every other problem, without saying what broke."""
    usual = problem_body(OperationError(ErrorType.NETWORK, "CODE", "message"), "req_1")
    own = internal_body("req_1")

    assert set(usual) == set(own)
    assert isinstance(usual["error"], dict)
    assert isinstance(own["error"], dict)
    assert set(usual["error"]) == set(own["error"])
    assert 500 == own["status"]
