"""What a provider's desk tells of an exchange's end, however it came."""

import asyncio

import pytest
from desk_bench import (
    CUT_OFF,
    DOWN,
    LINKED,
    Act,
    Bench,
    breaking,
    failing,
    hanging,
    http,
    working,
)

from actors.ports import ActorLost
from orchestrator.domain import (
    ErrorClass,
    ErrorScope,
    Failure,
    OperationData,
    StoreError,
)
from orchestrator.resilience import (
    Quota,
    QuotaScope,
    VendorCall,
)
from orchestrator.routing import Rejected
from tests.support.orders import exchange_order


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
