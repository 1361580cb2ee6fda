"""Which error a request ends with, and when it may be sent again."""

import pytest
from routing_builders import (
    DOWN,
    MX,
    PLAID,
    T0,
    attempt,
    dispatched,
    failure,
    finished,
    limited,
    opened,
    plan_of,
)

from orchestrator.domain import ErrorScope, ErrorType, IneligibilityReason, OperationError
from orchestrator.routing import OTHER_LOGIN, Candidate, FailoverPlan, PlanOptions, Rejected

NO_RETRY = PlanOptions(same_provider_retry=False)


def error_of(plan: FailoverPlan, at: float = T0) -> OperationError:
    """The error that the plan must have ended with."""
    error = finished(plan, at).error
    assert error is not None
    return error


def test_the_last_attempts_error_is_told() -> None:
    """Not the first one's, and with all that is known of it."""
    plan = plan_of(PLAID, MX, options=NO_RETRY)
    attempt(plan, failure("network", code="RESET"))
    attempt(plan, failure("provider_down", "institution", code="BANK"))

    assert OperationError(
        ErrorType.PROVIDER_DOWN, "BANK", "made for a test", "mx", ErrorScope.INSTITUTION
    ) == error_of(plan)


def test_the_deadline_is_told_when_it_is_reached() -> None:
    """Nothing is dispatched past it, whoever is left, and the last provider is named."""
    plan = plan_of(PLAID, MX, deadline_s=30.0)
    plan.record(dispatched(plan), failure("network", code="DEADLINE"), T0 + 30.0)
    error = error_of(plan, T0 + 30.0)

    assert (ErrorType.DEADLINE, "plaid", True) == (error.type, error.provider, error.retryable)


def test_the_deadline_is_told_when_it_passed_before_anything_was_sent() -> None:
    """A request that waited too long elsewhere names no provider."""
    error = error_of(plan_of(PLAID, deadline_s=1.0), T0 + 1.0)

    assert (ErrorType.DEADLINE, None) == (error.type, error.provider)


def test_no_attempt_begins_with_nothing_left_to_run_in() -> None:
    """In the last instant before the deadline it counts as reached."""
    assert error_of(plan_of(PLAID, deadline_s=1.0), T0 + 0.999).type is ErrorType.DEADLINE


def test_all_limited_and_nothing_sent_is_a_rate_limit() -> None:
    """With the soonest time at which one has room."""
    plan = plan_of(blocked=((PLAID, limited(90.0)), (MX, limited(50.0))), deadline_s=10.0)
    error = error_of(plan, T0 + 1.0)

    assert (ErrorType.RATE_LIMIT, 49.0) == (error.type, error.retry_after_s)


def test_all_limited_without_a_time_is_a_rate_limit_too() -> None:
    """A limiter that names no time is a limiter still."""
    error = error_of(plan_of(blocked=((PLAID, limited(None)),), deadline_s=0.5))

    assert (ErrorType.RATE_LIMIT, None) == (error.type, error.retry_after_s)


def test_all_skipped_is_provider_down_with_the_soonest_retry() -> None:
    """Whether a circuit or a limit is done first."""
    plan = plan_of(
        blocked=((PLAID, opened(60.0)), (MX, limited(45.0))),
        deadline_s=10.0,
        options=PlanOptions(panic=False),
    )
    error = error_of(plan)

    assert (ErrorType.PROVIDER_DOWN, 45.0) == (error.type, error.retry_after_s)


def test_no_candidate_at_all_is_provider_down() -> None:
    """As when every provider lacks its keys."""
    error = error_of(plan_of())

    assert (ErrorType.PROVIDER_DOWN, None) == (error.type, error.retry_after_s)


def test_the_retry_time_is_the_latest_word_of_each_candidate() -> None:
    """A promise that its own guard has taken back is forgotten."""
    plan = plan_of(blocked=((PLAID, limited(1.0)),), deadline_s=10.0)
    attempt(plan, Rejected(IneligibilityReason.RATE_LIMITED, 300.0), T0 + 1.0)

    assert error_of(plan, T0 + 1.0).retry_after_s == 300.0


@pytest.mark.parametrize(("told_s", "expected_s"), [(300.0, 60.0), (30.0, 30.0), (None, None)])
def test_the_soonest_of_all_candidates_is_told_not_the_last_ones(
    told_s: float | None, expected_s: float | None
) -> None:
    """An open circuit may be due before the failed provider; who told no time may go at once."""
    plan = plan_of(PLAID, blocked=((MX, opened(60.0)),), options=NO_RETRY)
    attempt(plan, failure("provider_down", retry_after_s=told_s))

    assert expected_s == error_of(plan).retry_after_s


def test_refused_keys_do_not_count_as_ready_again() -> None:
    """Only candidates that time mends decide over the retry."""
    plan = plan_of(PLAID, MX, options=NO_RETRY)
    attempt(plan, failure("auth", "client", elsewhere=True))
    attempt(plan, failure("rate_limit", retry_after_s=20.0))

    assert error_of(plan).retry_after_s == 20.0


def test_an_error_that_time_does_not_mend_names_no_time() -> None:
    """Another's open circuit is no reason to come again with refused keys."""
    plan = plan_of(PLAID, blocked=((MX, opened(60.0)),))
    attempt(plan, failure("auth", "client", elsewhere=True))

    assert error_of(plan).retry_after_s is None


def test_candidates_of_two_connections_at_one_provider_are_told_apart() -> None:
    """Each has its own word on when it may be asked."""
    first, second = Candidate("mx", "con_1"), Candidate("mx", "con_2")
    plan = plan_of(first, second, options=NO_RETRY)
    attempt(plan, failure("rate_limit", retry_after_s=90.0))
    attempt(plan, failure("rate_limit", retry_after_s=120.0))

    assert error_of(plan).retry_after_s == 90.0


def test_a_failure_after_the_last_retry_is_told_in_full() -> None:
    """The retry's error, not the first one's."""
    plan = plan_of(PLAID)
    attempt(plan, DOWN)
    attempt(plan, failure("network", code="RESET"))

    assert error_of(plan).code == "RESET"


def test_a_stand_in_of_another_login_does_not_hide_why_it_was_needed() -> None:
    """The first provider's outage is told, not that the backup turned out to be somebody else's."""
    plan = plan_of(PLAID, MX, options=NO_RETRY)
    attempt(plan, failure("provider_down", "provider", code="OUTAGE"))
    attempt(plan, failure("validation", "request", code=OTHER_LOGIN, elsewhere=True))

    assert "OUTAGE" == error_of(plan).code
