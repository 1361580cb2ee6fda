"""What a router knows of the providers' health: the latest snapshot of each, kept fresh."""

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog

from actors.ports import ActorLost, ProviderPort
from orchestrator.domain import Clock, Operation
from orchestrator.resilience import HealthSnapshot
from orchestrator.routing import Block

__all__ = ["HealthBoard"]

_POLL_EVERY_S: Final = 1.0
_POLL_TIMEOUT_S: Final = 2.0

_log = structlog.get_logger("health")


class HealthBoard:
    """Latest snapshots, from replies as they come and from a poll each second.

    A provider that was never heard of is not blocked: its own guard decides in the end.
    """

    def __init__(self, providers: Mapping[str, ProviderPort], clock: Clock) -> None:
        self._providers = dict(providers)
        self._clock = clock
        self._seen: dict[str, tuple[HealthSnapshot, float]] = {}
        self._poller: asyncio.Task[None] | None = None

    def update(self, snapshot: HealthSnapshot) -> None:
        """Take a newer picture of a provider."""
        known = self._seen.get(snapshot.provider)
        if known is None or snapshot.at_unix_s >= known[0].at_unix_s:
            self._seen[snapshot.provider] = (snapshot, self._clock.now_s())

    def get(self, provider: str) -> HealthSnapshot | None:
        """The latest picture of a provider, None where there is none yet."""
        known = self._seen.get(provider)
        return None if known is None else known[0]

    def block(
        self, provider: str, operation: Operation, institution_id: str | None
    ) -> Block | None:
        """Why the provider takes no call now, None where nothing is known against it."""
        known = self._seen.get(provider)
        if known is None:
            return None
        snapshot, taken_s = known
        rejection = snapshot.rejection(
            operation, institution_id, age_s=self._clock.now_s() - taken_s
        )
        if rejection is None:
            return None
        return Block(rejection.reason, rejection.retry_after_s, rejection.by_failures)

    def slow_after_s(self, operation: Operation) -> dict[str, float]:
        """After how many seconds an answer is slow, by provider, where that is known."""
        return {
            name: seconds
            for name, (snapshot, _) in self._seen.items()
            for told, seconds in snapshot.slow_after_s
            if told is operation
        }

    def quota_left(self) -> dict[str, float]:
        """What is left of each provider's limits, 0 to 1, where that is known."""
        return {
            name: snapshot.limiter.remaining_ratio for name, (snapshot, _) in self._seen.items()
        }

    async def refresh(self) -> None:
        """Ask every provider now; one that does not answer keeps its last picture."""
        await asyncio.gather(*(self._ask(name) for name in self._providers))

    def start(self) -> None:
        """Begin to poll, on the running event loop."""
        if self._poller is None:
            self._poller = asyncio.get_running_loop().create_task(self._poll_forever())

    async def stop(self) -> None:
        """Stop polling."""
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.gather(self._poller, return_exceptions=True)
            self._poller = None

    async def _ask(self, name: str) -> None:
        try:
            async with asyncio.timeout(_POLL_TIMEOUT_S):
                self.update(await self._providers[name].health())
        except (ActorLost, TimeoutError) as error:
            _log.warning("provider_actor_silent", provider=name, error=type(error).__name__)

    async def _poll_forever(self) -> None:
        while True:
            await self.refresh()
            await asyncio.sleep(_POLL_EVERY_S)
