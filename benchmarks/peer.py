"""What one would write without the orchestrator: one FastAPI process with parts from PyPI.

httpx, a circuit breaker (purgatory), a limiter (aiolimiter) and retries (stamina) around one call
of Plaid's. It logs nothing, learns nothing and knows one provider.

`python -m benchmarks.peer --port PORT --upstream URL --transport httpx|aiohttp --spaces N`
"""

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, Literal
from uuid import uuid4

import httpx
import stamina
import uvicorn
from aiolimiter import AsyncLimiter
from fastapi import FastAPI, HTTPException
from httpx_aiohttp import HttpxAiohttpClient
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState
from pydantic import BaseModel, ConfigDict, SecretStr
from pydantic.alias_generators import to_camel

__all__ = ["build", "main"]

Transport = Literal["httpx", "aiohttp"]
_MOST_CONNECTIONS: Final = 256
_ATTEMPT_TIMEOUT_S: Final = 8.0


class _Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")


class Params(_Wire):
    """Of `getAccounts`."""

    space_id: str
    institution_id: str | None = None


class Body(_Wire):
    """Of the request."""

    params: Params
    region: str = "US"
    deadline_ms: int = 30_000


class PlaidBalances(BaseModel):
    """As Plaid tells them."""

    available: Decimal | None
    current: Decimal | None
    limit: Decimal | None
    iso_currency_code: str | None


class PlaidAccount(BaseModel):
    """As Plaid tells it."""

    account_id: str
    balances: PlaidBalances
    mask: str | None
    name: str
    official_name: str | None
    subtype: str | None
    type: str


class PlaidAccounts(BaseModel):
    """Plaid's answer."""

    accounts: list[PlaidAccount]


class Balances(_Wire):
    """As we tell them."""

    available: Decimal | None
    current: Decimal | None
    limit: Decimal | None


class Account(_Wire):
    """As we tell it."""

    account_id: str
    institution_id: str
    name: str
    official_name: str | None
    mask: str | None
    type: str
    subtype: str | None
    currency: str | None
    balances: Balances
    as_of: datetime
    provider: str
    connection_id: str
    provider_account_id: str


class Accounts(_Wire):
    """Of an answer."""

    accounts: list[Account]
    as_of: datetime
    stale: bool


class Answer(_Wire):
    """To `getAccounts`."""

    success: bool
    request_id: str
    operation: str
    provider: str
    data: Accounts


class _Upstream:
    """Plaid, behind a breaker, a limiter and a retry."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._breakers = AsyncCircuitBreakerFactory(default_threshold=5, default_ttl=60)
        self._limiter = AsyncLimiter(1_000_000, 1)

    async def accounts(self, access_token: SecretStr) -> PlaidAccounts:
        async for attempt in stamina.retry_context(on=httpx.HTTPError, attempts=2, timeout=20):
            with attempt:
                return await self._once(access_token)
        raise AssertionError("a retry context either returns or raises")

    async def _once(self, access_token: SecretStr) -> PlaidAccounts:
        async with await self._breakers.get_breaker("plaid"), self._limiter:
            response = await self._client.post(
                "/accounts/get", json={"access_token": access_token.get_secret_value()}
            )
            response.raise_for_status()
            return PlaidAccounts.model_validate_json(response.content)


def _client(base_url: str, transport: Transport) -> httpx.AsyncClient:
    headers = {"PLAID-CLIENT-ID": "benchmark", "PLAID-SECRET": "benchmark"}
    limits = httpx.Limits(
        max_connections=_MOST_CONNECTIONS, max_keepalive_connections=_MOST_CONNECTIONS
    )
    kind = HttpxAiohttpClient if transport == "aiohttp" else httpx.AsyncClient
    return kind(
        base_url=base_url,
        headers=headers,
        limits=limits,
        timeout=_ATTEMPT_TIMEOUT_S,
        trust_env=False,
    )


def _account(row: PlaidAccount, space_id: str, now: datetime) -> Account:
    return Account(
        account_id=f"acc_{row.account_id}",
        institution_id="ins_chase",
        name=row.name,
        official_name=row.official_name,
        mask=row.mask,
        type=row.type,
        subtype=row.subtype,
        currency=row.balances.iso_currency_code,
        balances=Balances(
            available=row.balances.available,
            current=row.balances.current,
            limit=row.balances.limit,
        ),
        as_of=now,
        provider="plaid",
        connection_id=f"conn_{space_id}",
        provider_account_id=row.account_id,
    )


def build(upstream_url: str, transport: Transport, spaces: int) -> FastAPI:
    """The application, with so many spaces linked: `space_0` and on."""
    credentials = {f"space_{n}": SecretStr(f"access-benchmark-{n}") for n in range(spaces)}
    reached: list[_Upstream] = []

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with _client(upstream_url, transport) as client:
            reached.append(_Upstream(client))
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/v1/operations/getAccounts")
    async def get_accounts(body: Body) -> Answer:
        credential = credentials.get(body.params.space_id)
        if credential is None:
            raise HTTPException(404, "no such space")
        try:
            told = await reached[0].accounts(credential)
        except OpenedState:
            raise HTTPException(503, "the provider is not asked now") from None
        except httpx.HTTPError:
            raise HTTPException(502, "the provider did not answer") from None
        now = datetime.now(UTC)
        return Answer(
            success=True,
            request_id=f"req_{uuid4().hex}",
            operation="getAccounts",
            provider="plaid",
            data=Accounts(
                accounts=[_account(row, body.params.space_id, now) for row in told.accounts],
                as_of=now,
                stale=False,
            ),
        )

    return app


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--transport", choices=("httpx", "aiohttp"), required=True)
    parser.add_argument("--spaces", type=int, required=True)
    given = parser.parse_args()
    uvicorn.run(
        build(given.upstream, given.transport, given.spaces),
        host="127.0.0.1",
        port=given.port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
