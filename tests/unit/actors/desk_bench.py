"""A provider's desk with everything around it in reach, and ways to act as its vendor."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import cast

from actors.messages import AttemptOrder, AttemptReply, NotAttempted
from actors.provider import ProviderDesk
from actors.provider_calls import ProviderCalls
from actors.provider_memory import ProviderMemory
from actors.webhook_desk import WebhookDesk
from orchestrator.domain import (
    ConnectionAttempt,
    ConnectionStatus,
    ErrorClass,
    ErrorScope,
    ExchangeData,
    Failure,
    OperationData,
    ProviderFailure,
)
from orchestrator.providers.attempt_trace import current_attempt
from orchestrator.resilience import (
    BreakerOptions,
    Bulkheads,
    CircuitBoard,
    ProviderGuard,
    Quota,
    RateLimiter,
)
from tests.support.clock import SteppedClock
from tests.support.orders import NO_ACCOUNTS, RecordingSpool

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
