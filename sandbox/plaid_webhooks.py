"""Plaid's webhooks: two-space-indented JSON, proven by a JWT over the hash of the raw body.

Source: Plaid's OpenAPI 2020-09-14 (the webhook schemas) and its page on webhook verification.
"""

from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from typing import Final

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric import ec

from .connections import Connection, LinkSession
from .identifiers import digest, uuid_text
from .webhooks import Webhook, WebhookBook
from .wire import JsonObject, rfc3339

__all__ = ["ITEM", "SYNC_UPDATES", "TRANSACTIONS", "PlaidWebhooks", "fields_of"]

ITEM: Final = "ITEM"
TRANSACTIONS: Final = "TRANSACTIONS"
SYNC_UPDATES: Final = "SYNC_UPDATES_AVAILABLE"
_ENVIRONMENT: Final = "sandbox"
_KEY_MADE_AT: Final = 1_767_225_600
_NOTICE: Final = timedelta(days=7)


class PlaidWebhooks:
    """Signs webhooks with the sandbox's own P-256 key and puts them into the book.

    Args:
        seed: of the sandbox; the same seed has the same key, so that a restart keeps it.
        book: of what is to be sent.

    """

    def __init__(self, seed: int, book: WebhookBook) -> None:
        self._seed = seed
        self._book = book
        self.key_id = uuid_text(seed, "plaid webhook key")

    @cached_property
    def _key(self) -> ec.EllipticCurvePrivateKey:
        number = int.from_bytes(digest(self._seed, "plaid webhook key", size=31), "big")
        return ec.derive_private_key(number + 1, ec.SECP256R1())

    def public_key_json(self) -> JsonObject:
        """The JWK of the key that signs."""
        numbers = self._key.public_key().public_numbers()
        return {
            "alg": "ES256",
            "created_at": _KEY_MADE_AT,
            "crv": "P-256",
            "expired_at": None,
            "kid": self.key_id,
            "kty": "EC",
            "use": "sig",
            "x": _base64(numbers.x),
            "y": _base64(numbers.y),
        }

    def send(
        self, connection: Connection, webhook_type: str, code: str, at: datetime, **fields: object
    ) -> bool:
        """Have an Item report at a time; false where it names no address to report to."""
        url = connection.attributes.get("webhook")
        if not url:
            return False
        connection.attributes |= {"webhook_code": code, "webhook_sent_at": rfc3339(at)}
        self._put(
            url,
            {
                "webhook_type": webhook_type,
                "webhook_code": code,
                "item_id": connection.connection_id,
                **fields,
                "environment": _ENVIRONMENT,
            },
            at,
        )
        return True

    def session_finished(self, session: LinkSession, public_token: str, at: datetime) -> None:
        """Report the end of a hosted link session, whose public token no front end gets."""
        url = session.attributes.get("webhook")
        if url:
            payload: JsonObject = {
                "webhook_type": "LINK",
                "webhook_code": "SESSION_FINISHED",
                "status": "SUCCESS",
                "link_session_id": session.attributes["link_session_id"],
                "link_token": session.token,
                "public_tokens": [public_token],
                "environment": _ENVIRONMENT,
            }
            self._put(url, payload, at)

    def _put(self, url: str, payload: JsonObject, at: datetime) -> None:
        body = orjson.dumps(payload, option=orjson.OPT_INDENT_2)
        proof = jwt.encode(
            {"iat": int(at.timestamp()), "request_body_sha256": sha256(body).hexdigest()},
            self._key,
            algorithm="ES256",
            headers={"kid": self.key_id},
        )
        self._book.put(Webhook("plaid", url, body, {"Plaid-Verification": proof}, at))


def fields_of(code: str, at: datetime, account_id: str) -> JsonObject:
    """What a webhook of that code says beside its names, where the client only names the code."""
    match code:
        case "SYNC_UPDATES_AVAILABLE":
            return {"initial_update_complete": True, "historical_update_complete": True}
        case "DEFAULT_UPDATE":
            return {"new_transactions": 0}
        case "PENDING_DISCONNECT":
            return {
                "reason": "INSTITUTION_MIGRATION",
                "disconnect_time": rfc3339(at + _NOTICE),
            }
        case "USER_ACCOUNT_REVOKED":
            return {"account_id": account_id}
        case "RECURRING_TRANSACTIONS_UPDATE":
            return {"account_ids": [account_id]}
        case _:
            return {}


def _base64(number: int) -> str:
    return urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()
