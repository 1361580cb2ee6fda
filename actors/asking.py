"""What a router asks of provider actors, and what becomes of an attempt whose actor does not reply."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Final

import structlog

from actors.attempt_failures import ACTOR_LOST, CUT, OUTRUN
from actors.attempt_writer import Measured, attempt_row
from actors.health_board import HealthBoard
from actors.mailbox import MailboxFull
from actors.messages import AttemptOrder, AttemptReply, ExchangeCall
from actors.ports import ActorLost, ProviderPort, VaultPort
from orchestrator.domain import (
    CircuitState,
    Clock,
    Failure,
    IneligibilityReason,
    Operation,
    StoreError,
    from_unix,
)
from orchestrator.routing import Rejected
from orchestrator.spool import SpoolWriter

__all__ = ["ProviderAsk"]

_QUEUE_FULL: Final = Rejected(IneligibilityReason.RATE_LIMITED, 1.0, queue_full=True)
"""Our own queue before a provider's actor is full: nothing was sent."""

_REPLY_GRACE_S: Final = 0.15
"""How long after an attempt's time its reply is still awaited."""
_ABANDON_TIMEOUT_S: Final = 2.0

_log = structlog.get_logger("router")


class ProviderAsk:
    """Sends orders to the providers' actors, and writes the rows that these can no longer write.

    Args:
        providers: the configured providers' actors.
        board: their health.
        vault: for exchanges in doubt.
        spool: where rows go.
        clock: monotonic and wall time.

    """

    def __init__(
        self,
        providers: Mapping[str, ProviderPort],
        board: HealthBoard,
        vault: VaultPort,
        spool: SpoolWriter,
        clock: Clock,
    ) -> None:
        self._providers = dict(providers)
        self._board = board
        self._vault = vault
        self._spool = spool
        self._clock = clock
        self._abandoning: set[asyncio.Task[None]] = set()

    async def execute(self, order: AttemptOrder, provider: str) -> AttemptReply:
        """Have an attempt made; one that nobody answers for is answered here."""
        started_s, started_at = self._clock.now_s(), from_unix(self._clock.unix_s())
        try:
            async with asyncio.timeout(order.longest_s + _REPLY_GRACE_S):
                reply = await self._providers[provider].execute(order)
        except TimeoutError:
            failure = CUT
        except MailboxFull:
            return AttemptReply(_QUEUE_FULL, 0.0, 0.0)
        except ActorLost:
            failure = ACTOR_LOST
            await self._doubt(order)
        else:
            if reply.health is not None:
                self._board.update(reply.health)
            return reply
        _log.warning("attempt_without_reply", provider=provider, code=failure.code)
        latency_ms = (self._clock.now_s() - started_s) * 1000
        self._tell(order, provider, failure, started_at, latency_ms)
        # The vendor may have answered the lost actor: an exchange is then nobody's to repeat.
        return AttemptReply(
            failure,
            latency_ms=latency_ms,
            waited_ms=order.waited_s * 1000,
            health=None,
            in_doubt=order.operation is Operation.EXCHANGE_TOKEN,
        )

    def outrun(
        self, order: AttemptOrder, provider: str, asking: asyncio.Task[AttemptReply], for_s: float
    ) -> AttemptReply:
        """Give up an attempt that is under way for `for_s` seconds, as another has answered first.

        Its actor is told in the background, and nobody waits for that.
        """
        at = from_unix(self._clock.unix_s() - for_s)
        self._tell(order, provider, OUTRUN, at, for_s * 1000)
        abandoning = asyncio.get_running_loop().create_task(
            self._abandon(order.attempt_id, provider, asking)
        )
        self._abandoning.add(abandoning)
        abandoning.add_done_callback(self._abandoning.discard)
        return AttemptReply(OUTRUN, for_s * 1000, order.waited_s * 1000, None)

    async def _abandon(
        self, attempt_id: str, provider: str, asking: asyncio.Task[AttemptReply]
    ) -> None:
        try:
            async with asyncio.timeout(_ABANDON_TIMEOUT_S):
                await self._providers[provider].abandon(attempt_id)
                await asyncio.wait([asking])
        except (ActorLost, TimeoutError) as error:
            _log.warning("attempt_not_abandoned", provider=provider, error=type(error).__name__)
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    def _tell(
        self,
        order: AttemptOrder,
        provider: str,
        failure: Failure,
        started_at: datetime,
        latency_ms: float,
    ) -> None:
        """Write a row by hearsay: where the actor wrote one of its own, or an intent, that is kept."""
        seen = self._board.get(provider)
        self._spool.put(
            attempt_row(
                order,
                provider,
                failure,
                Measured(
                    started_at=started_at,
                    latency_ms=latency_ms,
                    waited_ms=order.waited_s * 1000,
                    http_calls=None,
                    http_status=None,
                    provider_request_id=None,
                    circuit_state=CircuitState.CLOSED if seen is None else seen.state,
                ),
                connection_id=order.connection_id,
                node_id=None,
            )
        )

    async def _doubt(self, order: AttemptOrder) -> None:
        """Note an exchange in doubt for a lost actor, which cannot; quiet where it had settled."""
        if isinstance(order.call, ExchangeCall):
            # The vault takes an exchange that nobody settles as in doubt by itself, later.
            with suppress(ActorLost, StoreError):
                await self._vault.doubt_exchange(order.call.link_session_id)
