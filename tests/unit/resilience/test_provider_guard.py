"""The gate before a provider: circuits, limits, calls in flight, in this order."""

import pickle  # noqa: TID251  the point is that what is sent survives it

import pytest
from resilience_builders import ACCOUNTS, DOWN, REFUSED, failure

from orchestrator.domain import CircuitState, Failure, IneligibilityReason
from orchestrator.resilience import (
    AdmitRequest,
    BreakerOptions,
    CircuitBoard,
    Control,
    GuardPermit,
    GuardRejection,
    ProviderGuard,
    Quota,
    QuotaScope,
    RateLimiter,
)

ASK = AdmitRequest(ACCOUNTS, "ins_a", "con_a", "/accounts")


def make_guard(*quotas: Quota, max_in_flight: int = 4) -> ProviderGuard:
    """A guard of closed circuits."""
    return ProviderGuard("plaid", CircuitBoard(), RateLimiter(quotas), max_in_flight=max_in_flight)


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
        "ProviderGuard(plaid, 1/4 in flight, CircuitBoard(CLOSED), RateLimiter(open))"
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
    guard = make_guard(max_in_flight=1)
    lost = admitted(guard, 0.0)
    assert refused(guard, 659.0).code == "IN_FLIGHT"

    admitted(guard, 660.0)

    assert guard.record(lost, failure("rate_limit", "client"), 661.0).paused_for_s is None
    assert guard.in_flight == 1


def test_circuits_speak_before_limits() -> None:
    """A candidate that is open and limited is open."""
    guard = make_guard(Quota(QuotaScope.CLIENT, 1, 600.0))
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
    guard = make_guard(Quota(QuotaScope.CLIENT, 1, 60.0), max_in_flight=1)
    admitted(guard, 0.0)
    guard.limiter.try_acquire("/accounts", "con_a", 0.0)

    rejection = refused(guard, 0.0)

    assert rejection.code == "LOCAL_LIMIT"
    assert rejection.reason is IneligibilityReason.RATE_LIMITED
    assert rejection.retry_after_s == pytest.approx(60.0, abs=1e-5)
    assert guard.limiter.snapshot(0.0).throttled_24h == 1


def test_admission_takes_no_token() -> None:
    """HTTP calls take them, one each."""
    guard = make_guard(Quota(QuotaScope.CLIENT, 1, 60.0))

    run(guard, None, 0.0, times=10)

    assert guard.limiter.remaining_ratio(0.0) == 1.0


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
    guard = make_guard(max_in_flight=1)
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
    assert admitted(guard, 1.0, panicking).panic

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
    guard.limiter.try_acquire("/accounts", "con_a", 0.0)
    run(guard, DOWN, 0.0, times=5)

    (moved,) = guard.observe(60.0)

    assert moved.to_state is CircuitState.HALF_OPEN
    assert guard.snapshot(60.0, 1.0).limiter.connection_windows == 0


@pytest.mark.parametrize(("bound", "lease_s"), [(0, 660.0), (1, 0.0), (1, float("nan"))])
def test_options_out_of_range_are_refused(bound: int, lease_s: float) -> None:
    """A guard that admits nobody is a programming error."""
    with pytest.raises(ValueError, match="max_in_flight"):
        ProviderGuard(
            "plaid",
            CircuitBoard(),
            RateLimiter(),
            max_in_flight=bound,
            permit_lease_s=lease_s,
        )


def test_a_snapshot_says_what_the_guard_would_say() -> None:
    """Open, forced, limited, full or free: the picture and the gate agree."""
    guard = make_guard(Quota(QuotaScope.CLIENT, 1, 60.0, "/accounts"), max_in_flight=1)
    free = guard.snapshot(0.0, 1_700_000_000.0)
    assert free.rejection(ACCOUNTS, "ins_a") is None
    assert (free.state, free.in_flight, free.max_in_flight) == (CircuitState.CLOSED, 0, 1)
    assert free == pickle.loads(pickle.dumps(free))

    permit = admitted(guard, 0.0)
    full = guard.snapshot(0.0, 0.0).rejection(ACCOUNTS, "ins_a")
    assert full == refused(guard, 0.0)

    guard.limiter.try_acquire("/accounts", "con_a", 0.0)
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
