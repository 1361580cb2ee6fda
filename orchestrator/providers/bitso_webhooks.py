"""Bitso's webhooks (docs.bitso.com: webhooks): hints that somebody's ledger has grown.

Nothing proves them and nothing in them names the client, so that one can only ask for a re-read of
every connection. Whoever receives them must take few.
"""

from .webhooks import News, WebhookDelivery, WebhookNotice, object_in

__all__ = ["BitsoWebhooks"]


class BitsoWebhooks:
    """Reads Bitso's webhooks."""

    async def read(self, delivery: WebhookDelivery) -> WebhookNotice:
        """See `WebhookReader`."""
        object_in(delivery)
        return WebhookNotice(News.FRESH_DATA, everyone=True)
