"""Finicity's accounts and transactions as ours (CustomerAccount, Transaction of its OpenAPI)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final, Self

from orchestrator.domain import (
    AccountType,
    Balances,
    Direction,
    ProviderAccount,
    ProviderTransaction,
    SeenMovement,
)

from .categories import FINICITY_CATEGORIES, category_among
from .finicity_values import identifier, optional_epoch
from .options import choice
from .payload import (
    Payload,
    currency,
    mask_of,
    optional_decimal,
    optional_section,
    optional_text,
)
from .window_reading import Found, Listed

__all__ = ["ACCOUNT_STATUS_PENDING", "SIGNS", "Signs", "account_of", "is_deleted", "movement_of"]

ACCOUNT_STATUS_PENDING: Final = "pending"
"""Of an account that was found at the bank and is not (yet) shared."""

SIGNS: Final[Mapping[str, tuple[str, ...]]] = {
    "card_sign": ("as_is", "reversed"),
    "investment_sign": ("as_is", "reversed"),
    "debt_balance": ("magnitude", "as_is", "reversed"),
}
"""Options on which Finicity's documents contradict each other, and their values."""

_CARD: Final = (AccountType.CREDIT, "credit card")
_TYPES: Final[Mapping[str, tuple[AccountType, str | None]]] = {
    "checking": (AccountType.DEPOSITORY, "checking"),
    "savings": (AccountType.DEPOSITORY, "savings"),
    "cd": (AccountType.DEPOSITORY, "cd"),
    "moneyMarket": (AccountType.DEPOSITORY, "money market"),
    "creditCard": _CARD,
    "lineOfCredit": (AccountType.LOAN, "line of credit"),
    "mortgage": (AccountType.LOAN, "mortgage"),
    "loan": (AccountType.LOAN, None),
    "studentLoan": (AccountType.LOAN, "student"),
    "studentLoanGroup": (AccountType.LOAN, "student loan group"),
    "studentLoanAccount": (AccountType.LOAN, "student"),
    "cryptocurrency": (AccountType.CRYPTO, None),
    "investment": (AccountType.INVESTMENT, None),
    "investmentTaxDeferred": (AccountType.INVESTMENT, "tax deferred"),
    "employeeStockPurchasePlan": (AccountType.INVESTMENT, "stock plan"),
    "ira": (AccountType.INVESTMENT, "ira"),
    "401k": (AccountType.INVESTMENT, "401k"),
    "roth": (AccountType.INVESTMENT, "roth"),
    "403b": (AccountType.INVESTMENT, "403b"),
    "529": (AccountType.INVESTMENT, "529"),
    "529plan": (AccountType.INVESTMENT, "529"),
    "rollover": (AccountType.INVESTMENT, "rollover"),
    "ugma": (AccountType.INVESTMENT, "ugma"),
    "utma": (AccountType.INVESTMENT, "utma"),
    "keogh": (AccountType.INVESTMENT, "keogh"),
    "457": (AccountType.INVESTMENT, "457b"),
    "457plan": (AccountType.INVESTMENT, "457b"),
    "401a": (AccountType.INVESTMENT, "401a"),
    "brokerageAccount": (AccountType.INVESTMENT, "brokerage"),
    "educationSavings": (AccountType.INVESTMENT, "education savings"),
    "healthSavingsAccount": (AccountType.INVESTMENT, "health savings account"),
    "pension": (AccountType.INVESTMENT, "pension"),
    "profitSharingPlan": (AccountType.INVESTMENT, "profit sharing plan"),
    "roth401k": (AccountType.INVESTMENT, "roth 401k"),
    "sepIRA": (AccountType.INVESTMENT, "sep ira"),
    "simpleIRA": (AccountType.INVESTMENT, "simple ira"),
    "thriftSavingsPlan": (AccountType.INVESTMENT, "thrift savings plan"),
    "variableAnnuity": (AccountType.INVESTMENT, "variable annuity"),
}
_UNTYPED: Final = (AccountType.OTHER, None)
_CARD_LIKE: Final = frozenset({"creditCard", "lineOfCredit"})
_SHADOW: Final = "shadow"
_DATES: Final = ("transactionDate", "postedDate", "effectiveDate", "createdDate")


@dataclass(frozen=True, slots=True)
class Signs:
    """How Finicity's signs are read.

    `card_sign` of movements on cards and lines of credit, `investment_sign` of those on investment
    accounts: `as_is`, positive comes in, or `reversed`. `debt_balance`: whether what is owed is
    positive (`as_is`), negative (`reversed`), or either (`magnitude`).
    """

    card_sign: str
    investment_sign: str
    debt_balance: str

    @classmethod
    def of(cls, options: Mapping[str, str]) -> Self:
        """As the options say.

        Raises:
            ConfigurationError: an option has another value.

        """
        return cls(
            **{
                name: choice(options, name, allowed, provider="finicity")
                for name, allowed in SIGNS.items()
            }
        )

    def movement(self, account: Payload, amount: Decimal) -> Decimal:
        """A movement's amount, negative where money leaves the account."""
        told = optional_text(account, "type") or ""
        kind = _TYPES.get(told, _UNTYPED)[0]
        sign = (
            self.card_sign
            if told in _CARD_LIKE
            else self.investment_sign
            if kind is AccountType.INVESTMENT
            else "as_is"
        )
        return amount.copy_negate() if sign == "reversed" and amount else amount

    def balance(self, kind: AccountType, amount: Decimal | None) -> Decimal | None:
        """A balance, positive for what the holder has, or owes on a debt."""
        if amount is None or not amount or kind not in (AccountType.CREDIT, AccountType.LOAN):
            return amount
        if self.debt_balance == "magnitude":
            return amount.copy_abs()
        return amount.copy_negate() if self.debt_balance == "reversed" else amount


def account_of(row: Payload, signs: Signs) -> ProviderAccount:
    """An account, as of its own last successful aggregation.

    Raises:
        ProviderFailure: `MALFORMED`.

    """
    kind, subtype = _TYPES.get(optional_text(row, "type") or "", _UNTYPED)
    detail = optional_section(row, "detail") or {}
    name = optional_text(row, "name")
    available = optional_decimal(detail, "availableBalanceAmount")
    return ProviderAccount(
        provider_account_id=identifier(row, "id"),
        name=optional_text(row, "accountNickname") or name or "",
        official_name=name,
        mask=_mask(row),
        type=kind,
        subtype=subtype,
        currency=currency(row, "currency"),
        balances=Balances(
            available=(
                optional_decimal(detail, "creditAvailableAmount")
                if kind is AccountType.CREDIT or available is None
                else available
            ),
            current=signs.balance(kind, optional_decimal(row, "balance")),
            limit=optional_decimal(detail, "creditMaxAmount"),
        ),
        as_of=optional_epoch(row, "aggregationSuccessDate") or optional_epoch(row, "balanceDate"),
    )


def movement_of(row: Payload, account: Payload, signs: Signs, *, undated: date) -> Found:
    """A movement on this account; only seen while Finicity has no amount or no date for it.

    `undated` stands for the date that it does not have. Its id is unique among the account's own only, so the account's stands before it. Finicity
    tells when it first had a row, and not when it changed it. A row's `currencySymbol` is that of a
    foreign amount; what is told is in the account's currency.

    Raises:
        ProviderFailure: `MALFORMED`.

    """
    transaction_id, account_id = transaction_id_of(row), identifier(account, "id")
    told = optional_decimal(row, "amount")
    at = _instant_of(row)
    if told is None or at is None:
        return SeenMovement(transaction_id, account_id, undated if at is None else at.date())
    amount = signs.movement(account, told)
    category = optional_section(row, "categorization") or {}
    pending = optional_text(row, "status") == "pending"
    occurred_at = optional_epoch(row, "transactionDate")
    return Listed(
        ProviderTransaction(
            provider_transaction_id=transaction_id,
            provider_account_id=account_id,
            date=at.date(),
            posted_at=None if pending else optional_epoch(row, "postedDate"),
            authorized_date=None if occurred_at is None else occurred_at.date(),
            amount=amount or amount.copy_abs(),
            direction=(
                Direction.IN if amount > 0 else Direction.OUT if amount < 0 else Direction.UNKNOWN
            ),
            currency=currency(account, "currency"),
            description=_description(row),
            merchant_name=optional_text(category, "normalizedPayeeName"),
            category=category_among(FINICITY_CATEGORIES, optional_text(category, "category")),
            pending=pending,
        ),
        optional_epoch(row, "createdDate"),
    )


def transaction_id_of(row: Payload) -> str:
    """A row's id, unique over all accounts of the customer.

    Raises:
        ProviderFailure: `MALFORMED`.

    """
    return f"{identifier(row, 'accountId')}-{identifier(row, 'id')}"


def is_deleted(row: Payload) -> bool:
    """Whether another row has taken this one's place."""
    return optional_text(row, "status") == _SHADOW


def _instant_of(row: Payload) -> datetime | None:
    for name in _DATES:
        at = optional_epoch(row, name)
        if at is not None:
            return at
    return None


def _description(row: Payload) -> str:
    description, memo = optional_text(row, "description"), optional_text(row, "memo")
    if description and memo and memo not in description:
        return f"{description} {memo}"
    return description or memo or ""


def _mask(row: Payload) -> str | None:
    # The last four digits as the bank itself has them, first: what is displayed may end in the
    # number of a share or of a sub-account.
    for name in ("realAccountNumberLast4", "accountNumberDisplay", "number"):
        mask = mask_of(optional_text(row, name))
        if mask is not None:
            return mask
    return None
