"""What survives a restart, and how carefully it is taken up."""

import json
from typing import cast

import pytest
from resilience_builders import (
    ACCOUNTS,
    BANK_DOWN,
    DOWN,
    NETWORK,
    REFUSED,
    SYNC,
    admitted,
    attempt,
)

from orchestrator.domain import CircuitState, Lane
from orchestrator.resilience import (
    AdmitRequest,
    BoardMemory,
    BreakerOptions,
    CircuitBoard,
    CircuitRejection,
    Control,
    Granted,
    GuardMemory,
    LimiterMemory,
    ProviderGuard,
    Quota,
    QuotaScope,
    RateLimiter,
    Reach,
    SentSince,
    ToldAllowance,
    VendorCall,
    guard_memory,
    limiter_memory,
    restore_guard,
    restore_limiter,
)

CLIENT, CONNECTION = QuotaScope.CLIENT, QuotaScope.CONNECTION
CALL = VendorCall("e")
QUOTAS = (Quota(CLIENT, 100, 60.0), Quota(CONNECTION, 10, 60.0))


def taken(limiter: RateLimiter, now: float, call: VendorCall = CALL, most: int = 1000) -> int:
    """How many calls pass now."""
    passed = 0
    while passed < most and isinstance(limiter.try_acquire(call, now), Granted):
        passed += 1
    return passed


def reborn(
    limiter: RateLimiter,
    told_at: float,
    elapsed_s: float,
    *,
    quotas: tuple[Quota, ...] = QUOTAS,
    sent_since: SentSince = 0,
) -> RateLimiter:
    """A limiter in another process, whose clock is at 0 when it takes up the memory."""
    memory = json.loads(json.dumps(limiter_memory(limiter, told_at)))
    fresh = RateLimiter(quotas)
    restore_limiter(fresh, cast(LimiterMemory, memory), 0.0, elapsed_s, sent_since=sent_since)
    return fresh


def board_reborn(
    board: CircuitBoard, told_at: float, elapsed_s: float, options: BreakerOptions | None = None
) -> CircuitBoard:
    """A board in another process, whose clock is at 0 when it takes up the memory."""
    memory = json.loads(json.dumps(board.memory(told_at)))
    fresh = CircuitBoard(options)
    fresh.restore(cast(BoardMemory, memory), 0.0, elapsed_s)
    return fresh


def test_calls_are_counted_as_long_as_they_would_have_been() -> None:
    """The client's and each connection's."""
    limiter = RateLimiter(QUOTAS)
    assert 10 == taken(limiter, 100.0, VendorCall("e", "con_a"))
    assert 20 == taken(limiter, 130.0, most=20)

    fresh = reborn(limiter, 140.0, 5.0)

    assert 0 == taken(fresh, 0.0, VendorCall("e", "con_a"))
    assert 70 == taken(fresh, 0.0)
    assert 10 == taken(fresh, 16.2, VendorCall("e", "con_a"))
    assert 20 == taken(fresh, 46.2)


def test_what_left_the_window_meanwhile_is_not_taken_up() -> None:
    """Not even for an instant."""
    limiter = RateLimiter(QUOTAS)
    taken(limiter, 0.0)

    assert 100 == taken(reborn(limiter, 0.0, 61.2), 0.0)
    assert 0 == taken(reborn(limiter, 0.0, 61.1), 0.0)


def test_what_may_have_been_sent_since_counts_as_sent() -> None:
    """All that fits where nobody knows, else so many, by the client and by any connection."""
    limiter = RateLimiter(QUOTAS)
    taken(limiter, 0.0, most=30)

    unknown = [taken(reborn(limiter, 0.0, 1.0, sent_since=None), at) for at in (60.1, 61.1, 61.2)]
    assert [0, 30, 100] == unknown
    assert 66 == taken(reborn(limiter, 0.0, 1.0, sent_since=4), 0.0)
    assert 6 == taken(reborn(limiter, 0.0, 1.0, sent_since=4), 0.0, VendorCall("e", "con_new"))
    assert 0 == taken(reborn(limiter, 0.0, 1.0, sent_since=40), 0.0, VendorCall("e", "con_new"))
    assert 10 == taken(reborn(limiter, 0.0, 1.0, sent_since=40), 61.2, VendorCall("e", "con_new"))


def test_what_is_known_to_have_been_sent_counts_for_whom_it_was() -> None:
    """By connection: the client's windows count all of it, and who is not named sent nothing."""
    limiter = RateLimiter(QUOTAS)
    taken(limiter, 0.0, VendorCall("e", "con_a"), most=3)
    since = {"con_a": 4, "con_b": 12, None: 5}

    fresh = reborn(limiter, 0.0, 1.0, sent_since=since)

    seen = [taken(fresh, 0.0, VendorCall("e", f"con_{name}")) for name in "abc"]
    assert [3, 0, 10] == seen
    assert 100 - (3 + 21) - 13 == taken(fresh, 0.0)
    assert 3 == taken(fresh, 60.2, VendorCall("e", "con_a"))
    assert 10 == taken(fresh, 61.2, VendorCall("e", "con_b"))


def test_backfill_is_told_apart_from_people() -> None:
    """So that the next process leaves as much to them."""
    limiter = RateLimiter(QUOTAS)
    taken(limiter, 0.0, most=60)
    bulk = VendorCall("e", lane=Lane.BACKFILL)
    assert 12 == taken(RateLimiter(QUOTAS), 0.0, bulk)

    soon, later = reborn(limiter, 0.0, 1.0), reborn(limiter, 0.0, 61.3)

    assert [0, 5] == [taken(soon, 0.0, bulk), taken(later, 0.0, bulk)]
    assert [40, 95] == [taken(soon, 0.0), taken(later, 0.0)]
    assert [0, 5] == [taken(limiter, 1.0, bulk), taken(limiter, 61.3, bulk)]


def test_neighbours_are_told_together_and_count_from_the_youngest() -> None:
    """Bounded in size, and never shorter than it was."""
    limiter = RateLimiter([Quota(CLIENT, 6400, 64.0)])
    for number in range(6400):
        limiter.try_acquire(CALL, number / 100)
    memory = limiter_memory(limiter, 64.0)

    fresh = reborn(limiter, 64.0, 0.0, quotas=(Quota(CLIENT, 6400, 64.0),))

    assert 64 == len(memory["client"][0]["shared"]["all"])
    assert 0 == taken(fresh, 2.26)
    assert 100 == taken(fresh, 2.28)


def test_pauses_go_on_for_what_is_left() -> None:
    """Of whoever was paused."""
    limiter = RateLimiter(QUOTAS)
    limiter.block(30.0, 0.0)
    limiter.block(60.0, 0.0, reach=Reach.CONNECTION, name="con_a")
    limiter.block(5.0, 0.0, reach=Reach.INSTITUTION, name="ins_a")

    fresh = reborn(limiter, 10.0, 10.0)

    assert 10.0 == fresh.paused_for_s(0.0)
    assert fresh.check(CALL, 10.0) is None
    assert fresh.check(VendorCall("e", "con_a"), 39.9) is not None
    assert fresh.check(VendorCall("e", "con_a"), 40.0) is None
    assert 2 == len(fresh.pauses)


def test_lessons_go_on_fading() -> None:
    """At the pace at which they did, watched endpoints' too."""
    limiter = RateLimiter(QUOTAS[1:])
    watched, connected = VendorCall("w"), VendorCall("e", "con_a")
    taken(limiter, 0.0, watched, most=50)
    taken(limiter, 0.0, connected)
    limiter.learn(watched, Reach.EVERYONE, 0.0)
    limiter.learn(connected, Reach.CONNECTION, 0.0)

    fresh = reborn(limiter, 100.0, 200.0, quotas=QUOTAS[1:])

    assert 45 == taken(fresh, 0.0, watched)
    assert 8 == taken(fresh, 0.0, connected)
    unknown = reborn(limiter, 100.0, 10.0, quotas=QUOTAS[1:], sent_since=None)
    assert 0 == taken(unknown, 0.0, watched)


@pytest.mark.parametrize(("sent_since", "left"), [(0, 5), (3, 2), (9, 0), (None, 0)])
def test_what_a_vendor_said_was_left_is_less_by_what_may_have_been_sent(
    sent_since: int | None, left: int
) -> None:
    """Until it resets."""
    limiter = RateLimiter()
    limiter.told(CALL, ToldAllowance(5, 30.0), 0.0)

    fresh = reborn(limiter, 0.0, 10.0, quotas=(), sent_since=sent_since)

    assert left == taken(fresh, 0.0)
    assert 1000 == taken(fresh, 20.0)


def test_a_limit_that_has_changed_since_holds_as_it_is_now() -> None:
    """Windows are found by endpoint and length; one that is new begins full, one that is gone is."""
    limiter = RateLimiter([Quota(CLIENT, 10, 60.0, "e"), Quota(CLIENT, 10, 1.0, "e")])
    taken(limiter, 0.0, most=4)
    now = (Quota(CLIENT, 6, 60.0, "e"), Quota(CLIENT, 5, 10.0, "f"))

    fresh = reborn(limiter, 0.0, 0.0, quotas=now)

    assert 2 == taken(fresh, 0.0)
    assert 0 == taken(fresh, 10.1, VendorCall("f"))
    assert 5 == taken(fresh, 10.2, VendorCall("f"))


def test_more_connections_than_are_told_all_count_as_full() -> None:
    """What was left out may have been anybody's."""
    limiter = RateLimiter([Quota(CONNECTION, 2, 60.0)])
    for number in range(10_001):
        limiter.try_acquire(VendorCall("e", f"con_{number}"), 0.0)

    fresh = reborn(limiter, 0.0, 0.0, quotas=(Quota(CONNECTION, 2, 60.0),))

    assert 0 == taken(fresh, 0.0, VendorCall("e", "con_0"))
    assert 0 == taken(fresh, 61.1, VendorCall("e", "con_new"))
    assert 2 == taken(fresh, 61.2, VendorCall("e", "con_new"))


def test_an_open_circuit_stays_open_for_its_time() -> None:
    """What is left of it, since it opened, and with the interval that it has grown to."""
    options = BreakerOptions(max_timeout_s=600.0)
    board = CircuitBoard(options)
    attempt(board, DOWN, 0.0, times=5)
    board.record(admitted(board, 60.0), DOWN, 60.0)

    fresh = board_reborn(board, 70.0, 30.0, options)

    picture = fresh.snapshot(0.0)
    assert (CircuitState.OPEN, 80.0, 100.0) == (
        picture.state,
        picture.retry_after_s,
        picture.provider.opened_for_s,
    )
    fresh.record(admitted(fresh, 80.0), DOWN, 80.0)
    assert 240.0 == fresh.snapshot(80.0).retry_after_s


def test_a_half_open_circuit_is_due_at_once_with_nothing_shown() -> None:
    """Whoever was probing is gone, so one success less than two is not enough."""
    board = CircuitBoard()
    attempt(board, DOWN, 0.0, times=5)
    attempt(board, None, 60.0)
    admitted(board, 60.0)

    fresh = board_reborn(board, 61.0, 1.0)

    assert (CircuitState.OPEN, 0.0) == (fresh.state, fresh.snapshot(0.0).retry_after_s)
    attempt(fresh, None, 0.0)
    assert CircuitState.HALF_OPEN is fresh.state
    attempt(fresh, None, 0.0)
    assert CircuitState.CLOSED is fresh.state


def test_counted_failures_stay_counted() -> None:
    """At the provider, an operation, a bank, and the banks that could not be reached."""
    board = CircuitBoard()
    attempt(board, DOWN, 0.0, times=4)
    attempt(board, BANK_DOWN, 0.0, at="ins_a", times=4)
    attempt(board, NETWORK, 0.0, at="ins_b")

    fresh = board_reborn(board, 100.0, 100.0)

    (opened,) = attempt(fresh, BANK_DOWN, 0.0, at="ins_a")
    assert ("institution:ins_a", CircuitState.OPEN) == (opened.scope, opened.to_state)
    (down,) = attempt(fresh, NETWORK, 0.0, at="ins_c")
    assert ("provider", CircuitState.OPEN) == (down.scope, down.to_state)
    later = board_reborn(board, 100.0, 250.0)
    assert () == attempt(later, NETWORK, 0.0, at="ins_c")


def test_narrow_circuits_stay_as_they_were() -> None:
    """Each with its own time."""
    board = CircuitBoard()
    attempt(board, BANK_DOWN, 0.0, at="ins_a", times=5)

    fresh = board_reborn(board, 10.0, 10.0)

    answer = fresh.admit(ACCOUNTS, "ins_a", 0.0)
    assert isinstance(answer, CircuitRejection)
    assert 40.0 == answer.retry_after_s
    admitted(fresh, 0.0, at="ins_b")
    assert admitted(fresh, 40.0, at="ins_a").probe


def test_refused_keys_and_the_operators_word_stay() -> None:
    """Neither is undone by a restart."""
    refused, forced, never = CircuitBoard(), CircuitBoard(), CircuitBoard(probes_refused_keys=False)
    attempt(refused, REFUSED, 0.0)
    attempt(never, REFUSED, 0.0)
    forced.force(Control.FORCED_OPEN, 0.0, "drill")

    pictures = [board_reborn(board, 1.0, 1e4).snapshot(0.0) for board in (forced, never)]
    later = board_reborn(refused, 1.0, 100.0)

    assert [CircuitState.FORCED_OPEN, CircuitState.OPEN] == [each.state for each in pictures]
    assert [None, None] == [each.retry_after_s for each in pictures]
    assert 499.0 == later.snapshot(0.0).retry_after_s
    later.record(admitted(later, 499.0), DOWN, 499.0)
    assert 600.0 == later.snapshot(499.0).retry_after_s


def test_a_guard_takes_up_circuits_and_limits_and_sends_nothing_extra() -> None:
    """The call budget begins exhausted; a clock that went back counts as one that stood still."""
    guard = ProviderGuard("plaid", CircuitBoard(), RateLimiter(QUOTAS))
    attempt(guard.board, BANK_DOWN, 0.0, at="ins_a", times=5)
    taken(guard.limiter, 0.0, most=60)
    memory = json.loads(json.dumps(guard_memory(guard, 0.0)))
    fresh = ProviderGuard("plaid", CircuitBoard(), RateLimiter(QUOTAS))

    restore_guard(fresh, cast(GuardMemory, memory), 50.0, -5.0, sent_since=10)

    assert pytest.approx(0.3) == fresh.limiter.remaining_ratio(50.0)
    assert 0 == fresh.budget.left(50.0)
    rejection = fresh.check(AdmitRequest(SYNC, "ins_a"), 50.0)
    assert rejection is not None
    assert ("CIRCUIT_OPEN", 60.0) == (rejection.code, rejection.retry_after_s)
