"""The vault's actor: one thread, one database, ciphertext only."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from orchestrator.domain import ConnectionStatus, Operation, SystemClock
from orchestrator.identity import AccountKey
from orchestrator.settings import load_settings
from orchestrator.telemetry import configure_logging
from orchestrator.vault import (
    ConnectionRecord,
    ExchangeStart,
    IdempotencyStart,
    LinkSession,
    LinkSessionView,
    NewConnection,
    SealedCredential,
    VaultStore,
    vault_url,
)

__all__ = ["VaultActor", "VaultDesk"]

P = ParamSpec("P")
R = TypeVar("R")


class VaultDesk:
    """A `VaultPort` over a store. The store is opened, used and closed on one thread of its own.

    Args:
        open_store: opens it.

    Raises:
        StoreError: it cannot be opened.

    """

    def __init__(self, open_store: Callable[[], VaultStore]) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="vault")
        self._store = self._thread.submit(open_store).result()
        self._thread.submit(self._store.recover).result()

    async def _run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: work(*args, **kwargs))

    async def add_link_session(self, session: LinkSession) -> None:
        """See `VaultPort`."""
        await self._run(self._store.link_sessions.add, session)

    async def link_session(self, link_session_id: str) -> LinkSessionView | None:
        """See `VaultPort`."""
        return await self._run(self._store.link_sessions.get, link_session_id)

    async def begin_exchange(
        self, link_session_id: str, space_id: str, now: float
    ) -> ExchangeStart:
        """See `VaultPort`."""
        return await self._run(
            self._store.link_sessions.begin_exchange, link_session_id, space_id, now
        )

    async def finish_exchange(
        self, link_session_id: str, connection: NewConnection
    ) -> ConnectionRecord:
        """See `VaultPort`."""
        return await self._run(self._store.finish_exchange, link_session_id, connection)

    async def release_exchange(self, link_session_id: str) -> None:
        """See `VaultPort`."""
        await self._run(self._store.link_sessions.release_exchange, link_session_id)

    async def doubt_exchange(self, link_session_id: str) -> None:
        """See `VaultPort`."""
        await self._run(self._store.link_sessions.doubt_exchange, link_session_id)

    async def space_exists(self, space_id: str) -> bool:
        """See `VaultPort`."""
        return await self._run(self._store.link_sessions.space_exists, space_id)

    async def connections(self, space_id: str) -> tuple[ConnectionRecord, ...]:
        """See `VaultPort`."""
        return await self._run(self._store.connections.of_space, space_id)

    async def connection(self, connection_id: str) -> ConnectionRecord | None:
        """See `VaultPort`."""
        return await self._run(self._store.connections.get, connection_id)

    async def connection_of_login(
        self, space_id: str, provider: str, login_key_hash: str
    ) -> str | None:
        """See `VaultPort`."""
        return await self._run(self._store.connections.of_login, space_id, provider, login_key_hash)

    async def credential(self, connection_id: str) -> SealedCredential | None:
        """See `VaultPort`."""
        return await self._run(self._store.connections.credential, connection_id)

    async def match_accounts(
        self, connection_id: str, seen: tuple[AccountKey, ...], now: float
    ) -> dict[str, str]:
        """See `VaultPort`."""
        return await self._run(self._store.connections.match_accounts, connection_id, seen, now)

    async def set_status(self, connection_id: str, status: ConnectionStatus) -> None:
        """See `VaultPort`."""
        await self._run(self._store.connections.set_status, connection_id, status)

    async def erase(self, connection_id: str) -> bool:
        """See `VaultPort`."""
        return await self._run(self._store.connections.erase, connection_id)

    async def begin_idempotent(
        self, caller_id: str, operation: Operation, key: str, body_mac: str, now: float
    ) -> IdempotencyStart:
        """See `VaultPort`."""
        return await self._run(
            self._store.idempotency.begin, caller_id, operation, key, body_mac, now
        )

    async def finish_idempotent(
        self, caller_id: str, operation: Operation, key: str, body: bytes, now: float
    ) -> None:
        """See `VaultPort`."""
        await self._run(self._store.idempotency.finish, caller_id, operation, key, body, now)

    async def release_idempotent(self, caller_id: str, operation: Operation, key: str) -> None:
        """See `VaultPort`."""
        await self._run(self._store.idempotency.release, caller_id, operation, key)

    async def close(self) -> None:
        """Let the database go."""
        await self._run(self._store.close)
        self._thread.shutdown(wait=False)


class VaultActor(VaultDesk):
    """The vault over its database in the data folder of this process's settings."""

    def __init__(self) -> None:
        settings = load_settings()
        configure_logging()
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        url = vault_url(settings.data_dir)
        super().__init__(lambda: VaultStore(url))
        self._thread.submit(self._store.idempotency.purge, SystemClock().unix_s()).result()
