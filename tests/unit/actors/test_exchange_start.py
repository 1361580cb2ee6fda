"""Answers to exchanges that are not sent."""

import pytest

from actors.exchange_start import in_doubt_error, not_started
from orchestrator.domain import ConnectionStatus, ErrorType, ExchangeData, OperationError
from orchestrator.vault import (
    ConnectionRecord,
    ExchangeBusy,
    ExchangeDone,
    ExchangeExpired,
    ExchangeInDoubt,
    ExchangeStart,
    ExchangeUnknown,
)


def test_done_exchange_answers_its_connection() -> None:
    """Answer the connection that the exchange made before."""
    record = ConnectionRecord(
        "conn_1", "s", "mx", "US", "ins_chase", ConnectionStatus.ACTIVE, 1, (), 0.0, None
    )
    answer = not_started(ExchangeDone(record)).answer

    assert ExchangeData("conn_1", "mx", "ins_chase", ConnectionStatus.ACTIVE) == answer


@pytest.mark.parametrize(
    ("start", "error_type"),
    [
        (ExchangeBusy(), ErrorType.CONFLICT),
        (ExchangeUnknown(), ErrorType.NOT_FOUND),
        (ExchangeExpired(), ErrorType.NOT_FOUND),
        (ExchangeInDoubt(), ErrorType.IN_DOUBT),
    ],
)
def test_others_are_errors_of_their_own(start: ExchangeStart, error_type: ErrorType) -> None:
    """Tell a running, an unknown, an expired and a doubtful exchange apart."""
    answer = not_started(start).answer

    assert isinstance(answer, OperationError)
    assert error_type is answer.type


def test_doubt_says_what_to_do_next() -> None:
    """Tell both the program and the user how to go on after a doubt."""
    error = in_doubt_error("plaid")

    assert "plaid" == error.provider
    assert "createLink" in error.message
    assert error.user_action
    assert error.retryable is False
