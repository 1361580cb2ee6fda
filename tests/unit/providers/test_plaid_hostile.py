"""Plaid's adapter against answers that no Plaid gives, at the calls that only it has."""

import json
from collections.abc import Awaitable, Callable

import httpx
import pytest
from plaid_payloads import CREDENTIAL, TOKEN, account, accounts, item, movement, sync
from scripted_vendor import (
    KEYS,
    Giant,
    accounts_request,
    exchange_request,
    failure_of,
    transactions_request,
    verdict,
)

from orchestrator.providers.http import MAX_ANSWER_BYTES, client_for
from orchestrator.providers.plaid import ADAPTER, Plaid
from orchestrator.providers.registry import AdapterConfig
from tests.support.httpx_wire import HttpxWire

BASE = "https://sandbox.plaid.com"
HOSTED = {"link_token": "link-1", "hosted_link_url": "https://secure.plaid.com/hl/1"}
GOOD = {
    "/link/token/create": {
        "link_token": "link-1",
        "expiration": "2026-03-18T19:30:00Z",
        "hosted_link_url": HOSTED["hosted_link_url"],
    },
    "/link/token/get": {
        "link_sessions": [{"results": {"item_add_results": [{"public_token": "public-1"}]}}]
    },
    "/item/public_token/exchange": {"access_token": TOKEN, "item_id": "item-1"},
    "/item/get": {"item": item()},
    "/item/remove": {"request_id": "r"},
    "/accounts/get": accounts(account()),
    "/accounts/balance/get": accounts(account()),
    "/transactions/refresh": {"request_id": "r"},
    "/transactions/sync": sync([movement("t1")]),
}


def plaid(answers: Callable[[str], httpx.Response], **options: str) -> Plaid:
    """The adapter over a vendor that answers by path."""
    transport = httpx.MockTransport(lambda request: answers(request.url.path))
    config = AdapterConfig("sandbox", BASE, KEYS, options)
    http = ADAPTER.vendor_http(client_for(BASE, wire=HttpxWire(transport)), config)

    async def no_pause(_seconds: float) -> None:
        return

    return Plaid(http, options, pause=no_pause, draw=lambda: 0.0)


def answering(path: str, hostile: httpx.Response) -> Callable[[str], httpx.Response]:
    """A vendor that answers well but at one endpoint."""
    return lambda asked: hostile if asked == path else httpx.Response(200, json=GOOD[asked])


Call = Callable[[Plaid], Awaitable[object]]
CALLS: dict[str, Call] = {
    "/link/token/get": lambda p: p.exchange_token(
        exchange_request(HOSTED["hosted_link_url"], **HOSTED)
    ),
    "/item/remove": lambda p: p.revoke(CREDENTIAL),
}
"""Calls without which there is no result, and which are no part of every vendor's operations."""
HOSTILE = {
    "html": (200, b"<!DOCTYPE html><html><body>Welcome</body></html>"),
    "empty": (200, b""),
    "not utf-8": (200, b'{"\xff\xfe": 1}'),
    "truncated": (200, json.dumps(GOOD["/accounts/get"]).encode()[:-9]),
    "a list": (200, b"[]"),
    "a text": (200, b'"ok"'),
    "deep": (200, b'{"accounts":' + b"[" * 200_000),
    "a huge number": (200, b'{"accounts": 1e99999999999999999999}'),
}


@pytest.mark.parametrize("path", CALLS)
@pytest.mark.parametrize("kind", HOSTILE)
async def test_an_unreadable_answer_is_classified(path: str, kind: str) -> None:
    """Whatever stands in a 200 of any endpoint, the outcome has a class, a scope and a code."""
    status, content = HOSTILE[kind]
    adapter = plaid(answering(path, httpx.Response(status, content=content)))

    failure = await failure_of(CALLS[path](adapter))

    assert verdict(failure) == ("provider_down", "provider", "MALFORMED")


@pytest.mark.parametrize("path", CALLS)
async def test_a_gigantic_answer_is_left_after_its_bound(path: str) -> None:
    """Of fifty megabytes no more than the bound and a chunk are taken."""
    giant = Giant()
    adapter = plaid(answering(path, httpx.Response(200, stream=giant)))

    failure = await failure_of(CALLS[path](adapter))

    assert failure.code == "MALFORMED"
    assert giant.taken <= MAX_ANSWER_BYTES + 2 * 256 * 1024


@pytest.mark.parametrize("status", [400, 429, 500, 503])
@pytest.mark.parametrize("path", CALLS)
async def test_an_error_with_a_gigantic_body_is_bounded_too(path: str, status: int) -> None:
    """An error page of fifty megabytes is not read to its end."""
    giant = Giant()
    adapter = plaid(answering(path, httpx.Response(status, stream=giant)))

    await failure_of(CALLS[path](adapter))

    assert giant.taken <= MAX_ANSWER_BYTES + 2 * 256 * 1024


@pytest.mark.parametrize("path", CALLS)
@pytest.mark.parametrize(
    ("target", "code"),
    [("https://evil.test/steal", "FOREIGN_REDIRECT"), ("/accounts/get", "MALFORMED")],
)
async def test_a_redirect_is_refused_at_every_endpoint(path: str, target: str, code: str) -> None:
    """Keys and tokens follow no address of an answer."""
    asked: list[str] = []

    def answers(at: str) -> httpx.Response:
        asked.append(at)
        hostile = httpx.Response(307, headers={"Location": target})
        return answering(path, hostile)(at)

    failure = await failure_of(CALLS[path](plaid(answers)))

    assert failure.code == code
    assert asked.count(path) == 1


@pytest.mark.parametrize("kind", [*HOSTILE, "giant", "redirect", "error"])
async def test_what_stands_beside_a_result_cannot_cost_it(kind: str) -> None:
    """Whatever an Item says of itself, its exchange, its accounts and its movements are told."""
    others = {
        "giant": lambda: httpx.Response(200, stream=Giant()),
        "redirect": lambda: httpx.Response(302, headers={"Location": "https://evil.test"}),
        "error": lambda: httpx.Response(500),
    }

    def hostile() -> httpx.Response:
        if kind in others:
            return others[kind]()
        return httpx.Response(HOSTILE[kind][0], content=HOSTILE[kind][1])

    def answers(path: str) -> httpx.Response:
        return hostile() if path == "/item/get" else httpx.Response(200, json=GOOD[path])

    adapter = plaid(answers, refresh="stale")

    exchanged = await adapter.exchange_token(exchange_request("public-1"))
    read = await adapter.get_accounts(accounts_request(CREDENTIAL))
    synced = await adapter.sync_transactions(transactions_request(CREDENTIAL))

    assert exchanged.login_key == "item-1"
    assert (len(read.accounts), read.as_of) == (1, None)
    assert (len(synced.transactions), synced.stale) == (1, True)


@pytest.mark.parametrize(
    "page",
    [
        {"added": [None]},
        {"added": [[]]},
        {"added": [{"transaction_id": {}}]},
        {"modified": "none"},
        {"removed": [7]},
        {"next_cursor": 5},
        {"next_cursor": "x" * 10_000},
        {"has_more": None},
        {"transactions_update_status": []},
        {"added": [movement("t", amount="1e400")]},
        {"added": [movement("t", date="+275760-09-13")]},
        {"added": [movement("i" * 5000), movement("j")]},
    ],
)
async def test_a_page_of_wrong_types_is_classified(page: dict[str, object]) -> None:
    """No field of a page is taken for what it is not."""
    body = {**sync(), **page}
    adapter = plaid(answering("/transactions/sync", httpx.Response(200, json=body)))

    failure = await failure_of(adapter.sync_transactions(transactions_request(CREDENTIAL, limit=1)))

    assert verdict(failure) == ("provider_down", "provider", "MALFORMED")
