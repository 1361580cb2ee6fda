"""Waiting before a provider's gate: for limits and places, and for nothing else."""

import pytest
from resilience_builders import ACCOUNTS, DOWN, failure

from orchestrator.domain import CircuitState, Lane
from orchestrator.resilience import (
    AdmitRequest,
    Bulkheads,
    CircuitBoard,
    GuardPermit,
    GuardRejection,
    Lanes,
    Leave,
    ProviderGuard,
    Quota,
    QuotaScope,
    RateLimiter,
    Reach,
    Ticket,
    ToldAllowance,
)

CLIENT, CONNECTION = QuotaScope.CLIENT, QuotaScope.CONNECTION


def guard_of(*quotas: Quota, most: int = 100, most_waiting: int = 100) -> ProviderGuard:
    """A guard of closed circuits."""
    return ProviderGuard(
        "plaid",
        CircuitBoard(),
        RateLimiter(quotas),
        bulkheads=Bulkheads(most, most_per_institution=max(1, most // 2)),
        lanes=Lanes(most_waiting),
    )


def ask(
    connection_id: str = "con_a",
    *,
    lane: Lane = Lane.INTERACTIVE,
    bank: str = "ins_a",
    panic: bool = False,
    extra: bool = False,
) -> AdmitRequest:
    """A request of a connection, which is its own space."""
    return AdmitRequest(
        ACCOUNTS,
        bank,
        connection_id,
        "/accounts",
        lane=lane,
        space=connection_id,
        panic=panic,
        extra=extra,
    )


def permitted(guard: ProviderGuard, now: float, request: AdmitRequest) -> GuardPermit:
    """A permit at once."""
    answer = guard.admit(request, now)
    assert isinstance(answer, GuardPermit)
    return answer


def waiting(
    guard: ProviderGuard, now: float, request: AdmitRequest, wait_s: float = 90.0
) -> Ticket:
    """A ticket."""
    answer = guard.admit(request, now, wait_s=wait_s)
    assert isinstance(answer, Ticket)
    return answer


def refused(answer: object) -> GuardRejection:
    """A rejection."""
    assert isinstance(answer, GuardRejection)
    return answer


def test_who_may_not_wait_is_refused_at_once() -> None:
    """Another candidate is asked at once."""
    guard = guard_of(Quota(CLIENT, 1, 10.0))
    permitted(guard, 0.0, ask())

    assert "LOCAL_LIMIT" == refused(guard.admit(ask("con_b"), 0.0)).code
    assert 0 == guard.waiting
    assert guard.due_in_s(0.0) is None


def test_who_may_wait_is_let_through_when_there_is_room() -> None:
    """In its own time, without asking again."""
    guard = guard_of(Quota(CLIENT, 1, 10.0))
    permitted(guard, 0.0, ask())
    ticket = waiting(guard, 1.0, ask("con_b"))
    assert (1, ()) == (guard.waiting, guard.serve(5.0).served)

    (served,) = guard.serve(10.2).served

    assert ticket.id == served.ticket
    assert isinstance(served.answer, GuardPermit)
    assert ask("con_b") == served.answer.request
    assert (2, 0) == (guard.in_flight, guard.waiting)


def test_a_wait_that_is_known_to_be_too_long_is_not_begun() -> None:
    """Nor one at a full queue."""
    guard = guard_of(Quota(CLIENT, 1, 10.0), most_waiting=1)
    permitted(guard, 0.0, ask())

    rejection = refused(guard.admit(ask("con_b"), 0.0, wait_s=10.0))
    assert ("LOCAL_LIMIT", 10.2) == (
        rejection.code,
        pytest.approx(rejection.retry_after_s, abs=1e-3),
    )
    waiting(guard, 0.0, ask("con_b"), wait_s=10.3)

    assert "QUEUE_FULL" == refused(guard.admit(ask("con_c"), 0.0, wait_s=90.0)).code
    assert "LOCAL_LIMIT" == refused(guard.admit(ask("con_c"), 0.0)).code
    waiting(guard, 0.0, ask("con_c", lane=Lane.BACKFILL))


def test_a_wait_that_was_in_vain_is_told_with_what_was_in_the_way() -> None:
    """At its deadline: limits, or places."""
    guard = guard_of(Quota(CONNECTION, 1, 100.0), most=2)
    held = permitted(guard, 0.0, ask())
    page = guard.proceed(held, "/accounts", 0.0, wait_s=200.0)
    assert isinstance(page, Ticket)
    place = waiting(guard, 0.0, ask("con_b"), wait_s=5.0)
    assert 1.0 == guard.due_in_s(0.0)

    (served,) = guard.serve(5.0).served

    assert place.id == served.ticket
    assert ("IN_FLIGHT", 1.0) == (refused(served.answer).code, refused(served.answer).retry_after_s)
    guard.limiter.block(1000.0, 6.0)
    assert () == guard.serve(101.0).served
    (late,) = guard.serve(102.1).served
    assert (page.id, "RETRY_AFTER") == (late.ticket, refused(late.answer).code)


def test_a_place_that_is_given_back_goes_to_who_waits() -> None:
    """Of the same bank where that one was full."""
    guard = guard_of(most=4)
    first, _ = permitted(guard, 0.0, ask("con_1")), permitted(guard, 0.0, ask("con_2"))
    same = waiting(guard, 0.0, ask("con_3"))
    other = permitted(guard, 0.0, ask("con_4", bank="ins_b"))
    assert () == guard.serve(0.0).served

    guard.record(other, None, 1.0)
    assert () == guard.serve(1.0).served
    guard.record(first, None, 2.0)

    assert [same.id] == [served.ticket for served in guard.serve(2.0).served]


def test_nothing_is_sent_through_a_circuit_that_opened_meanwhile() -> None:
    """Whoever waited for limits is told that it is open."""
    guard = guard_of(Quota(CLIENT, 5, 10.0))
    permits = [permitted(guard, 0.0, ask()) for _ in range(5)]
    ticket = waiting(guard, 0.0, ask())
    for permit in permits:
        guard.record(permit, DOWN, 1.0)

    (served,) = guard.serve(1.0).served

    rejection = refused(served.answer)
    assert (ticket.id, "CIRCUIT_OPEN", 60.0) == (
        served.ticket,
        rejection.code,
        rejection.retry_after_s,
    )


def test_a_change_seen_while_somebody_waits_is_told() -> None:
    """The log of changes has no gap."""
    guard = guard_of()
    for _ in range(5):
        guard.record(permitted(guard, 0.0, ask()), DOWN, 0.0)
    guard.limiter.block(70.0, 0.0)

    answer = guard.admit(ask(), 60.0, wait_s=90.0)
    assert isinstance(answer, Ticket)
    assert [CircuitState.HALF_OPEN] == [moved.to_state for moved in answer.transitions]

    guard.give_up(answer, 60.0)
    assert ((), ()) == (guard.serve(80.0).served, guard.serve(80.0).transitions)

    quiet = guard_of()
    permits = [permitted(quiet, 0.0, ask()) for _ in range(5)]
    quiet.limiter.block(100.0, 0.0)
    waiting(quiet, 0.0, ask("con_b", bank="ins_b"), wait_s=200.0)
    for permit in permits:
        quiet.record(permit, failure("provider_down", "institution"), 0.0)
    waiting(quiet, 50.0, ask("con_c", panic=True), wait_s=200.0)
    assert () == quiet.serve(59.0).transitions
    served = quiet.serve(101.0).served
    assert all(isinstance(each.answer, GuardPermit) for each in served)


def test_pages_go_before_new_attempts() -> None:
    """What is under way is finished first."""
    guard = guard_of(Quota(CLIENT, 1, 10.0))
    permit = permitted(guard, 0.0, ask())
    newcomer = waiting(guard, 1.0, ask("con_b"))
    page = guard.proceed(permit, "/accounts", 2.0, wait_s=60.0)
    assert isinstance(page, Ticket)

    (first,) = guard.serve(10.2).served
    (second,) = guard.serve(20.4).served

    assert (page.id, Leave()) == (first.ticket, first.answer)
    assert newcomer.id == second.ticket


def test_a_page_that_would_come_too_late_is_refused() -> None:
    """The attempt is told, and may answer with what it has."""
    guard = guard_of(Quota(CLIENT, 1, 10.0))
    permit = permitted(guard, 0.0, ask())

    assert "LOCAL_LIMIT" == refused(guard.proceed(permit, "/accounts", 0.0, wait_s=10.1)).code
    assert isinstance(guard.proceed(permit, "/accounts", 0.0, wait_s=10.3), Ticket)


def test_newcomers_overtake_only_who_cannot_go_anyway() -> None:
    """A waiter is served before a newcomer that would take its room."""
    guard = guard_of(Quota(CLIENT, 1, 10.0), Quota(CONNECTION, 1, 100.0))
    permitted(guard, 0.0, ask("con_a"))
    own = waiting(guard, 0.0, ask("con_a"), wait_s=200.0)
    waiter = waiting(guard, 1.0, ask("con_b"))

    newcomer = guard.admit(ask("con_c"), 10.2)

    assert "LOCAL_LIMIT" == refused(newcomer).code
    assert 0.0 == guard.due_in_s(10.2)
    assert [waiter.id] == [served.ticket for served in guard.serve(10.2).served]
    permitted(guard, 21.0, ask("con_c"))
    assert [own.id] == [served.ticket for served in guard.serve(102.1).served]


def test_people_overtake_bulk_jobs() -> None:
    """However long these have waited."""
    guard = guard_of(Quota(CLIENT, 1, 10.0))
    permitted(guard, 0.0, ask("con_a", lane=Lane.BACKFILL))
    bulk = waiting(guard, 1.0, ask("con_b", lane=Lane.BACKFILL))
    person = waiting(guard, 5.0, ask("con_c"))

    (first,) = guard.serve(10.2).served

    assert person.id == first.ticket
    assert [bulk.id] == [served.ticket for served in guard.serve(35.0).served]


def test_who_gives_up_takes_nothing() -> None:
    """Its place in the queue is gone, and its turn goes to the next."""
    guard = guard_of(Quota(CLIENT, 1, 10.0))
    permitted(guard, 0.0, ask())
    gone = waiting(guard, 0.0, ask("con_b"))
    stays = waiting(guard, 0.0, ask("con_c"))

    guard.give_up(gone, 1.0)
    guard.give_up(gone, 1.0)

    assert [stays.id] == [served.ticket for served in guard.serve(10.2).served]


def test_checking_says_what_admission_would_and_takes_nothing() -> None:
    """Before any work is done for an attempt."""
    guard = guard_of(Quota(CLIENT, 1, 10.0), most_waiting=1)
    assert [None] * 5 == [guard.check(ask(), 0.0) for _ in range(5)]
    permitted(guard, 0.0, ask())

    assert "LOCAL_LIMIT" == refused(guard.check(ask(), 0.0)).code
    assert "LOCAL_LIMIT" == refused(guard.check(ask(), 0.0, wait_s=5.0)).code
    assert guard.check(ask(), 0.0, wait_s=11.0) is None
    waiting(guard, 0.0, ask())
    assert "QUEUE_FULL" == refused(guard.check(ask(), 0.0, wait_s=11.0)).code


def test_checking_sees_circuits_and_the_call_budget() -> None:
    """Panic passes what is open by failures, and is the first attempt of its request here."""
    guard = guard_of()
    for _ in range(5):
        guard.record(permitted(guard, 0.0, ask()), DOWN, 0.0)
    assert "CIRCUIT_OPEN" == refused(guard.check(ask(), 1.0)).code
    guard.budget.exhaust(1.0)

    assert guard.check(ask(panic=True), 1.0) is None
    assert "CIRCUIT_OPEN" == refused(guard.check(ask(extra=True), 1.0)).code
    assert "CALL_BUDGET" == refused(guard.check(ask(panic=True, extra=True), 1.0)).code


def test_extra_attempts_draw_on_the_call_budget() -> None:
    """A refusal is told as such, with no time to wait, and leaves nothing taken."""
    guard = guard_of(Quota(CLIENT, 10, 60.0))
    for _ in range(3):
        permitted(guard, 0.0, ask(extra=True))

    rejection = refused(guard.admit(ask(extra=True), 0.0, wait_s=60.0))

    assert ("CALL_BUDGET", None) == (rejection.code, rejection.retry_after_s)
    assert (3, 0.7) == (guard.in_flight, guard.limiter.remaining_ratio(0.0))
    for _ in range(5):
        permitted(guard, 0.0, ask())
    permitted(guard, 0.0, ask(extra=True))


def test_a_refused_extra_attempt_leaks_no_probe() -> None:
    """The half-open circuit has its probe for the next request."""
    guard = guard_of()
    for _ in range(5):
        guard.record(permitted(guard, 0.0, ask()), DOWN, 0.0)
    guard.budget.exhaust(60.0)

    rejection = refused(guard.admit(ask(extra=True), 60.0))

    assert "CALL_BUDGET" == rejection.code
    assert [CircuitState.HALF_OPEN] == [moved.to_state for moved in rejection.transitions]
    assert permitted(guard, 60.0, ask()).probe


def test_what_a_vendor_says_is_left_is_held_to() -> None:
    """A page that would go beyond waits until it resets."""
    guard = guard_of()
    permit = permitted(guard, 0.0, ask())

    guard.told(permit.request.call, ToldAllowance(0, 30.0), 1.0)

    rejection = refused(guard.proceed(permit, "/accounts", 1.0))
    assert ("RETRY_AFTER", 30.0) == (
        rejection.code,
        pytest.approx(rejection.retry_after_s, abs=1e-3),
    )


def test_the_picture_tells_of_the_queue_the_budget_and_the_speed() -> None:
    """For routers, and for whoever looks."""
    guard = guard_of(Quota(CLIENT, 20, 10.0), most=40)
    permits = [permitted(guard, 0.0, ask()) for _ in range(20)]
    for number, permit in enumerate(permits[1:]):
        guard.record(permit, None, 1.0, latency_s=number / 100)
    waiting(guard, 1.0, ask())
    guard.budget.take_extra(1.0)
    guard.record(permits[0], DOWN, 1.0, latency_s=9.0)

    before = guard.snapshot(1.0, 0.0)
    guard.serve(10.2)
    guard.record(permitted(guard, 10.2, ask()), None, 10.2, latency_s=0.5)

    assert (1, 2, ()) == (before.waiting, before.extra_left, before.slow_after_s)
    assert ((ACCOUNTS, 0.5),) == guard.snapshot(10.2, 0.0).slow_after_s


def test_a_bank_with_all_its_places_taken_is_told() -> None:
    """So that a router asks another provider at once."""
    guard = guard_of(most=4)
    for _ in range(2):
        permitted(guard, 0.0, ask())

    picture = guard.snapshot(0.0, 0.0)

    assert ("ins_a",) == picture.full_institutions
    objection = picture.rejection(ACCOUNTS, "ins_a")
    assert objection is not None
    assert "IN_FLIGHT" == objection.code
    assert picture.rejection(ACCOUNTS, "ins_b") is None
    assert Reach.INSTITUTION < Reach.CONNECTION
