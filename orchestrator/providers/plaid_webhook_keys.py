"""Plaid's public keys for its webhooks, fetched by key id and kept while they are good.

Plaid rotates them: a key that has ended carries `expired_at`. Key ids come from strangers before
anything is proven, so that few of them are asked about.
"""

import asyncio
import re
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Final

from jwt import PyJWK
from jwt.exceptions import PyJWTError

from orchestrator.domain import ErrorClass, ProviderFailure

from .http import VendorHttp
from .payload import Payload, section, text
from .plaid_client import PlaidClient
from .wire_failures import malformed

__all__ = ["PlaidWebhookKeys"]

_PATH: Final = "/webhook_verification_key/get"
_KEY_ID: Final = re.compile(r"[A-Za-z0-9._\-]{1,128}")
_GOOD_FOR_S: Final = 86_400.0
_NO_GOOD_FOR_S: Final = 60.0
_MOST_STRANGERS: Final = 256
_MOST_FETCHES: Final = 10
_FETCHES_WINDOW_S: Final = 60.0
_TIMEOUT_S: Final = 4.0


@dataclass(frozen=True, slots=True)
class _LiveKey:
    """A key, and until when it counts as live without asking."""

    key: PyJWK
    until: float


class PlaidWebhookKeys:
    """Keys by id. Safe for concurrent use within one event loop; `now` is unix seconds.

    Ids that Plaid has vouched for are asked about again after a day, and as soon as a new one comes
    up. Strangers' ids share a budget of ten questions a minute, which takes nothing from those.
    """

    def __init__(self, http: VendorHttp) -> None:
        self._client = PlaidClient(http)
        self._live: dict[str, _LiveKey] = {}
        self._no_good: OrderedDict[str, float] = OrderedDict()
        self._fetched_at: deque[float] = deque(maxlen=_MOST_FETCHES)
        self._one_at_a_time = asyncio.Lock()

    async def get(self, key_id: str, now: float) -> PyJWK | None:
        """A live key; None where Plaid does not know the id, has ended the key, or was asked enough.

        Raises:
            ProviderFailure: Plaid could not be asked.

        """
        if not _KEY_ID.fullmatch(key_id):
            return None
        if self._needs_asking(key_id, now):
            async with self._one_at_a_time:
                if self._needs_asking(key_id, now):
                    await self._ask(key_id, now)
        live = self._live.get(key_id)
        return live.key if live is not None and now < live.until else None

    def _needs_asking(self, key_id: str, now: float) -> bool:
        live = self._live.get(key_id)
        if live is not None:
            return now >= live.until
        return now >= self._no_good.get(key_id, 0.0) and not self._asked_enough(now)

    def _asked_enough(self, now: float) -> bool:
        full = len(self._fetched_at) == _MOST_FETCHES
        return full and now - self._fetched_at[0] < _FETCHES_WINDOW_S

    async def _ask(self, key_id: str, now: float) -> None:
        known = key_id in self._live
        if not known:
            self._fetched_at.append(now)
        key = await self._fetch(key_id)
        if key is None:
            self._live.pop(key_id, None)
            self._no_good[key_id] = now + _NO_GOOD_FOR_S
            while len(self._no_good) > _MOST_STRANGERS:
                self._no_good.popitem(last=False)
            return
        if not known:
            # A new key means that Plaid has rotated, and that others may have ended.
            self._live = {other: _LiveKey(one.key, now) for other, one in self._live.items()}
        self._live[key_id] = _LiveKey(key, now + _GOOD_FOR_S)

    async def _fetch(self, key_id: str) -> PyJWK | None:
        try:
            answer = await self._client.post(_PATH, {"key_id": key_id}, timeout_s=_TIMEOUT_S)
        except ProviderFailure as error:
            if error.failure.error_class is ErrorClass.VALIDATION:
                return None
            raise
        return _live_key(section(answer, "key"))


def _live_key(jwk: Payload) -> PyJWK | None:
    if jwk.get("expired_at") is not None:
        return None
    curve = (text(jwk, "kty"), text(jwk, "crv"), text(jwk, "alg"))
    if curve != ("EC", "P-256", "ES256"):
        raise malformed("its key is none of ES256", http_status=200)
    try:
        return PyJWK(
            {"kty": "EC", "crv": "P-256", "x": text(jwk, "x"), "y": text(jwk, "y")}, "ES256"
        )
    except (PyJWTError, ValueError):
        raise malformed("its key is no point on the curve", http_status=200) from None
