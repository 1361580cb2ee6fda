"""Webhook events that have come in, so that each is acted on once."""

from typing import Final

from sqlalchemy import delete, select

from .database import Database, insert_if_absent
from .schema import webhook_events

__all__ = ["WebhookEvents"]

_KEPT_S: Final = 30 * 86_400.0


class WebhookEvents:
    """The table of events. They are remembered for 30 days."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def seen(self, provider: str, event_id: str) -> bool:
        """Whether an event has come before."""
        with self._database.reading() as connection:
            found = connection.execute(
                select(webhook_events.c.event_id).where(
                    webhook_events.c.provider == provider, webhook_events.c.event_id == event_id
                )
            ).first()
            return found is not None

    def first_time(self, provider: str, event_id: str, now: float) -> bool:
        """Whether an event comes for the first time; it has come from then on.

        Args:
            provider: whose event.
            event_id: what tells it from the provider's others, in at most 256 characters.
            now: unix seconds.

        """
        with self._database.writing() as transaction:
            return insert_if_absent(
                transaction,
                webhook_events,
                provider=provider,
                event_id=event_id,
                received_at=now,
            )

    def purge(self, now: float) -> int:
        """Forget events older than 30 days. Tells how many."""
        with self._database.writing() as transaction:
            return transaction.execute(
                delete(webhook_events).where(webhook_events.c.received_at < now - _KEPT_S)
            ).rowcount
