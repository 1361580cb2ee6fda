"""What MX adds to transactions for those who ask by `includes`.

Source: MX's OpenAPI v20250224 and v20111101 (TransactionIncludesResponse).
"""

from typing import Final

from .banks import Bank
from .identifiers import guid
from .merchants import Category
from .movements import Movement
from .mx_errors import bad_request
from .wire import Call, JsonObject

__all__ = ["enhancements_of", "wanted_enhancements"]

_KNOWN: Final = frozenset(
    {"repeating_transactions", "merchants", "classifications", "geolocations"}
)
_CLASSES: Final = {
    Category.SALARY: "Payroll",
    Category.TRANSFER: "Transfer",
    Category.INTEREST: "Income",
    Category.CARD_PAYMENT: "Transfer",
    Category.LOAN_PAYMENT: "Expenses",
}


def wanted_enhancements(call: Call) -> frozenset[str]:
    """What the call asks for.

    Raises:
        Refusal: 400 for something that there is not.

    """
    wanted = frozenset(filter(None, call.query.get("includes", "").split(",")))
    if wanted - _KNOWN:
        raise bad_request(call, "includes names something unknown")
    return wanted


def enhancements_of(movement: Movement, bank: Bank, wanted: frozenset[str]) -> JsonObject:
    """The further fields of a transaction."""
    row: JsonObject = {}
    if "merchants" in wanted and movement.merchant:
        site = "".join(filter(str.isalnum, movement.merchant)).lower()
        row["merchant"] = {
            "guid": guid("MCH", movement.merchant),
            "logo_url": f"https://content.example/logos/{site}.png",
            "name": movement.merchant,
            "website_url": f"https://{site}.example",
        }
    if "classifications" in wanted:
        parent = _CLASSES.get(movement.category, "Spend")
        row["classification"] = {"guid": guid("CLS", parent), "parent_class": parent}
    if "geolocations" in wanted and movement.merchant:
        row["geolocation"] = {"country": bank.region}
    if "repeating_transactions" in wanted and movement.category is Category.SALARY:
        row["repeating_transaction"] = {
            "guid": guid("RPT", movement.description),
            "recurrence_type": "EVERY_OTHER_WEEK",
            "repeating_transaction_type": "INCOME",
        }
    return row
