"""The half-open state: a few probes decide."""

import pytest
from resilience_builders import call, fail_times, permitted

from orchestrator.domain import CircuitState
from orchestrator.resilience import (
    BreakerOptions,
    CircuitBreaker,
    OpenCause,
    Permit,
    Rejection,
    Transition,
    Verdict,
)


def half_open(options: BreakerOptions | None = None) -> CircuitBreaker:
    """A breaker whose open interval ended at second 60."""
    breaker = CircuitBreaker(options)
    fail_times(breaker, breaker.options.failure_threshold, 0.0)
    breaker.observe(60.0)
    return breaker


def test_probes_in_flight_are_bounded() -> None:
    """With one probe out, the next caller is sent away for a short while."""
    breaker = half_open()
    permitted(breaker, 60.0)

    answer = breaker.try_acquire(60.0)

    assert answer == Rejection(OpenCause.FAILURES, 1.0)
    assert repr(breaker) == ("CircuitBreaker(HALF_OPEN, 0/2 successes, 1/1 probes in flight)")


def test_several_probes_may_be_out_where_the_options_say_so() -> None:
    """`half_open_permits` is the bound."""
    breaker = half_open(BreakerOptions(half_open_permits=3))

    answers = [breaker.try_acquire(60.0) for _ in range(4)]

    assert [isinstance(answer, Permit) for answer in answers] == [True, True, True, False]


def test_the_wait_for_a_probe_is_never_longer_than_the_timeout() -> None:
    """A circuit that opens for milliseconds sends nobody away for a second."""
    breaker = CircuitBreaker(BreakerOptions(failure_threshold=1, timeout_s=0.01))
    fail_times(breaker, 1, 0.0)
    permitted(breaker, 1.0)

    assert breaker.remaining_delay_s(1.0) == 0.01


def test_it_closes_at_the_success_threshold_and_not_before() -> None:
    """Two probes must succeed, one after the other."""
    # Given a half-open breaker
    breaker = half_open()

    # When the first probe succeeds
    assert call(breaker, Verdict.SUCCESS, 60.0) == ()

    # Then it is still half-open
    assert breaker.state is CircuitState.HALF_OPEN
    assert breaker.snapshot(60.0).probe_successes == 1
    assert breaker.snapshot(61.0).opened_for_s == 61.0

    # When the second succeeds
    moved = call(breaker, Verdict.SUCCESS, 62.0)

    # Then it is closed with nothing counted
    assert moved == (
        Transition(CircuitState.HALF_OPEN, CircuitState.CLOSED, "2 successful probes"),
    )
    assert repr(breaker) == "CircuitBreaker(CLOSED, 0/5 failures)"
    assert breaker.snapshot(62.0).opened_for_s is None
    assert breaker.snapshot(62.0).cause is None


def test_a_failed_probe_opens_it_whatever_was_counted() -> None:
    """One success before does not help."""
    breaker = half_open()
    call(breaker, Verdict.SUCCESS, 60.0)

    moved = call(breaker, Verdict.FAILURE, 61.0)

    assert moved == (Transition(CircuitState.HALF_OPEN, CircuitState.OPEN, "probe failed"),)


def test_the_interval_doubles_with_each_failed_probe_up_to_the_cap() -> None:
    """60, 120, 240, 480, 600, 600 seconds, where ten minutes are the cap."""
    breaker = half_open(BreakerOptions(max_timeout_s=600.0))
    now, intervals = 60.0, []

    for _ in range(5):
        call(breaker, Verdict.FAILURE, now)
        interval_s = breaker.remaining_delay_s(now)
        assert interval_s is not None
        intervals.append(interval_s)
        now += interval_s

    assert intervals == [120.0, 240.0, 480.0, 600.0, 600.0]


def test_a_dead_provider_is_asked_every_two_minutes_as_shipped() -> None:
    """The interval doubles once, and no recovery goes unseen for longer than that."""
    breaker = half_open()
    now = 60.0

    for _ in range(3):
        call(breaker, Verdict.FAILURE, now)
        assert breaker.remaining_delay_s(now) == 120.0
        now += 120.0


def test_jitter_makes_grown_intervals_longer_and_does_not_add_up() -> None:
    """The next interval doubles what was there before jitter."""
    breaker = half_open(BreakerOptions(max_timeout_s=600.0))

    call(breaker, Verdict.FAILURE, 60.0, jitter_ratio=0.5)
    assert breaker.remaining_delay_s(60.0) == 180.0

    call(breaker, Verdict.FAILURE, 240.0, jitter_ratio=0.0)
    assert breaker.remaining_delay_s(240.0) == 240.0


def test_after_it_has_closed_the_first_interval_is_the_timeout_again() -> None:
    """Growth belongs to one outage."""
    breaker = half_open()
    call(breaker, Verdict.FAILURE, 60.0)
    call(breaker, Verdict.SUCCESS, 180.0)
    call(breaker, Verdict.SUCCESS, 180.0)
    assert breaker.state is CircuitState.CLOSED

    fail_times(breaker, 5, 200.0)

    assert breaker.remaining_delay_s(200.0) == 60.0


def test_a_neutral_probe_gives_its_slot_back_and_decides_nothing() -> None:
    """The next caller probes instead."""
    breaker = half_open()
    call(breaker, Verdict.NEUTRAL, 60.0)

    assert repr(breaker) == "CircuitBreaker(HALF_OPEN, 0/2 successes, 0/1 probes in flight)"
    assert not breaker._probes
    assert permitted(breaker, 60.0).probe


def test_a_late_success_from_before_the_trip_does_not_close_it() -> None:
    """A slow answer of an older generation is no probe."""
    breaker = CircuitBreaker(BreakerOptions(success_threshold=1))
    slow = permitted(breaker, 0.0)
    fail_times(breaker, 5, 0.0)
    breaker.observe(60.0)

    assert breaker.record(slow, Verdict.SUCCESS, 61.0) == ()

    assert breaker.state is CircuitState.HALF_OPEN


def test_a_probe_of_the_last_half_open_phase_holds_no_slot_in_this_one() -> None:
    """A lost probe cannot keep later phases from probing."""
    breaker = half_open(BreakerOptions(half_open_permits=2))
    lost = permitted(breaker, 60.0)
    call(breaker, Verdict.FAILURE, 60.0)
    breaker.observe(180.0)

    assert breaker.snapshot(180.0).probes_in_flight == 0
    assert breaker.record(lost, Verdict.SUCCESS, 181.0) == ()
    assert breaker.snapshot(181.0).probe_successes == 0


def test_a_probe_that_nobody_reports_is_released_when_its_lease_ends() -> None:
    """A caller that died cannot keep the circuit half-open for ever."""
    breaker = half_open(BreakerOptions(permit_lease_s=100.0))
    permitted(breaker, 60.0)
    assert isinstance(breaker.try_acquire(159.9), Rejection)

    answer = breaker.try_acquire(160.0)

    assert isinstance(answer, Permit)
    assert answer.probe


def test_a_snapshot_knows_of_a_lease_that_has_ended_since() -> None:
    """Nobody has to touch the circuit for a router to see that it may be probed again."""
    breaker = half_open(BreakerOptions(permit_lease_s=100.0))
    permitted(breaker, 60.0)
    assert breaker.snapshot(159.9).retry_after_s == 1.0

    snapshot = breaker.snapshot(160.0)

    assert snapshot.retry_after_s == 0.0
    assert snapshot.probes_in_flight == 0


def test_a_call_in_panic_beside_the_probes_decides_nothing() -> None:
    """Only probes close or open a half-open circuit."""
    breaker = half_open(BreakerOptions(success_threshold=1))
    permitted(breaker, 60.0)

    for verdict in (Verdict.SUCCESS, Verdict.FAILURE):
        permit = breaker.try_acquire(60.0, panic=True)
        assert isinstance(permit, Permit)
        assert permit.panic

        assert breaker.record(permit, verdict, 60.0) == ()

    assert breaker.snapshot(60.0).probes_in_flight == 1


def test_it_is_idle_only_once_nothing_of_an_earlier_generation_can_come_back() -> None:
    """A closed circuit keeps its memory for as long as a permit lives."""
    breaker = half_open(BreakerOptions(permit_lease_s=100.0, success_threshold=1))
    call(breaker, Verdict.SUCCESS, 60.0)
    assert breaker.state is CircuitState.CLOSED

    breaker.observe(159.0)
    assert not breaker.is_idle()

    breaker.observe(160.0)
    assert breaker.is_idle()


@pytest.mark.parametrize("threshold", [1, 3])
def test_the_log_counts_the_probes(threshold: int) -> None:
    """The reason names how many probes it took."""
    breaker = half_open(BreakerOptions(success_threshold=threshold))

    moved = [m for _ in range(threshold) for m in call(breaker, Verdict.SUCCESS, 60.0)]

    expected = {1: "1 successful probe", 3: "3 successful probes"}
    assert [expected[threshold]] == [m.reason for m in moved]
