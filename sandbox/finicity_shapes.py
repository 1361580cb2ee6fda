"""The world in Finicity's shapes: numbers as ids, seconds as times, texts where others have flags.

Source: Finicity's OpenAPI 1.42.0 (CustomerAccount, Transaction, Institution, Customer).
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Final

from .accounts import AccountKind, BankAccount
from .banks import BANKS, Bank
from .connections import Connection, EndUser
from .identifiers import number
from .merchants import Category
from .movements import Movement
from .options import SandboxOptions
from .wire import JsonObject
from .world import Balances, Sighting

__all__ = [
    "Aggregation",
    "FinicityIds",
    "account_json",
    "customer_json",
    "epoch",
    "institution_json",
    "noon",
    "transaction_json",
]

_TYPES: Final = {
    AccountKind.CHECKING: "checking",
    AccountKind.SAVINGS: "savings",
    AccountKind.CREDIT_CARD: "creditCard",
    AccountKind.LOAN: "mortgage",
}
_CATEGORIES: Final = {
    Category.SALARY: ("Paycheck", "directDeposit"),
    Category.RENT: ("Mortgage & Rent", "payment"),
    Category.UTILITIES: ("Utilities", "repeatPayment"),
    Category.GROCERIES: ("Groceries", "pointOfSale"),
    Category.RESTAURANT: ("Restaurants", "pointOfSale"),
    Category.TRANSPORT: ("Gas & Fuel", "pointOfSale"),
    Category.SHOPPING: ("Shopping", "pointOfSale"),
    Category.LEISURE: ("Entertainment", "debit"),
    Category.CASH: ("Cash & ATM", "atm"),
    Category.CARD_PAYMENT: ("Credit Card Payment", "payment"),
    Category.LOAN_PAYMENT: ("Loan Payment", "payment"),
    Category.TRANSFER: ("Transfer", "transfer"),
    Category.INTEREST: ("Interest Income", "interest"),
}
_FLAGS: Final = ("transAgg", "ach", "stateAgg", "voi", "voa", "aha", "availBalance", "accountOwner")
_COUNTRY: Final = "USA"


def epoch(at: datetime) -> int:
    """A time in seconds since 1970."""
    return int(at.timestamp())


def noon(day: date) -> int:
    """Noon of a day, UTC, in seconds since 1970: Finicity's time of a bank's date."""
    return epoch(datetime.combine(day, time(12), UTC))


@dataclass(frozen=True, slots=True)
class FinicityIds:
    """Ids inside one institution login."""

    seed: int
    login_id: str

    def account(self, kind: AccountKind) -> int:
        """An account's id."""
        return number(self.seed, self.login_id, kind.value)

    def transaction(self, movement: Movement, *, pending: bool) -> int:
        """A row's id: of the pending one, or of the posted one that takes its place."""
        state = "pending" if pending else "posted"
        return number(self.seed, self.login_id, movement.key, state, digits=14)


@dataclass(frozen=True, slots=True)
class Aggregation:
    """How the last reading of a login's bank went. `code` None: there was none yet."""

    code: int | None
    succeeded_at: datetime | None
    attempted_at: datetime | None


def customer_json(user: EndUser, *, created: bool = False) -> JsonObject:
    """A customer; one that was just created tells its time as a number, others as a text."""
    at = int(user.attributes["created_at"])
    row: JsonObject = {
        "id": user.guid,
        "username": user.own_id,
        "createdDate": at if created else str(at),
    }
    if created:
        return row
    known = ("firstName", "lastName", "phone", "email", "applicationId")
    told = {name: user.attributes[name] for name in known if name in user.attributes}
    return {**row, **told, "type": user.attributes["type"]}


def institution_json(bank: Bank) -> JsonObject:
    """An institution; its id is a number here."""
    return {
        "id": int(bank.id_at("finicity") or 0),
        "name": bank.name,
        **dict.fromkeys(_FLAGS, True),
        "oauthEnabled": not bank.test_only,
        "currency": bank.currency,
        "status": "testing" if bank.test_only else "online",
        "displayName": bank.name,
        "class": "banking",
    }


def account_json(
    ids: FinicityIds,
    account: BankAccount,
    balances: Balances,
    login: Connection,
    aggregation: Aggregation,
    *,
    debts_are_negative: bool,
) -> JsonObject:
    """An account: `pending` and without balances until its bank was read for the first time."""
    at = epoch(login.linked_at)
    row: JsonObject = {
        "id": str(ids.account(account.kind)),
        "number": account.number,
        "accountNumberDisplay": account.mask,
        "name": account.name,
        "type": _TYPES[account.kind],
        "status": "pending" if aggregation.code is None else "active",
        "customerId": login.owner,
        "institutionId": BANKS[login.bank_key].id_at("finicity"),
        "institutionLoginId": int(login.connection_id),
        "createdDate": at,
        "lastUpdatedDate": at,
        "linkedAccountDate": at,
        "currency": account.currency,
        "marketSegment": "personal",
    }
    if not account.kind.is_debt:
        row["realAccountNumberLast4"] = account.mask
    if aggregation.attempted_at is not None:
        row["aggregationAttemptDate"] = epoch(aggregation.attempted_at)
    if aggregation.code is None or aggregation.succeeded_at is None:
        return row
    read_at = epoch(aggregation.succeeded_at)
    turned = account.kind.is_debt and debts_are_negative
    return row | {
        "balance": -balances.current if turned else balances.current,
        "balanceDate": read_at,
        "lastUpdatedDate": read_at,
        "aggregationSuccessDate": read_at,
        "aggregationStatusCode": aggregation.code,
        "detail": _detail(account, balances),
    }


def _detail(account: BankAccount, balances: Balances) -> JsonObject:
    if account.kind is AccountKind.CREDIT_CARD:
        return {
            "creditAvailableAmount": balances.available,
            "creditMaxAmount": balances.limit,
            "currentBalance": balances.current,
        }
    if account.kind is AccountKind.LOAN:
        return {"principalBalance": balances.current, "loanTypeDesc": account.official_name}
    return {"availableBalanceAmount": balances.available}


def transaction_json(
    ids: FinicityIds,
    sighting: Sighting,
    login: Connection,
    options: SandboxOptions,
    *,
    shadow: bool = False,
) -> JsonObject:
    """A row of the listing; `shadow`: the pending one that a posted one has taken the place of."""
    movement = sighting.movement
    as_pending = sighting.pending or shadow
    kept_id = as_pending or options.finicity_pending == "same_id"
    transaction_id = ids.transaction(movement, pending=kept_id)
    account_id = ids.account(movement.account)
    category, kind = _CATEGORIES[movement.category]
    first_seen_on = movement.authorized_on if kept_id else movement.settles_on
    row: JsonObject = {
        "id": transaction_id,
        "amount": _signed(movement, options),
        "uniqueTransactionId": f"{account_id}-{transaction_id}",
        "accountId": account_id,
        "customerId": int(login.owner),
        "status": "shadow" if shadow else "pending" if sighting.pending else "active",
        "description": movement.description,
        "type": kind,
        "createdDate": max(_midnight(first_seen_on), epoch(login.linked_at)),
        "categorization": {
            "normalizedPayeeName": movement.merchant or movement.description.title(),
            "category": category,
            "country": _COUNTRY,
            "bestRepresentation": movement.description,
        },
    }
    # The bank gives interest the day of its booking and no other.
    if movement.category is not Category.INTEREST:
        row["transactionDate"] = noon(movement.authorized_on)
    if not as_pending:
        row["postedDate"] = noon(movement.settles_on)
    return row


def _signed(movement: Movement, options: SandboxOptions) -> Decimal:
    is_card = movement.account is AccountKind.CREDIT_CARD
    turned = is_card and options.finicity_card_sign == "reversed"
    return -movement.amount if turned else movement.amount


def _midnight(day: date) -> int:
    return epoch(datetime.combine(day, time(), UTC))
