"""The gate before a provider: circuits, limits, calls in flight, in this order."""

import pickle  # noqa: TID251  the point is that what is sent survives it
from dataclasses import replace

import pytest
from resilience_builders import ACCOUNTS, DOWN, REFUSED, failure

from orchestrator.domain import CircuitState, Failure, IneligibilityReason
from orchestrator.resilience import (
    AdmitRequest,
    BreakerOptions,
    Bulkheads,
    CircuitBoard,
    Control,
    GuardPermit,
    GuardRejection,
    Leave,
    ProviderGuard,
    Quota,
    QuotaScope,
    RateLimiter,
    VendorCall,
)

ASK = AdmitRequest(ACCOUNTS, "ins_a", "con_a", "/accounts")


def make_guard(*quotas: Quota, most: int = 4) -> ProviderGuard:
    """A guard of closed circuits, with so many places, all of which one bank may have."""
    bulkheads = Bulkheads(most, most_per_institution=most)
    return ProviderGuard("plaid", CircuitBoard(), RateLimiter(quotas), bulkheads=bulkheads)


def admitted(guard: ProviderGuard, now: float, request: AdmitRequest = ASK) -> GuardPermit:
    """A permit of a guard that must give one."""
    answer = guard.admit(request, now)
    assert isinstance(answer, GuardPermit)
    return answer


def refused(guard: ProviderGuard, now: float, request: AdmitRequest = ASK) -> GuardRejection:
    """The rejection of a guard that must refuse."""
    answer = guard.admit(request, now)
    assert isinstance(answer, GuardRejection)
    return answer


def run(guard: ProviderGuard, outcome: Failure | None, now: float, times: int = 1) -> None:
    """So many admitted attempts with this outcome."""
    for _ in range(times):
        guard.record(admitted(guard, now), outcome, now)


def test_an_admitted_attempt_is_in_flight_until_it_is_recorded() -> None:
    """A permit takes one place and gives it back."""
    guard = make_guard()

    permit = admitted(guard, 0.0)

    assert guard.in_flight == 1
    assert permit.circuit_state is CircuitState.CLOSED
    assert (permit.probe, permit.panic, permit.transitions) == (False, False, ())
    assert repr(guard) == (
        "ProviderGuard(plaid, CircuitBoard(CLOSED), RateLimiter(open), "
        "Bulkheads(1/4, backfill 0/3), Lanes(0 interactive, 0 backfill, 0 pages waiting), "
        "CallBudget(3 extra left))"
    )

    report = guard.record(permit, None, 1.0)

    assert guard.in_flight == 0
    assert (report.transitions, report.paused_for_s, report.alarm) == ((), None, False)


def test_calls_in_flight_are_bounded() -> None:
    """The fifth of four is refused, and one finished makes room."""
    guard = make_guard()
    permits = [admitted(guard, 0.0) for _ in range(4)]

    rejection = refused(guard, 0.0)

    assert rejection == GuardRejection(IneligibilityReason.RATE_LIMITED, "IN_FLIGHT", 1.0)
    guard.record(permits[0], None, 0.0)
    admitted(guard, 0.0)


def test_a_lost_permit_frees_its_place_when_its_lease_ends() -> None:
    """Callers that died do not fill the provider for ever."""
    guard = make_guard(most=1)
    lost = admitted(guard, 0.0)
    assert refused(guard, 659.0).code == "IN_FLIGHT"

    admitted(guard, 660.0)

    assert guard.record(lost, failure("rate_limit", "client"), 661.0).paused_for_s is None
    assert guard.in_flight == 1


def test_circuits_speak_before_limits() -> None:
    """A candidate that is open and limited is open."""
    guard = make_guard()
    run(guard, DOWN, 0.0, times=5)
    guard.limiter.block(600.0, 0.0)

    rejection = refused(guard, 1.0)

    assert rejection.reason is IneligibilityReason.CIRCUIT_OPEN
    assert rejection.code == "CIRCUIT_OPEN"
    assert rejection.scope == "provider"
    assert rejection.by_failures
    assert rejection.retry_after_s == 59.0


def test_limits_speak_before_calls_in_flight() -> None:
    """A full limiter is told as such."""
    guard = make_guard(Quota(QuotaScope.CLIENT, 1, 60.0), most=1)
    admitted(guard, 0.0)

    rejection = refused(guard, 0.0)

    assert rejection.code == "LOCAL_LIMIT"
    assert rejection.reason is IneligibilityReason.RATE_LIMITED
    assert rejection.retry_after_s == pytest.approx(61.2, abs=1e-5)
    assert guard.limiter.snapshot(0.0).throttled_24h == 1


def test_every_call_of_an_attempt_counts_in_the_limits() -> None:
    """The first with admission, each later one by itself."""
    guard = make_guard(Quota(QuotaScope.CLIENT, 3, 60.0, "/accounts"))
    permit = admitted(guard, 0.0)

    answers = [guard.proceed(permit, "/accounts", 0.0) for _ in range(3)]

    assert [Leave(), Leave()] == answers[:2]
    assert isinstance(answers[2], GuardRejection)
    assert "LOCAL_LIMIT" == answers[2].code
    assert Leave() == guard.proceed(permit, "/other", 0.0)
    assert 0.0 == guard.limiter.remaining_ratio(0.0)


def test_a_refusal_counts_nowhere() -> None:
    """Who is refused for want of places burns no token and none of the call budget."""
    guard = make_guard(Quota(QuotaScope.CLIENT, 10, 60.0), most=1)
    admitted(guard, 0.0)

    for _ in range(20):
        refused(guard, 0.0)

    assert 0.9 == guard.limiter.remaining_ratio(0.0)
    assert 3 == guard.budget.left(0.0)


def test_a_refusal_by_the_limiter_leaks_no_probe() -> None:
    """The only probe slot is free for the next, and the change on the way is told."""
    # Given a provider that is due for its one probe while the vendor has asked for a pause
    guard = make_guard()
    run(guard, DOWN, 0.0, times=5)
    guard.limiter.block(100.0, 0.0)

    # When a call asks
    rejection = refused(guard, 60.0)

    # Then the change to half-open is told and the slot is not held
    assert rejection.code == "RETRY_AFTER"
    assert [t.to_state for t in rejection.transitions] == [CircuitState.HALF_OPEN]
    assert admitted(guard, 100.0).probe


def test_a_refusal_for_calls_in_flight_leaks_no_probe() -> None:
    """A slow call that fills the provider does not cost it its probe."""
    # Given one slow call that fills the provider, and a circuit that has come due meanwhile
    guard = make_guard(most=1)
    run(guard, DOWN, 0.0, times=5)
    slow = admitted(guard, 1.0, AdmitRequest(ACCOUNTS, panic=True))

    # When a call asks
    rejection = refused(guard, 60.0)

    # Then the change to half-open is told and the slot is not held
    assert rejection.code == "IN_FLIGHT"
    assert [t.to_state for t in rejection.transitions] == [CircuitState.HALF_OPEN]
    guard.record(slow, DOWN, 61.0)
    assert admitted(guard, 61.0).probe


def test_refused_keys_raise_the_alarm() -> None:
    """The report says that a person is needed."""
    guard = make_guard()

    report = guard.record(admitted(guard, 0.0), REFUSED, 0.0)

    assert report.alarm
    assert refused(guard, 1.0).by_failures is False


def test_a_throttled_call_pauses_the_client_for_as_long_as_asked() -> None:
    """Retry-After is kept to the second, and no circuit opens."""
    guard = make_guard()

    report = guard.record(
        admitted(guard, 0.0), failure("rate_limit", "client", retry_after_s=30.0), 0.0
    )

    assert report.paused_for_s == 30.0
    rejection = refused(guard, 10.0)
    assert (rejection.reason, rejection.code) == (IneligibilityReason.RATE_LIMITED, "RETRY_AFTER")
    assert rejection.retry_after_s == pytest.approx(20.0, abs=1e-5)
    assert guard.board.state is CircuitState.CLOSED
    admitted(guard, 30.0)


def test_without_a_hint_pauses_of_the_client_grow_with_repetition() -> None:
    """One second, then double up to a minute; a success between starts anew."""
    guard = make_guard()
    throttled, now, pauses = failure("rate_limit", "client"), 0.0, []
    for _ in range(8):
        pause_s = guard.record(admitted(guard, now), throttled, now).paused_for_s
        assert pause_s is not None
        pauses.append(pause_s)
        now += pause_s

    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]

    run(guard, None, now)
    report = guard.record(admitted(guard, now), throttled, now, jitter_ratio=0.5)
    assert report.paused_for_s == 1.5


def test_calls_throttled_together_are_one_repetition() -> None:
    """A burst of 429s is not a row of them, and a late success does not undo it."""
    guard = make_guard()
    permits = [admitted(guard, 0.0) for _ in range(4)]
    throttled = failure("rate_limit", "client")

    pauses = [guard.record(permit, throttled, 0.0).paused_for_s for permit in permits[:3]]
    guard.record(permits[3], None, 0.5)

    assert pauses == [1.0, 1.0, 1.0]
    assert guard.record(admitted(guard, 1.0), throttled, 1.0).paused_for_s == 2.0


def test_a_hintless_429_during_an_asked_pause_does_not_shorten_it() -> None:
    """The longer pause holds."""
    guard = make_guard()
    first, second = admitted(guard, 0.0), admitted(guard, 0.0)
    guard.record(first, failure("rate_limit", "client", retry_after_s=30.0), 0.0)

    assert guard.record(second, failure("rate_limit", "client"), 0.0).paused_for_s == 1.0

    assert guard.limiter.paused_for_s(0.0) == 30.0


@pytest.mark.parametrize(("asked_s", "pause_s"), [(None, 60.0), (0.0, 60.0), (5.0, 5.0)])
def test_a_throttled_connection_pauses_alone(asked_s: float | None, pause_s: float) -> None:
    """Sixty seconds where the vendor names none."""
    guard = make_guard()
    throttled = failure("rate_limit", "connection", retry_after_s=asked_s)

    report = guard.record(admitted(guard, 0.0), throttled, 0.0)

    assert report.paused_for_s == pause_s
    assert refused(guard, pause_s - 0.1).code == "RETRY_AFTER"
    admitted(guard, 1.0, AdmitRequest(ACCOUNTS, "ins_a", "con_b"))


@pytest.mark.parametrize(("asked_s", "pause_s"), [(None, 60.0), (5.0, 5.0)])
def test_a_throttled_bank_pauses_alone(asked_s: float | None, pause_s: float) -> None:
    """All of its connections wait, and no other bank's."""
    guard = make_guard()
    throttled = failure("rate_limit", "institution", retry_after_s=asked_s)

    report = guard.record(admitted(guard, 0.0), throttled, 0.0)

    assert pause_s == report.paused_for_s
    other_login = AdmitRequest(ACCOUNTS, "ins_a", "con_b")
    assert "RETRY_AFTER" == refused(guard, pause_s - 0.1, other_login).code
    admitted(guard, 1.0, AdmitRequest(ACCOUNTS, "ins_b", "con_a"))


def test_a_throttled_connection_of_no_known_bank_pauses_alone() -> None:
    """The narrowest that is known has to wait."""
    guard = make_guard()
    ask = AdmitRequest(ACCOUNTS, None, "con_a")

    guard.record(admitted(guard, 0.0, ask), failure("rate_limit", "institution"), 0.0)

    assert "RETRY_AFTER" == refused(guard, 59.0, ask).code
    admitted(guard, 1.0, AdmitRequest(ACCOUNTS, None, "con_b"))


def test_a_limit_of_ours_pauses_nobody() -> None:
    """What never left this machine was not the vendor's word."""
    guard = make_guard()
    local = replace(failure("rate_limit", "connection", retry_after_s=9.0), sent=False)

    report = guard.record(admitted(guard, 0.0), local, 0.0)

    assert report.paused_for_s is None
    assert 0 == guard.limiter.snapshot(0.0).throttled_24h
    admitted(guard, 1.0)


def test_being_throttled_teaches_the_limit_of_the_call_that_was_refused() -> None:
    """The last call of the attempt is the one, not its first."""
    guard = make_guard(
        Quota(QuotaScope.CLIENT, 100, 60.0, "/accounts"),
        Quota(QuotaScope.CLIENT, 100, 60.0, "/balances"),
    )
    permit = admitted(guard, 0.0)
    for _ in range(10):
        guard.proceed(permit, "/balances", 0.0)

    guard.record(permit, failure("rate_limit", "client", retry_after_s=1.0), 0.0)

    assert "RateLimiter(paused for 1.0 s; /accounts 1/100, /balances 10/50)" == repr(guard.limiter)


def test_calls_throttled_together_teach_once() -> None:
    """A burst of 429s is one lesson."""
    guard = make_guard(Quota(QuotaScope.CLIENT, 100, 60.0), most=10)
    permits = [admitted(guard, 0.0) for _ in range(10)]

    for permit in permits:
        guard.record(permit, failure("rate_limit", "client"), 0.0)

    assert "* 10/50" in repr(guard.limiter)


def test_a_throttled_call_of_no_connection_pauses_the_client() -> None:
    """Somebody has to wait."""
    guard = make_guard()
    nobody = AdmitRequest(ACCOUNTS)

    guard.record(admitted(guard, 0.0, nobody), failure("rate_limit", "connection"), 0.0)

    assert guard.limiter.paused_for_s(0.0) == 1.0


def test_panic_passes_circuits_and_nothing_else() -> None:
    """Limits hold in panic too."""
    guard = make_guard()
    run(guard, DOWN, 0.0, times=5)
    panicking = AdmitRequest(ACCOUNTS, "ins_a", "con_a", panic=True)
    permit = admitted(guard, 1.0, panicking)
    assert permit.panic
    guard.record(permit, DOWN, 1.0)

    guard.limiter.block(5.0, 1.0)

    assert refused(guard, 1.0, panicking).code == "RETRY_AFTER"


def test_the_operators_switch_reaches_the_circuits() -> None:
    """Forced open is told as such; time changes nothing."""
    guard = make_guard()

    (moved,) = guard.force(Control.FORCED_OPEN, 0.0, "drill")

    assert moved.reason == "operator: drill"
    rejection = refused(guard, 1e6)
    assert (
        rejection.reason,
        rejection.code,
        rejection.retry_after_s,
    ) == (IneligibilityReason.FORCED_OPEN, "FORCED_OPEN", None)


def test_observing_lets_time_pass_in_all_parts() -> None:
    """Leases end, windows empty, circuits come due."""
    guard = make_guard(Quota(QuotaScope.CONNECTION, 5, 10.0))
    guard.limiter.try_acquire(VendorCall("/accounts", "con_b"), 0.0)
    run(guard, DOWN, 0.0, times=5)

    (moved,) = guard.observe(60.0)

    assert moved.to_state is CircuitState.HALF_OPEN
    assert guard.snapshot(60.0, 1.0).limiter.connection_windows == 0


def test_a_snapshot_says_what_the_guard_would_say() -> None:
    """Open, forced, limited, full or free: the picture and the gate agree."""
    guard = make_guard(Quota(QuotaScope.CLIENT, 1, 60.0, "/accounts"), most=1)
    free = guard.snapshot(0.0, 1_700_000_000.0)
    assert free.rejection(ACCOUNTS, "ins_a") is None
    assert (free.state, free.in_flight, free.max_in_flight) == (CircuitState.CLOSED, 0, 1)
    assert free == pickle.loads(pickle.dumps(free))

    permit = admitted(guard, 0.0)
    full = guard.snapshot(0.0, 0.0).rejection(ACCOUNTS, "ins_a")
    assert full == refused(guard, 0.0, AdmitRequest(ACCOUNTS, "ins_a", endpoint="/other"))

    limited = guard.snapshot(0.0, 0.0).rejection(ACCOUNTS, "ins_a", endpoint="/accounts")
    assert limited == refused(guard, 0.0)

    guard.record(permit, failure("rate_limit", "client", retry_after_s=90.0), 0.0)
    paused = guard.snapshot(0.0, 0.0).rejection(ACCOUNTS, "ins_a", endpoint="/accounts")
    assert paused == refused(guard, 0.0)
    assert paused.code == "RETRY_AFTER"

    guard.force(Control.FORCED_OPEN, 0.0, "drill")
    forced = guard.snapshot(0.0, 0.0).rejection(ACCOUNTS, "ins_a")
    assert forced == refused(guard, 0.0)


def test_a_snapshots_limits_end_with_its_age() -> None:
    """A wait that is over by now is no objection."""
    guard = make_guard()
    guard.limiter.block(5.0, 0.0)
    picture = guard.snapshot(0.0, 0.0)

    rejection = picture.rejection(ACCOUNTS, None, age_s=2.0)

    assert rejection is not None
    assert rejection.retry_after_s == pytest.approx(3.0, abs=1e-5)
    assert picture.rejection(ACCOUNTS, None, age_s=6.0) is None


def test_permits_survive_pickling() -> None:
    """They are handed to another process and come back."""
    guard = ProviderGuard("plaid", CircuitBoard(BreakerOptions()), RateLimiter())
    permit = admitted(guard, 0.0)

    guard.record(pickle.loads(pickle.dumps(permit)), None, 1.0)

    assert guard.in_flight == 0
