"""The vault's actor: few threads, one database, ciphertext only."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import structlog

from actors.change_marks import ChangeMarks
from actors.gathered_reads import GatheredReads
from actors.installation import open_vault, vault_marks_file, vault_url_of
from actors.mail import Mailed
from actors.ports import VaultPort
from orchestrator.domain import (
    Clock,
    CompleteListing,
    ConnectionStatus,
    Operation,
    OrchestratorError,
    StoreError,
    SystemClock,
)
from orchestrator.identity import AccountKey
from orchestrator.settings import load_settings
from orchestrator.telemetry import configure_logging
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
    VaultStore,
    threads_for,
)

__all__ = ["VaultActor", "VaultDesk"]

R = TypeVar("R")
_PURGE_EVERY_S: Final = 3600.0
_KEEP_AGAIN_AFTER_S: Final = (0.2, 1.0, 4.0)
_log = structlog.get_logger("vault")


class VaultDesk:
    """A `VaultPort` over a store, which the first call opens, or the next where that failed.

    Args:
        open_store: opens it.
        threads: how many may use it at once; with one, all of it happens on that thread.
        marks: where changes of connections are told; None tells nobody.
        clock: for what is over.
        sleep: waits before what an exchange made is kept once more.

    """

    def __init__(
        self,
        open_store: Callable[[], VaultStore],
        *,
        threads: int = 1,
        marks: ChangeMarks | None = None,
        clock: Clock | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._open_store = open_store
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="vault")
        self._marks = marks
        self._of_space: GatheredReads[str, tuple[ConnectionRecord, ...]] = GatheredReads(
            lambda spaces: self._run(lambda store: store.connections.of_spaces(spaces)), ()
        )
        self._clock = clock or SystemClock()
        self._sleep = sleep
        self._opening = threading.Lock()
        self._store: VaultStore | None = None
        self._purge_due_s = self._clock.now_s() + _PURGE_EVERY_S

    def open(self) -> None:
        """Open the store now.

        Raises:
            OrchestratorError: it cannot be opened; a later call tries again.

        """
        self._threads.submit(self._opened).result()

    async def add_link_session(self, session: LinkSession) -> None:
        """See `VaultPort`."""
        await self._run(lambda store: store.link_sessions.add(session))

    async def link_session(self, link_session_id: str) -> LinkSessionView | None:
        """See `VaultPort`."""
        return await self._run(lambda store: store.link_sessions.get(link_session_id))

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
        return await self._run(
            lambda store: store.link_sessions.begin_exchange(
                link_session_id, space_id, now, again=again, ends_at=ends_at
            )
        )

    async def finish_exchange(
        self, link_session_id: str, connection: NewConnection
    ) -> ConnectionRecord | LoginLinked:
        """See `VaultPort`. Tries for seconds, as the vendor makes such a credential only once."""
        for pause_s in _KEEP_AGAIN_AFTER_S:
            try:
                return await self._finish_exchange(link_session_id, connection)
            except StoreError as error:
                _log.warning("exchange_not_kept_yet", problem=str(error))
            await self._sleep(pause_s)
        return await self._finish_exchange(link_session_id, connection)

    async def release_exchange(self, link_session_id: str) -> None:
        """See `VaultPort`."""
        await self._run(lambda store: store.link_sessions.release_exchange(link_session_id))

    async def doubt_exchange(self, link_session_id: str) -> None:
        """See `VaultPort`."""
        await self._run(lambda store: store.link_sessions.doubt_exchange(link_session_id))

    async def space_exists(self, space_id: str) -> bool:
        """See `VaultPort`."""
        return await self._run(lambda store: store.link_sessions.space_exists(space_id))

    async def connections(self, space_id: str) -> tuple[ConnectionRecord, ...]:
        """See `VaultPort`."""
        return await self._of_space.get(space_id)

    async def connection(self, connection_id: str) -> ConnectionRecord | None:
        """See `VaultPort`."""
        return await self._run(lambda store: store.connections.get(connection_id))

    async def connections_of_login_hash(
        self, provider: str, login_key_hash: str
    ) -> tuple[ConnectionRecord, ...]:
        """See `VaultPort`."""
        return await self._run(
            lambda store: store.connections.of_login_hash(provider, login_key_hash)
        )

    async def credential(self, connection_id: str) -> SealedCredential | None:
        """See `VaultPort`."""
        return await self._run(lambda store: store.connections.credential(connection_id))

    async def match_accounts(
        self, connection_id: str, seen: tuple[AccountKey, ...], now: float
    ) -> dict[str, str]:
        """See `VaultPort`."""
        return await self._change(
            (connection_id,),
            lambda store: store.connections.match_accounts(connection_id, seen, now),
        )

    async def set_status(
        self, connection_id: str, status: ConnectionStatus, *, as_of: float | None = None
    ) -> bool:
        """See `VaultPort`."""
        return await self._change(
            (connection_id,),
            lambda store: store.connections.set_status(connection_id, status, as_of=as_of),
        )

    async def mark_refresh_due(self, connection_id: str, at: float) -> None:
        """See `VaultPort`."""
        await self._change(
            (connection_id,), lambda store: store.connections.mark_refresh_due(connection_id, at)
        )

    async def mark_all_refresh_due(self, provider: str, at: float) -> None:
        """See `VaultPort`."""
        await self._change(None, lambda store: store.connections.mark_all_refresh_due(provider, at))

    async def clear_refresh_due(self, connection_id: str, read_began_at: float) -> None:
        """See `VaultPort`."""
        await self._change(
            (connection_id,),
            lambda store: store.connections.clear_refresh_due(connection_id, read_began_at),
        )

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
        return await self._run(
            lambda store: store.seen_movements.note_listing(
                connection_id, listing, told_since=told_since, now=now, believed=believed
            )
        )

    async def erase(self, connection_id: str) -> bool:
        """See `VaultPort`."""
        return await self._change(
            (connection_id,), lambda store: store.connections.erase(connection_id)
        )

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
        return await self._run(
            lambda store: store.idempotency.begin(
                caller_id, operation, key, body_mac, now, longest_run_s=longest_run_s
            )
        )

    async def finish_idempotent(
        self, caller_id: str, operation: Operation, key: str, body: bytes, now: float
    ) -> None:
        """See `VaultPort`."""
        await self._run(
            lambda store: store.idempotency.finish(caller_id, operation, key, body, now)
        )

    async def release_idempotent(self, caller_id: str, operation: Operation, key: str) -> None:
        """See `VaultPort`."""
        await self._run(lambda store: store.idempotency.release(caller_id, operation, key))

    async def webhook_seen(self, provider: str, event_id: str) -> bool:
        """See `VaultPort`."""
        return await self._run(lambda store: store.webhook_events.seen(provider, event_id))

    async def first_time(self, provider: str, event_id: str, now: float) -> bool:
        """See `VaultPort`."""
        return await self._run(
            lambda store: store.webhook_events.first_time(provider, event_id, now)
        )

    async def close(self) -> None:
        """Let the database go."""
        await asyncio.to_thread(self._let_go)

    async def _finish_exchange(
        self, link_session_id: str, connection: NewConnection
    ) -> ConnectionRecord | LoginLinked:
        return await self._change(
            (connection.space_id, connection.connection_id),
            lambda store: store.finish_exchange(link_session_id, connection),
        )

    async def _change(self, names: tuple[str, ...] | None, work: Callable[[VaultStore], R]) -> R:
        """Change what has these names, or anything, and tell the marks before the caller."""
        marks = self._marks
        if marks is None:
            return await self._run(work)

        def changing(store: VaultStore) -> R:
            try:
                return work(store)
            finally:
                # A change that failed may have been committed all the same.
                if names is None:
                    marks.everything_changed()
                else:
                    marks.changed(names)

        return await self._run(changing)

    async def _run(self, work: Callable[[VaultStore], R]) -> R:
        done = asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: work(self._opened())
        )
        now_s = self._clock.now_s()
        if now_s >= self._purge_due_s:
            self._purge_due_s = now_s + _PURGE_EVERY_S
            self._threads.submit(self._purge)
        return await done

    def _opened(self) -> VaultStore:
        with self._opening:
            if self._store is None:
                store = self._open_store()
                try:
                    store.recover()
                except BaseException:
                    store.close()
                    raise
                self._store = store
            return self._store

    def _purge(self) -> None:
        try:
            self._opened().purge(self._clock.unix_s())
        except OrchestratorError as error:
            _log.warning("vault_not_purged", problem=str(error))

    def _let_go(self) -> None:
        self._threads.shutdown()  # what was asked for before is done
        if self._store is not None:
            self._store.close()


_BY_MAIL: Final = tuple(
    name for name, kept in vars(VaultPort).items() if not name.startswith("_") and callable(kept)
)


class VaultActor(Mailed, VaultDesk):
    """The vault over the database that this process's settings name."""

    def __init__(self) -> None:
        settings = load_settings()
        configure_logging()
        marks = ChangeMarks(vault_marks_file(settings))
        # The last life may have committed what it did not live to tell.
        marks.everything_changed()
        VaultDesk.__init__(
            self,
            lambda: open_vault(settings),
            threads=threads_for(vault_url_of(settings)),
            marks=marks,
        )
        # What an exchange made is kept even where nobody waits for it any more.
        Mailed.__init__(self, _BY_MAIL, cancels=False)
        try:
            self.open()
        except OrchestratorError as error:
            # Not the end of this actor: a database that is away comes back, and calls open it.
            _log.warning("vault_not_opened", problem=str(error))
        self._threads.submit(self._purge)
