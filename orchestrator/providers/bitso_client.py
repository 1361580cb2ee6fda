"""Signed calls to Bitso: its envelope, a fresh nonce where one was refused, lock-outs waited out."""

import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from orchestrator.domain import Credential, ErrorClass, ProviderFailure

from .bitso_errors import NONCE_CODES, code_of
from .bitso_lockout import Lockouts
from .bitso_signing import API_KEY, BitsoSignature, Nonces
from .error_table import ErrorTable
from .http import VendorHttp, VendorResponse, retry_after_s
from .payload import Payload
from .refusals import credential_part
from .wire_failures import malformed

__all__ = ["REGISTERING", "BitsoClient"]

REGISTERING: Final = "account_status"
"""The endpoint that tells whose a key is."""
_READING: Final = "private"
_JITTER: Final = 0.1


class BitsoClient:
    """Reads at Bitso with users' keys. Safe for concurrent use within one event loop.

    Args:
        http: to Bitso; it carries no credentials of ours.
        prefix: path of the API's version below the host, which is signed.
        errors: what Bitso's codes mean.
        lockouts: which keys are locked out.
        now: the clock, aware UTC.
        rng: the nonces' salt and the jitter of waits.

    """

    def __init__(
        self,
        http: VendorHttp,
        *,
        prefix: str,
        errors: ErrorTable,
        lockouts: Lockouts,
        now: Callable[[], datetime],
        rng: random.Random,
    ) -> None:
        self._http = http
        self._prefix = prefix.strip("/")
        self._errors = errors
        self._lockouts = lockouts
        self._now = now
        self._rng = rng
        self._nonces = Nonces(rng)
        self._host_path = urlsplit(http.base_url).path

    async def get(
        self, credential: Credential, name: str, query: Mapping[str, str] | None = None
    ) -> Payload:
        """Bitso's answer to a read, whose `payload` is there.

        A refused nonce is no fault of the user's: the call is sent once more, with a fresh one.

        Args:
            credential: the user's key.
            name: the endpoint, below the API's version.
            query: its query items.

        Raises:
            ProviderFailure: Bitso's, or `LOCKED_OUT` where the key is not to be used now.

        """
        try:
            return await self._once(credential, name, query)
        except ProviderFailure as error:
            if error.failure.code not in NONCE_CODES:
                raise
        return await self._once(credential, name, query)

    async def _once(
        self, credential: Credential, name: str, query: Mapping[str, str] | None
    ) -> Payload:
        whose = hashlib.sha256(credential_part(credential, API_KEY).encode()).hexdigest()
        self._check_lockout(whose)
        response = await self._http.call(
            "GET",
            f"{self._prefix}/{name}",
            endpoint=REGISTERING if name == REGISTERING else _READING,
            query=query,
            auth=BitsoSignature(
                credential,
                host_path=self._host_path,
                nonce=lambda: self._nonces.next(self._now()),
            ),
        )
        answer = response.json_object() if response.ok else response.error_body()
        told = answer if isinstance(answer, dict) else {}
        if response.ok and told.get("success") is True:
            self._lockouts.worked(whose, self._seconds())
            return told
        raise self._failure(response, told, whose)

    def _failure(self, response: VendorResponse, told: Payload, whose: str) -> ProviderFailure:
        error = told.get("error")
        code = code_of(error.get("code")) if isinstance(error, dict) else None
        if code is None and response.ok:
            return malformed("neither a success nor an error", http_status=response.status)
        failed = self._errors.failure(
            code=code,
            error_type=None if code is None else code[:2],
            http_status=response.status,
            retry_after_s=retry_after_s(response.headers),
        )
        if failed.failure.error_class is not ErrorClass.RATE_LIMIT:
            return failed
        pause_s = self._lockouts.locked(
            whose,
            self._seconds(),
            asked_s=failed.failure.retry_after_s,
            jitter_ratio=self._rng.random() * _JITTER,
        )
        return ProviderFailure(replace(failed.failure, retry_after_s=pause_s))

    def _check_lockout(self, whose: str) -> None:
        left_s = self._lockouts.left_s(whose, self._seconds())
        if not left_s:
            return
        throttled = self._errors.failure(code="0801", http_status=420).failure
        raise ProviderFailure(
            replace(
                throttled, code="LOCKED_OUT", http_status=None, retry_after_s=left_s, sent=False
            )
        )

    def _seconds(self) -> float:
        return self._now().timestamp()
