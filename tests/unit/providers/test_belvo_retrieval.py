"""Belvo: data that have to be read at the bank first, when they are, and what comes of it."""

from datetime import timedelta

import httpx
import pytest
from belvo_bank import (
    ACCEPTED,
    DONE,
    OLD,
    Bank,
    accounts,
    attempt,
    nothing,
    transactions,
    when_stale,
)
from belvo_payloads import LINK_ID, errors
from scripted_vendor import NOW, answer, failure_of, verdict

ASKS_CODE = answer(
    [
        {
            **errors("token_required")[0],
            "session": "2675b703b9d4451f8d4861a3eee54449",
            "expiry": 9600,
        }
    ],
    428,
)


async def test_stored_data_are_read_as_they_are_by_default() -> None:
    """Nobody is sent to a bank unless an option says so, however old the data."""
    bank = Bank(DONE)

    result = await accounts(bank.vendor.belvo())

    assert bank.posts == []
    assert (result.as_of, result.stale) == (OLD, False)


@pytest.mark.parametrize("fresh", ["collected_at", "accessed_at"])
async def test_what_is_fresh_is_not_asked_for(fresh: str) -> None:
    """A reading of less than a day ago will do, whichever of Belvo's times tells of it."""
    bank = Bank(DONE)
    setattr(bank, fresh, NOW - timedelta(hours=23))

    await accounts(when_stale(bank))

    assert bank.posts == []


async def test_old_accounts_are_read_at_the_bank_and_then_as_stored() -> None:
    """What Belvo has read it keeps, so it is listed as ever, and told once."""
    bank = Bank(DONE)

    result = await accounts(when_stale(bank))

    assert bank.posts == [("accounts", {"link": LINK_ID, "save_data": True})]
    assert "X-Belvo-Request-Mode" not in bank.vendor.requests[2].headers
    assert (result.as_of, result.stale, len(result.accounts)) == (NOW, False, 1)


async def test_the_age_that_is_too_old_is_a_setting() -> None:
    """Three days are not old where a week is allowed."""
    bank = Bank(DONE)

    await accounts(when_stale(bank, refresh_after_hours="168"))

    assert bank.posts == []


async def test_old_transactions_are_read_by_a_job_that_is_watched() -> None:
    """Belvo takes the order and reads; the link's own time tells when it has been at the bank."""
    bank = Bank(ACCEPTED, lands_at=2)

    with attempt(60.0) as trace:
        result = await transactions(when_stale(bank))

    dates = {"date_from": "2025-12-18", "date_to": "2026-03-18"}
    assert bank.posts == [("transactions", {"link": LINK_ID, "save_data": True, **dates})]
    (post,) = (request for request in bank.vendor.requests if request.method == "POST")
    assert post.headers["X-Belvo-Request-Mode"] == "async"
    assert bank.vendor.pauses == [1.0, 1.5]
    assert (result.stale, result.listing is not None) == (False, True)
    assert trace.provider_request_id == "b5d0106ac9cc43d5b36199fe831f6bbe"


async def test_accounts_are_read_by_a_job_where_an_option_says_so() -> None:
    """Newer documents may allow it; where it is not taken up, the answer is the data."""
    bank = Bank(DONE)

    result = await accounts(when_stale(bank, background="accounts,transactions"))

    assert bank.vendor.requests[2].headers["X-Belvo-Request-Mode"] == "async"
    assert not result.stale


async def test_a_job_that_does_not_end_in_time_is_left_to_the_next_attempt() -> None:
    """Old data are told as old; the next attempt orders nothing twice and sees what has come."""
    bank = Bank(ACCEPTED)
    adapter = when_stale(bank)

    with attempt(8.0):
        first = await transactions(adapter)
        second = await transactions(adapter)
    bank.land()
    third = await transactions(adapter)

    assert (first.stale, second.stale, third.stale) == (True, True, False)
    assert (len(first.transactions), first.listing) == (1, None)
    assert len(bank.posts) == 1


async def test_a_job_that_was_lost_is_ordered_again() -> None:
    """After ten minutes nobody waits for it any more."""
    bank = Bank(ACCEPTED)
    adapter = when_stale(bank)
    with attempt(8.0):
        await transactions(adapter)
        bank.vendor.now += timedelta(minutes=11)
        await transactions(adapter)

    assert len(bank.posts) == 2


async def test_a_bank_that_asks_for_a_code_needs_its_user() -> None:
    """The connection's own failure, with what to do; nothing that a circuit counts."""
    bank = Bank(ASKS_CODE)

    failure = await failure_of(accounts(when_stale(bank)))

    assert verdict(failure) == ("auth", "connection", "token_required")
    assert "one-time code" in str(failure.user_action)
    assert "connectionId" in str(failure.user_action)
    assert not failure.elsewhere


async def test_old_data_are_told_where_wanted_when_the_bank_cannot_be_read() -> None:
    """Whoever allows old data gets them, said to be old."""
    bank = Bank(ASKS_CODE)

    result = await accounts(when_stale(bank), allow_stale=True)

    assert (len(result.accounts), result.stale) == (1, True)


async def test_our_refused_keys_are_told_even_where_old_data_would_do() -> None:
    """Nobody but us can mend them, so they are not kept quiet."""
    bank = Bank(answer(errors("access_to_resource_denied"), 403))

    failure = await failure_of(accounts(when_stale(bank), allow_stale=True))

    assert verdict(failure) == ("auth", "client", "access_to_resource_denied")


async def test_a_broken_link_is_not_sent_to_its_bank() -> None:
    """It would only be refused there, and some banks count."""
    bank = Bank(DONE)
    bank.status = "invalid"

    result = await accounts(when_stale(bank), allow_stale=True)

    assert (bank.posts, result.stale) == ([], True)


async def test_a_job_that_breaks_the_link_fails_and_is_forgotten() -> None:
    """That a bank asks for a code during a job shows on the link; a repair starts anew."""
    bank = Bank(ACCEPTED)
    adapter = when_stale(bank)

    async def ask() -> None:
        bank.status = "token_required"

    bank.during_pause = ask
    with attempt(60.0):
        failure = await failure_of(transactions(adapter))
    bank.during_pause = nothing
    bank.status = "valid"
    with attempt(8.0):
        await transactions(adapter)

    assert verdict(failure) == ("auth", "connection", "token_required")
    assert len(bank.posts) == 2


async def test_a_bank_that_is_silent_for_too_long_is_not_asked_twice() -> None:
    """Belvo keeps what it reads though nobody waits: what comes of it is seen later."""
    bank = Bank(httpx.ReadTimeout("silence"))
    adapter = when_stale(bank)

    with attempt(6.0):
        first = await accounts(adapter)
        second = await accounts(adapter)
    bank.land()
    third = await accounts(adapter)

    assert (first.stale, second.stale, third.stale) == (True, True, False)
    assert len(bank.posts) == 1


async def test_a_lost_connection_is_the_lines_failure() -> None:
    """Whether the order arrived is not known, and the line is to blame."""
    failure = await failure_of(accounts(when_stale(Bank(httpx.ReadError("cut")))))

    assert verdict(failure) == ("network", "provider", "CONNECTION_LOST")


@pytest.mark.parametrize("left_s", [0.0, 2.0, 3.9])
async def test_nothing_is_begun_without_time_to_end_it(left_s: float) -> None:
    """An attempt that is nearly over tells what is stored."""
    bank = Bank(DONE)

    with attempt(left_s):
        result = await accounts(when_stale(bank))

    assert (bank.posts, result.stale) == ([], True)


async def test_the_rest_of_a_cut_answer_asks_nothing_of_the_bank() -> None:
    """Between two parts of one answer nothing may move."""
    bank = Bank(ACCEPTED, lands_at=1)
    adapter = when_stale(bank)
    first = await transactions(adapter)
    cut = first.next_cursor.replace("null,null]", '"2026-03-01","t0"]')
    bank.accessed_at = bank.collected_at = OLD
    bank.vendor.now += timedelta(days=2)

    await transactions(adapter, cursor=cut)

    assert len(bank.posts) == 1


async def test_a_window_of_the_future_asks_nothing_of_the_bank() -> None:
    """Belvo takes no later day than today."""
    bank = Bank(DONE)
    tomorrow = NOW.date() + timedelta(days=1)

    await transactions(when_stale(bank), start_date=tomorrow, end_date=tomorrow)

    assert bank.posts == []


async def test_a_reading_of_accounts_does_not_vouch_for_transactions() -> None:
    """The link's time moves with any access, so one of our own for the other thing proves nothing."""
    bank = Bank(DONE)
    adapter = when_stale(bank)
    await accounts(adapter)
    bank.collected_at = OLD

    await transactions(adapter)
    bank.collected_at = OLD
    await transactions(adapter)
    await accounts(adapter)

    assert [resource for resource, _ in bank.posts] == ["accounts", "transactions"]


@pytest.mark.parametrize(
    "reply",
    [
        httpx.Response(202, content=b"<html>"),
        httpx.Response(202, json=["x"]),
        httpx.Response(202, json={"request_id": "a\nb" * 50}),
        httpx.Response(201, content=b"\xff\xfe"),
        httpx.Response(200, json={"detail": "not an array"}),
    ],
)
async def test_whatever_stands_in_an_acceptance_the_link_decides(reply: httpx.Response) -> None:
    """An order's answer is not read for data: what is stored afterwards is."""
    bank = Bank(reply, lands_at=1)

    with attempt(20.0):
        result = await accounts(when_stale(bank))

    assert (len(result.accounts), result.stale) == (1, False)


async def test_a_gigantic_answer_is_malformed() -> None:
    """It is not read to its end."""
    huge = httpx.Response(201, content=b"x", headers={"content-length": "52428800"})

    failure = await failure_of(accounts(when_stale(Bank(huge))))

    assert verdict(failure) == ("provider_down", "provider", "MALFORMED")
