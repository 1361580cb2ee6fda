"""Connections and their encrypted credentials, link sessions, idempotency keys.

What needs a database is loaded when it is first used: most processes seal, open and pass values on,
and never see one.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

from .answers import answer_owner
from .cipher import VaultCipher
from .key import vault_cipher
from .values import (
    ConnectionRecord,
    ExchangeBusy,
    ExchangeDone,
    ExchangeExpired,
    ExchangeInDoubt,
    ExchangeStart,
    ExchangeStarted,
    ExchangeUnknown,
    Fresh,
    IdempotencyStart,
    LinkSession,
    LinkSessionView,
    ListingDoubted,
    ListingNoted,
    LoginLinked,
    Mismatch,
    NewConnection,
    Replay,
    Running,
    SealedCredential,
)

if TYPE_CHECKING:
    from .address import VAULT_FILE, is_sqlite, place_of, vault_url
    from .database import threads_for
    from .inspecting import VaultLook, look_at_vault
    from .resealing import Resealed
    from .store import VaultStore

__all__ = [
    "VAULT_FILE",
    "ConnectionRecord",
    "ExchangeBusy",
    "ExchangeDone",
    "ExchangeExpired",
    "ExchangeInDoubt",
    "ExchangeStart",
    "ExchangeStarted",
    "ExchangeUnknown",
    "Fresh",
    "IdempotencyStart",
    "LinkSession",
    "LinkSessionView",
    "ListingDoubted",
    "ListingNoted",
    "LoginLinked",
    "Mismatch",
    "NewConnection",
    "Replay",
    "Resealed",
    "Running",
    "SealedCredential",
    "VaultCipher",
    "VaultLook",
    "VaultStore",
    "answer_owner",
    "is_sqlite",
    "look_at_vault",
    "place_of",
    "threads_for",
    "vault_cipher",
    "vault_url",
]

_HOMES: Final = {
    "VAULT_FILE": "address",
    "Resealed": "resealing",
    "VaultLook": "inspecting",
    "VaultStore": "store",
    "is_sqlite": "address",
    "look_at_vault": "inspecting",
    "place_of": "address",
    "threads_for": "database",
    "vault_url": "address",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"orchestrator.vault.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'orchestrator.vault' has no attribute {name!r}")
