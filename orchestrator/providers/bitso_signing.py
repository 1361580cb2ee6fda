"""How Bitso knows its caller: an HMAC over each request exactly as it is sent, with a nonce.

Two requests of one key with one nonce are a replay and are refused. The nonce is of Bitso's second
kind, whose order does not matter, so that calls of one key may run side by side.
"""

import hmac
import random
from collections.abc import Callable, Generator
from datetime import datetime
from itertools import count
from typing import Final

import httpx

from orchestrator.domain import Credential

from .refusals import credential_part

__all__ = ["API_KEY", "API_SECRET", "BitsoSignature", "Nonces"]

API_KEY: Final = "apiKey"
API_SECRET: Final = "apiSecret"  # noqa: S105  the name of a part, not its value
_SALTS: Final = 10**6


class Nonces:
    """Nonces of 19 digits: 13 of epoch milliseconds and a salt of 6.

    The salt counts on from a random start: two nonces of one process are alike only if a million
    lie between them within one millisecond.
    """

    def __init__(self, rng: random.Random) -> None:
        self._salts = count(rng.randrange(_SALTS))

    def next(self, now: datetime) -> str:
        """The nonce of a request that is sent now."""
        return f"{int(now.timestamp() * 1000):013d}{next(self._salts) % _SALTS:06d}"


class BitsoSignature(httpx.Auth):
    """Signs requests with one user's key.

    Args:
        credential: holds the key and its secret.
        host_path: the path of the base URL, which stands for Bitso's host and is not signed.
        nonce: makes the nonce of a request.

    Raises:
        ProviderFailure: `INVALID_CREDENTIAL`, where key or secret is missing.

    """

    requires_request_body = True

    def __init__(self, credential: Credential, *, host_path: str, nonce: Callable[[], str]) -> None:
        for name in (API_KEY, API_SECRET):
            credential_part(credential, name)
        self._credential = credential
        self._host_path = host_path.rstrip("/")
        self._nonce = nonce

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Put the signature over method, path with query, and body on the request."""
        key, secret = self._credential[API_KEY], self._credential[API_SECRET]
        nonce = self._nonce()
        target = request.url.raw_path.decode("ascii").removeprefix(self._host_path)
        signed = f"{nonce}{request.method}{target}".encode() + request.content
        signature = hmac.digest(secret.encode(), signed, "sha256").hex()
        request.headers["Authorization"] = f"Bitso {key}:{nonce}:{signature}"
        yield request
