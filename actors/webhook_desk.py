"""One provider's webhooks at its actor: proven, acted on once, in whatever order they come.

What is done about an event can be done again without harm, so it is done before the event is noted
as seen: whoever is cut in between is mended by the vendor's next delivery.
"""

from collections.abc import Mapping
from traceback import extract_tb
from typing import Final

import structlog

from actors.attempt_failures import own_fault
from actors.login_key_hash import login_key_hash
from actors.ports import VaultPort
from actors.sealed_webhook import open_webhook
from orchestrator.domain import (
    Clock,
    ConnectionStatus,
    OrchestratorError,
    ProviderFailure,
    WebhookRefusal,
    WebhookRefused,
)
from orchestrator.providers.webhooks import News, WebhookNotice, WebhookReader
from orchestrator.vault import VaultCipher

__all__ = ["WebhookDesk"]

_log = structlog.get_logger("webhooks")
_HINT_EVERY_S: Final = 60.0
_STATUS: Final[Mapping[News, ConnectionStatus]] = {
    News.NEEDS_USER: ConnectionStatus.NEEDS_USER,
    News.RECOVERED: ConnectionStatus.ACTIVE,
    News.GONE: ConnectionStatus.DISCONNECTED,
}
_READ_AGAIN: Final = frozenset({News.FRESH_DATA, News.RECOVERED})


class WebhookDesk:
    """Takes in one provider's webhooks. Safe for concurrent use within one event loop.

    Args:
        provider: its name.
        reader: proves and reads them; None where the provider has no webhooks.
        vault: the connections that they are about, and the events that have come.
        cipher: opens deliveries, and knows logins by their digests.
        clock: monotonic time, for how often an unproven hint is taken.

    """

    def __init__(
        self,
        provider: str,
        reader: WebhookReader | None,
        *,
        vault: VaultPort,
        cipher: VaultCipher,
        clock: Clock,
    ) -> None:
        self._provider = provider
        self._reader = reader
        self._vault = vault
        self._cipher = cipher
        self._clock = clock
        self._quiet_until_s = float("-inf")

    async def receive(self, sealed: bytes) -> None:
        """Act on a delivery; on return nothing of it can be lost any more.

        Raises:
            WebhookRefused: it is forged, too old, a replay, or cannot be read.
            OrchestratorError: trouble of ours or of the vendor's: it should be delivered again.

        """
        try:
            await self._receive(sealed)
        except OrchestratorError:
            raise
        except Exception as error:  # noqa: BLE001  a bug: told without what it may quote
            _log.error(
                "webhook_broke",
                provider=self._provider,
                error=type(error).__name__,
                # Where, and never the message: it may quote what the vendor sent.
                where=[f"{frame.name}:{frame.lineno}" for frame in extract_tb(error.__traceback__)],
            )
            raise ProviderFailure(own_fault(error)) from None

    async def _receive(self, sealed: bytes) -> None:
        if self._reader is None:
            raise WebhookRefused(WebhookRefusal.NOT_CONFIGURED)
        delivery = open_webhook(self._cipher, self._provider, sealed)
        notice = await self._reader.read(delivery)
        if notice.everyone:
            await self._take_hint(delivery.received_at)
            return
        if await self._seen(notice):
            self._repeated(notice)
            return
        connections = await self._apply(notice, delivery.received_at)
        if notice.event_ids and not await self._vault.first_time(
            self._provider, notice.event_ids[0], delivery.received_at
        ):
            # Two deliveries at once: the other was noted first, and did the same.
            self._repeated(notice)
            return
        _log.info(
            "webhook_taken", provider=self._provider, news=notice.news, connections=connections
        )

    async def _take_hint(self, received_at: float) -> None:
        now = self._clock.now_s()
        if now < self._quiet_until_s:
            raise WebhookRefused(WebhookRefusal.TOO_SOON, self._quiet_until_s - now)
        before, self._quiet_until_s = self._quiet_until_s, now + _HINT_EVERY_S
        try:
            await self._vault.mark_all_refresh_due(self._provider, received_at)
        except BaseException:
            self._quiet_until_s = before
            raise
        _log.info("webhook_hint_taken", provider=self._provider)

    async def _seen(self, notice: WebhookNotice) -> bool:
        for event_id in notice.event_ids:
            if await self._vault.webhook_seen(self._provider, event_id):
                return True
        return False

    def _repeated(self, notice: WebhookNotice) -> None:
        if notice.once:
            raise WebhookRefused(WebhookRefusal.REPLAYED)
        _log.info("webhook_repeated", provider=self._provider, news=notice.news)

    async def _apply(self, notice: WebhookNotice, received_at: float) -> int:
        """Do what the news calls for; tells how many connections it was about."""
        status = _STATUS.get(notice.news)
        # A vendor's clock that runs ahead must not outlast what it reports later.
        as_of = None if notice.as_of is None else min(notice.as_of, received_at)
        count = 0
        for login_key in notice.login_keys:
            records = await self._vault.connections_of_login_hash(
                self._provider, login_key_hash(self._cipher, login_key)
            )
            for record in records:
                count += 1
                if status is not None:
                    await self._vault.set_status(record.connection_id, status, as_of=as_of)
                if notice.news in _READ_AGAIN:
                    await self._vault.mark_refresh_due(record.connection_id, received_at)
        return count
