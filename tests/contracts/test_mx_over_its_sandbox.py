"""MX's adapter over the sandbox's MX, whose clock moves while the adapter pauses."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta

import pytest
from httpx_aiohttp import AiohttpTransport
from provider_contract import ALICE

from orchestrator.domain import Credential, Failure, ProviderFailure, ProviderTransaction
from orchestrator.providers.http import client_for
from orchestrator.providers.mx import ADAPTER, Mx
from orchestrator.providers.mx_client import MxClient
from orchestrator.providers.protocol import (
    AccountsRead,
    AccountsRequest,
    Exchanged,
    ExchangeRequest,
    LinkRequest,
    TransactionsRead,
    TransactionsRequest,
)
from orchestrator.providers.registry import AdapterConfig
from sandbox.options import SandboxOptions
from tests.support.httpx_wire import HttpxWire
from tests.support.mx_members import job, log_in, look, resume
from tests.support.openapi_documents import document
from tests.support.recorded_requests import Recorder
from tests.support.sandbox import START, RunningSandbox, running_sandbox
from tests.support.vendor_callers import MxCaller

VERSIONS = {"v20250224": "mx.v20250224", "v20111101": "mx.mx_platform_api"}
KEYS = {"MX_CLIENT_ID": "sandbox_client", "MX_API_KEY": "sandbox_key"}
AWAKE = SandboxOptions(mx_background=False)
"""Nothing is read at night, so that newer data have to be asked for."""


@dataclass
class Bench:
    """The adapter, its sandbox, and what it sent."""

    world: RunningSandbox
    recorder: Recorder
    pauses: list[float] = field(default_factory=list)
    options: Mapping[str, str] = field(default_factory=dict)
    adapter: Mx = field(init=False)

    async def pause(self, seconds: float) -> None:
        """Let time pass at the bank, and nowhere else."""
        self.pauses.append(seconds)
        self.world.clock.move(seconds=seconds)

    @property
    def asked(self) -> int:
        """How often an aggregation was asked for."""
        return sum(sent.path.endswith("/aggregate") for sent in self.recorder.sent)

    async def linked(self, user: str | None = None) -> Exchanged:
        """A connection at Chase, made through the widget."""
        made = await self.adapter.create_link(
            LinkRequest(ALICE, "US", "en", "chase", None, None, None)
        )
        token = await self.world.complete(url=made.link_url, user=user)
        return await self.adapter.exchange_token(
            ExchangeRequest(ALICE, Credential({"token": token}), made.state, "chase")
        )

    async def accounts(self, credential: Credential, *, allow_stale: bool = False) -> AccountsRead:
        """A reading of accounts."""
        return await self.adapter.get_accounts(AccountsRequest(credential, allow_stale))

    async def movements(
        self,
        credential: Credential,
        *,
        days: int = 90,
        end: date | None = None,
        cursor: str | None = None,
    ) -> TransactionsRead:
        """A reading of movements up to the bank's today."""
        today = self.world.clock().date()
        return await self.adapter.sync_transactions(
            TransactionsRequest(
                credential=credential,
                provider_account_id=None,
                start_date=today - timedelta(days=days),
                end_date=end or today,
                cursor=cursor,
                limit=10_000,
                allow_stale=False,
                today=today,
            )
        )

    async def failure(self, credential: Credential) -> Failure:
        """The failure of a reading of accounts."""
        with pytest.raises(ProviderFailure) as caught:
            await self.accounts(credential)
        return caught.value.failure


@asynccontextmanager
async def bench(sandbox: SandboxOptions | None = None, **options: str) -> AsyncIterator[Bench]:
    """The adapter over a fresh sandbox."""
    async with running_sandbox(options=sandbox) as world:
        config = AdapterConfig("sandbox", world.url_of("mx"), KEYS, options, now=world.clock)
        recorder = Recorder(AiohttpTransport(), "/mx")
        async with client_for(config.base_url, wire=HttpxWire(recorder)) as http:
            found = Bench(world, recorder, options=options)
            chosen = {**ADAPTER.default_options, **options}
            client = MxClient(
                ADAPTER.vendor_http(http, config),
                looks_up_by_id=chosen["api_version"] == "v20250224",
                pause=found.pause,
            )
            found.adapter = Mx(client, chosen, now=world.clock, pause=found.pause)
            yield found


def rows_of(read: TransactionsRead) -> dict[str, ProviderTransaction]:
    """Movements by MX's guid."""
    return {row.provider_transaction_id: row for row in read.transactions}


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_refresh_brings_what_came_since(version: str) -> None:
    """Two days later newer data are asked for, waited for and told, in both versions."""
    async with bench(AWAKE, api_version=version) as mx:
        credential = (await mx.linked()).credential
        mx.world.clock.move(seconds=3700)
        first = await mx.movements(credential)
        mx.world.clock.move(days=2)
        accounts = await mx.accounts(credential)
        second = await mx.movements(credential, cursor=first.next_cursor)
        third = await mx.movements(credential, cursor=second.next_cursor)

    assert 1 == mx.asked
    assert [3.0] == mx.pauses
    assert START + timedelta(days=2, seconds=3702) == accounts.as_of
    assert (False, False) == (accounts.stale, second.stale)
    new = rows_of(second)
    assert new
    assert not new.keys() & rows_of(first).keys()
    assert max(row.date for row in new.values()) > START.date()
    assert new == rows_of(third)  # written within the hour before the reading


@pytest.mark.parametrize("version", VERSIONS)
async def test_what_a_refresh_sends_is_as_documented(version: str) -> None:
    """Asking, looking and reading hold before MX's own document."""
    judge = document(VERSIONS[version], whole=True)
    async with bench(AWAKE, api_version=version, merchants="true", use_cases="PFM") as mx:
        credential = (await mx.linked()).credential
        mx.world.clock.move(days=2)
        await mx.movements(credential)
        sent = list(mx.recorder.sent)

    paths = {one.path.rsplit("/", 1)[-1] for one in sent}
    assert {"widget_urls", "aggregate", "status", "transactions"} <= paths
    assert [] == [
        problem
        for one in sent
        for problem in judge.request_problems(
            one.method, one.path, one.query, one.headers, one.body
        )
    ]


async def test_a_long_job_is_told_as_stale_until_it_has_ended() -> None:
    """The next reading finds it running, waits for it, and asks for no other."""
    async with bench(SandboxOptions(mx_background=False, mx_job_s=25)) as mx:
        credential = (await mx.linked()).credential
        mx.world.clock.move(days=2)
        first, second = await mx.accounts(credential), await mx.accounts(credential)
        third = await mx.accounts(credential)

    assert [True, False, False] == [read.stale for read in (first, second, third)]
    assert [START, START + timedelta(days=2, seconds=25)] == [first.as_of, second.as_of]
    assert (1, [3.0, 4.5, 6.75, 3.0, 4.5, 6.75]) == (mx.asked, mx.pauses)


async def test_a_job_in_the_way_is_waited_for() -> None:
    """A job of balances runs on arrival; MX rests after it, so that nothing else is asked for."""
    async with bench(AWAKE) as mx:
        credential = (await mx.linked()).credential
        mx.world.clock.move(days=2)
        caller = MxCaller(mx.world)
        caller.user, caller.member = (credential.reveal()[n] for n in ("user_guid", "member_guid"))
        assert 202 == (await job(caller, "check_balance")).status
        read = await mx.accounts(credential)
        again = await mx.accounts(credential)

    assert (True, START) == (read.stale, read.as_of)
    assert {START + timedelta(days=2, seconds=2)} == {one.as_of for one in read.accounts}
    assert (again.stale, mx.asked, mx.pauses) == (True, 0, [3.0])


async def test_a_first_aggregation_is_waited_for_at_the_exchange_and_at_a_reading() -> None:
    """The connection is active while its data are gathered, and they come within the wait."""
    async with bench(SandboxOptions(mx_first_job_s=20)) as mx:
        exchanged = await mx.linked()
        read = await mx.accounts(exchanged.credential)

    assert "active" == exchanged.status.value
    assert read.accounts
    assert (False, START + timedelta(seconds=20)) == (read.stale, read.as_of)
    assert [3.0, 4.5, 6.75, 3.0, 4.5] == mx.pauses


async def test_a_first_aggregation_that_takes_longer_has_nothing_yet() -> None:
    """There are no accounts so far, and the answer says that it is stale."""
    async with bench(SandboxOptions(mx_first_job_s=600)) as mx:
        read = await mx.accounts((await mx.linked()).credential)

    assert ((), None, True) == (read.accounts, read.as_of, read.stale)
    assert 0 == mx.asked


async def test_a_fresh_member_is_found_in_the_end() -> None:
    """MX may not know a member in its first half second."""
    async with bench(SandboxOptions(mx_fresh_member_s=0.5)) as mx:
        assert (await mx.linked()).login_key

    assert [0.5] == mx.pauses


async def test_a_challenge_is_the_users_until_it_is_answered() -> None:
    """A refresh that runs into a challenge asks for the user; its answer brings the data."""
    async with bench(AWAKE) as mx:
        caller = MxCaller(mx.world)
        await log_in(caller, "challenge")
        credential = Credential({"user_guid": caller.user, "member_guid": caller.member})
        asked = await mx.failure(credential)
        old = await mx.accounts(credential, allow_stale=True)
        await resume(caller, "correct")
        await look(caller, seconds=2)
        read = await mx.accounts(credential)
        mx.world.clock.move(days=2)
        again = await mx.failure(credential)

    assert ("auth", "connection", "CHALLENGED") == (asked.error_class, asked.scope, asked.code)
    assert ((), True) == (old.accounts, old.stale)
    assert (False, True) == (read.stale, bool(read.accounts))
    assert "CHALLENGED" == again.code


async def test_a_window_of_over_a_thousand_rows_is_whole() -> None:
    """Two years come on several pages, each row once, as the world has them."""
    async with bench() as mx:
        exchanged = await mx.linked("user-3")
        read = await mx.movements(exchanged.credential, days=730)
        vendor = mx.world.sandbox.vendors["mx"]
        connection = mx.world.sandbox.connections.get("mx", exchanged.login_key)
        assert connection is not None
        login = vendor.login(connection)
        first = START.date() - timedelta(days=730)
        truth = login.view(START.date(), since=first)

    assert len(read.transactions) > 1000
    assert len(truth) == len(rows_of(read)) == len(read.transactions)
    assert sum(s.movement.amount for s in truth) == sum(row.amount for row in read.transactions)
    assert read.listing is not None
    assert (first, START.date()) == (read.listing.first_day, read.listing.last_day)


@pytest.mark.parametrize("to_date", ["inclusive", "midnight"])
@pytest.mark.parametrize("form", ["iso", "unix"])
async def test_the_last_day_is_told_however_mx_takes_dates(form: str, to_date: str) -> None:
    """Both forms of a date and both meanings of a window's end give the same movements."""
    options = SandboxOptions(mx_dates=form, mx_to_date=to_date)  # type: ignore[arg-type]
    async with bench(options, date_format=form) as mx:
        credential = (await mx.linked()).credential
        whole = await mx.movements(credential)
        last = sorted({row.date for row in whole.transactions})[-8]
        read = await mx.movements(credential, end=last)

    assert rows_of(read) == {guid: row for guid, row in rows_of(whole).items() if row.date <= last}
    assert last in {row.date for row in read.transactions}


async def test_a_minus_before_a_debit_changes_nothing() -> None:
    """The direction comes from the type, whatever the sign."""
    async with bench() as plain:
        unsigned = await plain.movements((await plain.linked()).credential)
    async with bench(SandboxOptions(mx_signed_amounts=True)) as mx:
        signed = await mx.movements((await mx.linked()).credential)

    assert sorted((r.date, r.amount, r.direction) for r in unsigned.transactions) == sorted(
        (r.date, r.amount, r.direction) for r in signed.transactions
    )


async def test_a_kept_guid_is_told_again_when_it_is_posted() -> None:
    """A row that MX only updates comes as changed, under the id that it had."""
    async with bench(SandboxOptions(mx_pending_guid="kept")) as mx:
        credential = (await mx.linked()).credential
        first = await mx.movements(credential)
        mx.world.clock.move(days=4)
        second = await mx.movements(credential, cursor=first.next_cursor)

    pending = {guid for guid, row in rows_of(first).items() if row.pending}
    posted = {guid for guid, row in rows_of(second).items() if not row.pending}
    assert pending & posted


@pytest.mark.parametrize(("lingers", "is_there"), [(0, False), (10, True)])
async def test_a_replaced_record_is_in_the_listing_for_as_long_as_mx_keeps_it(
    lingers: int, is_there: bool
) -> None:
    """Whoever compares listings sees a pending row go when MX deletes it, and not before."""
    async with bench(SandboxOptions(mx_pending_lingers_days=lingers)) as mx:
        credential = (await mx.linked()).credential
        first = await mx.movements(credential)
        mx.world.clock.move(days=4)
        second = await mx.movements(credential, cursor=first.next_cursor)

    recent = START.date() - timedelta(days=3)
    pending = {g for g, row in rows_of(first).items() if row.pending and row.date > recent}
    assert second.listing is not None
    listed = {seen.provider_transaction_id for seen in second.listing.movements}
    assert pending
    assert second.listing.first_day <= recent
    assert ([is_there] * len(pending)) == [guid in listed for guid in pending]


async def test_revoking_ends_the_member_alone() -> None:
    """The user stays, so that a further bank is linked under it."""
    async with bench() as mx:
        first = await mx.linked()
        await mx.adapter.revoke(first.credential)
        await mx.adapter.revoke(first.credential)
        gone = await mx.failure(first.credential)
        second = await mx.linked()

    assert ("auth", "connection") == (gone.error_class, gone.scope)
    assert first.login_key != second.login_key
    assert first.credential.get("user_guid") == second.credential.get("user_guid")
