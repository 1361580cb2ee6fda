"""A webhook's way from the edge to its provider's actor: sealed, as its headers can hold a secret."""

import json
from base64 import b64decode, b64encode

from orchestrator.providers.webhook_delivery import WebhookDelivery
from orchestrator.vault import VaultCipher

__all__ = ["open_webhook", "seal_webhook"]


def seal_webhook(cipher: VaultCipher, provider: str, delivery: WebhookDelivery) -> bytes:
    """Ciphertext of a delivery, for this provider alone."""
    clear = {
        "headers": dict(delivery.headers),
        "body": b64encode(delivery.body).decode(),
        "receivedAt": delivery.received_at,
    }
    return cipher.seal(json.dumps(clear).encode(), associated=_owner(provider))


def open_webhook(cipher: VaultCipher, provider: str, sealed: bytes) -> WebhookDelivery:
    """The delivery.

    Raises:
        StoreError: damaged, or sealed for another provider.

    """
    clear = json.loads(cipher.open(sealed, associated=_owner(provider)))
    return WebhookDelivery(clear["headers"], b64decode(clear["body"]), clear["receivedAt"])


def _owner(provider: str) -> str:
    return f"webhook:{provider}"
