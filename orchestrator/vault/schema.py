"""Tables of the vault. Times are unix seconds. `migrations/` brings a database to them."""

from typing import Final

from sqlalchemy import (
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.types import TypeEngine

__all__ = [
    "REVISION",
    "account_refs",
    "accounts",
    "connections",
    "facts",
    "idempotency",
    "link_sessions",
    "metadata",
    "seen_movements",
    "webhook_events",
]

REVISION: Final = "0002"
"""The newest of the migrations: what these tables are."""

metadata = MetaData()


def vendor_text(length: int) -> TypeEngine[str]:
    """Text that a vendor words: Postgres would hold it to a length, SQLite takes what comes."""
    return String(length).with_variant(Text(), "postgresql")


link_sessions = Table(
    "link_sessions",
    metadata,
    Column("link_session_id", String(64), primary_key=True),
    Column("space_id", String(128), nullable=False, index=True),
    Column("provider", String(32), nullable=False),
    Column("region", String(2), nullable=False),
    Column("institution_id", String(128)),
    Column("repairs_connection_id", String(64)),
    # Empty once no exchange can need it any more.
    Column("sealed_state", LargeBinary, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float),
    # open → running → done | doubt; running goes back to open when the vendor certainly did nothing
    Column("exchange", String(8), nullable=False),
    Column("connection_id", String(64)),
    Column("exchange_ends_at", Float),
)

connections = Table(
    "connections",
    metadata,
    Column("connection_id", String(64), primary_key=True),
    Column("space_id", String(128), nullable=False, index=True),
    Column("provider", String(32), nullable=False),
    Column("region", String(2), nullable=False),
    Column("institution_id", vendor_text(128), nullable=False),
    Column("login_key_hash", String(64), nullable=False),
    Column("sealed_credential", LargeBinary, nullable=False),
    Column("credential_version", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("read_at", Float),
    # The vendor's time of the last status that it reported by itself.
    Column("status_at", Float),
    Column("refresh_due_at", Float),
    Index("connections_login", "space_id", "provider", "login_key_hash"),
    Index("connections_login_anywhere", "provider", "login_key_hash"),
)

accounts = Table(
    "accounts",
    metadata,
    Column("account_id", String(64), primary_key=True),
    Column("space_id", String(128), nullable=False),
    Column("institution_id", vendor_text(128), nullable=False),
    Column("type", String(16), nullable=False),
    Column("currency", vendor_text(16), nullable=False),
    Column("mask", vendor_text(8)),
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
    Column("provider_account_id", vendor_text(256), primary_key=True),
    Column("account_id", String(64), ForeignKey(accounts.c.account_id), nullable=False),
)

seen_movements = Table(
    "seen_movements",
    metadata,
    Column(
        "connection_id",
        String(64),
        ForeignKey(connections.c.connection_id, ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("provider_transaction_id", vendor_text(256), primary_key=True),
    Column("provider_account_id", vendor_text(256), nullable=False),
    Column("date", Date, nullable=False),
    # None while the vendor lists it.
    Column("gone_at", Float),
    Index("seen_movements_by_date", "connection_id", "date"),
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

webhook_events = Table(
    "webhook_events",
    metadata,
    Column("provider", String(32), primary_key=True),
    Column("event_id", String(256), primary_key=True),
    Column("received_at", Float, nullable=False, index=True),
)

facts = Table(
    "facts",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", String(64), nullable=False),
)
