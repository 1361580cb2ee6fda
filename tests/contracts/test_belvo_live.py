"""Belvo's adapter and its sandbox, where data have to be read at the bank first; over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from httpx_aiohttp import AiohttpTransport
from provider_contract import ALICE, Desk, institution_at

from orchestrator.domain import Credential
from orchestrator.providers.belvo import ADAPTER, Belvo
from orchestrator.providers.http import client_for
from orchestrator.providers.protocol import TransactionsRead
from orchestrator.providers.registry import AdapterConfig
from sandbox.options import SandboxOptions
from tests.support.httpx_wire import HttpxWire
from tests.support.openapi_documents import document
from tests.support.recorded_requests import Recorder
from tests.support.sandbox import START, running_sandbox

WEEK = {"belvo_refresh_days": 0}
SYNCHRONOUS = {"background": ""}


@dataclass
class Counter:
    """A desk at Belvo, a connection of Alice's, and what was sent on its behalf."""

    desk: Desk
    credential: Credential
    recorder: Recorder

    @property
    def posts(self) -> list[str]:
        """The paths of every reading that was asked for at the bank."""
        return [
            sent.path
            for sent in self.recorder.sent
            if sent.method == "POST" and sent.path != "/api/token/"
        ]

    async def sync(self, cursor: str | None = None, days: int = 30) -> TransactionsRead:
        """The movements of the last days."""
        start = self.desk.world.clock().date() - timedelta(days=days)
        return await self.desk.attempt(
            self.desk.syncing(self.credential, start=start, cursor=cursor)
        )


@asynccontextmanager
async def counter(sandbox: dict[str, Any], **options: str) -> AsyncIterator[Counter]:
    """Belvo read when data are older than a day; pauses move the sandbox's clock."""
    async with running_sandbox(options=SandboxOptions(**sandbox)) as world:
        config = AdapterConfig(
            "sandbox",
            world.url_of("belvo"),
            {"BELVO_SECRET_ID": "sandbox_id", "BELVO_SECRET_PASSWORD": "sandbox_password"},
            now=world.clock,
        )

        async def pause(seconds: float) -> None:
            world.clock.move(seconds=seconds)

        recorder = Recorder(AiohttpTransport(), "/belvo")
        async with client_for(config.base_url, wire=HttpxWire(recorder)) as client:
            adapter = Belvo(
                ADAPTER.vendor_http(client, config),
                Credential(config.keys),
                {"retrieval": "when_stale", **options},
                now=world.clock,
                pause=pause,
            )
            desk = Desk("belvo", institution_at("belvo"), world, adapter, attempt_s=60.0)
            yield Counter(desk, await desk.connect(), recorder)


async def test_a_job_brings_what_has_happened_since() -> None:
    """Nothing is asked for while data are fresh; then a job is ordered, watched, and read."""
    async with counter(WEEK) as belvo:
        first = await belvo.sync()
        belvo.desk.world.clock.move(days=5)
        second = await belvo.sync(first.next_cursor)
        third = await belvo.sync(second.next_cursor)

    newest = max(row.date for row in second.transactions)
    assert belvo.posts == ["/api/transactions/"]
    assert newest > START.date()
    assert (second.stale, second.listing is not None) == (False, True)
    assert set(third.transactions) <= set(second.transactions)


async def test_accounts_are_of_the_reading_that_was_asked_for() -> None:
    """Their own time tells it."""
    async with counter(WEEK) as belvo:
        belvo.desk.world.clock.move(days=5)
        read = await belvo.desk.attempt(belvo.desk.reading(belvo.credential))

    assert belvo.posts == ["/api/accounts/"]
    assert (read.as_of, read.stale) == (START + timedelta(days=5), False)


async def test_a_bank_that_wants_a_code_is_mended_in_the_widget() -> None:
    """The link shows that it waits, nobody asks the bank again, and update mode ends it."""
    async with counter({**WEEK, "belvo_asks_code": True}) as belvo:
        desk = belvo.desk
        desk.world.clock.move(days=5)
        first = await desk.failure(desk.syncing(belvo.credential))
        second = await desk.failure(desk.reading(belvo.credential))
        posts_before = len(belvo.posts)
        made = await desk.link(repair=belvo.credential)
        await desk.attempt(desk.exchanging(await desk.complete(made), made.state, ALICE))
        mended = await desk.attempt(desk.reading(belvo.credential))

    assert [(one.error_class, one.scope, one.code) for one in (first, second)] == [
        ("auth", "connection", "token_required")
    ] * 2
    assert "createLink with connectionId" in str(first.user_action)
    assert posts_before == 1
    assert (mended.stale, len(mended.accounts) > 0) == (False, True)


async def test_a_slow_bank_gives_its_window_in_two_halves() -> None:
    """408 on the whole is followed by each half, and nothing is told twice or missing."""
    async with counter({**WEEK, "belvo_widest_days": 20}, **SYNCHRONOUS) as belvo:
        belvo.desk.world.clock.move(days=5)
        halved = await belvo.sync()
        known = {row.provider_transaction_id for row in halved.transactions}

    assert belvo.posts == ["/api/transactions/"] * 3
    assert (halved.stale, len(known)) == (False, len(halved.transactions))
    assert max(row.date for row in halved.transactions) > START.date()


async def test_a_bank_that_is_too_slow_for_half_is_the_institutions_failure() -> None:
    """Failover goes on from there."""
    async with counter({**WEEK, "belvo_widest_days": 5}, **SYNCHRONOUS) as belvo:
        belvo.desk.world.clock.move(days=5)
        failure = await belvo.desk.failure(belvo.desk.syncing(belvo.credential))

    assert (failure.error_class, failure.scope, failure.code) == (
        "provider_down",
        "institution",
        "request_timeout",
    )


async def test_a_session_that_is_open_is_waited_for() -> None:
    """Accounts, and right after them transactions, of a bank that lets one session in."""
    async with counter({**WEEK, "belvo_session_s": 20.0}, **SYNCHRONOUS) as belvo:
        belvo.desk.world.clock.move(days=5)
        await belvo.desk.attempt(belvo.desk.reading(belvo.credential))
        synced = await belvo.sync()

    assert belvo.posts.count("/api/accounts/") == 1
    assert belvo.posts.count("/api/transactions/") > 1
    assert not synced.stale


async def test_attempts_at_one_link_go_to_the_bank_once() -> None:
    """Ten at a time bring one reading, and all of them its data."""
    async with counter(WEEK) as belvo:
        belvo.desk.world.clock.move(days=5)
        read = await asyncio.gather(*(belvo.sync() for _ in range(10)))

    assert belvo.posts == ["/api/transactions/"]
    assert {len(one.transactions) for one in read} == {len(read[0].transactions)}
    assert not any(one.stale for one in read)


@pytest.mark.parametrize(
    ("told", "times"), [({"movement_ids": "per_retrieval"}, 1), ({"movement_ids": "lasting"}, 2)]
)
async def test_movements_that_were_read_again_are_told_once(
    told: dict[str, str], times: int
) -> None:
    """Where ids do not last, the setting that says so keeps the latest reading's rows."""
    async with counter({**WEEK, "belvo_movement_ids": "per_retrieval"}, **told) as belvo:
        before = await belvo.sync(days=10)
        belvo.desk.world.clock.move(days=2)
        after = await belvo.sync(days=12)

    def seen(read: TransactionsRead, until: date) -> list[tuple[date, object, str]]:
        return [(r.date, r.amount, r.description) for r in read.transactions if r.date <= until]

    settled = START.date() - timedelta(days=5)
    assert sorted(seen(before, settled) * times) == sorted(seen(after, settled))


async def test_a_link_that_is_still_gathering_says_so() -> None:
    """What there is so far, and that more is awaited."""
    async with counter({"belvo_gathering_s": 60.0}, retrieval="stored") as belvo:
        early = await belvo.desk.attempt(belvo.desk.reading(belvo.credential))
        belvo.desk.world.clock.move(seconds=60)
        late = await belvo.desk.attempt(belvo.desk.reading(belvo.credential))

    assert (early.accounts, early.stale) == ((), True)
    assert (len(late.accounts) > 0, late.stale) == (True, False)


async def test_a_count_of_everything_is_read_as_such_where_an_option_says_so() -> None:
    """The other reading of the specification would take every listing for truncated."""
    async with counter({"belvo_count": "everything"}, count="everything") as right:
        accounts = await right.desk.attempt(right.desk.reading(right.credential))
    async with counter({"belvo_count": "everything"}) as wrong:
        failure = await wrong.desk.failure(wrong.desk.reading(wrong.credential))

    assert accounts.accounts
    assert failure.code == "WRONG_SUCCESS_TRUNCATED"


async def test_a_token_of_documented_fields_satisfies_a_strict_vendor() -> None:
    """Where settings of the widget are refused with the token, the option leaves them out."""
    strict = {"belvo_token_fields": "documented"}
    async with counter(strict, widget_settings="by_front_end") as belvo:
        assert belvo.credential


async def test_the_hosted_page_links_as_the_token_does() -> None:
    """Its address leads to the same session."""
    async with counter({}, widget="hosted_url") as belvo:
        made = await belvo.desk.link()

        assert made.link_url is not None
        assert made.link_url.startswith("https://widget.belvo.io/?access_token=")
        assert (await belvo.desk.attempt(belvo.desk.reading(belvo.credential))).accounts


async def test_every_request_of_a_live_reading_is_as_documented() -> None:
    """Orders of jobs, of halves and of accounts, and a change of the access mode."""
    judge = document("belvo")
    sent = []
    async with counter(WEEK, access_mode="single") as belvo:
        belvo.desk.world.clock.move(days=5)
        await belvo.sync()
        await belvo.desk.attempt(belvo.desk.reading(belvo.credential))
        sent += belvo.recorder.sent
    async with counter({**WEEK, "belvo_widest_days": 20}, **SYNCHRONOUS) as belvo:
        belvo.desk.world.clock.move(days=5)
        await belvo.sync()
        sent += belvo.recorder.sent

    problems = [
        problem
        for one in sent
        if one.path != "/api/token/"
        for problem in judge.request_problems(
            one.method, one.path, one.query, one.headers, one.body
        )
    ]
    assert problems == []
    assert {"GET", "POST"} <= {one.method for one in sent}
