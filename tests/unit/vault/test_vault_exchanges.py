"""A link session is exchanged at most once, through crashes too."""

import os
import pickle  # noqa: TID251  what Ray does to these values is what is tested
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from vault_builders import NOW, connection, link, session

from orchestrator.domain import ConnectionStatus, StoreError
from orchestrator.vault import (
    ExchangeBusy,
    ExchangeDone,
    ExchangeExpired,
    ExchangeInDoubt,
    ExchangeStarted,
    ExchangeUnknown,
    LinkSessionView,
    VaultStore,
    vault_url,
)


def begin(store: VaultStore, name: str = "ls_1", space_id: str = "space_1", now: float = NOW):  # noqa: ANN201  the union under test
    """Begin an exchange."""
    return store.link_sessions.begin_exchange(name, space_id, now)


def test_a_link_session_comes_back_as_it_was_kept(store: VaultStore) -> None:
    """All fields of a link session are kept, and it has no connection yet."""
    store.link_sessions.add(session(institution_id=None, expires_at=None))

    assert store.link_sessions.get("ls_1") == LinkSessionView(
        session(institution_id=None, expires_at=None), None
    )
    assert store.link_sessions.get("ls_2") is None


def test_a_space_exists_from_its_first_link_session(store: VaultStore) -> None:
    """A space is known once a link session was made in it."""
    before = store.link_sessions.space_exists("space_1")
    store.link_sessions.add(session())

    assert not before
    assert store.link_sessions.space_exists("space_1")


def test_an_exchange_starts_once(store: VaultStore) -> None:
    """The first may be sent; while it runs a second is told that it is busy."""
    store.link_sessions.add(session())

    assert begin(store) == ExchangeStarted(session())
    assert begin(store) == ExchangeBusy()


def test_a_finished_exchange_answers_its_connection(store: VaultStore) -> None:
    """After success the same connection is answered, and the session shows it."""
    store.link_sessions.add(session())
    begin(store)
    record = store.finish_exchange("ls_1", connection())
    view = store.link_sessions.get("ls_1")

    assert begin(store) == ExchangeDone(record)
    assert view is not None
    assert view.connection == record


def test_a_released_exchange_may_start_again(store: VaultStore) -> None:
    """When the vendor certainly did nothing, the session is open again."""
    store.link_sessions.add(session())
    begin(store)
    store.link_sessions.release_exchange("ls_1")

    assert begin(store) == ExchangeStarted(session())


def test_a_doubtful_exchange_never_starts_again(store: VaultStore) -> None:
    """When the answer was lost, neither a retry nor a late release opens the session."""
    store.link_sessions.add(session())
    begin(store)
    store.link_sessions.doubt_exchange("ls_1")
    first = begin(store)
    store.link_sessions.release_exchange("ls_1")

    assert first == ExchangeInDoubt()
    assert begin(store) == ExchangeInDoubt()


def test_a_late_answer_settles_a_doubt(store: VaultStore) -> None:
    """An answer that arrives after the doubt is kept, and the doubt is gone."""
    store.link_sessions.add(session())
    begin(store)
    store.link_sessions.doubt_exchange("ls_1")
    record = store.finish_exchange("ls_1", connection())

    assert begin(store) == ExchangeDone(record)


def test_settling_comes_too_late_after_success(store: VaultStore) -> None:
    """Neither release nor doubt undoes an exchange that is done."""
    store.link_sessions.add(session())
    begin(store)
    record = store.finish_exchange("ls_1", connection())
    store.link_sessions.release_exchange("ls_1")
    store.link_sessions.doubt_exchange("ls_1")

    assert begin(store) == ExchangeDone(record)


def test_another_spaces_session_is_unknown(store: VaultStore) -> None:
    """A session is found in its own space only, and an invented one nowhere."""
    store.link_sessions.add(session())

    assert begin(store, space_id="space_2") == ExchangeUnknown()
    assert begin(store, "ls_2") == ExchangeUnknown()


def test_a_session_that_is_long_over_is_expired(store: VaultStore) -> None:
    """An expired session still exchanges for half an hour, and then no more."""
    store.link_sessions.add(session(expires_at=NOW))
    late = begin(store, now=NOW + 1800)
    store.link_sessions.add(session("ls_2", expires_at=NOW - 0.001))

    assert late == ExchangeExpired()
    assert begin(store, "ls_2", now=NOW + 1799) == ExchangeStarted(
        session("ls_2", expires_at=NOW - 0.001)
    )


def test_an_erased_connections_session_is_unknown(store: VaultStore) -> None:
    """A session whose connection was deleted answers nothing any more."""
    link(store, connection())
    store.connections.erase("conn_1")

    assert begin(store, "ls_of_conn_1") == ExchangeUnknown()


def test_a_repair_keeps_the_connection(store: VaultStore) -> None:
    """A new credential for the same connection keeps id, age and institution, in a new version."""
    first = link(store, connection(status=ConnectionStatus.NEEDS_USER))
    store.link_sessions.add(session("ls_2", repairs_connection_id="conn_1"))
    begin(store, "ls_2")
    repaired = store.finish_exchange(
        "ls_2", connection(sealed_credential=b"new", created_at=NOW + 99)
    )
    credential = store.connections.credential("conn_1")

    assert repaired == replace(first, status=ConnectionStatus.ACTIVE, credential_version=2)
    assert credential is not None
    assert (credential.sealed, credential.version) == (b"new", 2)


def test_exchanges_that_ran_when_the_process_died_are_in_doubt(
    reopen: Callable[[], VaultStore],
) -> None:
    """After a restart a running exchange is in doubt; open and finished ones are as before."""
    dead = reopen()
    for name in ("ls_1", "ls_2"):
        dead.link_sessions.add(session(name))
    record = link(dead, connection())
    begin(dead, "ls_1")
    alive = reopen()
    alive.recover()

    assert begin(alive, "ls_1") == ExchangeInDoubt()
    assert begin(alive, "ls_2") == ExchangeStarted(session("ls_2"))
    assert begin(alive, "ls_of_conn_1") == ExchangeDone(record)


def test_an_intent_survives_a_killed_process(tmp_path: Path) -> None:
    """Once begin_exchange has returned, kill -9 leaves the exchange in doubt, never open."""
    script = f"""
        import os, signal, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from vault_builders import NOW, session
        from orchestrator.vault import VaultStore
        store = VaultStore({vault_url(tmp_path)!r})
        store.link_sessions.add(session())
        store.link_sessions.begin_exchange("ls_1", "space_1", NOW)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False)
    store = VaultStore(vault_url(tmp_path))
    store.recover()
    start = begin(store)
    store.close()

    assert ended.returncode == -signal.SIGKILL
    assert start == ExchangeInDoubt()


def test_two_stores_on_one_file_start_an_exchange_once(reopen: Callable[[], VaultStore]) -> None:
    """Of two processes that ask at once, one may send it."""
    one, other = reopen(), reopen()
    one.link_sessions.add(session())

    assert begin(one) == ExchangeStarted(session())
    assert begin(other) == ExchangeBusy()


def test_values_of_the_vault_pickle_and_hide_what_is_sealed(store: VaultStore) -> None:
    """Requests and answers travel between processes, and their repr shows no sealed bytes."""
    values = (session(), connection(), link(store, connection()), begin(store, "nowhere"))
    sealed = store.connections.credential("conn_1")

    assert pickle.loads(pickle.dumps((values, sealed))) == (values, sealed)
    for value in (*values, sealed):
        assert "sealed state" not in repr(value)
        assert "sealed credential" not in repr(value)


def test_a_damaged_vault_says_what_to_do(tmp_path: Path) -> None:
    """A file that is no database raises StoreError."""
    (tmp_path / "vault.sqlite").write_bytes(os.urandom(10_000))
    with pytest.raises(StoreError, match="damaged"):
        VaultStore(vault_url(tmp_path))


def test_a_vault_that_breaks_while_open_raises_store_error(store: VaultStore) -> None:
    """An error of the database reaches the caller as StoreError, without values of the query."""
    with store._engine.begin() as transaction:
        transaction.exec_driver_sql("drop table link_sessions")
    with pytest.raises(StoreError) as raised:
        store.link_sessions.add(session(sealed_state=b"very secret"))

    assert "very secret" not in str(raised.value)
    assert pickle.loads(pickle.dumps(raised.value)).args == raised.value.args


def test_a_vault_of_another_version_is_refused(tmp_path: Path) -> None:
    """A database of a later program is left alone."""
    store = VaultStore(vault_url(tmp_path))
    with store._engine.begin() as transaction:
        transaction.exec_driver_sql("update schema_version set version = 99")
    store.close()
    with pytest.raises(StoreError, match="schema version 99"):
        VaultStore(vault_url(tmp_path))
