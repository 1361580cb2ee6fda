"""Belvo: windows and cursors of transactions, their mapping, movements told twice."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import httpx
import pytest
from belvo_payloads import CREDENTIAL, LINK_ID, account, link, movement, page
from scripted_vendor import ScriptedVendor, answer, failure_of, transactions_request, verdict

from orchestrator.domain import Direction, TransactionCategory
from orchestrator.providers.protocol import TransactionsRead


async def read(*rows: object, **options: str) -> TransactionsRead:
    """The reading of a valid link's transactions."""
    vendor = ScriptedVendor(answer(link()), answer(page(list(rows))))
    return await vendor.belvo(**options).sync_transactions(transactions_request(CREDENTIAL))


def ids(result: TransactionsRead) -> list[str]:
    """The vendor's ids that were told, in order."""
    return [row.provider_transaction_id for row in result.transactions]


def store(rows: list[dict[str, object]]) -> Callable[[httpx.Request], httpx.Response]:
    """A vendor that lists what it stores by the filters asked for, ten rows a page."""

    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/api/links/"):
            return answer(link())
        query = request.url.params

        def passes(row: dict[str, object]) -> bool:
            return all(
                query.get(f"{name}__gte", "") <= str(row[name] or "")
                and str(row[name] or "9") <= query.get(f"{name}__lte", "99")
                and str(row[name] or "9") < query.get(f"{name}__lt", "99")
                for name in ("value_date", "accounting_date", "created_at")
            )

        found = [row for row in rows if passes(row)]
        number = int(query.get("page", "1"))
        more = number * 10 < len(found)
        following = f"{request.url.copy_set_param('page', number + 1)}" if more else None
        return answer(page(found[(number - 1) * 10 : number * 10], following, len(found)))

    return respond


async def test_the_sign_comes_from_the_type_and_is_never_guessed() -> None:
    """Without a type the amount stays unsigned and the row is flagged."""
    result = await read(
        movement("t1", type="INFLOW"), movement("t2", type="OUTFLOW"), movement("t3", type=None)
    )

    assert [(row.amount, row.direction) for row in result.transactions] == [
        (Decimal("2145.45"), Direction.IN),
        (Decimal("-2145.45"), Direction.OUT),
        (Decimal("2145.45"), Direction.UNKNOWN),
    ]


async def test_a_movement_is_mapped_with_what_there_is() -> None:
    """Currency falls back to the account's, the date to the accounting date."""
    result = await read(
        movement(
            "t1",
            None,
            accounting_date="2026-03-05T13:01:41.941Z",
            currency=None,
            status="PENDING",
            merchant={"merchant_name": "Buddha"},
            description=None,
            observations="lunch",
        ),
        movement("t2", "2026-3-7"),
        movement("t3", amount=None),
        movement("t4", None),
    )

    first, second = result.transactions
    assert (date(2026, 3, 5), "MXN", True, "Buddha", "lunch") == (
        first.date,
        first.currency,
        first.pending,
        first.merchant_name,
        first.description,
    )
    assert (date(2026, 3, 7), TransactionCategory.FOOD_AND_DRINK) == (second.date, second.category)


async def test_a_row_that_waits_for_its_amount_or_date_is_not_gone() -> None:
    """The listing that is handed on names it, or it would count as removed meanwhile."""
    result = await read(
        movement("t1", "2026-03-07", amount=None), movement("t2", None), movement("t3")
    )

    assert result.listing is not None
    assert {"t1": date(2026, 3, 7), "t2": result.listing.first_day} == {
        seen.provider_transaction_id: seen.date
        for seen in result.listing.movements
        if seen.provider_transaction_id != "t3"
    }
    assert {"t3"} == {row.provider_transaction_id for row in result.transactions}


async def test_the_window_and_account_are_asked_of_the_vendor() -> None:
    """Filters are the vendor's, by day and by booking, and held against the rows as well."""
    rows = [movement("t1"), movement("t2", account=account(id="a2")), movement("t3", "2025-01-01")]
    vendor = ScriptedVendor(answer(link()), answer(page(rows)))

    result = await vendor.belvo().sync_transactions(
        transactions_request(CREDENTIAL, provider_account_id="a2", start_date=date(2026, 2, 1))
    )

    common = {"link": LINK_ID, "page_size": "1000", "account": "a2"}
    assert [dict(request.url.params) for request in vendor.requests[1:]] == [
        {**common, "value_date__gte": "2026-02-01", "value_date__lte": "2026-03-18"},
        {**common, "accounting_date__gte": "2026-01-31", "accounting_date__lt": "2026-03-20"},
    ]
    assert ids(result) == ["t2"]


async def test_a_movement_that_tells_only_its_booking_is_not_missed() -> None:
    """Belvo's filter on the day passes no row without one, so bookings are asked for, too."""
    rows = [
        movement("t1"),
        movement("t2", None, accounting_date="2026-03-02T05:00:00Z"),
        movement("t3", None, accounting_date="2025-03-02T05:00:00Z"),
        movement("t4", None),
    ]

    result = (
        await ScriptedVendor(store(rows))
        .belvo()
        .sync_transactions(transactions_request(CREDENTIAL))
    )

    assert ids(result) == ["t1", "t2"]
    assert result.listing is not None
    assert {one.provider_transaction_id for one in result.listing.movements} == {"t1", "t2"}


@pytest.mark.parametrize("limit", [1, 7, 30, 1000])
async def test_a_cut_answer_is_continued_until_every_row_was_told_once(limit: int) -> None:
    """Walking on by the cursor tells all rows of the window, each once, in order."""
    rows = [movement(f"t{n:02d}", f"2026-03-{1 + n % 12:02d}") for n in range(33)]
    belvo, told, cursor = ScriptedVendor(store(rows)).belvo(), [], None

    for _ in range(40):
        result = await belvo.sync_transactions(
            transactions_request(CREDENTIAL, cursor=cursor, limit=limit)
        )
        told += ids(result)
        cursor = result.next_cursor
        if not result.has_more:
            break

    assert told == [
        name for _, name in sorted((str(row["value_date"]), str(row["id"])) for row in rows)
    ]


async def test_a_cursor_asks_for_what_was_written_since_an_hour_before_it() -> None:
    """`created_at` moves when a record is rewritten, which is how changes are found."""
    rows = [movement("t1"), movement("t2", "2026-03-15"), movement("early", "2026-01-02")]
    vendor = ScriptedVendor(store(rows))
    belvo = vendor.belvo()
    first = await belvo.sync_transactions(transactions_request(CREDENTIAL))
    rows[1] |= {"created_at": "2026-03-18T14:45:00Z", "status": "PENDING"}
    rows[2] |= {"created_at": "2026-03-19T00:00:00Z"}
    rows.append(movement("old", "2024-03-15", created_at="2026-03-19T00:00:00Z"))

    second = await belvo.sync_transactions(
        transactions_request(CREDENTIAL, cursor=first.next_cursor, limit=1)
    )
    third = await belvo.sync_transactions(
        transactions_request(CREDENTIAL, cursor=second.next_cursor)
    )

    asked = [dict(request.url.params) for request in vendor.requests[4:7]]
    assert [one.get("value_date__gte") for one in asked] == ["2026-03-04", None, None]
    assert asked[2]["created_at__gte"] == "2026-03-18T14:30:00Z"
    assert (ids(second), second.has_more) == (["early"], True)
    assert (ids(third), third.has_more) == (["t2"], False)


async def test_a_listing_after_a_cursor_is_whole() -> None:
    """Unchanged rows of the last two weeks stand in it, so one that is gone shows by its absence."""
    rows = [movement("t1", "2026-03-10"), movement("t2", "2026-03-12"), movement("old")]
    belvo = ScriptedVendor(store(rows)).belvo()
    first = await belvo.sync_transactions(transactions_request(CREDENTIAL))
    rows[:] = [movement("t2", "2026-03-12"), movement("old")]

    second = await belvo.sync_transactions(
        transactions_request(CREDENTIAL, cursor=first.next_cursor)
    )

    assert (ids(second), second.removed) == ([], ())
    assert second.listing is not None
    assert second.listing.first_day == date(2026, 3, 4)
    assert [one.provider_transaction_id for one in second.listing.movements] == ["t2"]


async def test_old_data_prove_nothing_about_what_is_gone() -> None:
    """A listing of a broken link is handed on to nobody."""
    vendor = ScriptedVendor(answer(link("invalid")), answer(page([movement("t1")])))

    result = await vendor.belvo().sync_transactions(
        transactions_request(CREDENTIAL, allow_stale=True)
    )

    assert (ids(result), result.stale, result.listing) == (["t1"], True, None)


TWICE = [
    movement("t1", collected_at="2026-03-02T00:00:00Z", status="PENDING"),
    movement("t2", collected_at="2026-03-09T00:00:00Z"),
    movement("t3", collected_at="2026-03-09T00:00:00Z"),
    movement("t4", collected_at="2026-03-02T00:00:00Z", amount=9.5),
    movement("t5", collected_at="2026-03-02T00:00:00Z", internal_identification="x"),
]


@pytest.mark.parametrize(
    ("movement_ids", "kept"),
    [("lasting", ["t1", "t2", "t3", "t4", "t5"]), ("per_retrieval", ["t2", "t3", "t4", "t5"])],
)
async def test_a_movement_read_twice_is_told_once_where_ids_do_not_last(
    movement_ids: str, kept: list[str]
) -> None:
    """Of equal rows the latest reading's are kept, both where it saw two; by default ids decide."""
    assert ids(await read(*TWICE, movement_ids=movement_ids)) == kept


@pytest.mark.parametrize(
    "wrong",
    [{"collected_at": "soon"}, {"reference": 7}, {"account": None}, {"amount": [1]}],
)
async def test_a_row_of_another_shape_is_malformed_before_it_is_compared(
    wrong: dict[str, object],
) -> None:
    """Looking for movements that were told twice trusts nothing."""
    belvo = ScriptedVendor(answer(link()), answer(page([movement("t1", **wrong)]))).belvo(
        movement_ids="per_retrieval"
    )

    failure = await failure_of(belvo.sync_transactions(transactions_request(CREDENTIAL)))

    assert verdict(failure) == ("provider_down", "provider", "MALFORMED")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"results": [], "next": 7, "count": 0},
        {"results": {}, "next": None, "count": 0},
        {"results": [], "next": None, "count": "0"},
        page([{**movement("t1"), "id": None}]),
        page([movement("t1", account=None)]),
        page([movement("t1", account="a1")]),
        page([movement("t1", amount=[])]),
        page([movement("t1", value_date="soon")]),
        page([movement("t1", merchant="Buddha")]),
        page([None]),
    ],
)
async def test_another_shape_is_malformed(body: object) -> None:
    """A required field that is missing or of another type makes the answer unreadable."""
    vendor = ScriptedVendor(answer(link()), answer(body))

    failure = await failure_of(vendor.belvo().sync_transactions(transactions_request(CREDENTIAL)))

    assert verdict(failure) == ("provider_down", "provider", "MALFORMED")
