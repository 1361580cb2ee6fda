"""Tables of the vault, and opening the database that holds them. Times are unix seconds."""

from sqlalchemy import (
    Column,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    insert,
    select,
)
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from orchestrator.domain import StoreError

__all__ = [
    "SCHEMA_VERSION",
    "account_refs",
    "accounts",
    "connections",
    "idempotency",
    "link_sessions",
    "metadata",
    "open_database",
]

SCHEMA_VERSION = 1

metadata = MetaData()

schema_version = Table("schema_version", metadata, Column("version", Integer, nullable=False))

link_sessions = Table(
    "link_sessions",
    metadata,
    Column("link_session_id", String(64), primary_key=True),
    Column("space_id", String(128), nullable=False, index=True),
    Column("provider", String(32), nullable=False),
    Column("region", String(2), nullable=False),
    Column("institution_id", String(128)),
    Column("repairs_connection_id", String(64)),
    Column("sealed_state", LargeBinary, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float),
    # open → running → done | doubt; running goes back to open when the vendor certainly did nothing
    Column("exchange", String(8), nullable=False, default="open"),
    Column("connection_id", String(64)),
)

connections = Table(
    "connections",
    metadata,
    Column("connection_id", String(64), primary_key=True),
    Column("space_id", String(128), nullable=False, index=True),
    Column("provider", String(32), nullable=False),
    Column("region", String(2), nullable=False),
    Column("institution_id", String(128), nullable=False),
    Column("login_key_hash", String(64), nullable=False),
    Column("sealed_credential", LargeBinary, nullable=False),
    Column("credential_version", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("read_at", Float),
    Index("connections_login", "space_id", "provider", "login_key_hash"),
)

accounts = Table(
    "accounts",
    metadata,
    Column("account_id", String(64), primary_key=True),
    Column("space_id", String(128), nullable=False),
    Column("institution_id", String(128), nullable=False),
    Column("type", String(16), nullable=False),
    Column("currency", String(16), nullable=False),
    Column("mask", String(8)),
    Index("accounts_of_institution", "space_id", "institution_id"),
)

account_refs = Table(
    "account_refs",
    metadata,
    Column(
        "connection_id",
        String(64),
        ForeignKey(connections.c.connection_id, ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("provider_account_id", String(256), primary_key=True),
    Column("account_id", String(64), ForeignKey(accounts.c.account_id), nullable=False),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("caller_id", String(64), primary_key=True),
    Column("operation", String(32), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("body_mac", String(64), nullable=False),
    Column("answer", LargeBinary),
    Column("created_at", Float, nullable=False),
)


def _durable(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    # FULL: an exchange's intent is on disk before its first byte leaves.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _as_store_error(context: ExceptionContext) -> None:
    # A broken constraint stays what it is: whoever inserts knows what it means there.
    error = context.sqlalchemy_exception
    if not isinstance(error, IntegrityError):
        raise StoreError(f"the vault could not do its work ({type(error).__name__})") from None


def _unusable(error: SQLAlchemyError) -> StoreError:
    return StoreError(
        f"the vault cannot be opened ({type(error).__name__}): check that its folder can be "
        "written and that its file is not damaged"
    )


def _prepare(engine: Engine) -> None:
    """Make the tables where they are not there; refuse those of another version."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _durable)
    metadata.create_all(engine)
    with engine.begin() as transaction:
        found = transaction.execute(select(schema_version.c.version)).scalar()
        if found is None:
            transaction.execute(insert(schema_version).values(version=SCHEMA_VERSION))
    if found not in (None, SCHEMA_VERSION):
        raise StoreError(
            f"the vault has schema version {found}, this program knows {SCHEMA_VERSION}: "
            "use the program that wrote it"
        )


def open_database(url: str) -> Engine:
    """The vault's database, made where it is not there.

    Args:
        url: SQLAlchemy's, such as `sqlite:////var/lib/orchestrator/vault.sqlite`.

    Raises:
        StoreError: it cannot be opened, or belongs to another version.

    """
    try:
        engine = create_engine(url, hide_parameters=True)
    except SQLAlchemyError as error:
        raise _unusable(error) from None
    try:
        _prepare(engine)
    except SQLAlchemyError as error:
        engine.dispose()
        raise _unusable(error) from None
    except StoreError:
        engine.dispose()
        raise
    event.listen(engine, "handle_error", _as_store_error)
    return engine
