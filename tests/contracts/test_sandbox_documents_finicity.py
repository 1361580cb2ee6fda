"""What the sandbox's Finicity answers, held against Finicity's own OpenAPI document."""

from collections.abc import AsyncIterator

import pytest

from tests.support.judged_replies import plainly
from tests.support.openapi_documents import document
from tests.support.sandbox import RunningSandbox, running_sandbox
from tests.support.vendor_callers import FinicityCaller

USERS = ["user-1", "user-3"]  # at one bank or another with every kind of account
ONE = "/aggregation/v1/customers/{customerId}"
LOGIN = f"{ONE}/institutionLogins/{{institutionLoginId}}"
WINDOW = {"fromDate": "1767225600", "toDate": "1773847800", "includePending": "true"}
REFRESHES = "/aggregation/customers/{customerId}/transactions/refreshes"


@pytest.fixture
async def running() -> AsyncIterator[RunningSandbox]:
    """A sandbox of one test."""
    async with running_sandbox() as started:
        yield started


def test_judge_finds_what_is_wrong() -> None:
    """The judge objects to missing, mistyped and invented fields, and takes codes in both forms."""
    finicity = document("finicity")
    path = "/aggregation/v2/partners/authentication"

    assert [] == finicity.problems("POST", path, 200, {"token": "t"})
    assert [] == finicity.problems("POST", path, 401, {"code": 10001, "message": "m"})
    assert [] == finicity.problems("POST", path, 401, {"code": "10001"})
    for bad in ({}, {"token": 5}, {"token": "t", "expires": 5}):
        assert finicity.problems("POST", path, 200, bad)
    assert finicity.problems("POST", path, 401, {"message": "m"})


@pytest.mark.parametrize("user", USERS)
async def test_finicity_answers_as_documented(running: RunningSandbox, user: str) -> None:
    """Every endpoint that an adapter or a client uses answers in the documented shape."""
    spec, finicity = document("finicity"), FinicityCaller(running)
    token = await finicity.authenticate()
    customers = "/aggregation/v2/customers"
    new = {"username": "documented-1", "firstName": "Ada", "email": "a@b.test"}
    active = await finicity.call("POST", f"{customers}/active", new)
    url = await finicity.connect_url()
    partner = {"partnerId": "sandbox_partner", "customerId": finicity.customer}
    full = await finicity.call("POST", "/connect/v2/generate", partner)
    lite = await finicity.call("POST", "/connect/v2/generate/lite", {**partner, "institutionId": 5})
    finicity.login = await running.complete(url=url, user=user)
    handle = {**partner, "institutionLoginId": finicity.login}
    fix = await finicity.call("POST", "/connect/v2/generate/fix", handle)
    login = finicity.path(f"/institutionLogins/{finicity.login}")
    account = (await finicity.accounts())[0]["id"]
    other = {"username": "documented-2"}
    begun = await finicity.call(
        "POST",
        f"/aggregation/customers/{finicity.customer}/transactions/refreshes",
        {"institutionLoginId": finicity.login, "mode": "standard"},
    )
    refresh = f"/aggregation/customers/{finicity.customer}/transactions/refreshes"
    refresh = f"{refresh}/{begun.body['refreshId']}"
    early = await finicity.call("GET", refresh)
    running.clock.move(seconds=60)
    late = await finicity.call("GET", refresh)
    movements = finicity.path(f"/accounts/{account}/transactions", "v4")
    daily = {**WINDOW, "showDailyBalance": "true"}
    hook = {"callbackUrl": "https://app.test/push"}
    replies = [
        ("POST", "/aggregation/v2/partners/authentication", token, 200),
        ("POST", f"{customers}/active", active, 201),
        (
            "POST",
            f"{customers}/testing",
            await finicity.call("POST", f"{customers}/testing", other),
            201,
        ),
        (
            "POST",
            f"{customers}/testing",
            await finicity.call("POST", f"{customers}/testing", other),
            409,
        ),
        (
            "GET",
            "/aggregation/v1/customers",
            await finicity.call("GET", "/aggregation/v1/customers", query={"type": "testing"}),
            200,
        ),
        ("GET", ONE, await finicity.call("GET", finicity.path()), 200),
        ("POST", "/connect/v2/generate", full, 200),
        ("POST", "/connect/v2/generate/lite", lite, 200),
        ("POST", "/connect/v2/generate/fix", fix, 200),
        ("GET", f"{ONE}/accounts", await finicity.call("GET", finicity.path("/accounts")), 200),
        ("POST", f"{ONE}/accounts", await finicity.call("POST", finicity.path("/accounts")), 200),
        (
            "POST",
            f"{customers}/{{customerId}}/accounts",
            await finicity.call("POST", finicity.path("/accounts", "v2")),
            204,
        ),
        ("GET", f"{LOGIN}/accounts", await finicity.call("GET", f"{login}/accounts"), 200),
        ("POST", f"{LOGIN}/accounts", await finicity.call("POST", f"{login}/accounts"), 200),
        (
            "GET",
            f"{customers}/{{customerId}}/accounts/{{accountId}}",
            await finicity.call("GET", finicity.path(f"/accounts/{account}", "v2")),
            200,
        ),
        (
            "GET",
            "/aggregation/v3/customers/{customerId}/transactions",
            await finicity.call("GET", finicity.path("/transactions", "v3"), query=WINDOW),
            200,
        ),
        (
            "GET",
            "/aggregation/v4/customers/{customerId}/accounts/{accountId}/transactions",
            await finicity.call("GET", movements, query=daily),
            200,
        ),
        (
            "POST",
            f"{ONE}/accounts/{{accountId}}/transactions/historic",
            await finicity.call(
                "POST", finicity.path(f"/accounts/{account}/transactions/historic")
            ),
            204,
        ),
        ("POST", REFRESHES, begun, 202),
        ("GET", f"{REFRESHES}/{{refreshId}}", early, 200),
        ("GET", f"{REFRESHES}/{{refreshId}}", late, 200),
        (
            "POST",
            f"{ONE}/accounts/{{accountId}}/txpush",
            await finicity.call("POST", finicity.path(f"/accounts/{account}/txpush"), hook),
            201,
        ),
        (
            "PUT",
            f"{customers}/{{customerId}}/institutionLogins/{{institutionLoginId}}/migration",
            await finicity.call(
                "PUT", finicity.path(f"/institutionLogins/{finicity.login}/migration", "v2")
            ),
            200,
        ),
        (
            "GET",
            "/institution/v2/institutions",
            await finicity.call("GET", "/institution/v2/institutions"),
            200,
        ),
        (
            "GET",
            "/institution/v2/institutions/{institutionId}",
            await finicity.call("GET", "/institution/v2/institutions/101732"),
            200,
        ),
        (
            "GET",
            "/institution/v2/institutions/{institutionId}",
            await finicity.call("GET", "/institution/v2/institutions/99"),
            404,
        ),
        ("DELETE", LOGIN, await finicity.call("DELETE", login), 204),
        ("GET", f"{LOGIN}/accounts", await finicity.call("GET", f"{login}/accounts"), 404),
        ("DELETE", ONE, await finicity.call("DELETE", finicity.path()), 204),
    ]

    assert ("IN_PROGRESS", "COMPLETED") == (early.body["status"], late.body["status"])
    for method, path, reply, status in replies:
        assert status == reply.status, f"{method} {path}: {reply.raw[:300]!r}"
        assert [] == spec.problems(method, path, status, plainly(reply)), f"{method} {path}"


@pytest.mark.parametrize(("kind", "status"), [("validation", 400), ("bad_keys", 401)])
async def test_finicity_refuses_as_documented(
    running: RunningSandbox, kind: str, status: int
) -> None:
    """A refused authentication and a refused parameter are ErrorMessages."""
    spec, finicity = document("finicity"), FinicityCaller(running)
    await running.put_faults({"provider": "finicity", "kind": kind})
    reply = await finicity.authenticate()

    assert status == reply.status
    assert [] == spec.problems(
        "POST", "/aggregation/v2/partners/authentication", status, plainly(reply)
    )
