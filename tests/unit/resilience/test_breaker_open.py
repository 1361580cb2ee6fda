"""The open state: nothing passes until the interval is over."""

import pytest
from resilience_builders import call, fail_times, permitted

from orchestrator.domain import CircuitState, IneligibilityReason
from orchestrator.resilience import (
    BreakerOptions,
    CircuitBreaker,
    OpenCause,
    Permit,
    Rejection,
    Transition,
    Verdict,
)


@pytest.fixture
def opened() -> CircuitBreaker:
    """A breaker that failures opened at second 0."""
    breaker = CircuitBreaker()
    fail_times(breaker, 5, 0.0)
    return breaker


def test_it_rejects_with_the_time_that_is_left(opened: CircuitBreaker) -> None:
    """A rejection says why and when to come back."""
    for now, left_s in ((0.0, 60.0), (20.0, 40.0), (59.5, 0.5)):
        answer = opened.try_acquire(now)

        assert answer == Rejection(OpenCause.FAILURES, left_s)
        assert answer.reason is IneligibilityReason.CIRCUIT_OPEN


def test_it_becomes_half_open_exactly_when_the_interval_is_over(opened: CircuitBreaker) -> None:
    """Not a moment before 60 s, and at 60 s."""
    assert isinstance(opened.try_acquire(59.999), Rejection)

    answer = opened.try_acquire(60.0)

    assert isinstance(answer, Permit)
    assert answer.probe
    assert answer.transitions == (
        Transition(CircuitState.OPEN, CircuitState.HALF_OPEN, "open interval over"),
    )


def test_observing_makes_it_half_open_without_a_call(opened: CircuitBreaker) -> None:
    """The change shows in the log although nobody calls."""
    assert opened.observe(59.0) == ()

    (moved,) = opened.observe(61.0)

    assert moved.to_state is CircuitState.HALF_OPEN


def test_late_results_of_calls_from_before_it_opened_are_ignored() -> None:
    """Neither a late success nor a late failure touches an open circuit."""
    breaker = CircuitBreaker()
    late = [permitted(breaker, 0.0) for _ in range(2)]
    fail_times(breaker, 5, 0.0)
    before = breaker.snapshot(1.0)

    assert breaker.record(late[0], Verdict.SUCCESS, 1.0) == ()
    assert breaker.record(late[1], Verdict.FAILURE, 1.0) == ()

    assert breaker.snapshot(1.0) == before


def test_a_snapshot_changes_nothing(opened: CircuitBreaker) -> None:
    """A circuit that is due shows as OPEN with nothing left to wait."""
    snapshot = opened.snapshot(70.0)

    assert snapshot.state is CircuitState.OPEN
    assert snapshot.cause is OpenCause.FAILURES
    assert snapshot.opened_for_s == 70.0
    assert snapshot.retry_after_s == 0.0
    assert opened.state is CircuitState.OPEN


def test_a_call_in_panic_passes_and_its_success_ends_the_interval(opened: CircuitBreaker) -> None:
    """One good answer is reason enough to probe, and no more than that."""
    # Given a call let through the open circuit
    permit = opened.try_acquire(5.0, panic=True)
    assert isinstance(permit, Permit)
    assert permit.panic
    assert not permit.probe
    assert opened.state is CircuitState.OPEN

    # When it succeeds
    moved = opened.record(permit, Verdict.SUCCESS, 6.0)

    # Then the circuit is half-open with nothing counted
    assert moved == (
        Transition(CircuitState.OPEN, CircuitState.HALF_OPEN, "a call in panic succeeded"),
    )
    assert opened.snapshot(6.0).probe_successes == 0


def test_a_call_in_panic_that_fails_changes_nothing(opened: CircuitBreaker) -> None:
    """The interval neither grows nor starts again."""
    permit = opened.try_acquire(5.0, panic=True)
    assert isinstance(permit, Permit)

    assert opened.record(permit, Verdict.FAILURE, 6.0) == ()

    assert opened.remaining_delay_s(6.0) == 54.0


def test_a_success_in_panic_is_late_once_the_interval_is_over(opened: CircuitBreaker) -> None:
    """By then real probes decide."""
    permit = opened.try_acquire(5.0, panic=True)
    assert isinstance(permit, Permit)

    (moved,) = opened.record(permit, Verdict.SUCCESS, 61.0)

    assert moved.reason == "open interval over"
    assert opened.snapshot(61.0).probe_successes == 0


def test_a_trip_opens_at_once() -> None:
    """Refused keys open a closed circuit without counting."""
    breaker = CircuitBreaker()

    moved = breaker.trip(0.0, "our keys were refused", 600.0)

    assert moved == (Transition(CircuitState.CLOSED, CircuitState.OPEN, "our keys were refused"),)
    assert breaker.try_acquire(1.0) == Rejection(OpenCause.CLIENT, 599.0)
    assert repr(breaker) == "CircuitBreaker(OPEN by client, probe in 599.0 s)"


def test_a_tripped_circuit_does_not_panic() -> None:
    """Panic is for failures; refused keys stay refused."""
    breaker = CircuitBreaker()
    breaker.trip(0.0, "our keys were refused", 600.0)

    assert isinstance(breaker.try_acquire(1.0, panic=True), Rejection)


def test_without_a_probe_only_the_operator_closes_it() -> None:
    """`probe_after_s` of None means never by time."""
    breaker = CircuitBreaker()
    breaker.trip(0.0, "our keys were refused", None)

    answer = breaker.try_acquire(1e9)

    assert answer == Rejection(OpenCause.CLIENT, None)
    assert repr(breaker) == "CircuitBreaker(OPEN by client, no probe)"


def test_a_trip_of_a_circuit_open_by_failures_changes_its_cause(opened: CircuitBreaker) -> None:
    """It stays open, and the log says that the reason is another one now."""
    (moved,) = opened.trip(10.0, "our keys were refused", 600.0)

    assert moved == Transition(CircuitState.OPEN, CircuitState.OPEN, "our keys were refused")
    assert opened.snapshot(10.0).cause is OpenCause.CLIENT
    assert opened.snapshot(10.0).opened_for_s == 10.0


def test_a_second_trip_only_starts_the_wait_again() -> None:
    """No change, no entry in the log."""
    breaker = CircuitBreaker()
    breaker.trip(0.0, "our keys were refused", 600.0)

    assert breaker.trip(100.0, "our keys were refused", 600.0) == ()

    assert breaker.remaining_delay_s(100.0) == 600.0


def test_a_failed_probe_of_a_tripped_circuit_waits_as_long_again() -> None:
    """Intervals after a trip do not grow and take no jitter."""
    breaker = CircuitBreaker(BreakerOptions(max_timeout_s=86_400.0))
    breaker.trip(0.0, "our keys were refused", 600.0)

    for started in (600.0, 1200.0):
        moved = call(breaker, Verdict.FAILURE, started, jitter_ratio=1.0)

        assert [m.reason for m in moved] == ["open interval over", "probe failed"]
        assert breaker.remaining_delay_s(started) == 600.0
        assert breaker.snapshot(started).cause is OpenCause.CLIENT


def test_calls_in_panic_are_as_few_at_once_as_probes() -> None:
    """A provider that is down is not sent all that there is, only because all others are down too."""
    breaker = CircuitBreaker(BreakerOptions(half_open_permits=2, permit_lease_s=30.0))
    fail_times(breaker, 5, 0.0)
    first, _ = (breaker.try_acquire(1.0, panic=True) for _ in range(2))
    assert isinstance(first, Permit)

    third = breaker.try_acquire(1.0, panic=True)

    assert isinstance(third, Rejection)
    assert 59.0 == third.retry_after_s
    breaker.record(first, Verdict.FAILURE, 2.0)
    assert isinstance(breaker.try_acquire(2.0, panic=True), Permit)
    assert isinstance(breaker.try_acquire(2.0, panic=True), Rejection)
    # Those of callers that died come free with their lease.
    assert isinstance(breaker.try_acquire(31.0, panic=True), Permit)


def test_a_success_in_panic_leaves_room_for_probes() -> None:
    """Who was let through in the open phase counts no more once it is over."""
    breaker = CircuitBreaker()
    fail_times(breaker, 5, 0.0)
    panicking = breaker.try_acquire(1.0, panic=True)
    assert isinstance(panicking, Permit)
    breaker.record(panicking, Verdict.SUCCESS, 2.0)

    probe, beside = breaker.try_acquire(2.0), breaker.try_acquire(2.0, panic=True)

    assert isinstance(probe, Permit)
    assert probe.probe
    assert isinstance(beside, Permit)
    assert beside.panic
