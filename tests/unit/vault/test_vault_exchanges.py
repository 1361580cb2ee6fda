"""A link session is exchanged at most once, through crashes too."""

import pickle  # noqa: TID251  what Ray does to these values is what is tested
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import URL
from vault_builders import NOW, connection, kept, link, session

from orchestrator.domain import ConnectionStatus
from orchestrator.vault import (
    ConnectionRecord,
    ExchangeBusy,
    ExchangeDone,
    ExchangeExpired,
    ExchangeInDoubt,
    ExchangeStarted,
    ExchangeUnknown,
    LinkSessionView,
    LoginLinked,
    VaultStore,
    threads_for,
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


def test_an_exchange_that_nobody_settled_is_in_doubt_in_the_end(store: VaultStore) -> None:
    """No request lives for a quarter of an hour: what still runs then has lost who sent it."""
    store.link_sessions.add(session())
    begin(store)
    before = begin(store, now=NOW + 899)
    after = begin(store, now=NOW + 900)

    assert before == ExchangeBusy()
    assert after == ExchangeInDoubt()
    assert begin(store, now=NOW) == ExchangeInDoubt()


def test_a_released_exchange_gets_its_whole_time_again(store: VaultStore) -> None:
    """The second start counts from itself, not from the first."""
    store.link_sessions.add(session())
    begin(store)
    store.link_sessions.release_exchange("ls_1")
    begin(store, now=NOW + 600)

    assert begin(store, now=NOW + 1000) == ExchangeBusy()


def test_what_an_exchange_needed_is_forgotten_with_its_success(store: VaultStore) -> None:
    """A session that is done holds no sealed state any more."""
    link(store, connection())
    view = store.link_sessions.get("ls_of_conn_1")

    assert view is not None
    assert view.session.sealed_state == b""


def test_what_an_exchange_needs_is_forgotten_once_it_is_expired(store: VaultStore) -> None:
    """Sessions that nobody can exchange any more lose their state; all others keep it."""
    for name, expires_at in (("over", NOW), ("late", NOW + 1), ("endless", None)):
        store.link_sessions.add(session(name, expires_at=expires_at))
    store.link_sessions.add(session("sent", expires_at=NOW))
    begin(store, "sent")
    purged = store.link_sessions.purge(NOW + 1800)
    views = {name: store.link_sessions.get(name) for name in ("over", "late", "endless", "sent")}

    assert purged == 1
    assert {"over": b""} == {
        name: view.session.sealed_state
        for name, view in views.items()
        if view is not None and view.session.sealed_state != b"sealed state"
    }
    assert store.link_sessions.purge(NOW + 1800) == 0


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


def test_a_login_has_one_connection_in_its_space(store: VaultStore) -> None:
    """Linked again it is told and nothing is kept; handed in for that one, it renews it."""
    first = link(store, connection(login_key_hash="login"))
    store.link_sessions.add(session("ls_2"))
    begin(store, "ls_2")
    told = store.finish_exchange("ls_2", connection("conn_2", login_key_hash="login"))
    still = begin(store, "ls_2")
    renewed = store.finish_exchange("ls_2", connection(login_key_hash="login"))

    assert told == LoginLinked("conn_1")
    assert still == ExchangeBusy()
    assert store.connections.get("conn_2") is None
    assert renewed == replace(first, credential_version=2)


@pytest.mark.parametrize("elsewhere", [{"space_id": "space_2"}, {"provider": "mx"}])
def test_a_login_is_another_ones_elsewhere(store: VaultStore, elsewhere: dict[str, str]) -> None:
    """Another space, or another provider, has connections of its own under the same hash."""
    link(store, connection(login_key_hash="login"))
    other = link(store, connection("conn_2", login_key_hash="login", **elsewhere))

    assert other.connection_id == "conn_2"


def test_a_repair_keeps_to_its_connection_whatever_the_login(store: VaultStore) -> None:
    """A login that another connection has, too, does not turn a repair away from its own."""
    link(store, connection("conn_1", login_key_hash="login"))
    link(store, connection("conn_2"))
    store.link_sessions.add(session("ls_2", repairs_connection_id="conn_2"))
    begin(store, "ls_2")
    repaired = kept(store.finish_exchange("ls_2", connection("conn_2", login_key_hash="login")))

    assert (repaired.connection_id, repaired.credential_version) == ("conn_2", 2)


def test_exchanges_of_one_login_at_one_moment_make_one_connection(
    database: URL, reopen: Callable[[], VaultStore]
) -> None:
    """Whoever comes second is told of the first's, whatever the database lets run at once."""
    store = reopen()
    names = [f"conn_{number}" for number in range(8)]
    for name in names:
        store.link_sessions.add(session(f"ls_{name}"))
    together = threading.Barrier(threads_for(database))

    def finish(name: str) -> ConnectionRecord | LoginLinked:
        together.wait(timeout=30)
        return store.finish_exchange(f"ls_{name}", connection(name, login_key_hash="login"))

    with ThreadPoolExecutor(together.parties) as threads:
        ends = list(threads.map(finish, names))
    made = [end.connection_id for end in ends if isinstance(end, ConnectionRecord)]

    assert len(made) == 1
    assert [record.connection_id for record in store.connections.of_space("space_1")] == made
    assert {end.connection_id for end in ends} == set(made)


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


def test_an_intent_survives_a_killed_process(database: URL) -> None:
    """Once begin_exchange has returned, kill -9 leaves the exchange in doubt, never open."""
    script = f"""
        import os, signal, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from sqlalchemy import make_url
        from vault_builders import NOW, session
        from orchestrator.vault import VaultStore
        store = VaultStore(make_url({database.render_as_string(hide_password=False)!r}))
        store.link_sessions.add(session())
        store.link_sessions.begin_exchange("ls_1", "space_1", NOW)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False, timeout=60)
    store = VaultStore(database)
    store.recover()
    start = begin(store)
    store.close()

    assert ended.returncode == -signal.SIGKILL
    assert start == ExchangeInDoubt()


def test_two_stores_on_one_database_start_an_exchange_once(
    reopen: Callable[[], VaultStore],
) -> None:
    """Of two processes that ask at once, one may send it."""
    one, other = reopen(), reopen()
    one.link_sessions.add(session())

    assert begin(one) == ExchangeStarted(session())
    assert begin(other) == ExchangeBusy()


def test_of_many_that_ask_at_once_one_may_exchange(reopen: Callable[[], VaultStore]) -> None:
    """Whoever else asks in the same moment, from whatever process, is told that it runs."""
    stores = [reopen() for _ in range(4)]
    names = [f"ls_{number}" for number in range(15)]
    for name in names:
        stores[0].link_sessions.add(session(name))
    all_there = threading.Barrier(len(stores))

    def ask(store: VaultStore) -> list[bool]:
        started = []
        for name in names:
            all_there.wait(30)
            started.append(isinstance(begin(store, name), ExchangeStarted))
        return started

    with ThreadPoolExecutor(len(stores)) as threads:
        answers = list(threads.map(ask, stores, timeout=120))

    assert [1] * len(names) == [sum(asked) for asked in zip(*answers, strict=True)]


def test_values_of_the_vault_pickle_and_hide_what_is_sealed(store: VaultStore) -> None:
    """Requests and answers travel between processes, and their repr shows no sealed bytes."""
    values = (session(), connection(), link(store, connection()), begin(store, "nowhere"))
    sealed = store.connections.credential("conn_1")

    assert pickle.loads(pickle.dumps((values, sealed))) == (values, sealed)
    for value in (*values, sealed):
        assert "sealed state" not in repr(value)
        assert "sealed credential" not in repr(value)
