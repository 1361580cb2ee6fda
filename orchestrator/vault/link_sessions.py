"""Link sessions, and the exchange of each at most once."""

from typing import Final

from sqlalchemy import Connection, Row, insert, select, update

from .connections import record_of
from .database import Database
from .schema import link_sessions
from .values import (
    ExchangeBusy,
    ExchangeDone,
    ExchangeExpired,
    ExchangeInDoubt,
    ExchangeStart,
    ExchangeStarted,
    ExchangeUnknown,
    LinkSession,
    LinkSessionView,
)

__all__ = ["LinkSessions", "mark_exchanged", "repaired_by"]

_OPEN, _RUNNING, _DONE, _DOUBT = "open", "running", "done", "doubt"
_GRACE_S: Final = 1800.0
"""A user may finish in the widget at its last moment, and the token then lives on: Plaid's public
token for 30 minutes."""
_LONGEST_RUN_S: Final = 900.0
"""No request lives longer than ten minutes: what runs for more has lost whoever would settle it."""
_NO_STATE: Final = b""


def _session(row: Row[tuple[object, ...]]) -> LinkSession:
    found = row._mapping  # noqa: SLF001  SQLAlchemy's public accessor, underscore and all
    return LinkSession(
        link_session_id=found["link_session_id"],
        space_id=found["space_id"],
        provider=found["provider"],
        region=found["region"],
        institution_id=found["institution_id"],
        repairs_connection_id=found["repairs_connection_id"],
        sealed_state=found["sealed_state"],
        created_at=found["created_at"],
        expires_at=found["expires_at"],
    )


def mark_exchanged(transaction: Connection, link_session_id: str, connection_id: str) -> None:
    """Note which connection a session's exchange made, and forget what it needed for that.

    Within a transaction.
    """
    transaction.execute(
        update(link_sessions)
        .where(link_sessions.c.link_session_id == link_session_id)
        .values(exchange=_DONE, connection_id=connection_id, sealed_state=_NO_STATE)
    )


def repaired_by(transaction: Connection, link_session_id: str) -> str | None:
    """The connection that a session is to repair, read within a transaction; None for a new link."""
    return transaction.execute(
        select(link_sessions.c.repairs_connection_id).where(
            link_sessions.c.link_session_id == link_session_id
        )
    ).scalar()


class LinkSessions:
    """The table of link sessions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, session: LinkSession) -> None:
        """Keep a new link session."""
        with self._database.writing() as transaction:
            transaction.execute(
                insert(link_sessions).values(
                    link_session_id=session.link_session_id,
                    space_id=session.space_id,
                    provider=session.provider,
                    region=session.region,
                    institution_id=session.institution_id,
                    repairs_connection_id=session.repairs_connection_id,
                    sealed_state=session.sealed_state,
                    created_at=session.created_at,
                    expires_at=session.expires_at,
                    exchange=_OPEN,
                )
            )

    def get(self, link_session_id: str) -> LinkSessionView | None:
        """A link session, with the connection its exchange made."""
        with self._database.reading() as connection:
            row = self._row(connection, link_session_id)
            if row is None:
                return None
            made = None if row.connection_id is None else record_of(connection, row.connection_id)
            return LinkSessionView(_session(row), made)

    def begin_exchange(
        self,
        link_session_id: str,
        space_id: str,
        now: float,
        *,
        again: bool = False,
        ends_at: float | None = None,
    ) -> ExchangeStart:
        """Write down that this exchange is about to be sent; durable on return.

        Args:
            link_session_id: whose token it is.
            space_id: who asks.
            now: seconds since 1970 UTC.
            again: clear a doubt by asking the vendor once more, where asking uses nothing up.
            ends_at: when whoever runs it must have settled it, or have died; 15 minutes from now
                when left out.

        """
        with self._database.writing() as transaction:
            row = self._row(transaction, link_session_id, lock=True)
            if row is None or row.space_id != space_id:
                return ExchangeUnknown()
            if row.exchange == _DONE:
                made = record_of(transaction, row.connection_id)
                return ExchangeUnknown() if made is None else ExchangeDone(made)
            if row.exchange == _RUNNING and not (again and _is_over(row, now)):
                return self._running(transaction, row, now)
            if row.exchange == _DOUBT and not again:
                return ExchangeInDoubt()
            if row.expires_at is not None and now >= row.expires_at + _GRACE_S:
                return ExchangeExpired()
            transaction.execute(
                update(link_sessions)
                .where(link_sessions.c.link_session_id == link_session_id)
                .values(
                    exchange=_RUNNING,
                    exchange_ends_at=now + _LONGEST_RUN_S if ends_at is None else ends_at,
                )
            )
            return ExchangeStarted(_session(row))

    def release_exchange(self, link_session_id: str) -> None:
        """The vendor certainly did not exchange it: it may be tried again."""
        self._leave_running(link_session_id, _OPEN)

    def doubt_exchange(self, link_session_id: str) -> None:
        """Nobody knows whether the vendor exchanged it."""
        self._leave_running(link_session_id, _DOUBT)

    def recover(self) -> int:
        """After a crash: exchanges that were running are in doubt. Tells how many."""
        with self._database.writing() as transaction:
            return transaction.execute(
                update(link_sessions)
                .where(link_sessions.c.exchange == _RUNNING)
                .values(exchange=_DOUBT)
            ).rowcount

    def purge(self, now: float) -> int:
        """Forget the state of sessions that have expired unused. Tells of how many."""
        with self._database.writing() as transaction:
            return transaction.execute(
                update(link_sessions)
                .where(
                    link_sessions.c.exchange == _OPEN,
                    link_sessions.c.expires_at <= now - _GRACE_S,
                    link_sessions.c.sealed_state != _NO_STATE,
                )
                .values(sealed_state=_NO_STATE)
            ).rowcount

    def space_exists(self, space_id: str) -> bool:
        """Whether this space ever made a link session."""
        with self._database.reading() as connection:
            found = connection.execute(
                select(link_sessions.c.space_id)
                .where(link_sessions.c.space_id == space_id)
                .limit(1)
            )
            return found.first() is not None

    def _leave_running(self, link_session_id: str, state: str) -> None:
        with self._database.writing() as transaction:
            transaction.execute(
                update(link_sessions)
                .where(
                    link_sessions.c.link_session_id == link_session_id,
                    link_sessions.c.exchange == _RUNNING,
                )
                .values(exchange=state)
            )

    def _running(
        self, transaction: Connection, row: Row[tuple[object, ...]], now: float
    ) -> ExchangeStart:
        if not _is_over(row, now):
            return ExchangeBusy()
        transaction.execute(
            update(link_sessions)
            .where(link_sessions.c.link_session_id == row.link_session_id)
            .values(exchange=_DOUBT)
        )
        return ExchangeInDoubt()

    def _row(
        self, connection: Connection, link_session_id: str, *, lock: bool = False
    ) -> Row[tuple[object, ...]] | None:
        wanted = select(link_sessions).where(link_sessions.c.link_session_id == link_session_id)
        return connection.execute(wanted.with_for_update() if lock else wanted).first()


def _is_over(row: Row[tuple[object, ...]], now: float) -> bool:
    """Whether whoever runs an exchange must have died over it."""
    return row.exchange_ends_at is not None and now >= row.exchange_ends_at
