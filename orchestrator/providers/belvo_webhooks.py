"""Belvo's webhooks (developers.belvo.com: aggregation webhooks).

Belvo signs nothing: the Authorization value that its dashboard lets one set proves them. Payloads
tell no time.
"""

from collections.abc import Mapping
from typing import Final, Self

from pydantic import SecretStr

from orchestrator.domain import ErrorClass, ErrorScope

from .belvo_errors import BELVO_KNOWN_LINK_ERRORS
from .payload import Payload
from .registry import AdapterConfig
from .webhooks import (
    News,
    WebhookDelivery,
    WebhookNotice,
    check_authorization,
    ids_by_body,
    named_text,
    object_in,
    text_in,
)

__all__ = ["BelvoWebhooks"]

_REPEATED_FOR_S: Final = 86_400.0
"""Belvo publishes no figure: as long as MX does."""
_CODES: Final[Mapping[str, News]] = {
    "historical_update": News.FRESH_DATA,
    "new_accounts_available": News.FRESH_DATA,
    "new_transactions_available": News.FRESH_DATA,
    "transactions_updated": News.FRESH_DATA,
    "transactions_deleted": News.FRESH_DATA,
    "invalid_credentials": News.NEEDS_USER,
    "token_required": News.NEEDS_USER,
    "openfinance_consent_about_to_expire": News.NEEDS_USER,
    "openfinance_consent_expired": News.NEEDS_USER,
}


class BelvoWebhooks:
    """Reads Belvo's webhooks.

    Args:
        authorization: the `Authorization` value agreed with Belvo, None where none is.

    """

    def __init__(self, authorization: SecretStr | None) -> None:
        self._authorization = authorization

    @classmethod
    def of(cls, config: AdapterConfig) -> Self:
        """By an adapter's settings."""
        return cls(config.webhook_auth)

    async def read(self, delivery: WebhookDelivery) -> WebhookNotice:
        """See `WebhookReader`."""
        check_authorization(delivery, self._authorization)
        payload = object_in(delivery)
        news = _news(payload)
        if news is News.NOTHING:
            return WebhookNotice(news)
        return WebhookNotice(
            news=news,
            login_keys=(named_text(payload, "link_id").lower(),),
            # Whether `webhook_id` names the event or the webhook that is set up is not said;
            # the whole body tells events apart either way.
            event_ids=ids_by_body(delivery, repeated_for_s=_REPEATED_FOR_S),
        )


def _news(payload: Payload) -> News:
    code = text_in(payload, "webhook_code")
    known = _CODES.get(code or "")
    if known is not None:
        return known
    data = payload.get("data")
    error = text_in(data, "error_code") if isinstance(data, dict) else None
    rule = BELVO_KNOWN_LINK_ERRORS.codes.get(error or code or "")
    if rule is None or rule.error_class is not ErrorClass.AUTH:
        return News.NOTHING
    return News.NEEDS_USER if rule.scope is ErrorScope.CONNECTION else News.NOTHING
