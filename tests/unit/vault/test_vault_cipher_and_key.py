"""Sealing, digests, and where the key comes from."""

import base64
import multiprocessing
import os
import pickle  # noqa: TID251  what Ray does to these values is what is tested
import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from orchestrator.domain import ConfigurationError, StoreError
from orchestrator.vault import VaultCipher, vault_cipher

KEY, OTHER = b"\x01" * 32, b"\x02" * 32
SECRET = b"access-sandbox-123"


def text_of(key: bytes) -> str:
    """A key as it stands in the environment."""
    return base64.b64encode(key).decode()


def given(*parts: str) -> SecretStr:
    """The value of ORCHESTRATOR_VAULT_KEY."""
    return SecretStr(",".join(parts))


def test_what_was_sealed_opens_for_its_owner() -> None:
    """Sealed bytes open with their associated text, and hold nothing readable."""
    cipher = VaultCipher({"a": KEY}, "a")
    sealed = cipher.seal(SECRET, associated="conn_1")

    assert SECRET not in sealed
    assert cipher.open(sealed, associated="conn_1") == SECRET
    assert cipher.seal(SECRET, associated="conn_1") != sealed


def test_sealed_bytes_do_not_open_for_another_owner() -> None:
    """Moved to another connection, a credential does not open."""
    cipher = VaultCipher({"a": KEY}, "a")
    with pytest.raises(StoreError):
        cipher.open(cipher.seal(SECRET, associated="conn_1"), associated="conn_2")


def test_sealed_bytes_changed_or_cut_anywhere_do_not_open() -> None:
    """A changed bit or a missing end, wherever it is, raises StoreError."""
    cipher = VaultCipher({"a": KEY}, "a")
    sealed = cipher.seal(SECRET, associated="x")
    for place in range(len(sealed)):
        changed = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        for wrong in (changed, sealed[:place]):
            with pytest.raises(StoreError):
                cipher.open(wrong, associated="x")


def test_a_rotated_key_still_opens_and_a_dropped_one_says_so() -> None:
    """Old keys open as long as they are named; without them the error says what to do."""
    sealed = VaultCipher({"old": KEY}, "old").seal(SECRET, associated="x")
    rotated = VaultCipher({"new": OTHER, "old": KEY}, "new")

    assert rotated.open(sealed, associated="x") == SECRET
    with pytest.raises(StoreError, match="name the old key"):
        VaultCipher({"new": OTHER}, "new").open(sealed, associated="x")
    with pytest.raises(StoreError):
        VaultCipher({"old": OTHER}, "old").open(sealed, associated="x")


def test_digests_are_keyed_and_outlive_a_rotation() -> None:
    """A digest differs by key, and is the same after a new key was put in front."""
    before = VaultCipher({"old": KEY}, "old")
    after = VaultCipher({"new": OTHER, "old": KEY}, "new")

    assert before.mac(b"x") == after.mac(b"x")
    assert before.mac(b"x") != before.mac(b"y")
    assert before.mac(b"x") != VaultCipher({"old": OTHER}, "old").mac(b"x")
    assert len(before.mac(b"x")) == 64


def test_a_cipher_shows_no_key_and_is_never_pickled() -> None:
    """Neither repr nor a Ray message can carry a key."""
    cipher = VaultCipher({"a": KEY}, "a")

    assert text_of(KEY) not in repr(cipher)
    assert repr(KEY) not in repr(vars(cipher))
    with pytest.raises(TypeError):
        pickle.dumps(cipher)


@pytest.mark.parametrize(
    ("keys", "active"), [({"a": KEY}, "b"), ({"a": b"short"}, "a"), ({"": KEY}, ""), ({}, "a")]
)
def test_wrong_keys_are_a_configuration_error(keys: dict[str, bytes], active: str) -> None:
    """A missing active key, a wrong length and an empty name are refused."""
    with pytest.raises(ConfigurationError):
        VaultCipher(keys, active)


def test_the_first_key_of_the_environment_seals(tmp_path: Path) -> None:
    """Of several named keys the first seals and all open; no file is made."""
    cipher = vault_cipher(given(f"new:{text_of(OTHER)}", f"old:{text_of(KEY)}"), tmp_path)
    sealed = cipher.seal(SECRET, associated="x")

    assert VaultCipher({"new": OTHER}, "new").open(sealed, associated="x") == SECRET
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "value",
    [
        given(text_of(b"short")),
        given("not base64"),
        given(""),
        given(f"a:{text_of(KEY)}", ""),
        given(text_of(KEY), text_of(OTHER)),
        given(f"a:{text_of(KEY)}", f"a:{text_of(OTHER)}"),
    ],
)
def test_a_wrong_key_in_the_environment_is_refused_unshown(
    tmp_path: Path, value: SecretStr
) -> None:
    """Wrong lengths, no base64 and two keys of one name are refused, without showing them."""
    with pytest.raises(ConfigurationError) as refused:
        vault_cipher(value, tmp_path)

    assert "ORCHESTRATOR_VAULT_KEY" in str(refused.value)
    assert text_of(KEY) not in str(refused.value)


def test_the_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    """The first use makes a 0600 file and the next opens with the same key."""
    sealed = vault_cipher(None, tmp_path / "data").seal(SECRET, associated="x")
    path = tmp_path / "data" / "vault.key"

    assert vault_cipher(None, tmp_path / "data").open(sealed, associated="x") == SECRET
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [path] == list(path.parent.iterdir())


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    """A file that others can read is refused with what to do."""
    vault_cipher(None, tmp_path)
    (tmp_path / "vault.key").chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        vault_cipher(None, tmp_path)


def test_a_key_file_of_another_length_is_refused(tmp_path: Path) -> None:
    """A cut key file is refused and left as it is."""
    vault_cipher(None, tmp_path)
    path = tmp_path / "vault.key"
    path.write_bytes(b"cut")
    with pytest.raises(ConfigurationError, match="restore it from backup"):
        vault_cipher(None, tmp_path)

    assert path.read_bytes() == b"cut"


def test_a_key_path_that_is_no_file_is_refused(tmp_path: Path) -> None:
    """A folder in the file's place is a configuration error."""
    (tmp_path / "vault.key").mkdir(mode=0o700)
    with pytest.raises(ConfigurationError, match="neither read nor made"):
        vault_cipher(None, tmp_path)


def test_a_draft_that_a_crash_left_is_no_obstacle(tmp_path: Path) -> None:
    """A half-made key of a process with the same id does not stop the next start."""
    (tmp_path / f".vault.key.{os.getpid()}").write_bytes(b"half")

    assert vault_cipher(None, tmp_path).mac(b"x") == vault_cipher(None, tmp_path).mac(b"x")


def _digest(data_dir: Path) -> str:
    return vault_cipher(None, data_dir).mac(b"x")


def test_processes_that_race_end_with_one_key(tmp_path: Path) -> None:
    """Several processes that start at once on an empty folder use the same key."""
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        digests = pool.map(_digest, [tmp_path / "data"] * 16, chunksize=1)

    assert len(set(digests)) == 1
