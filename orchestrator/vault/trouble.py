"""What a database's error means, in one sentence that says what to mend.

Told apart by the database's own codes. No error text of a driver is passed on: it may quote values.
"""

import sqlite3
from collections.abc import Mapping
from typing import Final

from sqlalchemy import URL

from orchestrator.domain import StoreError

from .address import is_sqlite, place_of

__all__ = ["store_error"]

_UNREACHABLE: Final = (
    "cannot be reached or lets us not in: check that the server runs, and the user, password and "
    "database in ORCHESTRATOR_VAULT_URL"
)
_SQLITE: Final[Mapping[int, str]] = {
    sqlite3.SQLITE_BUSY: "is held by another process: stop that, or ask again",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: check that its folder is there and can be written",
    sqlite3.SQLITE_CORRUPT: "is damaged: restore it from a backup",
    sqlite3.SQLITE_FULL: "has no room left on its disk: make some",
    sqlite3.SQLITE_NOTADB: "is damaged or no vault: restore it from a backup",
    sqlite3.SQLITE_READONLY: "cannot be written: check the rights of its file and folder",
}
_POSTGRES: Final[Mapping[str, str]] = {
    "25006": "is read-only: name the primary server in ORCHESTRATOR_VAULT_URL",
    "42501": "does not let its user do that: make the user the owner of its schema",
    "42P07": "holds tables of something else: give the vault a database of its own",
    "53100": "has no room left on its disk: make some",
    "55P03": "is held by another process: ask again in a moment",
    "57014": "took too long: ask again in a moment",
}


def store_error(url: URL, error: BaseException | None, *, connecting: bool) -> StoreError:
    """The `StoreError` for a driver's error.

    Args:
        url: the database's.
        error: the driver's own.
        connecting: whether no connection had been made yet.

    """
    found: str | None
    if is_sqlite(url):
        # The lowest byte is the kind, what is above tells more of it.
        found = _SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    else:
        found = _POSTGRES.get(getattr(error, "sqlstate", None) or "")
        if found is None and connecting:
            found = _UNREACHABLE
    if found is None:
        return StoreError(f"the vault could not do its work ({type(error).__name__})")
    return StoreError(f"the vault, {place_of(url)}, {found}")
