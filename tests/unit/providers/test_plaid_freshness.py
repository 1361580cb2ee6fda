"""Plaid's data that are not there yet, or have grown old: waiting, asking anew, and saying so."""

from datetime import date, timedelta

import httpx
import pytest
from plaid_payloads import CREDENTIAL, account, accounts, error, item, movement, sync
from scripted_vendor import (
    NOW,
    Answer,
    ScriptedVendor,
    accounts_request,
    answer,
    failure_of,
    transactions_request,
    verdict,
)

from orchestrator.providers.attempt_trace import AttemptTrace, current_attempt

NOT_READY = answer(sync(cursor="", status="NOT_READY"))
READY = answer(sync([movement("t1")], cursor="c1"))
DONE = answer({"request_id": "r"})


def read_at(hours_ago: float) -> Answer:
    """An answer of /item/get: Plaid read the bank so many hours ago."""
    at = (NOW - timedelta(hours=hours_ago)).isoformat()
    status = {"transactions": {"last_successful_update": at, "last_failed_update": None}}
    return answer({"item": item(), "status": status, "request_id": "r"})


async def test_data_not_ready_are_a_stale_success_with_no_cursor_kept() -> None:
    """An empty cursor is no cursor: the next reading starts from the beginning."""
    vendor = ScriptedVendor(NOT_READY, READY)
    plaid = vendor.plaid(not_ready_wait_s="0")

    first = await plaid.sync_transactions(transactions_request(CREDENTIAL))
    second = await plaid.sync_transactions(
        transactions_request(CREDENTIAL, cursor=first.next_cursor)
    )

    assert (first.stale, first.has_more, first.transactions) == (True, False, ())
    assert ["cursor" in body for body in vendor.bodies] == [False, False]
    assert [row.provider_transaction_id for row in second.transactions] == ["t1"]
    assert not second.stale


async def test_data_that_come_within_the_wait_are_told() -> None:
    """Whoever asks just after linking gets the first data, not an empty answer."""
    vendor = ScriptedVendor(NOT_READY, NOT_READY, READY)

    result = await vendor.plaid().sync_transactions(transactions_request(CREDENTIAL))

    assert [row.provider_transaction_id for row in result.transactions] == ["t1"]
    assert not result.stale
    assert vendor.pauses == [1.0, 1.5]


async def test_data_that_do_not_come_within_the_wait_are_awaited_no_longer() -> None:
    """The setting bounds the pauses, and the attempt's time bounds the setting."""
    patient, hurried = ScriptedVendor(NOT_READY), ScriptedVendor(NOT_READY)

    late = await patient.plaid().sync_transactions(transactions_request(CREDENTIAL))
    token = current_attempt.set(AttemptTrace("a", time_left_s=lambda: 2.5))
    try:
        cut = await hurried.plaid().sync_transactions(transactions_request(CREDENTIAL))
    finally:
        current_attempt.reset(token)

    assert (late.stale, cut.stale) == (True, True)
    assert patient.pauses == [1.0, 1.5, 2.25]
    assert hurried.pauses == []


@pytest.mark.parametrize(
    ("start", "stale"), [(date(2025, 12, 18), True), (date(2026, 3, 1), False)]
)
async def test_the_first_thirty_days_alone_are_stale_for_a_longer_window(
    start: date, *, stale: bool
) -> None:
    """While older history is still being gathered, a window that needs it is not complete."""
    vendor = ScriptedVendor(answer(sync(status="INITIAL_UPDATE_COMPLETE")))
    plaid = vendor.plaid()

    first = await plaid.sync_transactions(transactions_request(CREDENTIAL, start_date=start))
    second = await plaid.sync_transactions(
        transactions_request(CREDENTIAL, cursor=first.next_cursor)
    )

    assert (stale, stale) == (first.stale, second.stale)


async def test_older_history_that_comes_later_is_told_by_the_cursor() -> None:
    """What the second phase brings is new to the caller, however old it is."""
    vendor = ScriptedVendor(
        answer(sync([movement("t1")], cursor="c1", status="INITIAL_UPDATE_COMPLETE")),
        answer(sync([movement("t0", "2026-01-05")], cursor="c2")),
    )
    plaid = vendor.plaid()
    first = await plaid.sync_transactions(transactions_request(CREDENTIAL))

    second = await plaid.sync_transactions(
        transactions_request(CREDENTIAL, cursor=first.next_cursor)
    )

    assert [row.provider_transaction_id for row in second.transactions] == ["t0"]
    assert (first.stale, second.stale) == (True, False)


async def test_nothing_is_asked_anew_unless_it_is_wanted() -> None:
    """A refresh is billed, so that it takes a setting."""
    vendor = ScriptedVendor(READY)

    await vendor.plaid().sync_transactions(transactions_request(CREDENTIAL))

    assert vendor.paths == ["POST /transactions/sync"]


async def test_recent_data_are_not_asked_anew() -> None:
    """With the setting, the Item is asked for its age first."""
    vendor = ScriptedVendor(read_at(23), READY)

    result = await vendor.plaid(refresh="stale").sync_transactions(transactions_request(CREDENTIAL))

    assert vendor.paths == ["POST /item/get", "POST /transactions/sync"]
    assert not result.stale


async def test_old_data_are_asked_anew_and_awaited() -> None:
    """The refresh is started, watched until Plaid has read the bank again, and then read."""
    vendor = ScriptedVendor(read_at(30), DONE, read_at(30), read_at(0), READY)

    result = await vendor.plaid(refresh="stale").sync_transactions(transactions_request(CREDENTIAL))

    assert vendor.paths == [
        "POST /item/get",
        "POST /transactions/refresh",
        "POST /item/get",
        "POST /item/get",
        "POST /transactions/sync",
    ]
    assert vendor.pauses == [2.0, 3.0]
    assert not result.stale


async def test_a_refresh_that_takes_too_long_leaves_an_honest_old_answer() -> None:
    """What Plaid holds is told, and told to be stale."""
    vendor = ScriptedVendor(read_at(30), DONE, *[read_at(30)] * 3, READY)

    result = await vendor.plaid(refresh="stale", refresh_wait_s="10").sync_transactions(
        transactions_request(CREDENTIAL)
    )

    assert [row.provider_transaction_id for row in result.transactions] == ["t1"]
    assert result.stale


@pytest.mark.parametrize(
    "refusal",
    [
        answer(error("TRANSACTIONS_REFRESH_LIMIT", "RATE_LIMIT_EXCEEDED"), 429),
        answer(error("INVALID_PRODUCT", "INVALID_INPUT"), 400),
        answer(error("INSTITUTION_DOWN", "INSTITUTION_ERROR"), 400),
    ],
    ids=["limit", "contract", "bank"],
)
async def test_a_refused_refresh_costs_no_reading(refusal: Answer) -> None:
    """An add-on that cannot be had takes nobody out: the data are told as they are."""
    vendor = ScriptedVendor(read_at(30), refusal, READY)

    result = await vendor.plaid(refresh="stale").sync_transactions(transactions_request(CREDENTIAL))

    assert [row.provider_transaction_id for row in result.transactions] == ["t1"]
    assert result.stale


async def test_an_item_that_was_never_read_is_not_asked_anew() -> None:
    """While the first data are being gathered, what there is is told as stale."""
    never = {"transactions": {"last_successful_update": None, "last_failed_update": None}}
    vendor = ScriptedVendor(answer({"item": item(), "status": never}), READY)

    result = await vendor.plaid(refresh="stale").sync_transactions(transactions_request(CREDENTIAL))

    assert vendor.paths == ["POST /item/get", "POST /transactions/sync"]
    assert result.stale


async def test_a_lost_answer_to_a_refresh_leaves_it_running() -> None:
    """Its answer can take as long as the bank: whether it was done shows on the Item."""
    vendor = ScriptedVendor(read_at(30), httpx.ReadTimeout("silence"), read_at(0), READY)

    result = await vendor.plaid(refresh="stale").sync_transactions(transactions_request(CREDENTIAL))

    assert not result.stale


async def test_the_rest_of_a_cut_answer_is_not_refreshed_again() -> None:
    """A walk asks once, and who takes stale data asks never."""
    page = answer(sync([movement("t1"), movement("t2")], cursor="c1"))
    vendor = ScriptedVendor(read_at(1), page)
    plaid = vendor.plaid(refresh="stale")
    first = await plaid.sync_transactions(transactions_request(CREDENTIAL, limit=1))

    await plaid.sync_transactions(
        transactions_request(CREDENTIAL, cursor=first.next_cursor, limit=1)
    )
    await plaid.sync_transactions(transactions_request(CREDENTIAL, allow_stale=True))

    assert vendor.paths == ["POST /item/get", *["POST /transactions/sync"] * 3]


async def test_live_balances_are_a_setting() -> None:
    """They are asked of the bank, old ones of cards taken where the bank gives no others."""
    vendor = ScriptedVendor(answer(accounts(account())))

    result = await vendor.plaid(balances="live").get_accounts(accounts_request(CREDENTIAL))

    assert vendor.paths == ["POST /accounts/balance/get"]
    assert vendor.bodies[0]["options"] == {"min_last_updated_datetime": "2026-02-16T15:30:00Z"}
    assert result.as_of is None


async def test_who_takes_old_data_is_not_billed_for_live_balances() -> None:
    """With `allow_stale` the cached balances do."""
    vendor = ScriptedVendor(answer(accounts(account())))

    await vendor.plaid(balances="live").get_accounts(accounts_request(CREDENTIAL, allow_stale=True))

    assert vendor.paths[0] == "POST /accounts/get"


async def test_the_age_of_cached_balances_is_asked_where_it_is_not_told() -> None:
    """They are at least as recent as the Item's last update, and no younger is claimed."""
    vendor = ScriptedVendor(answer(accounts(account())), read_at(5))

    result = await vendor.plaid().get_accounts(accounts_request(CREDENTIAL))

    assert vendor.paths == ["POST /accounts/get", "POST /item/get"]
    assert NOW - timedelta(hours=5) == result.as_of


@pytest.mark.parametrize(
    "second",
    [
        answer(error("ITEM_GET_LIMIT", "RATE_LIMIT_EXCEEDED"), 429),
        httpx.ReadTimeout("silence"),
        httpx.Response(200, text="<html>"),
    ],
    ids=["limit", "timeout", "html"],
)
async def test_an_age_that_cannot_be_had_costs_no_accounts(second: Answer) -> None:
    """The accounts are told without a time, and the attempt is told by its own call."""
    vendor = ScriptedVendor(answer(accounts(account())), second)
    trace = AttemptTrace("a")
    token = current_attempt.set(trace)
    try:
        result = await vendor.plaid().get_accounts(accounts_request(CREDENTIAL))
    finally:
        current_attempt.reset(token)

    assert len(result.accounts) == 1
    assert result.as_of is None
    assert (trace.http_status, trace.provider_request_id) == (200, "bkVE1BHWMAZ9Rnr")
    assert trace.http_calls == 2


async def test_failures_of_a_live_balance_are_told() -> None:
    """A bank that does not answer is no reason to pass off cached balances as live ones."""
    vendor = ScriptedVendor(answer(error("INSTITUTION_NOT_RESPONDING", "INSTITUTION_ERROR"), 400))

    failure = await failure_of(
        vendor.plaid(balances="live").get_accounts(accounts_request(CREDENTIAL))
    )

    assert verdict(failure) == ("provider_down", "institution", "INSTITUTION_NOT_RESPONDING")
