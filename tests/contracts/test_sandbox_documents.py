"""What the sandbox answers, held against the vendors' own OpenAPI documents."""

from collections.abc import AsyncIterator

import pytest

from tests.support.openapi_documents import Document, document
from tests.support.sandbox import RunningSandbox, running_sandbox
from tests.support.vendor_callers import SPACE, BelvoCaller, MxCaller, Reply

LEGACY = "application/vnd.mx.api.v1+json"
USERS = ["user-1", "user-3"]  # at one bank or another with every kind of account


@pytest.fixture
async def running() -> AsyncIterator[RunningSandbox]:
    """A sandbox of one test."""
    async with running_sandbox() as started:
        yield started


def plainly(reply: Reply) -> object:
    """The body with numbers that a validator knows; None where it is empty."""
    return _floats(reply.body) if reply.raw else None


def _floats(value: object) -> object:
    if isinstance(value, dict):
        return {name: _floats(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_floats(part) for part in value]
    return value if value is None or isinstance(value, str | int) else float(str(value))


def judge(judged: Document, method: str, path: str, reply: Reply, status: int = 200) -> list[str]:
    """The document's objections to an answer that should have this status."""
    assert status == reply.status, reply.raw[:300]

    return judged.problems(method, path, reply.status, plainly(reply))


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


# The newer document knows no Mexican institution, though its widget takes the country.
_COUNTRY = {"iso_country_code": "US"}
MX_PATHS = {
    "mx.v20250224": ("{user_identifier}", "{member_identifier}"),
    "mx.v20111101": ("{user_guid}", "{member_guid}"),
}


@pytest.mark.parametrize("code", ["chase", "bbva_mexico"])
@pytest.mark.parametrize("version", MX_PATHS)
@pytest.mark.parametrize("user", USERS)
async def test_mx_answers_as_documented(
    running: RunningSandbox, version: str, code: str, user: str
) -> None:
    """Every MX endpoint that an adapter uses answers in the documented shape, in both versions."""
    spec, mx = document(version), MxCaller(running)
    if version == "mx.v20111101":
        mx.headers = {"Authorization": mx.headers["Authorization"], "Accept": LEGACY}
    user_part, member_part = MX_PATHS[version]
    body = {"user": {"id": SPACE, "email": "a@b.test", "metadata": "m"}}
    created = await mx.call("POST", "/users", body)
    mx.user = created.body["user"]["guid"]
    wanted = {"widget_type": "connect_widget", "current_institution_code": code}
    widget = await mx.call("POST", f"/users/{mx.user}/widget_urls", {"widget_url": wanted})
    mx.member = await running.complete(url=widget.body["widget_url"]["url"], user=user)
    users, member = f"/users/{user_part}", f"/users/{user_part}/members/{member_part}"
    own = f"/users/{mx.user}/members/{mx.member}"
    replies = [
        ("POST", "/users", created, 200),
        ("POST", "/users/{user_guid}/widget_urls", widget, 200),
        ("GET", users, await mx.call("GET", f"/users/{mx.user}"), 200),
        ("GET", f"{users}/members", await mx.call("GET", f"/users/{mx.user}/members"), 200),
        ("GET", member, await mx.read(), 200),
        ("GET", f"{member}/status", await mx.read("/status"), 200),
        ("POST", f"{member}/aggregate", await mx.call("POST", f"{own}/aggregate"), 202),
        ("GET", f"{member}/accounts", await mx.read("/accounts"), 200),
        (
            "GET",
            f"{member}/transactions",
            await mx.read("/transactions", records_per_page="200"),
            200,
        ),
        ("GET", "/institutions", await mx.call("GET", "/institutions", query=_COUNTRY), 200),
        (
            "GET",
            "/institutions/{institution_code}",
            await mx.call("GET", "/institutions/chase"),
            200,
        ),
        ("DELETE", member, await mx.call("DELETE", own), 204),
        ("DELETE", users, await mx.call("DELETE", f"/users/{mx.user}"), 204),
    ]

    for method, path, reply, status in replies:
        assert [] == judge(spec, method, path, reply, status), f"{method} {path}"


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
