"""What is read from providers, in one normalised shape: accounts and transactions.

`Account` and `Transaction` are what callers see. `ProviderAccount` and `ProviderTransaction` are
what an adapter reads, before our identifiers are given; they carry no identifier of ours.
"""

import datetime as dt
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from .construction import quick_init
from .vocabulary import TransactionCategory

__all__ = [
    "Account",
    "AccountType",
    "Balances",
    "Direction",
    "ProviderAccount",
    "ProviderTransaction",
    "Transaction",
]


class AccountType(StrEnum):
    """Kinds of account, across all providers."""

    DEPOSITORY = "depository"
    CREDIT = "credit"
    LOAN = "loan"
    INVESTMENT = "investment"
    CRYPTO = "crypto"
    WALLET = "wallet"
    OTHER = "other"


class Direction(StrEnum):
    """Which way money moved; `unknown` where the provider does not say, and then unsigned."""

    IN = "in"
    OUT = "out"
    UNKNOWN = "unknown"


@quick_init
@dataclass(frozen=True, slots=True)
class Balances:
    """Balances in the account's currency; None where the provider does not tell."""

    available: Decimal | None
    current: Decimal | None
    limit: Decimal | None


@quick_init
@dataclass(frozen=True, slots=True)
class ProviderAccount:
    """An account as an adapter reads it. `mask` is the last two to four characters of the number."""

    provider_account_id: str
    name: str
    official_name: str | None
    mask: str | None
    type: AccountType
    subtype: str | None
    currency: str
    balances: Balances
    as_of: datetime | None


@quick_init
@dataclass(frozen=True, slots=True)
class ProviderTransaction:
    """A movement as an adapter reads it.

    `amount` is signed for us: negative means that money leaves the account; unsigned where
    `direction` is unknown. `replaces_provider_transaction_id` links a posted row to the pending one
    it replaced, where the provider says so.
    """

    provider_transaction_id: str
    provider_account_id: str
    date: dt.date
    posted_at: datetime | None
    authorized_date: dt.date | None
    amount: Decimal
    direction: Direction
    currency: str
    description: str
    merchant_name: str | None
    category: TransactionCategory | None
    pending: bool
    replaces_provider_transaction_id: str | None = None


@quick_init
@dataclass(frozen=True, slots=True)
class Account:
    """A bank account as callers see it; `account_id` is one across a space's connections."""

    account_id: str
    institution_id: str
    name: str
    official_name: str | None
    mask: str | None
    type: AccountType
    subtype: str | None
    currency: str
    balances: Balances
    as_of: datetime | None
    provider: str
    connection_id: str
    provider_account_id: str


@quick_init
@dataclass(frozen=True, slots=True)
class Transaction:
    """A movement as callers see it; negative `amount` means that money leaves the account."""

    transaction_id: str
    account_id: str
    provider: str
    provider_transaction_id: str
    date: dt.date
    posted_at: datetime | None
    authorized_date: dt.date | None
    amount: Decimal
    direction: Direction
    currency: str
    description: str
    merchant_name: str | None
    category: TransactionCategory | None
    pending: bool
    replaces_transaction_id: str | None
