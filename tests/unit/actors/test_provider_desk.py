"""One provider's desk: admit, call, record, log, answer."""

import asyncio
import gc
from dataclasses import replace

import pytest
from desk_bench import (
    DOWN,
    LINKED,
    Act,
    Bench,
    breaking,
    failing,
    hanging,
    http,
    unsent,
    working,
)

from actors.attempt_under_way import AttemptUnderWay
from actors.messages import NotAttempted
from actors.ports import ActorLost
from orchestrator.domain import (
    CircuitChange,
    CircuitState,
    Failure,
    Lane,
    OperationData,
    ProviderFailure,
    StoreError,
)
from orchestrator.providers.attempt_trace import current_attempt
from orchestrator.resilience import (
    Quota,
    QuotaScope,
)
from orchestrator.routing import Rejected
from tests.support.orders import NO_ACCOUNTS, exchange_order, order_of


async def test_success_is_answered_and_logged() -> None:
    """Answer the data, and write one row that tells what the order decided and how it went."""
    bench = Bench(working)
    reply = await bench.run(order_of())
    (row,) = bench.attempts

    assert NO_ACCOUNTS is reply.outcome
    assert ("success", None, 1, 0, "CLOSED", "plaid") == (
        row.outcome,
        row.error_code,
        row.http_calls,
        row.items,
        row.circuit_state,
        row.provider,
    )
    assert order_of().attempt_id == row.attempt_id
    assert 0 == bench.guard.in_flight
    assert bench.closed


@pytest.mark.parametrize("act", [working, failing(DOWN)])
async def test_an_attempt_is_freed_when_it_ends(act: Act) -> None:
    """It leaves no cycle behind that Python would have to search for."""
    bench = Bench(act)
    gc.disable()
    try:
        await asyncio.gather(*(bench.desk.attempt(order_of(n + 1)) for n in range(5)))
        left = [each for each in gc.get_objects() if isinstance(each, AttemptUnderWay)]
    finally:
        gc.enable()
        await bench.desk.close()

    assert [] == left


async def test_failure_is_answered_and_logged_with_its_class() -> None:
    """Answer a failure as a value, and write its class, code and scope."""
    bench = Bench(failing(DOWN))
    reply = await bench.run(order_of())
    (row,) = bench.attempts

    assert DOWN is reply.outcome
    assert ("provider_down", "DOWN", "provider") == (
        row.outcome,
        row.error_code,
        row.error_scope,
    )
    assert 0 == bench.guard.in_flight


@pytest.mark.parametrize(
    ("timeout_s", "time_left_s", "code"), [(0.01, 5.0, "TIMEOUT"), (5.0, 0.01, "DEADLINE")]
)
async def test_silence_is_blamed_on_whoever_set_the_time(
    timeout_s: float, time_left_s: float, code: str
) -> None:
    """Call an attempt late by its own timeout TIMEOUT, and by the caller's deadline DEADLINE."""
    bench = Bench(hanging)
    reply = await bench.run(order_of(timeout_s=timeout_s, time_left_s=time_left_s))

    assert isinstance(reply.outcome, Failure)
    assert ("network", code) == (reply.outcome.error_class, reply.outcome.code)
    assert [code] == [row.error_code for row in bench.attempts]
    assert 0 == bench.guard.in_flight


async def test_only_the_providers_own_timeouts_open_its_circuit() -> None:
    """Count silence against the provider only where its own timeout came first."""
    bench = Bench(hanging)
    for number in range(12):
        await bench.desk.execute(order_of(number, time_left_s=0.001))
    by_deadline = bench.guard.board.snapshot(bench.clock.now_s()).narrower
    for number in range(5):
        await bench.desk.execute(order_of(20 + number, timeout_s=0.001))
    by_timeout = bench.guard.board.snapshot(bench.clock.now_s()).narrower
    await bench.desk.close()

    assert () == by_deadline
    assert ["institution:ins_chase"] == [circuit.scope for circuit in by_timeout]


async def test_open_circuit_refuses_without_a_call_or_a_row() -> None:
    """Refuse at no cost once the circuit has opened, and tell when to come back."""
    bench = Bench(failing(DOWN))
    for number in range(5):
        await bench.desk.execute(order_of(number))
    reply = await bench.desk.execute(order_of(6))
    await bench.desk.close()
    changes = [row for row in bench.spool.rows if isinstance(row, CircuitChange)]

    assert Rejected("circuit_open", 60.0, by_failures=True) == reply.outcome
    assert 5 == len(bench.attempts)
    assert [("CLOSED", "OPEN")] == [(row.from_state, row.to_state) for row in changes]
    assert reply.health is not None
    assert CircuitState.OPEN is reply.health.state


async def test_what_is_sent_is_counted_and_what_changes_is_remembered() -> None:
    """For the next life of the process: every call, and each change of a circuit at once."""
    outcomes = iter([working, *[failing(DOWN)] * 5])

    async def act() -> OperationData | NotAttempted:
        await http(2)
        return await next(outcomes)()

    bench = Bench(act)
    seen = []
    for number in range(6):
        await bench.desk.execute(order_of(number))
        seen.append(bench.memory.written)
    calls = bench.memory.calls
    await bench.desk.close()

    assert [0, 0, 0, 0, 0, 1] == seen
    assert sum(row.http_calls or 0 for row in bench.attempts) == calls


async def test_a_success_without_a_call_proves_nothing() -> None:
    """A link session that no vendor hears of neither resets a count nor closes a circuit."""
    acts = [failing(DOWN)] * 4
    outcomes = iter([*acts, unsent, failing(DOWN)])

    async def act() -> OperationData | NotAttempted:
        return await next(outcomes)()

    bench = Bench(act)
    replies = [await bench.desk.execute(order_of(number)) for number in range(6)]
    await bench.desk.close()

    assert NO_ACCOUNTS is replies[4].outcome
    assert CircuitState.OPEN is bench.guard.board.state
    assert ["success"] == [row.outcome for row in bench.attempts if row.http_calls == 0]
    assert 0 == bench.guard.in_flight


async def test_an_outrun_attempt_is_given_up_and_says_nothing() -> None:
    """End an attempt that another has outrun, with a row of its own, and blame nobody."""
    bench = Bench(hanging)
    running = asyncio.create_task(bench.desk.execute(order_of(hedge=True)))
    await asyncio.sleep(0)
    await bench.desk.abandon(order_of().attempt_id)
    reply = await running
    await bench.desk.abandon(order_of().attempt_id)
    await bench.desk.close()
    (row,) = bench.attempts

    assert isinstance(reply.outcome, Failure)
    assert ("network", "OUTRUN", "request", True) == (
        row.outcome,
        row.error_code,
        row.error_scope,
        row.hedge,
    )
    assert 0 == bench.guard.in_flight
    assert "CircuitBoard(CLOSED)" == repr(bench.guard.board)


async def test_an_attempt_without_a_call_says_nothing_of_the_provider() -> None:
    """Let what our own books answered neither close a circuit nor count as traffic."""

    async def nothing_sent() -> OperationData:
        return NO_ACCOUNTS

    bench = Bench(nothing_sent)
    reply = await bench.run(order_of())

    assert NO_ACCOUNTS is reply.outcome
    assert [0] == [row.http_calls for row in bench.attempts]
    assert [] == bench.spool.intents
    assert 0.0 == bench.guard.limiter.remaining_ratio(0.0) - 1.0


@pytest.mark.parametrize("error", [KeyError("x"), StoreError("vault"), ValueError("y")])
async def test_own_faults_end_the_attempt_and_open_nothing(error: Exception) -> None:
    """Turn an exception of ours into a failure with a row, which counts against nobody."""
    bench = Bench(breaking(error))
    for number in range(6):
        reply = await bench.desk.execute(order_of(number))
    await bench.desk.close()

    assert isinstance(reply.outcome, Failure)
    assert ("provider_down", "INTERNAL", "request") == (
        reply.outcome.error_class,
        reply.outcome.code,
        reply.outcome.scope,
    )
    assert 6 == len(bench.attempts)
    assert CircuitState.CLOSED is bench.guard.board.state
    assert 0 == bench.guard.in_flight


async def test_lost_vault_is_told_as_a_lost_actor() -> None:
    """Tell an attempt that the vault's loss has ended as network, ACTOR_LOST."""
    bench = Bench(breaking(ActorLost("vault"), calls=0))
    reply = await bench.run(order_of())

    assert isinstance(reply.outcome, Failure)
    assert ("network", "ACTOR_LOST") == (reply.outcome.error_class, reply.outcome.code)


async def test_cancelled_attempt_gives_its_permit_back_and_has_a_row() -> None:
    """Give the permit back and write the row when whoever waited goes away."""
    bench = Bench(hanging)
    task = asyncio.create_task(bench.desk.execute(order_of()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await bench.desk.close()

    assert 0 == bench.guard.in_flight
    assert ["DEADLINE"] == [row.error_code for row in bench.attempts]


async def test_books_answer_without_an_attempt() -> None:
    """Answer what our own books hold without a row, and give the permit back."""

    async def done_before() -> NotAttempted:
        return NotAttempted(LINKED)

    bench = Bench(done_before)
    reply = await bench.run(exchange_order())

    assert NotAttempted(LINKED) == reply.outcome
    assert [] == bench.attempts
    assert [] == bench.calls.settled
    assert 0 == bench.guard.in_flight


async def test_silent_revocation_is_a_failure() -> None:
    """Fail a revocation that the provider does not answer, instead of waiting on."""

    async def silent() -> OperationData:
        await asyncio.Event().wait()
        return NO_ACCOUNTS

    bench = Bench(silent, call_timeout_s=0.005)
    with pytest.raises(ProviderFailure) as caught:
        await bench.desk.revoke("conn_1")
    await bench.desk.close()

    assert "TIMEOUT" == caught.value.failure.code


async def test_forced_states_are_told_and_logged() -> None:
    """Hold the circuits by the operator's word, and write the change with its reason."""
    bench = Bench(working)
    snapshot = await bench.desk.force("FORCED_OPEN", "maintenance")
    reply = await bench.run(order_of())

    assert CircuitState.FORCED_OPEN is snapshot.state
    assert Rejected("forced_open", None) == reply.outcome
    assert ["operator: maintenance"] == [
        row.reason for row in bench.spool.rows if isinstance(row, CircuitChange)
    ]


async def test_an_intent_is_written_down_before_the_first_byte() -> None:
    """Whoever finds no outcome later can tell what may have been sent."""
    written: list[int] = []

    async def look() -> OperationData:
        written.append(len(bench.spool.intents))
        await http(3)
        written.append(len(bench.spool.intents))
        return NO_ACCOUNTS

    bench = Bench(look)
    await bench.run(order_of())
    (intent,) = bench.spool.intents

    assert [0, 1] == written
    assert ("network", "ACTOR_LOST", None) == (
        intent.outcome,
        intent.error_code,
        intent.http_calls,
    )
    assert order_of().attempt_id == intent.attempt_id == bench.attempts[0].attempt_id


async def test_an_attempt_that_sends_nothing_has_no_intent() -> None:
    """What was refused by the limits before its first call needs no row if it is lost."""
    bench = Bench(working, quotas=(Quota(QuotaScope.CLIENT, 1, 60.0),))
    await bench.desk.execute(order_of(1))
    await bench.run(order_of(2))

    assert [order_of(1).attempt_id] == [intent.attempt_id for intent in bench.spool.intents]


async def test_handing_the_circuits_back_vouches_for_our_keys() -> None:
    """Let the adapter try refused keys again with AUTO, and with no other state."""
    bench = Bench(working)
    counts = []
    for state in ("FORCED_OPEN", "FORCED_CLOSED", "AUTO", "AUTO"):
        await bench.desk.force(state, "drill")
        counts.append(bench.calls.keys_trusted)
    await bench.desk.close()

    assert [0, 0, 1, 2] == counts


@pytest.mark.parametrize(
    ("lane", "interactive"), [(Lane.INTERACTIVE, True), (Lane.BACKFILL, False)]
)
async def test_attempt_knows_whether_a_person_waits(lane: Lane, *, interactive: bool) -> None:
    """Tell the adapter's side of an attempt in which lane it runs."""
    seen: list[bool] = []

    async def look() -> OperationData:
        trace = current_attempt.get()
        seen.append(trace is not None and trace.interactive)
        return NO_ACCOUNTS

    await Bench(look).run(replace(order_of(), lane=lane))

    assert [interactive] == seen


async def test_waiting_rows_are_counted_until_drained() -> None:
    """Tell how many rows the disk has not taken yet, and hand them over when it does."""
    bench = Bench(working)
    bench.spool.full = True
    await bench.desk.execute(order_of())
    waiting = await bench.desk.backlog()
    too_soon = await bench.desk.drain()
    bench.spool.full = False
    drained = await bench.desk.drain()
    left = await bench.desk.backlog()
    await bench.desk.close()

    assert ((2, 0), False, True, (0, 0)) == (waiting, too_soon, drained, left)


async def test_webhooks_are_handed_on_sealed() -> None:
    """Hand a sealed webhook to whoever takes the provider's webhooks in."""
    bench = Bench(working)
    await bench.desk.webhook(b"sealed")
    await bench.desk.close()

    assert [b"sealed"] == bench.webhooks.received
