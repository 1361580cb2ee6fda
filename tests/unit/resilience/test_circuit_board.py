"""Which of a provider's circuits a result opens, and which it leaves alone."""

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
    failure,
)

from orchestrator.domain import CircuitState, Failure, IneligibilityReason
from orchestrator.resilience import (
    BreakerOptions,
    CircuitBoard,
    CircuitPermit,
    CircuitRejection,
    CircuitTransition,
    Control,
    OpenCause,
)

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN


def narrower(board: CircuitBoard, now: float = 0.0) -> dict[str, CircuitState]:
    """The narrower circuits that are not closed."""
    return {status.scope: status.state for status in board.snapshot(now).narrower}


def test_a_new_board_is_closed_and_holds_one_circuit() -> None:
    """Narrower circuits come with failures only."""
    board = CircuitBoard()

    permit = admitted(board, 0.0, at="ins_chase")

    assert permit.narrower == ()
    assert permit.provider_state is CLOSED
    assert (permit.probe, permit.panic) == (False, False)
    assert repr(board) == "CircuitBoard(CLOSED)"


def test_five_provider_failures_open_the_provider_and_nothing_below() -> None:
    """The wider circuit explains the narrower one, whose count goes to zero."""
    # Given a provider that failed four times at one operation
    board = CircuitBoard()
    assert attempt(board, DOWN, 0.0, times=4) == ()

    # When it fails once more
    moved = attempt(board, DOWN, 0.0)

    # Then only the provider's own circuit opens
    assert moved == (CircuitTransition("provider", CLOSED, OPEN, "5 consecutive failures"),)
    assert narrower(board) == {}
    assert repr(board) == "CircuitBoard(OPEN)"

    # And once it has closed, the operation's count starts at zero
    assert len(attempt(board, None, 60.0, times=2)) == 2
    assert attempt(board, DOWN, 61.0, times=4) == ()


def test_late_failures_after_the_provider_opened_open_nothing_below() -> None:
    """Twenty calls under way at the crash are one outage, not three."""
    board = CircuitBoard()
    permits = [admitted(board, 0.0, at="ins_a") for _ in range(20)]

    moved = [t for permit in permits for t in board.record(permit, DOWN, 1.0)]

    assert [t.scope for t in moved] == ["provider"]
    assert narrower(board) == {}


def test_an_operation_that_alone_fails_is_closed_off_alone() -> None:
    """Successes of other operations keep the provider closed."""
    board = CircuitBoard()
    moved: list[CircuitTransition] = []
    for _ in range(5):
        moved += attempt(board, DOWN, 0.0, operation=SYNC)
        moved += attempt(board, None, 0.0, operation=ACCOUNTS)

    assert moved == [
        CircuitTransition("operation:syncTransactions", CLOSED, OPEN, "5 consecutive failures")
    ]
    assert isinstance(board.admit(SYNC, None, 1.0), CircuitRejection)
    assert isinstance(board.admit(ACCOUNTS, None, 1.0), CircuitPermit)


def test_institution_failures_close_off_that_institution_alone() -> None:
    """A bank that is down costs its provider nothing elsewhere."""
    board = CircuitBoard()

    moved = attempt(board, BANK_DOWN, 0.0, at="ins_chase", times=5)

    assert moved == (
        CircuitTransition("institution:ins_chase", CLOSED, OPEN, "5 consecutive failures"),
    )
    assert repr(board) == "CircuitBoard(CLOSED, institution:ins_chase OPEN)"
    assert isinstance(board.admit(ACCOUNTS, "ins_citi", 1.0), CircuitPermit)
    assert isinstance(board.admit(ACCOUNTS, None, 1.0), CircuitPermit)

    rejection = board.admit(SYNC, "ins_chase", 1.0)
    assert isinstance(rejection, CircuitRejection)
    assert rejection.reason is IneligibilityReason.CIRCUIT_OPEN
    assert rejection.retry_after_s == 59.0
    assert rejection.block.scope == "institution:ins_chase"
    assert rejection.block.by_failures


def test_institution_failures_do_not_interrupt_a_row_of_provider_failures() -> None:
    """They are neutral to the wider circuits."""
    board = CircuitBoard()
    attempt(board, DOWN, 0.0, at="ins_a", times=4)
    attempt(board, BANK_DOWN, 0.0, at="ins_a")

    assert len(attempt(board, DOWN, 0.0, at="ins_a")) == 1
    assert board.state is OPEN


@pytest.mark.parametrize(
    "outcome",
    [
        failure("validation", "request"),
        failure("auth", "connection"),
        failure("rate_limit", "client"),
        failure("network", "provider", "DEADLINE"),
        failure("network", "provider", "ACTOR_LOST"),
        BANK_DOWN,
    ],
)
def test_what_is_nobodys_fault_opens_nothing(outcome: Failure) -> None:
    """Neither alone nor a hundred times; an institution failure needs a known institution."""
    board = CircuitBoard()

    assert attempt(board, outcome, 0.0, times=100) == ()

    assert repr(board) == "CircuitBoard(CLOSED)"


def test_network_failures_without_an_institution_open_the_provider() -> None:
    """There is nobody else to suspect."""
    board = CircuitBoard()

    moved = attempt(board, NETWORK, 0.0, times=5)

    assert [t.scope for t in moved] == ["provider"]


def test_network_failures_at_one_institution_open_that_institution() -> None:
    """One bank that cannot be reached is that bank's trouble."""
    board = CircuitBoard()

    moved = attempt(board, NETWORK, 0.0, at="ins_a", times=5)

    assert [t.scope for t in moved] == ["institution:ins_a"]


def test_network_failures_at_two_institutions_count_at_the_provider() -> None:
    """From the second institution on, every one counts there too."""
    board = CircuitBoard()
    assert attempt(board, NETWORK, 0.0, at="ins_a") == ()

    # Four more, now that a second one fails
    for name in ("ins_b", "ins_a", "ins_c", "ins_b"):
        assert attempt(board, NETWORK, 1.0, at=name) == ()

    # The fifth that counts
    moved = attempt(board, NETWORK, 1.0, at="ins_a")

    assert [t.scope for t in moved] == ["provider"]
    assert narrower(board) == {}


def test_a_success_at_an_institution_clears_it_of_suspicion() -> None:
    """Then the other's failures are its own again."""
    board = CircuitBoard()
    attempt(board, NETWORK, 0.0, at="ins_a")
    attempt(board, None, 0.0, at="ins_a")

    moved = attempt(board, NETWORK, 1.0, at="ins_b", times=5)

    assert [t.scope for t in moved] == ["institution:ins_b"]


def test_refused_keys_open_the_provider_at_once_with_an_alarm() -> None:
    """One is enough, and one probe comes after ten timeouts."""
    board = CircuitBoard()

    moved = attempt(board, REFUSED, 0.0, at="ins_a")

    assert moved == (
        CircuitTransition("provider", CLOSED, OPEN, "our keys were refused", alarm=True),
    )
    rejection = board.admit(ACCOUNTS, None, 0.0, panic=True)
    assert isinstance(rejection, CircuitRejection)
    assert rejection.block.cause is OpenCause.CLIENT
    assert not rejection.block.by_failures
    assert rejection.retry_after_s == 600.0

    probe = admitted(board, 600.0)
    assert probe.probe

    again = board.record(probe, REFUSED, 600.0)
    assert [(t.from_state, t.to_state, t.alarm) for t in again] == [(HALF_OPEN, OPEN, True)]
    assert board.snapshot(600.0).retry_after_s == 600.0


def test_a_client_failure_that_is_not_about_keys_says_so() -> None:
    """A contract that does not cover a call is no wrong key."""
    (moved,) = attempt(CircuitBoard(), failure("validation", "client"), 0.0)

    assert moved.reason == "we were refused as a client"
    assert moved.alarm


def test_where_a_refused_try_does_harm_no_probe_is_ever_sent() -> None:
    """Five failed authentications lock a Finicity partner."""
    board = CircuitBoard(probes_refused_keys=False)
    attempt(board, REFUSED, 0.0)

    assert isinstance(board.admit(ACCOUNTS, None, 1e9), CircuitRejection)
    assert board.snapshot(1e9).retry_after_s is None
    assert board.observe(1e9) == ()

    board.force(Control.AUTO, 1e9, "new keys")
    assert isinstance(board.admit(ACCOUNTS, None, 1e9), CircuitPermit)


def test_refused_keys_explain_what_was_counted_below() -> None:
    """Once they are accepted again, narrower counts start at zero."""
    board = CircuitBoard()
    attempt(board, BANK_DOWN, 0.0, at="ins_a", times=4)
    attempt(board, REFUSED, 0.0)
    attempt(board, None, 600.0, times=2)

    assert attempt(board, BANK_DOWN, 601.0, at="ins_a", times=4) == ()


def test_calls_under_way_when_keys_are_refused_trip_it_once() -> None:
    """The rest are late."""
    board = CircuitBoard()
    permits = [admitted(board, 0.0) for _ in range(3)]

    moved = [board.record(permit, REFUSED, 1.0) for permit in permits]

    assert [len(transitions) for transitions in moved] == [1, 0, 0]


def test_a_rejection_by_one_circuit_gives_back_the_probe_slot_of_another() -> None:
    """All give leave, or nothing is taken."""
    # Given an institution that is due for a probe while the provider is open for longer
    board = CircuitBoard(BreakerOptions(timeout_s=10.0))
    attempt(board, BANK_DOWN, 0.0, at="ins_a", times=5)
    attempt(board, DOWN, 5.0, times=5)

    # When a call asks
    answer = board.admit(ACCOUNTS, "ins_a", 11.0)

    # Then it is refused by the provider alone, and the other's change is told
    assert isinstance(answer, CircuitRejection)
    assert answer.block.scope == "provider"
    assert [t.scope for t in answer.transitions] == ["institution:ins_a"]

    # And the institution's only probe slot is free when the provider lets through
    permit = admitted(board, 15.0, at="ins_a")
    assert permit.provider.probe
    assert all(held.probe for _, held in permit.narrower)


def test_a_released_permit_holds_nothing() -> None:
    """Who does not call gives it back unused."""
    board = CircuitBoard()
    attempt(board, DOWN, 0.0, times=5)
    probe = admitted(board, 60.0)
    assert isinstance(board.admit(ACCOUNTS, None, 60.0), CircuitRejection)

    assert board.release(probe, 60.0) == ()

    assert admitted(board, 60.0).probe


def test_the_longest_wait_and_the_weightiest_cause_are_told() -> None:
    """A caller is not sent back sooner than all circuits may let it through."""
    board = CircuitBoard()
    attempt(board, DOWN, 0.0, times=5)
    attempt(board, None, 60.0, times=2)
    attempt(board, BANK_DOWN, 100.0, at="ins_a", times=5)
    attempt(board, DOWN, 110.0, times=5)

    block = board.blocks(ACCOUNTS, "ins_a", 120.0)

    assert block is not None
    assert (block.scope, block.retry_after_s, block.by_failures) == ("provider", 50.0, True)


def test_a_narrow_circuit_recovers_by_its_own_probes() -> None:
    """Half-open, two successes, gone."""
    board = CircuitBoard(BreakerOptions(permit_lease_s=100.0))
    attempt(board, BANK_DOWN, 0.0, at="ins_a", times=5)

    probe = admitted(board, 60.0, at="ins_a")
    assert probe.probe
    assert not probe.provider.probe
    assert narrower(board, 60.0) == {"institution:ins_a": HALF_OPEN}
    assert isinstance(board.admit(ACCOUNTS, "ins_a", 60.0), CircuitRejection)
    assert board.record(probe, None, 61.0) == ()
    (closed,) = attempt(board, None, 62.0, at="ins_a")

    assert closed.reason == "2 successful probes"
    assert narrower(board, 62.0) == {}


def test_a_failed_probe_of_a_narrow_circuit_opens_it_for_longer() -> None:
    """Growth and jitter hold for every circuit."""
    board = CircuitBoard()
    attempt(board, BANK_DOWN, 0.0, at="ins_a", times=5)
    probe = admitted(board, 60.0, at="ins_a")

    (moved,) = board.record(probe, BANK_DOWN, 60.0, jitter_ratio=0.25)

    assert moved.reason == "probe failed"
    assert board.snapshot(60.0).narrower[0].retry_after_s == 150.0


def test_failures_of_calls_admitted_before_the_circuit_existed_count() -> None:
    """Five calls in flight together find no circuit, and still open it."""
    board = CircuitBoard()
    permits = [admitted(board, 0.0, at="ins_a") for _ in range(6)]

    moved = [board.record(permit, BANK_DOWN, 1.0) for permit in permits]

    assert [len(transitions) for transitions in moved] == [0, 0, 0, 0, 1, 0]


def test_late_results_of_an_earlier_life_of_a_narrow_circuit_are_ignored() -> None:
    """A slow success from before it opened does not close it."""
    board = CircuitBoard(BreakerOptions(success_threshold=1))
    slow = admitted(board, 0.0, at="ins_a")
    attempt(board, BANK_DOWN, 0.0, at="ins_a", times=5)
    board.observe(60.0)

    assert board.record(slow, None, 61.0) == ()

    assert narrower(board, 61.0) == {"institution:ins_a": HALF_OPEN}


def test_narrow_circuits_go_when_they_have_nothing_to_say() -> None:
    """One that never opened goes with the success; one that did, when no late result can come."""
    board = CircuitBoard(BreakerOptions(permit_lease_s=100.0))
    attempt(board, BANK_DOWN, 0.0, at="ins_a")
    assert len(admitted(board, 0.0, at="ins_a").narrower) == 1
    board.observe(100.0)
    attempt(board, None, 100.0, at="ins_a")
    assert admitted(board, 100.0, at="ins_a").narrower == ()

    attempt(board, BANK_DOWN, 200.0, at="ins_a", times=5)
    attempt(board, None, 260.0, at="ins_a", times=2)
    board.observe(359.0)
    assert len(admitted(board, 359.0, at="ins_a").narrower) == 1

    board.observe(460.0)
    assert admitted(board, 460.0, at="ins_a").narrower == ()


def test_narrow_circuits_are_bounded_and_giving_one_up_is_told() -> None:
    """The one used longest ago goes; an open one is told to be closed."""
    board = CircuitBoard(max_narrower=2)
    attempt(board, BANK_DOWN, 0.0, at="ins_a", times=5)
    attempt(board, BANK_DOWN, 0.0, at="ins_b")
    held = admitted(board, 0.0, at="ins_b")
    attempt(board, BANK_DOWN, 0.0, at="ins_b")

    moved = attempt(board, BANK_DOWN, 1.0, at="ins_c")

    assert moved == (
        CircuitTransition("institution:ins_a", OPEN, CLOSED, "given up: too many circuits"),
    )
    assert attempt(board, BANK_DOWN, 2.0, at="ins_d") == ()
    assert board.record(held, BANK_DOWN, 3.0) == ()
    assert isinstance(board.admit(ACCOUNTS, "ins_a", 3.0), CircuitPermit)


def test_a_circuit_in_use_is_not_the_one_given_up() -> None:
    """Asking counts as use."""
    board = CircuitBoard(max_narrower=2)
    for name in ("ins_a", "ins_b"):
        attempt(board, BANK_DOWN, 0.0, at=name, times=5)
    assert isinstance(board.admit(ACCOUNTS, "ins_a", 1.0), CircuitRejection)

    (moved,) = attempt(board, BANK_DOWN, 2.0, at="ins_c")

    assert moved.scope == "institution:ins_b"


def test_a_permit_of_a_circuit_given_up_is_unknown_to_its_successor() -> None:
    """Ids are the board's, so that nobody settles another's permit."""
    # Given a permit of a circuit that was given up, and one of its successor
    board = CircuitBoard(BreakerOptions(failure_threshold=2), max_narrower=1)
    attempt(board, BANK_DOWN, 0.0, at="ins_a")
    old = admitted(board, 0.0, at="ins_a")
    attempt(board, BANK_DOWN, 0.0, at="ins_b")
    attempt(board, BANK_DOWN, 0.0, at="ins_a")
    new = admitted(board, 0.0, at="ins_a")

    # When the old one comes back with a success, then it interrupts no row
    assert board.record(old, None, 1.0) == ()
    (opened,) = board.record(new, BANK_DOWN, 1.0)

    assert opened.reason == "2 consecutive failures"


def test_a_permit_outlives_the_circuit_that_was_given_up() -> None:
    """Releasing it then is quiet."""
    board = CircuitBoard(max_narrower=1)
    attempt(board, BANK_DOWN, 0.0, at="ins_a")
    held = admitted(board, 0.0, at="ins_a")
    attempt(board, BANK_DOWN, 0.0, at="ins_b")

    assert board.release(held, 1.0) == ()


def test_the_bound_must_leave_room_for_one() -> None:
    """A board without narrower circuits is a programming error."""
    with pytest.raises(ValueError, match="at least 1"):
        CircuitBoard(max_narrower=0)


def test_an_observation_by_a_late_result_is_told() -> None:
    """Whoever looks first after an interval logs that it is over."""
    board = CircuitBoard()
    attempt(board, BANK_DOWN, 0.0, at="ins_a", times=5)
    permit = admitted(board, 0.0)
    board.force(Control.AUTO, 1.0, "x")
    attempt(board, DOWN, 2.0, times=5)

    (moved,) = board.record(permit, None, 70.0)

    assert (moved.scope, moved.to_state) == ("provider", HALF_OPEN)


def test_the_provider_reopening_gives_back_narrow_probes() -> None:
    """A call that probed two circuits at once leaves both ready for the next."""
    board = CircuitBoard(BreakerOptions(timeout_s=10.0))
    attempt(board, BANK_DOWN, 0.0, at="ins_a", times=5)
    attempt(board, DOWN, 0.0, times=5)
    both = admitted(board, 10.0, at="ins_a")
    assert both.provider.probe + len(both.narrower) == 2

    (moved,) = board.record(both, DOWN, 10.0)

    assert moved == CircuitTransition("provider", HALF_OPEN, OPEN, "probe failed")
    assert admitted(board, 30.0, at="ins_a").probe


def test_a_call_in_panic_passes_every_circuit_open_by_failures() -> None:
    """Its success makes them half-open; its failure leaves them."""
    # Given provider and institution open by failures
    board = CircuitBoard()
    attempt(board, BANK_DOWN, 0.0, at="ins_a", times=5)
    attempt(board, DOWN, 0.0, times=5)

    # When a call in panic fails
    failed = admitted(board, 1.0, at="ins_a", panic=True)
    assert failed.panic
    assert failed.provider_state is OPEN

    # Then nothing moves
    assert board.record(failed, DOWN, 2.0) == ()
    assert board.snapshot(2.0).retry_after_s == 58.0

    # When one succeeds
    succeeded = admitted(board, 3.0, at="ins_a", panic=True)
    moved = board.record(succeeded, None, 4.0)

    # Then both become half-open
    assert [(t.scope, t.to_state) for t in moved] == [
        ("provider", HALF_OPEN),
        ("institution:ins_a", HALF_OPEN),
    ]


def test_refused_keys_in_panic_are_found_out() -> None:
    """A circuit open by failures learns that our keys are the trouble."""
    board = CircuitBoard()
    attempt(board, DOWN, 0.0, times=5)

    (moved,) = board.record(admitted(board, 1.0, panic=True), REFUSED, 2.0)

    assert (moved.from_state, moved.to_state, moved.alarm) == (OPEN, OPEN, True)
    assert board.snapshot(2.0).cause is OpenCause.CLIENT


def test_force_acts_on_the_narrower_circuits_too() -> None:
    """FORCED_CLOSED opens the way everywhere; AUTO closes all and forgets the narrower."""
    # Given an open institution
    board = CircuitBoard()
    attempt(board, BANK_DOWN, 0.0, at="ins_a", times=5)

    # When all is forced closed
    moved = board.force(Control.FORCED_CLOSED, 1.0, "drill")

    # Then calls pass everywhere and nothing is counted
    assert {"provider", "institution:ins_a"} == {t.scope for t in moved}
    assert {"operator: drill"} == {t.reason for t in moved}
    assert attempt(board, BANK_DOWN, 2.0, at="ins_a", times=50) == ()
    assert attempt(board, DOWN, 2.0, times=50) == ()
    assert attempt(board, REFUSED, 2.0) == ()
    assert board.snapshot(2.0).cause is OpenCause.FORCED

    # When it is handed back
    board.force(Control.AUTO, 3.0, "over")

    # Then all is closed, with counts at zero
    assert repr(board) == "CircuitBoard(CLOSED)"
    assert board.snapshot(3.0).narrower == ()
    assert admitted(board, 3.0, at="ins_a").narrower == ()
    assert attempt(board, BANK_DOWN, 4.0, at="ins_a", times=4) == ()


def test_auto_forgets_which_institutions_were_suspect() -> None:
    """Evidence from before the operator stepped in speaks against nobody."""
    board = CircuitBoard()
    attempt(board, NETWORK, 0.0, at="ins_a")
    board.force(Control.AUTO, 1.0, "network mended")

    moved = attempt(board, NETWORK, 2.0, at="ins_b", times=5)

    assert [t.scope for t in moved] == ["institution:ins_b"]


def test_forced_open_stops_everything() -> None:
    """Panic does not pass an operator."""
    board = CircuitBoard()
    board.force(Control.FORCED_OPEN, 0.0, "drill")

    answer = board.admit(ACCOUNTS, "ins_a", 1.0, panic=True)

    assert isinstance(answer, CircuitRejection)
    assert answer.reason is IneligibilityReason.FORCED_OPEN
    assert answer.retry_after_s is None


def test_the_status_line_stays_short() -> None:
    """Three narrower circuits are named, the rest counted."""
    board = CircuitBoard()
    for name in "abcde":
        attempt(board, BANK_DOWN, 0.0, at=f"ins_{name}", times=5)

    assert repr(board) == (
        "CircuitBoard(CLOSED, institution:ins_a OPEN, institution:ins_b OPEN, "
        "institution:ins_c OPEN, and 2 more)"
    )
