"""A vault knows the keys that it was made under, and can be brought under a new one."""

import json
import os
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import URL, text
from vault_builders import NOW, connection, link, session

from orchestrator.domain import ConfigurationError, Operation, StoreError
from orchestrator.vault import (
    Replay,
    Resealed,
    SealedCredential,
    VaultCipher,
    VaultLook,
    VaultStore,
    answer_owner,
    look_at_vault,
    place_of,
    resealing,
    vault_cipher,
    vault_url,
)

OLD_KEY, NEW_KEY, OTHER_KEY = b"\x01" * 32, b"\x02" * 32, b"\x03" * 32
OLD = VaultCipher({"old": OLD_KEY}, "old")
ROTATED = VaultCipher({"new": NEW_KEY, "old": OLD_KEY}, "new")
NEW_ALONE = VaultCipher({"new": NEW_KEY}, "new")
OTHER = VaultCipher({"other": OTHER_KEY}, "other")


def fill(store: VaultStore, cipher: VaultCipher, count: int = 1) -> None:
    """A sealed credential, a sealed link session and a sealed answer each."""
    for number in range(count):
        name = f"conn_{number:03}"
        sealed = cipher.seal(f"credential {number}".encode(), associated=name)
        link(store, connection(name, sealed_credential=sealed))
        name = f"ls_{number:03}"
        sealed = cipher.seal(f"state {number}".encode(), associated=name)
        store.link_sessions.add(session(name, sealed_state=sealed))
        key = ("caller", Operation.GET_ACCOUNTS, f"key_{number:03}")
        store.idempotency.begin(*key, "mac", NOW)
        answer = cipher.seal(f"answer {number}".encode(), associated=answer_owner(*key))
        store.idempotency.finish(*key, answer, NOW)


def opened(store: VaultStore, cipher: VaultCipher, number: int = 0) -> list[bytes]:
    """What is sealed, in clear."""
    name = f"conn_{number:03}"
    kept = store.connections.credential(name)
    assert isinstance(kept, SealedCredential)
    credential = cipher.open(kept.sealed, associated=name)
    name = f"ls_{number:03}"
    view = store.link_sessions.get(name)
    assert view is not None
    state = cipher.open(view.session.sealed_state, associated=name)
    key = ("caller", Operation.GET_ACCOUNTS, f"key_{number:03}")
    kept_answer = store.idempotency.begin(*key, "mac", NOW)
    assert isinstance(kept_answer, Replay)
    return [credential, state, cipher.open(kept_answer.body, associated=answer_owner(*key))]


def test_after_resealing_the_old_key_opens_nothing(store: VaultStore) -> None:
    """Credentials, link sessions and kept answers are whole, under the first key alone."""
    fill(store, OLD)
    done = store.reseal(ROTATED)

    assert done == Resealed(sealed=3, already=0, unreadable=())
    assert [b"credential 0", b"state 0", b"answer 0"] == opened(store, NEW_ALONE)
    with pytest.raises(StoreError):
        opened(store, OLD)


def test_a_resealed_credential_is_the_same_credential(store: VaultStore) -> None:
    """Its version stays, so that nobody who has it opened opens it again."""
    fill(store, OLD)
    before = store.connections.credential("conn_000")
    store.reseal(ROTATED)
    after = store.connections.credential("conn_000")

    assert before is not None
    assert after is not None
    assert before.version == after.version
    assert before.sealed != after.sealed


def test_resealing_again_finds_nothing_to_do(store: VaultStore) -> None:
    """What is under the first key already is left as it is, byte for byte."""
    fill(store, OLD)
    store.reseal(ROTATED)
    before = store.connections.credential("conn_000")
    again = store.reseal(ROTATED)

    assert again == Resealed(sealed=0, already=3, unreadable=())
    assert before == store.connections.credential("conn_000")


def test_many_rows_are_resealed_a_few_at_a_time(
    store: VaultStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Progress is told along the way, and no row is left out between two transactions."""
    monkeypatch.setattr(resealing, "_AT_ONCE", 4)
    fill(store, OLD, count=10)
    told: list[int] = []
    done = store.reseal(ROTATED, told.append)

    assert done == Resealed(sealed=30, already=0, unreadable=())
    assert [4, 4, 2] * 3 == told
    assert store.sealed_rows() == 30
    assert all(opened(store, NEW_ALONE, number) for number in range(10))


def test_what_no_key_opens_is_named_and_left(store: VaultStore) -> None:
    """One unreadable row stops nothing, and is told by its name."""
    fill(store, OLD)
    lost = OTHER.seal(b"lost", associated="conn_lost")
    link(store, connection("conn_lost", sealed_credential=lost))
    done = store.reseal(ROTATED)
    kept = store.connections.credential("conn_lost")

    assert done == Resealed(sealed=3, already=0, unreadable=("connections conn_lost",))
    assert kept is not None
    assert lost == kept.sealed


def test_sessions_and_keys_that_hold_nothing_sealed_are_passed_over(store: VaultStore) -> None:
    """An exchanged session and a key without an answer are no trouble."""
    link(store, connection(sealed_credential=OLD.seal(b"x", associated="conn_1")))
    store.idempotency.begin("caller", Operation.GET_ACCOUNTS, "running", "mac", NOW)

    assert store.sealed_rows() == 1
    assert store.reseal(ROTATED) == Resealed(sealed=1, already=0, unreadable=())


def test_an_answer_is_sealed_for_its_callers_key() -> None:
    """Its owner is written as it always was, so that answers of before still open."""
    owner = answer_owner("caller", Operation.CREATE_LINK, 'a "key"')

    assert json.dumps(("caller", Operation.CREATE_LINK, 'a "key"')) == owner


def test_other_keys_are_refused_by_a_vault_that_holds_connections(
    store: VaultStore, reopen: Callable[[], VaultStore]
) -> None:
    """A key that was lost and made anew is noticed before anything is done under it."""
    store.check_keys(OLD)
    fill(store, OLD)
    for cipher in (OTHER, NEW_ALONE):
        with pytest.raises(ConfigurationError, match="made under another key"):
            reopen().check_keys(cipher)

    reopen().check_keys(ROTATED)
    reopen().check_keys(OLD)


def test_the_oldest_key_stays_needed_for_digests(store: VaultStore) -> None:
    """Resealed, the vault opens without it, but would recognise nobody: so it is wanted still."""
    store.check_keys(OLD)
    fill(store, OLD)
    store.reseal(ROTATED)
    with pytest.raises(ConfigurationError):
        store.check_keys(NEW_ALONE)

    store.check_keys(ROTATED)


def test_an_empty_vault_takes_any_keys(store: VaultStore) -> None:
    """Nothing hangs on the keys of a vault without connections, whatever they were before."""
    store.check_keys(OLD)
    store.check_keys(OTHER)
    fill(store, OTHER)

    store.check_keys(OTHER)
    with pytest.raises(ConfigurationError):
        store.check_keys(OLD)


def test_a_vault_from_before_the_check_is_known_by_what_it_holds(store: VaultStore) -> None:
    """Where no key is noted yet, one that opens the newest credential is the vault's."""
    fill(store, OLD)
    with pytest.raises(ConfigurationError):
        store.check_keys(OTHER)
    store.check_keys(ROTATED)
    with pytest.raises(ConfigurationError):
        store.check_keys(OTHER)


def test_a_look_tells_what_there_is(database: URL) -> None:
    """Place, schema and keys of an open vault, while it is open."""
    with closing(VaultStore(database)) as store:
        store.check_keys(OLD)
        fill(store, OLD)
        looks = [look_at_vault(database, cipher) for cipher in (OLD, OTHER)]

    assert [
        VaultLook(place_of(database), "0002", keys_fit=True),
        VaultLook(place_of(database), "0002", keys_fit=False),
    ] == looks
    assert looks[0].up_to_date


def test_a_look_makes_nothing(empty_database: URL, tmp_path: Path) -> None:
    """Where no vault is, none is afterwards: neither a file nor a table."""
    look = look_at_vault(empty_database, OLD)

    assert VaultLook(place_of(empty_database), None, keys_fit=True) == look
    assert not look.up_to_date
    assert look == look_at_vault(empty_database, OLD)
    assert [] == list(tmp_path.iterdir())


def test_a_look_at_a_newer_vault_says_so(database: URL) -> None:
    """As opening it would."""
    with closing(VaultStore(database)) as store, store._database.writing() as transaction:
        transaction.execute(text("update alembic_version set version_num = '0999'"))
    with pytest.raises(StoreError, match="0999"):
        look_at_vault(database, OLD)


def test_the_key_file_outlives_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both the key and its name in the folder are synced before the key is used."""
    synced: list[bool] = []

    def sync(descriptor: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))

    monkeypatch.setattr(os, "fsync", sync)
    vault_cipher(None, tmp_path)

    assert [False, True] == synced


def test_a_file_of_the_vault_is_not_its_key(tmp_path: Path) -> None:
    """The key stays out of the database, under whatever name."""
    cipher = vault_cipher(None, tmp_path)
    with closing(VaultStore(vault_url(tmp_path))) as store:
        store.check_keys(cipher)
    key = (tmp_path / "vault.key").read_bytes()

    assert key not in (tmp_path / "vault.sqlite").read_bytes()
