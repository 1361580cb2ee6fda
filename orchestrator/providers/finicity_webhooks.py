"""Finicity's Connect events (docs.finicity.com: Connect webhooks), signed with our partner secret.

The signature is an HMAC-SHA-256 of the raw body. Whatever is not answered with a success is
repeated for up to three days, unchanged; making a Connect link sends a `ping` that must be answered.
"""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Final, Self

from pydantic import SecretStr

from orchestrator.domain import WebhookRefusal, WebhookRefused

from .options import choice
from .payload import Payload
from .registry import AdapterConfig
from .webhooks import (
    News,
    WebhookDelivery,
    WebhookNotice,
    ids_by_body,
    named_text,
    object_in,
    text_in,
)

__all__ = ["FinicityWebhooks"]

_HEADER: Final = "x-finicity-signature"
_ENCODINGS: Final = ("hex", "base64")
_REPEATED_FOR_S: Final = 3 * 86_400.0
_EVENTS: Final[Mapping[str, News]] = {
    "added": News.FRESH_DATA,
    "credentialsUpdated": News.FRESH_DATA,
    "done": News.FRESH_DATA,
}


class FinicityWebhooks:
    """Reads Finicity's webhooks.

    Args:
        partner_secret: signs them.
        encoding: of the signature, `hex` or `base64`; Finicity shows the first in samples only.

    """

    def __init__(self, partner_secret: SecretStr, encoding: str = "hex") -> None:
        self._secret = partner_secret
        self._encoding = encoding

    @classmethod
    def of(cls, config: AdapterConfig) -> Self:
        """By an adapter's settings.

        Raises:
            ConfigurationError: the option `signature_encoding` is none of its values.

        """
        encoding = choice(
            {"signature_encoding": "hex", **config.options},
            "signature_encoding",
            _ENCODINGS,
            provider="finicity",
        )
        return cls(SecretStr(config.keys["FINICITY_PARTNER_SECRET"]), encoding)

    async def read(self, delivery: WebhookDelivery) -> WebhookNotice:
        """See `WebhookReader`."""
        self._check_signature(delivery)
        payload = object_in(delivery)
        news = _EVENTS.get(text_in(payload, "eventType") or "", News.NOTHING)
        if news is News.NOTHING:
            return WebhookNotice(news)
        customer_id = named_text(payload, "customerId")
        event_id = text_in(payload, "eventId")
        return WebhookNotice(
            news=news,
            login_keys=tuple(dict.fromkeys(f"{customer_id}/{one}" for one in _logins(payload))),
            event_ids=ids_by_body(delivery, repeated_for_s=_REPEATED_FOR_S)
            if event_id is None
            else (hashlib.sha256(event_id.encode(errors="surrogatepass")).hexdigest(),),
        )

    def _check_signature(self, delivery: WebhookDelivery) -> None:
        mac = hmac.new(self._secret.get_secret_value().encode(), delivery.body, hashlib.sha256)
        given = delivery.headers.get(_HEADER, "").strip()
        if self._encoding == "hex":
            wanted, given = mac.hexdigest(), given.lower()
        else:
            wanted = b64encode(mac.digest()).decode()
        if not hmac.compare_digest(wanted.encode(), given.encode(errors="surrogatepass")):
            raise WebhookRefused(WebhookRefusal.UNPROVEN)


def _logins(event: Payload) -> Iterator[str]:
    """The institution logins that an event names, by itself or through its accounts."""
    payload = event.get("payload")
    if not isinstance(payload, dict):
        return
    accounts = payload.get("accounts")
    for row in (payload, *(accounts if isinstance(accounts, list) else ())):
        login = row.get("institutionLoginId") if isinstance(row, dict) else None
        if isinstance(login, int | str) and not isinstance(login, bool) and login != "":
            yield str(login)
