"""Plaid's feed as the sandbox tells it: phases, corrections, mutations, cursors, refreshes."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from sandbox.options import SandboxOptions
from tests.support.sandbox import START, RunningSandbox, running_sandbox
from tests.support.vendor_callers import PlaidCaller, Reply

MUTATION = "TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION"
TODAY = START.date().isoformat()


def code(reply: Reply) -> tuple[int, str]:
    """Status and code of an error."""
    return reply.status, reply.body["error_code"]


async def update(plaid: PlaidCaller, cursor: str = "", count: int = 500) -> list[Any]:
    """All pages of an update."""
    return [page async for page in plaid.pages(cursor, count)]


def told(pages: list[Any], name: str) -> dict[str, Any]:
    """The rows of an update by their id."""
    return {row["transaction_id"]: row for page in pages for row in page[name]}


async def order(running: RunningSandbox, error_code: str, **over: object) -> None:
    """Put an error of Plaid's in force."""
    await running.put_faults(
        {"provider": "plaid", "kind": "error", "errorCode": error_code, **over}
    )


async def test_the_older_history_comes_after_the_first_batch() -> None:
    """First the last thirty days, then the rest by the same cursor; each row comes once."""
    options = SandboxOptions(plaid_not_ready_s=10, plaid_initial_s=20)
    async with running_sandbox(options=options) as running:
        plaid = PlaidCaller(running)
        await plaid.link()
        waiting = await update(plaid)
        running.clock.move(seconds=10)
        early = await update(plaid)
        running.clock.move(seconds=20)
        late = await update(plaid, early[-1]["next_cursor"])
        whole = told(await update(plaid), "added")

    statuses = [pages[-1]["transactions_update_status"] for pages in (waiting, early, late)]
    first, rest = told(early, "added"), told(late, "added")
    assert ["NOT_READY", "INITIAL_UPDATE_COMPLETE", "HISTORICAL_UPDATE_COMPLETE"] == statuses
    oldest = (START.date() - timedelta(days=30)).isoformat()
    assert min(row["authorized_date"] for row in first.values()) >= oldest
    assert max(row["authorized_date"] for row in rest.values()) < oldest
    assert whole == first | rest
    assert len(rest) > len(first) > 10


async def test_a_merchant_found_out_later_modifies_its_row() -> None:
    """A row can be told without its merchant and be modified, under its id, the day after."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await plaid.link(transactions={"days_requested": 30})
        pages = await update(plaid)
        held, corrected = told(pages, "added"), {}
        for _ in range(40):
            running.clock.move(days=1)
            pages = await update(plaid, pages[-1]["next_cursor"])
            for row_id, row in told(pages, "modified").items():
                corrected[row_id] = (held[row_id], row)
            for gone in told(pages, "removed"):
                del held[gone]
            held |= told(pages, "added") | told(pages, "modified")
        fresh = told(await update(plaid), "added")

    assert held == fresh
    assert len(corrected) > 2
    for before, after in corrected.values():
        changed = {name for name in before if before[name] != after[name]}

        assert {"merchant_name", "merchant_entity_id", "counterparties"} == changed
        assert before["merchant_name"] is None
        assert not after["pending"]


async def test_a_bank_without_pending_rows_shows_posted_ones_alone() -> None:
    """Capital One tells nothing that is pending, and so nothing that stops being so."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await plaid.link("ins_128026")
        first = await update(plaid)
        running.clock.move(days=5)
        later = await update(plaid, first[-1]["next_cursor"])
        window = await plaid.read(
            "/transactions/get", start_date="2026-03-01", end_date="2026-03-23"
        )

    rows = [*told(first, "added").values(), *told(later, "added").values()]
    assert len(told(later, "added")) > 3
    assert {(False, None)} == {
        (row["pending"], row["pending_transaction_id"])
        for row in (*rows, *window.body["transactions"])
    }
    assert {} == told(later, "removed")


async def test_an_ordered_mutation_meets_later_pages_alone() -> None:
    """A first page is what a restart asks for, so it is answered; the next one finds new data."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await plaid.link()
        await order(running, MUTATION)
        first = await plaid.read("/transactions/sync", count=100)
        second = await plaid.read("/transactions/sync", count=100, cursor=first.body["next_cursor"])
        whole = await plaid.read("/transactions/sync", count=500)
        await running.clear_faults()
        restarted = await update(plaid, count=100)

    assert (first.status, whole.status) == (200, 200)
    assert code(second) == (400, MUTATION)
    assert len(restarted) > 3


async def test_an_ordered_wait_shows_in_the_data() -> None:
    """A sync of data not ready is an empty success, whatever other endpoints say."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await plaid.link()
        await order(running, "PRODUCT_NOT_READY")
        reply = await plaid.read("/transactions/sync")
        window = await plaid.read(
            "/transactions/get", start_date="2026-01-01", end_date="2026-03-01"
        )

    assert (reply.body["transactions_update_status"], reply.body["next_cursor"]) == (
        "NOT_READY",
        "",
    )
    assert code(window) == (400, "PRODUCT_NOT_READY")


async def test_a_cursor_can_be_too_old() -> None:
    """A cursor is taken for as long as the sandbox was told, and then refused as a foreign one."""
    async with running_sandbox(options=SandboxOptions(plaid_cursor_days=365)) as running:
        plaid = PlaidCaller(running)
        await plaid.link(transactions={"days_requested": 1})
        cursor = (await update(plaid))[-1]["next_cursor"]
        running.clock.move(days=365)
        old = await plaid.read("/transactions/sync", cursor=cursor)
        running.clock.move(days=1)
        too_old = await plaid.read("/transactions/sync", cursor=cursor)

    assert old.status == 200
    assert code(too_old) == (400, "INVALID_FIELD")


async def test_another_items_cursor_is_refused() -> None:
    """A cursor goes with its Item, even of the same login."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await plaid.link(transactions={"days_requested": 1})
        cursor = (await update(plaid))[-1]["next_cursor"]
        await plaid.link(transactions={"days_requested": 1})
        reply = await plaid.read("/transactions/sync", cursor=cursor)

    assert code(reply) == (400, "INVALID_FIELD")


async def test_the_cursor_of_now_skips_what_there_is() -> None:
    """Whoever moves over from reading by dates begins with what comes next."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await plaid.link()
        now = (await plaid.read("/transactions/sync", cursor="now")).body
        running.clock.move(days=3)
        later = told(await update(plaid, now["next_cursor"]), "added")

    assert (now["added"], now["has_more"]) == ([], False)
    assert later
    assert all(row["date"] > "2026-03-18" for row in later.values())


async def test_how_much_history_there_is_is_chosen_once() -> None:
    """The first reading of an Item may say how far back; later ones change nothing."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        public = await plaid.post(
            "/sandbox/public_token/create",
            institution_id="ins_56",
            initial_products=["transactions"],
        )
        plaid.access_token = (
            await plaid.post(
                "/item/public_token/exchange", public_token=public.body["public_token"]
            )
        ).body["access_token"]
        options = [{"days_requested": 10}, {"days_requested": 700}]
        sizes = [
            len((await plaid.read("/transactions/sync", count=500, options=one)).body["added"])
            for one in options
        ]

    assert sizes[0] == sizes[1] > 5


async def test_data_stay_old_until_they_are_asked_for() -> None:
    """A Plaid that reads no bank by itself shows new movements once a refresh is done."""
    options = SandboxOptions(plaid_pulls_itself=False, plaid_refresh_s=20)
    async with running_sandbox(options=options) as running:
        plaid = PlaidCaller(running)
        await plaid.link()
        cursor = (await update(plaid))[-1]["next_cursor"]
        running.clock.move(days=5)
        before = await plaid.read("/item/get")
        unasked = await update(plaid, cursor)
        await plaid.read("/transactions/refresh")
        running.clock.move(seconds=19)
        early = await update(plaid, cursor)
        running.clock.move(seconds=1)
        after = await plaid.read("/item/get")
        late = await update(plaid, cursor)

    def updated(reply: Reply) -> str:
        return str(reply.body["status"]["transactions"]["last_successful_update"])

    assert {} == told(unasked, "added") == told(early, "added")
    assert told(late, "added")
    assert ("2026-03-18T15:30:00Z", "2026-03-23T15:30:20Z") == (updated(before), updated(after))


async def dynamic(running: RunningSandbox) -> PlaidCaller:
    """An Item of the test user whose transactions can be made up."""
    plaid = PlaidCaller(running)
    public = await plaid.post(
        "/sandbox/public_token/create",
        institution_id="ins_109508",
        initial_products=["transactions"],
        options={"override_username": "user_transactions_dynamic"},
    )
    exchanged = await plaid.post(
        "/item/public_token/exchange", public_token=public.body["public_token"]
    )
    plaid.access_token = exchanged.body["access_token"]
    return plaid


def made_up(**over: object) -> dict[str, object]:
    """A transaction of 12.34 out of the account."""
    row = {"date_transacted": TODAY, "date_posted": TODAY, "amount": 12.34, "description": "TEA"}
    return row | over


async def test_transactions_that_are_made_up_come_by_the_cursor_once() -> None:
    """They show on the deposit account, in the feed and in the window, with Plaid's sign."""
    async with running_sandbox() as running:
        plaid = await dynamic(running)
        cursor = (await update(plaid))[-1]["next_cursor"]
        rows = [made_up(), made_up(amount=-5, description="GIFT")]
        await plaid.read("/sandbox/transactions/create", transactions=rows)
        pages = await update(plaid, cursor)
        again = await update(plaid, pages[-1]["next_cursor"])
        window = await plaid.read(
            "/transactions/get", start_date=TODAY, end_date=TODAY, options={"count": 500}
        )
        whole = await update(plaid)

    added = told(pages, "added")
    assert [(Decimal("12.34"), "TEA"), (Decimal("-5.00"), "GIFT")] == [
        (row["amount"], row["name"]) for row in added.values()
    ]
    assert {} == told(again, "added")
    assert set(added) <= {row["transaction_id"] for row in window.body["transactions"]}
    assert set(added) <= set(told(whole, "added"))


async def test_a_transaction_made_up_between_pages_is_a_mutation() -> None:
    """The loop begun before it has to be begun again."""
    async with running_sandbox() as running:
        plaid = await dynamic(running)
        first = await plaid.read("/transactions/sync", count=5)
        await plaid.read("/sandbox/transactions/create", transactions=[made_up()])
        second = await plaid.read("/transactions/sync", count=5, cursor=first.body["next_cursor"])
        whole = await update(plaid)

    assert code(second) == (400, MUTATION)
    assert "TEA" in {row["name"] for row in told(whole, "added").values()}


@pytest.mark.parametrize(
    "rows",
    [
        "TEA",
        ["TEA"],
        [made_up()] * 11,
        [made_up(date_posted="2026-03-19")],
        [made_up(date_transacted="2026-03-03", date_posted="2026-03-03")],
        [made_up(date_posted="2026-03-17")],
        [made_up(amount="12")],
        [made_up(amount=True)],
        [made_up(description="")],
        [made_up(iso_currency_code="MXN")],
    ],
)
async def test_transactions_that_are_made_up_are_checked(rows: object) -> None:
    """Too many, out of the last fourteen days, or not of their types: INVALID_FIELD."""
    async with running_sandbox() as running:
        plaid = await dynamic(running)
        reply = await plaid.read("/sandbox/transactions/create", transactions=rows)

    assert code(reply) == (400, "INVALID_FIELD")


async def test_other_users_transactions_cannot_be_made_up() -> None:
    """Only the dynamic test user's Items take them."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await plaid.link()
        reply = await plaid.read("/sandbox/transactions/create", transactions=[made_up()])

    assert code(reply) == (400, "INVALID_FIELD")
