"""The vault's actor behind its port."""

from typing import cast

from actors.options import Handle
from actors.remote import MailedRemote
from orchestrator.domain import CompleteListing, ConnectionStatus, Operation
from orchestrator.identity import AccountKey
from orchestrator.vault import (
    ConnectionRecord,
    ExchangeStart,
    IdempotencyStart,
    LinkSession,
    LinkSessionView,
    ListingDoubted,
    ListingNoted,
    LoginLinked,
    NewConnection,
    SealedCredential,
)

__all__ = ["RemoteVault"]


class RemoteVault(MailedRemote):
    """A `VaultPort` over an actor, whose calls share messages.

    One that its caller has given up goes on to its end: what an exchange made must be kept.
    """

    def __init__(self, handle: Handle) -> None:
        super().__init__(handle, cancels=False)

    async def add_link_session(self, session: LinkSession) -> None:
        """See `VaultPort`."""
        await self._ask("add_link_session", session)

    async def link_session(self, link_session_id: str) -> LinkSessionView | None:
        """See `VaultPort`."""
        return cast(LinkSessionView | None, await self._ask("link_session", link_session_id))

    async def begin_exchange(
        self,
        link_session_id: str,
        space_id: str,
        now: float,
        *,
        again: bool = False,
        ends_at: float | None = None,
    ) -> ExchangeStart:
        """See `VaultPort`."""
        return cast(
            ExchangeStart,
            await self._ask(
                "begin_exchange", link_session_id, space_id, now, again=again, ends_at=ends_at
            ),
        )

    async def finish_exchange(
        self, link_session_id: str, connection: NewConnection
    ) -> ConnectionRecord | LoginLinked:
        """See `VaultPort`."""
        kept = await self._ask("finish_exchange", link_session_id, connection)
        return cast(ConnectionRecord | LoginLinked, kept)

    async def release_exchange(self, link_session_id: str) -> None:
        """See `VaultPort`."""
        await self._ask("release_exchange", link_session_id)

    async def doubt_exchange(self, link_session_id: str) -> None:
        """See `VaultPort`."""
        await self._ask("doubt_exchange", link_session_id)

    async def space_exists(self, space_id: str) -> bool:
        """See `VaultPort`."""
        return bool(await self._ask("space_exists", space_id))

    async def connections(self, space_id: str) -> tuple[ConnectionRecord, ...]:
        """See `VaultPort`."""
        return cast(tuple[ConnectionRecord, ...], await self._ask("connections", space_id))

    async def connection(self, connection_id: str) -> ConnectionRecord | None:
        """See `VaultPort`."""
        return cast(ConnectionRecord | None, await self._ask("connection", connection_id))

    async def credential(self, connection_id: str) -> SealedCredential | None:
        """See `VaultPort`."""
        return cast(SealedCredential | None, await self._ask("credential", connection_id))

    async def match_accounts(
        self, connection_id: str, seen: tuple[AccountKey, ...], now: float
    ) -> dict[str, str]:
        """See `VaultPort`."""
        return cast(dict[str, str], await self._ask("match_accounts", connection_id, seen, now))

    async def connections_of_login_hash(
        self, provider: str, login_key_hash: str
    ) -> tuple[ConnectionRecord, ...]:
        """See `VaultPort`."""
        found = await self._ask("connections_of_login_hash", provider, login_key_hash)
        return cast(tuple[ConnectionRecord, ...], found)

    async def set_status(
        self, connection_id: str, status: ConnectionStatus, *, as_of: float | None = None
    ) -> bool:
        """See `VaultPort`."""
        return bool(await self._ask("set_status", connection_id, status, as_of=as_of))

    async def mark_refresh_due(self, connection_id: str, at: float) -> None:
        """See `VaultPort`."""
        await self._ask("mark_refresh_due", connection_id, at)

    async def mark_all_refresh_due(self, provider: str, at: float) -> None:
        """See `VaultPort`."""
        await self._ask("mark_all_refresh_due", provider, at)

    async def clear_refresh_due(self, connection_id: str, read_began_at: float) -> None:
        """See `VaultPort`."""
        await self._ask("clear_refresh_due", connection_id, read_began_at)

    async def note_listing(
        self,
        connection_id: str,
        listing: CompleteListing,
        *,
        told_since: float | None,
        now: float,
        believed: bool = False,
    ) -> ListingNoted | ListingDoubted:
        """See `VaultPort`."""
        noted = await self._ask(
            "note_listing",
            connection_id,
            listing,
            told_since=told_since,
            now=now,
            believed=believed,
        )
        return cast(ListingNoted | ListingDoubted, noted)

    async def webhook_seen(self, provider: str, event_id: str) -> bool:
        """See `VaultPort`."""
        return bool(await self._ask("webhook_seen", provider, event_id))

    async def first_time(self, provider: str, event_id: str, now: float) -> bool:
        """See `VaultPort`."""
        return bool(await self._ask("first_time", provider, event_id, now))

    async def erase(self, connection_id: str) -> bool:
        """See `VaultPort`."""
        return bool(await self._ask("erase", connection_id))

    async def begin_idempotent(
        self,
        caller_id: str,
        operation: Operation,
        key: str,
        body_mac: str,
        now: float,
        *,
        longest_run_s: float,
    ) -> IdempotencyStart:
        """See `VaultPort`."""
        return cast(
            IdempotencyStart,
            await self._ask(
                "begin_idempotent",
                caller_id,
                operation,
                key,
                body_mac,
                now,
                longest_run_s=longest_run_s,
            ),
        )

    async def finish_idempotent(
        self, caller_id: str, operation: Operation, key: str, body: bytes, now: float
    ) -> None:
        """See `VaultPort`."""
        await self._ask("finish_idempotent", caller_id, operation, key, body, now)

    async def release_idempotent(self, caller_id: str, operation: Operation, key: str) -> None:
        """See `VaultPort`."""
        await self._ask("release_idempotent", caller_id, operation, key)

    async def close(self) -> None:
        """Let the database go."""
        await self._call("close")
