"""What vendors show and report: movements seen, refreshes due, webhook events.

And until when an exchange may run, and facts about the vault itself.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def _vendor_text(length: int) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(sa.Text(), "postgresql")


def upgrade() -> None:
    """Add them."""
    op.add_column("link_sessions", sa.Column("exchange_ends_at", sa.Float))
    op.add_column("connections", sa.Column("status_at", sa.Float))
    op.add_column("connections", sa.Column("refresh_due_at", sa.Float))
    op.create_index("connections_login_anywhere", "connections", ["provider", "login_key_hash"])
    op.create_table(
        "seen_movements",
        sa.Column(
            "connection_id",
            sa.String(64),
            sa.ForeignKey("connections.connection_id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("provider_transaction_id", _vendor_text(256), primary_key=True),
        sa.Column("provider_account_id", _vendor_text(256), nullable=False),
        sa.Column("date", sa.Date, nullable=False),
        sa.Column("gone_at", sa.Float),
    )
    op.create_index("seen_movements_by_date", "seen_movements", ["connection_id", "date"])
    op.create_table(
        "webhook_events",
        sa.Column("provider", sa.String(32), primary_key=True),
        sa.Column("event_id", sa.String(256), primary_key=True),
        sa.Column("received_at", sa.Float, nullable=False),
    )
    op.create_index("ix_webhook_events_received_at", "webhook_events", ["received_at"])
    op.create_table(
        "facts",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("value", sa.String(64), nullable=False),
    )
