"""The operator's states: the machine waits until it is handed back."""

import pytest
from resilience_builders import call, fail_times, permitted

from orchestrator.domain import CircuitState, IneligibilityReason
from orchestrator.resilience import (
    CircuitBreaker,
    Control,
    OpenCause,
    Rejection,
    Transition,
    Verdict,
)


def test_forced_open_rejects_for_as_long_as_it_takes() -> None:
    """Time changes nothing, and panic does not pass."""
    breaker = CircuitBreaker()

    moved = breaker.force(Control.FORCED_OPEN, 0.0, "vendor maintenance")

    assert moved == (
        Transition(CircuitState.CLOSED, CircuitState.FORCED_OPEN, "operator: vendor maintenance"),
    )
    answer = breaker.try_acquire(1e9, panic=True)
    assert answer == Rejection(OpenCause.FORCED, None)
    assert answer.reason is IneligibilityReason.FORCED_OPEN
    assert breaker.snapshot(5e8).opened_for_s == 1e9
    assert repr(breaker) == "CircuitBreaker(FORCED_OPEN)"


def test_forced_closed_lets_everything_through_and_counts_nothing() -> None:
    """A hundred failures later it is as it was."""
    breaker = CircuitBreaker()
    fail_times(breaker, 5, 0.0)
    breaker.force(Control.FORCED_CLOSED, 1.0, "we know")

    assert fail_times(breaker, 100, 2.0) == ()

    snapshot = breaker.snapshot(2.0)
    assert snapshot.state is CircuitState.FORCED_CLOSED
    assert snapshot.consecutive_failures == 0
    assert snapshot.opened_for_s is None
    assert snapshot.retry_after_s == 0.0


@pytest.mark.parametrize("control", [Control.FORCED_OPEN, Control.FORCED_CLOSED])
def test_auto_hands_back_a_closed_circuit_with_counts_at_zero(control: Control) -> None:
    """Whatever was before, it starts afresh."""
    breaker = CircuitBreaker()
    fail_times(breaker, 5, 0.0)
    breaker.force(control, 1.0, "drill")

    (moved,) = breaker.force(Control.AUTO, 2.0, "drill over")

    assert moved == Transition(
        CircuitState(control.value), CircuitState.CLOSED, "operator: drill over"
    )
    assert fail_times(breaker, 4, 3.0) == ()
    assert len(fail_times(breaker, 1, 3.0)) == 1
    assert breaker.remaining_delay_s(3.0) == 60.0


def test_auto_on_a_closed_circuit_zeroes_the_count_and_logs_nothing() -> None:
    """No change of state, no entry; still a new generation."""
    breaker = CircuitBreaker()
    fail_times(breaker, 4, 0.0)
    late = permitted(breaker, 0.0)

    assert breaker.force(Control.AUTO, 1.0, "reset") == ()

    breaker.record(late, Verdict.FAILURE, 2.0)
    assert breaker.snapshot(2.0).consecutive_failures == 0


def test_auto_forgets_how_far_the_interval_had_grown() -> None:
    """The next outage begins with the timeout."""
    breaker = CircuitBreaker()
    fail_times(breaker, 5, 0.0)
    call(breaker, Verdict.FAILURE, 60.0)
    breaker.force(Control.AUTO, 61.0, "mended")

    fail_times(breaker, 5, 62.0)

    assert breaker.remaining_delay_s(62.0) == 60.0


def test_forcing_twice_logs_once() -> None:
    """The second time nothing changes."""
    breaker = CircuitBreaker()
    breaker.force(Control.FORCED_OPEN, 0.0, "a")

    assert breaker.force(Control.FORCED_OPEN, 1.0, "b") == ()


@pytest.mark.parametrize("control", [Control.FORCED_OPEN, Control.FORCED_CLOSED])
def test_a_trip_leaves_a_forced_circuit_to_the_operator(control: Control) -> None:
    """Even refused keys do not overrule a person."""
    breaker = CircuitBreaker()
    breaker.force(control, 0.0, "mine")

    assert breaker.trip(1.0, "our keys were refused", None) == ()

    assert breaker.state is CircuitState(control.value)


def test_results_of_calls_from_before_the_switch_are_late() -> None:
    """A failure admitted before does not count after."""
    breaker = CircuitBreaker()
    permits = [permitted(breaker, 0.0) for _ in range(5)]
    breaker.force(Control.FORCED_CLOSED, 1.0, "x")
    breaker.force(Control.AUTO, 2.0, "y")

    moved = [breaker.record(permit, Verdict.FAILURE, 3.0) for permit in permits]

    assert moved == [()] * 5
    assert breaker.state is CircuitState.CLOSED
