"""Plaid's rule that a failure inside a paginated update starts it anew from its first cursor."""

from datetime import timedelta

import httpx
import pytest
from plaid_payloads import CREDENTIAL, error, movement, sync
from scripted_vendor import (
    NOW,
    TODAY,
    Answer,
    ScriptedVendor,
    answer,
    failure_of,
    transactions_request,
    verdict,
)

from orchestrator.domain import SeenMovement
from orchestrator.providers.attempt_trace import AttemptTrace, current_attempt
from orchestrator.providers.plaid_feed import Restarts
from orchestrator.providers.protocol import TransactionsRead

MUTATION = answer(error("TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION", "TRANSACTIONS_ERROR"), 400)
REFUSED_CURSOR = answer(error("INVALID_FIELD", "INVALID_REQUEST"), 400)
DOWN = answer(error("INTERNAL_SERVER_ERROR", "API_ERROR"), 500)
FIRST_PAGE = answer(sync([movement("dropped")], cursor="c1", more=True))


def ids(result: TransactionsRead) -> list[str]:
    """The vendor's ids that were told, in order."""
    return [row.provider_transaction_id for row in result.transactions]


async def update(*script: Answer) -> tuple[ScriptedVendor, TransactionsRead]:
    """An update that meets this script, an hour after a reading that ended at the cursor `c0`."""
    vendor = ScriptedVendor(answer(sync(cursor="c0")), *script)
    plaid = vendor.plaid()
    first = await plaid.sync_transactions(transactions_request(CREDENTIAL))
    vendor.requests.clear()
    vendor.now += timedelta(hours=1)
    going_on = transactions_request(CREDENTIAL, cursor=first.next_cursor)
    return vendor, await plaid.sync_transactions(going_on)


@pytest.mark.parametrize(
    "trouble",
    [
        MUTATION,
        DOWN,
        httpx.Response(502, text="<html>"),
        httpx.ReadTimeout("silence"),
        httpx.ReadError("cut"),
        httpx.ConnectError("no"),
    ],
    ids=["mutation", "500", "502", "timeout", "cut", "unreachable"],
)
async def test_what_may_pass_starts_the_update_anew(trouble: Answer) -> None:
    """Pages read before the failure are dropped, and the loop begins where it began."""
    vendor, result = await update(FIRST_PAGE, trouble, answer(sync([movement("t1")], cursor="c2")))

    assert [body.get("cursor") for body in vendor.bodies] == ["c0", "c1", "c0"]
    assert ids(result) == ["t1"]
    assert vendor.pauses == [0.25]


async def test_pages_of_a_broken_loop_leave_nothing_behind() -> None:
    """What only the broken loop told is neither told nor called gone."""
    broken = answer(sync([movement("t1"), movement("never")], cursor="c1", more=True))
    whole = answer(sync([movement("t1"), movement("t2")], cursor="c2"))

    _, result = await update(broken, MUTATION, whole)

    assert ids(result) == ["t1", "t2"]
    assert result.removed == ()


@pytest.mark.parametrize(
    ("code", "error_type", "status"),
    [
        ("ITEM_LOGIN_REQUIRED", "ITEM_ERROR", 400),
        ("INVALID_API_KEYS", "INVALID_INPUT", 400),
        ("TRANSACTIONS_SYNC_LIMIT", "RATE_LIMIT_EXCEEDED", 429),
        ("INSTITUTION_DOWN", "INSTITUTION_ERROR", 400),
        ("PLANNED_MAINTENANCE", "API_ERROR", 503),
        ("INVALID_FIELD", "INVALID_REQUEST", 400),
    ],
)
async def test_what_will_not_pass_ends_the_attempt(code: str, error_type: str, status: int) -> None:
    """Users, keys, limits and banks do not mend within seconds."""
    vendor = ScriptedVendor(FIRST_PAGE, answer(error(code, error_type), status))

    failure = await failure_of(vendor.plaid().sync_transactions(transactions_request(CREDENTIAL)))

    assert failure.code == code
    assert len(vendor.requests) == 2
    assert vendor.pauses == []


@pytest.mark.parametrize("trouble", [DOWN, httpx.ReadTimeout("silence")], ids=["500", "timeout"])
async def test_a_first_page_that_fails_is_the_routers_to_ask_again(trouble: Answer) -> None:
    """Nothing of the update was read, so nothing starts anew inside the attempt."""
    vendor = ScriptedVendor(trouble)

    await failure_of(vendor.plaid().sync_transactions(transactions_request(CREDENTIAL)))

    assert len(vendor.requests) == 1


async def test_endless_mutations_end_as_a_failure_of_the_connection() -> None:
    """Three restarts with growing pauses, then the connection's data cannot be read now."""
    vendor = ScriptedVendor(*[FIRST_PAGE, MUTATION] * 4)

    failure = await failure_of(vendor.plaid().sync_transactions(transactions_request(CREDENTIAL)))

    assert verdict(failure)[:2] == ("provider_down", "connection")
    assert len(vendor.requests) == 8
    assert vendor.pauses == [0.25, 0.5, 1.0]


async def test_endless_hiccups_end_as_what_they_are() -> None:
    """Two restarts, then the failure is the attempt's."""
    vendor = ScriptedVendor(*[FIRST_PAGE, DOWN] * 3)

    failure = await failure_of(vendor.plaid().sync_transactions(transactions_request(CREDENTIAL)))

    assert verdict(failure) == ("provider_down", "provider", "INTERNAL_SERVER_ERROR")
    assert len(vendor.requests) == 6
    assert vendor.pauses == [0.25, 0.5]


async def test_an_attempt_without_time_starts_nothing_anew() -> None:
    """A restart that could not end in time is not begun: the caller's cursor still stands."""
    vendor = ScriptedVendor(FIRST_PAGE, MUTATION)
    token = current_attempt.set(AttemptTrace("a", time_left_s=lambda: 2.0))
    try:
        failure = await failure_of(
            vendor.plaid().sync_transactions(transactions_request(CREDENTIAL))
        )
    finally:
        current_attempt.reset(token)

    assert verdict(failure)[:2] == ("provider_down", "connection")
    assert len(vendor.requests) == 2


def test_jitter_takes_up_to_half_of_a_pause() -> None:
    """Whoever met the same outage does not come back in step."""
    assert Restarts(mutations=1).pause_s(0.0) == 0.25
    assert Restarts(mutations=1, hiccups=1).pause_s(1.0) == 0.25
    assert Restarts(mutations=3).pause_s(0.5) == 0.75


@pytest.mark.parametrize(
    "script", [[REFUSED_CURSOR], [MUTATION, MUTATION]], ids=["refused", "behind"]
)
async def test_a_cursor_that_plaid_no_longer_takes_is_replaced_by_the_whole_history(
    script: list[Answer],
) -> None:
    """All from the start on is told again, and what is gone shows in the listing handed on."""
    rows = [movement("t1"), movement("early", "2024-01-01"), movement("t2", account_id="acc-2")]
    vendor, result = await update(*script, answer(sync(rows, cursor="c9")))

    assert [body.get("cursor") for body in vendor.bodies] == [*["c0"] * len(script), None]
    assert ids(result) == ["t1", "t2"]
    assert result.removed == ()
    assert result.listing is not None
    assert SeenMovement("t2", "acc-2", result.transactions[1].date) in result.listing.movements
    assert (result.listing.first_day.isoformat(), result.listing.last_day) == ("2025-12-18", TODAY)
    assert result.listing.provider_account_ids is None
    assert NOW == result.told_since


async def test_a_history_begun_anew_goes_on_by_its_own_cursor() -> None:
    """Its walk and its next update are those of any reading."""
    vendor = ScriptedVendor(
        answer(sync(cursor="c0")),
        REFUSED_CURSOR,
        answer(sync([movement("t1"), movement("t2")], cursor="c9")),
        answer(sync([movement("t1"), movement("t2")], cursor="c9")),
        answer(sync([movement("t3")], cursor="c10")),
    )
    plaid = vendor.plaid()
    start = await plaid.sync_transactions(transactions_request(CREDENTIAL))

    first = await plaid.sync_transactions(
        transactions_request(CREDENTIAL, cursor=start.next_cursor, limit=1)
    )
    second = await plaid.sync_transactions(
        transactions_request(CREDENTIAL, cursor=first.next_cursor, limit=1)
    )
    third = await plaid.sync_transactions(
        transactions_request(CREDENTIAL, cursor=second.next_cursor)
    )

    assert (ids(first), ids(second), ids(third)) == (["t1"], ["t2"], ["t3"])
    assert (second.listing, third.listing, third.told_since) == (None, None, None)
    assert vendor.bodies[-1]["cursor"] == "c9"


async def test_an_unfinished_history_proves_nothing_gone() -> None:
    """While Plaid is still gathering, what is not in the feed may only not be there yet."""
    _, result = await update(
        REFUSED_CURSOR, answer(sync([movement("t1")], status="INITIAL_UPDATE_COMPLETE"))
    )

    assert result.stale
    assert result.listing is None


async def test_a_refusal_that_is_not_the_cursors_is_told() -> None:
    """Without a cursor the same code is our own mistake."""
    vendor = ScriptedVendor(REFUSED_CURSOR)

    failure = await failure_of(vendor.plaid().sync_transactions(transactions_request(CREDENTIAL)))

    assert verdict(failure) == ("validation", "request", "INVALID_FIELD")
    assert len(vendor.requests) == 1
