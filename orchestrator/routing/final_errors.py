"""What a request that failed is told, in the contract's words."""

from dataclasses import replace

from orchestrator.domain import ErrorType, Failure, OperationError

from .eligibility import Candidate

__all__ = ["all_limited", "all_skipped", "deadline_passed", "of_last"]


def deadline_passed(last: tuple[Candidate, Failure] | None) -> OperationError:
    """The deadline came first; the last failure's provider and scope are told."""
    return OperationError(
        type=ErrorType.DEADLINE,
        code="DEADLINE",
        message="the deadline passed before a provider had answered; give a longer deadlineMs",
        provider=None if last is None else last[0].provider,
        scope=None if last is None else last[1].scope,
    )


def of_last(last: tuple[Candidate, Failure], retry_after_s: float | None) -> OperationError:
    """The error of the last attempt sent, with the soonest that any candidate may be tried again."""
    candidate, failure = last
    error = OperationError.of(failure, candidate.provider)
    return replace(error, retry_after_s=retry_after_s) if error.retryable else error


def all_skipped(retry_after_s: float | None) -> OperationError:
    """Nothing was sent, and circuits were in the way of it."""
    return OperationError(
        type=ErrorType.PROVIDER_DOWN,
        code="ALL_SKIPPED",
        message="no provider that could answer this takes calls at the moment",
        retry_after_s=retry_after_s,
    )


def all_limited(retry_after_s: float | None, *, queues_full: bool) -> OperationError:
    """Nothing was sent, and only limits were in the way: the vendors', or our own queues' length."""
    if queues_full:
        return OperationError(
            type=ErrorType.OVERLOADED,
            code="QUEUE_FULL",
            message="too many requests wait for the providers that could answer this",
            retry_after_s=retry_after_s,
        )
    return OperationError(
        type=ErrorType.RATE_LIMIT,
        code="ALL_LIMITED",
        message="every provider that could answer this is at its rate limit",
        retry_after_s=retry_after_s,
    )
