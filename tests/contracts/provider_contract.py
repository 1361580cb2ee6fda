"""What every provider's adapter promises; a class of tests that each one inherits.

Each runs against the sandbox in this process, which speaks the vendor's own protocol. What a
vendor's protocol cannot show is named in `provider_shapes`.
"""

from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TypeVar
from uuid import uuid4

import pytest
from provider_shapes import SHAPES, Shape

from orchestrator.catalogue import Catalogue, Institution
from orchestrator.domain import (
    ConnectionStatus,
    Credential,
    Direction,
    Failure,
    LinkType,
    Operation,
    ProviderFailure,
    ProviderTransaction,
)
from orchestrator.providers.attempt_trace import AttemptTrace, current_attempt
from orchestrator.providers.http import client_for
from orchestrator.providers.protocol import (
    AccountsRead,
    AccountsRequest,
    Exchanged,
    ExchangeRequest,
    FinancialProvider,
    LinkMade,
    LinkRequest,
    TransactionsRead,
    TransactionsRequest,
)
from orchestrator.providers.registry import REGISTRY, AdapterConfig, adapter_of
from sandbox.banks import BANKS
from tests.support.sandbox import START, RunningSandbox, running_sandbox

__all__ = ["ProviderContract"]

T = TypeVar("T")
Temporary = str | dict[str, str]
"""What a widget gives, or a form."""
ALICE, BOB = "usr_alice_0123456789", "usr_bobby_0123456789"
CREATE, ACCOUNTS, SYNC = (
    Operation.CREATE_LINK,
    Operation.GET_ACCOUNTS,
    Operation.SYNC_TRANSACTIONS,
)


@dataclass
class Desk:
    """A provider's adapter over a running sandbox, and what a caller does with it.

    `attempt_s` is what each attempt has left at any time: too little for a vendor's jobs, unless a
    test is about them. `interactive`: somebody waits.
    """

    name: str
    institution: Institution
    world: RunningSandbox
    adapter: FinancialProvider
    trace: AttemptTrace = field(default_factory=lambda: AttemptTrace("none"))
    attempt_s: float = 2.5
    interactive: bool = False

    @property
    def provider_institution_id(self) -> str:
        """The bank's id at this vendor."""
        return self.institution.provider_ids[self.name]

    async def attempt(
        self,
        call: Awaitable[T],
        *,
        call_timeout_s: float = 10.0,
        operation: Operation | None = None,
    ) -> T:
        """Run a call as one attempt; of which operation is told to the sandbox if it is given."""
        self.trace = AttemptTrace(
            str(uuid4()),
            time_left_s=lambda: self.attempt_s,
            call_timeout_s=call_timeout_s,
            interactive=self.interactive,
            operation=operation and operation.value,
        )
        token = current_attempt.set(self.trace)
        try:
            return await call
        finally:
            current_attempt.reset(token)

    async def failure(self, call: Awaitable[object], *, call_timeout_s: float = 10.0) -> Failure:
        """The failure with which a call ends."""
        with pytest.raises(ProviderFailure) as caught:
            await self.attempt(call, call_timeout_s=call_timeout_s)
        return caught.value.failure

    async def link(self, user: str = ALICE, *, repair: Credential | None = None) -> LinkMade:
        """A link session at this desk's bank."""
        request = LinkRequest(
            end_user_id=user,
            region=self.institution.region,
            language="es",
            provider_institution_id=self.provider_institution_id,
            redirect_uri="https://app.test/done",
            webhook_url="https://app.test/hooks",
            repair=repair,
        )
        return await self.attempt(self.adapter.create_link(request))

    async def complete(self, made: LinkMade) -> Temporary:
        """Play the user in the widget, or before the form."""
        return await self.world.complete(
            token=made.link_token,
            url=made.link_url,
            link_session_id="ls_of_the_form" if made.fields else None,
            institution_id=self.institution.institution_id,
        )

    def exchanging(
        self, token: Temporary, state: Mapping[str, str], user: str = ALICE
    ) -> Awaitable[Exchanged]:
        """The exchange of what the widget gave."""
        request = ExchangeRequest(user, parts_of(token), state, self.provider_institution_id)
        return self.adapter.exchange_token(request)

    async def connect(self, user: str = ALICE) -> Credential:
        """A connection of this user, linked from beginning to end."""
        made = await self.link(user)
        exchanged = await self.attempt(self.exchanging(await self.complete(made), made.state, user))
        return exchanged.credential

    def reading(
        self, credential: Credential, *, allow_stale: bool = False
    ) -> Awaitable[AccountsRead]:
        """A reading of accounts."""
        return self.adapter.get_accounts(AccountsRequest(credential, allow_stale))

    def syncing(
        self,
        credential: Credential,
        *,
        start: date | None = None,
        cursor: str | None = None,
        limit: int = 10_000,
        account: str | None = None,
    ) -> Awaitable[TransactionsRead]:
        """A reading of movements up to the sandbox's today."""
        today = self.world.clock().date()
        request = TransactionsRequest(
            credential=credential,
            provider_account_id=account,
            start_date=start or today - timedelta(days=90),
            end_date=today,
            cursor=cursor,
            limit=limit,
            allow_stale=False,
            today=today,
        )
        return self.adapter.sync_transactions(request)

    def operation(self, name: Operation, credential: Credential) -> Awaitable[object]:
        """One call of an operation that can be repeated."""
        match name:
            case Operation.CREATE_LINK:
                return self.adapter.create_link(
                    LinkRequest(
                        end_user_id=ALICE,
                        region=self.institution.region,
                        language="en",
                        provider_institution_id=self.provider_institution_id,
                        redirect_uri=None,
                        webhook_url=None,
                        repair=None,
                    )
                )
            case Operation.GET_ACCOUNTS:
                return self.reading(credential)
            case _:
                return self.syncing(credential)

    async def fault(self, kind: str, **over: object) -> None:
        """Put one fault at this provider in force."""
        await self.world.put_faults({"provider": self.name, "kind": kind, **over})


def institution_at(provider: str) -> Institution:
    """The first bank of the catalogue that this provider covers."""
    return next(one for one in Catalogue.load() if provider in one.provider_ids)


@asynccontextmanager
async def desk_of(provider: str, **keys: str) -> AsyncIterator[Desk]:
    """A desk at a fresh sandbox; `keys` replace our right ones."""
    spec = REGISTRY[provider]
    adapter = adapter_of(spec)
    assert adapter is not None
    async with running_sandbox() as world:
        mine = dict(zip(spec.credentials, spec.sandbox_credentials, strict=True))
        config = AdapterConfig("sandbox", world.url_of(provider), mine | keys, now=world.clock)
        async with client_for(config.base_url) as client:
            built = adapter.build(adapter.vendor_http(client, config), config)
            yield Desk(provider, institution_at(provider), world, built)


def parts_of(token: Temporary) -> Credential:
    """A temporary token as the adapter gets it."""
    return Credential({"token": token} if isinstance(token, str) else token)


def needs(shown: bool, why: str) -> None:
    """Skip what a vendor's protocol cannot show, and say so."""
    if not shown:
        pytest.skip(why)


def ids(rows: tuple[ProviderTransaction, ...]) -> list[str]:
    """The vendor's ids, in the order told."""
    return [row.provider_transaction_id for row in rows]


class ProviderContract:
    """Needs fixture `provider`, a name in `REGISTRY` that has an adapter."""

    @pytest.fixture
    async def desk(self, provider: str) -> AsyncIterator[Desk]:
        """The provider over its sandbox."""
        async with desk_of(provider) as desk:
            yield desk

    @pytest.fixture
    def shape(self, provider: str) -> Shape:
        """What this vendor's protocol can show."""
        return SHAPES.get(provider, Shape())

    async def test_a_link_session_can_be_opened_and_expires(self, desk: Desk, shape: Shape) -> None:
        """The front end gets a token, a URL or a form's fields, good for a while from now."""
        made = await desk.link()

        opens = {
            LinkType.WIDGET_TOKEN: made.link_token,
            LinkType.HOSTED_URL: made.link_url,
            LinkType.API_KEY_FORM: made.fields,
        }
        assert [made.link_type] == [kind for kind, what in opens.items() if what]
        assert (made.link_type is not LinkType.API_KEY_FORM) == shape.has_widget
        assert made.expires_at is not None
        assert timedelta(minutes=5) <= made.expires_at - START <= timedelta(hours=4)

    async def test_a_second_link_session_of_a_user_works_as_the_first(self, desk: Desk) -> None:
        """Whoever is known at the vendor already is found there."""
        first, second = await desk.link(), await desk.link()

        assert first.state == second.state
        assert await desk.complete(second)

    async def test_an_exchange_gives_an_active_connection_at_the_bank(self, desk: Desk) -> None:
        """The widget's result becomes a credential, and the bank's id comes with it."""
        made = await desk.link()

        exchanged = await desk.attempt(desk.exchanging(await desk.complete(made), made.state))

        assert exchanged.status is ConnectionStatus.ACTIVE
        assert exchanged.provider_institution_id == desk.provider_institution_id
        assert exchanged.login_key
        assert repr(exchanged.credential).count("**********") == 1

    async def test_a_repaired_connection_keeps_its_login(self, desk: Desk) -> None:
        """A repair leads to the same login at the vendor, whose data can be read on."""
        made = await desk.link()
        first = await desk.attempt(desk.exchanging(await desk.complete(made), made.state))

        again = await desk.link(repair=first.credential)
        second = await desk.attempt(desk.exchanging(await desk.complete(again), again.state))

        assert second.login_key == first.login_key
        assert (await desk.attempt(desk.reading(second.credential))).accounts

    async def test_accounts_are_the_banks(self, desk: Desk, shape: Shape) -> None:
        """Every account of the login comes once, with mask, currency, balance and time."""
        needs(shape.has_banks, "this vendor's data are of no bank")
        result = await desk.attempt(desk.reading(await desk.connect()))

        bank = BANKS[desk.institution.institution_id]
        vendor = desk.world.sandbox.vendors[desk.name]
        login = desk.world.sandbox.world.login(vendor.default_user(ALICE), bank)
        assert sorted(one.mask or "" for one in result.accounts) == sorted(
            account.mask for account in login.accounts
        )
        balances = {
            account.mask: login.balances(account, START.date()).current
            for account in login.accounts
        }
        assert {one.mask: one.balances.current for one in result.accounts} == balances
        assert {one.currency for one in result.accounts} == {bank.currency}
        assert all(one.name and one.type and one.provider_account_id for one in result.accounts)
        assert result.as_of is not None
        assert result.as_of <= START
        assert not result.stale

    async def test_movements_are_the_banks_with_money_out_negative(self, desk: Desk) -> None:
        """Signs, dates, accounts and order hold for every row of a window."""
        credential = await desk.connect()
        accounts = (await desk.attempt(desk.reading(credential))).accounts

        result = await desk.attempt(desk.syncing(credential))

        first, last = START.date() - timedelta(days=90), START.date()
        rows = result.transactions
        assert len(rows) > 30
        assert len(set(ids(rows))) == len(rows)
        assert list(rows) == sorted(rows, key=lambda row: (row.date, row.provider_transaction_id))
        assert all(first <= row.date <= last for row in rows)
        assert {row.provider_account_id for row in rows} <= {
            one.provider_account_id for one in accounts
        }
        assert {row.direction for row in rows} == {Direction.IN, Direction.OUT}
        assert all((row.amount > 0) == (row.direction is Direction.IN) for row in rows)
        assert (result.removed, result.has_more, result.stale) == ((), False, False)

    async def test_the_amounts_add_up_as_the_world_has_them(self, desk: Desk, shape: Shape) -> None:
        """To the cent, and in the world's own direction."""
        needs(shape.has_banks, "this vendor's data are of no bank")
        credential = await desk.connect()
        rows = (await desk.attempt(desk.syncing(credential, start=date(2026, 2, 1)))).transactions

        bank = BANKS[desk.institution.institution_id]
        vendor = desk.world.sandbox.vendors[desk.name]
        login = desk.world.sandbox.world.login(vendor.default_user(ALICE), bank)
        truth = {
            (sighting.movement.amount, sighting.pending)
            for sighting in login.view(START.date(), since=date(2026, 1, 1))
        }
        assert {(row.amount, row.pending) for row in rows} <= truth

    @pytest.mark.parametrize("limit", [1, 17, 5000])
    async def test_a_limited_walk_tells_every_row_once(
        self, desk: Desk, shape: Shape, limit: int
    ) -> None:
        """Going on by the cursor gives what one answer would give, cut at the limit."""
        credential = await desk.connect()
        start = START.date() - timedelta(days=5 if limit == 1 else 90)
        whole = await desk.attempt(desk.syncing(credential, start=start))
        told: list[ProviderTransaction] = []
        cursor = None

        while True:
            page = await desk.attempt(
                desk.syncing(credential, start=start, cursor=cursor, limit=limit)
            )
            assert len(page.transactions) <= limit
            told += page.transactions
            cursor = page.next_cursor
            assert len(cursor) <= 1500
            if not page.has_more:
                break

        if not shape.keeps_days_in_order:
            assert [row.date for row in told if not row.pending] == sorted(
                row.date for row in told if not row.pending
            )
            told.sort(key=lambda row: (row.date, row.provider_transaction_id))
        assert tuple(told) == whole.transactions

    async def test_one_account_can_be_asked_for(self, desk: Desk) -> None:
        """Its rows are those of the whole answer that are its own."""
        credential = await desk.connect()
        whole = await desk.attempt(desk.syncing(credential))
        account = whole.transactions[0].provider_account_id

        narrowed = await desk.attempt(desk.syncing(credential, account=account))

        assert narrowed.transactions == tuple(
            row for row in whole.transactions if row.provider_account_id == account
        )

    async def test_a_cursor_misses_nothing_that_came_later(self, desk: Desk) -> None:
        """What was told, less what was removed, covers what a fresh reading shows, day after day."""
        credential = await desk.connect()
        start = START.date() - timedelta(days=30)
        page = await desk.attempt(desk.syncing(credential, start=start))
        known = {row.provider_transaction_id: row for row in page.transactions}

        for _ in range(6):
            desk.world.clock.move(days=2)
            page = await desk.attempt(
                desk.syncing(credential, start=start, cursor=page.next_cursor)
            )
            known |= {row.provider_transaction_id: row for row in page.transactions}
            for gone in page.removed:
                known.pop(gone, None)
            assert not page.has_more

            fresh = await desk.attempt(desk.syncing(credential, start=start))
            assert {row.provider_transaction_id: row for row in fresh.transactions}.items() <= (
                known.items()
            )

    async def test_a_cursor_tells_nothing_again_a_day_later(self, desk: Desk) -> None:
        """Rows that were told and have not changed are not repeated."""
        credential = await desk.connect()
        desk.world.clock.move(days=2)
        first = await desk.attempt(desk.syncing(credential))
        second = await desk.attempt(desk.syncing(credential, cursor=first.next_cursor))

        desk.world.clock.move(days=1)
        third = await desk.attempt(desk.syncing(credential, cursor=second.next_cursor))

        assert not {*first.transactions, *second.transactions} & set(third.transactions)

    @pytest.mark.parametrize("operation", [CREATE, ACCOUNTS, SYNC])
    async def test_wrong_keys_are_ours_to_mend(
        self, provider: str, shape: Shape, operation: Operation
    ) -> None:
        """A refusal of our keys is auth at scope client, for which other providers may do."""
        needs(shape.takes_our_keys, "this vendor has no keys of ours")
        async with desk_of(provider) as right:
            credential = await right.connect()
        wrong = dict.fromkeys(REGISTRY[provider].credentials, "wrong")
        async with desk_of(provider, **wrong) as desk:
            failure = await desk.failure(desk.operation(operation, credential))

        assert (failure.error_class, failure.scope) == ("auth", "client")
        assert failure.elsewhere

    @pytest.mark.parametrize("operation", [CREATE, ACCOUNTS, SYNC])
    @pytest.mark.parametrize(
        ("kind", "error_class", "scope"),
        [
            ("down", "provider_down", "provider"),
            ("flaky", "provider_down", "provider"),
            ("reset", "network", "provider"),
            ("lost_answer", "network", "provider"),
            ("malformed", "provider_down", "provider"),
            ("validation", "validation", "request"),
            ("institution_down", "provider_down", "institution"),
            ("bad_keys", "auth", "client"),
        ],
    )
    async def test_every_fault_lands_in_its_class_and_scope(
        self,
        desk: Desk,
        shape: Shape,
        *,
        operation: Operation,
        kind: str,
        error_class: str,
        scope: str,
    ) -> None:
        """Who is to blame is read from the vendor's own way of telling it."""
        needs(shape.has_widget or operation is not CREATE, "this vendor is sent no createLink")
        if kind == "institution_down" and not shape.has_banks:
            scope = "provider"
        credential = await desk.connect()
        await desk.fault(kind, rate=1.0)

        failure = await desk.failure(desk.operation(operation, credential))

        assert (failure.error_class, failure.scope) == (error_class, scope)
        self._holds_no_secret(failure, credential)

    async def test_silence_is_a_timeout(self, desk: Desk) -> None:
        """A vendor that never answers is cut at the call's own limit."""
        credential = await desk.connect()
        await desk.fault("timeout")

        failure = await desk.failure(desk.reading(credential), call_timeout_s=0.1)

        assert (failure.error_class, failure.code, failure.sent) == ("network", "TIMEOUT", True)

    async def test_slowness_alone_is_a_success(self, desk: Desk) -> None:
        """A late answer is an answer."""
        credential = await desk.connect()
        await desk.fault("slow", latencyMs=20)

        assert (await desk.attempt(desk.reading(credential))).accounts

    @pytest.mark.parametrize("operation", [CREATE, ACCOUNTS, SYNC])
    async def test_throttling_tells_its_pause(
        self, desk: Desk, shape: Shape, operation: Operation
    ) -> None:
        """The vendor's Retry-After comes through, and whose limit it is."""
        needs(shape.has_widget or operation is not CREATE, "this vendor is sent no createLink")
        credential = await desk.connect()
        await desk.fault("rate_limit", retryAfterS=7)

        failure = await desk.failure(desk.operation(operation, credential))

        limits_connection = shape.limits_connections and operation.reads_data
        scope = "connection" if limits_connection else "client"
        assert (failure.error_class, failure.scope) == ("rate_limit", scope)
        assert failure.retry_after_s == 7.0

    @pytest.mark.parametrize("operation", [ACCOUNTS, SYNC])
    async def test_a_broken_login_asks_for_its_user(self, desk: Desk, operation: Operation) -> None:
        """Auth at the connection, with what the user has to do."""
        credential = await desk.connect()
        await desk.fault("auth")

        failure = await desk.failure(desk.operation(operation, credential))

        assert (failure.error_class, failure.scope) == ("auth", "connection")
        assert "createLink" in str(failure.user_action)
        assert not failure.elsewhere

    async def test_an_old_answer_shows_its_age(self, desk: Desk, shape: Shape) -> None:
        """The vendor's own time is told, so that whoever compares sees it go back."""
        needs(shape.tells_age, "this vendor's data do not say of when they are")
        credential = await desk.connect()
        fresh = await desk.attempt(desk.reading(credential))
        await desk.fault("stale")

        old = await desk.attempt(desk.reading(credential))

        assert old.as_of is not None
        assert fresh.as_of is not None
        assert old.as_of < fresh.as_of

    async def test_an_empty_answer_is_told_as_it_is(self, desk: Desk) -> None:
        """Whether nothing can be true is for those who remember what there was."""
        credential = await desk.connect()
        await desk.fault("empty", operation="getAccounts")

        result = await desk.attempt(desk.reading(credential), operation=ACCOUNTS)

        assert result.accounts == ()

    @pytest.mark.parametrize("operation", [ACCOUNTS, SYNC])
    async def test_a_lost_page_is_noticed_where_rows_are_counted(
        self, desk: Desk, shape: Shape, operation: Operation
    ) -> None:
        """A vendor that counts its rows cannot lose some of them unnoticed."""
        credential = await desk.connect()
        await desk.fault("truncated")
        call = desk.operation(operation, credential)

        if shape.counts_rows and (operation is SYNC or shape.counts_accounts):
            failure = await desk.failure(call)

            assert (failure.code, failure.scope) == ("WRONG_SUCCESS_TRUNCATED", "institution")
        else:
            assert await desk.attempt(call) is not None

    async def test_a_feed_that_stands_is_noticed(self, desk: Desk) -> None:
        """More is promised and never comes: a wrong success, and no endless loop."""
        credential = await desk.connect()
        await desk.fault("frozen")

        failure = await desk.failure(desk.syncing(credential))

        assert (failure.error_class, failure.scope, failure.code) == (
            "provider_down",
            "institution",
            "WRONG_SUCCESS_FROZEN",
        )

    async def test_another_users_result_is_refused(self, desk: Desk, shape: Shape) -> None:
        """A temporary token that is only a name is good for its own user alone."""
        needs(shape.proves_ownership, "this vendor's temporary token is itself the proof")
        alices = await desk.link(ALICE)
        token = await desk.complete(alices)
        bobs = await desk.link(BOB)

        failure = await desk.failure(desk.exchanging(token, bobs.state, BOB))

        assert (failure.error_class, failure.scope, failure.code) == (
            "validation",
            "request",
            "NOT_THIS_USERS",
        )
        assert (await desk.attempt(desk.exchanging(token, alices.state, ALICE))).login_key

    async def test_a_made_up_result_is_refused(self, desk: Desk) -> None:
        """What no widget gave is a request's own fault."""
        made = await desk.link()

        failure = await desk.failure(desk.exchanging("made-up", made.state))

        assert (failure.error_class, failure.scope) == ("validation", "request")
        assert "createLink" in str(failure.user_action)

    async def test_a_lost_answer_to_an_exchange_leaves_it_open(self, desk: Desk) -> None:
        """The vendor may have done the work: the failure says that the call was sent."""
        made = await desk.link()
        token = await desk.complete(made)
        await desk.fault("lost_answer", operation="exchangeToken")

        failure = await desk.failure(desk.exchanging(token, made.state))

        assert (failure.error_class, failure.sent) == ("network", True)
        self._holds_no_secret(failure, parts_of(token))

    async def test_a_revoked_connection_is_gone_and_can_be_revoked_again(
        self, desk: Desk, shape: Shape
    ) -> None:
        """Ending twice is quiet; reading afterwards says that the user must link anew."""
        credential = await desk.connect()
        await desk.attempt(desk.adapter.revoke(credential))
        await desk.attempt(desk.adapter.revoke(credential))
        needs(shape.ends_connections, "this vendor has no call that ends a connection")

        failure = await desk.failure(desk.reading(credential))

        assert (failure.error_class, failure.scope) == ("auth", "connection")

    async def test_every_call_names_its_attempt(self, desk: Desk) -> None:
        """On loopback the vendor can count attempts, however many calls each one takes."""
        credential = await desk.connect()

        await desk.attempt(desk.reading(credential))
        reading = desk.trace
        await desk.attempt(desk.syncing(credential))

        counted = await desk.world.calls()
        assert reading.attempt_id in counted[desk.name, "getAccounts"]["attemptIds"]
        assert desk.trace.attempt_id in counted[desk.name, "syncTransactions"]["attemptIds"]
        assert counted[desk.name, "getAccounts"]["count"] == 1
        assert counted[desk.name, "exchangeToken"]["count"] == 1
        assert (reading.http_status, bool(reading.provider_request_id)) == (200, True)

    def _holds_no_secret(self, failure: Failure, credential: Credential) -> None:
        shown = repr(failure)
        ours = [secret for spec in REGISTRY.values() for secret in spec.sandbox_credentials]
        for secret in (*ours, *credential.reveal().values()):
            assert secret not in shown
