"""Plaid's Items, link sessions and directory as the sandbox has them."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.options import SandboxOptions
from tests.support.sandbox import START, running_sandbox
from tests.support.vendor_callers import PlaidCaller, Reply

COUNTRY = {"country_codes": ["US"]}


def code(reply: Reply) -> tuple[int, str]:
    """Status and code of an error."""
    return reply.status, reply.body["error_code"]


async def test_a_replaced_access_token_opens_nothing_any_more(tmp_path: Path) -> None:
    """The new token takes the old one's place at once, and after a restart too."""
    state = tmp_path / "links.jsonl"
    async with running_sandbox(state_file=state) as running:
        plaid = PlaidCaller(running)
        old = await plaid.link()
        new = (await plaid.read("/item/access_token/invalidate")).body["new_access_token"]
    async with running_sandbox(state_file=state) as again:
        plaid.running = again
        refused = await plaid.read("/accounts/get")
        plaid.access_token = new
        taken = await plaid.read("/accounts/get")

    assert old != new
    assert code(refused) == (400, "INVALID_ACCESS_TOKEN")
    assert taken.status == 200


@pytest.mark.parametrize("reusable", [False, True])
async def test_whether_a_public_token_works_twice_can_be_chosen(*, reusable: bool) -> None:
    """Plaid does not say; the same token never makes two Items."""
    options = SandboxOptions(plaid_public_token_reuse=reusable)
    async with running_sandbox(options=options) as running:
        plaid = PlaidCaller(running)
        public = await running.complete(token=await plaid.link_token())
        first = await plaid.post("/item/public_token/exchange", public_token=public)
        second = await plaid.post("/item/public_token/exchange", public_token=public)
        running.clock.move(seconds=1801)
        late = await plaid.post("/item/public_token/exchange", public_token=public)

    if reusable:
        assert (first.body["access_token"], first.body["item_id"]) == (
            second.body["access_token"],
            second.body["item_id"],
        )
    else:
        assert code(second) == (400, "INVALID_PUBLIC_TOKEN")
    assert code(late) == (400, "INVALID_PUBLIC_TOKEN")


async def test_a_hosted_page_is_served_for_as_long_as_was_asked() -> None:
    """Half an hour unless told otherwise; its result is found by the link token."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        made = [
            await plaid.post(
                "/link/token/create",
                client_name="Test",
                language="en",
                **COUNTRY,
                products=["transactions"],
                user={"client_user_id": "u"},
                institution_id="ins_56",
                hosted_link=hosted,
            )
            for hosted in ({}, {"url_lifetime_seconds": 7200})
        ]
        running.clock.move(seconds=1800)
        urls = [reply.body["hosted_link_url"] for reply in made]
        ended = await plaid.call(
            "POST", f"{running.base_url}/_control/complete", {"linkUrl": urls[0]}
        )
        public = await running.complete(url=urls[1])
        looked_up = await plaid.post("/link/token/get", link_token=made[1].body["link_token"])

    assert ended.status == 410
    results = looked_up.body["link_sessions"][0]["results"]["item_add_results"]
    assert [public] == [result["public_token"] for result in results]


async def test_an_unknown_link_token_is_refused() -> None:
    """A link token that was never made is INVALID_LINK_TOKEN."""
    async with running_sandbox() as running:
        reply = await PlaidCaller(running).post("/link/token/get", link_token="link-sandbox-x")

    assert code(reply) == (400, "INVALID_LINK_TOKEN")


async def balances(running: Any, path: str, **options: object) -> Reply:
    """Balances of a login at Capital One that has cards."""
    plaid = PlaidCaller(running)
    public = await running.complete(token=await plaid.link_token("ins_128026"), user="user-3")
    exchanged = await plaid.post("/item/public_token/exchange", public_token=public)
    plaid.access_token = exchanged.body["access_token"]
    return await plaid.read(path, options=options)


@pytest.mark.parametrize(
    ("options", "error_code"),
    [
        ({}, "INVALID_FIELD"),
        ({"min_last_updated_datetime": "2026-03-01"}, "INVALID_FIELD"),
        ({"min_last_updated_datetime": "soon"}, "INVALID_FIELD"),
        (
            {"min_last_updated_datetime": "2026-03-18T15:30:01Z"},
            "LAST_UPDATED_DATETIME_OUT_OF_RANGE",
        ),
        ({"min_last_updated_datetime": "2026-03-18T15:30:00Z"}, None),
    ],
)
async def test_cards_without_live_balances_want_to_know_how_old_they_may_be(
    options: dict[str, object], error_code: str | None
) -> None:
    """Capital One's cards have cached balances only, and an age has to be taken for them."""
    async with running_sandbox() as running:
        reply = await balances(running, "/accounts/balance/get", **options)

    if error_code is None:
        assert reply.status == 200
    else:
        assert code(reply) == (400, error_code)


async def test_live_balances_are_of_now() -> None:
    """Cached balances are as old as the last reading of the bank, live ones are not."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await plaid.link()
        running.clock.move(days=1)
        cached = await plaid.read("/accounts/get")
        live = await plaid.read("/accounts/balance/get")

    def times(reply: Reply) -> set[str]:
        return {row["balances"]["last_updated_datetime"] for row in reply.body["accounts"]}

    assert (times(cached), times(live)) == ({"2026-03-19T00:00:00Z"}, {"2026-03-19T15:30:00Z"})


@pytest.mark.parametrize(("bank", "timed"), [("ins_56", False), ("ins_128026", True)])
async def test_which_balances_have_a_time_can_be_chosen(bank: str, *, timed: bool) -> None:
    """Plaid's document promises a time at Capital One alone."""
    options = SandboxOptions(plaid_balance_times="capital_one")
    async with running_sandbox(options=options) as running:
        plaid = PlaidCaller(running)
        await plaid.link(bank)
        reply = await plaid.read("/accounts/get")

    assert {timed} == {
        row["balances"]["last_updated_datetime"] is not None for row in reply.body["accounts"]
    }


async def test_accounts_can_be_narrowed() -> None:
    """Only the named accounts are answered, and an unknown one is refused."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await plaid.link()
        wanted = next(iter(await plaid.masks()))
        replies = [
            await plaid.read(path, options={"account_ids": [wanted]})
            for path in ("/accounts/get", "/accounts/balance/get")
        ]
        unknown = await plaid.read("/accounts/get", options={"account_ids": ["x"]})

    assert [[wanted], [wanted]] == [
        [row["account_id"] for row in reply.body["accounts"]] for reply in replies
    ]
    assert code(unknown) == (400, "INVALID_ACCOUNT_ID")


@pytest.mark.parametrize(
    ("path", "body", "error_code"),
    [
        ("/accounts/get", {"options": {"ids": []}}, "UNKNOWN_FIELDS"),
        ("/accounts/get", {"options": []}, "INVALID_FIELD"),
        ("/accounts/get", {"options": {"account_ids": "x"}}, "INVALID_FIELD"),
        ("/accounts/get", {"cursor": "x"}, "UNKNOWN_FIELDS"),
        ("/transactions/sync", {"options": {"count": 5}}, "UNKNOWN_FIELDS"),
        (
            "/transactions/sync",
            {"options": {"include_original_description": "yes"}},
            "INVALID_FIELD",
        ),
        ("/transactions/sync", {"options": {"days_requested": 731}}, "INVALID_FIELD"),
        ("/transactions/get", {"start_date": "2026-01-01"}, "MISSING_FIELDS"),
        (
            "/transactions/get",
            {"start_date": "2026-01-02", "end_date": "2026-01-01"},
            "INVALID_FIELD",
        ),
        ("/transactions/get", {"start_date": "x", "end_date": "2026-01-01"}, "INVALID_FIELD"),
        ("/item/remove", {"reason_code": "BORED"}, "INVALID_FIELD"),
        ("/item/remove", {"reason_note": "x" * 513}, "INVALID_FIELD"),
        ("/item/webhook/update", {"webhook": "ftp://a.test"}, "INVALID_FIELD"),
        ("/sandbox/item/fire_webhook", {}, "MISSING_FIELDS"),
        ("/sandbox/item/fire_webhook", {"webhook_code": "HELLO"}, "INVALID_FIELD"),
        ("/sandbox/transactions/create", {}, "MISSING_FIELDS"),
    ],
)
async def test_bodies_are_held_against_the_documented_fields(
    path: str, body: dict[str, object], error_code: str
) -> None:
    """Unknown, missing and mistyped fields are refused, inside of `options` too."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await plaid.link()
        reply = await plaid.read(path, **body)

    assert code(reply) == (400, error_code)


async def test_the_directory_lists_a_part_at_a_time() -> None:
    """Banks of the asked countries come in one order, with their number."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        whole = (await plaid.post("/institutions/get", count=500, offset=0, **COUNTRY)).body
        parts = [
            (await plaid.post("/institutions/get", count=2, offset=n, **COUNTRY)).body
            for n in range(0, whole["total"], 2)
        ]
        french = await plaid.post("/institutions/get", count=5, offset=0, country_codes=["FR"])
        with_loans = await plaid.post(
            "/institutions/get", count=5, offset=0, **COUNTRY, options={"products": ["liabilities"]}
        )

    assert whole["total"] == len(whole["institutions"]) > 4
    assert whole["institutions"] == [row for part in parts for row in part["institutions"]]
    assert (french.body["total"], with_loans.body["total"]) == (0, 0)


@pytest.mark.parametrize(
    ("body", "error_code"),
    [
        ({"count": 5, **COUNTRY}, "MISSING_FIELDS"),
        ({"count": 501, "offset": 0, **COUNTRY}, "INVALID_FIELD"),
        ({"count": 5, "offset": 0, "country_codes": ["MX"]}, "INVALID_FIELD"),
        (
            {"count": 5, "offset": 0, **COUNTRY, "options": {"products": ["money"]}},
            "INVALID_FIELD",
        ),
    ],
)
async def test_a_request_for_the_directory_is_checked(
    body: dict[str, object], error_code: str
) -> None:
    """Counts, countries and products have to be documented ones."""
    async with running_sandbox() as running:
        reply = await PlaidCaller(running).post("/institutions/get", **body)

    assert code(reply) == (400, error_code)


async def test_an_ordered_error_is_answered_with_its_own_code() -> None:
    """A code of Plaid's pages, a code yet to come by its type, and a bare status."""
    replies = []
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await plaid.link()
        for error_code in ("ITEM_LOCKED", "INSTITUTION_ERROR", "HTTP_503"):
            await running.put_faults(
                {"provider": "plaid", "kind": "error", "errorCode": error_code}
            )
            replies.append(await plaid.read("/accounts/get"))

    known, new, bare = replies
    assert (known.body["error_type"], known.body["error_code"]) == ("ITEM_ERROR", "ITEM_LOCKED")
    assert (new.body["error_type"], new.body["error_code"]) == (
        "INSTITUTION_ERROR",
        "INSTITUTION_ERROR",
    )
    assert (bare.status, bare.raw) == (503, b"")


async def test_a_test_users_history_can_be_asked_for() -> None:
    """The shortcut takes the first day of the history, as the widget's request takes its length."""
    start = (START.date() - timedelta(days=20)).isoformat()
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        public = await plaid.post(
            "/sandbox/public_token/create",
            institution_id="ins_56",
            initial_products=["transactions"],
            options={"transactions": {"start_date": start}},
        )
        exchanged = await plaid.post(
            "/item/public_token/exchange", public_token=public.body["public_token"]
        )
        plaid.access_token = exchanged.body["access_token"]
        rows = (await plaid.read("/transactions/sync", count=500)).body["added"]

    assert rows
    assert min(row["authorized_date"] for row in rows) >= start
