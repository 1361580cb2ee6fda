"""Bitso's money under way: told once, until the ledger has it or it failed."""

from datetime import date

import pytest
from bitso_payloads import CLIENT_ID, CREDENTIAL, entry, funding, trade, transfer
from bitso_store import BitsoStore
from scripted_vendor import ScriptedVendor, transactions_request
from structlog.testing import capture_logs

from orchestrator.domain import Direction
from orchestrator.providers.bitso import Bitso
from orchestrator.providers.protocol import TransactionsRead

IN_LEDGER = entry(
    "e9", "withdrawal", "2026-03-17T12:00:00+0000", {"wid": "w1", "method": "sp"}, mxn="-300.15"
)


async def read(bitso: Bitso, **over: object) -> TransactionsRead:
    """One answer."""
    return await bitso.sync_transactions(transactions_request(CREDENTIAL, **over))


def ids(told: TransactionsRead) -> list[str]:
    """The ids that were told."""
    return [row.provider_transaction_id for row in told.transactions]


@pytest.mark.parametrize(
    ("kind", "state", "amount", "direction"),
    [
        ("fundings", "pending", "300.15", Direction.IN),
        ("fundings", "in_progress", "300.15", Direction.IN),
        ("withdrawals", "pending", "-300.15", Direction.OUT),
        ("withdrawals", "processing", "-300.15", Direction.OUT),
    ],
)
async def test_money_under_way_is_pending(
    kind: str, state: str, amount: str, direction: Direction
) -> None:
    """Its amount has no sign there: the list says which way it goes."""
    store = BitsoStore([trade("e1")], **{kind: [transfer(kind, "x1", state)]})

    (row,) = [
        one for one in (await read(ScriptedVendor(store).bitso())).transactions if one.pending
    ]

    assert (row.provider_transaction_id, str(row.amount), row.direction) == (
        "x1:mxn",
        amount,
        direction,
    )
    assert (row.posted_at, row.date) == (None, date(2026, 3, 17))
    assert row.provider_account_id == f"{CLIENT_ID}:mxn"


@pytest.mark.parametrize("state", ["complete", "failed", "cancelled"])
async def test_what_is_done_or_failed_is_not_pending(state: str) -> None:
    """What is done stands in the ledger, and what failed nowhere."""
    store = BitsoStore([trade("e1")], fundings=[transfer("fundings", "f1", state)])

    told = await read(ScriptedVendor(store).bitso())

    assert ids(told) == ["e1:btc", "e1:mxn"]


async def test_what_the_ledger_settles_takes_the_place_of_the_pending_movement() -> None:
    """Told once as pending and once as posted, the first taken back with the second."""
    store = BitsoStore([trade("e1")], fundings=[transfer("fundings", "f1", "pending")])
    bitso = ScriptedVendor(store).bitso()
    first = await read(bitso)
    same = await read(bitso, cursor=first.next_cursor)
    store.transfers["fundings"][0]["status"] = "complete"
    store.ledger.append(funding("e2", "f1", at="2026-03-18T12:00:00+0000"))

    settled = await read(bitso, cursor=same.next_cursor)
    after = await read(bitso, cursor=settled.next_cursor)

    assert "f1:mxn" in ids(first)
    assert (same.transactions, same.removed) == ((), ())
    assert [row.replaces_provider_transaction_id for row in settled.transactions] == ["f1:mxn"]
    assert settled.removed == ("f1:mxn",)
    assert (after.transactions, after.removed) == ((), ())


async def test_what_failed_is_taken_back() -> None:
    """Nothing of it ever reaches the ledger."""
    store = BitsoStore([trade("e1")], withdrawals=[transfer("withdrawals", "w1", "pending")])
    bitso = ScriptedVendor(store).bitso()
    first = await read(bitso)
    store.transfers["withdrawals"][0]["status"] = "failed"

    later = await read(bitso, cursor=first.next_cursor)

    assert later.removed == ("w1:mxn",)
    assert later.transactions == ()


async def test_what_is_done_waits_for_the_ledger() -> None:
    """Between the list's word and the ledger's entry it stays what it was; two weeks at most."""
    vendor = ScriptedVendor(
        store := BitsoStore([trade("e1")], fundings=[transfer("fundings", "f1", "pending")])
    )
    bitso = vendor.bitso()
    first = await read(bitso)
    store.transfers["fundings"][0]["status"] = "complete"

    waiting = await read(bitso, cursor=first.next_cursor)
    vendor.now = vendor.now.replace(month=4, day=20)
    given_up = await read(bitso, cursor=waiting.next_cursor)

    assert (waiting.transactions, waiting.removed) == ((), ())
    assert given_up.removed == ("f1:mxn",)


async def test_what_this_answer_tells_from_the_ledger_is_not_told_from_the_lists() -> None:
    """A withdrawal may be booked when it is asked for; nothing more has to be asked to know."""
    store = BitsoStore([IN_LEDGER], withdrawals=[transfer("withdrawals", "w1", "processing")])
    bitso = ScriptedVendor(store).bitso()

    told = await read(bitso)
    asked = list(store.paths)
    later = await read(bitso, cursor=told.next_cursor)

    assert ids(told) == ["e9:mxn"]
    assert asked == ["ledger", "fundings", "withdrawals"]
    assert (later.transactions, later.removed) == ((), ())


async def test_a_withdrawal_booked_between_two_readings_counts_once() -> None:
    """Its entry came with an earlier answer than the list's word of it."""
    store = BitsoStore([trade("e1"), IN_LEDGER])
    bitso = ScriptedVendor(store).bitso()
    first = await read(bitso)
    store.transfers["withdrawals"].append(transfer("withdrawals", "w1", "processing"))

    later = await read(bitso, cursor=first.next_cursor)

    assert "e9:mxn" in ids(first)
    assert later.transactions == ()
    assert "ledger/withdrawals" in store.paths


async def test_what_the_list_no_longer_shows_is_asked_for_by_its_id() -> None:
    """A hundred newer ones hide it, though it is still under way."""
    store = BitsoStore([trade("e1")], fundings=[transfer("fundings", "f0", "pending")])
    bitso = ScriptedVendor(store).bitso()
    first = await read(bitso)
    newer = [transfer("fundings", f"n{number}", "complete") for number in range(120)]
    store.transfers["fundings"] += newer

    hidden = await read(bitso, cursor=first.next_cursor)
    store.transfers["fundings"][0]["status"] = "failed"
    failed = await read(bitso, cursor=hidden.next_cursor)

    assert "f0:mxn" in ids(first)
    assert (hidden.transactions, hidden.removed) == ((), ())
    assert store.paths.count("fundings/f0") == 2
    assert failed.removed == ("f0:mxn",)


async def test_what_bitso_no_longer_knows_is_taken_back() -> None:
    """It was told, and nothing will ever settle it."""
    store = BitsoStore([trade("e1")], fundings=[transfer("fundings", "f0", "pending")])
    bitso = ScriptedVendor(store).bitso()
    first = await read(bitso)
    store.transfers["fundings"].clear()

    later = await read(bitso, cursor=first.next_cursor)

    assert later.removed == ("f0:mxn",)


async def test_one_account_shows_its_own_money_under_way() -> None:
    """The lists know no accounts either."""
    store = BitsoStore(
        [trade("e1")],
        fundings=[
            transfer("fundings", "f1", "pending"),
            transfer("fundings", "f2", "pending", currency="btc"),
        ],
    )
    bitso = ScriptedVendor(store).bitso()

    told = await read(bitso, provider_account_id=f"{CLIENT_ID}:btc")

    assert ids(told) == ["e1:btc", "f2:btc"]


async def test_money_under_way_keeps_to_the_window() -> None:
    """What began outside of it is not told."""
    store = BitsoStore(
        [trade("e1")],
        fundings=[
            transfer("fundings", "f1", "pending", created_at="2026-03-01T12:00:00+0000"),
            transfer("fundings", "f2", "pending", created_at="2026-03-12T12:00:00+0000"),
        ],
    )
    bitso = ScriptedVendor(store).bitso()

    told = await read(bitso, start_date=date(2026, 3, 10), end_date=date(2026, 3, 12))

    assert ids(told) == ["e1:btc", "e1:mxn", "f2:mxn"]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6])
async def test_pending_movements_fit_into_the_limit_too(limit: int) -> None:
    """Those without room come with the next answer; each is told once."""
    store = BitsoStore(
        [trade("e1")],
        fundings=[transfer("fundings", f"f{number}", "pending") for number in range(3)],
    )
    bitso = ScriptedVendor(store).bitso()
    told: list[str] = []
    over: dict[str, object] = {}
    while True:
        answer = await read(bitso, limit=limit, **over)
        assert len(answer.transactions) <= limit
        told += ids(answer)
        over = {"cursor": answer.next_cursor}
        if not answer.has_more:
            break

    later = await read(bitso, **over)

    assert sorted(told) == ["e1:btc", "e1:mxn", "f0:mxn", "f1:mxn", "f2:mxn"]
    assert later.transactions == ()


async def test_a_settlement_counts_in_an_answer_that_is_cut() -> None:
    """What the ledger settles is taken back at once, though the lists are not looked at yet."""
    store = BitsoStore([trade("e1")], fundings=[transfer("fundings", "f1", "pending")])
    bitso = ScriptedVendor(store).bitso()
    first = await read(bitso)
    store.transfers["fundings"].clear()
    store.ledger += [funding("e2", "f1", at="2026-03-18T12:00:00+0000"), trade("e3"), trade("e4")]
    store.asked.clear()

    cut = await read(bitso, cursor=first.next_cursor, limit=1)

    assert (ids(cut), cut.removed, cut.has_more) == (["e2:mxn"], ("f1:mxn",), True)
    assert store.paths == ["ledger"]


async def test_a_key_without_leave_for_the_lists_reads_the_ledger_alone() -> None:
    """It is said in the log; in the end the ledger has every movement."""
    store = BitsoStore(
        [trade("e1")], fundings=[transfer("fundings", "f1", "pending")], refused="fundings"
    )

    with capture_logs() as logs:
        told = await read(ScriptedVendor(store).bitso())

    assert ids(told) == ["e1:btc", "e1:mxn"]
    assert [log["event"] for log in logs] == ["pending_money_not_permitted"]


async def test_the_cursor_stays_short_however_much_is_under_way() -> None:
    """What it cannot remember is told when the ledger has it, and no sooner."""
    store = BitsoStore(
        [trade("e" * 32)],
        fundings=[transfer("fundings", f"{number:032x}", "pending") for number in range(90)],
    )
    bitso = ScriptedVendor(store).bitso()

    told = await read(bitso)
    later = await read(bitso, cursor=told.next_cursor)

    pending = [row for row in told.transactions if row.pending]
    assert 10 < len(pending) < 40
    assert len(told.next_cursor) <= 1500
    assert not told.has_more
    assert (later.transactions, later.removed) == ((), ())


@pytest.mark.parametrize("odd", [{"fid": "a b"}, {"fid": "x" * 65}, {"amount": "0"}])
async def test_what_could_not_be_asked_for_again_is_not_told(odd: dict[str, object]) -> None:
    """An id that fits in no path, or nothing that moves."""
    store = BitsoStore([trade("e1")], fundings=[transfer("fundings", "f1", "pending", **odd)])

    told = await read(ScriptedVendor(store).bitso())

    assert ids(told) == ["e1:btc", "e1:mxn"]


async def test_the_lists_can_be_left_alone() -> None:
    """Two calls fewer, and no pending money."""
    store = BitsoStore([trade("e1")], fundings=[transfer("fundings", "f1", "pending")])

    await read(ScriptedVendor(store).bitso(pending="false"))

    assert store.paths == ["ledger"]
