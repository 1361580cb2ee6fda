"""Failures and errors: their words, and their way between processes."""

import pickle  # noqa: TID251  what Ray does to every message
from dataclasses import fields

import examples
import pytest

from orchestrator import domain
from orchestrator.domain import (
    ErrorClass,
    ErrorScope,
    ErrorType,
    Failure,
    OperationError,
    OrchestratorError,
    ProviderFailure,
    RequestRefused,
    WebhookRefusal,
    WebhookRefused,
)

FAILURE = Failure(
    error_class=ErrorClass.RATE_LIMIT,
    scope=ErrorScope.CLIENT,
    code="QUOTA",
    message="too many calls",
    elsewhere=True,
    http_status=429,
    retry_after_s=2.5,
    user_action="wait",
    provider_request_id="r-1",
    sent=False,
)


def copied(value: object) -> object:
    """The value at the other end of a message between processes."""
    return pickle.loads(pickle.dumps(value))


def all_errors(kind: type[OrchestratorError]) -> list[type[OrchestratorError]]:
    """An exception class and everything below it."""
    return [kind, *(below for sub in kind.__subclasses__() for below in all_errors(sub))]


def example_of(kind: type[OrchestratorError]) -> OrchestratorError:
    """An exception of this class, well filled."""
    if issubclass(kind, ProviderFailure):
        return kind(FAILURE)
    if issubclass(kind, RequestRefused):
        return kind(examples.ERROR)
    if issubclass(kind, WebhookRefused):
        return kind(WebhookRefusal.TOO_SOON, 2.5)
    return kind("say what to mend")


def domain_errors() -> list[type[OrchestratorError]]:
    """The tree as this package draws it."""
    return [
        kind for kind in all_errors(OrchestratorError) if kind.__module__ == domain.errors.__name__
    ]


def test_the_examples_leave_no_field_at_its_default() -> None:
    """Else a field that is lost on the way would go unnoticed."""
    for value in (FAILURE, examples.ERROR):
        kept = [f.name for f in fields(value) if getattr(value, f.name) == f.default]
        assert kept == []


@pytest.mark.parametrize("kind", domain_errors(), ids=lambda kind: kind.__name__)
def test_every_exception_survives_pickling(kind: type[OrchestratorError]) -> None:
    """Class, text and what it carries are the same at the other end."""
    error = example_of(kind)
    other = copied(error)

    assert type(other) is kind
    assert str(error) == str(other)
    assert vars(error) == vars(other)
    assert isinstance(other, OrchestratorError)
    assert error.args == other.args


@pytest.mark.parametrize("value", [FAILURE, examples.ERROR, *examples.VALUES])
def test_every_frozen_value_survives_pickling(value: object) -> None:
    """It is equal to itself at the other end, in all its fields."""
    assert value == copied(value)


def test_the_tree_is_as_drawn() -> None:
    """Callers can catch the whole of it, or the part they care for."""
    drawn = "OrchestratorError ConfigurationError NotRunning StoreError QueryRefused"

    assert [*drawn.split(), "ProviderFailure", "RequestRefused", "WebhookRefused"] == [
        kind.__name__ for kind in domain_errors()
    ]


def test_carriers_tell_class_scope_and_code() -> None:
    """What is logged of an exception says who is to blame."""
    assert str(ProviderFailure(FAILURE)) == "rate_limit/client QUOTA: too many calls"
    assert (
        str(RequestRefused(examples.ERROR))
        == "auth ITEM_LOGIN_REQUIRED: the user must sign in again"
    )
    assert str(WebhookRefused(WebhookRefusal.UNPROVEN)) == "unproven"


@pytest.mark.parametrize("error_type", ErrorType)
def test_retryable_types_are_those_of_the_contract(error_type: ErrorType) -> None:
    """Five of them, and an error is as retryable as its type."""
    retryable = error_type in {"rate_limit", "network", "provider_down", "deadline", "overloaded"}

    assert retryable == error_type.retryable
    assert retryable == OperationError(error_type, "CODE", "message").retryable


@pytest.mark.parametrize("error_class", ErrorClass)
def test_classes_of_attempts_agree_with_types_of_requests(error_class: ErrorClass) -> None:
    """A request that fails as its last attempt did is as retryable as that."""
    failure = Failure(error_class, ErrorScope.PROVIDER, "CODE", "message")

    assert failure.retryable == OperationError.of(failure, "mx").retryable


def test_a_requests_error_keeps_what_its_last_attempt_told() -> None:
    """Code, message, blame, wait and advice, and whose they are."""
    assert OperationError.of(FAILURE, "mx") == OperationError(
        type=ErrorType.RATE_LIMIT,
        code="QUOTA",
        message="too many calls",
        provider="mx",
        scope=ErrorScope.CLIENT,
        retry_after_s=2.5,
        user_action="wait",
    )


def test_only_reads_may_move_between_connections() -> None:
    """Data operations read an existing connection, the others make one."""
    reading = {op.value for op in domain.Operation if op.reads_data}

    assert reading == {"getAccounts", "syncTransactions"}
