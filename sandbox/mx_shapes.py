"""The world in MX's shapes: unsigned amounts with a direction, guids with a prefix of their kind.

Source: MX's OpenAPI v20250224 and v20111101 (AccountResponse, TransactionResponse, MemberResponse).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Final

from .accounts import AccountKind, BankAccount
from .banks import BANKS, Bank
from .connections import Connection, EndUser
from .identifiers import guid
from .merchants import Category
from .movements import Movement
from .wire import JsonObject, rfc3339
from .world import Balances, Sighting

__all__ = [
    "MxIds",
    "account_json",
    "institution_guid",
    "institution_json",
    "member_json",
    "member_status_json",
    "transaction_json",
    "user_json",
    "written_at",
]

_TYPES: Final = {
    AccountKind.CHECKING: ("CHECKING", None),
    AccountKind.SAVINGS: ("SAVINGS", None),
    AccountKind.CREDIT_CARD: ("CREDIT_CARD", None),
    AccountKind.LOAN: ("LOAN", "HOME_EQUITY"),
}
_CATEGORIES: Final = {
    Category.SALARY: ("Paycheck", "Income"),
    Category.RENT: ("Mortgage & Rent", "Home"),
    Category.UTILITIES: ("Utilities", "Bills & Utilities"),
    Category.GROCERIES: ("Groceries", "Food & Dining"),
    Category.RESTAURANT: ("Restaurants", "Food & Dining"),
    Category.TRANSPORT: ("Gas", "Auto & Transport"),
    Category.SHOPPING: ("Shopping", "Shopping"),
    Category.LEISURE: ("Movies & DVDs", "Entertainment"),
    Category.CASH: ("Cash", "Transfer"),
    Category.CARD_PAYMENT: ("Credit Card Payment", "Transfer"),
    Category.LOAN_PAYMENT: ("Loan Payment", "Transfer"),
    Category.TRANSFER: ("Transfer", "Transfer"),
    Category.INTEREST: ("Interest Income", "Income"),
}
_PRODUCTS: Final = (
    "account_verification",
    "identity_verification",
    "transactions",
    "transaction_history",
)


@dataclass(frozen=True, slots=True)
class MxIds:
    """Guids inside one member."""

    seed: int
    member_guid: str

    def account(self, kind: AccountKind) -> str:
        """An account's guid."""
        return guid("ACT", self.seed, self.member_guid, kind.value)

    def transaction(self, movement: Movement, *, pending: bool) -> str:
        """A transaction's guid: the pending record is deleted and a posted one made anew."""
        state = "pending" if pending else "posted"
        return guid("TRN", self.seed, self.member_guid, movement.key, state)


def institution_guid(bank: Bank) -> str:
    """A bank's guid at MX."""
    return guid("INS", bank.id_at("mx"))


def institution_json(bank: Bank, *, legacy: bool) -> JsonObject:
    """An institution; v20111101 tells products by flags, v20250224 by a list."""
    row: JsonObject = {
        "code": bank.id_at("mx"),
        "forgot_password_url": None,
        "forgot_username_url": None,
        "instructional_text": None,
        "instructional_text_steps": None,
        "is_disabled_by_client": False,
        "iso_country_code": bank.region,
        "medium_logo_url": None,
        "name": bank.name,
        "small_logo_url": None,
        "supports_oauth": False,
        "supports_tax_document": False,
        "trouble_signing_in_url": None,
        "url": None,
    }
    if legacy:
        return row | {
            "supports_account_identification": True,
            "supports_account_statement": False,
            "supports_account_verification": True,
            "supports_transaction_history": True,
        }
    return row | {
        "created_at": "2020-01-01T00:00:00Z",
        "guid": institution_guid(bank),
        "is_hidden": False,
        "supported_products": list(_PRODUCTS),
    }


def user_json(end_user: EndUser) -> JsonObject:
    """A user."""
    row: JsonObject = {
        "guid": end_user.guid,
        "id": end_user.own_id or None,
        "is_disabled": end_user.attributes.get("is_disabled") == "yes",
        "metadata": end_user.attributes.get("metadata"),
    }
    if "email" in end_user.attributes:
        row["email"] = end_user.attributes["email"]
    return row


def member_json(
    member: Connection, bank: Bank, end_user: EndUser, status: str, aggregated_at: datetime
) -> JsonObject:
    """A member: a user's login at one bank."""
    needs_user = status != "CONNECTED"
    return {
        "aggregated_at": rfc3339(aggregated_at),
        "background_aggregation_is_disabled": False,
        "connection_status": status,
        "connection_status_message": (
            "The credentials entered do not match your credentials at this institution."
            if needs_user
            else f"Connected to {bank.name}"
        ),
        "guid": member.connection_id,
        "id": None,
        "institution_code": bank.id_at("mx"),
        "institution_guid": institution_guid(bank),
        "is_being_aggregated": False,
        "is_managed_by_user": True,
        "is_manual": False,
        "is_oauth": False,
        "metadata": None,
        "most_recent_job_detail_code": None,
        "most_recent_job_detail_text": None,
        "name": bank.name,
        "needs_updated_credentials": needs_user,
        "oauth_window_uri": None,
        "successfully_aggregated_at": rfc3339(aggregated_at),
        "use_cases": ["PFM"],
        "user_guid": end_user.guid,
        "user_id": end_user.own_id or None,
    }


def member_status_json(member: Connection, status: str, aggregated_at: datetime) -> JsonObject:
    """What polling a member's status shows."""
    return {
        "aggregated_at": rfc3339(aggregated_at),
        "challenges": [],
        "connection_status": status,
        "guid": member.connection_id,
        "has_processed_account_numbers": True,
        "has_processed_accounts": True,
        "has_processed_transactions": True,
        "is_authenticated": status == "CONNECTED",
        "is_being_aggregated": False,
        "successfully_aggregated_at": rfc3339(aggregated_at),
    }


def account_json(
    ids: MxIds,
    account: BankAccount,
    balances: Balances,
    member: Connection,
    updated_at: datetime,
) -> JsonObject:
    """An account; a debt's balance is a positive number, what is owed."""
    kind, subtype = _TYPES[account.kind]
    is_card = account.kind is AccountKind.CREDIT_CARD
    return {
        "account_number": f"XXXX{account.mask}",
        "available_balance": None if account.kind.is_debt else balances.available,
        "available_credit": balances.available if is_card else None,
        "balance": balances.current,
        "created_at": rfc3339(member.linked_at),
        "credit_limit": balances.limit,
        "currency_code": account.currency,
        "guid": ids.account(account.kind),
        "id": None,
        "imported_at": rfc3339(member.linked_at),
        "institution_code": BANKS[member.bank_key].id_at("mx"),
        "is_closed": False,
        "is_hidden": False,
        "is_manual": False,
        "member_guid": member.connection_id,
        "member_id": None,
        "member_is_managed_by_user": True,
        "name": account.name,
        "nickname": None,
        "routing_number": None,
        "subtype": subtype,
        "type": kind,
        "updated_at": rfc3339(updated_at),
        "user_guid": member.owner,
    }


def written_at(sighting: Sighting, linked_at: datetime) -> datetime:
    """When a record came to be as it is: when the bank changed it, or when it was linked."""
    return max(datetime.combine(sighting.changed_on, time.min, UTC), linked_at)


def transaction_json(
    ids: MxIds, sighting: Sighting, member: Connection, currency: str
) -> JsonObject:
    """A transaction. Nothing in a posted one points back at the pending one it came from."""
    movement = sighting.movement
    category, top_level = _CATEGORIES[movement.category]
    incoming = movement.amount > 0
    at = rfc3339(written_at(sighting, member.linked_at))
    return {
        "account_guid": ids.account(movement.account),
        "account_id": None,
        "amount": abs(movement.amount),
        "category": category,
        "category_guid": guid("CAT", category),
        "check_number_string": None,
        "created_at": at,
        "currency_code": currency,
        "date": movement.authorized_on.isoformat(),
        "description": movement.merchant or movement.description.capitalize(),
        "extended_transaction_type": None,
        "guid": ids.transaction(movement, pending=sighting.pending),
        "id": None,
        "is_bill_pay": False,
        "is_direct_deposit": movement.category is Category.SALARY,
        "is_expense": not incoming,
        "is_fee": False,
        "is_income": movement.category in (Category.SALARY, Category.INTEREST),
        "is_international": False,
        "is_overdraft_fee": False,
        "is_payroll_advance": False,
        "is_recurring": None,
        "is_subscription": False,
        "latitude": None,
        "localized_description": None,
        "localized_memo": None,
        "longitude": None,
        "member_guid": member.connection_id,
        "member_is_managed_by_user": True,
        "memo": None,
        "merchant_category_code": None,
        "merchant_guid": guid("MCH", movement.merchant) if movement.merchant else None,
        "merchant_location_guid": None,
        "metadata": None,
        "original_description": movement.description,
        "posted_at": (None if sighting.pending else f"{movement.settles_on.isoformat()}T12:00:00Z"),
        "status": "PENDING" if sighting.pending else "POSTED",
        "top_level_category": top_level,
        "transacted_at": f"{movement.authorized_on.isoformat()}T12:00:00Z",
        "type": "CREDIT" if incoming else "DEBIT",
        "updated_at": at,
        "user_guid": member.owner,
    }
