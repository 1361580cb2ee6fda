"""Sealing secrets: AES-256-GCM under rotating keys, and keyed digests that reveal nothing.

Format of sealed bytes: version (1 byte) · length of the key id (1) · key id · nonce (12) ·
ciphertext and tag. The associated data ties it to its owner: moved elsewhere, it does not open.
"""

import hashlib
import hmac
import os
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from orchestrator.domain import ConfigurationError, StoreError

__all__ = ["KEY_BYTES", "VaultCipher"]

KEY_BYTES: Final = 32
_VERSION: Final = 1
_NONCE_BYTES: Final = 12


class VaultCipher:
    """Seals and opens. Immutable and safe to share; never shows a key.

    Args:
        keys: 32-byte keys by key id; all of them open.
        active: the key id that seals.

    Raises:
        ConfigurationError: a key has another length, or the active one is not there.

    """

    def __init__(self, keys: Mapping[str, bytes], active: str) -> None:
        if active not in keys:
            raise ConfigurationError("the active vault key is not among the vault keys")
        for key_id, key in keys.items():
            if len(key) != KEY_BYTES or not 1 <= len(key_id.encode()) <= 32:
                raise ConfigurationError(
                    f"vault key {key_id!r} must have 32 bytes and a name of 1 to 32 bytes"
                )
        self._ciphers = {key_id.encode(): AESGCM(key) for key_id, key in keys.items()}
        self._active = active.encode()
        self._head = bytes([_VERSION, len(self._active)]) + self._active
        # Digests must outlive a rotation, so they hang on the oldest key: the last one named.
        oldest = list(keys.values())[-1]
        self._mac_key = HKDF(SHA256(), KEY_BYTES, salt=None, info=b"orchestrator mac").derive(
            oldest
        )

    def seal(self, plaintext: bytes, *, associated: str) -> bytes:
        """Ciphertext that opens only with the same `associated` text."""
        nonce = os.urandom(_NONCE_BYTES)
        head = self._head
        return (
            head
            + nonce
            + self._ciphers[self._active].encrypt(nonce, plaintext, head + associated.encode())
        )

    def is_current(self, sealed: bytes) -> bool:
        """Whether these bytes say that they are sealed under the key that seals now."""
        return sealed.startswith(self._head)

    def open(self, sealed: bytes, *, associated: str) -> bytes:
        """The plaintext.

        Raises:
            StoreError: damaged, sealed for something else, or under a key that is not configured.

        """
        if len(sealed) < 2 or sealed[0] != _VERSION:
            raise StoreError("sealed bytes of an unknown format")
        head_end = 2 + sealed[1]
        cipher = self._ciphers.get(sealed[2:head_end])
        if cipher is None:
            raise StoreError(
                "sealed under a vault key that is not configured: name the old key, too, "
                "in ORCHESTRATOR_VAULT_KEY"
            )
        nonce = sealed[head_end : head_end + _NONCE_BYTES]
        try:
            return cipher.decrypt(
                nonce, sealed[head_end + _NONCE_BYTES :], sealed[:head_end] + associated.encode()
            )
        except (InvalidTag, ValueError):
            raise StoreError("sealed bytes are damaged or belong to something else") from None

    def mac(self, data: bytes) -> str:
        """A keyed digest in hex (HMAC-SHA-256): tells equal from different and nothing else."""
        return hmac.new(self._mac_key, data, hashlib.sha256).hexdigest()

    def __repr__(self) -> str:
        return f"VaultCipher({len(self._ciphers)} keys)"
