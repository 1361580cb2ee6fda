"""The database behind the vault: durable, of its owner alone, and clear about what is wrong."""

import pickle  # noqa: TID251  what Ray does to these values is what is tested
import re
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import URL, text
from vault_builders import NOW, connection, link, session

from orchestrator.domain import StoreError
from orchestrator.vault import VaultStore, vault_url
from orchestrator.vault.database import write_ahead
from tests.support.postgres import PostgresServer

SECRET = "pa55w0rd"


def refusal(url: URL) -> str:
    """What opening a vault there is refused with."""
    with pytest.raises(StoreError) as refused:
        VaultStore(url)
    return str(refused.value)


def postgres_url(address: str, tmp_path: Path) -> URL:
    """A vault's URL out of its text."""
    return vault_url(tmp_path, SecretStr(address))


@pytest.fixture
def owned(postgres: PostgresServer, tmp_path: Path) -> URL:
    """An empty database on the server."""
    return postgres_url(postgres.url(postgres.new_database()), tmp_path)


def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    """A file that is no database is left as it is."""
    (tmp_path / "vault.sqlite").write_bytes(b"not a database " * 700)

    assert "damaged" in refusal(vault_url(tmp_path))
    assert (tmp_path / "vault.sqlite").read_bytes() == b"not a database " * 700


def test_a_folder_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    """SQLite makes no folders; the error names the file."""
    told = refusal(vault_url(tmp_path / "nowhere"))

    assert "check that its folder is there" in told
    assert str(tmp_path / "nowhere" / "vault.sqlite") in told


def test_a_file_that_another_process_holds_says_so(tmp_path: Path) -> None:
    """A lock that does not come is a StoreError, not a wait without end."""
    url = vault_url(tmp_path)
    VaultStore(url).close()
    with (
        closing(sqlite3.connect(str(url.database), isolation_level=None)) as other,
        closing(VaultStore(url)) as store,
    ):
        with store._database.reading() as kept:
            kept.connection.driver_connection.execute("PRAGMA busy_timeout=10")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="held by another process"):
            store.link_sessions.add(session())


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    """Neither the database nor what SQLite keeps beside it can be read by others."""
    with closing(VaultStore(vault_url(tmp_path))) as store:
        store.link_sessions.add(session())
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}

    assert {f"vault.sqlite{end}": 0o600 for end in ("", "-wal", "-shm")} == modes


def test_an_erased_credential_is_overwritten(tmp_path: Path) -> None:
    """No sealed bytes of an erased connection stay in the file in which they were."""
    url, file = vault_url(tmp_path), tmp_path / "vault.sqlite"
    with closing(VaultStore(url)) as store:
        link(store, connection(sealed_credential=b"sealed and erased"))
    before = file.read_bytes()
    with closing(VaultStore(url)) as store:
        store.connections.erase("conn_1")

    assert b"sealed and erased" in before
    assert b"sealed and erased" not in file.read_bytes()


class BusyOnce:
    """A connection that cannot switch its journal at first, as another process is at it."""

    def __init__(self, code: int) -> None:
        self.asked: list[str] = []
        self._error = sqlite3.OperationalError()
        self._error.sqlite_errorcode = code

    def execute(self, statement: str) -> None:
        """Remember, and fail the first time."""
        self.asked.append(statement)
        if len(self.asked) == 1:
            raise self._error


def test_of_processes_that_make_the_file_at_once_each_waits_for_the_other() -> None:
    """Switching the journal waits for nobody in SQLite itself: a transaction does it instead."""
    connection = BusyOnce(sqlite3.SQLITE_BUSY_RECOVERY)
    write_ahead(connection)  # type: ignore[arg-type]

    switch = "PRAGMA journal_mode=WAL"
    assert [switch, "BEGIN IMMEDIATE", "ROLLBACK", switch] == connection.asked


def test_a_journal_that_cannot_be_switched_is_an_error() -> None:
    """Only a busy database is asked again."""
    connection = BusyOnce(sqlite3.SQLITE_READONLY)
    with pytest.raises(sqlite3.OperationalError):
        write_ahead(connection)  # type: ignore[arg-type]


def test_what_was_committed_on_sqlite_is_on_disk(tmp_path: Path) -> None:
    """Every commit is synced, through a write-ahead log."""
    with (
        closing(VaultStore(vault_url(tmp_path))) as store,
        store._database.reading() as connection,
    ):
        told = [
            connection.scalar(text(f"pragma {name}")) for name in ("journal_mode", "synchronous")
        ]

    assert ["wal", 2] == told


def test_what_was_committed_on_postgres_is_on_disk(owned: URL, postgres: PostgresServer) -> None:
    """Commits wait for the disk although the server's default would not."""
    postgres.run(f"alter database {owned.database} set synchronous_commit = off")
    with closing(VaultStore(owned)) as store, store._database.writing() as transaction:
        told = transaction.scalar(text("show synchronous_commit"))

    assert told == "on"


def test_a_stronger_promise_of_the_server_is_kept(owned: URL, postgres: PostgresServer) -> None:
    """Where a replica is waited for, it still is."""
    postgres.run(f"alter database {owned.database} set synchronous_commit = remote_apply")
    with closing(VaultStore(owned)) as store, store._database.writing() as transaction:
        told = transaction.scalar(text("show synchronous_commit"))

    assert told == "remote_apply"


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://me:{SECRET}@127.0.0.1:1/vault",
        f"postgresql://me:{SECRET}@/vault?host=/nowhere",
        f"postgresql://me:{SECRET}@127.0.0.1:1/vault?no_such_option={SECRET}",
    ],
)
def test_a_server_that_is_not_there_says_what_to_check(address: str, tmp_path: Path) -> None:
    """One sentence, in which the URL's password is not."""
    told = refusal(postgres_url(address, tmp_path))

    assert re.fullmatch(r"the vault, PostgreSQL at [^\n]*vault, cannot be reached [^\n]+", told)
    assert "ORCHESTRATOR_VAULT_URL" in told
    assert SECRET not in told


@pytest.mark.parametrize(("database", "user"), [("postgres", "stranger"), ("nowhere", "vault")])
def test_a_server_that_lets_us_not_in_says_what_to_check(
    database: str, user: str, postgres: PostgresServer, tmp_path: Path
) -> None:
    """A user that may not enter and a database that is not there are told like that."""
    told = refusal(postgres_url(postgres.url(database, user), tmp_path))

    assert "user, password and database in ORCHESTRATOR_VAULT_URL" in told


def test_a_user_who_may_make_no_tables_is_told_so(
    owned: URL, postgres: PostgresServer, tmp_path: Path
) -> None:
    """The right that is missing is named, not the statement that wanted it."""
    postgres.run("create role reader login")
    told = refusal(postgres_url(postgres.url(str(owned.database), "reader"), tmp_path))

    assert "make the user the owner of its schema" in told


def test_tables_of_something_else_are_not_touched(owned: URL, tmp_path: Path) -> None:
    """A database that holds somebody else's accounts is refused."""
    with closing(VaultStore(owned)) as store, store._database.writing() as transaction:
        transaction.execute(text("drop table alembic_version"))

    assert "a database of its own" in refusal(owned)


def test_a_read_only_server_is_told_as_one(owned: URL, postgres: PostgresServer) -> None:
    """A replica cannot hold the vault."""
    VaultStore(owned).close()
    postgres.run(f"alter database {owned.database} set default_transaction_read_only = on")
    with closing(VaultStore(owned)) as store, pytest.raises(StoreError, match="primary server"):
        store.link_sessions.add(session())


def test_a_lost_connection_is_replaced(owned: URL, postgres: PostgresServer) -> None:
    """Whatever cut the connections between two calls, the second works."""
    with closing(VaultStore(owned)) as store:
        store.link_sessions.add(session())
        postgres.end_sessions(str(owned.database))

        assert store.link_sessions.get("ls_1") is not None


def test_a_connection_lost_in_a_transaction_is_a_store_error(
    owned: URL, postgres: PostgresServer
) -> None:
    """Nothing of it was done, and the next transaction works."""
    with closing(VaultStore(owned)) as store:
        with pytest.raises(StoreError):
            _lose_connection_while_writing(store, postgres)
        with store._database.reading() as connection:
            left = connection.scalar(text("select count(*) from facts"))

        assert left == 0


def _lose_connection_while_writing(store: VaultStore, postgres: PostgresServer) -> None:
    with store._database.writing() as transaction:
        transaction.execute(text("insert into facts values ('half', 'done')"))
        postgres.end_sessions(str(store._database.url.database))
        transaction.execute(text("select 1"))


def test_a_statement_that_waits_too_long_is_given_up(owned: URL) -> None:
    """A row that somebody locks forever does not hold the vault forever."""
    with closing(VaultStore(owned)) as store:
        link(store, connection())
        lock = text("select 1 from connections for update")
        with store._database.writing() as holder:
            holder.execute(lock)
            with pytest.raises(StoreError, match="held by another process"):
                _lock_in_vain(store, lock)


def _lock_in_vain(store: VaultStore, lock: object) -> None:
    with store._database.writing() as transaction:
        transaction.execute(text("set local lock_timeout = '20ms'"))
        transaction.execute(lock)  # type: ignore[call-overload]


def test_an_error_shows_no_value_of_what_was_asked(store: VaultStore) -> None:
    """An error of the database reaches the caller as StoreError, without values of the query."""
    with store._database.writing() as transaction:
        transaction.execute(text("drop table link_sessions"))
    with pytest.raises(StoreError) as raised:
        store.link_sessions.add(session(sealed_state=b"very secret"))

    assert "very secret" not in str(raised.value)
    assert pickle.loads(pickle.dumps(raised.value)).args == raised.value.args


def test_a_row_that_is_there_already_is_a_store_error(store: VaultStore) -> None:
    """A broken constraint is no error of the library's."""
    store.link_sessions.add(session())
    with pytest.raises(StoreError):
        store.link_sessions.add(session(created_at=NOW))
