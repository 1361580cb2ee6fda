"""Belvo: data that have to be read at the bank first, and the rules under which a bank lets it in."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from belvo_payloads import CREDENTIAL, LINK_ID, account, errors, link, movement, page
from scripted_vendor import (
    KEYS,
    NOW,
    Answer,
    ScriptedVendor,
    accounts_request,
    answer,
    failure_of,
    transactions_request,
    verdict,
)

from orchestrator.domain import Credential
from orchestrator.providers import belvo_retrieval
from orchestrator.providers.attempt_trace import AttemptTrace, current_attempt
from orchestrator.providers.belvo import ADAPTER as BELVO
from orchestrator.providers.belvo import Belvo
from orchestrator.providers.protocol import AccountsRead, TransactionsRead

OLD = NOW - timedelta(days=3)
DONE, ACCEPTED = answer([], 201), answer({"request_id": "b5d0106ac9cc43d5b36199fe831f6bbe"}, 202)
TIMED_OUT = answer(errors("request_timeout"), 408)
BUSY = answer(errors("too_many_sessions"), 400)
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


def iso(at: datetime | None) -> str | None:
    """A time as Belvo writes it."""
    return None if at is None else at.isoformat().replace("+00:00", "Z")


async def nothing() -> None:
    """What happens during a pause unless a test says otherwise."""


class Bank:
    """Belvo with one link: what it has stored, and how it answers to being sent to the bank.

    A reading that is done lands at once; one that is accepted lands with the link's `lands_at`-th
    look from then, never where it is None.
    """

    def __init__(self, *posts: Answer, lands_at: int | None = None) -> None:
        self._posts = list(posts)
        self._lands_at = lands_at
        self._looks_left: int | None = None
        self.accessed_at: datetime | None = OLD
        self.collected_at = OLD
        self.status = "valid"
        self.vendor = ScriptedVendor(self._respond)
        self.during_pause: Callable[[], Awaitable[object]] = nothing

    @property
    def posts(self) -> list[tuple[str, dict[str, Any]]]:
        """The resource and body of every reading that was asked for."""
        sent = zip(self.vendor.requests, self.vendor.bodies, strict=True)
        return [(r.url.path.split("/")[2], body) for r, body in sent if r.method == "POST"]

    async def pause(self, seconds: float) -> None:
        """Note a pause, and let happen what the test wants to happen meanwhile."""
        self.vendor.pauses.append(seconds)
        await self.during_pause()

    def land(self) -> None:
        """Let a reading end: what is stored is of now."""
        self._looks_left = None
        self.accessed_at = self.collected_at = self.vendor.now

    def _respond(self, request: httpx.Request) -> Answer:
        if request.method == "POST":
            step = self._posts.pop(0) if len(self._posts) > 1 else self._posts[0]
            if isinstance(step, httpx.Response) and step.status_code in (200, 201):
                self.land()
            elif isinstance(step, httpx.Response) and step.status_code == 202:
                self._looks_left = self._lands_at
            return step
        if request.url.path.startswith("/api/links/"):
            if self._looks_left is not None:
                self._looks_left -= 1
                if self._looks_left <= 0:
                    self.land()
            return answer(link(self.status, last_accessed_at=iso(self.accessed_at)))
        told = iso(self.collected_at)
        if request.url.path == "/api/accounts/":
            return answer(page([account(collected_at=told)]))
        return answer(page([movement("t1", "2026-03-10", collected_at=told)]))


def when_stale(bank: Bank, **options: str) -> Belvo:
    """An adapter that asks for data older than a day."""
    return Belvo(
        bank.vendor.http(BELVO),
        Credential(KEYS),
        {"retrieval": "when_stale", **options},
        now=lambda: bank.vendor.now,
        pause=bank.pause,
    )


@contextmanager
def attempt(left_s: float, bank: Bank | None = None) -> Iterator[AttemptTrace]:
    """An attempt with so many seconds left, of which the bank's pauses take away."""
    pauses: list[float] = [] if bank is None else bank.vendor.pauses
    trace = AttemptTrace("attempt", time_left_s=lambda: left_s - sum(pauses))
    token = current_attempt.set(trace)
    try:
        yield trace
    finally:
        current_attempt.reset(token)


def queued(adapter: Belvo) -> bool:
    """Whether an attempt holds the link and another waits for it."""
    retrieval = adapter._retrieval
    lock = None if retrieval is None else retrieval._locks.get(LINK_ID)
    return lock is not None and bool(lock._waiters)


async def accounts(adapter: Belvo, *, allow_stale: bool = False) -> AccountsRead:
    """A reading of the accounts."""
    return await adapter.get_accounts(accounts_request(CREDENTIAL, allow_stale=allow_stale))


async def transactions(adapter: Belvo, **over: object) -> TransactionsRead:
    """A reading of the transactions of ninety days."""
    return await adapter.sync_transactions(transactions_request(CREDENTIAL, **over))


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


SYNCHRONOUS = {"background": ""}


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


async def until(condition: Callable[[], bool]) -> None:
    """Let other tasks run until something is so."""
    async with asyncio.timeout(5.0):
        while not condition():  # noqa: ASYNC110  the condition is other tasks'
            await asyncio.sleep(0)
