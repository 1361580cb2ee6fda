"""What the shells ask of the vault and the attempt log, whoever stands behind it.

In production an actor handle stands behind each (`remote.py`); in tests a store in this process.
Signatures are those of the stores, awaited.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from actors.messages import AttemptOrder, AttemptReply
from orchestrator.domain import (
    CompleteListing,
    ConnectionStatus,
    Json,
    Operation,
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

__all__ = ["ActorLost", "AttemptLogPort", "LogStanding", "ProviderPort", "VaultPort"]


@dataclass(frozen=True, slots=True)
class LogStanding:
    """How the log stands.

    `pending` rows are written down and not committed, `lost` records were damaged. `problem` says
    why nothing can be committed now, and what to do.
    """

    pending: int
    lost: int
    problem: str | None


class AttemptLogPort(Protocol):
    """The attempt log."""

    async def collect(self) -> None:
        """Commit all rows that any process has written down by now.

        Raises:
            StoreError: the file cannot be had or written; nothing is lost.

        """
        ...

    async def standing(self) -> LogStanding:
        """Whether the log is well, and what waits for it."""
        ...

    async def stats(self) -> "LogStats":
        """What the last 24 hours look like.

        Raises:
            StoreError: the file cannot be had.

        """
        ...

    async def story(self, request_id: str) -> dict[str, Json] | None:
        """One request's record and attempts.

        Raises:
            StoreError: the file cannot be had.

        """
        ...

    async def query(self, sql: str) -> list[Json]:
        """Rows for one SELECT.

        Raises:
            QueryRefused: not one SELECT over the log's tables, or out of bounds.
            StoreError: the file cannot be had.

        """
        ...


class VaultPort(Protocol):
    """Connections, link sessions and idempotency keys. Times are unix seconds.

    Every call raises `StoreError` when the database cannot do its work; the next may succeed.
    """

    async def add_link_session(self, session: LinkSession) -> None:
        """Keep a new link session."""
        ...

    async def link_session(self, link_session_id: str) -> LinkSessionView | None:
        """A link session, with the connection its exchange made."""
        ...

    async def begin_exchange(
        self,
        link_session_id: str,
        space_id: str,
        now: float,
        *,
        again: bool = False,
        ends_at: float | None = None,
    ) -> ExchangeStart:
        """Write down that this exchange is about to be sent; durable on return.

        `again` clears a doubt by asking once more, where asking uses nothing up; at `ends_at`
        whoever runs it must have settled it, or have died.
        """
        ...

    async def finish_exchange(
        self, link_session_id: str, connection: NewConnection
    ) -> ConnectionRecord | LoginLinked:
        """Keep what an exchange made, under a new id or, for a repair, under the repaired one.

        A login that the space has linked before is answered with the connection that it has: the
        credential is to be sealed for that one and handed in again.
        """
        ...

    async def release_exchange(self, link_session_id: str) -> None:
        """The vendor certainly did not exchange it: it may be tried again."""
        ...

    async def doubt_exchange(self, link_session_id: str) -> None:
        """Nobody knows whether the vendor exchanged it."""
        ...

    async def space_exists(self, space_id: str) -> bool:
        """Whether this space ever made a link session."""
        ...

    async def connections(self, space_id: str) -> tuple[ConnectionRecord, ...]:
        """A space's connections, oldest first."""
        ...

    async def connection(self, connection_id: str) -> ConnectionRecord | None:
        """One connection."""
        ...

    async def credential(self, connection_id: str) -> SealedCredential | None:
        """A connection's sealed credential; None once it is erased."""
        ...

    async def match_accounts(
        self, connection_id: str, seen: tuple[AccountKey, ...], now: float
    ) -> dict[str, str]:
        """Our id for each account seen, by the provider's id; marks the connection as read."""
        ...

    async def connections_of_login_hash(
        self, provider: str, login_key_hash: str
    ) -> tuple[ConnectionRecord, ...]:
        """Every space's connections through which it has linked this login, oldest first."""
        ...

    async def set_status(
        self, connection_id: str, status: ConnectionStatus, *, as_of: float | None = None
    ) -> bool:
        """Note what a connection is good for; tells whether it was.

        `as_of` is the vendor's time of a status that it reported by itself: one that is older than
        the last is passed over. None always counts.
        """
        ...

    async def mark_refresh_due(self, connection_id: str, at: float) -> None:
        """Note that the vendor has something new to read since then; the newest such time stays."""
        ...

    async def mark_all_refresh_due(self, provider: str, at: float) -> None:
        """Note the same of every connection of a provider that does not say whose news it has."""
        ...

    async def clear_refresh_due(self, connection_id: str, read_began_at: float) -> None:
        """Take the mark back that a reading has met; one from after its beginning stays."""
        ...

    async def note_listing(
        self,
        connection_id: str,
        listing: CompleteListing,
        *,
        told_since: float | None,
        now: float,
        believed: bool = False,
    ) -> ListingNoted | ListingDoubted:
        """Note all that a vendor lists of some days, and tell what has gone.

        `told_since` is the time of the last listing that the asker has been told of, None on a
        first reading. A listing that shows nothing of what was known is doubted, and nothing is
        noted of it, unless it is `believed`.
        """
        ...

    async def webhook_seen(self, provider: str, event_id: str) -> bool:
        """Whether a provider's webhook event has come before."""
        ...

    async def first_time(self, provider: str, event_id: str, now: float) -> bool:
        """Whether a provider's webhook event comes for the first time; it has come from then on."""
        ...

    async def erase(self, connection_id: str) -> bool:
        """Forget a connection and its credential; False where there is none."""
        ...

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
        """Take an idempotency key; one that runs for longer than that has lost its process."""
        ...

    async def finish_idempotent(
        self, caller_id: str, operation: Operation, key: str, body: bytes, now: float
    ) -> None:
        """Keep the answer that this key gives from now on."""
        ...

    async def release_idempotent(self, caller_id: str, operation: Operation, key: str) -> None:
        """Let the key go: its request failed in a way that may be repeated."""
        ...


class ProviderPort(Protocol):
    """A provider's actor."""

    async def execute(self, order: AttemptOrder) -> AttemptReply:
        """Make one attempt.

        Raises:
            ActorLost: the actor died or cannot be reached.

        """
        ...

    async def abandon(self, attempt_id: str) -> None:
        """Give up an attempt, as another of its request has answered first; quiet where it ended."""
        ...

    async def health(self) -> HealthSnapshot:
        """How the provider stands now."""
        ...

    async def force(self, control: str, reason: str) -> HealthSnapshot:
        """Hold the circuits, or hand them back with AUTO."""
        ...

    async def revoke(self, connection_id: str) -> None:
        """End a connection at the vendor."""
        ...

    async def webhook(self, sealed: bytes) -> None:
        """Act on a sealed webhook.

        Raises:
            WebhookRefused: it is not the vendor's, too old, a replay, or cannot be read.
            ActorLost: as above.

        """
        ...

    async def backlog(self) -> tuple[int, int]:
        """Rows that the disk has not taken yet, and rows that were dropped for want of room."""
        ...


class ActorLost(OrchestratorError):
    """An actor died or cannot be reached; what it was doing may or may not have happened."""
