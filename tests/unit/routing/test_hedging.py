"""The same read beside a slow one: when, where, and what becomes of both."""

import pytest
from routing_builders import (
    DOWN,
    FINICITY,
    MX,
    PLAID,
    T0,
    dispatched,
    failure,
    finished,
    limited,
    paused,
    plan_of,
    watched,
)

from orchestrator.domain import ErrorType, IneligibilityReason, Operation
from orchestrator.routing import Candidate, Dispatch, FailoverPlan, PlanOptions, Rejected, Succeeded

HEDGING = PlanOptions(hedge=True)
SLOW_AFTER_S = {"plaid": 0.4, "mx": 0.1}
OVER_BUDGET = Rejected(IneligibilityReason.RATE_LIMITED, None, over_budget=True)
OPEN = Rejected(IneligibilityReason.CIRCUIT_OPEN, 60.0, by_failures=True)


def hedging(*order: Candidate, deadline_s: float = 30.0) -> FailoverPlan:
    """A plan that may hedge."""
    return plan_of(*order, deadline_s=deadline_s, options=HEDGING, slow_after_s=SLOW_AFTER_S)


def begun(*order: Candidate) -> tuple[FailoverPlan, Dispatch, Dispatch]:
    """A plan with a first attempt and its hedge under way."""
    plan = hedging(*order)
    first = dispatched(plan)
    return plan, first, dispatched(plan, T0 + 0.4)


def test_a_slow_answer_is_asked_for_at_the_next_candidate_too() -> None:
    """Once it is slow, under the next number, within that provider's call budget, without a wait."""
    plan = hedging(PLAID, MX, FINICITY)
    first = dispatched(plan)
    assert 0.4 == pytest.approx(watched(plan))
    assert 0.1 == pytest.approx(watched(plan, T0 + 0.3))
    hedge = dispatched(plan, T0 + 0.4)

    assert (False, False) == (first.hedge, first.extra)
    assert (MX, 2, True, True, 0.0) == (
        hedge.candidate,
        hedge.attempt_number,
        hedge.hedge,
        hedge.extra,
        hedge.wait_s,
    )
    assert (30.0 - 0.4) / 2 == pytest.approx(hedge.time_left_s)
    assert watched(plan, T0 + 9.0) is None


@pytest.mark.parametrize("winner", [0, 1])
def test_the_first_success_ends_the_request(winner: int) -> None:
    """Whichever it is; the other is given up."""
    plan, *both = begun(PLAID, MX)
    plan.record(both[winner], Succeeded, T0 + 0.5)

    assert finished(plan, T0 + 0.5).error is None


def test_what_ends_after_the_end_changes_nothing() -> None:
    """Two answers may come at once; the first is given, and both were sent."""
    for late in (Succeeded, failure("auth", "connection"), OPEN):
        plan, first, hedge = begun(PLAID, MX)
        plan.record(first, Succeeded, T0 + 0.5)
        plan.record(hedge, late, T0 + 0.5)

        assert finished(plan, T0 + 0.5).error is None
        assert (1 if late is OPEN else 2) == plan.attempts


def test_a_failure_beside_a_hedge_waits_for_the_hedge() -> None:
    """It is under way already, and nobody else is asked before it has ended."""
    plan, first, hedge = begun(PLAID, MX, FINICITY)
    plan.record(first, DOWN, T0 + 0.5)
    assert watched(plan, T0 + 0.5) is None
    plan.record(hedge, DOWN, T0 + 0.6)
    third = dispatched(plan, T0 + 0.6)

    assert (FINICITY, 3, False, False) == (
        third.candidate,
        third.attempt_number,
        third.hedge,
        third.extra,
    )


def test_a_hedge_that_fails_is_only_a_hedge() -> None:
    """The first goes on, whatever the hedge's failure was, and gets no second one."""
    for outcome in (DOWN, failure("auth", "connection")):
        plan, first, hedge = begun(PLAID, MX, FINICITY)
        plan.record(hedge, outcome, T0 + 0.5)
        assert watched(plan, T0 + 0.5) is None
        plan.record(first, Succeeded, T0 + 0.6)

        assert finished(plan, T0 + 0.6).error is None
        assert 2 == plan.attempts


def test_a_failure_that_no_other_mends_ends_it_beside_a_hedge_too() -> None:
    """As it would have without one."""
    plan, first, _ = begun(PLAID, MX)
    plan.record(first, failure("auth", "connection"), T0 + 0.5)
    error = finished(plan, T0 + 0.5).error

    assert error is not None
    assert (ErrorType.AUTH, "plaid") == (error.type, error.provider)


def test_a_hedge_left_alone_that_no_other_mends_ends_it() -> None:
    """It is then the last attempt that there was."""
    plan, first, hedge = begun(PLAID, MX, FINICITY)
    plan.record(first, DOWN, T0 + 0.5)
    plan.record(hedge, failure("auth", "connection"), T0 + 0.6)
    error = finished(plan, T0 + 0.6).error

    assert error is not None
    assert (ErrorType.AUTH, "mx") == (error.type, error.provider)


def test_the_error_is_that_of_the_attempt_sent_last() -> None:
    """Though the first may have ended after it."""
    plan, first, hedge = begun(PLAID, MX)
    plan.record(hedge, failure("network", code="HEDGE"), T0 + 0.5)
    plan.record(first, failure("network", code="FIRST"), T0 + 0.6)
    plan.next(T0 + 0.6)
    retry = dispatched(plan, T0 + 5.0)
    plan.record(retry, failure("network", code="RETRY"), T0 + 5.0)
    error = finished(plan, T0 + 5.0).error

    assert (MX, 3) == (retry.candidate, retry.attempt_number)
    assert error is not None
    assert ("mx", "RETRY") == (error.provider, error.code)


def test_a_hedge_without_room_in_the_call_budget_leaves_its_candidate_for_failover() -> None:
    """It was not asked; once the first has failed it may be, as any next one."""
    plan, first, hedge = begun(PLAID, MX)
    plan.record(hedge, OVER_BUDGET, T0 + 0.4)
    assert watched(plan, T0 + 0.5) is None
    plan.record(first, DOWN, T0 + 0.6)
    second = dispatched(plan, T0 + 0.6)

    assert (MX, 2, False, False) == (
        second.candidate,
        second.attempt_number,
        second.hedge,
        second.extra,
    )


def test_a_hedge_refused_by_a_circuit_goes_to_the_candidate_after_it() -> None:
    """At once, under the same number."""
    plan, _, hedge = begun(PLAID, MX, FINICITY)
    plan.record(hedge, OPEN, T0 + 0.41)
    other = dispatched(plan, T0 + 0.41)

    assert (FINICITY, 2, True) == (other.candidate, other.attempt_number, other.hedge)


def test_a_first_attempt_refused_late_keeps_the_numbers_apart() -> None:
    """The hedge's number is not given twice."""
    plan, first, hedge = begun(PLAID, MX, FINICITY)
    plan.record(first, OPEN, T0 + 0.5)
    plan.record(hedge, DOWN, T0 + 0.6)

    assert (2, 3) == (hedge.attempt_number, dispatched(plan, T0 + 0.6).attempt_number)


def test_nothing_is_hedged_where_it_must_not_be() -> None:
    """Turned off, not known to be slow, nobody to go to, too late, or slower than it may be."""
    nobody = hedging(PLAID)
    unknown = hedging(FINICITY, MX)
    off = plan_of(PLAID, MX, slow_after_s=SLOW_AFTER_S)
    hasty = hedging(PLAID, MX, deadline_s=0.8)
    waits = plan_of(
        PLAID,
        blocked=((MX, limited(5.0)),),
        options=HEDGING,
        slow_after_s=SLOW_AFTER_S,
    )
    for plan in (nobody, unknown, off, hasty, waits):
        dispatched(plan)

        assert watched(plan) is None
    late = hedging(PLAID, MX)
    dispatched(late)
    assert watched(late, T0 + 29.999) is None


def test_only_reads_are_hedged() -> None:
    """A link session made twice would be two, and an exchange is sent once."""
    hedged = {operation for operation in Operation if HEDGING.for_operation(operation).hedge}

    assert {Operation.GET_ACCOUNTS, Operation.SYNC_TRANSACTIONS} == hedged


def test_a_retry_after_both_have_failed_waits_its_pause() -> None:
    """Hedged or not, the last candidate left gets one."""
    plan, first, hedge = begun(PLAID, MX)
    plan.record(hedge, DOWN, T0 + 0.5, unit_random=0.5)
    plan.record(first, DOWN, T0 + 0.6, unit_random=1.0)

    assert 0.2 == pytest.approx(paused(plan, T0 + 0.6))
    assert dispatched(plan, T0 + 0.81).extra
