"""What a router knows of the providers' health."""

from collections.abc import Awaitable, Callable

import pytest

from actors import health_board
from actors.health_board import HealthBoard
from actors.messages import AttemptOrder, AttemptReply
from actors.ports import ActorLost
from orchestrator.domain import IneligibilityReason, Operation
from orchestrator.resilience import (
    CircuitBoard,
    Control,
    HealthSnapshot,
    Latencies,
    ProviderGuard,
    RateLimiter,
)
from tests.support.clock import SteppedClock
from tests.support.orders import ScriptedProvider, snapshot_of

READ = Operation.GET_ACCOUNTS


async def _never(order: AttemptOrder) -> AttemptReply:
    raise AssertionError("no attempt is made here")


class _Silent(ScriptedProvider):
    def __init__(self, hang: Callable[[], Awaitable[HealthSnapshot]]) -> None:
        super().__init__(_never)
        self._hang = hang

    async def health(self) -> HealthSnapshot:
        """Do not answer."""
        return await self._hang()


def _open_guard() -> ProviderGuard:
    guard = ProviderGuard("plaid", CircuitBoard(), RateLimiter())
    guard.force(Control.FORCED_OPEN, 0.0, "drill")
    return guard


def test_unknown_provider_is_not_blocked() -> None:
    """Leave it to a provider's own guard as long as nothing is known of it."""
    board = HealthBoard({}, SteppedClock())

    assert board.block("plaid", READ, None) is None
    assert board.get("plaid") is None


def test_open_circuit_blocks() -> None:
    """Block a provider whose latest picture shows an open circuit, and say why."""
    board = HealthBoard({}, SteppedClock())
    board.update(snapshot_of(guard=_open_guard()))
    block = board.block("plaid", READ, None)

    assert block is not None
    assert IneligibilityReason.FORCED_OPEN is block.reason


def test_slow_providers_are_told_by_operation() -> None:
    """Tell after how long an answer is slow, of whom enough is known."""
    latencies = Latencies[Operation]()
    for _ in range(20):
        latencies.note(READ, 0.4)
    board = HealthBoard({}, SteppedClock())
    guard = ProviderGuard("mx", CircuitBoard(), RateLimiter(), latencies=latencies)
    board.update(snapshot_of(guard=guard))
    board.update(snapshot_of("plaid"))

    assert {"mx": 0.4} == board.slow_after_s(READ)
    assert {} == board.slow_after_s(Operation.SYNC_TRANSACTIONS)


def test_older_picture_does_not_replace_a_newer_one() -> None:
    """Keep the newer of two pictures, whichever came first."""
    board = HealthBoard({}, SteppedClock())
    newer = snapshot_of(at_unix_s=20.0)
    board.update(newer)
    board.update(snapshot_of(at_unix_s=10.0, guard=_open_guard()))

    assert newer is board.get("plaid")


def test_waits_shrink_as_the_picture_ages() -> None:
    """Count down a pause from the moment its picture was taken, until it is over."""
    clock = SteppedClock(running=False)
    guard = ProviderGuard("plaid", CircuitBoard(), RateLimiter())
    guard.limiter.block(30.0, 0.0)
    board = HealthBoard({}, clock)
    board.update(snapshot_of(guard=guard))
    clock.jump(20.0)
    block = board.block("plaid", READ, None)
    clock.jump(10.1)

    assert block is not None
    assert block.retry_after_s == pytest.approx(10.0, abs=0.01)
    assert IneligibilityReason.RATE_LIMITED is block.reason
    assert board.block("plaid", READ, None) is None


async def test_silent_actors_keep_their_last_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refresh whoever answers, and keep the last picture of an actor that is lost or hangs."""
    monkeypatch.setattr(health_board, "_POLL_TIMEOUT_S", 0.01)

    async def lost() -> HealthSnapshot:
        raise ActorLost("gone")

    async def hang() -> HealthSnapshot:
        raise TimeoutError

    well = ScriptedProvider(_never, "mx")
    board = HealthBoard(
        {"plaid": _Silent(lost), "belvo": _Silent(hang), "mx": well}, SteppedClock()
    )
    known = snapshot_of("plaid")
    board.update(known)
    await board.refresh()

    assert known is board.get("plaid")
    assert board.get("belvo") is None
    assert board.get("mx") is not None


async def test_polling_stops_when_told() -> None:
    """Leave no task behind after stopping, and stop twice without harm."""
    board = HealthBoard({"mx": ScriptedProvider(_never, "mx")}, SteppedClock())
    board.start()
    board.start()
    await board.stop()
    await board.stop()

    assert board._poller is None
