"""Plaid's accounts and transactions as ours (AccountBase and Transaction of Plaid's OpenAPI)."""

from collections.abc import Mapping
from typing import Final

from orchestrator.domain import (
    AccountType,
    Balances,
    Direction,
    ProviderAccount,
    ProviderTransaction,
    TransactionCategory,
)

from .categories import PLAID_CATEGORIES, category_among
from .payload import (
    Payload,
    currency,
    day,
    decimal,
    flag,
    mask_of,
    optional_day,
    optional_decimal,
    optional_instant,
    optional_section,
    optional_text,
    section,
    text,
)

__all__ = ["account_of", "transaction_of"]

_TYPES: Final[Mapping[str, AccountType]] = {
    "depository": AccountType.DEPOSITORY,
    "credit": AccountType.CREDIT,
    "loan": AccountType.LOAN,
    "investment": AccountType.INVESTMENT,
    "brokerage": AccountType.INVESTMENT,
}
_CURRENCIES: Final = ("iso_currency_code", "unofficial_currency_code")


def account_of(row: Payload) -> ProviderAccount:
    """An account.

    Raises:
        ProviderFailure: `MALFORMED`.

    """
    balances = section(row, "balances")
    official_name = optional_text(row, "official_name")
    mask = optional_text(row, "mask")
    kind = _TYPES.get(text(row, "type"), AccountType.OTHER)
    current = optional_decimal(balances, "current")
    available = optional_decimal(balances, "available")
    if available is None and kind is AccountType.DEPOSITORY:
        # Some banks do not work it out. Of a debt, `current` is what is owed and no substitute.
        available = current
    return ProviderAccount(
        provider_account_id=text(row, "account_id"),
        name=optional_text(row, "name") or official_name or "",
        official_name=official_name,
        mask=mask_of(mask) or mask,
        type=kind,
        subtype=optional_text(row, "subtype"),
        currency=currency(balances, *_CURRENCIES),
        balances=Balances(
            available=available,
            current=current,
            limit=optional_decimal(balances, "limit"),
        ),
        as_of=optional_instant(balances, "last_updated_datetime"),
    )


def transaction_of(row: Payload) -> ProviderTransaction:
    """A movement; Plaid's amounts are positive where money leaves, so the sign turns.

    Raises:
        ProviderFailure: `MALFORMED`.

    """
    amount = decimal(row, "amount")
    merchant_name = optional_text(row, "merchant_name")
    return ProviderTransaction(
        provider_transaction_id=text(row, "transaction_id"),
        provider_account_id=text(row, "account_id"),
        date=day(row, "date"),
        posted_at=optional_instant(row, "datetime"),
        authorized_date=optional_day(row, "authorized_date"),
        amount=amount.copy_negate() if amount else amount.copy_abs(),
        direction=(
            Direction.OUT if amount > 0 else Direction.IN if amount < 0 else Direction.UNKNOWN
        ),
        currency=currency(row, *_CURRENCIES),
        description=(
            optional_text(row, "name")
            or optional_text(row, "original_description")
            or merchant_name
            or ""
        ),
        merchant_name=merchant_name,
        category=_category(row),
        pending=flag(row, "pending"),
        replaces_provider_transaction_id=optional_text(row, "pending_transaction_id"),
    )


def _category(row: Payload) -> TransactionCategory | None:
    told = optional_section(row, "personal_finance_category") or {}
    return category_among(
        PLAID_CATEGORIES, optional_text(told, "detailed"), optional_text(told, "primary")
    )
