"""Finicity's movements: records by number, text flags, signs, shadows, windows and cursors."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import httpx
import pytest
from finicity_payloads import (
    ACCOUNT_ID,
    CREDENTIAL,
    CUSTOMER_ID,
    account,
    accounts,
    error,
    movement,
    never_read,
    page,
)
from scripted_vendor import (
    NOW,
    TODAY,
    ScriptedVendor,
    answer,
    failure_of,
    transactions_request,
    verdict,
)

from orchestrator.domain import Direction, ProviderTransaction, TransactionCategory
from orchestrator.providers.protocol import TransactionsRead

OTHER_ID = "5011648378"
WELL = answer(accounts(account()))
LISTING = f"GET /aggregation/v4/customers/{CUSTOMER_ID}/accounts/{ACCOUNT_ID}/transactions"


async def read(
    *rows: object, account_over: dict[str, object] | None = None, **options: str
) -> TransactionsRead:
    """The reading of one account with these rows."""
    vendor = ScriptedVendor(
        answer(accounts(account(**(account_over or {})))), answer(page(list(rows)))
    )
    return await vendor.finicity(**options).sync_transactions(transactions_request(CREDENTIAL))


def ids(result: TransactionsRead) -> list[str]:
    """The vendor's own ids that were told, without their account's."""
    return [row.provider_transaction_id.split("-")[1] for row in result.transactions]


class Store:
    """A vendor that lists what it stores within the asked window, `size` rows a page."""

    def __init__(self, *rows: dict[str, object], size: int = 10) -> None:
        self.rows = list(rows)
        self.size = size

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer an authentication, a reading of accounts, or a page of movements."""
        if request.url.path.endswith("/authentication"):
            return answer({"token": "fresh"})
        if request.url.path.endswith("/institutionLogins/1007302745/accounts"):
            return WELL
        query = request.url.params
        assert query["sort"] == "asc"
        assert query["includePending"] == "true"
        first, last = int(query["fromDate"]), int(query["toDate"])
        found = [row for row in self.rows if first <= int(str(row["transactionDate"])) <= last]
        start = int(query["start"]) - 1
        shown = found[start : start + self.size]
        more = str(start + self.size < len(found)).lower()
        return answer(page(list(shown), found=len(found), more=more))


async def test_a_movement_is_mapped_with_what_there_is() -> None:
    """Ids are unique across accounts, times are days, the currency is the account's."""
    (row,) = (
        await read(
            movement(7, memo="STORE 9", currencySymbol="EUR", postedDate=1_772_539_200),
            account_over={"currency": "CAD"},
        )
    ).transactions

    assert row == ProviderTransaction(
        provider_transaction_id=f"{ACCOUNT_ID}-7",
        provider_account_id=ACCOUNT_ID,
        date=date(2026, 3, 1),
        posted_at=datetime(2026, 3, 3, 12, tzinfo=UTC),
        authorized_date=date(2026, 3, 1),
        amount=Decimal("-61.11"),
        direction=Direction.OUT,
        currency="CAD",
        description="COFFEE 42 STORE 9",
        merchant_name="Coffee",
        category=TransactionCategory.FOOD_AND_DRINK,
        pending=False,
    )


@pytest.mark.parametrize(
    ("told", "category"),
    [
        ({"category": "Groceries"}, "food_and_drink"),
        ({"category": "Interplanetary Fuel"}, "other"),
        ({}, None),
        (None, None),
    ],
)
async def test_categories_are_ours(told: object, category: str | None) -> None:
    """What is told and not known here is other; what is not told is none."""
    (row,) = (await read(movement(1, categorization=told))).transactions

    assert category == row.category


@pytest.mark.parametrize(
    ("over", "day"),
    [
        ({"transactionDate": None}, date(2026, 3, 4)),
        ({"transactionDate": 0}, date(2026, 3, 4)),
        ({"transactionDate": None, "postedDate": None}, date(2026, 3, 5)),
        (
            {"transactionDate": None, "postedDate": None, "effectiveDate": None},
            date(2026, 3, 6),
        ),
    ],
)
async def test_a_missing_date_falls_back_to_the_next(over: dict[str, object], day: date) -> None:
    """Only the day on which Finicity had a row first is always there."""
    dates = {
        "postedDate": 1_772_625_600,
        "effectiveDate": 1_772_712_000,
        "createdDate": 1_772_798_400,
    }

    result = await read(movement(1, **(dates | over)))

    assert [day] == [row.date for row in result.transactions]


async def test_a_movement_without_an_amount_waits_until_it_has_one() -> None:
    """It is told once the vendor filled it in."""
    result = await read(movement(1, amount=None), movement(2))

    assert ["2"] == ids(result)


@pytest.mark.parametrize(
    ("kind", "option", "value", "amount"),
    [
        ("checking", "card_sign", "reversed", "-61.11"),
        ("creditCard", "card_sign", "as_is", "-61.11"),
        ("creditCard", "card_sign", "reversed", "61.11"),
        ("lineOfCredit", "card_sign", "reversed", "61.11"),
        ("creditCard", "investment_sign", "reversed", "-61.11"),
        ("brokerageAccount", "investment_sign", "as_is", "-61.11"),
        ("brokerageAccount", "investment_sign", "reversed", "61.11"),
        ("401k", "investment_sign", "reversed", "61.11"),
        ("mortgage", "card_sign", "reversed", "-61.11"),
    ],
)
async def test_the_sign_goes_by_the_kind_of_account(
    kind: str, option: str, value: str, amount: str
) -> None:
    """Finicity's documents contradict each other on cards and investments: a setting each."""
    result = await read(movement(1), account_over={"type": kind}, **{option: value})

    (row,) = result.transactions
    assert Decimal(amount) == row.amount
    assert (row.direction is Direction.IN) == (row.amount > 0)


@pytest.mark.parametrize("sign", ["as_is", "reversed"])
async def test_nothing_moved_has_no_direction(sign: str) -> None:
    """And zero has no sign."""
    result = await read(movement(1, amount=0), account_over={"type": "creditCard"}, card_sign=sign)

    (row,) = result.transactions
    assert (row.direction, str(row.amount)) == (Direction.UNKNOWN, "0")


async def test_status_decides_what_is_pending() -> None:
    """A pending row has no time of posting, whatever stands there."""
    result = await read(movement(1, status="pending"), movement(2), movement(3, status="new"))

    assert [True, False, False] == [row.pending for row in result.transactions]
    assert [None, False] == [
        result.transactions[0].posted_at,
        result.transactions[1].posted_at is None,
    ]


@pytest.mark.parametrize("more", ["true", True])
async def test_records_are_counted_from_one_and_all_read(more: object) -> None:
    """The next page begins after the records that came; the flag is a text, or a boolean."""
    first, second = [movement(1, 1), movement(2, 2)], [movement(3, 3)]
    last: object = "false" if more == "true" else False
    vendor = ScriptedVendor(
        WELL, answer(page(first, found=3, more=more)), answer(page(second, found=3, more=last))
    )

    result = await vendor.finicity().sync_transactions(transactions_request(CREDENTIAL))

    assert [LISTING, LISTING] == vendor.paths[1:]
    asked = [request.url.params for request in vendor.requests[1:]]
    assert ["1", "3"] == [query["start"] for query in asked]
    assert {("1000", "asc", "true")} == {
        (query["limit"], query["sort"], query["includePending"]) for query in asked
    }
    assert asked[0]["toDate"] == asked[1]["toDate"]
    assert ["1", "2", "3"] == ids(result)


async def test_the_window_is_asked_with_days_to_spare() -> None:
    """A day before, and a week after in which a movement may still be posted."""
    vendor = ScriptedVendor(WELL, answer(page([movement(1, 1), movement(2, 2), movement(9, 9)])))

    result = await vendor.finicity().sync_transactions(
        transactions_request(CREDENTIAL, start_date=date(2026, 3, 2), end_date=date(2026, 3, 8))
    )

    query = vendor.requests[1].url.params
    assert datetime(2026, 3, 1, tzinfo=UTC).timestamp() == int(query["fromDate"])
    assert int(query["toDate"]) == int(datetime(2026, 3, 15, 23, 59, 59, tzinfo=UTC).timestamp())
    assert ["2"] == ids(result)


async def test_the_edges_of_the_calendar_can_be_asked_for() -> None:
    """No date of a request is beyond what can be sent."""
    vendor = ScriptedVendor(WELL, answer(page([])))

    await vendor.finicity().sync_transactions(
        transactions_request(CREDENTIAL, start_date=date.min, end_date=date.max)
    )

    query = vendor.requests[1].url.params
    assert (query["fromDate"], int(query["toDate"]) > 10**11) == ("0", True)


async def test_each_account_is_read_for_itself() -> None:
    """One listing an account; rows that say to be of another are dropped."""
    strays = [movement(1), movement(2, accountId=9)]
    vendor = ScriptedVendor(
        answer(accounts(account(), account(OTHER_ID), never_read("7"))),
        answer(page(strays)),
        answer(page([movement(1, accountId=OTHER_ID)])),
    )

    result = await vendor.finicity().sync_transactions(transactions_request(CREDENTIAL))

    assert [f"{ACCOUNT_ID}-1", f"{OTHER_ID}-1"] == [
        row.provider_transaction_id for row in result.transactions
    ]
    assert len(vendor.requests) == 3


async def test_one_account_costs_one_listing() -> None:
    """What was not asked for is not read."""
    vendor = ScriptedVendor(
        answer(accounts(account(), account(OTHER_ID))), answer(page([movement(1)]))
    )

    result = await vendor.finicity().sync_transactions(
        transactions_request(CREDENTIAL, provider_account_id=ACCOUNT_ID)
    )

    assert (len(vendor.requests), ids(result)) == (2, ["1"])
    assert result.listing is not None
    assert (ACCOUNT_ID,) == result.listing.provider_account_ids


async def test_an_account_that_is_not_listed_takes_no_movements_with_it() -> None:
    """Of an account that is away, or not shared, nothing is known: the listing is of the others."""
    vendor = ScriptedVendor(
        answer(accounts(account(), never_read("7"))), answer(page([movement(1)]))
    )

    result = await vendor.finicity().sync_transactions(transactions_request(CREDENTIAL))

    assert result.listing is not None
    assert (ACCOUNT_ID,) == result.listing.provider_account_ids


async def test_a_row_that_waits_for_its_amount_or_date_is_not_gone() -> None:
    """The listing that is handed on names it, or it would count as removed meanwhile."""
    undated = dict.fromkeys(("transactionDate", "postedDate", "effectiveDate", "createdDate"))
    result = await read(movement(1, amount=None), movement(2, **undated), movement(3))

    assert result.listing is not None
    assert ["3"] == ids(result)
    assert [date(2026, 3, 1), date(2025, 12, 18), date(2026, 3, 1)] == [
        seen.date for seen in result.listing.movements
    ]


async def test_rows_that_move_between_pages_are_read_again() -> None:
    """Fewer than are counted: once more, and only then a wrong success."""
    short = page([movement(1)], found=2)
    vendor = ScriptedVendor(WELL, answer(short), answer(page([movement(1), movement(2)])))

    result = await vendor.finicity().sync_transactions(transactions_request(CREDENTIAL))
    twice = ScriptedVendor(WELL, answer(short), answer(short))
    failure = await failure_of(twice.finicity().sync_transactions(transactions_request(CREDENTIAL)))

    assert ["1", "2"] == ids(result)
    assert verdict(failure) == ("provider_down", "institution", "WRONG_SUCCESS_TRUNCATED")
    assert len(twice.requests) == 3


@pytest.mark.parametrize("rows", [[movement(1)], []])
async def test_a_listing_that_stands_is_noticed(rows: list[object]) -> None:
    """More is promised and nothing new comes."""
    vendor = ScriptedVendor(WELL, answer(page(rows, found=5, more="true")))

    failure = await failure_of(
        vendor.finicity().sync_transactions(transactions_request(CREDENTIAL))
    )

    assert verdict(failure) == ("provider_down", "institution", "WRONG_SUCCESS_FROZEN")


@pytest.mark.parametrize("more", ["no", "", None, 1, []])
async def test_a_flag_of_no_meaning_is_malformed(more: object) -> None:
    """`"false"` is false, and what is neither is not guessed at."""
    vendor = ScriptedVendor(WELL, answer(page([movement(1)], more=more)))

    failure = await failure_of(
        vendor.finicity().sync_transactions(transactions_request(CREDENTIAL))
    )

    assert verdict(failure) == ("provider_down", "provider", "MALFORMED")


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        (error(103), 500, ("auth", "connection", "103")),
        (error(910), 500, ("provider_down", "institution", "910")),
        (error(403), 500, ("auth", "connection", "403")),
        (error("38003"), 404, ("auth", "connection", "38003")),
        (error(331), 408, ("auth", "connection", "331")),
        (error(44002), 202, ("provider_down", "connection", "44002")),
        (error("41003"), 400, ("validation", "request", "41003")),
        (error("403"), 403, ("auth", "client", "HTTP_403")),
        (None, 500, ("provider_down", "provider", "HTTP_500")),
    ],
)
async def test_errors_go_by_their_code(
    body: object, status: int, expected: tuple[str, str, str]
) -> None:
    """A 500 can be the user's or the bank's fault; a status that is repeated as a code is none."""
    vendor = ScriptedVendor(WELL, answer(body, status))

    failure = await failure_of(
        vendor.finicity().sync_transactions(transactions_request(CREDENTIAL))
    )

    assert expected == verdict(failure)


async def test_a_first_reading_hands_its_whole_listing_on() -> None:
    """What is not in it is not at the vendor; shadows are not told, nor called removed."""
    result = await read(movement(1), movement(2, status="shadow"))

    assert (ids(result), result.removed) == (["1"], ())
    assert result.listing is not None
    assert [f"{ACCOUNT_ID}-1"] == [row.provider_transaction_id for row in result.listing.movements]
    assert (date(2025, 12, 18), TODAY) == (result.listing.first_day, result.listing.last_day)


@pytest.mark.parametrize(
    "body",
    [accounts(), accounts(never_read()), accounts(account(aggregationStatusCode=325))],
)
async def test_a_login_without_readable_accounts_proves_nothing(body: object) -> None:
    """No listing, so nobody concludes that everything is gone."""
    vendor = ScriptedVendor(answer(body), answer(page([])))

    result = await vendor.finicity().sync_transactions(transactions_request(CREDENTIAL))

    assert (result.transactions, result.listing) == ((), None)


async def test_a_cursor_tells_what_came_and_what_was_superseded() -> None:
    """From fifteen days before the last reading on; new rows by the time Finicity had them."""
    created = int((NOW + timedelta(hours=5)).timestamp())
    store = Store(movement(1, 1), movement(2, 16, status="pending", postedDate=None))
    vendor = ScriptedVendor(store)
    finicity = vendor.finicity()
    first = await finicity.sync_transactions(transactions_request(CREDENTIAL))
    store.rows = [
        movement(1, 1),
        movement(2, 16, status="shadow"),
        movement(3, 16, createdDate=created),
    ]
    vendor.now = NOW + timedelta(days=1)
    request = transactions_request(
        CREDENTIAL, cursor=first.next_cursor, today=TODAY + timedelta(days=1)
    )

    second = await finicity.sync_transactions(request)

    assert (["1", "2"], ["3"]) == (ids(first), ids(second))
    assert second.removed == (f"{ACCOUNT_ID}-2",)
    assert NOW == second.told_since
    asked = vendor.requests[-1].url.params
    assert int(asked["fromDate"]) == int(datetime(2026, 3, 2, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("over", "told"),
    [
        ({"status": "pending", "postedDate": None}, []),
        ({}, ["2"]),
        ({"status": "pending", "postedDate": None, "amount": -70}, ["2"]),
    ],
)
async def test_a_pending_row_is_told_again_when_it_changed(
    over: dict[str, object], told: list[str]
) -> None:
    """Posted under the same id, or with another amount; and not when it is as it was."""
    store = Store(movement(1, 1), movement(2, 16, status="pending", postedDate=None))
    vendor = ScriptedVendor(store)
    finicity = vendor.finicity()
    first = await finicity.sync_transactions(transactions_request(CREDENTIAL))
    store.rows = [movement(1, 1), movement(2, 16, **over)]
    vendor.now = NOW + timedelta(days=1)
    request = transactions_request(
        CREDENTIAL, cursor=first.next_cursor, today=TODAY + timedelta(days=1)
    )

    assert told == ids(await finicity.sync_transactions(request))


async def test_the_overlap_is_a_setting() -> None:
    """Finicity advises fifteen days at least."""
    vendor = ScriptedVendor(Store(movement(1, 1)))
    finicity = vendor.finicity(overlap_days="30")
    first = await finicity.sync_transactions(transactions_request(CREDENTIAL))

    await finicity.sync_transactions(transactions_request(CREDENTIAL, cursor=first.next_cursor))

    asked = vendor.requests[-1].url.params
    assert int(asked["fromDate"]) == int(datetime(2026, 2, 15, tzinfo=UTC).timestamp())


@pytest.mark.parametrize("limit", [1, 3, 1000])
async def test_a_limited_walk_over_pages_tells_every_row_once(limit: int) -> None:
    """Our pages and the vendor's are cut in different places."""
    store = Store(*(movement(number, 1 + number % 17) for number in range(37)), size=7)
    store.rows.sort(key=lambda row: int(str(row["transactionDate"])))
    finicity = ScriptedVendor(store).finicity()
    told: list[str] = []
    cursor, has_more = None, True

    while has_more:
        result = await finicity.sync_transactions(
            transactions_request(CREDENTIAL, cursor=cursor, limit=limit)
        )
        told += ids(result)
        cursor, has_more = result.next_cursor, result.has_more

    assert len(told) == len(set(told)) == 37


@pytest.mark.parametrize(
    "change",
    [
        lambda _: "",
        lambda _: "[]",
        lambda cursor: cursor.replace("p1", "p2"),
        lambda cursor: cursor.replace('""', '"x"'),
        lambda cursor: cursor.replace("w1", "w2"),
    ],
)
async def test_a_cursor_that_was_tampered_with_is_refused(change: Callable[[str], str]) -> None:
    """Before anything is sent."""
    vendor = ScriptedVendor(Store(movement(1)))
    finicity = vendor.finicity()
    first = await finicity.sync_transactions(transactions_request(CREDENTIAL))
    sent = len(vendor.requests)

    failure = await failure_of(
        finicity.sync_transactions(
            transactions_request(CREDENTIAL, cursor=change(first.next_cursor))
        )
    )

    assert verdict(failure) == ("validation", "request", "INVALID_CURSOR")
    assert not failure.sent
    assert len(vendor.requests) == sent


async def test_a_broken_login_fails_before_its_movements_are_read() -> None:
    """Unless old data are wanted."""
    broken = answer(accounts(account(aggregationStatusCode=185)))
    vendor = ScriptedVendor(broken, broken, answer(page([movement(1)])))
    finicity = vendor.finicity()

    failure = await failure_of(finicity.sync_transactions(transactions_request(CREDENTIAL)))
    result = await finicity.sync_transactions(transactions_request(CREDENTIAL, allow_stale=True))

    assert verdict(failure) == ("auth", "connection", "185")
    assert (ids(result), result.stale, result.listing) == (["1"], True, None)
