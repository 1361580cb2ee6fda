"""MX's accounts and transactions as ours (AccountResponse, TransactionResponse of its OpenAPI)."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

from orchestrator.domain import (
    AccountType,
    Balances,
    Direction,
    ProviderAccount,
    ProviderTransaction,
    SeenMovement,
)

from .categories import MX_CATEGORIES, category_among
from .payload import (
    Payload,
    currency,
    mask_of,
    optional_day,
    optional_decimal,
    optional_flag,
    optional_instant,
    optional_section,
    optional_text,
    text,
)
from .window_reading import Found, Listed

__all__ = ["account_of", "is_shown", "movement_of"]

_TYPES: Final[Mapping[str, tuple[AccountType, str | None]]] = {
    "CHECKING": (AccountType.DEPOSITORY, "checking"),
    "SAVINGS": (AccountType.DEPOSITORY, "savings"),
    "PREPAID": (AccountType.DEPOSITORY, "prepaid"),
    "CASH": (AccountType.OTHER, "cash"),
    "CREDIT_CARD": (AccountType.CREDIT, "credit card"),
    "LOAN": (AccountType.LOAN, None),
    "LINE_OF_CREDIT": (AccountType.LOAN, "line of credit"),
    "CHECKING_LINE_OF_CREDIT": (AccountType.LOAN, "line of credit"),
    "MORTGAGE": (AccountType.LOAN, "mortgage"),
    "INVESTMENT": (AccountType.INVESTMENT, None),
    "INSURANCE": (AccountType.OTHER, "insurance"),
    "PROPERTY": (AccountType.OTHER, "property"),
}
_UNTYPED: Final = (AccountType.OTHER, None)
_SUBTYPES: Final[Mapping[str, str | None]] = {
    "NONE": None,
    "PLAN_401_A": "401a",
    "PLAN_401_K": "401k",
    "PLAN_403_B": "403b",
    "PLAN_457": "457",
    "PLAN_457_B": "457b",
    "PLAN_529": "529",
}
"""Subtypes that are not simply words with underlines."""
_DATES: Final = ("date", "transacted_at", "posted_at", "created_at")


def is_shown(row: Payload) -> bool:
    """Whether an account is the bank's and open.

    MX keeps closed accounts with their last balances, and tells no newer ones; a manual account is
    what a user typed in. One that the user hides is an account all the same.

    Raises:
        ProviderFailure: `MALFORMED`.

    """
    return not (optional_flag(row, "is_closed") or optional_flag(row, "is_manual"))


def account_of(row: Payload, *, as_of: datetime | None) -> ProviderAccount:
    """An account, as of when MX last gathered it, or else its member.

    A debt's balance is what is owed, as with us; below zero where too much was paid.

    Raises:
        ProviderFailure: `MALFORMED`.

    """
    kind, subtype = _TYPES.get(optional_text(row, "type") or "", _UNTYPED)
    told_subtype = optional_text(row, "subtype") or (
        optional_text(row, "property_type") if subtype == "property" else None
    )
    if told_subtype is not None:
        plain = told_subtype.lower().replace("_", " ")
        subtype = _SUBTYPES.get(told_subtype, plain) or subtype
    name = optional_text(row, "name")
    available = optional_decimal(row, "available_balance")
    return ProviderAccount(
        provider_account_id=text(row, "guid"),
        name=optional_text(row, "nickname") or name or "",
        official_name=name,
        mask=mask_of(optional_text(row, "account_number")),
        type=kind,
        subtype=subtype,
        currency=currency(row, "currency_code"),
        balances=Balances(
            available=(
                optional_decimal(row, "available_credit") if available is None else available
            ),
            current=optional_decimal(row, "balance"),
            limit=optional_decimal(row, "credit_limit"),
        ),
        as_of=optional_instant(row, "imported_at") or as_of,
    )


def movement_of(row: Payload, *, undated: date) -> Found:
    """A movement; only seen while MX has no date or no amount for it, which it may fill in later.

    `undated` stands for the date that it does not have. MX's amounts carry no sign, `type` does.
    That they are never negative is nowhere said, so their magnitude is taken.

    Raises:
        ProviderFailure: `MALFORMED`.

    """
    transaction_id, account_id = text(row, "guid"), text(row, "account_guid")
    amount, on = optional_decimal(row, "amount"), _date_of(row)
    if amount is None or on is None:
        return SeenMovement(transaction_id, account_id, on or undated)
    kind = optional_text(row, "type")
    magnitude = amount.copy_abs()
    changed_at = optional_instant(row, "updated_at") or optional_instant(row, "created_at")
    return Listed(
        ProviderTransaction(
            provider_transaction_id=transaction_id,
            provider_account_id=account_id,
            date=on,
            posted_at=optional_instant(row, "posted_at"),
            authorized_date=optional_day(row, "transacted_at"),
            amount=magnitude.copy_negate() if kind == "DEBIT" and magnitude else magnitude,
            direction=(
                Direction.IN
                if kind == "CREDIT"
                else Direction.OUT
                if kind == "DEBIT"
                else Direction.UNKNOWN
            ),
            currency=currency(row, "currency_code"),
            description=(
                optional_text(row, "description")
                or optional_text(row, "original_description")
                or optional_text(row, "memo")
                or ""
            ),
            merchant_name=optional_text(optional_section(row, "merchant") or {}, "name"),
            category=category_among(
                MX_CATEGORIES,
                optional_text(row, "category"),
                optional_text(row, "top_level_category"),
            ),
            pending=optional_text(row, "status") == "PENDING",
        ),
        changed_at,
    )


def _date_of(row: Payload) -> date | None:
    for name in _DATES:
        on = optional_day(row, name)
        if on is not None:
            return on
    return None
