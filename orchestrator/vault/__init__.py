"""Connections and their encrypted credentials, link sessions, idempotency keys."""

from .cipher import VaultCipher
from .key import vault_cipher
from .store import VaultStore, vault_url
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
    Mismatch,
    NewConnection,
    Replay,
    Running,
    SealedCredential,
)

__all__ = [
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
    "Mismatch",
    "NewConnection",
    "Replay",
    "Running",
    "SealedCredential",
    "VaultCipher",
    "VaultStore",
    "vault_cipher",
    "vault_url",
]
