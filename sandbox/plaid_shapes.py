"""The world in Plaid's shapes: positive amounts leave the account, ids belong to one Item.

Source: Plaid's OpenAPI 2020-09-14 (AccountBase, Transaction, Item, Institution).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from .accounts import AccountKind, BankAccount
from .banks import Bank
from .connections import Connection
from .identifiers import base62
from .merchants import Category
from .movements import Movement
from .wire import JsonObject, rfc3339
from .world import Balances, Sighting

__all__ = [
    "SERVED_PRODUCTS",
    "PlaidIds",
    "account_json",
    "institution_json",
    "item_json",
    "transaction_json",
]

_TYPES: Final = {
    AccountKind.CHECKING: ("depository", "checking"),
    AccountKind.SAVINGS: ("depository", "savings"),
    AccountKind.CREDIT_CARD: ("credit", "credit card"),
    AccountKind.LOAN: ("loan", "mortgage"),
}
_CATEGORIES: Final = {
    Category.SALARY: ("INCOME", "INCOME_WAGES", "income_source"),
    Category.RENT: ("RENT_AND_UTILITIES", "RENT_AND_UTILITIES_RENT", "merchant"),
    Category.UTILITIES: (
        "RENT_AND_UTILITIES",
        "RENT_AND_UTILITIES_GAS_AND_ELECTRICITY",
        "merchant",
    ),
    Category.GROCERIES: ("FOOD_AND_DRINK", "FOOD_AND_DRINK_GROCERIES", "merchant"),
    Category.RESTAURANT: ("FOOD_AND_DRINK", "FOOD_AND_DRINK_RESTAURANT", "merchant"),
    Category.TRANSPORT: ("TRANSPORTATION", "TRANSPORTATION_GAS", "merchant"),
    Category.SHOPPING: (
        "GENERAL_MERCHANDISE",
        "GENERAL_MERCHANDISE_OTHER_GENERAL_MERCHANDISE",
        "merchant",
    ),
    Category.LEISURE: ("ENTERTAINMENT", "ENTERTAINMENT_TV_AND_MOVIES", "merchant"),
    Category.CASH: ("TRANSFER_OUT", "TRANSFER_OUT_WITHDRAWAL", "financial_institution"),
    Category.CARD_PAYMENT: (
        "LOAN_PAYMENTS",
        "LOAN_PAYMENTS_CREDIT_CARD_PAYMENT",
        "financial_institution",
    ),
    Category.LOAN_PAYMENT: (
        "LOAN_PAYMENTS",
        "LOAN_PAYMENTS_MORTGAGE_PAYMENT",
        "financial_institution",
    ),
    Category.TRANSFER: (
        "TRANSFER_OUT",
        "TRANSFER_OUT_ACCOUNT_TRANSFER",
        "financial_institution",
    ),
    Category.INTEREST: ("INCOME", "INCOME_INTEREST_EARNED", "financial_institution"),
}
_LOCATION: Final[JsonObject] = dict.fromkeys(
    ("address", "city", "region", "postal_code", "country", "lat", "lon", "store_number")
)
_PAYMENT_META: Final[JsonObject] = dict.fromkeys(
    (
        "by_order_of",
        "payee",
        "payer",
        "payment_method",
        "payment_processor",
        "ppd_id",
        "reason",
        "reference_number",
    )
)
SERVED_PRODUCTS: Final = ("auth", "balance", "identity", "transactions")


@dataclass(frozen=True, slots=True)
class PlaidIds:
    """Ids inside one Item: another Item at the same bank gives the same things other ids."""

    seed: int
    item_id: str

    def account(self, kind: AccountKind) -> str:
        """An `account_id`."""
        return base62(self.seed, self.item_id, "account", kind.value)

    def transaction(self, movement: Movement, *, pending: bool) -> str:
        """A `transaction_id`: a movement has one while pending and another once posted."""
        return base62(self.seed, self.item_id, movement.key, "pending" if pending else "posted")


def account_json(
    ids: PlaidIds, account: BankAccount, balances: Balances, updated_at: datetime | None
) -> JsonObject:
    """An AccountBase; `updated_at` None where its bank's balances have no time."""
    kind, subtype = _TYPES[account.kind]
    return {
        "account_id": ids.account(account.kind),
        "balances": {
            "available": balances.available,
            "current": balances.current,
            "limit": balances.limit,
            "iso_currency_code": account.currency,
            "unofficial_currency_code": None,
            "last_updated_datetime": None if updated_at is None else rfc3339(updated_at),
        },
        "holder_category": "personal",
        "mask": account.mask,
        "name": account.name,
        "official_name": account.official_name,
        "subtype": subtype,
        "type": kind,
    }


def transaction_json(
    ids: PlaidIds, sighting: Sighting, currency: str, *, named: bool, shows_pending: bool
) -> JsonObject:
    """A Transaction. `date` of a pending one is when it began, of a posted one when it posted.

    Args:
        ids: of its Item.
        sighting: the movement as it stands.
        currency: of its account.
        named: whether Plaid knows the merchant.
        shows_pending: whether its bank shows pending rows, one of which it may have been.

    """
    movement, pending = sighting.movement, sighting.pending
    primary, detailed, party = _CATEGORIES[movement.category]
    was_pending = shows_pending and not pending and movement.settles_on > movement.authorized_on
    merchant = movement.merchant if named else None
    counterparties: list[JsonObject] = []
    if merchant:
        counterparties.append(
            {
                "name": merchant,
                "type": party,
                "entity_id": base62("merchant", merchant),
                "logo_url": None,
                "website": None,
                "confidence_level": "VERY_HIGH",
            }
        )
    return {
        "account_id": ids.account(movement.account),
        "account_owner": None,
        "amount": -movement.amount,
        "authorized_date": movement.authorized_on.isoformat(),
        "authorized_datetime": None,
        "category": None,
        "category_id": None,
        "check_number": None,
        "counterparties": counterparties,
        "date": sighting.changed_on.isoformat(),
        "datetime": None,
        "iso_currency_code": currency,
        "location": _LOCATION,
        "logo_url": None,
        "merchant_entity_id": base62("merchant", merchant) if merchant else None,
        "merchant_name": merchant,
        "name": movement.description,
        "payment_channel": "in store" if movement.merchant else "other",
        "payment_meta": _PAYMENT_META,
        "pending": pending,
        "pending_transaction_id": (
            ids.transaction(movement, pending=True) if was_pending else None
        ),
        "personal_finance_category": {
            "primary": primary,
            "detailed": detailed,
            "confidence_level": "VERY_HIGH",
            "version": "v2",
        },
        "transaction_code": None,
        "transaction_id": ids.transaction(movement, pending=pending),
        "transaction_type": "place" if movement.merchant else "special",
        "unofficial_currency_code": None,
        "website": None,
    }


def item_json(connection: Connection, bank: Bank, error: JsonObject | None) -> JsonObject:
    """An Item; `error` stands in it even in an answer of status 200."""
    used = connection.attributes.get("products", "transactions").split(",")
    return {
        "available_products": [product for product in SERVED_PRODUCTS if product not in used],
        "billed_products": used,
        "consent_expiration_time": None,
        "error": error,
        "institution_id": bank.id_at("plaid"),
        "institution_name": bank.name,
        "item_id": connection.connection_id,
        "products": used,
        "update_type": "background",
        "webhook": connection.attributes.get("webhook") or None,
    }


def institution_json(bank: Bank, *, status_at: datetime | None = None) -> JsonObject:
    """An Institution; with `status_at`, its health too."""
    row: JsonObject = {
        # Younger than Plaid's published document, and without it its client takes no institution.
        "connection_availability": "SUPPORTED",
        "country_codes": [bank.region],
        "institution_id": bank.id_at("plaid"),
        "name": bank.name,
        "oauth": False,
        "products": list(SERVED_PRODUCTS),
        "routing_numbers": [],
    }
    if status_at is not None:
        health: JsonObject = {
            "status": "HEALTHY",
            "last_status_change": rfc3339(status_at),
            "breakdown": {
                "success": 1,
                "error_plaid": 0,
                "error_institution": 0,
                "refresh_interval": "NORMAL",
            },
        }
        row["status"] = {"item_logins": health, "transactions_updates": health}
    return row
