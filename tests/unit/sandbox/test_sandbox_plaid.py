"""Plaid's protocol as the sandbox speaks it."""

from decimal import Decimal
from typing import Any

import pytest

from sandbox.options import SandboxOptions
from tests.support.sandbox import running_sandbox
from tests.support.vendor_callers import SPACE, PlaidCaller, Reply


def code(reply: Reply) -> tuple[int, str, str]:
    """Status and both words of a Plaid error, which must be whole."""
    body = reply.body
    assert {"error_type", "error_code", "error_message", "display_message", "request_id"} <= set(
        body
    )
    return reply.status, body["error_type"], body["error_code"]


LINK: dict[str, Any] = {
    "client_name": "Test",
    "language": "en",
    "country_codes": ["US"],
    "products": ["transactions"],
    "user": {"client_user_id": SPACE},
}


async def test_keys_are_taken_from_headers_or_body() -> None:
    """Right keys in either place are accepted."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        in_headers = await plaid.post("/link/token/create", **LINK)
        plaid.headers = {}
        in_body = await plaid.post(
            "/link/token/create", **LINK, client_id="sandbox_client", secret="sandbox_secret"
        )

    assert (in_headers.status, in_body.status) == (200, 200)


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({}, (400, "INVALID_REQUEST", "MISSING_FIELDS")),
        (
            {"PLAID-CLIENT-ID": "sandbox_client", "PLAID-SECRET": "another"},
            (400, "INVALID_INPUT", "INVALID_API_KEYS"),
        ),
        (
            {
                "PLAID-CLIENT-ID": "sandbox_client",
                "PLAID-SECRET": "sandbox_secret",
                "Plaid-Version": "2019-05-29",
            },
            (400, "INVALID_REQUEST", "INCOMPATIBLE_API_VERSION"),
        ),
        (
            {
                "PLAID-CLIENT-ID": "sandbox_client",
                "PLAID-SECRET": "sandbox_secret",
                "Plaid-Version": "newest",
            },
            (400, "INVALID_REQUEST", "INVALID_HEADERS"),
        ),
    ],
)
@pytest.mark.parametrize(
    "path", ["/link/token/create", "/accounts/get", "/transactions/sync", "/institutions/search"]
)
async def test_other_keys_are_refused(
    path: str, headers: dict[str, str], error: tuple[int, str, str]
) -> None:
    """Missing or wrong keys are a 400 that says which."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        plaid.headers = headers
        reply = await plaid.post(path)

    assert error == code(reply)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"client_name": None}, ("INVALID_REQUEST", "MISSING_FIELDS")),
        ({"country_codes": []}, ("INVALID_REQUEST", "MISSING_FIELDS")),
        ({"products": []}, ("INVALID_REQUEST", "MISSING_FIELDS")),
        ({"user": {}}, ("INVALID_REQUEST", "MISSING_FIELDS")),
        ({"country_codes": ["MX"]}, ("INVALID_REQUEST", "INVALID_FIELD")),
        ({"country_codes": [{}]}, ("INVALID_REQUEST", "INVALID_FIELD")),
        ({"language": "xx"}, ("INVALID_REQUEST", "INVALID_FIELD")),
        ({"client_name": "x" * 31}, ("INVALID_REQUEST", "INVALID_FIELD")),
        ({"redirect_uri": "https://a.test/?q=1"}, ("INVALID_REQUEST", "INVALID_FIELD")),
        ({"transactions": {"days_requested": 731}}, ("INVALID_REQUEST", "INVALID_FIELD")),
        ({"surprise": 1}, ("INVALID_REQUEST", "UNKNOWN_FIELDS")),
        ({"transactions": {"days": 1}}, ("INVALID_REQUEST", "UNKNOWN_FIELDS")),
        ({"transactions": []}, ("INVALID_REQUEST", "INVALID_FIELD")),
        ({"products": ["money"]}, ("INVALID_REQUEST", "INVALID_FIELD")),
        ({"products": "transactions"}, ("INVALID_REQUEST", "INVALID_FIELD")),
        ({"products": ["balance"]}, ("INVALID_INPUT", "INVALID_PRODUCT")),
        ({"webhook": "no address"}, ("INVALID_REQUEST", "INVALID_FIELD")),
        ({"hosted_link": {"url_lifetime_seconds": 0}}, ("INVALID_REQUEST", "INVALID_FIELD")),
        ({"hosted_link": {"delivery_method": "post"}}, ("INVALID_REQUEST", "INVALID_FIELD")),
        ({"hosted_link": {"is_mobile_app": "no"}}, ("INVALID_REQUEST", "INVALID_FIELD")),
        ({"institution_id": "bbva_mexico"}, ("INVALID_INPUT", "INVALID_INSTITUTION")),
        (
            {"access_token": "access-sandbox-x", "products": None},
            ("INVALID_INPUT", "INVALID_ACCESS_TOKEN"),
        ),
    ],
)
async def test_link_request_is_checked(change: dict[str, object], error: tuple[str, str]) -> None:
    """A request for a link token that breaks a rule is refused in Plaid's words."""
    async with running_sandbox() as running:
        reply = await PlaidCaller(running).post("/link/token/create", **(LINK | change))

    assert (400, *error) == code(reply)


async def test_body_that_is_no_json_is_refused() -> None:
    """A body that cannot be parsed is INVALID_BODY."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        url = running.url_of("plaid") + "/accounts/get"
        async with running.http.post(url, data=b"{", headers=plaid.headers) as response:
            body = await response.json()

    assert body["error_code"] == "INVALID_BODY"


async def test_link_token_lives_four_hours_and_in_repair_half_an_hour() -> None:
    """The expiration told is when the session ends for the widget."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        token = await plaid.link_token()
        running.clock.move(seconds=4 * 3600 - 1)
        access = (
            await plaid.post(
                "/item/public_token/exchange", public_token=await running.complete(token=token)
            )
        ).body["access_token"]
        repair = await plaid.post(
            "/link/token/create",
            **{**LINK, "products": None, "access_token": access},
        )
        running.clock.move(seconds=1)
        ended = await plaid.call(
            "POST", f"{running.base_url}/_control/complete", {"linkToken": token}
        )
        running.clock.move(seconds=1800)
        also_ended = await plaid.call(
            "POST",
            f"{running.base_url}/_control/complete",
            {"linkToken": repair.body["link_token"]},
        )

    assert repair.status == 200
    assert (ended.status, also_ended.status) == (410, 410)


async def test_public_token_works_once_and_for_half_an_hour() -> None:
    """A used, expired or unknown public token is INVALID_PUBLIC_TOKEN."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        link = await plaid.link_token()
        first, late = await running.complete(token=link), await running.complete(token=link)
        used = await plaid.post("/item/public_token/exchange", public_token=first)
        again = await plaid.post("/item/public_token/exchange", public_token=first)
        running.clock.move(seconds=1801)
        expired = await plaid.post("/item/public_token/exchange", public_token=late)
        unknown = await plaid.post("/item/public_token/exchange", public_token="public-sandbox-x")

    assert used.status == 200
    for refused in (again, expired, unknown):
        assert code(refused) == (400, "INVALID_INPUT", "INVALID_PUBLIC_TOKEN")


async def test_second_link_of_a_login_has_ids_of_its_own() -> None:
    """Linking the same login again makes another Item with other account ids."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await plaid.link()
        first = await plaid.masks()
        await plaid.link()
        second = await plaid.masks()

    assert sorted(first.values()) == sorted(second.values())
    assert not set(first) & set(second)


async def test_repair_mends_the_same_item() -> None:
    """After a reset login everything is ITEM_LOGIN_REQUIRED until update mode ends."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        access = await plaid.link()
        await plaid.read("/sandbox/item/reset_login")
        broken = await plaid.read("/transactions/sync")
        item = await plaid.read("/item/get")
        token = await plaid.link_token(products=None, access_token=access)
        public = await running.complete(token=token)
        exchanged = await plaid.post("/item/public_token/exchange", public_token=public)
        mended = await plaid.read("/accounts/get")

    assert code(broken) == (400, "ITEM_ERROR", "ITEM_LOGIN_REQUIRED")
    assert (item.status, item.body["item"]["error"]["error_code"]) == (200, "ITEM_LOGIN_REQUIRED")
    assert access == exchanged.body["access_token"]
    assert mended.status == 200


async def test_removed_item_is_gone() -> None:
    """A removed Item is ITEM_NOT_FOUND, and a token never made is INVALID_ACCESS_TOKEN."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await plaid.link()
        await plaid.read("/item/remove")
        removed = await plaid.read("/accounts/get")
        plaid.access_token = "access-sandbox-00000000-0000-4000-8000-000000000000"
        unknown = await plaid.read("/accounts/get")

    assert code(removed) == (400, "ITEM_ERROR", "ITEM_NOT_FOUND")
    assert code(unknown) == (400, "INVALID_INPUT", "INVALID_ACCESS_TOKEN")


@pytest.mark.parametrize("count", [1, 7, 100, 500])
async def test_pages_of_any_size_hold_the_same_rows(count: int) -> None:
    """However small the pages, an update tells each row once and in the same order."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await plaid.link(transactions={"days_requested": 30})
        whole = [r["transaction_id"] async for p in plaid.pages() for r in p["added"]]
        paged = [r["transaction_id"] async for p in plaid.pages(count=count) for r in p["added"]]
        sizes = [len(p["added"]) async for p in plaid.pages(count=count)]

    assert len(whole) > 40
    assert len(set(whole)) == len(whole)
    assert whole == paged
    assert max(sizes) <= count


async def test_cursor_tells_only_what_changed() -> None:
    """Days later pending rows are removed and come back posted under new ids that name the old."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await plaid.link()
        pages = [page async for page in plaid.pages()]
        held = {row["transaction_id"]: row for page in pages for row in page["added"]}
        pending = {i for i, row in held.items() if row["pending"]}
        same_day = [p async for p in plaid.pages(pages[-1]["next_cursor"])]
        running.clock.move(days=4)
        later = [p async for p in plaid.pages(pages[-1]["next_cursor"], count=5)]
        removed = {row["transaction_id"] for page in later for row in page["removed"]}
        added = {row["transaction_id"]: row for page in later for row in page["added"]}
        modified = {row["transaction_id"]: row for page in later for row in page["modified"]}
        for gone in removed:
            del held[gone]
        assert set(modified) <= set(held)
        held |= added | modified
        fresh = {r["transaction_id"]: r async for p in plaid.pages() for r in p["added"]}

    assert same_day[0]["added"] + same_day[0]["removed"] == []
    assert pending == removed
    assert {row["pending_transaction_id"] for row in added.values()} & pending
    assert fresh == held


async def test_pages_end_when_the_data_change_meanwhile() -> None:
    """New data between two pages of one update is a mutation, and a restart succeeds."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await plaid.link()
        first = await plaid.read("/transactions/sync", count=50)
        running.clock.move(days=1)
        second = await plaid.read("/transactions/sync", count=50, cursor=first.body["next_cursor"])
        restarted = await plaid.read("/transactions/sync", count=50)

    assert code(second) == (
        400,
        "TRANSACTIONS_ERROR",
        "TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION",
    )
    assert restarted.status == 200


async def test_account_stream_is_a_stream_of_its_own() -> None:
    """An account's stream holds that account's rows, and its cursor fits no other stream."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await plaid.link(transactions={"days_requested": 30})
        account = next(iter(await plaid.masks()))
        reply = await plaid.read("/transactions/sync", count=500, options={"account_id": account})
        crossed = await plaid.read("/transactions/sync", cursor=reply.body["next_cursor"])
        foreign = await plaid.read("/transactions/sync", options={"account_id": "another"})

    assert {account} == {row["account_id"] for row in reply.body["added"]}
    assert code(crossed) == (400, "INVALID_REQUEST", "INVALID_FIELD")
    assert code(foreign) == (400, "INVALID_INPUT", "INVALID_ACCOUNT_ID")


@pytest.mark.parametrize(
    "body",
    [
        {"count": 0},
        {"count": 501},
        {"count": "5"},
        {"cursor": "no"},
        {"cursor": "A" * 257},
        {"cursor": 5},
    ],
)
async def test_sync_request_is_checked(body: dict[str, object]) -> None:
    """A count out of bounds or a cursor never given out is INVALID_FIELD."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await plaid.link()
        reply = await plaid.read("/transactions/sync", **body)

    assert code(reply) == (400, "INVALID_REQUEST", "INVALID_FIELD")


async def test_new_item_can_be_not_ready_for_a_while() -> None:
    """While data are gathered, sync is empty without cursor and get is PRODUCT_NOT_READY."""
    options = SandboxOptions(plaid_not_ready_s=30)
    async with running_sandbox(options=options) as running:
        plaid = PlaidCaller(running)
        await plaid.link()
        early = (await plaid.read("/transactions/sync")).body
        window = await plaid.read(
            "/transactions/get", start_date="2026-01-01", end_date="2026-03-01"
        )
        running.clock.move(seconds=30)
        ready = (await plaid.read("/transactions/sync")).body

    assert (
        early["transactions_update_status"],
        early["next_cursor"],
        early["added"],
    ) == ("NOT_READY", "", [])
    assert code(window) == (400, "ITEM_ERROR", "PRODUCT_NOT_READY")
    assert ready["added"]


async def test_window_and_feed_tell_the_same() -> None:
    """Reading by dates and by cursor gives the same rows within the same days."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await plaid.link()
        fed = {
            row["transaction_id"]: row
            async for page in plaid.pages()
            for row in page["added"]
            if "2026-01-10" <= row["date"] <= "2026-02-20"
        }
        got: dict[str, object] = {}
        total = 1
        while len(got) < total:
            body = (
                await plaid.read(
                    "/transactions/get",
                    start_date="2026-01-10",
                    end_date="2026-02-20",
                    options={"count": 40, "offset": len(got)},
                )
            ).body
            total = body["total_transactions"]
            got |= {row["transaction_id"]: row for row in body["transactions"]}

    assert len(fed) > 40
    assert fed == got


async def test_money_out_is_positive_with_exact_cents() -> None:
    """A purchase is positive, a salary negative, and the wire carries both decimals."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await plaid.link()
        reply = await plaid.read("/transactions/sync", count=500)
        rows = reply.body["added"]

    purchase = next(
        r for r in rows if r["personal_finance_category"]["primary"] == "FOOD_AND_DRINK"
    )
    salary = next(r for r in rows if r["personal_finance_category"]["primary"] == "INCOME")
    assert purchase["amount"] > 0 > salary["amount"]
    assert {-2} == {Decimal(row["amount"]).as_tuple().exponent for row in rows}


async def test_plaids_own_shortcut_links_a_test_user() -> None:
    """A public token can be had without a widget, at the test institution too."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        made = await plaid.post(
            "/sandbox/public_token/create",
            institution_id="ins_109508",
            initial_products=["transactions"],
        )
        exchanged = await plaid.post(
            "/item/public_token/exchange", public_token=made.body["public_token"]
        )
        plaid.access_token = exchanged.body["access_token"]
        accounts = await plaid.read("/accounts/get")

    assert accounts.body["accounts"]


async def test_published_limits_hold_when_asked_for() -> None:
    """With limits on, the sandbox's per-Item limit answers 429 with the endpoint's own code."""
    async with running_sandbox(options=SandboxOptions(enforce_limits=True)) as running:
        plaid = PlaidCaller(running)
        await plaid.link(transactions={"days_requested": 1})
        statuses = [(await plaid.read("/transactions/sync", count=1)).status for _ in range(51)]
        over = await plaid.read("/transactions/sync", count=1)
        running.clock.move(seconds=60)
        after = await plaid.read("/transactions/sync", count=1)

    assert statuses == [200] * 50 + [429]
    assert code(over) == (429, "RATE_LIMIT_EXCEEDED", "TRANSACTIONS_SYNC_LIMIT")
    assert after.status == 200


@pytest.mark.parametrize(
    ("path", "allowed", "error_code"),
    [
        ("/accounts/balance/get", 25, "BALANCE_LIMIT"),
        ("/item/get", 40, "ITEM_GET_LIMIT"),
        ("/transactions/refresh", 2, "TRANSACTIONS_REFRESH_LIMIT"),
    ],
)
async def test_each_endpoint_has_a_limit_of_its_own(
    path: str, allowed: int, error_code: str
) -> None:
    """The published number of calls a minute is answered, and the next one names the limit."""
    async with running_sandbox(options=SandboxOptions(enforce_limits=True)) as running:
        plaid = PlaidCaller(running)
        await plaid.link()
        replies = [await plaid.read(path) for _ in range(allowed + 1)]

    assert [200] * allowed == [reply.status for reply in replies[:-1]]
    assert code(replies[-1]) == (429, "RATE_LIMIT_EXCEEDED", error_code)


async def test_the_clients_own_limit_has_another_code() -> None:
    """Live balances of many Items are too many for one client, and the code says whose limit it is."""
    async with running_sandbox(options=SandboxOptions(enforce_limits=True)) as running:
        plaid = PlaidCaller(running)
        statuses = []
        for _ in range(5):
            await plaid.link()
            replies = [await plaid.read("/accounts/balance/get") for _ in range(21)]
            statuses += [reply.status for reply in replies]
        directory = {"count": 1, "offset": 0, "country_codes": ["US"]}
        listings = [await plaid.post("/institutions/get", **directory) for _ in range(11)]

    assert [200] * 100 == statuses[:100]
    assert code(replies[-1]) == (429, "RATE_LIMIT_EXCEEDED", "ACCOUNTS_BALANCE_GET_LIMIT")
    assert code(listings[-1]) == (429, "RATE_LIMIT_EXCEEDED", "INSTITUTIONS_GET_LIMIT")


async def test_unknown_path_is_not_found() -> None:
    """A path or method that Plaid does not have is its own 404."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        path = await plaid.post("/identity/get")
        method = await plaid.call("GET", "/accounts/get")

    assert code(path) == (404, "INVALID_REQUEST", "NOT_FOUND")
    assert code(method) == (404, "INVALID_REQUEST", "NOT_FOUND")
