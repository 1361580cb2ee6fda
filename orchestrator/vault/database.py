"""The vault's database, SQLite or PostgreSQL: connections that are durable, and transactions.

Stores are written for both. SQLite lets one transaction write, from its beginning; on PostgreSQL
several run at once, and whoever decides by what it has read locks those rows (`with_for_update`,
which SQLite does not need and passes over).
"""

import os
import sqlite3
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.pool import ConnectionPoolEntry

from .address import is_sqlite
from .trouble import store_error

__all__ = ["Database", "hold_name", "insert_if_absent", "threads_for", "write_ahead"]

_POSTGRES_CONNECTIONS: Final = 4
_POSTGRES_OPTIONS: Final = {
    "application_name": "orchestrator-vault",
    "connect_timeout": 5,
    # A server that vanished without a word is noticed within seconds.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_POSTGRES_SESSION: Final = """
    select set_config('statement_timeout', '30s', false),
           set_config('lock_timeout', '10s', false),
           set_config('idle_in_transaction_session_timeout', '60s', false),
           case current_setting('synchronous_commit')
               when 'off' then set_config('synchronous_commit', 'on', false) end
"""
"""Nothing waits without end; and what was committed is on disk, whatever the server's default."""
_SQLITE_PRAGMAS: Final = (
    "busy_timeout=5000",
    # An exchange's intent is on disk before its first byte leaves.
    "synchronous=FULL",
    "foreign_keys=ON",
    # An erased credential is overwritten, not only unlinked.
    "secure_delete=ON",
)
_WRITES: Final = "vault_writes"
_MOST_TRIES: Final = 100


def threads_for(url: URL) -> int:
    """How many threads may use a database at once."""
    return 1 if is_sqlite(url) else _POSTGRES_CONNECTIONS


class Database:
    """An open database. Every error of it reaches the caller as `StoreError`.

    Args:
        url: from `vault_url`.

    """

    def __init__(self, url: URL) -> None:
        self.url = url
        self._reader = _sqlite_engine(url) if is_sqlite(url) else _postgres_engine(url)
        self._writer = self._reader.execution_options(**{_WRITES: True})
        event.listen(self._reader, "handle_error", self._as_store_error)

    def reading(self) -> AbstractContextManager[Connection]:
        """A transaction that only reads."""
        return self._reader.connect()

    def writing(self) -> AbstractContextManager[Connection]:
        """A transaction; committed, and durable, at its end."""
        return self._writer.begin()

    def close(self) -> None:
        """Let it go."""
        self._reader.dispose()

    def _as_store_error(self, context: ExceptionContext) -> None:
        if context.is_pre_ping:
            return  # the pool replaces the connection
        connecting = context.connection is None
        raise store_error(self.url, context.original_exception, connecting=connecting) from None


def insert_if_absent(transaction: Connection, table: Table, **values: object) -> bool:
    """Insert a row unless one of its key is there; tells whether it was inserted. Atomic."""
    dialect: Any = postgresql if transaction.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).values(**values).on_conflict_do_nothing()
    done = transaction.execute(statement, execution_options={"preserve_rowcount": True})
    return bool(done.rowcount == 1)


def hold_name(transaction: Connection, name: str) -> None:
    """Wait until no other transaction holds this name, and hold it to the end of this one.

    For what is decided by the absence of a row, which cannot be locked. On SQLite a transaction
    that writes is alone anyway.
    """
    if transaction.dialect.name == "postgresql":
        transaction.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


def _postgres_engine(url: URL) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=_POSTGRES_CONNECTIONS,
        max_overflow=0,
        pool_pre_ping=True,
        connect_args={k: v for k, v in _POSTGRES_OPTIONS.items() if k not in url.query},
    )
    event.listen(engine, "connect", _set_up_postgres)
    return engine


def _set_up_postgres(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute(_POSTGRES_SESSION)
    cursor.close()
    # What a session sets in a transaction is lost when that is rolled back.
    connection.commit()


def _sqlite_engine(url: URL) -> Engine:
    _make_file(Path(url.database or ""))
    engine = create_engine(url, hide_parameters=True)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make_file(path: Path) -> None:
    # For its owner alone. Never opened where it is there: closing a file that SQLite has open in
    # this process would end SQLite's locks on it. What else is wrong, SQLite will say.
    with suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _set_up_sqlite(connection: Any, _entry: ConnectionPoolEntry) -> None:
    # The driver begins no transactions on its own; `_begin_sqlite` does.
    connection.isolation_level = None
    for pragma in _SQLITE_PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    write_ahead(connection)


def write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log. Of processes that start at once, SQLite makes none wait."""
    for tries_left in reversed(range(_MOST_TRIES)):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or not tries_left:
                raise
            # Here it does wait, for whoever is at it.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
