"""A webhook desk over a real vault, with a reader whose notices a test writes itself."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from actors.login_key_hash import login_key_hash
from actors.sealed_webhook import seal_webhook
from actors.vault import VaultDesk
from actors.webhook_desk import WebhookDesk
from orchestrator.domain import ConnectionStatus
from orchestrator.providers.webhooks import News, WebhookDelivery, WebhookNotice
from orchestrator.vault import ConnectionRecord, LinkSession, NewConnection, VaultCipher
from tests.support.clock import SteppedClock

__all__ = ["CIPHER", "NoticeReader", "WebhookBench", "failing", "notice_body"]

CIPHER = VaultCipher({"k1": b"k" * 32}, "k1")


def notice_body(news: News, *, event: str | None = None, **told: object) -> dict[str, object]:
    """What a `NoticeReader` reads as this notice."""
    return {"news": news.value, "event": event, "logins": ["login-1"], **told}


class NoticeReader:
    """Takes every delivery for proven; its body says what it tells."""

    async def read(self, delivery: WebhookDelivery) -> WebhookNotice:
        """See `WebhookReader`."""
        told = json.loads(delivery.body)
        return WebhookNotice(
            news=News(told["news"]),
            login_keys=tuple(told["logins"]),
            event_ids=() if told["event"] is None else (told["event"], *told.get("earlier", ())),
            as_of=told.get("asOf"),
            everyone=told.get("everyone", False),
            once=told.get("once", False),
        )


class WebhookBench:
    """A desk, its vault and its clock.

    Args:
        vault: holds connections and events.
        provider: whose desk it is.

    """

    def __init__(self, vault: VaultDesk, provider: str = "plaid") -> None:
        self.vault = vault
        self.provider = provider
        self.clock = SteppedClock(running=False)
        self.desk = WebhookDesk(
            provider, NoticeReader(), vault=vault, cipher=CIPHER, clock=self.clock
        )

    async def connect(
        self, connection_id: str, *, login: str = "login-1", space: str = "space_1"
    ) -> None:
        """Keep a connection that is well."""
        session = f"ls_{connection_id}"
        now = self.clock.unix_s()
        await self.vault.add_link_session(
            LinkSession(session, space, self.provider, "US", None, None, b"s", now, None)
        )
        await self.vault.begin_exchange(session, space, now)
        await self.vault.finish_exchange(
            session,
            NewConnection(
                connection_id=connection_id,
                space_id=space,
                provider=self.provider,
                region="US",
                institution_id="ins_chase",
                login_key_hash=login_key_hash(CIPHER, login),
                sealed_credential=b"sealed",
                status=ConnectionStatus.ACTIVE,
                created_at=now,
            ),
        )

    async def deliver(self, body: Mapping[str, object], *, at: float | None = None) -> None:
        """Hand a delivery to the desk, received now unless told otherwise."""
        received_at = self.clock.unix_s() if at is None else at
        delivery = WebhookDelivery({}, json.dumps(body).encode(), received_at)
        await self.desk.receive(seal_webhook(CIPHER, self.provider, delivery))

    async def record(self, connection_id: str = "conn_1") -> ConnectionRecord:
        """A connection as the vault has it."""
        found = await self.vault.connection(connection_id)
        assert found is not None
        return found


@contextmanager
def failing(vault: VaultDesk, method: str, error: BaseException) -> Iterator[None]:
    """Let a method of the vault fail, as if the system were cut there."""
    real = getattr(vault, method)

    async def fail(*_args: object, **_named: object) -> None:
        raise error

    setattr(vault, method, fail)
    try:
        yield
    finally:
        setattr(vault, method, real)
