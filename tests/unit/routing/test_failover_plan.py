"""Which attempt a plan wants next: order, numbers, times, retries, waits and panic."""

import pytest
from routing_builders import (
    DOWN,
    FINICITY,
    MX,
    PLAID,
    T0,
    attempt,
    dispatched,
    failure,
    finished,
    limited,
    opened,
    paused,
    plan_of,
    watched,
)

from orchestrator.domain import ErrorType, Failure, IneligibilityReason, Operation
from orchestrator.routing import Block, Candidate, PlanOptions, Rejected, Succeeded

RATE_LIMITED = IneligibilityReason.RATE_LIMITED
CIRCUIT_OPEN = IneligibilityReason.CIRCUIT_OPEN
ELSEWHERE = failure("auth", "client", elsewhere=True)


def test_the_first_success_ends_the_request() -> None:
    """Nobody else is asked after a success, and the end stays the end."""
    plan = plan_of(PLAID, MX)

    assert PLAID == attempt(plan, Succeeded).candidate
    assert finished(plan).error is None
    assert finished(plan, T0 + 99.0).error is None
    assert plan.attempts == 1


@pytest.mark.parametrize(
    "outcome",
    [DOWN, failure("network"), failure("rate_limit"), failure("network", code="ACTOR_LOST")],
)
def test_failover_goes_on_after_every_retryable_class(outcome: Failure) -> None:
    """The next candidate is asked at once, with the next number."""
    plan = plan_of(PLAID, MX, FINICITY)
    steps = [attempt(plan, outcome), attempt(plan, outcome), attempt(plan, Succeeded)]

    assert [PLAID, MX, FINICITY] == [step.candidate for step in steps]
    assert [1, 2, 3] == [step.attempt_number for step in steps]


@pytest.mark.parametrize(
    "outcome", [failure("auth", "connection"), failure("validation", "request")]
)
def test_failover_stops_after_a_failure_that_no_other_provider_mends(outcome: Failure) -> None:
    """A broken consent or request is told at once."""
    plan = plan_of(PLAID, MX)
    attempt(plan, outcome)
    error = finished(plan).error

    assert error is not None
    assert (outcome.error_class.value, "plaid") == (error.type, error.provider)
    assert outcome.user_action == error.user_action


def test_failover_goes_on_where_the_error_table_says_elsewhere() -> None:
    """Our keys refused at one provider do not stop another, and are not tried twice."""
    plan = plan_of(PLAID, MX)
    attempt(plan, ELSEWHERE)

    assert MX == attempt(plan, ELSEWHERE).candidate
    error = finished(plan).error
    assert error is not None
    assert (ErrorType.AUTH, "mx", None) == (error.type, error.provider, error.retry_after_s)


def test_no_retry_after_a_last_failure_that_is_not_retryable() -> None:
    """An earlier retryable failure elsewhere does not bring its provider back."""
    plan = plan_of(PLAID, MX)
    attempt(plan, DOWN)
    attempt(plan, ELSEWHERE)

    assert finished(plan).error is not None


def test_while_candidates_remain_an_attempt_takes_half_of_the_time_left() -> None:
    """Two candidates share the time; the last one has all of it, up to its own timeout."""
    plan = plan_of(PLAID, MX, deadline_s=30.0)
    first = attempt(plan, DOWN)
    second = dispatched(plan, T0 + 15.0)

    assert (20.0, 15.0, 15.0) == (first.timeout_s, first.time_left_s, first.longest_s)
    assert (15.0, 15.0) == (second.time_left_s, second.longest_s)


def test_an_attempts_own_timeout_bounds_it_too() -> None:
    """What it waits for leave to begin comes on top, within the deadline."""
    step = dispatched(plan_of(PLAID, MX, deadline_s=600.0))
    only = dispatched(plan_of(PLAID, deadline_s=30.0))

    assert (20.0, 300.0, 0.0, 20.0) == (
        step.timeout_s,
        step.time_left_s,
        step.wait_s,
        step.longest_s,
    )
    assert (20.0, 30.0, 29.0, 30.0) == (
        only.timeout_s,
        only.time_left_s,
        only.wait_s,
        only.longest_s,
    )


def test_a_limited_candidate_remains_only_if_it_can_be_asked_in_time() -> None:
    """Time is kept for one that waits for its limits, not for one that is limited for hours."""
    soon = plan_of(PLAID, blocked=((MX, limited(5.0)),), deadline_s=20.0)
    late = plan_of(PLAID, blocked=((MX, limited(3600.0)),), deadline_s=20.0)

    assert dispatched(soon).time_left_s == 10.0
    assert dispatched(late).time_left_s == 20.0


def test_the_last_candidate_gets_one_jittered_retry() -> None:
    """After the last failure there is one pause and one further attempt, and no more."""
    plan = plan_of(PLAID, MX)
    attempt(plan, DOWN)
    plan.record(dispatched(plan), DOWN, T0, unit_random=0.5)

    assert pytest.approx(0.1) == paused(plan)
    retry = attempt(plan, DOWN, T0 + 0.1)
    assert (MX, 3, True) == (retry.candidate, retry.attempt_number, retry.extra)
    assert finished(plan, T0 + 0.1).error is not None


def test_a_retry_waits_as_long_as_the_provider_asked() -> None:
    """A told Retry-After comes before the jittered pause; an untold limit counts as a second."""
    told, untold = plan_of(PLAID), plan_of(PLAID)
    attempt(told, failure("provider_down", retry_after_s=7.0))
    attempt(untold, failure("rate_limit"))

    assert paused(told) == 7.0
    assert paused(untold) == 1.0


def test_no_retry_that_would_miss_the_deadline() -> None:
    """When the provider asks for more time than is left, the request ends at once."""
    plan = plan_of(PLAID, deadline_s=5.0)
    attempt(plan, failure("rate_limit", retry_after_s=6.0))
    error = finished(plan).error

    assert error is not None
    assert (ErrorType.RATE_LIMIT, 6.0) == (error.type, error.retry_after_s)


def test_an_exchange_is_sent_once_and_never_in_panic() -> None:
    """Neither a retry nor a call through an open circuit."""
    options = PlanOptions().for_operation(Operation.EXCHANGE_TOKEN)
    plan = plan_of(PLAID, options=options)
    attempt(plan, failure("network"))
    skipped = plan_of(blocked=((PLAID, opened()), (MX, opened())), options=options)

    assert finished(plan).error is not None
    assert finished(skipped).error is not None
    assert PlanOptions().for_operation(Operation.GET_ACCOUNTS).same_provider_retry


def test_a_candidate_refused_by_its_guard_costs_nothing() -> None:
    """The next one is asked under the same number, and the refused one no more."""
    plan = plan_of(PLAID, MX)
    attempt(plan, Rejected(CIRCUIT_OPEN, 60.0, by_failures=True))
    step = attempt(plan, Succeeded)

    assert (MX, 1) == (step.candidate, step.attempt_number)
    assert plan.attempts == 1


def test_a_retry_is_still_due_when_the_others_were_refused() -> None:
    """A failed provider is the last one left once the rest are skipped."""
    plan = plan_of(PLAID, MX)
    attempt(plan, DOWN)
    attempt(plan, Rejected(CIRCUIT_OPEN, 60.0))

    assert PLAID == attempt(plan, Succeeded).candidate


def test_a_retry_refused_by_the_circuit_it_opened_ends_the_request() -> None:
    """The last failure sent is told."""
    plan = plan_of(PLAID)
    attempt(plan, DOWN)
    attempt(plan, Rejected(CIRCUIT_OPEN, 60.0, by_failures=True))
    error = finished(plan).error

    assert error is not None
    assert ("CODE", 60.0) == (error.code, error.retry_after_s)


def test_a_retry_without_room_in_the_call_budget_is_given_up() -> None:
    """The last failure is told, and nobody waits for the budget."""
    plan = plan_of(PLAID)
    attempt(plan, DOWN)
    retry = attempt(plan, Rejected(RATE_LIMITED, None, over_budget=True))
    error = finished(plan).error

    assert retry.extra
    assert error is not None
    assert ("CODE", "plaid", None) == (error.code, error.provider, error.retry_after_s)


def test_a_full_limiter_sends_the_request_elsewhere_at_once() -> None:
    """No attempt may wait while another candidate can be asked; the limited one comes when all failed."""
    plan = plan_of(PLAID, MX)
    first = attempt(plan, Rejected(RATE_LIMITED, 3.0))
    second = attempt(plan, DOWN)
    third = dispatched(plan, T0 + 1.0)

    assert (PLAID, 1, 0.0) == (first.candidate, first.attempt_number, first.wait_s)
    assert (MX, 1, 3.0) == (second.candidate, second.attempt_number, second.wait_s)
    assert (PLAID, 2, 28.0) == (third.candidate, third.attempt_number, third.wait_s)


def test_the_only_candidate_is_asked_at_once_and_waits_there() -> None:
    """Its own queue is where waiting is fair; a tenth or a second is kept for the attempt itself."""
    long = dispatched(plan_of(blocked=((PLAID, limited(7.0)),), deadline_s=30.0))
    short = dispatched(plan_of(PLAID, deadline_s=2.0))
    shortest = dispatched(plan_of(PLAID, deadline_s=0.01))

    assert (29.0, 30.0) == (long.wait_s, long.time_left_s)
    assert (1.8, 2.0) == (short.wait_s, short.time_left_s)
    assert 0.008 == pytest.approx(shortest.wait_s)


def test_of_two_limited_candidates_the_sooner_is_waited_for() -> None:
    """As long as the other has no room either, and a moment longer than it should take."""
    plan = plan_of(blocked=((PLAID, limited(9.0)), (MX, limited(4.0))), deadline_s=30.0)
    first = attempt(plan, Rejected(RATE_LIMITED, 20.0))
    second = dispatched(plan)

    assert (MX, 9.0, 15.0) == (first.candidate, first.wait_s, first.time_left_s)
    assert (PLAID, 15.0 - 1.0) == (second.candidate, second.wait_s)

    equals = plan_of(blocked=((PLAID, limited(4.0)), (MX, limited(4.0))), deadline_s=30.0)
    assert 4.5 == dispatched(equals).wait_s


def test_waiting_counts_only_while_nothing_else_is_under_way() -> None:
    """An attempt that follows another's long failure without a pause has not waited."""
    plan = plan_of(PLAID, blocked=((MX, limited(2.0)),))
    plan.record(dispatched(plan), DOWN, T0 + 9.0)

    assert dispatched(plan, T0 + 9.0).waited_s == 0.0


def test_waiting_in_vain_counts_for_the_attempt_that_follows() -> None:
    """Refused again and again, the request waits on, and tells all of it in the end."""
    plan = plan_of(PLAID, deadline_s=30.0)
    now = T0
    for wait_s in (3.0, 2.0, 4.0):
        step = dispatched(plan, now)
        now += wait_s
        plan.record(step, Rejected(RATE_LIMITED, 1.0), now)
        now += paused(plan, now)
    step = dispatched(plan, now)

    assert pytest.approx(now - T0) == step.waited_s
    plan.record(step, DOWN, now + 5.0)
    assert 0.0 == dispatched(plan, now + 6.0).waited_s


def test_refusals_without_a_time_do_not_spin() -> None:
    """A guard that refuses and says 'now' is asked again later and later."""
    plan = plan_of(PLAID)
    attempt(plan, Rejected(RATE_LIMITED, 0.0))
    first = paused(plan)
    attempt(plan, Rejected(RATE_LIMITED, 0.0), T0 + first)

    assert 0.05 == pytest.approx(first)
    assert 0.1 == pytest.approx(paused(plan, T0 + first))


def test_a_guard_that_has_refused_is_left_alone_for_a_moment_and_then_waited_at() -> None:
    """Not for as long as it said: the rest of that is waited in its queue."""
    plan = plan_of(PLAID)
    attempt(plan, Rejected(RATE_LIMITED, 20.0))

    assert 0.05 == pytest.approx(paused(plan))
    assert 20.0 < dispatched(plan, T0 + 0.05).wait_s


def test_a_full_queue_is_left_alone_for_as_long_as_it_said() -> None:
    """There is no place to wait at; in the end that is what is told."""
    plan = plan_of(PLAID, deadline_s=2.0)
    attempt(plan, Rejected(RATE_LIMITED, 1.0, queue_full=True))
    assert 1.0 == paused(plan)
    attempt(plan, Rejected(RATE_LIMITED, 1.0, queue_full=True), T0 + 1.0)
    error = finished(plan, T0 + 1.0).error

    assert error is not None
    assert (ErrorType.OVERLOADED, "QUEUE_FULL", 1.0) == (
        error.type,
        error.code,
        error.retry_after_s,
    )


def test_a_queue_that_was_full_once_is_not_what_is_told_of_a_limit() -> None:
    """Nor where another candidate is limited by its vendor."""
    plan = plan_of(PLAID, deadline_s=2.0)
    attempt(plan, Rejected(RATE_LIMITED, 1.0, queue_full=True))
    attempt(plan, Rejected(RATE_LIMITED, 9.0), T0 + 1.0)
    both = plan_of(PLAID, blocked=((MX, limited(90.0)),), deadline_s=0.5)
    attempt(both, Rejected(RATE_LIMITED, 1.0, queue_full=True))

    for each in (plan, both):
        error = finished(each, T0 + 1.0 if each is plan else T0).error
        assert error is not None
        assert ErrorType.RATE_LIMIT is error.type


def test_an_untold_limit_counts_as_a_second() -> None:
    """Neither as none nor as for ever."""
    fresh = plan_of(blocked=((PLAID, limited(None)), (MX, limited(5.0))))
    refused = plan_of(PLAID, blocked=((MX, limited(5.0)),))
    attempt(refused, Rejected(RATE_LIMITED, None))

    assert PLAID == dispatched(fresh).candidate
    assert 0.05 == pytest.approx(paused(refused))
    assert PLAID == dispatched(refused, T0 + 0.05).candidate


def test_the_least_bad_of_open_circuits_gets_one_attempt_in_panic() -> None:
    """The one that is due first is sent one call, and nobody a second."""
    plan = plan_of(blocked=((PLAID, opened(40.0)), (MX, opened(9.0)), (FINICITY, opened(None))))
    step = attempt(plan, DOWN)
    error = finished(plan).error

    assert (MX, 1, True, False, 0.0) == (
        step.candidate,
        step.attempt_number,
        step.panic,
        step.extra,
        step.wait_s,
    )
    assert error is not None
    assert ("mx", "CODE") == (error.provider, error.code)


def test_panic_that_its_guard_refuses_is_over() -> None:
    """Nothing was sent, so the request is told to come again when the first circuit is due."""
    for reason in (CIRCUIT_OPEN, RATE_LIMITED):
        plan = plan_of(PLAID, blocked=((MX, opened(9.0)),))
        attempt(plan, Rejected(CIRCUIT_OPEN, 4.0, by_failures=True))
        assert attempt(plan, Rejected(reason, 5.0, by_failures=True)).panic
        error = finished(plan).error

        assert error is not None
        assert (ErrorType.PROVIDER_DOWN, 5.0) == (error.type, error.retry_after_s)


@pytest.mark.parametrize(
    ("order", "blocked", "panic"),
    [
        ((), ((PLAID, opened()),), True),
        ((), ((PLAID, opened()), (MX, opened(by_failures=False))), True),
        ((), ((PLAID, opened()), (MX, Block(IneligibilityReason.FORCED_OPEN, None))), True),
        ((), ((PLAID, opened()), (MX, opened()), (FINICITY, limited(900.0))), True),
        ((), ((PLAID, opened()), (MX, opened())), False),
    ],
    ids=["one-candidate", "client", "forced", "one-is-limited", "turned-off"],
)
def test_no_panic_unless_all_of_several_are_open_by_failures(
    order: tuple[Candidate, ...], blocked: tuple[tuple[Candidate, Block], ...], panic: bool
) -> None:
    """One candidate, an operator's or a client's circuit, a limit, or the switch: 503 at once."""
    plan = plan_of(*order, blocked=blocked, options=PlanOptions(panic=panic))
    error = finished(plan).error

    assert error is not None
    assert error.type is ErrorType.PROVIDER_DOWN


def test_no_panic_once_something_was_sent() -> None:
    """Open circuits stay closed off after an attempt has failed."""
    plan = plan_of(PLAID, blocked=((MX, opened()), (FINICITY, opened())))
    attempt(plan, DOWN)
    attempt(plan, Rejected(CIRCUIT_OPEN, 60.0, by_failures=True))

    assert finished(plan).error is not None
    assert plan.attempts == 1


def test_steps_out_of_turn_are_errors_of_the_program() -> None:
    """Nothing is recorded that was not dispatched, nor twice."""
    plan, other = plan_of(PLAID), plan_of(MX)
    step = dispatched(plan)
    with pytest.raises(RuntimeError, match="no such attempt"):
        plan.record(dispatched(other), Succeeded, T0)
    plan.record(step, DOWN, T0)
    with pytest.raises(RuntimeError, match="no such attempt"):
        plan.record(step, DOWN, T0)


def test_what_is_under_way_is_waited_for() -> None:
    """For as long as it takes."""
    plan = plan_of(PLAID, MX)
    dispatched(plan)

    assert watched(plan) is None
    assert watched(plan, T0 + 500.0) is None
