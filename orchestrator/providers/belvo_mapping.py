"""Belvo's accounts and transactions as ours (Account and Transaction of its OpenAPI)."""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Final

from orchestrator.domain import (
    AccountType,
    Balances,
    Direction,
    ProviderAccount,
    ProviderTransaction,
    SeenMovement,
)

from .categories import BELVO_CATEGORIES, category_among
from .payload import (
    NO_CURRENCY,
    Payload,
    currency,
    mask_of,
    optional_day,
    optional_decimal,
    optional_instant,
    optional_section,
    optional_text,
    section,
    text,
)
from .window_reading import Found, Listed

__all__ = ["account_of", "day_of", "movement_of"]

_CATEGORIES: Final[Mapping[str, tuple[AccountType, str | None]]] = {
    "CHECKING_ACCOUNT": (AccountType.DEPOSITORY, "checking"),
    "SAVINGS_ACCOUNT": (AccountType.DEPOSITORY, "savings"),
    "CREDIT_CARD": (AccountType.CREDIT, "credit card"),
    "LOAN_ACCOUNT": (AccountType.LOAN, None),
    "INVESTMENT_ACCOUNT": (AccountType.INVESTMENT, None),
    "PENSION_FUND_ACCOUNT": (AccountType.INVESTMENT, "pension"),
    "RECEIVABLES_ACCOUNT": (AccountType.OTHER, "receivables"),
}
_UNCATEGORIZED: Final = (AccountType.OTHER, None)
_CLABE_SHAPE: Final = re.compile(r"\d{18}", re.ASCII)
_DIRECTIONS: Final[Mapping[str, Direction]] = {"INFLOW": Direction.IN, "OUTFLOW": Direction.OUT}


def account_of(row: Payload) -> ProviderAccount:
    """An account, as of when Belvo read it at the bank.

    Raises:
        ProviderFailure: `MALFORMED`.

    """
    kind, subtype = _CATEGORIES.get(optional_text(row, "category") or "", _UNCATEGORIZED)
    name = optional_text(row, "name")
    return ProviderAccount(
        provider_account_id=text(row, "id"),
        name=name or optional_text(row, "type") or "",
        official_name=name,
        mask=_mask(row),
        type=kind,
        subtype=subtype,
        currency=currency(row, "currency"),
        balances=_balances(row, kind),
        as_of=optional_instant(row, "collected_at"),
    )


def day_of(row: Payload) -> date | None:
    """The day of a movement: when it happened, else when the bank booked it."""
    return optional_day(row, "value_date") or optional_day(row, "accounting_date")


def movement_of(row: Payload, *, undated: date) -> Found:
    """A movement; only seen while Belvo lacks its date or amount, which it may fill in later.

    `undated` stands for the date that it does not have. Belvo's amounts carry no sign, `type` does, and may be missing: then the row is flagged.
    `created_at` is when Belvo last wrote the record.

    Raises:
        ProviderFailure: `MALFORMED`.

    """
    account = section(row, "account")
    transaction_id, account_id = text(row, "id"), text(account, "id")
    amount = optional_decimal(row, "amount")
    on = day_of(row)
    if amount is None or on is None:
        return SeenMovement(transaction_id, account_id, on or undated)
    direction = _DIRECTIONS.get(optional_text(row, "type") or "", Direction.UNKNOWN)
    magnitude = amount.copy_abs()
    merchant = optional_section(row, "merchant") or {}
    told_currency = currency(row, "currency")
    return Listed(
        ProviderTransaction(
            provider_transaction_id=transaction_id,
            provider_account_id=account_id,
            date=on,
            posted_at=optional_instant(row, "accounting_date"),
            authorized_date=None,
            amount=magnitude.copy_negate() if direction is Direction.OUT and amount else magnitude,
            direction=direction,
            currency=(
                currency(account, "currency") if told_currency == NO_CURRENCY else told_currency
            ),
            description=(
                optional_text(row, "description") or optional_text(row, "observations") or ""
            ),
            merchant_name=optional_text(merchant, "merchant_name"),
            category=category_among(
                BELVO_CATEGORIES,
                optional_text(row, "subcategory"),
                optional_text(row, "category"),
            ),
            pending=optional_text(row, "status") == "PENDING",
        ),
        optional_instant(row, "created_at"),
    )


def _balances(row: Payload, kind: AccountType) -> Balances:
    # Belvo's balances carry no sign: those of a LIABILITY are what is owed, as ours are. What it
    # calls available of a loan is the price of paying it off, which nobody can spend.
    balance = optional_section(row, "balance") or {}
    credit = optional_section(row, "credit_data") or {}
    current = optional_decimal(balance, "current")
    return Balances(
        available=None if kind is AccountType.LOAN else optional_decimal(balance, "available"),
        current=_told_apart(row) if current is None else current,
        limit=optional_decimal(credit, "credit_limit"),
    )


def _told_apart(row: Payload) -> Decimal | None:
    loan = optional_section(row, "loan_data") or {}
    receivables = optional_section(row, "receivables_data") or {}
    owed = optional_decimal(loan, "outstanding_balance")
    return optional_decimal(receivables, "current") if owed is None else owed


def _mask(row: Payload) -> str | None:
    return mask_of(optional_text(row, "number")) or mask_of(_public_number(row))


def _public_number(row: Payload) -> str | None:
    value = optional_text(row, "public_identification_value")
    if value is not None and _CLABE_SHAPE.fullmatch(value):
        # Bank, place, account number, and a check digit, which no bank shows as an account's end.
        return value[6:17]
    return value
