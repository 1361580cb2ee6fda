"""Plaid's webhooks (plaid.com/docs/api/webhooks/webhook-verification): a signed token for each body.

The header `Plaid-Verification` is a JWT by a key of Plaid's that is fetched by its id. It holds the
body's hash and when it was signed, which is compared with when the delivery was received.
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

import jwt
from jwt.exceptions import PyJWTError
from jwt.types import Options

from orchestrator.domain import ErrorClass, ErrorScope, WebhookRefusal, WebhookRefused

from .http import VendorHttp
from .payload import Payload
from .plaid_errors import GONE, PLAID_ERRORS
from .plaid_webhook_keys import PlaidWebhookKeys
from .webhooks import (
    News,
    WebhookDelivery,
    WebhookNotice,
    named_text,
    object_in,
    text_in,
)

__all__ = ["PlaidWebhooks"]

_HEADER: Final = "plaid-verification"
_ALGORITHM: Final = "ES256"
_LONGEST_TOKEN: Final = 8192
_OLDEST_S: Final = 300.0
_CLOCKS_APART_S: Final = 60.0
_LAST_SECOND: Final = 1e12
_OWN_CHECKS_ONLY: Final[Options] = {
    "verify_signature": True,
    # All of these would be judged by this machine's clock, or are claims that Plaid does not make.
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}
_NEWS: Final[Mapping[tuple[str | None, str | None], News]] = {
    ("TRANSACTIONS", "SYNC_UPDATES_AVAILABLE"): News.FRESH_DATA,
    ("ITEM", "NEW_ACCOUNTS_AVAILABLE"): News.FRESH_DATA,
    ("ITEM", "LOGIN_REPAIRED"): News.RECOVERED,
    ("ITEM", "PENDING_DISCONNECT"): News.NEEDS_USER,
    ("ITEM", "PENDING_EXPIRATION"): News.NEEDS_USER,
    ("ITEM", "USER_ACCOUNT_REVOKED"): News.NEEDS_USER,
    ("ITEM", "USER_PERMISSION_REVOKED"): News.GONE,
}


class PlaidWebhooks:
    """Reads Plaid's webhooks."""

    def __init__(self, http: VendorHttp) -> None:
        self._keys = PlaidWebhookKeys(http)

    async def read(self, delivery: WebhookDelivery) -> WebhookNotice:
        """See `WebhookReader`."""
        token = delivery.headers.get(_HEADER, "").strip()
        claims = await self._claims(token, delivery.received_at)
        signed_at = _signed_at(claims)
        digest = hashlib.sha256(delivery.body).hexdigest()
        told = claims.get("request_body_sha256")
        if not isinstance(told, str) or not hmac.compare_digest(
            digest.encode(), told.encode(errors="surrogatepass")
        ):
            raise WebhookRefused(WebhookRefusal.UNPROVEN)
        age_s = delivery.received_at - signed_at
        if age_s > _OLDEST_S:
            raise WebhookRefused(WebhookRefusal.TOO_OLD)
        if age_s < -_CLOCKS_APART_S:
            raise WebhookRefused(WebhookRefusal.UNPROVEN)
        payload = object_in(delivery)
        news = _news(payload)
        return WebhookNotice(
            news=news,
            login_keys=() if news is News.NOTHING else (named_text(payload, "item_id"),),
            event_ids=(_signed_part(token),),
            as_of=signed_at,
            once=True,
        )

    async def _claims(self, token: str, now: float) -> Mapping[str, object]:
        if not token.isascii() or len(token) > _LONGEST_TOKEN:
            raise WebhookRefused(WebhookRefusal.UNPROVEN)
        try:
            header = jwt.get_unverified_header(token)
        except PyJWTError:
            raise WebhookRefused(WebhookRefusal.UNPROVEN) from None
        key_id = header.get("kid")
        # Before anything else is looked at: no token chooses how it is checked.
        if header.get("alg") != _ALGORITHM or not isinstance(key_id, str):
            raise WebhookRefused(WebhookRefusal.UNPROVEN)
        key = await self._keys.get(key_id, now)
        if key is None:
            raise WebhookRefused(WebhookRefusal.UNPROVEN)
        try:
            claims: Mapping[str, object] = jwt.decode(
                token, key, algorithms=[_ALGORITHM], options=_OWN_CHECKS_ONLY
            )
        except PyJWTError:
            raise WebhookRefused(WebhookRefusal.UNPROVEN) from None
        return claims


def _signed_at(claims: Mapping[str, object]) -> float:
    signed_at = claims.get("iat")
    if isinstance(signed_at, bool) or not isinstance(signed_at, int | float):
        raise WebhookRefused(WebhookRefusal.UNPROVEN)
    if not 0 <= signed_at < _LAST_SECOND:
        raise WebhookRefused(WebhookRefusal.UNPROVEN)
    return float(signed_at)


def _signed_part(token: str) -> str:
    """What a replay has in common with the first delivery.

    Without the signature: of an ECDSA signature there is a second form that is as valid.
    """
    return hashlib.sha256(token.rpartition(".")[0].encode()).hexdigest()


def _news(payload: Payload) -> News:
    kind, code = text_in(payload, "webhook_type"), text_in(payload, "webhook_code")
    if (kind, code) != ("ITEM", "ERROR"):
        return _NEWS.get((kind, code), News.NOTHING)
    error = payload.get("error")
    if not isinstance(error, dict):
        return News.NOTHING
    error_code = text_in(error, "error_code")
    if error_code in GONE:
        return News.GONE
    rule = PLAID_ERRORS.rule_for(
        code=error_code, error_type=text_in(error, "error_type"), http_status=400
    )
    user_must_act = rule.error_class is ErrorClass.AUTH and rule.scope is ErrorScope.CONNECTION
    return News.NEEDS_USER if user_must_act else News.NOTHING
