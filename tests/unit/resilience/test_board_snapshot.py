"""What a router is told about circuits is what the board itself would say."""

import pickle  # noqa: TID251  the point is that what is sent survives it

import pytest
from resilience_builders import ACCOUNTS, BANK_DOWN, DOWN, REFUSED, SYNC, attempt

from orchestrator.domain import CircuitState, IneligibilityReason
from orchestrator.resilience import BoardSnapshot, CircuitBlock, CircuitBoard, Control, OpenCause


@pytest.fixture
def snapshot() -> BoardSnapshot:
    """A closed provider, ins_a and ins_c open since second 0, seen at second 20."""
    board = CircuitBoard()
    for name in ("ins_c", "ins_a"):
        attempt(board, BANK_DOWN, 0.0, at=name, times=5)
    attempt(board, BANK_DOWN, 0.0, at="ins_b")
    return board.snapshot(20.0)


def test_it_lists_the_narrower_circuits_that_are_not_closed(snapshot: BoardSnapshot) -> None:
    """In durations, sorted by scope."""
    assert [
        (status.scope, status.opened_for_s, status.retry_after_s) for status in snapshot.narrower
    ] == [("institution:ins_a", 20.0, 40.0), ("institution:ins_c", 20.0, 40.0)]
    assert snapshot.state is CircuitState.CLOSED
    assert snapshot.cause is None
    assert snapshot.retry_after_s == 0.0


@pytest.mark.parametrize(
    ("institution_id", "blocked"),
    [("ins_a", True), ("ins_b", False), ("ins_c", True), ("ins_z", False), (None, False)],
)
def test_it_blocks_what_the_board_blocks(
    snapshot: BoardSnapshot, institution_id: str | None, blocked: bool
) -> None:
    """Each institution by its own circuit."""
    assert blocked is (snapshot.blocks(ACCOUNTS, institution_id) is not None)


def test_a_block_says_what_the_panic_rule_asks(snapshot: BoardSnapshot) -> None:
    """Reason, wait, and whether only failures stand against the call."""
    block = snapshot.blocks(ACCOUNTS, "ins_a")

    assert block == CircuitBlock("institution:ins_a", OpenCause.FAILURES, 40.0)
    assert block.reason is IneligibilityReason.CIRCUIT_OPEN
    assert block.by_failures


def test_waits_shrink_with_the_age_of_the_picture(snapshot: BoardSnapshot) -> None:
    """A circuit that has come due since is asked, not skipped."""
    half_way = snapshot.blocks(ACCOUNTS, "ins_a", age_s=10.0)

    assert half_way is not None
    assert half_way.retry_after_s == 30.0
    assert snapshot.blocks(ACCOUNTS, "ins_a", age_s=40.0) is None


def test_a_circuit_that_is_due_does_not_block() -> None:
    """Somebody has to be the probe; while it is out, nobody else is."""
    board = CircuitBoard()
    attempt(board, DOWN, 0.0, times=5)
    assert board.snapshot(60.0).blocks(SYNC, None) is None
    assert board.blocks(SYNC, None, 60.0) is None

    board.admit(SYNC, None, 60.0)

    block = board.snapshot(60.0).blocks(SYNC, None)
    assert block == board.blocks(SYNC, None, 60.0)
    assert block == CircuitBlock("provider", OpenCause.FAILURES, 1.0)


def test_an_operators_hold_outweighs_all() -> None:
    """With several circuits against a call, the weightiest speaks and the longest wait counts."""
    board = CircuitBoard()
    attempt(board, BANK_DOWN, 0.0, at="ins_a", times=5)
    attempt(board, REFUSED, 0.0)
    assert board.snapshot(0.0).blocks(SYNC, "ins_a") == CircuitBlock(
        "provider", OpenCause.CLIENT, 600.0
    )

    board.force(Control.FORCED_OPEN, 1.0, "drill")

    block = board.snapshot(2.0).blocks(SYNC, "ins_a")
    assert block == CircuitBlock("provider", OpenCause.FORCED, None)
    assert block.reason is IneligibilityReason.FORCED_OPEN


def test_a_forced_closed_board_blocks_nothing() -> None:
    """Although the narrower circuits are listed, as they are not simply closed."""
    board = CircuitBoard()
    attempt(board, BANK_DOWN, 0.0, at="ins_a", times=5)
    board.force(Control.FORCED_CLOSED, 1.0, "drill")

    snapshot = board.snapshot(2.0)

    assert snapshot.blocks(ACCOUNTS, "ins_a") is None
    assert [status.state for status in snapshot.narrower] == [CircuitState.FORCED_CLOSED]


def test_it_survives_pickling(snapshot: BoardSnapshot) -> None:
    """Routers live in other processes."""
    assert snapshot == pickle.loads(pickle.dumps(snapshot))
