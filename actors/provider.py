"""A provider's actor: the only place that calls that vendor."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from actors.attempt_failures import CUT, LATE
from actors.attempt_making import AttemptMaker
from actors.circuit_log import CircuitLog
from actors.messages import AttemptOrder, AttemptReply
from actors.provider_calls import ProviderCalls
from actors.provider_memory import ProviderMemory
from actors.waiting_room import WaitingRoom
from actors.webhook_desk import WebhookDesk
from orchestrator.domain import Clock, ProviderFailure
from orchestrator.resilience import Control, HealthSnapshot, ProviderGuard
from orchestrator.spool import SpoolWriter

__all__ = ["ProviderDesk"]

_OBSERVE_EVERY_S: Final = 1.0


class ProviderDesk:
    """Takes orders for one provider.

    Args:
        calls: the operations.
        guard: circuits, limits, places and queue; owned by this object's event loop.
        spool: where rows go.
        memory: what is known of the guard in the next life of this process.
        clock: monotonic and wall time.
        rng: jitter.
        exchange_consumes: whether an exchange uses its temporary token up, so that a lost answer
            leaves it in doubt.
        call_timeout_s: longest silence of the vendor on one HTTP call.
        close_client: lets the vendor's connections go.
        webhooks: takes in what the vendor reports.
        sleep: waits until the guard's queue is due.

    """

    def __init__(
        self,
        calls: ProviderCalls,
        guard: ProviderGuard,
        spool: SpoolWriter,
        memory: ProviderMemory,
        *,
        clock: Clock,
        rng: random.Random,
        exchange_consumes: bool,
        call_timeout_s: float,
        close_client: Callable[[], Awaitable[None]],
        webhooks: WebhookDesk,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._calls = calls
        self._guard = guard
        self._spool = spool
        self._memory = memory
        self._clock = clock
        self._call_timeout_s = call_timeout_s
        self._close_client = close_client
        self._webhooks = webhooks
        self._changes = CircuitLog(guard.provider, spool, clock, memory.write)
        self._room = WaitingRoom(
            guard, clock, changed=self._changes.write, unclaimed=CUT, sleep=sleep
        )
        self._maker = AttemptMaker(
            calls,
            guard,
            self._room,
            self._changes,
            spool,
            memory=memory,
            clock=clock,
            rng=rng,
            exchange_consumes=exchange_consumes,
            call_timeout_s=call_timeout_s,
        )
        self._observer: asyncio.Task[None] | None = None

    async def execute(self, order: AttemptOrder) -> AttemptReply:
        """Make one attempt. Every failure is in the reply; nothing is raised but for our own bugs."""
        return (await self.attempt(order)).with_health(self.snapshot())

    async def attempt(self, order: AttemptOrder) -> AttemptReply:
        """The same without the provider's health, which is told once for many."""
        self._start_observing()
        return await self._maker.make(order)

    def snapshot(self) -> HealthSnapshot:
        """How the provider stands now."""
        return self._maker.snapshot()

    async def abandon(self, attempt_id: str) -> None:
        """Give up an attempt, as another of its request has answered first; quiet where it ended."""
        self._maker.abandon(attempt_id)

    async def health(self) -> HealthSnapshot:
        """How the provider stands now."""
        self._start_observing()
        self._changes.write(self._guard.observe(self._clock.now_s()))
        return self.snapshot()

    async def force(self, control: str, reason: str) -> HealthSnapshot:
        """Hold the circuits, or hand them back with AUTO, which also says that our keys are good."""
        if Control(control) is Control.AUTO:
            self._calls.keys_trusted_again()
        self._changes.write(self._guard.force(Control(control), self._clock.now_s(), reason))
        self._room.serve()
        return self.snapshot()

    async def revoke(self, connection_id: str) -> None:
        """End a connection at the vendor.

        Raises:
            ProviderFailure: the vendor's.

        """
        try:
            async with asyncio.timeout(self._call_timeout_s * 2):
                await self._calls.revoke(connection_id)
        except TimeoutError:
            raise ProviderFailure(LATE) from None

    async def webhook(self, sealed: bytes) -> None:
        """Act on a sealed webhook; see `WebhookDesk`."""
        await self._webhooks.receive(sealed)

    async def backlog(self) -> tuple[int, int]:
        """Rows that the disk has not taken yet, and rows that were dropped for want of room."""
        return self._spool.waiting, self._spool.lost

    async def drain(self) -> bool:
        """Hand what waits in memory to the disk; False where it takes nothing."""
        return self._spool.retry()

    async def close(self) -> bool:
        """Let everything go; False where rows were left that the disk has not taken."""
        if self._observer is not None:
            self._observer.cancel()
            await asyncio.gather(self._observer, return_exceptions=True)
            self._observer = None
        await self._room.close()
        self._spool.close()
        self._memory.close()
        await self._close_client()
        return not self._spool.waiting

    def _start_observing(self) -> None:
        if self._observer is None:
            self._observer = asyncio.get_running_loop().create_task(self._observe_forever())

    async def _observe_forever(self) -> None:
        with suppress(asyncio.CancelledError):
            while True:
                await asyncio.sleep(_OBSERVE_EVERY_S)
                self._changes.write(self._guard.observe(self._clock.now_s()))
                self._spool.retry()
                self._memory.write()
