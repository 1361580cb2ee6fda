"""The closed state: everything passes, failures in a row are counted."""

import pytest
from resilience_builders import call, fail_times, permitted

from orchestrator.domain import CircuitState
from orchestrator.resilience import (
    BreakerOptions,
    CircuitBreaker,
    OpenCause,
    Rejection,
    Transition,
    Verdict,
)


def test_a_new_breaker_is_closed_and_permits() -> None:
    """Nothing has to happen before the first call."""
    breaker = CircuitBreaker()

    assert repr(breaker) == "CircuitBreaker(CLOSED, 0/5 failures)"
    assert breaker.remaining_delay_s(0.0) == 0.0
    assert breaker.is_idle()

    permit = permitted(breaker, 0.0)

    assert not permit.probe
    assert not breaker.is_idle()


def test_it_opens_at_the_threshold_and_not_before() -> None:
    """The fifth failure in a row opens it, for exactly the timeout."""
    # Given a closed breaker
    breaker = CircuitBreaker()

    # When four calls fail
    for failures in range(1, 5):
        moved = call(breaker, Verdict.FAILURE, 10.0)

        # Then it stays closed and counts
        assert moved == ()
        assert repr(breaker) == f"CircuitBreaker(CLOSED, {failures}/5 failures)"

    # When the fifth fails
    moved = call(breaker, Verdict.FAILURE, 10.0, jitter_ratio=1.0)

    # Then it opens, and jitter has no say in the first interval
    assert moved == (Transition(CircuitState.CLOSED, CircuitState.OPEN, "5 consecutive failures"),)
    assert repr(breaker) == "CircuitBreaker(OPEN by failures, probe in 60.0 s)"


def test_a_success_sets_the_count_to_zero() -> None:
    """Only failures in a row count."""
    breaker = CircuitBreaker()
    fail_times(breaker, 4, 0.0)

    call(breaker, Verdict.SUCCESS, 0.0)

    assert breaker.snapshot(0.0).consecutive_failures == 0
    assert fail_times(breaker, 4, 0.0) == ()


def test_a_neutral_verdict_leaves_the_count_as_it_is() -> None:
    """Neutral neither adds a failure nor interrupts the row."""
    breaker = CircuitBreaker()
    fail_times(breaker, 4, 0.0)

    call(breaker, Verdict.NEUTRAL, 0.0)

    assert breaker.snapshot(0.0).consecutive_failures == 4
    assert len(fail_times(breaker, 1, 0.0)) == 1


def test_concurrent_calls_count_in_the_order_of_their_reports() -> None:
    """Five calls admitted together open it when all five have failed; the sixth is late."""
    breaker = CircuitBreaker()
    permits = [permitted(breaker, 0.0) for _ in range(6)]

    moved = [breaker.record(permit, Verdict.FAILURE, 1.0) for permit in permits]

    assert [len(transitions) for transitions in moved] == [0, 0, 0, 0, 1, 0]
    assert breaker.generation == 1


def test_a_permit_counts_once() -> None:
    """A second report of the same permit is ignored."""
    breaker = CircuitBreaker()
    permit = permitted(breaker, 0.0)
    breaker.record(permit, Verdict.FAILURE, 0.0)

    breaker.record(permit, Verdict.FAILURE, 0.0)

    assert breaker.snapshot(0.0).consecutive_failures == 1


def test_a_result_after_its_lease_counts_nowhere() -> None:
    """Who reports after the lease was taken for lost."""
    breaker = CircuitBreaker(BreakerOptions(permit_lease_s=10.0))
    permit = permitted(breaker, 0.0)

    breaker.record(permit, Verdict.FAILURE, 10.0)

    assert breaker.snapshot(10.0).consecutive_failures == 0
    assert breaker.is_idle()


def test_forgiving_sets_the_count_to_zero() -> None:
    """A wider circuit may explain what was counted here."""
    breaker = CircuitBreaker()
    fail_times(breaker, 4, 0.0)

    breaker.forgive()

    assert repr(breaker) == "CircuitBreaker(CLOSED, 0/5 failures)"


def test_a_threshold_of_one_reads_well_in_the_log() -> None:
    """One is not plural."""
    breaker = CircuitBreaker(BreakerOptions(failure_threshold=1))

    (opened,) = fail_times(breaker, 1, 0.0)

    assert opened.reason == "1 consecutive failure"


def test_time_never_goes_back() -> None:
    """An earlier `now` is taken as the last one seen."""
    breaker = CircuitBreaker()
    fail_times(breaker, 5, 100.0)

    answer = breaker.try_acquire(50.0)

    assert answer == Rejection(OpenCause.FAILURES, 60.0)
    assert breaker.snapshot(50.0).opened_for_s == 0.0


@pytest.mark.parametrize("ratio", [-0.1, 1.1, float("nan")])
def test_jitter_out_of_range_is_a_programming_error(ratio: float) -> None:
    """Jitter is a ratio, 0 to 1, and nothing is counted when it is not."""
    breaker = CircuitBreaker()
    permit = permitted(breaker, 0.0)

    with pytest.raises(ValueError, match="jitter_ratio"):
        breaker.record(permit, Verdict.FAILURE, 0.0, jitter_ratio=ratio)

    assert breaker.is_current(permit)
