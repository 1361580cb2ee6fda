"""What the adapters send, held against the vendors' own OpenAPI documents."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from httpx_aiohttp import AiohttpTransport
from provider_contract import Desk, institution_at

from orchestrator.domain import WebhookRefused
from orchestrator.providers.http import client_for
from orchestrator.providers.registry import REGISTRY, AdapterConfig, adapter_of
from orchestrator.providers.webhooks import WebhookDelivery, WebhookReader
from sandbox.options import SandboxOptions
from sandbox.plaid import Plaid
from tests.support.httpx_wire import HttpxWire
from tests.support.openapi_documents import document
from tests.support.recorded_requests import Recorder
from tests.support.sandbox import START, running_sandbox
from tests.support.webhook_builders import SigningKey

CASES: list[tuple[str, str, Mapping[str, str]]] = [
    ("plaid", "plaid", {}),
    (
        "plaid",
        "plaid",
        {
            "link": "hosted",
            "balances": "live",
            "refresh": "stale",
            "refresh_after_h": "1",
            "refresh_wait_s": "0",
        },
    ),
    ("mx", "mx.v20250224", {}),
    ("mx", "mx.mx_platform_api", {"api_version": "v20111101"}),
    ("belvo", "belvo", {}),
    (
        "belvo",
        "belvo",
        {
            "retrieval": "when_stale",
            "refresh_after_hours": "0",
            "background": "",
            "access_mode": "single",
            "widget_settings": "by_front_end",
        },
    ),
    ("finicity", "finicity", {}),
    (
        "finicity",
        "finicity",
        {"customers": "active", "refresh": "interactive", "refresh_after_hours": "1"},
    ),
]
"""Provider, document, and the options under which it speaks by that document."""
UNDOCUMENTED = {"/api/token/"}
"""Calls that are told in guides and not in the document."""
AT_ONCE = SandboxOptions(mx_background=False, mx_job_s=0, belvo_job_s=0, finicity_refresh_s=0)
CALLED = {
    "plaid": """
        POST /accounts/balance/get
        POST /accounts/get
        POST /item/get
        POST /item/public_token/exchange
        POST /item/remove
        POST /link/token/create
        POST /link/token/get
        POST /transactions/refresh
        POST /transactions/sync
        POST /webhook_verification_key/get
    """,
    "mx": """
        DELETE /users/{}/members/{}
        GET /users
        GET /users/{}
        GET /users/{}/members/{}
        GET /users/{}/members/{}/accounts
        GET /users/{}/members/{}/status
        GET /users/{}/members/{}/transactions
        POST /users
        POST /users/{}/members/{}/aggregate
        POST /users/{}/widget_urls
    """,
    "belvo": """
        DELETE /api/links/{}/
        GET /api/accounts/
        GET /api/links/{}/
        GET /api/transactions/
        PATCH /api/links/{}/
        POST /api/accounts/
        POST /api/transactions/
    """,
    "finicity": """
        DELETE /aggregation/v1/customers/{}/institutionLogins/{}
        GET /aggregation/customers/{}/transactions/refreshes/{}
        GET /aggregation/v1/customers
        GET /aggregation/v1/customers/{}/institutionLogins/{}/accounts
        GET /aggregation/v4/customers/{}/accounts/{}/transactions
        POST /aggregation/customers/{}/transactions/refreshes
        POST /aggregation/v2/customers/active
        POST /aggregation/v2/customers/testing
        POST /aggregation/v2/partners/authentication
        POST /connect/v2/generate/fix
        POST /connect/v2/generate/lite
    """,
}
"""Every documented call that an adapter can make."""


@asynccontextmanager
async def recorded_desk(
    provider: str, options: Mapping[str, str]
) -> AsyncIterator[tuple[Desk, Recorder, WebhookReader]]:
    """A provider's adapter over a fresh sandbox, and what it sends."""
    spec = REGISTRY[provider]
    adapter = adapter_of(spec)
    assert adapter is not None
    async with running_sandbox(options=AT_ONCE) as world:
        config = AdapterConfig(
            "sandbox",
            world.url_of(provider),
            dict(zip(spec.credentials, spec.sandbox_credentials, strict=True)),
            options,
            now=world.clock,
        )
        recorder = Recorder(AiohttpTransport(), f"/{provider}")
        async with client_for(config.base_url, wire=HttpxWire(recorder)) as client:
            http = adapter.vendor_http(client, config)
            built = adapter.build(http, config)
            assert adapter.webhooks is not None
            desk = Desk(provider, institution_at(provider), world, built)
            desk.attempt_s, desk.interactive = 30.0, True
            yield desk, recorder, adapter.webhooks(http, config)


async def read_webhook(desk: Desk, reader: WebhookReader) -> None:
    """Have a webhook of Plaid's proven, which its key refuses in the end."""
    vendor = desk.world.sandbox.vendors["plaid"]
    assert isinstance(vendor, Plaid)
    at = desk.world.clock().timestamp()
    proof = SigningKey(vendor.reports.key_id).token(b"{}", signed_at=at)
    with pytest.raises(WebhookRefused):
        await reader.read(WebhookDelivery({"plaid-verification": proof}, b"{}", at))


async def use_everything(desk: Desk, reader: WebhookReader) -> None:
    """All operations, with a repair, a narrowed reading, a cursor and the end."""
    made = await desk.link()
    token = await desk.complete(made)
    if desk.name == "plaid":
        await read_webhook(desk, reader)
        token = made.link_url or token  # of a page of Plaid's, all that a caller has
    exchanged = await desk.attempt(desk.exchanging(token, made.state))
    credential = exchanged.credential
    await desk.link()
    again = await desk.link(repair=credential)
    await desk.attempt(desk.exchanging(await desk.complete(again), again.state))
    accounts = await desk.attempt(desk.reading(credential))
    first = await desk.attempt(desk.syncing(credential, start=START.date() - timedelta(days=400)))
    await desk.attempt(
        desk.syncing(credential, account=accounts.accounts[0].provider_account_id, limit=5)
    )
    desk.world.clock.move(days=2)
    await desk.attempt(desk.reading(credential))
    await desk.attempt(desk.syncing(credential, cursor=first.next_cursor))
    await desk.attempt(desk.adapter.revoke(credential))


@pytest.mark.parametrize(("provider", "name", "options"), CASES)
async def test_every_request_is_as_documented(
    provider: str, name: str, options: Mapping[str, str]
) -> None:
    """Method, path, query, headers and body of every call are what the vendor documents."""
    judge = document(name)
    async with recorded_desk(provider, options) as (desk, recorder, reader):
        await use_everything(desk, reader)

    assert len(recorder.sent) >= 8
    problems = [
        problem
        for sent in recorder.sent
        if sent.path not in UNDOCUMENTED
        for problem in judge.request_problems(
            sent.method, sent.path, sent.query, sent.headers, sent.body
        )
    ]
    assert [] == problems


def nameless(template: str | None) -> str:
    """A document's path without its names for ids, which differ between two documents of a vendor."""
    return re.sub(r"\{[^}]*\}", "{}", template or "")


@pytest.mark.parametrize("provider", CALLED)
async def test_every_call_of_an_adapter_is_looked_at(provider: str) -> None:
    """Whatever its settings have it call, some case calls it."""
    called = set()
    for one, name, options in CASES:
        if one == provider:
            async with recorded_desk(provider, options) as (desk, recorder, reader):
                await use_everything(desk, reader)
            called |= {
                f"{sent.method} {nameless(document(name).template(sent.method, sent.path))}"
                for sent in recorder.sent
                if sent.path not in UNDOCUMENTED
            }

    assert {line.strip() for line in CALLED[provider].strip().splitlines()} == called


def test_the_judge_of_requests_finds_what_is_wrong() -> None:
    """Unknown paths, unknown or mistyped items and missing fields are objected to."""
    mx, plaid = document("mx.v20250224"), document("plaid")
    version = {"accept-version": "v20250224"}
    listing = "/users/USR-1/members/MBR-1/accounts"

    assert [] == mx.request_problems("GET", listing, {"page": "1"}, version, b"")
    assert mx.request_problems("GET", listing, {"page": "one"}, version, b"")
    assert mx.request_problems("GET", listing, {"pages": "1"}, version, b"")
    assert mx.request_problems("GET", listing, {"page": "1"}, {}, b"")
    assert mx.request_problems("GET", "/users/USR-1/somewhere", {}, version, b"")
    good = b'{"access_token": "a", "count": 500}'
    keys = dict.fromkeys(("plaid-client-id", "plaid-secret", "plaid-version"), "x")
    assert [] == plaid.request_problems("POST", "/transactions/sync", {}, keys, good)
    assert plaid.request_problems("POST", "/transactions/sync", {}, {}, good)
    for bad in (b"{}", b'{"access_token": "a", "count": "5"}', b'{"access_token": "a", "x": 1}'):
        assert plaid.request_problems("POST", "/transactions/sync", {}, keys, bad)
