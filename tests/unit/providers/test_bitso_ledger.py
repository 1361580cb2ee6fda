"""Bitso's ledger as movements: legs, signs, windows, pages, cursors."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from bitso_payloads import CLIENT_ID, CREDENTIAL, entry, fee, funding, success, trade
from bitso_store import BitsoStore
from scripted_vendor import (
    TODAY,
    ScriptedVendor,
    answer,
    failure_of,
    transactions_request,
    verdict,
)
from structlog.testing import capture_logs

from orchestrator.domain import Direction, ProviderTransaction
from orchestrator.providers.attempt_trace import AttemptTrace, current_attempt
from orchestrator.providers.bitso import Bitso
from orchestrator.providers.protocol import TransactionsRead

A_DAY = timedelta(days=1)


def adapter(store: BitsoStore, **options: str) -> Bitso:
    """An adapter over a store; without the lists of transfers unless told otherwise."""
    return ScriptedVendor(store).bitso(**{"pending": "false", **options})


async def read(bitso: Bitso, **over: object) -> TransactionsRead:
    """One answer."""
    return await bitso.sync_transactions(transactions_request(CREDENTIAL, **over))


async def walked(bitso: Bitso, **over: object) -> tuple[list[ProviderTransaction], str, int]:
    """All rows of a reading, its last cursor, and how many answers it took."""
    rows: list[ProviderTransaction] = []
    answers = 0
    while True:
        told = await read(bitso, **over)
        rows += told.transactions
        answers += 1
        if not told.has_more:
            return rows, told.next_cursor, answers
        over = {**over, "cursor": told.next_cursor}


def ids(rows: object) -> list[str]:
    """The ids that were told, in order."""
    return [row.provider_transaction_id for row in rows]  # type: ignore[attr-defined]


def history(count: int, *, until: datetime, every: timedelta) -> list[dict[str, object]]:
    """Deposits of one peso, the last at `until`."""
    first = until - every * (count - 1)
    return [
        funding(
            f"e{number:05d}",
            f"f{number:05d}",
            "1",
            (first + every * number).strftime("%Y-%m-%dT%H:%M:%S+0000"),
        )
        for number in range(count)
    ]


@contextmanager
def attempt_of(store: BitsoStore, total_s: float, page_s: float) -> Iterator[None]:
    """An attempt with so much time, in which each call takes so long."""
    began = len(store.asked)
    trace = AttemptTrace(
        "attempt", time_left_s=lambda: total_s - page_s * (len(store.asked) - began)
    )
    token = current_attempt.set(trace)
    try:
        yield
    finally:
        current_attempt.reset(token)


async def test_each_leg_of_an_entry_is_a_movement() -> None:
    """A trade moves two currencies, its fee one; signs are Bitso's, positive is money in."""
    store = BitsoStore([trade("e1"), fee("e2", "-0.00252320")])

    told = await read(adapter(store))

    coins, pesos, costs = told.transactions
    assert ids(told.transactions) == ["e1:btc", "e1:mxn", "e2:btc"]
    assert (coins.amount, coins.direction, coins.currency, coins.provider_account_id) == (
        Decimal("0.25232073"),
        Direction.IN,
        "BTC",
        f"{CLIENT_ID}:btc",
    )
    assert (pesos.amount, pesos.direction) == (Decimal("-1013.54"), Direction.OUT)
    assert (costs.amount, costs.description, costs.category) == (
        Decimal("-0.00252320"),
        "Trading fee",
        "fees",
    )
    assert coins.description == "Trade of MXN for BTC"
    assert coins.date == date(2026, 3, 10)
    assert coins.posted_at == datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
    assert not coins.pending


@pytest.mark.parametrize("amount", ["0.04917771", "-0.04917771"])
async def test_a_fee_leaves_the_account_whichever_sign_it_has(amount: str) -> None:
    """Bitso's own samples disagree."""
    told = await read(adapter(BitsoStore([fee("e1", amount)])))

    assert told.transactions[0].amount == Decimal("-0.04917771")


async def test_both_forms_of_a_time_are_read() -> None:
    """Older entries have milliseconds and a colon, newer ones neither."""
    store = BitsoStore(
        [
            funding("e1", "f1", at="2026-03-11T23:59:59.000+00:00"),
            funding("e2", "f2", at="2026-03-12T00:00:00+0000"),
        ]
    )

    told = await read(adapter(store))

    assert [row.date.day for row in told.transactions] == [11, 12]


async def test_a_transfers_leg_names_its_pending_form() -> None:
    """The ledger names the transfer it settles, whose own movement it takes the place of."""
    costs = entry("e2", "fee", "2026-03-11T12:00:00+0000", {"wid": "w1"}, mxn="-5")
    left = entry(
        "e1",
        "withdrawal",
        "2026-03-11T12:00:00+0000",
        {"wid": "w1", "method_name": "SPEI"},
        mxn="-95",
    )

    told = await read(adapter(BitsoStore([left, costs])))

    moved, paid = told.transactions
    assert (moved.replaces_provider_transaction_id, moved.description) == (
        "w1:mxn",
        "Withdrawal: SPEI",
    )
    assert (paid.replaces_provider_transaction_id, paid.description) == (None, "Transfer fee")


async def test_an_unknown_operation_is_told_as_it_is() -> None:
    """What Bitso invents later moves money all the same."""
    odd = entry("e1", "staking_reward", "2026-03-11T12:00:00+0000", {}, eth="0.1")
    odd["details"] = []

    (row,) = (await read(adapter(BitsoStore([odd])))).transactions

    assert (row.amount, row.description, row.category) == (
        Decimal("0.1"),
        "Staking reward",
        "other",
    )


async def test_a_currency_named_twice_is_one_movement_and_nothing_is_none() -> None:
    """Ids stay unique, and a change of zero is no change."""
    twice = trade("e1")
    twice["balance_updates"] = [
        {"currency": "btc", "amount": "0.1"},
        {"currency": "BTC", "amount": "0.2"},
        {"currency": "mxn", "amount": "0.00000000"},
    ]

    (row,) = (await read(adapter(BitsoStore([twice])))).transactions

    assert (row.provider_transaction_id, row.amount) == ("e1:btc", Decimal("0.3"))


async def test_an_entry_without_an_id_is_passed_over_and_said() -> None:
    """The log tells how many, and nothing of what they say."""
    nameless = entry(None, "trade", "2026-03-10T12:00:00+0000", {"tid": 5}, eth="4.86859395")

    with capture_logs() as logs:
        told = await read(adapter(BitsoStore([trade("e1"), nameless, trade("e2")])))

    assert ids(told.transactions) == ["e1:btc", "e1:mxn", "e2:btc", "e2:mxn"]
    assert [(log["event"], log["entries"], log["log_level"]) for log in logs] == [
        ("ledger_entries_without_id", 1, "warning")
    ]
    assert "4.868" not in str(logs)


async def test_an_entry_without_an_id_can_be_given_one() -> None:
    """The same one each time, and it is told once, wherever it stands."""
    nameless = entry(None, "trade", "2026-03-10T12:00:00+0000", {"tid": 5}, eth="4.86859395")
    store = BitsoStore([trade("e1"), nameless])
    bitso = adapter(store, missing_eid="make")

    first = await read(bitso)
    again = await read(bitso)
    later = await read(bitso, cursor=first.next_cursor)
    latest = await read(bitso, cursor=later.next_cursor)
    store.ledger.append(trade("e2"))
    newest = await read(bitso, cursor=latest.next_cursor)

    told = [*first.transactions, *later.transactions]
    assert sorted(ids(told)) == sorted({*ids(told)})
    assert len([one for one in ids(told) if one.startswith("made-")]) == 1
    assert set(ids(again.transactions)) <= set(ids(told))
    assert latest.transactions == ()
    assert ids(newest.transactions) == ["e2:btc", "e2:mxn"]


@pytest.mark.parametrize("limit", [3, 1000])
async def test_entries_without_an_id_are_told_once_at_a_pages_edge_too(limit: int) -> None:
    """No marker can stand behind them, so that the next page begins with them again."""
    rows = history(250, until=datetime(2026, 3, 17, tzinfo=UTC), every=timedelta(hours=1))
    for number in (49, 50, 99, 100, 149, 150, 199, 200):
        del rows[number]["eid"]
    bitso = adapter(BitsoStore(rows), missing_eid="make")

    told, _, _ = await walked(bitso, limit=limit)

    assert len(ids(told)) == len({*ids(told)}) == 250
    assert [row.date for row in told] == sorted(row.date for row in told)


@pytest.mark.parametrize("odd", ["a/b+c=", "a b", "ñ", "x" * 65])
async def test_an_odd_id_is_told_but_never_asked_for(odd: str) -> None:
    """Transports escape such texts each in their own way, and the signature is over what is sent."""
    store = BitsoStore([trade("e1"), trade(odd)])
    bitso = adapter(store)

    first = await read(bitso)
    later = await read(bitso, cursor=first.next_cursor)
    latest = await read(bitso, cursor=later.next_cursor)

    assert ids(later.transactions) == [f"{odd}:btc", f"{odd}:mxn"]
    assert latest.transactions == ()
    assert {query.get("marker", "e1") for _, query in store.asked} == {"e1"}


async def test_a_window_is_looked_for_from_the_newest_entry() -> None:
    """Years of history cost nothing: pages come newest first, down to the window's beginning."""
    store = BitsoStore(history(2000, until=datetime(2026, 3, 18, tzinfo=UTC), every=A_DAY / 2))

    told = await read(adapter(store), start_date=date(2026, 3, 1))

    assert len(store.asked) == 1
    assert store.asked[0][1] == {"limit": "100", "sort": "desc"}
    assert told.transactions[0].date == date(2026, 3, 1)
    assert len(told.transactions) == 35
    assert not told.has_more


async def test_a_window_that_is_over_tells_nothing_of_later_days() -> None:
    """Both ends are inclusive, and a cursor then tells what was added since, not what was there."""
    store = BitsoStore(history(90, until=datetime(2026, 3, 18, tzinfo=UTC), every=A_DAY))
    bitso = adapter(store)

    told = await read(bitso, start_date=date(2026, 2, 1), end_date=date(2026, 2, 3))
    store.ledger.append(funding("new", "fnew", at="2026-03-18T13:00:00+0000"))
    later = await read(bitso, cursor=told.next_cursor)

    assert [row.date.day for row in told.transactions] == [1, 2, 3]
    assert ids(later.transactions) == ["new:mxn"]


@pytest.mark.parametrize("limit", [1, 7, 100, 1000])
async def test_a_limited_walk_tells_every_row_once_in_order(limit: int) -> None:
    """Across pages, entries and legs; what is added meanwhile comes with the reading after it."""
    store = BitsoStore(
        [
            *history(230, until=datetime(2026, 3, 17, tzinfo=UTC), every=timedelta(hours=4)),
            trade("t1", "2026-03-17T10:00:00+0000"),
            fee("t2", "-0.1", "2026-03-17T10:00:00+0000"),
        ]
    )
    bitso = adapter(store)
    whole = await read(bitso, limit=10_000)
    first = await read(bitso, limit=limit)
    store.ledger.append(funding("new", "fnew", at="2026-03-18T13:00:00+0000"))

    rows = list(first.transactions)
    cursor = first.next_cursor
    if first.has_more:
        rest, cursor, _ = await walked(bitso, cursor=cursor, limit=limit)
        rows += rest
    later, _, _ = await walked(bitso, cursor=cursor, limit=limit)

    assert ids(rows) == ids(whole.transactions)
    assert len(rows) == 233
    assert ids(later) == ["new:mxn"]


async def test_one_account_is_read_alone() -> None:
    """The ledger knows no accounts: legs of others are left out, and places count them all."""
    store = BitsoStore([trade(f"e{number:03d}") for number in range(150)])
    bitso = adapter(store)

    rows, cursor, answers = await walked(bitso, provider_account_id=f"{CLIENT_ID}:mxn", limit=40)
    store.ledger.append(trade("new"))
    later = await read(bitso, provider_account_id=f"{CLIENT_ID}:mxn", cursor=cursor)

    assert ids(rows) == [f"e{number:03d}:mxn" for number in range(150)]
    assert answers == 4
    assert ids(later.transactions) == ["new:mxn"]


async def test_a_window_larger_than_an_answer_bears_is_read_in_several() -> None:
    """Fifty pages are the most; the rest follows by the cursor, and nothing is lost or repeated."""
    store = BitsoStore(
        history(12_100, until=datetime(2026, 3, 18, tzinfo=UTC), every=timedelta(minutes=10))
    )
    bitso = adapter(store)
    seen_before = 0
    per_answer: list[int] = []
    rows: list[ProviderTransaction] = []
    over: dict[str, object] = {}
    while True:
        told = await read(bitso, **over)
        rows += told.transactions
        per_answer.append(len(store.asked) - seen_before)
        seen_before = len(store.asked)
        if not told.has_more:
            break
        over = {"cursor": told.next_cursor}

    assert ids(rows) == [f"e{number:05d}:mxn" for number in range(12_100)]
    assert max(per_answer) <= 50
    assert len(per_answer) < 8


@pytest.mark.parametrize(("total_s", "per_answer"), [(0.1, 1), (4.5, 1), (5.5, 2), (8.5, 5)])
async def test_an_attempt_short_of_time_answers_with_what_it_has(
    total_s: float, per_answer: int
) -> None:
    """Pages of a second are read while four calls fit; one at least, so that every answer gets on."""
    store = BitsoStore(
        history(450, until=datetime(2026, 3, 18, tzinfo=UTC), every=timedelta(hours=1))
    )
    bitso = adapter(store)
    rows: list[ProviderTransaction] = []
    pages: list[int] = []
    over: dict[str, object] = {}
    while True:
        before = len(store.asked)
        with attempt_of(store, total_s, 1.0):
            told = await read(bitso, **over)
        rows += told.transactions
        pages.append(len(store.asked) - before)
        over = {"cursor": told.next_cursor}
        if not told.has_more:
            break

    assert ids(rows) == [f"e{number:05d}:mxn" for number in range(450)]
    assert max(pages) == per_answer


async def test_a_cursor_reads_only_what_was_added() -> None:
    """One page from the last entry on; nothing new costs one call and tells nothing."""
    store = BitsoStore(history(500, until=datetime(2026, 3, 18, tzinfo=UTC), every=A_DAY / 8))
    bitso = adapter(store)
    first = await read(bitso)
    store.asked.clear()

    nothing = await read(bitso, cursor=first.next_cursor)
    store.ledger.append(trade("new"))
    something = await read(bitso, cursor=nothing.next_cursor)

    assert nothing.transactions == ()
    assert nothing.next_cursor == first.next_cursor
    assert ids(something.transactions) == ["new:btc", "new:mxn"]
    assert [query["marker"] for _, query in store.asked] == ["e00499", "e00499"]
    assert [query["sort"] for _, query in store.asked] == ["asc", "asc"]


async def test_an_empty_ledger_is_gone_on_from_its_beginning() -> None:
    """The first entry ever is not missed."""
    store = BitsoStore()
    bitso = adapter(store)
    first = await read(bitso)
    store.ledger.append(trade("e1"))

    later = await read(bitso, cursor=first.next_cursor)

    assert first.transactions == ()
    assert ids(later.transactions) == ["e1:btc", "e1:mxn"]


async def test_a_marker_that_is_told_again_is_left_out() -> None:
    """Whether the marked entry itself comes back is nowhere said."""
    first = answer(success([trade("e1")]))
    again = answer(success([trade("e1"), trade("e2")]))
    bitso = ScriptedVendor(first, again).bitso(pending="false")

    told = await read(bitso)
    later = await read(bitso, cursor=told.next_cursor)

    assert ids(later.transactions) == ["e2:btc", "e2:mxn"]


@pytest.mark.parametrize("kind", ["leads-up", "repeats", "turns"])
async def test_a_ledger_that_stands_is_noticed(kind: str) -> None:
    """A page that leads up to the marker, or a full one that was there before, promises no end."""
    rows = history(300, until=datetime(2026, 3, 18, tzinfo=UTC), every=timedelta(hours=1))[::-1]
    first, second = rows[:100], rows[100:200]
    pages = {
        "leads-up": [first, [*second[:49], first[-1]]],
        "repeats": [first, [first[-1], *first[:-1]]],
        "turns": [first, second, first],
    }[kind]
    vendor = ScriptedVendor(*(answer(success(page)) for page in pages))

    failure = await failure_of(read(vendor.bitso(pending="false")))

    assert verdict(failure) == ("provider_down", "institution", "WRONG_SUCCESS_FROZEN")
    assert len(vendor.requests) == len(pages)


async def test_entries_a_little_out_of_order_are_not_lost_at_a_windows_edge() -> None:
    """Times within an hour of midnight do not end the search for the window, nor its reading."""
    times = {
        "a": "2026-03-01T00:10:00+0000",
        "b": "2026-02-28T23:50:00+0000",
        "c": "2026-03-01T00:20:00+0000",
        "d": "2026-03-02T00:10:00+0000",
        "e": "2026-03-01T23:55:00+0000",
    }
    store = BitsoStore([funding(eid, f"f{eid}", at=at) for eid, at in times.items()])

    told = await read(adapter(store), start_date=date(2026, 3, 1), end_date=date(2026, 3, 1))

    assert ids(told.transactions) == ["a:mxn", "c:mxn", "e:mxn"]


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "[]",
        '["b1"]',
        '["b1",null,null,null,null,null,null,""]',
        '["b1","2026-01-01",null,"e",null,null,null,null]',
        '["b1","2026-01-01",null,"e","-1",null,null,""]',
        '["b1","2026-01-01",null,"e","99999999999",null,null,""]',
        '["w1","2026-01-01",null,"e","0",null,null,""]',
        '["b1","2026-01-01",null,7,"0",null,null,""]',
    ],
)
async def test_a_cursor_that_was_never_given_out_is_refused(cursor: str) -> None:
    """Before anything is sent."""
    store = BitsoStore([trade("e1")])

    failure = await failure_of(read(adapter(store), cursor=cursor))

    assert verdict(failure) == ("validation", "request", "INVALID_CURSOR")
    assert store.asked == []


async def test_a_made_up_pending_movement_in_a_cursor_is_taken_back() -> None:
    """A list that Bitso does not have is not asked for."""
    store = BitsoStore([trade("e1")])
    cursor = '["b1","2026-01-01",null,"e1","0",null,null,"x/a:mxn"]'

    told = await read(adapter(store, pending="true"), cursor=cursor)

    assert told.removed == ("a:mxn",)
    assert set(store.paths) == {"ledger", "fundings", "withdrawals"}


async def test_a_day_before_all_calendars_is_no_trouble() -> None:
    """The window's edge is computed for any day that a caller may name."""
    told = await read(adapter(BitsoStore([trade("e1")])), start_date=date(1970, 1, 1))

    assert len(told.transactions) == 2
    assert told.transactions[0].date <= TODAY
