"""Plaid's cursor feed: loops, restarts, windows, cuts and cursors."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import httpx
import pytest
from plaid_payloads import CREDENTIAL, gone, movement, sync
from scripted_vendor import ScriptedVendor, answer, failure_of, transactions_request, verdict

from orchestrator.domain import Direction


def ids(result: object) -> list[str]:
    """The vendor's ids that were told, in order."""
    return [row.provider_transaction_id for row in result.transactions]


def feed(history: list[dict[str, object]], size: int) -> Callable[[httpx.Request], httpx.Response]:
    """A vendor that pages through a history by numbered cursors."""

    def respond(request: httpx.Request) -> httpx.Response:
        at = int((loads(request).get("cursor") or "c0").removeprefix("c"))
        rows = history[at : at + size]
        end = at + len(rows)
        return answer(sync(rows, cursor=f"c{end}", more=end < len(history)))

    return respond


def loads(request: httpx.Request) -> dict[str, object]:
    """A request's JSON."""
    return httpx.Response(200, content=request.content).json()


async def test_the_sign_is_turned_so_that_money_out_is_negative() -> None:
    """Plaid's positive amount leaves the account."""
    body = sync([movement("t1", amount=12.34), movement("t2", amount=-5), movement("t3", amount=0)])
    vendor = ScriptedVendor(answer(body))

    result = await vendor.plaid().sync_transactions(transactions_request(CREDENTIAL))

    assert [
        (Decimal("-12.34"), Direction.OUT),
        (Decimal(5), Direction.IN),
        (Decimal(0), Direction.UNKNOWN),
    ] == [(row.amount, row.direction) for row in result.transactions]


async def test_a_posted_row_names_the_pending_one_it_replaces() -> None:
    """The vendor's link from posted to pending is carried over."""
    body = sync([movement("t2", pending_transaction_id="t1", datetime="2026-03-01T10:00:00Z")])
    vendor = ScriptedVendor(answer(body))

    result = await vendor.plaid().sync_transactions(transactions_request(CREDENTIAL))

    row = result.transactions[0]
    assert row.replaces_provider_transaction_id == "t1"
    assert (
        row.description,
        row.merchant_name,
        row.category,
    ) == ("COFFEE 42", "Coffee", "food_and_drink")
    assert str(row.posted_at).replace(" ", "T") == "2026-03-01T10:00:00+00:00"


async def test_a_reading_asks_for_whole_pages_until_there_are_no_more() -> None:
    """Pages of 500 are read from cursor to cursor; the first asks without one."""
    vendor = ScriptedVendor(
        answer(sync([movement("t1")], cursor="c1", more=True)),
        answer(sync([movement("t2")], cursor="c2")),
    )

    result = await vendor.plaid().sync_transactions(transactions_request(CREDENTIAL))

    assert [(b["count"], b.get("cursor")) for b in vendor.bodies] == [(500, None), (500, "c1")]
    assert ids(result) == ["t1", "t2"]
    assert not result.has_more


async def test_a_window_tells_its_days_only_in_order_of_date_and_id() -> None:
    """Without a cursor the whole history is read, and the asked days of it are told."""
    rows = [
        movement("b", "2026-03-02"),
        movement("a", "2026-03-02"),
        movement("early", "2026-02-28"),
        movement("late", "2026-03-04"),
        movement("c", "2026-03-03"),
        movement("first", "2026-03-01"),
    ]
    vendor = ScriptedVendor(answer(sync(rows)))
    request = transactions_request(
        CREDENTIAL, start_date=date(2026, 3, 1), end_date=date(2026, 3, 3)
    )

    result = await vendor.plaid().sync_transactions(request)

    assert ids(result) == ["first", "a", "b", "c"]
    assert result.removed == ()


async def test_one_account_is_picked_out_of_the_items_feed() -> None:
    """Narrowing filters: a feed of the account's own would have cursors of its own."""
    rows = [movement("t1"), movement("t2", account_id="acc-2")]
    vendor = ScriptedVendor(
        answer(sync(rows)), answer(sync([], removed=[gone("x"), gone("y", "acc-2")]))
    )
    plaid = vendor.plaid()

    first = await plaid.sync_transactions(
        transactions_request(CREDENTIAL, provider_account_id="acc-2")
    )
    second = await plaid.sync_transactions(
        transactions_request(CREDENTIAL, provider_account_id="acc-2", cursor=first.next_cursor)
    )

    assert ids(first) == ["t2"]
    assert second.removed == ("y",)
    assert "options" not in vendor.bodies[0]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
async def test_a_cut_answer_is_continued_until_every_row_was_told_once(limit: int) -> None:
    """Walking on by the cursor tells all rows of the window, each once, in order."""
    history = [movement(f"t{n}", f"2026-03-{1 + n % 9:02d}") for n in range(10)]
    vendor = ScriptedVendor(feed(history, 4))
    plaid, told, cursor = vendor.plaid(), [], None

    for _ in range(20):
        request = transactions_request(CREDENTIAL, cursor=cursor, limit=limit)
        result = await plaid.sync_transactions(request)
        told += ids(result)
        cursor = result.next_cursor
        assert len(result.transactions) <= limit
        if not result.has_more:
            break

    expected = sorted((str(row["date"]), str(row["transaction_id"])) for row in history)
    assert [name for _, name in expected] == told


async def test_what_changes_during_a_walk_is_told_by_the_next_reading() -> None:
    """The cursor at the first loop's end is kept, so nothing falls between two answers."""
    history = [movement(f"t{n}", f"2026-03-{n:02d}") for n in range(1, 5)]
    vendor = ScriptedVendor(feed(history, 10))
    plaid = vendor.plaid()
    first = await plaid.sync_transactions(transactions_request(CREDENTIAL, limit=2))
    history.append(movement("new", "2026-03-01"))

    second = await plaid.sync_transactions(
        transactions_request(CREDENTIAL, cursor=first.next_cursor)
    )
    third = await plaid.sync_transactions(
        transactions_request(CREDENTIAL, cursor=second.next_cursor)
    )

    assert (ids(first), ids(second), ids(third)) == (["t1", "t2"], ["t3", "t4"], ["new"])


async def test_a_cursor_tells_new_changed_and_removed_rows() -> None:
    """An update's added and modified rows come together, its removed ids beside them."""
    vendor = ScriptedVendor(
        answer(sync([movement("t1")], cursor="c1")),
        answer(
            sync(
                [movement("t3"), movement("old", "2024-01-01")],
                modified=[movement("t2"), movement("t0", "2024-01-02")],
                removed=[gone("t1")],
                cursor="c2",
            )
        ),
    )
    plaid = vendor.plaid()
    first = await plaid.sync_transactions(transactions_request(CREDENTIAL))

    second = await plaid.sync_transactions(
        transactions_request(CREDENTIAL, cursor=first.next_cursor)
    )

    assert vendor.bodies[1]["cursor"] == "c1"
    assert ids(second) == ["t0", "t2", "t3"]
    assert second.removed == ("t1",)


async def test_removed_ids_are_told_once_in_a_cut_update() -> None:
    """The first answer of an update names what is gone, the next ones do not repeat it."""
    update = sync([movement("t2"), movement("t3")], removed=[gone("t1")], cursor="c2")
    vendor = ScriptedVendor(answer(sync(cursor="c1")), answer(update))
    plaid = vendor.plaid()
    start = await plaid.sync_transactions(transactions_request(CREDENTIAL))

    first = await plaid.sync_transactions(
        transactions_request(CREDENTIAL, cursor=start.next_cursor, limit=1)
    )
    second = await plaid.sync_transactions(
        transactions_request(CREDENTIAL, cursor=first.next_cursor, limit=1)
    )

    assert (first.removed, second.removed) == (("t1",), ())
    assert (ids(first), ids(second)) == (["t2"], ["t3"])
    assert (first.has_more, second.has_more) == (True, False)


async def test_a_row_added_and_lost_within_one_loop_is_not_told() -> None:
    """Pages of one loop are folded: the last word on a row counts."""
    vendor = ScriptedVendor(
        answer(sync([movement("t1"), movement("t2")], cursor="c1", more=True)),
        answer(sync(modified=[movement("t2", amount=9)], removed=[gone("t1")], cursor="c2")),
    )

    result = await vendor.plaid().sync_transactions(transactions_request(CREDENTIAL))

    assert [("t2", Decimal(-9))] == [
        (row.provider_transaction_id, row.amount) for row in result.transactions
    ]


@pytest.mark.parametrize(
    ("pages", "code"),
    [
        ([sync(cursor="c1", more=True), sync(cursor="c1", more=True)], "WRONG_SUCCESS_FROZEN"),
        ([sync(cursor="", more=True)], "WRONG_SUCCESS_FROZEN"),
        ([sync(cursor="c" * 600)], "MALFORMED"),
        ([sync([{"transaction_id": "t1"}])], "MALFORMED"),
        ([sync([movement("t1", amount=None)])], "MALFORMED"),
        ([sync([movement("t1", amount="1e99")])], "MALFORMED"),
        ([sync([movement("t1", date="2026-13-01")])], "MALFORMED"),
        ([sync([movement("t1", pending="no")])], "MALFORMED"),
        ([sync([movement("t1", datetime="yesterday")])], "MALFORMED"),
        ([sync(removed=[{}])], "MALFORMED"),
        ([{**sync(), "has_more": "false"}], "MALFORMED"),
        ([{**sync(), "added": {}}], "MALFORMED"),
    ],
)
async def test_a_feed_that_cannot_be_true_fails(pages: list[object], code: str) -> None:
    """A cursor that stands, or a row of another shape, is a failure and never a success."""
    vendor = ScriptedVendor(*(answer(page) for page in pages))

    failure = await failure_of(vendor.plaid().sync_transactions(transactions_request(CREDENTIAL)))

    assert ("provider_down", code) == (failure.error_class, failure.code)


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "[]",
        '["w1","2026-01-01",null,null,null,null,null,null]',
        '["p2",null,"2026-01-01",null,null,"2026-03-18T15:30:00+00:00",null,null]',
        '["p2","c",7,null,null,"2026-03-18T15:30:00+00:00",null,null]',
        '["p2","c","2026-01-01",null,null,"2026-03-18T15:30:00+00:00","2026-01-01",null]',
        '["p2","c","no day",null,null,"2026-03-18T15:30:00+00:00",null,null]',
        '["p2","c","2026-01-01",null,null,null,null,null]',
        '["p2","c","2026-01-01",null,null,"2026-03-18T15:30:00",null,null]',
        "[" * 100_000,
    ],
)
async def test_a_cursor_of_another_maker_is_refused_unsent(cursor: str) -> None:
    """Only what this adapter gave out is a cursor here."""
    vendor = ScriptedVendor(answer(sync()))

    failure = await failure_of(
        vendor.plaid().sync_transactions(transactions_request(CREDENTIAL, cursor=cursor))
    )

    assert verdict(failure) == ("validation", "request", "INVALID_CURSOR")
    assert vendor.requests == []


async def test_the_longest_cursor_of_the_vendor_fits_into_ours() -> None:
    """Two of Plaid's longest cursors and a position stay within 1,500 characters."""
    longest = "x" * 256
    vendor = ScriptedVendor(
        answer(sync([movement("t1")], cursor=longest)),
        answer(sync([movement("i" * 64), movement("j" * 64)], cursor="y" * 256)),
    )
    plaid = vendor.plaid()
    first = await plaid.sync_transactions(transactions_request(CREDENTIAL))

    second = await plaid.sync_transactions(
        transactions_request(CREDENTIAL, cursor=first.next_cursor, limit=1)
    )

    assert second.has_more
    assert len(second.next_cursor) <= 1500


async def test_pending_and_posted_may_stand_on_different_pages() -> None:
    """The pending id is gone and the posted row names it, wherever in the update each is told."""
    vendor = ScriptedVendor(
        answer(sync([movement("p1", pending=True)], cursor="c1")),
        answer(sync([movement("b1", pending_transaction_id="p1")], cursor="c2", more=True)),
        answer(sync(removed=[gone("p1")], cursor="c3")),
    )
    plaid = vendor.plaid()
    first = await plaid.sync_transactions(transactions_request(CREDENTIAL))

    second = await plaid.sync_transactions(
        transactions_request(CREDENTIAL, cursor=first.next_cursor)
    )

    assert [row.pending for row in first.transactions] == [True]
    assert second.removed == ("p1",)
    assert [
        (row.provider_transaction_id, row.pending, row.replaces_provider_transaction_id)
        for row in second.transactions
    ] == [("b1", False, "p1")]


async def test_a_row_modified_after_it_was_told_is_told_again() -> None:
    """A correction comes in the row's new form, under its id, and nothing is gone."""
    vendor = ScriptedVendor(
        answer(sync([movement("t1", merchant_name=None)], cursor="c1")),
        answer(sync(modified=[movement("t1", merchant_name="Coffee")], cursor="c2")),
    )
    plaid = vendor.plaid()
    first = await plaid.sync_transactions(transactions_request(CREDENTIAL))

    second = await plaid.sync_transactions(
        transactions_request(CREDENTIAL, cursor=first.next_cursor)
    )

    assert [("t1", "Coffee")] == [
        (row.provider_transaction_id, row.merchant_name) for row in second.transactions
    ]
    assert second.removed == ()


async def test_the_whole_loop_stands_behind_the_original_cursor_while_it_is_cut() -> None:
    """Every answer of a walk reads from the cursor at which its loop began."""
    update = sync([movement("t2"), movement("t3"), movement("t4")], cursor="c2")
    vendor = ScriptedVendor(answer(sync(cursor="c1")), answer(update))
    plaid = vendor.plaid()
    cursor = (await plaid.sync_transactions(transactions_request(CREDENTIAL))).next_cursor

    for _ in range(3):
        result = await plaid.sync_transactions(
            transactions_request(CREDENTIAL, cursor=cursor, limit=1)
        )
        cursor = result.next_cursor

    assert [body.get("cursor") for body in vendor.bodies] == [None, "c1", "c1", "c1"]
    assert not result.has_more


async def test_a_feed_without_end_is_bounded_by_its_rows() -> None:
    """Pages that promise more for ever end as an answer that cannot be read, in bounded memory."""
    rows = [gone(f"t{n}") for n in range(50_000)]
    numbers = iter(range(1_000_000))
    vendor = ScriptedVendor(
        lambda _request: answer(sync(removed=rows, cursor=f"c{next(numbers)}", more=True))
    )

    failure = await failure_of(vendor.plaid().sync_transactions(transactions_request(CREDENTIAL)))

    assert verdict(failure) == ("provider_down", "provider", "MALFORMED")
    assert len(vendor.requests) == 5
