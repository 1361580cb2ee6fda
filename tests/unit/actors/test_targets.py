"""What a request is about."""

import datetime as dt
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from actors.known_connections import KnownConnections
from actors.messages import AccountsCall, ExchangeCall, LinkCall, TransactionsCall
from actors.router_candidates import CandidateBook
from actors.targets import Target, Targets
from actors.vault import VaultDesk
from orchestrator.catalogue import Catalogue
from orchestrator.domain import (
    AccountType,
    ConnectionStatus,
    CreateLinkParams,
    GetAccountsParams,
    Operation,
    OperationRequest,
    RequestRefused,
    SealedExchange,
    SyncTransactionsParams,
)
from orchestrator.identity import AccountKey, Cursor
from orchestrator.routing import Block, Candidate, ineligibility
from orchestrator.vault import LinkSession, NewConnection, VaultCipher, VaultStore, vault_url
from tests.support.clock import SteppedClock

CIPHER = VaultCipher({"test": bytes(32)}, "test")
PARAMS = CreateLinkParams | SealedExchange | GetAccountsParams | SyncTransactionsParams
OPERATIONS = {
    CreateLinkParams: Operation.CREATE_LINK,
    SealedExchange: Operation.EXCHANGE_TOKEN,
    GetAccountsParams: Operation.GET_ACCOUNTS,
    SyncTransactionsParams: Operation.SYNC_TRANSACTIONS,
}
CHECKING = AccountKey("acct", AccountType.DEPOSITORY, "USD", "1234")
TODAY = dt.date(2026, 3, 18)


def _never_blocked(_provider: str, _institution_id: str | None) -> Block | None:
    return None


class Bench:
    """Targets over a real vault."""

    def __init__(self, vault: VaultDesk) -> None:
        self.vault = vault
        self.targets = Targets(
            CandidateBook(
                regions={"US": ("plaid", "mx", "finicity"), "MX": ("belvo", "mx", "bitso")},
                configured=frozenset({"plaid", "mx", "belvo"}),
                institution_bound=frozenset({"bitso"}),
                catalogue=Catalogue.load(),
            ),
            vault,
            KnownConnections(vault, None),
            CIPHER,
            SteppedClock(running=False),
        )

    async def link(self, provider: str, *, space: str = "s", read: bool = True) -> str:
        """A connection to Chase; answers its id."""
        connection_id = f"conn_{provider}"
        session_id = f"ls_{provider}"
        await self.vault.add_link_session(
            LinkSession(session_id, space, provider, "US", "ins_chase", None, b"", 1.0, None)
        )
        await self.vault.begin_exchange(session_id, space, 2.0)
        await self.vault.finish_exchange(
            session_id,
            NewConnection(
                connection_id,
                space,
                provider,
                "US",
                "ins_chase",
                f"login_{provider}",
                b"sealed",
                ConnectionStatus.ACTIVE,
                3.0,
            ),
        )
        if read:
            await self.vault.match_accounts(connection_id, (CHECKING,), 4.0)
        return connection_id

    async def of(self, params: PARAMS, **extra: object) -> Target:
        """The target of a request."""
        request = OperationRequest(
            "req_1",
            OPERATIONS[type(params)],
            params,
            **{"region": "US", **extra},  # type: ignore[arg-type]
        )
        return await self.targets.of(request, _never_blocked)

    async def refusal(self, params: PARAMS, **extra: object) -> str:
        """The code with which a request is refused."""
        with pytest.raises(RequestRefused) as caught:
            await self.of(params, **extra)
        return caught.value.error.code


@pytest_asyncio.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """Targets over an empty vault."""
    vault = VaultDesk(lambda: VaultStore(vault_url(tmp_path)))
    yield Bench(vault)
    await vault.close()


def _reasons(target: Target) -> Mapping[str, str | None]:
    return {facts.candidate.provider: ineligibility(facts) for facts in target.facts}


async def test_link_names_its_candidates_in_priority_order(bench: Bench) -> None:
    """Take every provider of the region as a candidate, and say of each what speaks against it."""
    target = await bench.of(CreateLinkParams(space_id="s", institution_id="ins_chase"))

    assert {"plaid": None, "mx": None, "finicity": "not_configured"} == _reasons(target)
    assert ["plaid", "mx", "finicity"] == list(_reasons(target))
    assert LinkCall("s", "ins_chase", "en", None, None) == target.call_for(Candidate("mx"))


async def test_provider_of_one_institution_needs_it_named(bench: Bench) -> None:
    """Leave a provider out that serves one institution alone, unless that one is named."""
    target = await bench.of(CreateLinkParams(space_id="s"), region="MX")

    assert {"belvo": None, "mx": None, "bitso": "not_configured"} == _reasons(target)


async def test_preferred_provider_of_another_region_is_listed(bench: Bench) -> None:
    """List a preferred provider that does not serve the region, last and with that reason."""
    link = await bench.of(CreateLinkParams(space_id="s"), preferred_provider="belvo")
    own = await bench.of(CreateLinkParams(space_id="s"), preferred_provider="mx")

    assert [*_reasons(own), "belvo"] == list(_reasons(link))
    assert "region" == _reasons(link)["belvo"]


async def test_backup_leaves_linked_providers_out(bench: Bench) -> None:
    """Offer only providers through which the institution is not linked yet."""
    await bench.link("plaid")
    params = CreateLinkParams(space_id="s", institution_id="ins_chase", backup=True)
    target = await bench.of(params, preferred_provider="plaid")

    assert {"mx": None, "finicity": "not_configured"} == _reasons(target)


async def test_backup_wants_an_institution(bench: Bench) -> None:
    """Refuse a backup of nothing in particular."""
    assert "INVALID_FIELD" == await bench.refusal(CreateLinkParams(space_id="s", backup=True))


async def test_repair_is_pinned_to_its_connection(bench: Bench) -> None:
    """Repair a connection at its own provider and nowhere else."""
    connection_id = await bench.link("mx")
    target = await bench.of(
        CreateLinkParams(space_id="s", connection_id=connection_id), preferred_provider="belvo"
    )

    assert ["mx"] == list(_reasons(target))
    assert target.pinned
    assert LinkCall("s", "ins_chase", "en", None, connection_id) == target.call_for(Candidate("mx"))


async def test_exchange_goes_where_its_session_was_made(bench: Bench) -> None:
    """Exchange at the session's provider, and answer a session that is done from the books."""
    await bench.vault.add_link_session(
        LinkSession("ls_new", "s", "mx", "US", "ins_chase", None, b"", 1.0, None)
    )
    made = await bench.link("plaid")
    fresh = await bench.of(SealedExchange("s", "ls_new", b"token"))
    done = await bench.of(SealedExchange("s", "ls_plaid", b"token"))

    assert ["mx"] == list(_reasons(fresh))
    assert fresh.answered is None
    assert ExchangeCall("s", "ls_new", b"token") == fresh.call_for(Candidate("mx"))
    assert done.answered is not None
    assert made == done.answered.connection_id


async def test_session_of_another_space_is_unknown(bench: Bench) -> None:
    """Know a link session only within its space."""
    await bench.link("plaid")

    assert "UNKNOWN_LINK_SESSION" == await bench.refusal(
        SealedExchange("other", "ls_plaid", b"token")
    )


async def test_space_beyond_the_key_is_unknown(bench: Bench) -> None:
    """Know no space that the caller's key is not bound to."""
    await bench.link("plaid")
    params = GetAccountsParams(space_id="s")

    assert "UNKNOWN_SPACE" == await bench.refusal(params, spaces=frozenset({"t"}))
    assert "UNKNOWN_SPACE" == await bench.refusal(GetAccountsParams(space_id="nobody"))


async def test_unread_connection_is_asked_to_prove_itself(bench: Bench) -> None:
    """Give a connection that was never read the account ids that it has to show one of."""
    await bench.link("plaid")
    await bench.link("mx", read=False)
    target = await bench.of(GetAccountsParams(space_id="s"))
    calls = {name: target.call_for(Candidate(name)) for name in ("plaid", "mx")}
    record = await bench.vault.connection("conn_plaid")

    assert record is not None
    assert AccountsCall("conn_plaid", 1, False, None) == calls["plaid"]
    assert AccountsCall("conn_mx", 1, False, frozenset(record.account_ids)) == calls["mx"]


async def test_movements_default_to_ninety_days(bench: Bench) -> None:
    """Read the last ninety days where no date is given, and up to a start in the future."""
    await bench.link("plaid")
    plain = await bench.of(SyncTransactionsParams(space_id="s"))
    future = await bench.of(
        SyncTransactionsParams(space_id="s", start_date=TODAY + dt.timedelta(days=3))
    )
    ended = await bench.of(SyncTransactionsParams(space_id="s", end_date=dt.date(2026, 1, 31)))
    windows = []
    for target in (plain, future, ended):
        call = target.call_for(Candidate("plaid"))
        assert isinstance(call, TransactionsCall)
        windows.append((call.start_date, call.end_date))

    assert [
        (TODAY - dt.timedelta(days=90), TODAY),
        (TODAY + dt.timedelta(days=3), TODAY + dt.timedelta(days=3)),
        (dt.date(2025, 11, 2), dt.date(2026, 1, 31)),
    ] == windows


async def test_cursor_is_used_at_its_own_connection_alone(bench: Bench) -> None:
    """Hand the provider's cursor to the connection that gave it, and an overlap to any other."""
    await bench.link("plaid")
    await bench.link("mx")
    since = dt.date(2026, 3, 10)
    text = Cursor("s", "plaid", "conn_plaid", None, "native", since).encode(CIPHER.mac)
    target = await bench.of(SyncTransactionsParams(space_id="s", cursor=text))
    own, other = (target.call_for(Candidate(name)) for name in ("plaid", "mx"))

    assert isinstance(own, TransactionsCall)
    assert isinstance(other, TransactionsCall)
    assert ("native", since) == (own.provider_cursor, own.start_date)
    assert (None, since - dt.timedelta(days=14)) == (other.provider_cursor, other.start_date)


async def test_cursor_keeps_its_account(bench: Bench) -> None:
    """Go on with the cursor's account, and refuse another one beside it."""
    await bench.link("plaid")
    (record,) = await bench.vault.connections("s")
    (account_id,) = record.account_ids
    text = Cursor("s", "plaid", "conn_plaid", account_id, "native", TODAY).encode(CIPHER.mac)
    call = (await bench.of(SyncTransactionsParams(space_id="s", cursor=text))).call_for(
        Candidate("plaid")
    )

    assert isinstance(call, TransactionsCall)
    assert account_id == call.account_id
    assert "INVALID_CURSOR" == await bench.refusal(
        SyncTransactionsParams(space_id="s", cursor=text, account_id="acc_other")
    )


async def test_pinned_connection_is_the_only_candidate(bench: Bench) -> None:
    """Name no other candidate where a connection is pinned."""
    await bench.link("plaid")
    await bench.link("mx")
    target = await bench.of(
        GetAccountsParams(space_id="s", connection_id="conn_mx"), preferred_provider="belvo"
    )

    assert {"mx": None} == _reasons(target)
