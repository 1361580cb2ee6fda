"""What a provider's actor remembers over its own death, on real files."""

import json
from pathlib import Path

import pytest

from actors.provider_memory import ProviderMemory
from orchestrator.domain import ErrorClass, ErrorScope, Failure, Operation
from orchestrator.resilience import (
    AdmitRequest,
    BreakerOptions,
    CircuitBoard,
    Granted,
    GuardPermit,
    GuardRejection,
    ProviderGuard,
    Quota,
    QuotaScope,
    RateLimiter,
    VendorCall,
)
from tests.support.clock import SteppedClock

CALL = VendorCall("accounts")
READ = AdmitRequest(operation=Operation.GET_ACCOUNTS, endpoint="accounts")
DOWN = Failure(ErrorClass.PROVIDER_DOWN, ErrorScope.PROVIDER, "DOWN", "it is down")
TIMEOUT_S = 60.0


def guard_of(quota: int = 100) -> ProviderGuard:
    """A fresh guard."""
    return ProviderGuard(
        "plaid",
        CircuitBoard(BreakerOptions(timeout_s=TIMEOUT_S)),
        RateLimiter((Quota(QuotaScope.CLIENT, quota, 60.0),)),
    )


def take(guard: ProviderGuard, clock: SteppedClock, memory: ProviderMemory | None = None) -> int:
    """Send until the limiter refuses, counted as the desk counts; how many went."""
    sent = 0
    while isinstance(guard.limiter.try_acquire(CALL, clock.now_s()), Granted):
        if memory is not None:
            memory.count_call()
        sent += 1
    return sent


def life(
    folder: Path, clock: SteppedClock, quota: int = 100
) -> tuple[ProviderGuard, ProviderMemory]:
    """An actor's start: a fresh guard that takes up what the last one remembered."""
    guard = guard_of(quota)
    memory = ProviderMemory(folder, guard, clock)
    memory.restore()
    return guard, memory


def test_an_open_circuit_stays_open_for_the_time_that_is_left(tmp_path: Path) -> None:
    """Not shorter, because its process died; not longer."""
    clock = SteppedClock(running=False)
    guard, memory = life(tmp_path, clock)
    for _ in range(5):
        permit = guard.admit(READ, clock.now_s())
        assert isinstance(permit, GuardPermit)
        guard.record(permit, DOWN, clock.now_s())
    memory.write()
    clock.jump(TIMEOUT_S - 20)
    again, _ = life(tmp_path, clock)
    refused = again.admit(READ, clock.now_s())

    assert isinstance(refused, GuardRejection)
    assert "circuit_open" == refused.reason
    assert refused.retry_after_s == pytest.approx(20.0)


def test_calls_before_a_death_count_afterwards(tmp_path: Path) -> None:
    """Those that were written down, and those that were only counted since."""
    clock = SteppedClock(running=False)
    guard, memory = life(tmp_path, clock, quota=100)
    for _ in range(40):
        memory.count_call()
        assert isinstance(guard.limiter.try_acquire(CALL, clock.now_s()), Granted)
    memory.write()
    for _ in range(25):
        memory.count_call()
    again, _ = life(tmp_path, clock, quota=100)

    assert 35 >= take(again, clock)


def test_a_window_that_has_passed_is_free_again(tmp_path: Path) -> None:
    """Time goes on while nothing runs."""
    clock = SteppedClock(running=False)
    guard, memory = life(tmp_path, clock)
    sent = take(guard, clock, memory)
    memory.write()
    clock.jump(62.0)
    again, _ = life(tmp_path, clock)

    assert sent == take(again, clock)


@pytest.mark.parametrize("found", [b"", b"{", b"[]", b'{"version": 99}', b"\xff\x00"])
def test_a_memory_that_cannot_be_read_is_none(tmp_path: Path, found: bytes) -> None:
    """The actor starts all the same, and writes a good one next."""
    clock = SteppedClock(running=False)
    (tmp_path / "plaid.json").write_bytes(found)
    guard = guard_of()
    memory = ProviderMemory(tmp_path, guard, clock)

    assert not memory.restore()
    memory.write()
    assert ProviderMemory(tmp_path, guard_of(), clock).restore()


def test_a_folder_that_takes_nothing_stops_nobody(tmp_path: Path) -> None:
    """A file stands where the folder should: the actor works and remembers nothing."""
    blocked = tmp_path / "state"
    blocked.write_text("in the way")
    memory = ProviderMemory(blocked, guard_of(), SteppedClock(running=False))
    memory.count_call()
    memory.write()

    assert not memory.restore()
    assert 0 == memory.calls


def test_it_holds_no_more_than_counts_and_times(tmp_path: Path) -> None:
    """The file is small, whatever was called, and tells of no secret."""
    clock = SteppedClock(running=False)
    guard, memory = life(tmp_path, clock)
    take(guard, clock, memory)
    memory.close()
    told = json.loads((tmp_path / "plaid.json").read_bytes())

    assert {"version", "writtenAt", "calls", "memory"} == set(told)
    assert 20_000 > (tmp_path / "plaid.json").stat().st_size
