"""Points that Finicity's documents leave open: sandbox and adapter, switched together and apart."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal

import pytest
from provider_contract import BOB, Desk, institution_at

from orchestrator.domain import AccountType, Operation
from orchestrator.providers.attempt_trace import AttemptTrace, current_attempt
from orchestrator.providers.http import client_for
from orchestrator.providers.protocol import AccountsRead, AccountsRequest
from orchestrator.providers.registry import REGISTRY, AdapterConfig, adapter_of
from sandbox.options import SandboxOptions
from tests.support.sandbox import START, running_sandbox

SPEC = REGISTRY["finicity"]


@asynccontextmanager
async def switched(
    options: Mapping[str, str], sandbox_options: SandboxOptions
) -> AsyncIterator[Desk]:
    """A desk at Finicity with these options, over a sandbox with those."""
    adapter = adapter_of(SPEC)
    assert adapter is not None
    async with running_sandbox(options=sandbox_options) as world:
        keys = dict(zip(SPEC.credentials, SPEC.sandbox_credentials, strict=True))
        url = world.url_of("finicity")
        config = AdapterConfig("sandbox", url, keys, options, now=world.clock)
        async with client_for(config.base_url) as client:
            built = adapter.build(adapter.vendor_http(client, config), config)
            yield Desk("finicity", institution_at("finicity"), world, built)


@pytest.mark.parametrize("sign", ["as_is", "reversed"])
async def test_a_cards_movements_are_the_worlds_in_either_sign(sign: str) -> None:
    """Purchases leave, payments come in, as the option says that Finicity tells them."""
    wire = SandboxOptions(finicity_card_sign=sign)  # type: ignore[arg-type]
    async with switched({"card_sign": sign}, wire) as desk:
        credential = await desk.connect(BOB)  # who has a card
        accounts = (await desk.attempt(desk.reading(credential))).accounts
        card = next(one for one in accounts if one.type is AccountType.CREDIT)
        rows = (await desk.attempt(desk.syncing(credential))).transactions
        login = desk.world.sandbox.vendors["finicity"].login(
            desk.world.sandbox.connections.of("finicity")[0]
        )
        truth = {
            sighting.movement.amount
            for sighting in login.view(START.date(), since=START.date() - timedelta(days=120))
        }

    told = [row.amount for row in rows if row.provider_account_id == card.provider_account_id]
    assert told
    assert set(told) <= truth


@pytest.mark.parametrize("wire", ["positive", "negative"])
@pytest.mark.parametrize("option", ["magnitude", "as_is", "reversed"])
async def test_what_is_owed_is_positive_as_far_as_the_option_fits(option: str, wire: str) -> None:
    """The magnitude fits both, the others one of them."""
    fits = {"magnitude": True, "as_is": wire == "positive", "reversed": wire == "negative"}
    options = SandboxOptions(finicity_debt_balance=wire)  # type: ignore[arg-type]
    async with switched({"debt_balance": option}, options) as desk:
        accounts = (await desk.attempt(desk.reading(await desk.connect()))).accounts
    owed = [
        one.balances.current or Decimal(0)
        for one in accounts
        if one.type in {AccountType.CREDIT, AccountType.LOAN}
    ]

    assert owed
    assert fits[option] == all(amount > 0 for amount in owed)


@pytest.mark.parametrize("mode", ["shadow", "gone", "same_id"])
async def test_whatever_becomes_of_pending_rows_a_cursor_keeps_up(mode: str) -> None:
    """What was told, less what was removed or is no longer listed, is what a fresh reading shows."""
    options = SandboxOptions(finicity_pending=mode)  # type: ignore[arg-type]
    async with switched({}, options) as desk:
        credential = await desk.connect()
        start = START.date() - timedelta(days=10)
        page = await desk.attempt(desk.syncing(credential, start=start))
        known = {row.provider_transaction_id: row for row in page.transactions}
        removed: set[str] = set()
        for _ in range(8):
            desk.world.clock.move(days=1)
            page = await desk.attempt(
                desk.syncing(credential, start=start, cursor=page.next_cursor)
            )
            assert page.listing is not None
            known |= {row.provider_transaction_id: row for row in page.transactions}
            removed |= set(page.removed)
            listed = {row.provider_transaction_id for row in page.listing.movements}
            known = {
                key: row
                for key, row in known.items()
                if key in listed or not row.date >= page.listing.first_day
            }
            fresh = await desk.attempt(desk.syncing(credential, start=start))

            assert known == {row.provider_transaction_id: row for row in fresh.transactions}
            assert not set(page.removed) & set(known)

    assert bool(removed) == (mode == "shadow")


@pytest.mark.parametrize("refresh", ["never", "first", "interactive"])
async def test_a_bank_that_connect_did_not_read_is_stale_until_it_was(refresh: str) -> None:
    """A refresh brings it in seconds, Finicity itself at midnight."""
    options = SandboxOptions(finicity_first_reading="refresh", finicity_refresh_s=5)
    async with switched({"refresh": refresh}, options) as desk:
        credential = await desk.connect()
        at_once = await desk.attempt(desk.reading(credential))
        desk.world.clock.move(seconds=5)
        soon = await desk.attempt(desk.reading(credential))
        desk.world.clock.move(days=1)
        next_day = await desk.attempt(desk.reading(credential))

    assert (at_once.accounts, at_once.stale) == ((), True)
    assert (bool(soon.accounts), soon.stale) == (refresh != "never", refresh == "never")
    assert (bool(next_day.accounts), next_day.stale) == (True, False)


async def test_a_person_who_waits_has_old_data_read_anew() -> None:
    """Asked for, waited for within the attempt's time, and fresh; a bulk job gets what there is."""
    async with switched({"refresh": "interactive"}, SandboxOptions(finicity_refresh_s=3)) as desk:
        credential = await desk.connect()
        desk.world.clock.move(seconds=8 * 3600)
        pauses: list[float] = []

        async def pause(seconds: float) -> None:
            pauses.append(seconds)
            desk.world.clock.move(seconds=seconds)

        desk.adapter._refresh._pause = pause  # type: ignore[attr-defined]
        desk.adapter._refresh._after = timedelta(hours=1)  # type: ignore[attr-defined]

        async def read(*, interactive: bool) -> AccountsRead:
            trace = AttemptTrace(
                "a-1", interactive=interactive, operation=Operation.GET_ACCOUNTS.value
            )
            running = current_attempt.set(trace)
            try:
                return await desk.adapter.get_accounts(
                    AccountsRequest(credential, allow_stale=False)
                )
            finally:
                current_attempt.reset(running)

        bulk = await read(interactive=False)
        fresh = await read(interactive=True)

    assert (bulk.stale, fresh.stale) == (False, False)
    assert bulk.as_of is not None
    assert fresh.as_of is not None
    assert fresh.as_of > bulk.as_of
    assert pauses == [1.0, 1.5, 2.25]


@pytest.mark.parametrize("kind", ["active", "testing"])
async def test_both_kinds_of_customers_can_link(kind: str) -> None:
    """The kind is what Finicity bills by."""
    async with switched({"customers": kind}, SandboxOptions()) as desk:
        await desk.connect()
        (user,) = desk.world.sandbox.connections.end_users("finicity")

    assert kind == user.attributes["type"]


async def test_a_token_outlives_its_two_hours_by_being_renewed() -> None:
    """A day of readings costs a token each ninety minutes, and no failure."""
    async with switched({}, SandboxOptions()) as desk:
        credential = await desk.connect()
        for _ in range(24):
            desk.world.clock.move(seconds=3600)
            assert (await desk.attempt(desk.reading(credential))).accounts
        counted = await desk.world.calls()

    assert counted["finicity", "auth"]["count"] == 1 + 12


async def test_a_sandbox_that_forgot_its_tokens_costs_one_renewal() -> None:
    """The vendor refuses a token before its time: renewed, and the call repeated."""
    async with switched({}, SandboxOptions()) as desk:
        credential = await desk.connect()
        keys = desk.world.sandbox.vendors["finicity"].keys  # type: ignore[attr-defined]
        keys._tokens.clear()
        reading = await desk.attempt(desk.reading(credential))
        calls = desk.trace.http_calls

    assert reading.accounts
    assert calls == 3
