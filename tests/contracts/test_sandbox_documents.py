"""What the sandbox answers, held against the vendors' own OpenAPI documents."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.judged_replies import judge, plainly
from tests.support.openapi_documents import document
from tests.support.sandbox import RunningSandbox, running_sandbox
from tests.support.vendor_callers import SPACE, BelvoCaller, PlaidCaller

USERS = ["user-1", "user-3"]  # at one bank or another with every kind of account
LINK: dict[str, Any] = {
    "client_name": "Test",
    "language": "en",
    "country_codes": ["US"],
    "products": ["transactions"],
    "user": {"client_user_id": SPACE},
}


@pytest.fixture
async def running() -> AsyncIterator[RunningSandbox]:
    """A sandbox of one test."""
    async with running_sandbox() as started:
        yield started


def test_judge_finds_what_is_wrong() -> None:
    """The judge itself objects to missing, mistyped and invented fields."""
    plaid = document("plaid")
    good = {"access_token": "a", "item_id": "i", "request_id": "r"}
    path = "/item/public_token/exchange"

    assert [] == plaid.problems("POST", path, 200, good)
    for bad in ({**good, "item_id": 5}, {"item_id": "i", "request_id": "r"}):
        assert plaid.problems("POST", path, 200, bad)
    mx = document("mx.v20250224")
    assert [] == mx.problems("GET", "/institutions/{institution_code}", 200, {"institution": {}})
    assert mx.problems("GET", "/institutions/{institution_code}", 200, {"institution": {"x": 1}})


@pytest.mark.parametrize("user", USERS)
async def test_plaid_answers_as_documented(running: RunningSandbox, user: str) -> None:
    """Every Plaid endpoint that an adapter uses answers in the documented shape."""
    spec, plaid = document("plaid"), PlaidCaller(running)
    made = await plaid.post("/link/token/create", **LINK, institution_id="ins_56", hosted_link={})
    token = made.body["link_token"]
    early = await plaid.post("/link/token/get", link_token=token)
    public = await running.complete(token=token, user=user)
    late = await plaid.post("/link/token/get", link_token=token)
    exchanged = await plaid.post("/item/public_token/exchange", public_token=public)
    plaid.access_token = exchanged.body["access_token"]
    window = {"start_date": "2026-01-01", "end_date": "2026-03-18"}
    first = await plaid.read("/transactions/sync", count=500)
    running.clock.move(days=3)
    cursor = first.body["next_cursor"]
    while (page := await plaid.read("/transactions/sync", cursor=cursor)).body["has_more"]:
        cursor = page.body["next_cursor"]
    shortcut = {"institution_id": "ins_56", "initial_products": ["transactions"]}
    health = {"include_status": True}
    replies = {
        "/link/token/create": [made],
        "/link/token/get": [early, late],
        "/item/public_token/exchange": [exchanged],
        "/accounts/get": [await plaid.read("/accounts/get")],
        "/accounts/balance/get": [await plaid.read("/accounts/balance/get")],
        "/transactions/sync": [first, page],
        "/transactions/get": [
            await plaid.read(
                "/transactions/get", **window, options={"include_original_description": True}
            )
        ],
        "/transactions/refresh": [await plaid.read("/transactions/refresh")],
        "/institutions/get_by_id": [
            await plaid.post(
                "/institutions/get_by_id",
                institution_id="ins_56",
                country_codes=["US"],
                options=health,
            )
        ],
        "/institutions/search": [
            await plaid.post("/institutions/search", query="c", country_codes=["US"])
        ],
        "/sandbox/public_token/create": [
            await plaid.post("/sandbox/public_token/create", **shortcut)
        ],
        "/item/get": [await plaid.read("/item/get")],
        "/sandbox/item/reset_login": [await plaid.read("/sandbox/item/reset_login")],
    }
    replies["/item/get"].append(await plaid.read("/item/get"))
    replies["/item/remove"] = [await plaid.read("/item/remove")]

    assert page.body["added"]
    for path, answers in replies.items():
        for reply in answers:
            assert [] == judge(spec, "POST", path, reply), path


@pytest.mark.parametrize(
    "kind", ["down", "rate_limit", "auth", "validation", "institution_down", "bad_keys"]
)
async def test_plaid_refuses_as_documented(running: RunningSandbox, kind: str) -> None:
    """Plaid's errors are PlaidErrors."""
    spec, plaid = document("plaid"), PlaidCaller(running)
    await plaid.link()
    await running.put_faults({"provider": "plaid", "kind": kind})
    reply = await plaid.read("/accounts/get")

    assert reply.status >= 400
    assert [] == spec.problems("POST", "/accounts/get", reply.status, plainly(reply))


@pytest.mark.parametrize("bank", ["ins_bbva_mx", "ins_santander_mx", "ins_banorte_mx"])
@pytest.mark.parametrize("user", USERS)
async def test_belvo_answers_as_documented(running: RunningSandbox, bank: str, user: str) -> None:
    """Every Belvo endpoint that an adapter uses and the document knows answers as documented."""
    spec, belvo = document("belvo"), BelvoCaller(running)
    token = await belvo.widget_token()
    belvo.link_id = await running.complete(token=token, institution_id=bank, user=user)
    link, query = f"/api/links/{belvo.link_id}/", {"link": belvo.link_id, "page_size": "200"}
    accounts = await belvo.call("GET", "/api/accounts/", query=query)
    account = accounts.body["results"][0]["id"]
    live = {"link": belvo.link_id, "date_from": "2026-02-01", "date_to": "2026-03-18"}
    as_job = {"X-Belvo-Request-Mode": "async"}
    transactions = "/api/transactions/"
    replies = [
        ("GET", "/api/links/", await belvo.call("GET", "/api/links/"), 200),
        ("GET", "/api/links/{id}/", await belvo.call("GET", link), 200),
        (
            "PATCH",
            "/api/links/{id}/",
            await belvo.call("PATCH", link, {"access_mode": "recurrent"}),
            200,
        ),
        ("GET", "/api/accounts/", accounts, 200),
        (
            "GET",
            "/api/accounts/{id}/",
            await belvo.call("GET", f"/api/accounts/{account}/"),
            200,
        ),
        (
            "POST",
            "/api/accounts/",
            await belvo.call("POST", "/api/accounts/", {"link": belvo.link_id}),
            201,
        ),
        ("GET", transactions, await belvo.call("GET", transactions, query=query), 200),
        ("POST", transactions, await belvo.call("POST", transactions, live), 201),
        (
            "POST",
            transactions,
            await belvo.call("POST", transactions, live, headers=as_job),
            202,
        ),
        ("GET", "/api/institutions/", await belvo.call("GET", "/api/institutions/"), 200),
        ("DELETE", "/api/links/{id}/", await belvo.call("DELETE", link), 204),
        ("GET", "/api/links/{id}/", await belvo.call("GET", link), 404),
    ]

    for method, path, reply, status in replies:
        assert [] == judge(spec, method, path, reply, status), f"{method} {path}"


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("down", 500),
        ("auth", 400),
        ("validation", 400),
        ("institution_down", 400),
        ("bad_keys", 401),
    ],
)
async def test_belvo_refuses_as_documented(running: RunningSandbox, kind: str, status: int) -> None:
    """Belvo's errors are arrays of the documented objects."""
    spec, belvo = document("belvo"), BelvoCaller(running)
    await belvo.link()
    await running.put_faults({"provider": "belvo", "kind": kind})
    reply = await belvo.call("POST", "/api/accounts/", {"link": belvo.link_id})

    assert [] == judge(spec, "POST", "/api/accounts/", reply, status)
