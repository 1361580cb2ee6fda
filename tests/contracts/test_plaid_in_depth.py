"""Plaid's adapter against the sandbox's Plaid, where the two have habits of their own.

Pauses of the adapter move the sandbox's clock. Where Plaid's document is at hand, what was sent is
held against it.
"""

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from json import loads
from typing import Any

import httpx
from httpx_aiohttp import AiohttpTransport
from provider_contract import Desk, ids, institution_at

from orchestrator.catalogue import Catalogue
from orchestrator.providers.http import client_for
from orchestrator.providers.plaid import ADAPTER, Plaid
from orchestrator.providers.protocol import TransactionsRead
from orchestrator.providers.registry import AdapterConfig
from sandbox.options import SandboxOptions
from tests.support.httpx_wire import HttpxWire
from tests.support.openapi_documents import document
from tests.support.recorded_requests import Recorder
from tests.support.sandbox import START, running_sandbox

KEYS = {"PLAID_CLIENT_ID": "sandbox_client", "PLAID_SECRET": "sandbox_secret"}
SYNC = "/transactions/sync"


class Between(Recorder):
    """A recorder that lets a test do something after each request of an endpoint."""

    after: Callable[[int], None] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it on, and tell how many syncs there were."""
        response = await super().handle_async_request(request)
        if self.after is not None and request.url.path.endswith(SYNC):
            self.after(self.paths.count(SYNC))
        return response

    @property
    def paths(self) -> list[str]:
        """What was called."""
        return [sent.path for sent in self.sent]


@dataclass
class Bench:
    """A desk at Plaid, what its adapter sent, and how long it paused."""

    desk: Desk
    wire: Between
    pauses: list[float]


@asynccontextmanager
async def bench(
    options: Mapping[str, str] | None = None,
    sandbox: SandboxOptions | None = None,
    institution_id: str | None = None,
) -> AsyncIterator[Bench]:
    """Plaid's adapter over a fresh sandbox; at the end, its requests are judged."""
    async with running_sandbox(options=sandbox) as world:
        config = AdapterConfig("sandbox", world.url_of("plaid"), KEYS, options or {})
        wire, pauses = Between(AiohttpTransport(), "/plaid"), []

        async def pause(seconds: float) -> None:
            pauses.append(seconds)
            world.clock.move(seconds=seconds)

        async with client_for(config.base_url, wire=HttpxWire(wire)) as client:
            adapter = Plaid(
                ADAPTER.vendor_http(client, config),
                config.options,
                now=world.clock,
                pause=pause,
                draw=lambda: 0.0,
            )
            bank = institution_at("plaid")
            if institution_id is not None:
                bank = Catalogue.load().get(institution_id) or bank
            yield Bench(Desk("plaid", bank, world, adapter, attempt_s=60.0), wire, pauses)
    for sent in wire.sent if os.environ.get("PROVIDER_SPECS_DIR") else ():
        problems = document("plaid").request_problems(
            sent.method, sent.path, sent.query, sent.headers, sent.body
        )

        assert [] == problems


def rows(read: TransactionsRead) -> dict[str, Any]:
    """What was told, by id."""
    return {row.provider_transaction_id: row for row in read.transactions}


async def test_first_data_are_awaited() -> None:
    """A sync right after linking answers with the first data, some seconds later."""
    async with bench(sandbox=SandboxOptions(plaid_not_ready_s=2)) as at:
        credential = await at.desk.connect()

        read = await at.desk.attempt(at.desk.syncing(credential))

    assert len(read.transactions) > 30
    assert not read.stale
    assert at.pauses == [1.0, 1.5]


async def test_data_that_take_longer_come_by_the_cursor_of_the_empty_answer() -> None:
    """Nothing is lost between an honest nothing, the first batch and the older history."""
    sandbox = SandboxOptions(plaid_not_ready_s=600, plaid_initial_s=600)
    async with bench(sandbox=sandbox) as at:
        credential = await at.desk.connect()
        reads = [await at.desk.attempt(at.desk.syncing(credential))]
        for _ in range(2):
            at.desk.world.clock.move(seconds=600)
            reads.append(
                await at.desk.attempt(at.desk.syncing(credential, cursor=reads[-1].next_cursor))
            )
        fresh = await at.desk.attempt(at.desk.syncing(credential))

    assert [True, True, False] == [read.stale for read in reads]
    assert () == reads[0].transactions
    assert {} == {k: v for k, v in rows(reads[1]).items() if k in rows(reads[2])}
    assert rows(fresh) == rows(reads[1]) | rows(reads[2])


async def test_a_mutation_between_two_pages_loses_and_repeats_nothing() -> None:
    """A day goes by after the first page: the loop starts anew and tells what there is now."""
    async with bench() as at:
        credential = await at.desk.connect()
        before = at.wire.paths.count(SYNC)
        at.wire.after = lambda n: at.desk.world.clock.move(days=1 if n == before + 1 else 0)
        start = START.date() - timedelta(days=700)

        read = await at.desk.attempt(at.desk.syncing(credential, start=start))
        at.wire.after = None
        fresh = await at.desk.attempt(at.desk.syncing(credential, start=start))

    assert len(read.transactions) > 500
    asked = {name for name, row in rows(fresh).items() if row.date <= START.date()}
    assert asked == set(rows(read))
    assert len(ids(read.transactions)) == len(set(ids(read.transactions)))
    assert at.pauses == [0.25]
    cursors = [loads(sent.body).get("cursor") for sent in at.wire.sent if sent.path == SYNC]
    assert [None, cursors[before + 1], None] == cursors[before : before + 3]


async def test_mutations_without_end_are_a_failure_of_the_connection() -> None:
    """What keeps changing cannot be read now, and says nothing of Plaid as a whole."""
    async with bench() as at:
        credential = await at.desk.connect()
        code = "TRANSACTIONS_SYNC_MUTATION_DURING_PAGINATION"
        await at.desk.fault("error", errorCode=code)

        failure = await at.desk.failure(at.desk.syncing(credential))

    assert (failure.error_class, failure.scope, failure.code) == (
        "provider_down",
        "connection",
        code,
    )
    assert len(at.pauses) == 3


async def test_a_cursor_of_another_item_begins_anew() -> None:
    """A connection that was linked anew goes on: all from the start on, and a listing to compare."""
    async with bench() as at:
        old = await at.desk.connect()
        first = await at.desk.attempt(at.desk.syncing(old))
        new = await at.desk.connect()

        read = await at.desk.attempt(at.desk.syncing(new, cursor=first.next_cursor))
        fresh = await at.desk.attempt(at.desk.syncing(new))
        after = await at.desk.attempt(at.desk.syncing(new, cursor=read.next_cursor))

    assert rows(fresh) == rows(read)
    assert read.listing is not None
    assert not {m.provider_transaction_id for m in read.listing.movements} & set(rows(first))
    assert START == read.told_since
    assert ((), ()) == (after.transactions, after.removed)


async def test_a_cursor_that_has_expired_begins_anew() -> None:
    """A year of silence costs a reading of the whole history, and no failure."""
    async with bench(sandbox=SandboxOptions(plaid_cursor_days=365)) as at:
        credential = await at.desk.connect()
        first = await at.desk.attempt(at.desk.syncing(credential))
        at.desk.world.clock.move(days=366)

        read = await at.desk.attempt(at.desk.syncing(credential, cursor=first.next_cursor))

    assert len(read.transactions) > len(first.transactions)
    assert read.listing is not None


async def test_rows_that_plaid_corrects_are_told_again() -> None:
    """Day after day, what was told and told anew is what a fresh reading shows."""
    async with bench() as at:
        credential = await at.desk.connect()
        read = await at.desk.attempt(at.desk.syncing(credential))
        held, corrected = rows(read), 0
        for _ in range(30):
            at.desk.world.clock.move(days=1)
            read = await at.desk.attempt(at.desk.syncing(credential, cursor=read.next_cursor))
            corrected += len(held.keys() & rows(read).keys())
            for gone in read.removed:
                held.pop(gone, None)
            held |= rows(read)
        start = START.date() - timedelta(days=90)
        fresh = await at.desk.attempt(at.desk.syncing(credential, start=start))

    assert rows(fresh) == held
    assert corrected > 1


async def test_old_data_are_refreshed_where_that_is_wanted() -> None:
    """The sync asks for a reading of the bank, waits for it, and tells what it brought."""
    sandbox = SandboxOptions(plaid_pulls_itself=False, plaid_refresh_s=4)
    async with bench({"refresh": "stale"}, sandbox) as at:
        credential = await at.desk.connect()
        first = await at.desk.attempt(at.desk.syncing(credential))
        at.desk.world.clock.move(days=3)

        read = await at.desk.attempt(at.desk.syncing(credential, cursor=first.next_cursor))

    assert read.transactions
    assert not read.stale
    assert at.pauses == [2.0, 3.0]
    assert "/transactions/refresh" in at.wire.paths


async def test_a_refresh_that_takes_too_long_is_told_as_stale() -> None:
    """What Plaid held before is answered, and the next sync finds what came."""
    sandbox = SandboxOptions(plaid_pulls_itself=False, plaid_refresh_s=60)
    async with bench({"refresh": "stale", "refresh_wait_s": "3"}, sandbox) as at:
        credential = await at.desk.connect()
        first = await at.desk.attempt(at.desk.syncing(credential))
        at.desk.world.clock.move(days=3)
        late = await at.desk.attempt(at.desk.syncing(credential, cursor=first.next_cursor))
        at.desk.world.clock.move(seconds=60)

        read = await at.desk.attempt(at.desk.syncing(credential, cursor=late.next_cursor))

    assert (late.stale, late.transactions) == (True, ())
    assert read.transactions
    assert not read.stale


async def test_a_hosted_session_is_exchanged_by_its_address() -> None:
    """The user finishes on Plaid's page, and the caller has nothing but the address."""
    async with bench({"link": "hosted"}) as at:
        made = await at.desk.link()
        early = await at.desk.failure(at.desk.exchanging(str(made.link_url), made.state))
        await at.desk.complete(made)

        exchanged = await at.desk.attempt(at.desk.exchanging(str(made.link_url), made.state))
        again = await at.desk.link(repair=exchanged.credential)
        await at.desk.complete(again)
        mended = await at.desk.attempt(at.desk.exchanging(str(again.link_url), again.state))

    assert (early.code, early.sent) == ("LINK_NOT_FINISHED", False)
    assert exchanged.login_key == mended.login_key
    assert timedelta(minutes=30) == again.expires_at - START


async def test_live_balances_are_read_where_cards_have_none() -> None:
    """At Capital One live balances of cards do not exist, and the cached ones are taken."""
    async with bench({"balances": "live"}, institution_id="ins_capital_one") as at:
        made = await at.desk.link()
        token = await at.desk.world.complete(token=made.link_token, user="user-3")
        exchanged = await at.desk.attempt(at.desk.exchanging(token, made.state))

        read = await at.desk.attempt(at.desk.reading(exchanged.credential))

    assert {"depository", "credit"} <= {one.type for one in read.accounts}
    assert "/accounts/balance/get" in at.wire.paths


async def test_balances_without_a_time_are_as_old_as_the_last_reading_of_the_bank() -> None:
    """Where Plaid tells no time, the Item's last update is told."""
    async with bench(sandbox=SandboxOptions(plaid_balance_times="capital_one")) as at:
        credential = await at.desk.connect()
        at.desk.world.clock.move(days=1)

        read = await at.desk.attempt(at.desk.reading(credential))

    assert read.as_of == (START + timedelta(days=1)).replace(hour=0, minute=0)


async def test_an_item_with_an_address_reports_from_its_exchange_on() -> None:
    """One call right after the exchange is what makes Plaid announce the first data."""
    async with bench(sandbox=SandboxOptions(plaid_not_ready_s=5)) as at:
        await at.desk.connect()
        at.desk.world.clock.move(seconds=5)
        await at.desk.world.calls()
        reported = [loads(one["body"]) for one in await at.desk.world.webhooks()]

    assert ["SYNC_UPDATES_AVAILABLE"] == [one["webhook_code"] for one in reported]


async def test_a_public_token_that_has_expired_asks_for_a_new_session() -> None:
    """Half an hour after the widget's end the token is worth nothing."""
    async with bench() as at:
        made = await at.desk.link()
        token = await at.desk.complete(made)
        at.desk.world.clock.move(seconds=1801)

        failure = await at.desk.failure(at.desk.exchanging(token, made.state))

    assert (failure.error_class, failure.code) == ("validation", "INVALID_PUBLIC_TOKEN")
    assert "createLink" in str(failure.user_action)
