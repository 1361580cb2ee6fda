"""One provider's desk: admit, call, record, log, answer."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import cast

import pytest

from actors.messages import AttemptOrder, AttemptReply, ExchangeCall, NotAttempted
from actors.ports import ActorLost
from actors.provider import ProviderDesk
from actors.provider_calls import ProviderCalls
from actors.provider_memory import ProviderMemory
from actors.webhook_desk import WebhookDesk
from orchestrator.domain import (
    CircuitChange,
    CircuitState,
    ConnectionAttempt,
    ConnectionStatus,
    ErrorClass,
    ErrorScope,
    ExchangeData,
    Failure,
    Lane,
    OperationData,
    ProviderFailure,
    StoreError,
)
from orchestrator.providers.attempt_trace import current_attempt
from orchestrator.resilience import (
    BreakerOptions,
    Bulkheads,
    CircuitBoard,
    ProviderGuard,
    Quota,
    QuotaScope,
    RateLimiter,
    ToldAllowance,
    VendorCall,
)
from orchestrator.routing import Rejected
from tests.support.clock import SteppedClock
from tests.support.orders import NO_ACCOUNTS, RecordingSpool, exchange_order, order_of

Act = Callable[[], Awaitable[OperationData | NotAttempted]]
DOWN = Failure(ErrorClass.PROVIDER_DOWN, ErrorScope.PROVIDER, "DOWN", "it is down")
CUT_OFF = Failure(ErrorClass.NETWORK, ErrorScope.PROVIDER, "CONNECTION_LOST", "it was cut")
LINKED = ExchangeData("conn_9", "plaid", "ins_chase", ConnectionStatus.ACTIVE)


async def http(times: int = 1) -> None:
    """Do what `VendorHttp` does before it sends."""
    trace = current_attempt.get()
    assert trace is not None
    for _ in range(times):
        trace.waited_s += await trace.pace("/accounts")
        trace.http_calls += 1


class Calls:
    """The operations, acted by a test; remembers how exchanges were settled."""

    def __init__(self, act: Act) -> None:
        self.settled: list[tuple[str, bool]] = []
        self.settling_fails: Exception | None = None
        self.keys_trusted = 0
        self._act = act

    async def get_accounts(self, order: AttemptOrder, call: object) -> object:
        """Act."""
        return await self._act()

    async def exchange_token(self, order: AttemptOrder, call: object) -> object:
        """Act."""
        return await self._act()

    async def revoke(self, connection_id: str) -> None:
        """Act."""
        await self._act()

    def keys_trusted_again(self) -> None:
        """Count."""
        self.keys_trusted += 1

    async def settle_exchange(self, link_session_id: str, *, in_doubt: bool) -> None:
        """Remember."""
        self.settled.append((link_session_id, in_doubt))
        if self.settling_fails is not None:
            raise self.settling_fails


class Webhooks:
    """Takes webhooks in and keeps them."""

    def __init__(self) -> None:
        self.received: list[bytes] = []

    async def receive(self, sealed: bytes) -> None:
        """Keep."""
        self.received.append(sealed)


class Memory:
    """Counts what it is told to remember."""

    def __init__(self) -> None:
        self.calls = 0
        self.written = 0

    def count_call(self) -> None:
        """Count."""
        self.calls += 1

    def write(self) -> None:
        """Count."""
        self.written += 1

    def close(self) -> None:
        """Nothing to let go."""


class Bench:
    """A desk with everything around it in reach."""

    def __init__(
        self,
        act: Act,
        *,
        quotas: tuple[Quota, ...] = (),
        max_in_flight: int = 10,
        exchange_consumes: bool = True,
        call_timeout_s: float = 5.0,
    ) -> None:
        self.clock = SteppedClock(running=False)
        self.spool = RecordingSpool()
        self.memory = Memory()
        self.calls = Calls(act)
        self.webhooks = Webhooks()
        self.closed = False
        self.slept: list[float] = []
        self.guard = ProviderGuard(
            "plaid",
            CircuitBoard(BreakerOptions()),
            RateLimiter(quotas),
            bulkheads=Bulkheads(max_in_flight, most_per_institution=max_in_flight),
        )
        self.desk = ProviderDesk(
            cast(ProviderCalls, self.calls),
            self.guard,
            self.spool,
            cast(ProviderMemory, self.memory),
            clock=self.clock,
            rng=random.Random(0),
            exchange_consumes=exchange_consumes,
            call_timeout_s=call_timeout_s,
            close_client=self._close,
            webhooks=cast(WebhookDesk, self.webhooks),
            sleep=self._sleep,
        )

    async def _close(self) -> None:
        self.closed = True

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.jump(seconds)

    async def run(self, order: AttemptOrder) -> AttemptReply:
        """Execute, and close the desk."""
        try:
            return await self.desk.execute(order)
        finally:
            await self.desk.close()

    @property
    def attempts(self) -> list[ConnectionAttempt]:
        """Rows of attempts that reached the log."""
        return [row for row in self.spool.rows if isinstance(row, ConnectionAttempt)]


def failing(failure: Failure, calls: int = 1) -> Act:
    """Send some calls, then fail."""

    async def act() -> OperationData:
        await http(calls)
        raise ProviderFailure(failure)

    return act


def breaking(error: Exception, calls: int = 1) -> Act:
    """Send some calls, then break in a way that no adapter should."""

    async def act() -> OperationData:
        await http(calls)
        raise error

    return act


async def working() -> OperationData:
    """Send a call and answer."""
    await http()
    return NO_ACCOUNTS


async def unsent() -> OperationData:
    """Answer without a call."""
    return NO_ACCOUNTS


async def hanging() -> OperationData:
    """Send a call and never answer."""
    await http()
    await asyncio.Event().wait()
    return NO_ACCOUNTS


async def _forever(_seconds: float) -> None:
    await asyncio.Event().wait()


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


async def test_first_call_without_room_is_a_refusal() -> None:
    """Refuse an attempt whose first call has no room, and write no row, as nothing was sent."""
    bench = Bench(working, quotas=(Quota(QuotaScope.CLIENT, 1, 60.0, "/accounts"),))
    first = await bench.desk.execute(order_of(1))
    second = await bench.run(order_of(2))

    assert NO_ACCOUNTS is first.outcome
    assert isinstance(second.outcome, Rejected)
    assert "rate_limited" == second.outcome.reason
    assert second.outcome.retry_after_s == pytest.approx(61.2)
    assert 1 == len(bench.attempts)
    assert [] == bench.slept
    assert 0 == bench.guard.in_flight


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


async def test_an_exchanges_calls_count_for_its_link_session() -> None:
    """Before there is a connection, limits of single connections hold for each link session."""
    bench = Bench(working, quotas=(Quota(QuotaScope.CONNECTION, 1, 60.0),))
    first = await bench.desk.execute(exchange_order(1))
    again = await bench.desk.execute(exchange_order(2))
    other = replace(exchange_order(3), call=ExchangeCall("space_1", "ls_2", b"sealed"))
    another = await bench.run(other)

    assert NO_ACCOUNTS is first.outcome
    assert isinstance(again.outcome, Rejected)
    assert NO_ACCOUNTS is another.outcome


async def test_a_throttled_exchange_pauses_its_link_session_alone() -> None:
    """One user's lock-out keeps nobody else from linking."""
    throttled = Failure(
        ErrorClass.RATE_LIMIT, ErrorScope.CONNECTION, "0801", "slow down", retry_after_s=60.0
    )
    bench = Bench(failing(throttled), exchange_consumes=False)
    await bench.desk.execute(exchange_order(1))
    again = await bench.desk.execute(exchange_order(2))
    other = replace(exchange_order(3), call=ExchangeCall("space_1", "ls_2", b"sealed"))
    another = await bench.run(other)

    assert isinstance(again.outcome, Rejected)
    assert throttled is another.outcome


async def test_later_calls_wait_for_room() -> None:
    """Let a page wait for room in the limits, and tell the wait apart from the latency."""

    async def two_pages() -> OperationData:
        await http(2)
        return NO_ACCOUNTS

    bench = Bench(two_pages, quotas=(Quota(QuotaScope.CLIENT, 1, 2.0, "/accounts"),))
    reply = await bench.run(order_of())

    assert NO_ACCOUNTS is reply.outcome
    assert sum(bench.slept) == pytest.approx(2.04, abs=1e-3)
    assert reply.waited_ms == pytest.approx(2040.0, abs=1.0)
    assert reply.latency_ms == pytest.approx(0.0, abs=1e-6)


async def test_wait_beyond_the_attempts_time_is_a_rate_limit() -> None:
    """Fail as rate-limited where the next page would have to wait beyond the attempt's time."""

    async def two_pages() -> OperationData:
        await http(2)
        return NO_ACCOUNTS

    bench = Bench(two_pages, quotas=(Quota(QuotaScope.CLIENT, 1, 60.0, "/accounts"),))
    reply = await bench.run(order_of(timeout_s=5.0))

    assert isinstance(reply.outcome, Failure)
    assert ("rate_limit", "LOCAL_LIMIT", "connection") == (
        reply.outcome.error_class,
        reply.outcome.code,
        reply.outcome.scope,
    )
    assert reply.outcome.retry_after_s == pytest.approx(61.2)
    assert [] == bench.slept
    assert bench.guard.limiter.paused_for_s(bench.clock.now_s()) == 0.0


async def test_first_call_that_may_wait_is_sent_when_there_is_room() -> None:
    """Queue an attempt that may wait, and tell how long it did; its own time begins with its call."""
    bench = Bench(working, quotas=(Quota(QuotaScope.CLIENT, 1, 2.0, "/accounts"),))
    await bench.desk.execute(order_of(1))
    reply = await bench.run(order_of(2, timeout_s=1.0, wait_s=10.0))

    assert NO_ACCOUNTS is reply.outcome
    assert reply.waited_ms == pytest.approx(2040.0, abs=1.0)
    assert reply.latency_ms == pytest.approx(0.0, abs=1e-6)
    assert [0.0, reply.waited_ms] == [row.waited_ms for row in bench.attempts]
    assert [0.0, reply.waited_ms] == [intent.waited_ms for intent in bench.spool.intents]


async def test_a_wait_in_vain_is_a_refusal() -> None:
    """Refuse an attempt that has waited as long as it may, without a row, as nothing was sent."""
    quotas = (Quota(QuotaScope.CLIENT, 1, 2.0, "/accounts"),)
    bench = Bench(working, quotas=quotas, max_in_flight=1)
    other = Bench(hanging, max_in_flight=1)
    await bench.desk.execute(order_of(1))
    known = await bench.run(order_of(2, wait_s=1.0))
    holding = asyncio.create_task(other.desk.execute(order_of(3)))
    await asyncio.sleep(0)
    waited = await other.desk.execute(order_of(4, wait_s=1.0))
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)
    await other.desk.close()

    assert isinstance(known.outcome, Rejected)
    assert known.outcome.retry_after_s == pytest.approx(2.04, abs=1e-3)
    assert [] == bench.slept
    assert Rejected("rate_limited", 1.0) == waited.outcome
    assert [1.0] == other.slept
    assert 1 == len(bench.attempts) == len(other.attempts)


async def test_who_waits_goes_on_as_soon_as_a_place_is_given_back() -> None:
    """Serve the queue with every attempt that ends, in its order."""
    ended = asyncio.Event()
    sent: list[int] = []

    async def act() -> OperationData:
        await http()
        sent.append(len(sent))
        await ended.wait()
        return NO_ACCOUNTS

    bench = Bench(act, max_in_flight=1)
    orders = [order_of(number, wait_s=30.0, connection_id=f"con_{number}") for number in range(3)]
    tasks = [asyncio.create_task(bench.desk.execute(order)) for order in orders]
    await asyncio.sleep(0)
    assert [0] == sent
    ended.set()
    replies = await asyncio.gather(*tasks)
    await bench.desk.close()

    assert [NO_ACCOUNTS] * 3 == [reply.outcome for reply in replies]
    assert [str(order.attempt_id) for order in orders] == [
        str(row.attempt_id) for row in bench.attempts
    ]


async def test_calls_made_at_once_begin_one_attempt() -> None:
    """Let one of two calls begin the attempt, and the other be a later one of it."""

    async def both() -> OperationData:
        await asyncio.gather(http(), http())
        return NO_ACCOUNTS

    bench = Bench(both, quotas=(Quota(QuotaScope.CLIENT, 1, 2.0),))
    reply = await bench.run(order_of())

    assert NO_ACCOUNTS is reply.outcome
    assert 1 == len(bench.spool.intents)
    assert [2] == [row.http_calls for row in bench.attempts]


async def test_a_call_that_outlives_its_attempt_is_not_sent() -> None:
    """Neither begin nor go on with an attempt that has ended, for calls that were made beside others."""
    late: list[asyncio.Task[None]] = []

    async def first_refused() -> OperationData:
        late.append(asyncio.create_task(http()))
        await http()
        return NO_ACCOUNTS

    async def page_left_over() -> OperationData:
        await http()
        late.append(asyncio.create_task(http()))
        raise ProviderFailure(DOWN)

    bench = Bench(first_refused, quotas=(Quota(QuotaScope.CLIENT, 1, 60.0),))
    bench.guard.limiter.try_acquire(VendorCall("/accounts"), bench.clock.now_s())
    refused = await bench.desk.execute(order_of())
    bench.clock.jump(70.0)
    other = Bench(page_left_over)
    failed = await other.desk.execute(order_of())
    ended = await asyncio.gather(*late, return_exceptions=True)
    for each in (bench, other):
        await each.desk.close()

    assert isinstance(refused.outcome, Rejected)
    assert DOWN is failed.outcome
    assert all(isinstance(error, ProviderFailure) for error in ended)
    assert (0, 0) == (bench.guard.in_flight, other.guard.in_flight)
    assert 1.0 == bench.guard.limiter.remaining_ratio(bench.clock.now_s())


async def test_whoever_gives_up_waiting_leaves_the_queue() -> None:
    """Take nothing for an attempt whose requester has gone, and write its row: it had not begun."""
    bench = Bench(hanging, max_in_flight=1)
    holding = asyncio.create_task(bench.desk.execute(order_of(1)))
    await asyncio.sleep(0)
    bench.desk._room._sleep = _forever  # type: ignore[assignment]
    waiting = asyncio.create_task(bench.desk.execute(order_of(2, wait_s=30.0)))
    await asyncio.sleep(0)
    assert 1 == bench.guard.waiting
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert 0 == bench.guard.waiting
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)
    await bench.desk.close()

    assert 0 == bench.guard.in_flight
    assert [0, 1] == sorted(row.http_calls or 0 for row in bench.attempts)


async def test_leave_that_comes_as_its_asker_goes_is_given_back() -> None:
    """Hold no place for an attempt that was let through in the instant in which it was given up."""
    bench = Bench(hanging, max_in_flight=1)
    holding = asyncio.create_task(bench.desk.execute(order_of(1)))
    await asyncio.sleep(0)
    bench.desk._room._sleep = _forever  # type: ignore[assignment]
    waiting = asyncio.create_task(bench.desk.execute(order_of(2, wait_s=30.0)))
    await asyncio.sleep(0)
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)
    assert 1 == bench.guard.in_flight
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await bench.desk.close()

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


async def test_what_a_vendor_says_of_its_limit_is_held_to() -> None:
    """Pause the endpoint of which the vendor says that nothing is left."""

    async def told() -> OperationData:
        await http()
        trace = current_attempt.get()
        assert trace is not None
        trace.tell_allowance("/accounts", ToldAllowance(0, 30.0))
        return NO_ACCOUNTS

    bench = Bench(told)
    await bench.desk.execute(order_of(1))
    second = await bench.run(order_of(2))

    assert isinstance(second.outcome, Rejected)
    assert second.outcome.retry_after_s == pytest.approx(30.0)


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


async def test_extra_attempts_beyond_the_budget_are_told_apart() -> None:
    """Say that there is no room for another attempt, so that nobody waits for it."""
    bench = Bench(working)
    replies = [await bench.desk.execute(order_of(n, extra=True)) for n in range(4)]
    await bench.desk.close()

    assert [NO_ACCOUNTS] * 3 == [reply.outcome for reply in replies[:3]]
    assert Rejected("rate_limited", None, over_budget=True) == replies[3].outcome


async def test_as_many_attempts_as_allowed_are_under_way() -> None:
    """Refuse an attempt over the bound on those under way, and take the next once one has ended."""
    bench = Bench(hanging, max_in_flight=1)
    first = asyncio.create_task(bench.desk.execute(order_of(1, timeout_s=0.02)))
    await asyncio.sleep(0)
    second = await bench.desk.execute(order_of(2))
    await first
    third = await bench.run(order_of(3, timeout_s=0.001))

    assert Rejected("rate_limited", 1.0) == second.outcome
    assert isinstance(third.outcome, Failure)


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


async def test_exchange_tells_the_connection_it_made() -> None:
    """Write the new connection's id into the exchange's row."""

    async def linked() -> OperationData:
        await http()
        return LINKED

    bench = Bench(linked)
    await bench.run(exchange_order())

    assert ["conn_9"] == [row.connection_id for row in bench.attempts]
    assert [] == bench.calls.settled


@pytest.mark.parametrize(
    ("act", "in_doubt"),
    [
        (failing(CUT_OFF), True),
        (failing(CUT_OFF, calls=0), False),
        (
            failing(
                Failure(ErrorClass.NETWORK, ErrorScope.PROVIDER, "CONNECT_FAILED", "", sent=False)
            ),
            False,
        ),
        (failing(Failure(ErrorClass.PROVIDER_DOWN, ErrorScope.PROVIDER, "MALFORMED", "")), True),
        (failing(DOWN), False),
        (breaking(KeyError("x")), True),
        (breaking(StoreError("vault"), calls=0), False),
        (hanging, True),
    ],
)
async def test_exchange_is_in_doubt_when_it_may_have_happened(act: Act, in_doubt: bool) -> None:
    """Doubt an exchange that was sent and not answered, and release one that certainly failed."""
    bench = Bench(act)
    reply = await bench.run(exchange_order(timeout_s=0.02))

    assert in_doubt is reply.in_doubt
    assert [("ls_1", in_doubt)] == bench.calls.settled


async def test_exchange_that_may_be_repeated_is_never_in_doubt() -> None:
    """Release a lost exchange where the vendor takes the same token again."""
    bench = Bench(failing(CUT_OFF), exchange_consumes=False)
    reply = await bench.run(exchange_order())

    assert reply.in_doubt is False
    assert [("ls_1", False)] == bench.calls.settled


async def test_exchange_without_room_is_released() -> None:
    """Release an exchange whose first call found no room: nothing was sent."""
    bench = Bench(working, quotas=(Quota(QuotaScope.CLIENT, 1, 60.0, "/accounts"),))
    bench.guard.limiter.try_acquire(VendorCall("/accounts"), bench.clock.now_s())
    reply = await bench.run(exchange_order())

    assert isinstance(reply.outcome, Rejected)
    assert [] == bench.attempts
    assert [("ls_1", False)] == bench.calls.settled


async def test_cancelled_exchange_is_in_doubt() -> None:
    """Doubt an exchange whose requester went away while it was on the wire."""
    bench = Bench(hanging)
    task = asyncio.create_task(bench.desk.execute(exchange_order()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await bench.desk.close()

    assert [("ls_1", True)] == bench.calls.settled


async def test_lost_vault_does_not_hide_how_an_exchange_ended() -> None:
    """Answer how an exchange failed although the vault could not be told."""
    bench = Bench(failing(CUT_OFF))
    bench.calls.settling_fails = ActorLost("vault")
    reply = await bench.run(exchange_order())

    assert CUT_OFF is reply.outcome
    assert reply.in_doubt is True


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
