"""What the adapters send, held against the vendors' own OpenAPI documents."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from httpx_aiohttp import AiohttpTransport
from provider_contract import Desk, institution_at

from orchestrator.providers.http import client_for
from orchestrator.providers.registry import REGISTRY, AdapterConfig, adapter_of
from tests.support.openapi_documents import document
from tests.support.recorded_requests import Recorder
from tests.support.sandbox import START, running_sandbox

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
    ("belvo", "belvo", {"retrieval": "when_stale", "refresh_after_hours": "0", "background": ""}),
    ("finicity", "finicity", {}),
]
"""Provider, document, and the options under which it speaks by that document."""
UNDOCUMENTED = {"/api/token/"}
"""Calls that are told in guides and not in the document."""


@asynccontextmanager
async def recorded_desk(
    provider: str, options: Mapping[str, str]
) -> AsyncIterator[tuple[Desk, Recorder]]:
    """A provider's adapter over a fresh sandbox, and what it sends."""
    spec = REGISTRY[provider]
    adapter = adapter_of(spec)
    assert adapter is not None
    async with running_sandbox() as world:
        config = AdapterConfig(
            "sandbox",
            world.url_of(provider),
            dict(zip(spec.credentials, spec.sandbox_credentials, strict=True)),
            options,
            now=world.clock,
        )
        recorder = Recorder(AiohttpTransport(), f"/{provider}")
        async with client_for(config.base_url, transport=recorder) as client:
            built = adapter.build(adapter.vendor_http(client, config), config)
            yield Desk(provider, institution_at(provider), world, built), recorder


async def use_everything(desk: Desk) -> None:
    """All operations, with a repair, a narrowed reading, a cursor and the end."""
    made = await desk.link()
    exchanged = await desk.attempt(desk.exchanging(await desk.complete(made), made.state))
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
    await desk.attempt(desk.syncing(credential, cursor=first.next_cursor))
    await desk.attempt(desk.adapter.revoke(credential))


@pytest.mark.parametrize(("provider", "name", "options"), CASES)
async def test_every_request_is_as_documented(
    provider: str, name: str, options: Mapping[str, str]
) -> None:
    """Method, path, query, headers and body of every call are what the vendor documents."""
    judge = document(name)
    async with recorded_desk(provider, options) as (desk, recorder):
        await use_everything(desk)

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
