"""Vendors' webhooks: a delivery as it came, and what a proven one tells."""

import hashlib
import hmac
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from pydantic import SecretStr

from orchestrator.domain import WebhookRefusal, WebhookRefused, loads_decimal

from .payload import Payload
from .webhook_delivery import WebhookDelivery

__all__ = [
    "News",
    "WebhookDelivery",
    "WebhookNotice",
    "WebhookReader",
    "check_authorization",
    "ids_by_body",
    "named_text",
    "object_in",
    "text_in",
]


class News(StrEnum):
    """What a webhook means for a connection, in words that every vendor's can be told in."""

    FRESH_DATA = "fresh_data"
    NEEDS_USER = "needs_user"
    RECOVERED = "recovered"
    GONE = "gone"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class WebhookNotice:
    """What one webhook tells.

    `login_keys` are the logins concerned, in the words of `Exchanged.login_key`; `everyone` where
    the vendor does not tell whose it is, which makes it a hint about all its connections.
    `event_ids` are the ids under which the event may have come before, each of at most 256
    characters; the first is its own. Empty where each delivery counts anew.
    `as_of` is the vendor's time of the event in unix seconds, None where it tells none.
    `once`: its proof is good for a single delivery, so that a second one is a replay and refused;
    elsewhere vendors repeat what they have delivered, and a second one is without effect.
    """

    news: News
    login_keys: tuple[str, ...] = field(default=(), repr=False)
    event_ids: tuple[str, ...] = ()
    as_of: float | None = None
    everyone: bool = False
    once: bool = False


class WebhookReader(Protocol):
    """Proves and reads one vendor's webhooks."""

    async def read(self, delivery: WebhookDelivery) -> WebhookNotice:
        """What a delivery tells, once it is proven to be the vendor's.

        Raises:
            WebhookRefused: it is not proven, too old, or cannot be read.
            ProviderFailure: the vendor could not be asked for what proves it.

        """
        ...


def ids_by_body(delivery: WebhookDelivery, *, repeated_for_s: float) -> tuple[str, str]:
    """Event ids where the vendor gives none: the same body is the same event for a while.

    While the vendor may still repeat it, that is; later it is a new event, as a connection can get
    into the same trouble again.

    Args:
        delivery: as it came.
        repeated_for_s: longest time for which the vendor repeats what was not taken.

    """
    digest = hashlib.sha256(delivery.body).hexdigest()
    period = int(delivery.received_at // repeated_for_s)
    return f"{digest}:{period}", f"{digest}:{period - 1}"


def check_authorization(delivery: WebhookDelivery, wanted: SecretStr | None) -> None:
    """Refuse a delivery whose `Authorization` is not the value agreed with the vendor.

    Raises:
        WebhookRefused: it is another, or none has been agreed.

    """
    if wanted is None:
        raise WebhookRefused(WebhookRefusal.NOT_CONFIGURED)
    # HTTP hands header bytes on as Latin-1.
    given = delivery.headers.get("authorization", "").strip().encode("latin-1", "replace")
    agreed = wanted.get_secret_value().encode()
    # Digests are of one length, which a comparison's time would tell otherwise.
    if not hmac.compare_digest(hashlib.sha256(given).digest(), hashlib.sha256(agreed).digest()):
        raise WebhookRefused(WebhookRefusal.UNPROVEN)


def object_in(delivery: WebhookDelivery) -> Payload:
    """The body as a JSON object.

    Raises:
        WebhookRefused: `MALFORMED`, where it is anything else.

    """
    try:
        value = loads_decimal(delivery.body)
    except (ValueError, ArithmeticError, RecursionError):
        raise WebhookRefused(WebhookRefusal.MALFORMED) from None
    if not isinstance(value, dict):
        raise WebhookRefused(WebhookRefusal.MALFORMED)
    return value


def text_in(row: Payload, name: str) -> str | None:
    """A text, None where there is none. Vendors add and leave out fields as they like."""
    value = row.get(name)
    return value if isinstance(value, str) and value else None


def named_text(row: Payload, name: str) -> str:
    """A text without which the news is nobody's.

    Raises:
        WebhookRefused: `MALFORMED`, where there is none.

    """
    value = text_in(row, name)
    if value is None:
        raise WebhookRefused(WebhookRefusal.MALFORMED)
    return value
