"""The vault behind its port: opened when it can be, whole under concurrency, and tidy."""

import asyncio
import datetime as dt
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import URL, text

from actors.mail import Mailed
from actors.ports import VaultPort
from actors.remote_vault import RemoteVault
from actors.vault import VaultActor, VaultDesk
from orchestrator.domain import (
    AccountType,
    CompleteListing,
    ConfigurationError,
    ConnectionStatus,
    Operation,
    SeenMovement,
    StoreError,
)
from orchestrator.identity import AccountKey
from orchestrator.vault import (
    ExchangeBusy,
    ExchangeStarted,
    Fresh,
    LinkSession,
    ListingDoubted,
    ListingNoted,
    LoginLinked,
    NewConnection,
    VaultCipher,
    VaultStore,
    threads_for,
)
from tests.support.clock import SteppedClock
from tests.support.postgres import PostgresServer

NOW = 1_770_000_000.0
DAY = dt.date(2026, 2, 1)


def session(name: str) -> LinkSession:
    """A link session that nobody has exchanged."""
    return LinkSession(name, "space_1", "plaid", "US", "ins_chase", None, b"state", NOW, None)


def connection(name: str, provider: str = "plaid") -> NewConnection:
    """What an exchange has made."""
    return NewConnection(
        connection_id=name,
        space_id="space_1",
        provider=provider,
        region="US",
        institution_id="ins_chase",
        login_key_hash="login",
        sealed_credential=b"sealed",
        status=ConnectionStatus.ACTIVE,
        created_at=NOW,
    )


async def link(desk: VaultPort, name: str, provider: str = "plaid") -> None:
    """Make a connection."""
    await desk.add_link_session(session(f"ls_{name}"))
    await desk.begin_exchange(f"ls_{name}", "space_1", NOW)
    await desk.finish_exchange(f"ls_{name}", connection(name, provider))


@pytest_asyncio.fixture
async def desk(database: URL) -> AsyncIterator[VaultDesk]:
    """A desk over an empty vault, with as many threads as that allows."""
    opened = VaultDesk(lambda: VaultStore(database), threads=threads_for(database))
    yield opened
    await opened.close()


async def test_what_the_port_promises_the_desk_does(desk: VaultDesk) -> None:
    """Each question of the port is answered by the store's part that knows."""
    await link(desk, "conn_1")
    listing = CompleteListing(DAY, DAY, None, (SeenMovement("t1", "p1", DAY),))
    nothing = CompleteListing(DAY, DAY, None, ())
    key = ("caller", Operation.GET_ACCOUNTS, "key")

    assert await desk.space_exists("space_1")
    assert LoginLinked("conn_1") == await desk.finish_exchange("ls_conn_1", connection("conn_2"))
    assert ["conn_1"] == [
        record.connection_id for record in await desk.connections_of_login_hash("plaid", "login")
    ]
    assert await desk.set_status("conn_1", ConnectionStatus.NEEDS_USER, as_of=NOW)
    assert not await desk.set_status("conn_1", ConnectionStatus.ACTIVE, as_of=NOW - 1)
    assert ListingNoted(()) == await desk.note_listing("conn_1", listing, told_since=None, now=NOW)
    assert ListingNoted(("t1",)) == await desk.note_listing(
        "conn_1", nothing, told_since=NOW, now=NOW + 1
    )
    assert await desk.first_time("plaid", "event", NOW)
    assert not await desk.first_time("plaid", "event", NOW)
    await desk.mark_refresh_due("conn_1", NOW)
    due = await desk.connection("conn_1")
    await desk.clear_refresh_due("conn_1", NOW)
    met = await desk.connection("conn_1")
    assert due is not None
    assert met is not None
    assert (NOW, None) == (due.refresh_due_at, met.refresh_due_at)
    assert Fresh() == await desk.begin_idempotent(*key, "mac", NOW, longest_run_s=35.0)


async def test_a_doubted_listing_can_be_believed(desk: VaultDesk) -> None:
    """A caller who has seen it often enough says so."""
    await link(desk, "conn_1")
    old = DAY - dt.timedelta(days=9)
    shown = CompleteListing(
        old, DAY, None, tuple(SeenMovement(name, "p1", old) for name in ("a", "b", "c"))
    )
    empty = CompleteListing(old, DAY, None, ())
    await desk.note_listing("conn_1", shown, told_since=None, now=NOW)
    doubted = await desk.note_listing("conn_1", empty, told_since=NOW, now=NOW + 1)
    believed = await desk.note_listing("conn_1", empty, told_since=NOW, now=NOW + 1, believed=True)

    assert ListingDoubted(3) == doubted
    assert ListingNoted(("a", "b", "c")) == believed


def _signatures(kind: type) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(method)
        for name, method in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }


@pytest.mark.parametrize("kind", [VaultDesk, RemoteVault])
def test_whoever_stands_behind_the_port_has_its_signatures(kind: type) -> None:
    """The desk and the actor's handle take the port's arguments, by the same names."""
    has = _signatures(kind)

    assert {name: has.get(name) for name in _signatures(VaultPort)} == _signatures(VaultPort)


async def test_the_handle_passes_named_arguments_on() -> None:
    """What is told by name reaches the actor by name."""
    asked: list[tuple[tuple[object, ...], dict[str, object]]] = []

    class Actor(Mailed):
        def __init__(self) -> None:
            super().__init__(("set_status",), cancels=False)

        async def set_status(self, *args: object, **named: object) -> bool:
            """Remember."""
            asked.append((args, named))
            return True

    handle = SimpleNamespace(directly=SimpleNamespace(remote=Actor().directly))
    vault = RemoteVault(handle)  # type: ignore[arg-type]
    applied = await vault.set_status("conn_1", ConnectionStatus.ACTIVE, as_of=NOW)

    assert applied
    assert [(("conn_1", ConnectionStatus.ACTIVE), {"as_of": NOW})] == asked


async def test_an_exchange_starts_once_however_many_ask_at_once(desk: VaultDesk) -> None:
    """Of many requests in the same moment one may send it."""
    await desk.add_link_session(session("ls_1"))
    starts = await asyncio.gather(*(desk.begin_exchange("ls_1", "space_1", NOW) for _ in range(20)))

    assert 1 == sum(isinstance(start, ExchangeStarted) for start in starts)
    assert 19 == starts.count(ExchangeBusy())


async def test_a_key_is_taken_once_however_many_ask_at_once(desk: VaultDesk) -> None:
    """Of many requests with one key in the same moment one is served."""
    key = ("caller", Operation.GET_ACCOUNTS, "key")
    starts = await asyncio.gather(
        *(desk.begin_idempotent(*key, "mac", NOW, longest_run_s=35.0) for _ in range(20))
    )

    assert 1 == starts.count(Fresh())


async def test_listings_and_an_erasure_at_once_break_nothing(desk: VaultDesk) -> None:
    """A connection that is erased while it is listed leaves neither an error nor a row."""
    await link(desk, "conn_1")
    listing = CompleteListing(
        DAY, DAY, None, tuple(SeenMovement(f"t{number}", "p1", DAY) for number in range(50))
    )
    key = (AccountKey("p1", AccountType.DEPOSITORY, "USD", "1234"),)
    await asyncio.gather(
        *(desk.note_listing("conn_1", listing, told_since=NOW, now=NOW) for _ in range(5)),
        *(desk.match_accounts("conn_1", key, NOW) for _ in range(5)),
        desk.erase("conn_1"),
        *(desk.note_listing("conn_1", listing, told_since=NOW, now=NOW) for _ in range(5)),
    )

    assert await desk.connection("conn_1") is None
    assert {} == await desk.match_accounts("conn_1", key, NOW)


class Opener:
    """Opens a store, or raises what it was given first."""

    def __init__(self, database: URL, *errors: Exception) -> None:
        self.opened: list[VaultStore] = []
        self._database = database
        self._errors = list(errors)

    def __call__(self) -> VaultStore:
        """A store."""
        if self._errors:
            raise self._errors.pop(0)
        self.opened.append(VaultStore(self._database))
        return self.opened[-1]


async def test_a_vault_that_could_not_be_opened_is_opened_by_a_later_call(database: URL) -> None:
    """While its database is away calls say so; once it is back they are served."""
    opener = Opener(database, StoreError("away"), StoreError("still away"))
    desk = VaultDesk(opener)
    with pytest.raises(StoreError, match=r"^away$"):
        desk.open()
    with pytest.raises(StoreError, match="still away"):
        await desk.space_exists("space_1")
    found = await desk.space_exists("space_1")
    await desk.close()

    assert not found
    assert 1 == len(opener.opened)


async def test_a_vault_is_opened_once_however_many_call_first(database: URL) -> None:
    """Calls that come together share one store."""
    opener = Opener(database)
    desk = VaultDesk(opener, threads=4)
    await asyncio.gather(*(desk.space_exists("space_1") for _ in range(10)))
    await desk.close()

    assert 1 == len(opener.opened)


async def test_a_vault_that_was_never_used_closes(database: URL) -> None:
    """Without a call there is nothing to let go."""
    opener = Opener(database)
    await VaultDesk(opener).close()

    assert [] == opener.opened


async def test_what_a_crash_left_open_is_settled_at_the_opening(database: URL) -> None:
    """Before the first call is served, a running key of the dead process is let go."""
    key = ("caller", Operation.GET_ACCOUNTS, "key")
    with closing(VaultStore(database)) as dead:
        dead.idempotency.begin(*key, "mac", NOW)
    desk = VaultDesk(lambda: VaultStore(database))
    start = await desk.begin_idempotent(*key, "mac", NOW, longest_run_s=35.0)
    await desk.close()

    assert Fresh() == start


class Failing:
    """Makes the first calls of a method fail."""

    def __init__(self, method: Callable[..., Any], times: int) -> None:
        self.calls = 0
        self._method = method
        self._times = times

    def __call__(self, *args: object) -> object:
        """Fail, or do it."""
        self.calls += 1
        if self.calls <= self._times:
            raise StoreError("away")
        return self._method(*args)


@pytest.mark.parametrize(("failures", "kept"), [(3, True), (4, False)])
async def test_what_an_exchange_made_is_kept_although_the_database_stumbles(
    database: URL, failures: int, kept: bool
) -> None:
    """The vendor makes such a credential once: it is tried again for seconds, and not forever."""
    paused: list[float] = []

    async def sleep(pause_s: float) -> None:
        paused.append(pause_s)

    with closing(VaultStore(database)) as store:
        desk = VaultDesk(lambda: store, sleep=sleep)
        await desk.add_link_session(session("ls_1"))
        await desk.begin_exchange("ls_1", "space_1", NOW)
        store.finish_exchange = Failing(store.finish_exchange, failures)  # type: ignore[method-assign]
        if kept:
            await desk.finish_exchange("ls_1", connection("conn_1"))
        else:
            with pytest.raises(StoreError):
                await desk.finish_exchange("ls_1", connection("conn_1"))
        record = await desk.connection("conn_1")
        await desk.close()

    assert kept is (record is not None)
    assert 3 == len(paused)
    assert sum(paused) < 10


async def test_what_is_over_is_forgotten_every_hour(database: URL) -> None:
    """A vault that runs for long keeps no old events, without being restarted."""
    clock = SteppedClock(running=False)
    old = clock.unix_s() - 40 * 86_400
    desk = VaultDesk(lambda: VaultStore(database), clock=clock)
    await desk.first_time("plaid", "event", old)
    clock.jump(3599)
    early = [await desk.first_time("plaid", "event", old) for _ in range(2)]
    clock.jump(1)
    late = [await desk.first_time("plaid", "event", old) for _ in range(3)]
    await desk.close()

    assert [False, False] == early
    assert [False, True, False] == late


async def test_a_purge_that_fails_harms_no_call(
    database: URL, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is told, and tried again in an hour."""
    clock = SteppedClock(running=False)
    with closing(VaultStore(database)) as store:
        with store._database.writing() as transaction:
            transaction.execute(text("drop table webhook_events"))
        desk = VaultDesk(lambda: store, clock=clock)
        clock.jump(3600)
        found = await desk.space_exists("space_1")
        await desk.close()

    assert not found
    assert "vault_not_purged" in capsys.readouterr().out


async def test_calls_are_served_again_after_the_server_cut_all_connections(
    postgres: PostgresServer, desk: VaultDesk, database: URL
) -> None:
    """A restart of the database server costs no call that comes after it."""
    await asyncio.gather(*(desk.space_exists("space_1") for _ in range(8)))
    if database.database is not None and database.get_backend_name() == "postgresql":
        postgres.end_sessions(database.database)
    found = await asyncio.gather(*(desk.space_exists("space_1") for _ in range(8)))

    assert [False] * 8 == found


@pytest.fixture
def actors_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: URL) -> None:
    """The environment of an actor's process."""
    monkeypatch.setenv("ORCHESTRATOR_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ORCHESTRATOR_VAULT_URL", database.render_as_string(hide_password=False))


async def test_the_actor_opens_what_its_environment_names(
    actors_environment: None, database: URL
) -> None:
    """The URL reaches it by the environment of its process, as every setting does."""
    actor = VaultActor()
    await actor.add_link_session(session("ls_1"))
    await actor.close()
    with closing(VaultStore(database)) as store:
        there = store.link_sessions.space_exists("space_1")

    assert there


def _names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_the_actor_keeps_a_file_where_nothing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It makes its data folder, and in it the database, the key, and the marks of changes."""
    monkeypatch.setenv("ORCHESTRATOR_DATA_DIR", str(tmp_path / "data"))
    actor = VaultActor()
    await actor.add_link_session(session("ls_1"))
    await actor.close()

    assert {"state", "vault.key", "vault.sqlite"} == _names_in(tmp_path / "data")


async def test_the_actor_outlives_a_database_that_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says so in the log and in every answer, without the password, and does not end."""
    monkeypatch.setenv("ORCHESTRATOR_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ORCHESTRATOR_VAULT_URL", "postgresql://me:pa55w0rd@127.0.0.1:1/vault")
    actor = VaultActor()
    with pytest.raises(StoreError, match="cannot be reached"):
        await actor.space_exists("space_1")
    await actor.close()
    logged = capsys.readouterr().err

    assert "vault_not_opened" in logged
    assert "pa55w0rd" not in logged


async def test_the_actor_does_nothing_under_other_keys(
    actors_environment: None, database: URL
) -> None:
    """A vault that was made under another key is not touched."""
    with closing(VaultStore(database)) as store:
        store.check_keys(VaultCipher({"lost": b"\x07" * 32}, "lost"))
        store.link_sessions.add(session("ls_1"))
        store.finish_exchange("ls_1", connection("conn_1"))
    actor = VaultActor()
    with pytest.raises(ConfigurationError, match="another key"):
        await actor.connections("space_1")
    await actor.close()
