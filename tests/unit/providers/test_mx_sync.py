"""MX: movements, windows and cursors."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from mx_payloads import CREDENTIAL, member, movement
from mx_vendor import ids, read, store, transactions
from scripted_vendor import NOW, ScriptedVendor, answer, failure_of, transactions_request, verdict

from orchestrator.domain import Direction


async def test_the_sign_comes_from_the_type() -> None:
    """Credit is money in, debit money out, and no type leaves the row unsigned and flagged."""
    result = await read(
        movement("TRN-1", type="CREDIT"),
        movement("TRN-2", type="DEBIT", amount=-61.11),
        movement("TRN-3", type=None),
    )

    assert [
        (Decimal("61.11"), Direction.IN),
        (Decimal("-61.11"), Direction.OUT),
        (Decimal("61.11"), Direction.UNKNOWN),
    ] == [(row.amount, row.direction) for row in result.transactions]


async def test_a_movement_without_date_or_amount_waits_until_it_has_both() -> None:
    """The specification lets both be null; such a row is told once the vendor filled it in."""
    result = await read(
        movement("TRN-1", amount=None),
        movement("TRN-2", date=None, transacted_at=None, posted_at=None, created_at=None),
        movement("TRN-3", date=None, transacted_at="2026-03-05T23:59:59Z"),
    )

    assert [("TRN-3", date(2026, 3, 5))] == [
        (row.provider_transaction_id, row.date) for row in result.transactions
    ]


async def test_a_row_that_waits_for_its_amount_is_not_gone() -> None:
    """The listing that is handed on names it, or it would count as removed meanwhile."""
    result = await read(
        movement("TRN-1", amount=None),
        movement("TRN-2", date=None, transacted_at=None, posted_at=None, created_at=None),
        movement("TRN-3", account_guid="ACT-2", amount=None),
        movement("TRN-4"),
        provider_account_id="ACT-1",
    )

    assert ["TRN-4"] == ids(result)
    assert {"TRN-1": date(2026, 3, 1), "TRN-2": date(2025, 12, 18), "TRN-4": date(2026, 3, 1)} == {
        seen.provider_transaction_id: seen.date for seen in result.listing.movements
    }
    assert ("ACT-1",) == result.listing.provider_account_ids


async def test_merchants_are_asked_for_where_that_is_set() -> None:
    """Their names are an enhancement that not every contract may have."""
    rows = [
        movement("TRN-1", merchant={"guid": "MCH-1", "name": "Corner Market"}),
        movement("TRN-2"),
    ]
    vendor = ScriptedVendor(answer(member()), transactions(*rows))

    result = await vendor.mx(merchants="true").sync_transactions(transactions_request(CREDENTIAL))

    assert "merchants" == vendor.requests[-1].url.params["includes"]
    assert ["Corner Market", None] == [row.merchant_name for row in result.transactions]
    plain = ScriptedVendor(answer(member()), transactions())
    await plain.mx().sync_transactions(transactions_request(CREDENTIAL))
    assert "includes" not in plain.requests[-1].url.params


async def test_a_category_is_told_in_our_words() -> None:
    """The narrower of MX's two words decides where it says more; an unknown one is `other`."""
    result = await read(
        movement("TRN-1"),
        movement("TRN-2", category="ATM Fee", top_level_category="Fees & Charges"),
        movement("TRN-3", category="Credit Card Payment", top_level_category="Transfer"),
        movement("TRN-4", category="New", top_level_category=None),
        movement("TRN-5", category=None, top_level_category=None),
    )

    assert ["food_and_drink", "fees", "loan_payment", "other", None] == [
        row.category for row in result.transactions
    ]


async def test_a_pending_row_is_told_as_pending() -> None:
    """Status decides, and null is not pending."""
    result = await read(movement("TRN-1", status="PENDING"), movement("TRN-2", status=None))

    assert [row.pending for row in result.transactions] == [True, False]


@pytest.mark.parametrize(
    ("form", "first", "last"),
    [("iso", "2026-02-28", "2026-03-11"), ("unix", "1772236800", "1773187200")],
)
async def test_the_window_is_asked_with_a_day_to_spare_in_the_set_form(
    form: str, first: str, last: str
) -> None:
    """MX's specifications differ in the form of dates, and it cuts at some midnight."""
    rows = [movement("TRN-1", "2026-02-28"), movement("TRN-2", "2026-03-10")]
    vendor = ScriptedVendor(answer(member()), transactions(*rows))

    result = await vendor.mx(date_format=form).sync_transactions(
        transactions_request(CREDENTIAL, start_date=date(2026, 3, 1), end_date=date(2026, 3, 10))
    )

    query = vendor.requests[1].url.params
    assert (first, last) == (query["from_date"], query["to_date"])
    assert ids(result) == ["TRN-2"]


@pytest.mark.parametrize("over", [{"start_date": date.min}, {"end_date": date.max}])
async def test_the_ends_of_the_calendar_are_dates_too(over: dict[str, date]) -> None:
    """A window may begin at the first day there is, and end at the last."""
    result = await read(movement("TRN-1"), **over)
    again = await read(movement("TRN-1"), cursor=result.next_cursor)

    assert ids(result) == ["TRN-1"]
    assert ids(again) == []


async def test_one_account_is_picked_out() -> None:
    """Rows of other accounts are left out."""
    result = await read(
        movement("TRN-1"), movement("TRN-2", account_guid="ACT-2"), provider_account_id="ACT-2"
    )

    assert ids(result) == ["TRN-2"]


@pytest.mark.parametrize("limit", [1, 7, 30, 1000])
async def test_a_cut_answer_is_continued_until_every_row_was_told_once(limit: int) -> None:
    """Walking on by the cursor tells all rows of the window, each once, in order."""
    rows = [movement(f"TRN-{n:02d}", f"2026-03-{1 + n % 12:02d}") for n in range(33)]
    mx, told, cursor = ScriptedVendor(store(rows)).mx(), [], None

    for _ in range(40):
        result = await mx.sync_transactions(
            transactions_request(CREDENTIAL, cursor=cursor, limit=limit)
        )
        told += ids(result)
        cursor = result.next_cursor
        if not result.has_more:
            break

    expected = sorted((str(row["date"]), str(row["guid"])) for row in rows)
    assert [name for _, name in expected] == told


async def test_a_cursor_tells_what_was_written_since_an_hour_before_it() -> None:
    """Rows written before the last reading are not repeated; new and rewritten ones are told."""
    rows = [movement("TRN-1"), movement("TRN-2", "2026-03-15")]
    vendor = ScriptedVendor(store(rows))
    mx = vendor.mx()
    first = await mx.sync_transactions(transactions_request(CREDENTIAL))
    rows[1] |= {"updated_at": "2026-03-18T14:45:00Z", "amount": 70}
    rows.append(movement("TRN-3", "2026-03-17", updated_at=None, created_at=None))
    rows.append(movement("TRN-4", "2026-03-20", updated_at="2026-03-20T00:00:00Z"))
    vendor.now = NOW + timedelta(days=2)

    second = await mx.sync_transactions(
        transactions_request(CREDENTIAL, cursor=first.next_cursor, today=date(2026, 3, 20))
    )

    query = vendor.requests[-1].url.params
    assert (query["from_date"], query["to_date"]) == ("2026-03-03", "2026-03-26")
    assert ids(second) == ["TRN-2", "TRN-3", "TRN-4"]
    assert Decimal(-70) == second.transactions[0].amount
    assert not second.has_more


async def test_a_cursor_still_holds_after_several_readings() -> None:
    """Each reading since a cursor starts where the one before it ended."""
    rows = [movement("TRN-1")]
    vendor = ScriptedVendor(store(rows))
    mx = vendor.mx()
    result = await mx.sync_transactions(transactions_request(CREDENTIAL))
    told = ids(result)
    for day in (19, 20, 21):
        vendor.now = NOW + timedelta(days=day - 18)
        rows.append(movement(f"TRN-{day}", f"2026-03-{day}", updated_at=f"2026-03-{day}T12:00:00Z"))
        result = await mx.sync_transactions(
            transactions_request(
                CREDENTIAL, cursor=result.next_cursor, today=date(2026, 3, day), limit=1
            )
        )
        told += ids(result)

    assert told == ["TRN-1", "TRN-19", "TRN-20", "TRN-21"]


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "w1",
        "{}",
        '["p1","c","2026-01-01",null,null,null,null]',
        '["w1","2026-01-01",null,null,null,"2026-01-01",null,null]',
        '["w1","2026-01-01",null,null,"2026-01-01T00:00:00","2026-01-01",null,null]',
        '["w1","2026-01-01",null,null,"0001-01-01T00:00:00+00:00","2026-01-01",null,null]',
        '["w1","2026-01-01",null,null,"2026-01-01T00:00:00+00:00",null,null,null]',
        '["w1","2026-01-01",null,null,"2026-01-01T00:00:00+00:00","2026-01-01",null,"TRN-1"]',
        '["w1",1,null,null,"2026-01-01T00:00:00+00:00","2026-01-01",null,null]',
    ],
)
async def test_a_cursor_of_another_maker_is_refused_unsent(cursor: str) -> None:
    """Only what this adapter gave out is a cursor here."""
    vendor = ScriptedVendor(answer(member()))

    failure = await failure_of(
        vendor.mx().sync_transactions(transactions_request(CREDENTIAL, cursor=cursor))
    )

    assert ("validation", "request", "INVALID_CURSOR") == verdict(failure)
    assert [] == vendor.requests
