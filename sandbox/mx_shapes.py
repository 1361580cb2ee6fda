"""The world in MX's shapes: unsigned amounts with a direction, guids with a prefix of their kind.

Source: MX's OpenAPI v20250224 and v20111101 (AccountResponse, TransactionResponse).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Final

from .accounts import AccountKind, BankAccount
from .identifiers import guid
from .merchants import Category
from .movements import Movement
from .mx_book import MemberView
from .options import SandboxOptions
from .wire import JsonObject, rfc3339
from .world import Balances, Sighting

__all__ = ["MxIds", "account_json", "category_guids", "transaction_json", "written_at"]

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
_BY_FEED: Final = 1
_SET_BY: Final = (
    "account_number",
    "available_balance",
    "available_credit",
    "balance",
    "credit_limit",
    "currency_code",
    "name",
    "type",
)


@dataclass(frozen=True, slots=True)
class MxIds:
    """Guids inside one member. `keeps`: a transaction keeps its guid when it is posted."""

    seed: int
    member_guid: str
    keeps: bool

    @classmethod
    def of(cls, seed: int, view: MemberView, options: SandboxOptions) -> "MxIds":
        """Those of a member."""
        return cls(seed, view.member.connection_id, options.mx_pending_guid == "kept")

    def account(self, kind: AccountKind) -> str:
        """An account's guid."""
        return guid("ACT", self.seed, self.member_guid, kind.value)

    def transaction(self, movement: Movement, *, pending: bool) -> str:
        """A transaction's guid: mostly the pending record is deleted and a posted one made anew."""
        state = "pending" if pending and not self.keeps else "posted"
        return guid("TRN", self.seed, self.member_guid, movement.key, state)


def category_guids(category: Category) -> tuple[str, str]:
    """The guids of a category and of the one above it."""
    name, above = _CATEGORIES[category]
    return guid("CAT", name), guid("CAT", "top", above)


def account_json(
    ids: MxIds, account: BankAccount, balances: Balances, view: MemberView, *, legacy: bool
) -> JsonObject:
    """An account; a debt's balance is a positive number, what is owed."""
    kind, subtype = _TYPES[account.kind]
    is_card = account.kind is AccountKind.CREDIT_CARD
    linked_at, refreshed_at = view.member.linked_at, view.shown.refreshed_at
    row: JsonObject = {
        "account_number": f"XXXX{account.mask}",
        "available_balance": None if account.kind.is_debt else balances.available,
        "available_credit": balances.available if is_card else None,
        "balance": balances.current,
        "created_at": rfc3339(linked_at),
        "credit_limit": balances.limit,
        "currency_code": account.currency,
        "guid": ids.account(account.kind),
        "id": None,
        "imported_at": refreshed_at and rfc3339(refreshed_at),
        "institution_code": view.bank.id_at("mx"),
        "is_closed": False,
        "is_hidden": False,
        "is_manual": False,
        "member_guid": view.member.connection_id,
        "member_id": view.member.attributes.get("id"),
        "member_is_managed_by_user": True,
        "name": account.name,
        "nickname": None,
        "routing_number": None,
        "subtype": subtype,
        "type": kind,
        "updated_at": refreshed_at and rfc3339(refreshed_at),
        "user_guid": view.member.owner,
        "user_id": view.user.own_id or None,
    }
    if legacy:
        row |= {f"{name}_set_by": _BY_FEED for name in _SET_BY}
        fed = ("account_number", "available_balance", "balance", "credit_limit")
        row |= {f"feed_{name}": row[name] for name in (*fed, "currency_code", "name")}
    return row


def written_at(sighting: Sighting, view: MemberView) -> datetime:
    """When a record came to be as it is: when MX first gathered what the bank had changed.

    Of what MX gathered long ago, when the bank changed it.
    """
    changed_at = datetime.combine(sighting.changed_on, time.min, UTC)
    return view.life.first_seen(sighting.changed_on) or max(changed_at, view.member.linked_at)


def transaction_json(
    ids: MxIds, sighting: Sighting, view: MemberView, *, signed: bool
) -> JsonObject:
    """A transaction. Nothing in a posted one points back at the pending one it came from."""
    movement = sighting.movement
    category, top_level = _CATEGORIES[movement.category]
    incoming = movement.amount > 0
    at = rfc3339(written_at(sighting, view))
    return {
        "account_guid": ids.account(movement.account),
        "account_id": None,
        "amount": movement.amount if signed else abs(movement.amount),
        "category": category,
        "category_guid": category_guids(movement.category)[0],
        "check_number_string": None,
        "created_at": at,
        "currency_code": view.bank.currency,
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
        "is_manual": False,
        "is_overdraft_fee": False,
        "is_payroll_advance": False,
        "is_recurring": None,
        "is_subscription": False,
        "latitude": None,
        "localized_description": None,
        "localized_memo": None,
        "longitude": None,
        "member_guid": view.member.connection_id,
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
        "user_guid": view.member.owner,
        "user_id": view.user.own_id or None,
    }
