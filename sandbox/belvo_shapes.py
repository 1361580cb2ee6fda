"""The world in Belvo's shapes: unsigned amounts with INFLOW or OUTFLOW, the account in every row.

Source: Belvo's OpenAPI 1.35.0 (Account, Transaction, Link, Institution).
"""

from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from hashlib import sha256
from typing import Final

from .accounts import AccountKind, BankAccount
from .banks import BANKS, Bank
from .belvo_store import StoredMovement
from .connections import Connection
from .identifiers import digest, uuid_text
from .merchants import Category
from .movements import Movement
from .wire import JsonObject, instant
from .world import Balances, Sighting

__all__ = [
    "BelvoIds",
    "account_json",
    "balance_json",
    "booked_at",
    "institution_json",
    "link_json",
    "transaction_json",
]

_CATEGORIES: Final = {
    AccountKind.CHECKING: ("CHECKING_ACCOUNT", "Cuentas de efectivo"),
    AccountKind.SAVINGS: ("SAVINGS_ACCOUNT", "Cuentas de ahorro"),
    AccountKind.CREDIT_CARD: ("CREDIT_CARD", "Tarjetas de crédito"),
    AccountKind.LOAN: ("LOAN_ACCOUNT", "Créditos"),
}
_MOVEMENT_CATEGORIES: Final = {
    Category.SALARY: ("Income & Payments", "Salary"),
    Category.RENT: ("Bills & Utilities", "Rent"),
    Category.UTILITIES: ("Bills & Utilities", "Electricity & Energy"),
    Category.GROCERIES: ("Food & Groceries", "Groceries"),
    Category.RESTAURANT: ("Food & Groceries", "Restaurants"),
    Category.TRANSPORT: ("Transport & Travel", "Gas"),
    Category.SHOPPING: ("Personal Shopping", "Department Store"),
    Category.LEISURE: ("Online Platforms & Leisure", "Movie & Audio"),
    Category.CASH: ("Withdrawal & ATM", None),
    Category.CARD_PAYMENT: ("Credits & Loans", "Credit Card"),
    Category.LOAN_PAYMENT: ("Credits & Loans", "Personal"),
    Category.TRANSFER: ("Transfers", None),
    Category.INTEREST: ("Income & Payments", "Interest"),
}
_WEIGHTS: Final = (3, 7, 1, 3, 7, 1, 3, 7, 1, 3, 7, 1, 3, 7, 1, 3, 7)
_CREATOR: Final = uuid_text("belvo", "creator")


@dataclass(frozen=True, slots=True)
class BelvoIds:
    """Uuids inside one link."""

    seed: int
    link_id: str

    def account(self, kind: AccountKind) -> str:
        """An account's id."""
        return uuid_text(self.seed, self.link_id, "account", kind.value)

    def transaction(self, movement: Movement, generation: str = "") -> str:
        """A transaction's id, the same while pending and once processed."""
        return uuid_text(self.seed, self.link_id, movement.key, *filter(None, (generation,)))

    def balance(self, kind: AccountKind, day: date) -> str:
        """A balance's id."""
        return uuid_text(self.seed, self.link_id, "balance", kind.value, day)


def link_json(
    link: Connection, status: str, accessed_at: datetime | None, refresh_rate: str | None
) -> JsonObject:
    """A Link."""
    user_hash = sha256(f"{link.bank_key}:{link.user}".encode()).digest()
    return {
        "id": link.connection_id,
        "institution": BANKS[link.bank_key].id_at("belvo"),
        "access_mode": link.attributes.get("access_mode", "recurrent"),
        "last_accessed_at": None if accessed_at is None else instant(accessed_at),
        "created_at": instant(link.linked_at),
        "external_id": link.attributes.get("external_id") or None,
        "institution_user_id": urlsafe_b64encode(user_hash).decode(),
        "status": status,
        "created_by": _CREATOR,
        "refresh_rate": refresh_rate,
    }


def institution_json(number: int, bank: Bank, *, down: bool) -> JsonObject:
    """An Institution."""
    return {
        "id": 1000 + number,
        "name": bank.id_at("belvo"),
        "type": "bank",
        "website": None,
        "display_name": bank.name,
        "country_codes": [bank.region],
        "primary_color": "#056dae",
        "logo": None,
        "icon_logo": None,
        "text_logo": None,
        "form_fields": [
            {
                "name": "username",
                "type": "text",
                "label": "Client number",
                "validation": "^.{1,}$",
                "placeholder": "ABC333333A33",
                "validation_message": "Invalid client number",
                "values": [],
            }
        ],
        "features": [],
        "resources": ["ACCOUNTS", "BALANCES", "TRANSACTIONS"],
        "integration_type": "credentials",
        "status": "down" if down else "healthy",
    }


def account_json(
    ids: BelvoIds, account: BankAccount, balances: Balances, link: Connection, at: datetime
) -> JsonObject:
    """An Account. `created_at` is when it was last written, not when the account began."""
    category, kind = _CATEGORIES[account.kind]
    bank, collected_at = BANKS[link.bank_key], instant(at)
    row: JsonObject = {
        "id": ids.account(account.kind),
        "link": link.connection_id,
        "institution": {"name": bank.id_at("belvo"), "type": "bank"},
        "collected_at": collected_at,
        "created_at": collected_at,
        "category": category,
        "balance_type": "LIABILITY" if account.kind.is_debt else "ASSET",
        "type": kind,
        "name": account.name,
        "number": account.number,
        "balance": {"current": balances.current, "available": balances.available},
        "currency": account.currency,
        "public_identification_name": None,
        "public_identification_value": None,
        "last_accessed_at": collected_at,
        "credit_data": None,
        "loan_data": None,
        "funds_data": None,
        "receivables_data": None,
        "bank_product_id": None,
        "internal_identification": digest(account.number).hex(),
    }
    if account.kind is AccountKind.CREDIT_CARD:
        row["credit_data"] = {
            "collected_at": collected_at,
            "credit_limit": balances.limit,
            "cutting_date": None,
            "next_payment_date": None,
            "minimum_payment": None,
            "monthly_payment": None,
            "no_interest_payment": None,
            "last_payment_date": None,
            "end_date": None,
            "interest_rate": None,
        }
    elif account.kind is AccountKind.LOAN:
        row["loan_data"] = {
            "collected_at": collected_at,
            "principal": None,
            "outstanding_balance": balances.current,
            "monthly_payment": None,
            "interest_rates": None,
        }
    elif bank.region == "MX":
        row["public_identification_name"] = "CLABE"
        row["public_identification_value"] = clabe(account.number)
    return row


def clabe(number: str) -> str:
    """The CLABE of an account in Mexico City: bank, place, account number and a check digit."""
    body = f"012180{number[-11:]:0>11}"
    check = -sum(int(digit) * weight % 10 for digit, weight in zip(body, _WEIGHTS, strict=True))
    return f"{body}{check % 10}"


def balance_json(
    ids: BelvoIds, account: BankAccount, balances: Balances, shown: JsonObject, day: date
) -> JsonObject:
    """A Balance: what was there at the end of a day."""
    return {
        "id": ids.balance(account.kind, day),
        "account": shown,
        "value_date": day.isoformat(),
        "balance": balances.current,
        "current_balance": balances.current,
        "statement": None,
        "collected_at": shown["collected_at"],
    }


def booked_at(sighting: Sighting) -> datetime | None:
    """When the bank booked a movement; None while it is pending."""
    if sighting.pending:
        return None
    return datetime.combine(sighting.movement.settles_on, time(12), UTC)


def transaction_json(
    ids: BelvoIds, row: StoredMovement, account: JsonObject, link: Connection
) -> JsonObject:
    """A Transaction; one that is pending has no accounting date yet."""
    sighting, movement = row.sighting, row.sighting.movement
    category, subcategory = _MOVEMENT_CATEGORIES[movement.category]
    booked, at = booked_at(sighting), instant(row.written_at)
    is_card = movement.account is AccountKind.CREDIT_CARD
    return {
        "id": ids.transaction(movement, row.generation),
        "internal_identification": digest(link.user, link.bank_key, movement.key).hex(),
        "account": account,
        "collected_at": at,
        "created_at": at,
        "value_date": movement.authorized_on.isoformat(),
        "accounting_date": None if booked is None else instant(booked),
        "amount": abs(movement.amount),
        "balance": None,
        "currency": account["currency"],
        "description": movement.description,
        "observations": None,
        "merchant": (
            {"logo": None, "website": None, "merchant_name": movement.merchant}
            if movement.merchant
            else None
        ),
        "category": category,
        "subcategory": subcategory,
        "reference": digest(movement.key, size=4).hex(),
        "type": "INFLOW" if movement.amount > 0 else "OUTFLOW",
        "status": "PENDING" if sighting.pending else "PROCESSED",
        "credit_card_data": (
            {
                "collected_at": at,
                "bill_name": None,
                "bill_status": "OPEN",
                "bill_amount": None,
                "previous_bill_total": None,
            }
            if is_card
            else None
        ),
    }
