"""Webhooks at the edge: handed to their provider's actor unread, and refused in our words."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

import structlog

from actors.ports import ActorLost, ProviderPort
from actors.sealed_webhook import seal_webhook
from orchestrator.domain import (
    Clock,
    ErrorType,
    OperationError,
    ProviderFailure,
    RequestRefused,
    StoreError,
    WebhookRefusal,
    WebhookRefused,
)
from orchestrator.providers.webhook_delivery import WebhookDelivery
from orchestrator.vault import VaultCipher

__all__ = ["WebhookIntake"]

_log = structlog.get_logger("webhooks")
_ANSWER_WITHIN_S: Final = 4.5
"""Belvo and Bitso give up after five seconds, and deliver again."""
_MOST_AT_ONCE: Final = 64
_AGAIN_AFTER_S: Final = 30.0

_UNKNOWN: Final = OperationError(
    ErrorType.NOT_FOUND, "UNKNOWN_PROVIDER", "there is no provider of that name"
)
_TROUBLE: Final = OperationError(
    ErrorType.PROVIDER_DOWN,
    "WEBHOOK_NOT_TAKEN",
    "the webhook could not be taken in just now: deliver it again",
    retry_after_s=_AGAIN_AFTER_S,
)
_FULL: Final = OperationError(
    ErrorType.OVERLOADED,
    "TOO_MANY_WEBHOOKS",
    "too many webhooks are being looked at already: deliver it again",
    retry_after_s=1.0,
)
_REFUSALS: Final[Mapping[WebhookRefusal, OperationError]] = {
    WebhookRefusal.UNPROVEN: OperationError(
        ErrorType.UNAUTHORIZED, "WEBHOOK_UNPROVEN", "nothing proves that the provider sent this"
    ),
    WebhookRefusal.TOO_OLD: OperationError(
        ErrorType.UNAUTHORIZED, "WEBHOOK_TOO_OLD", "its proof was made too long ago"
    ),
    WebhookRefusal.REPLAYED: OperationError(
        ErrorType.UNAUTHORIZED, "WEBHOOK_REPLAYED", "its proof was used before"
    ),
    WebhookRefusal.NOT_CONFIGURED: OperationError(
        ErrorType.UNAUTHORIZED,
        "WEBHOOK_NOT_CONFIGURED",
        "nothing is set up by which this provider's webhooks could be proven",
    ),
    WebhookRefusal.MALFORMED: OperationError(
        ErrorType.VALIDATION, "WEBHOOK_MALFORMED", "the body is not what this provider sends"
    ),
    WebhookRefusal.TOO_SOON: OperationError(
        ErrorType.RATE_LIMIT, "WEBHOOK_TOO_SOON", "a hint of this provider was taken just now"
    ),
}


class WebhookIntake:
    """Takes webhooks in for every provider. Belongs to one event loop.

    Args:
        providers: the configured providers' actors.
        known_providers: all of the registry, configured or not.
        cipher: seals deliveries.
        clock: for when they were received.

    """

    def __init__(
        self,
        providers: Mapping[str, ProviderPort],
        known_providers: Collection[str],
        cipher: VaultCipher,
        clock: Clock,
    ) -> None:
        self._providers = dict(providers)
        self._known_providers = frozenset(known_providers)
        self._cipher = cipher
        self._clock = clock
        self._under_way = 0

    async def receive(self, provider: str, headers: Mapping[str, str], body: bytes) -> None:
        """Take a webhook in; on return it has been acted on.

        Args:
            provider: whose it claims to be.
            headers: names in lower case.
            body: raw.

        Raises:
            RequestRefused: `not_found`, `unauthorized`, `validation`, `rate_limit`, `overloaded`,
                or `provider_down` where it should be delivered again.

        """
        if provider not in self._known_providers:
            raise RequestRefused(_UNKNOWN)
        port = self._providers.get(provider)
        if port is None:
            raise _refused(provider, WebhookRefused(WebhookRefusal.NOT_CONFIGURED))
        if self._under_way == _MOST_AT_ONCE:
            raise RequestRefused(replace(_FULL, provider=provider))
        delivery = WebhookDelivery(headers, body, self._clock.unix_s())
        self._under_way += 1
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_S):
                await port.webhook(seal_webhook(self._cipher, provider, delivery))
        except WebhookRefused as refused:
            raise _refused(provider, refused) from None
        except (ActorLost, ProviderFailure, StoreError, TimeoutError) as error:
            _log.warning("webhook_not_taken", provider=provider, error=type(error).__name__)
            raise RequestRefused(replace(_TROUBLE, provider=provider)) from None
        finally:
            self._under_way -= 1


def _refused(provider: str, refused: WebhookRefused) -> RequestRefused:
    _log.info("webhook_refused", provider=provider, reason=refused.reason)
    error = replace(
        _REFUSALS[refused.reason], provider=provider, retry_after_s=refused.retry_after_s
    )
    return RequestRefused(error)
