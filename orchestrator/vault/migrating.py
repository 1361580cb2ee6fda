"""Bringing a database to the schema of this program, one process at a time.

All steps and the note of them are one transaction: it ends at the newest revision or where it was.
"""

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, inspect, text

from orchestrator.domain import StoreError

from .database import Database
from .schema import REVISION

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = ["BY_HAND", "check_known", "migrate", "revision_of"]

BY_HAND: Final = "by hand"
"""The schema that the first program made, before there were revisions."""
_BY_HAND_VERSION: Final = 1
_FOLDER: Final = Path(__file__).parent / "migrations"
_LOCK: Final = 0x7661_756C_74
"""Of PostgreSQL's advisory locks, which are numbers."""
_one_at_a_time = threading.Lock()
"""Alembic keeps what it works on in a module."""


def revision_of(connection: Connection) -> str | None:
    """The revision that a database is at, `BY_HAND`, or None where it holds no vault.

    Raises:
        StoreError: a later program made it by hand.

    """
    tables = inspect(connection)
    if tables.has_table("alembic_version"):
        found = connection.execute(text("select version_num from alembic_version")).scalar()
        return None if found is None else str(found)
    if not tables.has_table("schema_version"):
        return None
    version = connection.execute(text("select version from schema_version")).scalar()
    if version not in (None, _BY_HAND_VERSION):
        raise _newer(f"schema version {version}")
    return BY_HAND


def check_known(revision: str | None) -> None:
    """Refuse a revision that this program does not know.

    Raises:
        StoreError: a newer program has migrated the database.

    """
    if revision in (None, BY_HAND, REVISION):
        return
    from alembic.script import ScriptDirectory  # noqa: PLC0415  heavy, and seldom needed

    steps = ScriptDirectory.from_config(_config()).walk_revisions()
    if revision not in {step.revision for step in steps}:
        raise _newer(f"revision {revision}")


def migrate(database: Database) -> None:
    """Bring a database to `REVISION`; quick where it is there already.

    Raises:
        StoreError: it belongs to a newer program, or cannot be changed.

    """
    with database.reading() as connection:
        if revision_of(connection) == REVISION:
            return
    with _one_at_a_time, database.writing() as transaction:
        if transaction.dialect.name == "postgresql":
            _hold(transaction)
        revision = revision_of(transaction)
        check_known(revision)
        if revision != REVISION:
            _upgrade(transaction)


def _hold(transaction: Connection) -> None:
    transaction.execute(
        text(
            "select set_config('lock_timeout', '60s', true),"
            " set_config('statement_timeout', '600s', true)"
        )
    )
    transaction.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def _upgrade(transaction: Connection) -> None:
    from alembic import command  # noqa: PLC0415  as above

    config = _config()
    config.attributes["connection"] = transaction
    command.upgrade(config, REVISION)


def _config() -> "Config":
    from alembic.config import Config  # noqa: PLC0415  as above

    config = Config()
    # A per cent sign would begin an interpolation.
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    return config


def _newer(what: str) -> StoreError:
    return StoreError(
        f"the vault is at {what}, this program knows revisions up to {REVISION}: "
        "use the newer program that wrote it"
    )
