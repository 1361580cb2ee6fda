"""A database is brought to this program's schema: from nothing, and from every earlier one."""

import multiprocessing
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, create_engine, inspect, make_url, text
from vault_builders import NOW, connection

from orchestrator.domain import ConnectionStatus, Operation, StoreError
from orchestrator.vault import (
    ConnectionRecord,
    ExchangeDone,
    ExchangeInDoubt,
    ExchangeStarted,
    LoginLinked,
    Replay,
    SealedCredential,
    VaultStore,
    migrating,
    vault_url,
)
from orchestrator.vault.database import Database
from orchestrator.vault.schema import REVISION, metadata

FIRST_SCHEMA = (Path(__file__).parent / "first_schema.sql").read_text(encoding="utf-8")


def differences(url: URL) -> list[object]:
    """What alembic would change to bring a database to the tables of the code."""
    engine = create_engine(url)
    with engine.connect() as open_connection:
        found = compare_metadata(MigrationContext.configure(open_connection), metadata)
    engine.dispose()
    return list(found)


def tables(url: URL) -> set[str]:
    """The names of a database's tables."""
    engine = create_engine(url)
    found = inspect(engine).get_table_names()
    engine.dispose()
    return set(found)


def execute(url: URL, *statements: str) -> None:
    """Run statements on a database."""
    engine = create_engine(url)
    with engine.begin() as transaction:
        for statement in statements:
            transaction.execute(text(statement))
    engine.dispose()


def written_by_the_first_program(folder: Path, script: str = FIRST_SCHEMA) -> URL:
    """A database of its, in this folder."""
    url = vault_url(folder)
    with closing(sqlite3.connect(str(url.database))) as connection:
        connection.executescript(script)
    return url


def test_migrating_from_nothing_gives_the_tables_of_the_code(empty_database: URL) -> None:
    """After all steps nothing is missing, left over, or of another type."""
    VaultStore(empty_database).close()

    assert [] == differences(empty_database)
    assert {*metadata.tables, "alembic_version"} == tables(empty_database)


def test_the_code_names_the_newest_step() -> None:
    """A step that is added without its number in the schema is noticed."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrating.__file__).parent / "migrations"))

    assert [REVISION] == ScriptDirectory.from_config(config).get_heads()


def test_an_open_of_what_is_up_to_date_changes_nothing(
    database: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second open takes no step."""
    VaultStore(database).close()
    monkeypatch.setattr(migrating, "_upgrade", lambda _transaction: pytest.fail("a step"))

    VaultStore(database).close()


def test_the_first_programs_database_is_taken_over_without_loss(tmp_path: Path) -> None:
    """Connections, accounts, link sessions and kept answers are as they were."""
    url = written_by_the_first_program(tmp_path)
    with closing(VaultStore(url)) as store:
        store.recover()
        record = store.connections.get("conn_old")
        sessions = [
            store.link_sessions.begin_exchange(name, "space_1", NOW)
            for name in ("ls_done", "ls_open", "ls_running")
        ]

        assert record == ConnectionRecord(
            connection_id="conn_old",
            space_id="space_1",
            provider="plaid",
            region="US",
            institution_id="ins_chase",
            status=ConnectionStatus.NEEDS_USER,
            credential_version=3,
            account_ids=("acc_old",),
            created_at=1770000000.25,
            read_at=1770000001.5,
            refresh_due_at=None,
        )
        assert SealedCredential(b"\x00\xff", 3, {"p1": "acc_old"}) == store.connections.credential(
            "conn_old"
        )
        assert LoginLinked("conn_old") == store.finish_exchange(
            "ls_of_nobody", connection("conn_new", login_key_hash="hash of conn_old")
        )
        assert ExchangeDone(record) == sessions[0]
        assert isinstance(sessions[1], ExchangeStarted)
        assert b"\x02" == sessions[1].session.sealed_state
        assert ExchangeInDoubt() == sessions[2]
        assert Replay(b"\x04") == store.idempotency.begin(
            "caller", Operation.EXCHANGE_TOKEN, "key", "mac", NOW
        )
    assert [] == differences(url)
    assert "schema_version" not in tables(url)


def test_a_half_made_database_of_the_first_program_is_completed(tmp_path: Path) -> None:
    """What a crash at its very first start had left out is made."""
    cut_off = FIRST_SCHEMA[: FIRST_SCHEMA.index("CREATE TABLE account_refs")]
    url = written_by_the_first_program(tmp_path, cut_off)
    VaultStore(url).close()

    assert [] == differences(url)


def test_a_database_of_a_newer_program_is_refused(database: URL) -> None:
    """A revision that nobody here knows is left alone, and named."""
    VaultStore(database).close()
    execute(database, "update alembic_version set version_num = '0999'")
    with pytest.raises(StoreError, match=r"revision 0999.*newer program"):
        VaultStore(database)


def test_a_hand_made_database_of_another_version_is_refused(tmp_path: Path) -> None:
    """Only the one version that there was is taken over."""
    url = written_by_the_first_program(tmp_path)
    execute(url, "update schema_version set version = 2")
    with pytest.raises(StoreError, match=r"schema version 2.*newer program"):
        VaultStore(url)

    assert "alembic_version" not in tables(url)


def test_a_step_that_fails_leaves_the_database_as_it_was(empty_database: URL) -> None:
    """Either all steps are taken or none, whatever the database was before."""
    execute(empty_database, "create table facts (name varchar(32))")
    with pytest.raises(StoreError):
        VaultStore(empty_database)

    assert {"facts"} == tables(empty_database)


def test_a_taken_over_database_that_cannot_be_migrated_stays_the_first_programs(
    tmp_path: Path,
) -> None:
    """The first program's own note is still there when a later step fails."""
    url = written_by_the_first_program(tmp_path, f"{FIRST_SCHEMA} create table facts (name);")
    with pytest.raises(StoreError):
        VaultStore(url)

    assert "schema_version" in tables(url)
    with closing(Database(url)) as database, database.reading() as connection:
        assert migrating.BY_HAND == migrating.revision_of(connection)


def _open(url: str) -> list[object]:
    address = make_url(url)
    VaultStore(address).close()
    return differences(address)


def test_processes_that_open_an_empty_database_at_once_make_it_together(
    empty_database: URL,
) -> None:
    """Each ends with the same whole schema, and none with an error."""
    url = empty_database.render_as_string(hide_password=False)
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        found = pool.map(_open, [url] * 8, chunksize=1)

    assert [[]] * 8 == found


def test_processes_that_take_a_database_over_at_once_do_so_once(tmp_path: Path) -> None:
    """The first program's database is migrated by one of them, and the others find it done."""
    url = written_by_the_first_program(tmp_path).render_as_string(hide_password=False)
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        found = pool.map(_open, [url] * 8, chunksize=1)

    assert [[]] * 8 == found
