"""Connections and their encrypted credentials, link sessions, idempotency keys."""

from .address import VAULT_FILE, is_sqlite, place_of, vault_url
from .cipher import VaultCipher
from .database import threads_for
from .idempotency import answer_owner
from .inspecting import VaultLook, look_at_vault
from .key import vault_cipher
from .resealing import Resealed
from .store import VaultStore
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
