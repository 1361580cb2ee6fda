"""Adapters on a mock transport whose answers a test scripts, and the requests they sent."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, date, datetime
from random import Random

import httpx
import pytest

from orchestrator.domain import Credential, Failure, ProviderFailure
from orchestrator.providers.belvo import ADAPTER as BELVO
from orchestrator.providers.belvo import Belvo
from orchestrator.providers.bitso import ADAPTER as BITSO
from orchestrator.providers.bitso import Bitso
from orchestrator.providers.finicity import ADAPTER as FINICITY
from orchestrator.providers.finicity import Finicity
from orchestrator.providers.finicity_session import FinicitySession
from orchestrator.providers.finicity_token import TokenState
from orchestrator.providers.http import VendorHttp, client_for
from orchestrator.providers.mx import ADAPTER as MX
from orchestrator.providers.mx import Mx
from orchestrator.providers.mx_client import MxClient
from orchestrator.providers.plaid import ADAPTER as PLAID
from orchestrator.providers.plaid import Plaid
from orchestrator.providers.protocol import (
    AccountsRequest,
    ExchangeRequest,
    LinkRequest,
    TransactionsRequest,
)
from orchestrator.providers.registry import Adapter, AdapterConfig
from tests.support.httpx_wire import HttpxWire

NOW = datetime(2026, 3, 18, 15, 30, tzinfo=UTC)
TODAY = NOW.date()
USER = "usr_0123456789abcdef0123"

KEYS = {
    "PLAID_CLIENT_ID": "our-plaid-client",
    "PLAID_SECRET": "our-plaid-secret",
    "MX_CLIENT_ID": "our-mx-client",
    "MX_API_KEY": "our-mx-key",
    "FINICITY_PARTNER_ID": "our-finicity-partner",
    "FINICITY_PARTNER_SECRET": "our-finicity-secret",
    "FINICITY_APP_KEY": "our-finicity-app-key",
    "BELVO_SECRET_ID": "our-belvo-id",
    "BELVO_SECRET_PASSWORD": "our-belvo-password",
}

Answer = httpx.Response | Exception
Script = Callable[[httpx.Request], Answer]


def answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """A JSON answer; Decimal-free, as the tests write numbers in the shape of the wire."""
    return httpx.Response(status, json=body, headers=dict(headers or {}))


class Giant(httpx.AsyncByteStream):
    """Fifty megabytes of an answer, of which it counts what was taken."""

    def __init__(self) -> None:
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Go on until nobody takes any more."""
        chunk = b'{"accounts": [' + b" " * (256 * 1024)
        while self.taken < 50 * 1024 * 1024:
            self.taken += len(chunk)
            yield chunk


class ScriptedVendor:
    """Answers each request by the test's script and keeps it for looking at."""

    def __init__(self, *script: Answer | Script) -> None:
        self._script = list(script)
        self.requests: list[httpx.Request] = []
        self.now = NOW
        self.pauses: list[float] = []

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        step = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        result = step(request) if callable(step) else step
        if isinstance(result, Exception):
            raise result
        if isinstance(result.stream, Giant):
            return result
        return httpx.Response(
            result.status_code, headers=result.headers, content=result.read(), request=request
        )

    @property
    def bodies(self) -> list[dict[str, object]]:
        """The JSON bodies that were sent, in order; empty objects where there was none."""
        return [json.loads(request.content or b"{}") for request in self.requests]

    @property
    def paths(self) -> list[str]:
        """Method and path of each request."""
        return [f"{request.method} {request.url.path}" for request in self.requests]

    def http(self, adapter: Adapter, options: Mapping[str, str] | None = None) -> VendorHttp:
        """The adapter's own HTTP, over this vendor."""
        config = self.config(adapter, options)
        client = client_for(config.base_url, wire=HttpxWire(httpx.MockTransport(self._handle)))
        return adapter.vendor_http(client, config)

    @staticmethod
    def config(adapter: Adapter, options: Mapping[str, str] | None = None) -> AdapterConfig:
        """A sandbox configuration with fake keys of ours."""
        return AdapterConfig("sandbox", adapter.base_urls["sandbox"], KEYS, options or {})

    def plaid(self, **options: str) -> Plaid:
        """Plaid over this vendor, with this vendor's clock, and pauses only noted."""
        return Plaid(
            self.http(PLAID),
            options,
            now=lambda: self.now,
            pause=self._note_pause,
            draw=lambda: 0.0,
        )

    def mx(self, **options: str) -> Mx:
        """MX over this vendor, with this vendor's clock, and pauses only noted."""
        chosen = {**MX.default_options, **options}
        client = MxClient(
            self.http(MX, options),
            looks_up_by_id=chosen["api_version"] == "v20250224",
            pause=self._note_pause,
        )
        return Mx(client, chosen, now=lambda: self.now, pause=self._note_pause)

    def finicity(
        self, *, token: str | None = "held", environment: str = "sandbox", **options: str
    ) -> Finicity:
        """Finicity over this vendor, with this vendor's clock; it holds a token unless told None."""
        state = TokenState()
        if token is not None:
            state.renewed(token, self.now)
        session = FinicitySession(
            self.http(FINICITY, options), Credential(KEYS), now=lambda: self.now, state=state
        )
        return Finicity(
            session,
            options,
            environment=environment,
            now=lambda: self.now,
            pause=self._note_pause,
        )

    def belvo(self, **options: str) -> Belvo:
        """Belvo over this vendor, with this vendor's clock, and pauses only noted."""
        return Belvo(
            self.http(BELVO),
            Credential(KEYS),
            options,
            now=lambda: self.now,
            pause=self._note_pause,
        )

    def bitso(self, **options: str) -> Bitso:
        """Bitso over this vendor, with this vendor's clock and dice of its own."""
        return Bitso(self.http(BITSO, options), options, now=lambda: self.now, rng=Random(7))

    async def _note_pause(self, seconds: float) -> None:
        self.pauses.append(seconds)


def link_request(**over: object) -> LinkRequest:
    """A new link session for an American bank."""
    fields: dict[str, object] = {
        "end_user_id": USER,
        "region": "US",
        "language": "en",
        "provider_institution_id": None,
        "redirect_uri": None,
        "webhook_url": None,
        "repair": None,
    }
    return LinkRequest(**(fields | over))  # type: ignore[arg-type]


def exchange_request(token: str | Mapping[str, str], **state: str) -> ExchangeRequest:
    """The end of a link session of our user, by a token or by a form."""
    parts = {"token": token} if isinstance(token, str) else token
    return ExchangeRequest(USER, Credential(parts), state, None)


def accounts_request(credential: Credential, *, allow_stale: bool = False) -> AccountsRequest:
    """A reading of all accounts."""
    return AccountsRequest(credential, allow_stale)


def transactions_request(credential: Credential, **over: object) -> TransactionsRequest:
    """A reading of the ninety days up to today."""
    fields: dict[str, object] = {
        "credential": credential,
        "provider_account_id": None,
        "start_date": date(2025, 12, 18),
        "end_date": TODAY,
        "cursor": None,
        "limit": 10_000,
        "allow_stale": False,
        "today": TODAY,
    }
    return TransactionsRequest(**(fields | over))  # type: ignore[arg-type]


async def failure_of(awaitable: object) -> Failure:
    """The failure with which a call of an adapter ends."""
    with pytest.raises(ProviderFailure) as caught:
        await awaitable  # type: ignore[misc]
    return caught.value.failure


def verdict(failure: Failure) -> tuple[str, str, str]:
    """Class, scope and code."""
    return (failure.error_class.value, failure.scope.value, failure.code)
