"""Actor handles behind the ports: Ray's losses become `ActorLost`, the actors' own errors stay.

The one place that calls `.remote()`.
"""

from typing import TYPE_CHECKING, Any, cast

from ray.exceptions import RayActorError, RayTaskError

from actors.messages import AttemptOrder, AttemptReply
from actors.options import Handle
from actors.ports import ActorLost, LogStanding
from orchestrator.domain import (
    CompleteListing,
    ConnectionStatus,
    Json,
    Operation,
    OperationRequest,
    OperationResult,
    OrchestratorError,
)
from orchestrator.identity import AccountKey
from orchestrator.resilience import HealthSnapshot
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

if TYPE_CHECKING:
    from orchestrator.attempt_log import LogStats

__all__ = ["RemoteLog", "RemoteProvider", "RemoteRouter", "RemoteVault"]


class _Remote:
    """An actor by handle."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    async def _call(self, method: str, *args: object, **named: object) -> Any:
        try:
            return await getattr(self._handle, method).remote(*args, **named)
        except RayTaskError as error:
            cause = error.cause
            if isinstance(cause, OrchestratorError):
                raise cause from None
            raise
        except RayActorError as error:
            raise ActorLost(f"{type(error).__name__} in {method}") from None


class RemoteProvider(_Remote):
    """A `ProviderPort` over an actor."""

    async def execute(self, order: AttemptOrder) -> AttemptReply:
        """See `ProviderPort`."""
        return cast(AttemptReply, await self._call("execute", order))

    async def abandon(self, attempt_id: str) -> None:
        """See `ProviderPort`."""
        await self._call("abandon", attempt_id)

    async def health(self) -> HealthSnapshot:
        """See `ProviderPort`."""
        return cast(HealthSnapshot, await self._call("health"))

    async def force(self, control: str, reason: str) -> HealthSnapshot:
        """See `ProviderPort`."""
        return cast(HealthSnapshot, await self._call("force", control, reason))

    async def revoke(self, connection_id: str) -> None:
        """See `ProviderPort`."""
        await self._call("revoke", connection_id)

    async def webhook(self, sealed: bytes) -> None:
        """See `ProviderPort`."""
        await self._call("webhook", sealed)

    async def backlog(self) -> tuple[int, int]:
        """See `ProviderPort`."""
        return cast(tuple[int, int], await self._call("backlog"))

    async def drain(self) -> bool:
        """Hand what waits in memory to the disk; False where it takes nothing."""
        return bool(await self._call("drain"))


class RemoteLog(_Remote):
    """An `AttemptLogPort` over an actor."""

    async def collect(self) -> None:
        """See `AttemptLogPort`."""
        await self._call("collect")

    async def standing(self) -> LogStanding:
        """See `AttemptLogPort`."""
        return cast(LogStanding, await self._call("standing"))

    async def stats(self) -> "LogStats":
        """See `AttemptLogPort`."""
        return cast("LogStats", await self._call("stats"))

    async def story(self, request_id: str) -> dict[str, Json] | None:
        """See `AttemptLogPort`."""
        return cast(dict[str, Json] | None, await self._call("story", request_id))

    async def query(self, sql: str) -> list[Json]:
        """See `AttemptLogPort`."""
        return cast(list[Json], await self._call("query", sql))

    async def frame(self, sql: str) -> Any:
        """Rows for one SELECT, as a pandas frame."""
        return await self._call("frame", sql)

    async def close(self) -> None:
        """Commit and close the file."""
        await self._call("close")


class RemoteRouter(_Remote):
    """The named router actor, for callers without HTTP."""

    async def execute(self, request: OperationRequest) -> OperationResult:
        """Serve one request."""
        return cast(OperationResult, await self._call("execute", request))

    async def stats(self) -> dict[str, Json]:
        """The document of `GET /admin/stats`."""
        return cast(dict[str, Json], await self._call("stats"))

    async def close(self) -> None:
        """Flush what is waiting and let go."""
        await self._call("close")


class RemoteVault(_Remote):
    """A `VaultPort` over an actor."""

    async def add_link_session(self, session: LinkSession) -> None:
        """See `VaultPort`."""
        await self._call("add_link_session", session)

    async def link_session(self, link_session_id: str) -> LinkSessionView | None:
        """See `VaultPort`."""
        return cast(LinkSessionView | None, await self._call("link_session", link_session_id))

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
            await self._call(
                "begin_exchange", link_session_id, space_id, now, again=again, ends_at=ends_at
            ),
        )

    async def finish_exchange(
        self, link_session_id: str, connection: NewConnection
    ) -> ConnectionRecord | LoginLinked:
        """See `VaultPort`."""
        kept = await self._call("finish_exchange", link_session_id, connection)
        return cast(ConnectionRecord | LoginLinked, kept)

    async def release_exchange(self, link_session_id: str) -> None:
        """See `VaultPort`."""
        await self._call("release_exchange", link_session_id)

    async def doubt_exchange(self, link_session_id: str) -> None:
        """See `VaultPort`."""
        await self._call("doubt_exchange", link_session_id)

    async def space_exists(self, space_id: str) -> bool:
        """See `VaultPort`."""
        return bool(await self._call("space_exists", space_id))

    async def connections(self, space_id: str) -> tuple[ConnectionRecord, ...]:
        """See `VaultPort`."""
        return cast(tuple[ConnectionRecord, ...], await self._call("connections", space_id))

    async def connection(self, connection_id: str) -> ConnectionRecord | None:
        """See `VaultPort`."""
        return cast(ConnectionRecord | None, await self._call("connection", connection_id))

    async def credential(self, connection_id: str) -> SealedCredential | None:
        """See `VaultPort`."""
        return cast(SealedCredential | None, await self._call("credential", connection_id))

    async def match_accounts(
        self, connection_id: str, seen: tuple[AccountKey, ...], now: float
    ) -> dict[str, str]:
        """See `VaultPort`."""
        return cast(dict[str, str], await self._call("match_accounts", connection_id, seen, now))

    async def connections_of_login_hash(
        self, provider: str, login_key_hash: str
    ) -> tuple[ConnectionRecord, ...]:
        """See `VaultPort`."""
        found = await self._call("connections_of_login_hash", provider, login_key_hash)
        return cast(tuple[ConnectionRecord, ...], found)

    async def set_status(
        self, connection_id: str, status: ConnectionStatus, *, as_of: float | None = None
    ) -> bool:
        """See `VaultPort`."""
        return bool(await self._call("set_status", connection_id, status, as_of=as_of))

    async def mark_refresh_due(self, connection_id: str, at: float) -> None:
        """See `VaultPort`."""
        await self._call("mark_refresh_due", connection_id, at)

    async def mark_all_refresh_due(self, provider: str, at: float) -> None:
        """See `VaultPort`."""
        await self._call("mark_all_refresh_due", provider, at)

    async def clear_refresh_due(self, connection_id: str, read_began_at: float) -> None:
        """See `VaultPort`."""
        await self._call("clear_refresh_due", connection_id, read_began_at)

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
        noted = await self._call(
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
        return bool(await self._call("webhook_seen", provider, event_id))

    async def first_time(self, provider: str, event_id: str, now: float) -> bool:
        """See `VaultPort`."""
        return bool(await self._call("first_time", provider, event_id, now))

    async def erase(self, connection_id: str) -> bool:
        """See `VaultPort`."""
        return bool(await self._call("erase", connection_id))

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
            await self._call(
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
        await self._call("finish_idempotent", caller_id, operation, key, body, now)

    async def release_idempotent(self, caller_id: str, operation: Operation, key: str) -> None:
        """See `VaultPort`."""
        await self._call("release_idempotent", caller_id, operation, key)

    async def close(self) -> None:
        """Let the database go."""
        await self._call("close")
