"""Every kind of fault as a client of the vendors sees it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from tests.support.sandbox import RunningSandbox, running_sandbox
from tests.support.vendor_callers import BelvoCaller, MxCaller, PlaidCaller, Reply

Caller = PlaidCaller | MxCaller | BelvoCaller


async def linked(provider: str, running: RunningSandbox) -> Caller:
    """A caller of a vendor, with a login linked."""
    if provider == "plaid":
        plaid = PlaidCaller(running)
        await plaid.link()
        return plaid
    if provider == "mx":
        mx = MxCaller(running)
        await mx.link()
        return mx
    belvo = BelvoCaller(running)
    await belvo.link()
    return belvo


async def read(caller: Caller, what: str, page: int = 1) -> Reply:
    """Read accounts or transactions of the linked login, one big page."""
    if isinstance(caller, PlaidCaller):
        paths = {"accounts": "/accounts/get", "transactions": "/transactions/sync"}
        return await caller.read(paths[what], **({"count": 500} if what == "transactions" else {}))
    if isinstance(caller, MxCaller):
        return await caller.read(f"/{what}", records_per_page="1000", page=str(page))
    query = {"link": caller.link_id, "page_size": "1000"}
    return await caller.call("GET", f"/api/{what}/", query=query)


async def make_link(caller: Caller) -> Reply:
    """Ask for a link session."""
    if isinstance(caller, PlaidCaller):
        return await caller.post(
            "/link/token/create",
            client_name="Test",
            language="en",
            country_codes=["US"],
            products=["transactions"],
            user={"client_user_id": "x" * 20},
        )
    if isinstance(caller, MxCaller):
        wanted = {"widget_url": {"widget_type": "connect_widget"}}
        return await caller.call("POST", f"/users/{caller.user}/widget_urls", wanted)
    keys = {"id": "sandbox_id", "password": "sandbox_password", "scopes": "write_links"}
    return await caller.call("POST", "/api/token/", keys)


def told(reply: Reply) -> str:
    """The vendor's own word for an error."""
    body: Any = reply.body
    if isinstance(body, list):
        return str(body[0]["code"])
    return str(body["error"]["type"] if "error" in body else body["error_code"])


PROVIDERS = ("plaid", "mx", "belvo")
REFUSALS = {
    ("plaid", "down"): (500, "INTERNAL_SERVER_ERROR"),
    ("plaid", "flaky"): (500, "INTERNAL_SERVER_ERROR"),
    ("plaid", "rate_limit"): (429, "ACCOUNTS_LIMIT"),
    ("plaid", "auth"): (400, "ITEM_LOGIN_REQUIRED"),
    ("plaid", "validation"): (400, "INVALID_FIELD"),
    ("plaid", "institution_down"): (400, "INSTITUTION_DOWN"),
    ("plaid", "bad_keys"): (400, "INVALID_API_KEYS"),
    ("mx", "down"): (503, "service_unavailable"),
    ("mx", "flaky"): (503, "service_unavailable"),
    ("mx", "rate_limit"): (429, "too_many_requests"),
    ("mx", "validation"): (400, "bad_request"),
    ("mx", "institution_down"): (400, "institution_unavailable_error"),
    ("mx", "bad_keys"): (401, "unauthorized"),
    ("belvo", "down"): (500, "unexpected_error"),
    ("belvo", "flaky"): (500, "unexpected_error"),
    ("belvo", "rate_limit"): (429, "too_many_requests"),
    ("belvo", "validation"): (400, "invalid"),
    ("belvo", "institution_down"): (400, "institution_down"),
    ("belvo", "bad_keys"): (401, "authentication_failed"),
}


@pytest.mark.parametrize(("provider", "kind"), REFUSALS)
async def test_refusal_is_the_vendors_own(provider: str, kind: str) -> None:
    """A fault that refuses calls shows as that vendor's status and code, and ends when deleted."""
    async with running_sandbox() as running:
        caller = await linked(provider, running)
        await running.put_faults({"provider": provider, "kind": kind, "rate": 1.0})
        struck = await read(caller, "accounts")
        await running.clear_faults()
        spared = await read(caller, "accounts")

    assert REFUSALS[provider, kind] == (struck.status, told(struck))
    assert 200 == spared.status


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_rate_limit_tells_when_to_return(provider: str) -> None:
    """A pause asked for becomes the Retry-After header, and without it there is none."""
    async with running_sandbox() as running:
        caller = await linked(provider, running)
        await running.put_faults({"provider": provider, "kind": "rate_limit", "retryAfterS": 17})
        with_pause = await make_link(caller)
        await running.put_faults({"provider": provider, "kind": "rate_limit"})
        without = await make_link(caller)

    assert (429, "17") == (with_pause.status, with_pause.headers["Retry-After"])
    assert 429 == without.status
    assert "Retry-After" not in without.headers


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_reset_cuts_the_connection(provider: str) -> None:
    """A reset call ends without any answer."""
    async with running_sandbox() as running:
        caller = await linked(provider, running)
        await running.put_faults({"provider": provider, "kind": "reset"})
        with pytest.raises(aiohttp.ClientConnectionError):
            await read(caller, "accounts")


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_timeout_never_answers(provider: str) -> None:
    """A call that times out is still open when its client gives up, and others are answered."""
    async with running_sandbox() as running:
        caller = await linked(provider, running)
        await running.put_faults(
            {"provider": provider, "kind": "timeout", "operation": "getAccounts"}
        )
        hanging = asyncio.create_task(read(caller, "accounts"))
        answered = await read(caller, "transactions")

        assert not hanging.done()
        assert 200 == answered.status

        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging


async def test_hanging_calls_end_with_the_sandbox() -> None:
    """Stopping the sandbox cuts calls that hang."""
    async with running_sandbox() as running:
        caller = await linked("plaid", running)
        await running.put_faults({"provider": "plaid", "kind": "timeout"})
        hanging = asyncio.create_task(read(caller, "accounts"))
        while ("plaid", "getAccounts") not in await running.calls():
            pass
        running.sandbox.gateway.stop()
        with pytest.raises(aiohttp.ClientConnectionError):
            await hanging


@pytest.mark.parametrize(
    ("fault", "at_least_s"),
    [({"kind": "slow", "latencyMs": 60}, 0.06), ({"kind": "down", "latencyMs": 40}, 0.04)],
)
async def test_latency_delays_whatever_the_kind(
    fault: dict[str, object], at_least_s: float
) -> None:
    """A struck call is answered no sooner than its delay."""
    async with running_sandbox() as running:
        caller = await linked("plaid", running)
        await running.put_faults({"provider": "plaid", **fault})
        loop = asyncio.get_running_loop()
        began = loop.time()
        reply = await read(caller, "accounts")
        took_s = loop.time() - began

    assert (500 if fault["kind"] == "down" else 200) == reply.status
    assert took_s >= at_least_s


async def test_auth_shows_as_the_members_status_at_mx() -> None:
    """At MX a broken login keeps its data and shows in the member alone."""
    async with running_sandbox() as running:
        mx = await linked("mx", running)
        assert isinstance(mx, MxCaller)
        await running.put_faults({"provider": "mx", "kind": "auth"})
        member, status = await mx.read(), await mx.read("/status")
        accounts = await mx.read("/accounts")
        link = await make_link(mx)

    assert "DENIED" == member.body["member"]["connection_status"]
    assert "DENIED" == status.body["member"]["connection_status"]
    assert accounts.body["accounts"]
    assert 403 == link.status


async def test_auth_shows_as_the_links_status_at_belvo() -> None:
    """At Belvo a broken login keeps its stored data, shows in the link, and refuses live reading."""
    async with running_sandbox() as running:
        belvo = await linked("belvo", running)
        assert isinstance(belvo, BelvoCaller)
        await running.put_faults({"provider": "belvo", "kind": "auth"})
        link = await belvo.call("GET", f"/api/links/{belvo.link_id}/")
        stored = await belvo.listing("accounts")
        live = await belvo.call("POST", "/api/accounts/", {"link": belvo.link_id})

    assert "invalid" == link.body["status"]
    assert stored
    assert (400, "invalid_link") == (live.status, told(live))


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("what", ["accounts", "transactions"])
async def test_empty_is_a_success_with_nothing(provider: str, what: str) -> None:
    """An empty answer is a 200 of the documented shape without a row."""
    async with running_sandbox() as running:
        caller = await linked(provider, running)
        await running.put_faults({"provider": provider, "kind": "empty"})
        reply = await read(caller, what)
        link = await make_link(caller)

    names = {
        "plaid": "accounts" if what == "accounts" else "added",
        "mx": what,
        "belvo": "results",
    }
    assert 200 == reply.status
    assert [] == reply.body[names[provider]]
    assert (200, {}) == (link.status, link.body)


@pytest.mark.parametrize("what", ["accounts", "transactions"])
async def test_truncated_answers_end_early_and_say_they_are_whole(what: str) -> None:
    """About half of the rows come, and every vendor says that there is nothing more."""
    async with running_sandbox() as running:
        for provider in PROVIDERS:
            caller = await linked(provider, running)
            if isinstance(caller, PlaidCaller):
                await caller.link(transactions={"days_requested": 60})
            whole = await read(caller, what)
            await running.put_faults({"provider": provider, "kind": "truncated"})
            part = await read(caller, what)
            await running.clear_faults()
            name = {"mx": what, "belvo": "results"}.get(
                provider, "accounts" if what == "accounts" else "added"
            )

            rows = whole.body["count"] if provider == "belvo" else len(whole.body[name])

            assert rows // 2 == len(part.body[name])
            if provider == "plaid":
                assert part.body.get("has_more", False) is False
            if provider == "mx":
                assert 1 == part.body["pagination"]["total_pages"]
            if provider == "belvo":
                assert part.body["next"] is None


async def test_truncated_update_is_lost_for_good_at_plaid() -> None:
    """The cursor of a truncated update goes past the rows that were left out."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await plaid.link(transactions={"days_requested": 60})
        await running.put_faults({"provider": "plaid", "kind": "truncated"})
        part = [page async for page in plaid.pages()]
        await running.clear_faults()
        after = [page async for page in plaid.pages(part[-1]["next_cursor"])]
        whole = [page async for page in plaid.pages()]

    assert [] == after[0]["added"]
    assert sum(len(p["added"]) for p in part) < sum(len(p["added"]) for p in whole)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_stale_answers_are_a_month_old(provider: str) -> None:
    """Stale data end a month ago and their time of freshness says so."""
    async with running_sandbox() as running:
        caller = await linked(provider, running)
        running.clock.move(days=1)
        fresh = await read(caller, "accounts")
        await running.put_faults({"provider": provider, "kind": "stale"})
        accounts, moved = await read(caller, "accounts"), await read(caller, "transactions")

    def as_of(body: Any) -> str:
        match provider:
            case "plaid":
                return str(body["accounts"][0]["balances"]["last_updated_datetime"])
            case "mx":
                return str(body["accounts"][0]["updated_at"])
            case _:
                return str(body["results"][0]["collected_at"])

    rows = moved.body[{"plaid": "added", "mx": "transactions", "belvo": "results"}[provider]]
    assert "2026-03-19" == as_of(fresh.body)[:10]
    assert "2026-02-17" == as_of(accounts.body)[:10]
    assert max(row["value_date" if provider == "belvo" else "date"] for row in rows) <= "2026-02-17"


async def test_frozen_cursor_does_not_move_at_plaid() -> None:
    """Every page says that there is more and leads to itself."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await plaid.link()
        await running.put_faults({"provider": "plaid", "kind": "frozen"})
        first = (await plaid.read("/transactions/sync")).body
        second = (await plaid.read("/transactions/sync", cursor=first["next_cursor"])).body
        third = (await plaid.read("/transactions/sync", cursor=second["next_cursor"])).body

    assert first["has_more"]
    assert third["has_more"]
    assert first["next_cursor"] == second["next_cursor"] == third["next_cursor"]
    assert first["added"] == third["added"] != []


async def test_frozen_pages_are_always_the_first_at_mx() -> None:
    """Every page is the first one and more are said to follow."""
    async with running_sandbox() as running:
        mx = await linked("mx", running)
        await running.put_faults({"provider": "mx", "kind": "frozen"})
        first, second = await read(mx, "transactions"), await read(mx, "transactions", page=2)

    assert first.body["transactions"] == second.body["transactions"] != []
    assert 1 == second.body["pagination"]["current_page"]
    assert second.body["pagination"]["total_pages"] > 1


async def test_frozen_next_leads_to_itself_at_belvo() -> None:
    """`next` never ends and leads to the page that it stands on."""
    async with running_sandbox() as running:
        belvo = await linked("belvo", running)
        await running.put_faults({"provider": "belvo", "kind": "frozen"})
        first = await read(belvo, "transactions")
        second = await belvo.call("GET", first.body["next"])

    assert first.body == second.body


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_malformed_answers_are_not_the_documented_body(provider: str) -> None:
    """A malformed success is never a JSON object with the rows asked for."""
    async with running_sandbox() as running:
        caller = await linked(provider, running)
        await running.put_faults({"provider": provider, "kind": "malformed"})
        replies = [await read(caller, "accounts") for _ in range(12)]

    assert {200} == {reply.status for reply in replies}
    assert len({reply.raw for reply in replies}) > 1
    for reply in replies:
        assert not isinstance(reply.body, dict) or "accounts" not in reply.body


async def test_lost_answer_has_done_its_work() -> None:
    """An exchange whose answer is lost has used up the token and made the Item."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        public = await running.complete(token=await plaid.link_token())
        await running.put_faults({"provider": "plaid", "kind": "lost_answer"})
        with pytest.raises(aiohttp.ClientConnectionError):
            await plaid.post("/item/public_token/exchange", public_token=public)
        await running.clear_faults()
        again = await plaid.post("/item/public_token/exchange", public_token=public)
        items = running.sandbox.connections.of("plaid")

    assert (400, "INVALID_PUBLIC_TOKEN") == (again.status, told(again))
    assert 1 == len(items)


ReadOrLink = Callable[[Caller], Awaitable[Reply]]


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_fault_for_one_operation_spares_the_others(provider: str) -> None:
    """Accounts being down leaves linking and transactions alone."""
    async with running_sandbox() as running:
        caller = await linked(provider, running)
        await running.put_faults({"provider": provider, "kind": "down", "operation": "getAccounts"})
        statuses = [
            (await read(caller, "accounts")).status,
            (await read(caller, "transactions")).status,
            (await make_link(caller)).status,
        ]

    assert statuses[0] >= 500
    assert [200, 200] == statuses[1:]


@pytest.mark.parametrize(
    ("provider", "bank", "other"),
    [
        ("plaid", "ins_chase", "ins_citi"),
        ("mx", "ins_chase", "ins_citi"),
        ("belvo", "ins_bbva_mx", "ins_banorte_mx"),
    ],
)
async def test_fault_for_one_bank_spares_the_others(provider: str, bank: str, other: str) -> None:
    """A bank being down is seen by its own connections only."""
    async with running_sandbox() as running:
        caller = await linked(provider, running)
        down = {"provider": provider, "kind": "institution_down"}
        await running.put_faults({**down, "institutionId": other})
        spared = await read(caller, "accounts")
        await running.put_faults({**down, "institutionId": bank})
        struck = await read(caller, "accounts")

    assert (200, 400) == (spared.status, struck.status)


@pytest.mark.parametrize(("operation", "status"), [("syncTransactions", 503), ("getAccounts", 200)])
async def test_attempt_keeps_its_operation_on_shared_calls(operation: str, status: int) -> None:
    """A member's reading is struck by the faults of the operation that its attempt is known for."""
    async with running_sandbox() as running:
        mx = await linked("mx", running)
        assert isinstance(mx, MxCaller)
        await mx.read()
        mx.attempt_id = "attempt-1"
        await mx.read("/transactions")
        await running.put_faults({"provider": "mx", "kind": "down", "operation": operation})
        reply = await mx.read()

    assert status == reply.status
