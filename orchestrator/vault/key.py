"""Where the vault's key comes from: the environment, or a file made on first use."""

import base64
import binascii
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from pydantic import SecretStr

from orchestrator.domain import ConfigurationError

from .cipher import KEY_BYTES, VaultCipher

__all__ = ["KEY_FILE", "vault_cipher"]

KEY_FILE: Final = "vault.key"
_FILE_KEY_ID: Final = "file"
_DEFAULT_KEY_ID: Final = "env"


def vault_cipher(given: SecretStr | None, data_dir: Path) -> VaultCipher:
    """The cipher of this installation.

    Args:
        given: `ORCHESTRATOR_VAULT_KEY`: 32 bytes in base64, or several as `id:base64` with commas,
            the first of which seals.
        data_dir: where the file is, when nothing is given.

    Raises:
        ConfigurationError: the key has the wrong form, or its file is open to others.

    """
    if given is not None:
        return _from_text(given.get_secret_value())
    key = _from_file(data_dir / KEY_FILE)
    return VaultCipher({_FILE_KEY_ID: key}, _FILE_KEY_ID)


def _from_text(text: str) -> VaultCipher:
    keys: dict[str, bytes] = {}
    for part in text.split(","):
        given_id, named, encoded = part.strip().rpartition(":")
        key_id = given_id if named else _DEFAULT_KEY_ID
        if key_id in keys:
            raise ConfigurationError(
                f"ORCHESTRATOR_VAULT_KEY has two keys called {key_id!r}: "
                "give each its own name, as id:base64"
            )
        keys[key_id] = _decoded(encoded)
    return VaultCipher(keys, next(iter(keys)))


def _decoded(encoded: str) -> bytes:
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigurationError(
            "ORCHESTRATOR_VAULT_KEY must be 32 bytes in base64: make one with "
            "'openssl rand -base64 32'"
        )
    return key


def _from_file(path: Path) -> bytes:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            key = file.read(KEY_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(
            f"the vault's key {path} can be neither read nor made: {error.strerror}"
        ) from None
    if mode & 0o077:
        raise ConfigurationError(f"{path} can be read by others: chmod 600 it")
    if len(key) != KEY_BYTES:
        raise ConfigurationError(f"{path} does not hold a key of 32 bytes: restore it from backup")
    return key


def _make(path: Path) -> None:
    # Written beside and linked into place: of two processes one wins, and none reads half a key.
    # A random name: process ids repeat, and a crash may have left a draft behind.
    draft = path.with_name(f".{path.name}.{uuid4().hex}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
        # Before anything is sealed under it: a power cut must not take the name back.
        _sync_folder(path.parent)
    finally:
        draft.unlink()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
