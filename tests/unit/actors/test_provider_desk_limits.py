"""How a provider's desk holds attempts to limits, places and the call budget."""

import asyncio
from dataclasses import replace

import pytest
from desk_bench import (
    DOWN,
    Bench,
    failing,
    hanging,
    http,
    working,
)

from actors.messages import ExchangeCall
from orchestrator.domain import (
    ErrorClass,
    ErrorScope,
    Failure,
    OperationData,
    ProviderFailure,
)
from orchestrator.providers.attempt_trace import current_attempt
from orchestrator.resilience import (
    Quota,
    QuotaScope,
    ToldAllowance,
    VendorCall,
)
from orchestrator.routing import Rejected
from tests.support.orders import NO_ACCOUNTS, exchange_order, order_of


async def _forever(_seconds: float) -> None:
    await asyncio.Event().wait()


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
