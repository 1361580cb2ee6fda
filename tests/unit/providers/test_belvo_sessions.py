"""Belvo at the bank: one session for each login, slow banks, attempts that wait for one another."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta

import pytest
from belvo_bank import (
    ACCEPTED,
    BUSY,
    DONE,
    OLD,
    TIMED_OUT,
    Bank,
    accounts,
    attempt,
    nothing,
    queued,
    transactions,
    until,
    when_stale,
)
from belvo_payloads import errors
from scripted_vendor import NOW, answer, failure_of, verdict

from orchestrator.providers import belvo_retrieval

SYNCHRONOUS = {"background": ""}


async def test_one_link_is_read_by_one_attempt_at_a_time() -> None:
    """Whoever comes second waits, and takes what the first has brought."""
    bank = Bank(ACCEPTED)
    adapter, goes_on = when_stale(bank), asyncio.Event()

    async def land() -> None:
        await goes_on.wait()
        bank.land()

    bank.during_pause = land
    both = asyncio.gather(transactions(adapter), transactions(adapter))
    await until(lambda: queued(adapter))
    goes_on.set()
    first, second = await both

    assert len(bank.posts) == 1
    assert (first.stale, second.stale) == (False, False)
    assert first.transactions == second.transactions


async def test_an_attempt_that_is_given_up_lets_the_next_one_in() -> None:
    """Cancelling whoever holds a link, or waits for it, leaves it free."""
    bank = Bank(ACCEPTED)
    adapter, never = when_stale(bank), asyncio.Event()
    bank.during_pause = never.wait
    two = [asyncio.create_task(transactions(adapter)) for _ in range(2)]
    await until(lambda: queued(adapter))

    for task in two:
        task.cancel()
    await asyncio.gather(*two, return_exceptions=True)
    bank.during_pause = nothing
    bank.accessed_at = NOW - timedelta(hours=30)
    with attempt(8.0, bank):
        result = await transactions(adapter)

    assert (result.stale, len(bank.posts)) == (False, 1)


async def test_whoever_waits_for_a_link_that_breaks_is_told_so() -> None:
    """The second attempt looks at the link again before it asks a bank that has refused the first."""
    bank = Bank(ACCEPTED)
    adapter, goes_on = when_stale(bank), asyncio.Event()

    async def ask_for_code() -> None:
        await goes_on.wait()
        bank.status = "token_required"

    bank.during_pause = ask_for_code
    both = asyncio.gather(failure_of(transactions(adapter)), failure_of(transactions(adapter)))
    await until(lambda: queued(adapter))
    goes_on.set()

    assert [failure.code for failure in await both] == ["token_required"] * 2
    assert len(bank.posts) == 1


async def test_a_waiting_attempt_gives_up_while_it_can_still_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Old data are told in time, rather than nothing too late."""
    monkeypatch.setattr(belvo_retrieval, "_LEAST_SPARE_S", 0.0)
    bank = Bank(ACCEPTED)
    adapter, never = when_stale(bank), asyncio.Event()
    bank.during_pause = never.wait
    holder = asyncio.create_task(transactions(adapter))
    await until(lambda: bool(bank.vendor.pauses))

    with attempt(3.02):
        async with asyncio.timeout(3.0):
            result = await transactions(adapter)
    holder.cancel()
    await asyncio.gather(holder, return_exceptions=True)

    assert (result.stale, len(bank.posts)) == (True, 1)


async def test_another_open_session_is_waited_for() -> None:
    """A bank lets one session of a login in: the order is given again until it is taken."""
    bank = Bank(BUSY, BUSY, DONE)

    with attempt(60.0):
        result = await accounts(when_stale(bank))

    assert (len(bank.posts), bank.vendor.pauses, result.stale) == (3, [1.0, 1.5], False)


async def test_a_session_that_stays_open_leaves_the_data_old() -> None:
    """What cannot be asked for in time is answered as it is."""
    bank = Bank(BUSY)

    with attempt(9.0, bank):
        result = await accounts(when_stale(bank))

    assert (result.stale, result.as_of) == (True, OLD)
    assert bank.vendor.pauses == [1.0, 1.5, 2.25]


async def test_a_session_that_is_over_is_begun_again_once() -> None:
    """Belvo says to start anew, which can be said for ever."""
    over = answer(errors("session_expired"), 400)
    lucky, unlucky = Bank(over, DONE), Bank(over)

    result = await accounts(when_stale(lucky))
    failure = await failure_of(accounts(when_stale(unlucky)))

    assert (len(lucky.posts), result.stale) == (2, False)
    assert (len(unlucky.posts), verdict(failure)) == (
        2,
        ("auth", "connection", "session_expired"),
    )


async def test_a_slow_bank_is_asked_for_half_at_a_time() -> None:
    """The later days first, as news are there; both halves make the whole."""
    bank = Bank(TIMED_OUT, DONE, DONE)

    result = await transactions(
        when_stale(bank, **SYNCHRONOUS), start_date=NOW.date().replace(day=3)
    )

    assert [(body["date_from"], body["date_to"]) for _, body in bank.posts] == [
        ("2026-03-03", "2026-03-18"),
        ("2026-03-11", "2026-03-18"),
        ("2026-03-03", "2026-03-10"),
    ]
    assert not result.stale


async def test_a_bank_that_is_too_slow_for_half_fails() -> None:
    """It is the institution's failure, on which failover goes on; one smaller window is enough."""
    bank = Bank(TIMED_OUT)

    failure = await failure_of(transactions(when_stale(bank, **SYNCHRONOUS)))

    assert verdict(failure) == ("provider_down", "institution", "request_timeout")
    assert len(bank.posts) == 2


async def test_half_of_the_window_is_told_with_a_word_about_the_rest() -> None:
    """The days that came are told; that the earlier ones are still awaited is said."""
    bank = Bank(TIMED_OUT, DONE, TIMED_OUT)

    result = await transactions(when_stale(bank, **SYNCHRONOUS))

    assert (len(bank.posts), result.stale, len(result.transactions)) == (3, True, 1)


@pytest.mark.parametrize("reading", ["accounts", "one-day"])
async def test_what_cannot_be_halved_is_asked_for_once(reading: str) -> None:
    """Accounts have no window, and a day no half."""
    bank = Bank(TIMED_OUT)
    adapter = when_stale(bank, **SYNCHRONOUS)
    call: Awaitable[object] = (
        accounts(adapter)
        if reading == "accounts"
        else transactions(adapter, start_date=NOW.date(), end_date=NOW.date())
    )

    failure = await failure_of(call)

    assert verdict(failure) == ("provider_down", "institution", "request_timeout")
    assert len(bank.posts) == 1
