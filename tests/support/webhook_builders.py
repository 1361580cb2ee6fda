"""Deliveries as vendors make them, and the means to prove them: keys, signatures, agreed values."""

import hashlib
import json
from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from orchestrator.domain import WebhookRefusal, WebhookRefused
from orchestrator.providers.webhooks import WebhookDelivery, WebhookNotice

__all__ = [
    "AT",
    "PlaidKeyServer",
    "SigningKey",
    "body_of",
    "delivery",
    "plaid_delivery",
    "refusal_of",
]

AT = datetime(2026, 3, 18, 15, 30, tzinfo=UTC).timestamp()
"""When deliveries are received unless a test says otherwise."""


def body_of(payload: object) -> bytes:
    """A payload with the two spaces of indentation that Plaid uses."""
    return json.dumps(payload, indent=2).encode()


def delivery(
    payload: object, headers: Mapping[str, str] | None = None, *, at: float = AT
) -> WebhookDelivery:
    """A delivery of bytes, or of anything that JSON can tell."""
    raw = payload if isinstance(payload, bytes) else body_of(payload)
    return WebhookDelivery(headers or {}, raw, at)


async def refusal_of(reading: Awaitable[WebhookNotice]) -> WebhookRefusal:
    """Why a delivery is refused."""
    with pytest.raises(WebhookRefused) as caught:
        await reading
    return caught.value.reason


class SigningKey:
    """A key of Plaid's, with its public half as Plaid shows it."""

    def __init__(self, key_id: str = "kid-1", *, expired_at: int | None = None) -> None:
        self.key_id = key_id
        self.expired_at = expired_at
        self.private = ec.generate_private_key(ec.SECP256R1())

    def jwk(self, **over: object) -> dict[str, object]:
        """The `key` of an answer."""
        public: dict[str, Any] = json.loads(ECAlgorithm.to_jwk(self.private.public_key()))
        return {
            **public,
            "alg": "ES256",
            "use": "sig",
            "kid": self.key_id,
            "created_at": 1_560_466_150,
            "expired_at": self.expired_at,
            **over,
        }

    def token(
        self,
        body: bytes,
        *,
        signed_at: object = AT,
        headers: Mapping[str, object] | None = None,
        claims: Mapping[str, object] | None = None,
    ) -> str:
        """A `Plaid-Verification` of a body."""
        told = {
            "iat": int(signed_at) if isinstance(signed_at, float) else signed_at,
            "request_body_sha256": hashlib.sha256(body).hexdigest(),
            **(claims or {}),
        }
        return jwt.encode(
            told, self.private, "ES256", headers={"kid": self.key_id, **(headers or {})}
        )


def plaid_delivery(
    key: SigningKey, payload: object, *, at: float = AT, signed_at: object = AT
) -> WebhookDelivery:
    """A genuine delivery of Plaid's."""
    body = payload if isinstance(payload, bytes) else body_of(payload)
    token = key.token(body, signed_at=signed_at)
    return WebhookDelivery({"plaid-verification": token}, body, at)


class PlaidKeyServer:
    """Plaid as far as its keys go: answers for those it holds, and remembers who was asked about."""

    def __init__(self, *keys: SigningKey) -> None:
        self.keys = {key.key_id: key for key in keys}
        self.asked: list[str] = []
        self.instead: httpx.Response | Exception | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response | Exception:
        """Answer `/webhook_verification_key/get`."""
        assert "/webhook_verification_key/get" == request.url.path
        key_id = json.loads(request.content)["key_id"]
        self.asked.append(key_id)
        if self.instead is not None:
            return self.instead
        key = self.keys.get(key_id)
        if key is None:
            told = {
                "error_type": "INVALID_INPUT",
                "error_code": "INVALID_WEBHOOK_VERIFICATION_KEY_ID",
                "request_id": "r1",
            }
            return httpx.Response(400, json=told)
        return httpx.Response(200, json={"key": key.jwk(), "request_id": "r1"})
