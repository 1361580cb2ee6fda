"""The sandbox's own endpoints."""

import pytest

from tests.support.sandbox import running_sandbox
from tests.support.vendor_callers import SPACE, BelvoCaller, MxCaller, PlaidCaller


async def test_default_user_is_the_same_at_all_vendors() -> None:
    """One end-user id leads to one user, whichever vendor was told it."""
    async with running_sandbox() as running:
        await PlaidCaller(running).link()
        await MxCaller(running).link()
        await BelvoCaller(running).link()
        users = {
            connection.user
            for provider in ("plaid", "mx", "belvo")
            for connection in running.sandbox.connections.of(provider)
        }

    assert 1 == len(users)
    assert SPACE not in users


async def test_chosen_user_and_bank_win() -> None:
    """A completion that names user and bank links that login."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        token = await plaid.link_token("ins_56")
        public = await running.complete(token=token, institution_id="ins_citi", user="ana")
        await plaid.post("/item/public_token/exchange", public_token=public)
        (connection,) = running.sandbox.connections.of("plaid")

    assert ("ana", "ins_citi") == (connection.user, connection.bank_key)


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ([], 422, ""),
        ({}, 422, "linkToken"),
        ({"linkToken": ""}, 422, "linkToken"),
        ({"linkToken": 5}, 422, "linkToken"),
        ({"linkToken": "x", "bank": "y"}, 422, "bank"),
        ({"linkToken": "nothing-like-it"}, 404, "linkToken"),
        ({"linkUrl": "https://a.test/b?c=d"}, 404, "linkUrl"),
        ({"linkSessionId": "ls_1"}, 404, "linkSessionId"),
    ],
)
async def test_completion_is_checked(body: object, status: int, field: str) -> None:
    """A completion that names no session says which field is wrong."""
    async with running_sandbox() as running:
        reply = await PlaidCaller(running).call(
            "POST", f"{running.base_url}/_control/complete", body
        )

    assert (status, field) == (reply.status, reply.body["error"]["field"])


@pytest.mark.parametrize("bank", ["ins_bbva_mx", "ins_nowhere"])
async def test_bank_that_the_vendor_lacks_is_refused(bank: str) -> None:
    """Completing at a bank that the vendor does not serve is a 422."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        token = await plaid.link_token()
        reply = await plaid.call(
            "POST",
            f"{running.base_url}/_control/complete",
            {"linkToken": token, "institutionId": bank},
        )

    assert (422, "institutionId") == (reply.status, reply.body["error"]["field"])


async def test_hosted_link_completes_by_its_url() -> None:
    """A hosted link's URL leads to its session, which then tells its public token."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        made = await plaid.post(
            "/link/token/create",
            client_name="Test",
            language="en",
            country_codes=["US"],
            products=["transactions"],
            user={"client_user_id": SPACE},
            institution_id="ins_56",
            hosted_link={},
        )
        public = await running.complete(url=made.body["hosted_link_url"])
        told = await plaid.post("/link/token/get", link_token=made.body["link_token"])

    (session,) = told.body["link_sessions"]
    assert public == session["results"]["item_add_results"][0]["public_token"]


async def test_faults_are_put_shown_and_deleted() -> None:
    """What is put in force is shown in full, and after a delete there is nothing."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        url = f"{running.base_url}/_control/faults"
        put = await plaid.call("PUT", url, {"faults": [{"provider": "mx", "kind": "down"}]})
        shown = await plaid.call("GET", url)
        deleted = await plaid.call("DELETE", url)
        empty = await plaid.call("GET", url)

    assert put.body == shown.body
    assert {
        "provider": "mx",
        "operation": "*",
        "institutionId": "*",
        "kind": "down",
        "rate": 1.0,
        "latencyMs": 0.0,
        "retryAfterS": None,
        "forS": None,
        "errorCode": None,
    } == shown.body["faults"][0]
    assert 204 == deleted.status
    assert {"faults": []} == empty.body


async def test_bad_faults_change_nothing() -> None:
    """A definition that cannot be taken is a 422 naming its field and leaves the old in force."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        url = f"{running.base_url}/_control/faults"
        await running.put_faults({"provider": "mx", "kind": "down"})
        bad = await plaid.call("PUT", url, {"faults": [{"provider": "mx", "kind": "tired"}]})
        shown = await plaid.call("GET", url)

    assert (422, "faults[0].kind") == (bad.status, bad.body["error"]["field"])
    assert 1 == len(shown.body["faults"])


async def test_fault_with_a_duration_ends_by_the_clock() -> None:
    """A fault put for some seconds is gone after them."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await plaid.link()
        await running.put_faults({"provider": "plaid", "kind": "down", "forS": 5})
        during = await plaid.read("/accounts/get")
        running.clock.move(seconds=5)
        after = await plaid.read("/accounts/get")

    assert (500, 200) == (during.status, after.status)


async def test_calls_are_counted_by_attempt_and_operation() -> None:
    """Link, exchange and reading are counted under our names, pages under one attempt."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        plaid.attempt_id = "one"
        token = await plaid.link_token()
        plaid.attempt_id = "two"
        public = await running.complete(token=token)
        plaid.access_token = (
            await plaid.post("/item/public_token/exchange", public_token=public)
        ).body["access_token"]
        plaid.attempt_id = "three"
        pages = [page async for page in plaid.pages(count=100)]
        plaid.attempt_id = None
        await plaid.read("/accounts/get")
        await plaid.read("/accounts/get")
        calls = await running.calls()
        await plaid.call("DELETE", f"{running.base_url}/_control/calls")
        cleared = await running.calls()

    counts = {
        op: (row["count"], row["httpCalls"], row["attemptIds"]) for (_, op), row in calls.items()
    }
    assert {
        "createLink": (1, 1, ["one"]),
        "exchangeToken": (1, 1, ["two"]),
        "syncTransactions": (1, len(pages), ["three"]),
        "getAccounts": (2, 2, []),
    } == counts
    assert {} == cleared


async def test_first_look_at_a_new_member_is_its_exchange() -> None:
    """Where nothing is exchanged, the first attempt to ask for the connection counts as exchange."""
    async with running_sandbox() as running:
        mx, belvo = MxCaller(running), BelvoCaller(running)
        await mx.link()
        await belvo.link()
        for attempt in ("first", "second"):
            mx.attempt_id = belvo.attempt_id = f"{attempt}"
            await mx.read()
            await belvo.call("GET", f"/api/links/{belvo.link_id}/")
            if attempt == "second":
                await mx.read("/accounts")
                await belvo.listing("accounts")
        calls = await running.calls()

    for provider in ("mx", "belvo"):
        assert ["first"] == calls[provider, "exchangeToken"]["attemptIds"]
        assert ["second"] == calls[provider, "getAccounts"]["attemptIds"]
        assert 2 == calls[provider, "getAccounts"]["httpCalls"]


async def test_caller_may_name_the_operation() -> None:
    """A shared call that says what it is part of is counted and struck as that."""
    async with running_sandbox() as running:
        mx = MxCaller(running)
        await mx.link()
        await mx.read()
        mx.attempt_id = "named"
        mx.headers["X-Attempt-Operation"] = "syncTransactions"
        await running.put_faults(
            {"provider": "mx", "kind": "down", "operation": "syncTransactions"}
        )
        struck = await mx.read()
        calls = await running.calls()

    assert 503 == struck.status
    assert ["named"] == calls["mx", "syncTransactions"]["attemptIds"]


async def test_struck_calls_are_counted_too() -> None:
    """A call that a fault refused is one that the vendor saw."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await plaid.link()
        await running.put_faults({"provider": "plaid", "kind": "down"})
        await plaid.read("/accounts/get")
        calls = await running.calls()

    assert 1 == calls["plaid", "getAccounts"]["count"]


async def test_health_is_told() -> None:
    """The process says that it is up."""
    async with running_sandbox() as running:
        reply = await PlaidCaller(running).call("GET", f"{running.base_url}/healthz")

    assert (200, {"status": "ok"}) == (reply.status, reply.body)
