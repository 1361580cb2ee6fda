"""Link sessions, connections, accounts and idempotency keys.

The first program made these tables by hand and noted so in a table `schema_version`. Where that is
found, what is there stays, what a crash had left out is added, and the note goes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
_NOTE = "schema_version"


def _vendor_text(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(sa.Text(), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    by_hand = sa.inspect(op.get_bind()).has_table(_NOTE)
    op.create_table(
        "link_sessions",
        sa.Column("link_session_id", sa.String(64), primary_key=True),
        sa.Column("space_id", sa.String(128), nullable=False),
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("region", sa.String(2), nullable=False),
        sa.Column("institution_id", sa.String(128)),
        sa.Column("repairs_connection_id", sa.String(64)),
        sa.Column("sealed_state", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float),
        sa.Column("exchange", sa.String(8), nullable=False),
        sa.Column("connection_id", sa.String(64)),
        if_not_exists=by_hand,
    )
    op.create_table(
        "connections",
        sa.Column("connection_id", sa.String(64), primary_key=True),
        sa.Column("space_id", sa.String(128), nullable=False),
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("region", sa.String(2), nullable=False),
        sa.Column("institution_id", _vendor_text(128), nullable=False),
        sa.Column("login_key_hash", sa.String(64), nullable=False),
        sa.Column("sealed_credential", sa.LargeBinary, nullable=False),
        sa.Column("credential_version", sa.Integer, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("read_at", sa.Float),
        if_not_exists=by_hand,
    )
    op.create_table(
        "accounts",
        sa.Column("account_id", sa.String(64), primary_key=True),
        sa.Column("space_id", sa.String(128), nullable=False),
        sa.Column("institution_id", _vendor_text(128), nullable=False),
        sa.Column("type", sa.String(16), nullable=False),
        sa.Column("currency", _vendor_text(16), nullable=False),
        sa.Column("mask", _vendor_text(8)),
        if_not_exists=by_hand,
    )
    op.create_table(
        "account_refs",
        sa.Column(
            "connection_id",
            sa.String(64),
            sa.ForeignKey("connections.connection_id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("provider_account_id", _vendor_text(256), primary_key=True),
        sa.Column(
            "account_id", sa.String(64), sa.ForeignKey("accounts.account_id"), nullable=False
        ),
        if_not_exists=by_hand,
    )
    op.create_table(
        "idempotency",
        sa.Column("caller_id", sa.String(64), primary_key=True),
        sa.Column("operation", sa.String(32), primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("body_mac", sa.String(64), nullable=False),
        sa.Column("answer", sa.LargeBinary),
        sa.Column("created_at", sa.Float, nullable=False),
        if_not_exists=by_hand,
    )
    for name, table, columns in (
        ("ix_link_sessions_space_id", "link_sessions", ["space_id"]),
        ("ix_connections_space_id", "connections", ["space_id"]),
        ("connections_login", "connections", ["space_id", "provider", "login_key_hash"]),
        ("accounts_of_institution", "accounts", ["space_id", "institution_id"]),
    ):
        op.create_index(name, table, columns, if_not_exists=by_hand)
    if by_hand:
        op.drop_table(_NOTE)
