"""The database of a ledger: its tables, how it is opened, and its write transactions."""

import sqlite3
from pathlib import Path
from typing import Final

from orchestrator.domain import StoreError

__all__ = ["SCHEMA", "Transaction", "open_file"]

_BUSY_TIMEOUT_S: Final = 30.0
SCHEMA: Final = """
create table facts (name text primary key, value text not null) without rowid;
create table settled (
    position integer primary key,
    run integer not null,
    done integer not null,
    stale integer not null,
    provider text,
    attempts integer not null,
    rows integer not null
);
create index unfinished on settled (position) where not done or stale;
create table failures (
    position integer primary key,
    row integer not null,
    space_id text, account_id text, institution_id text, connection_id text,
    type text not null, code text not null, message text not null,
    retryable integer not null, user_action text, attempts integer not null
);
create table open_items (
    position integer primary key,
    cursor text, pages integer not null, rows integer not null, tries integer not null,
    attempts integer not null, stale integer not null
);
create table unpublished (
    number integer primary key autoincrement,
    rows integer not null, records blob not null, removed blob not null
);
"""


class Transaction:
    """A write transaction from its first statement on, so that it never has to begin anew."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> None:
        try:
            self._database.execute("begin immediate")
        except sqlite3.Error as error:
            raise StoreError(f"the job's ledger cannot be written: {error}") from None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        if kind is None:
            try:
                self._database.execute("commit")
            except sqlite3.Error as failed:
                self._database.execute("rollback")
                raise StoreError(f"the job's ledger cannot be written: {failed}") from None
            return
        self._database.execute("rollback")
        if isinstance(error, sqlite3.Error):
            raise StoreError(f"the job's ledger cannot be written: {error}") from None


def open_file(path: Path) -> sqlite3.Connection:
    """The database, synced at every commit.

    Raises:
        StoreError: it cannot be opened.

    """
    try:
        # Used by one thread at a time, not always the same.
        database = sqlite3.connect(
            path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        database.execute("pragma journal_mode = wal")
        database.execute("pragma synchronous = full")
    except sqlite3.Error as error:
        raise StoreError(f"the job's ledger cannot be opened: {error}") from None
    return database
