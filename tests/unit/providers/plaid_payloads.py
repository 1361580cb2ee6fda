"""Bodies in the shape of Plaid's OpenAPI."""

from collections.abc import Sequence

from orchestrator.domain import Credential

TOKEN = "access-sandbox-7c69d345-fda6-4e1d-b858-fcabc5a0a0a9"
CREDENTIAL = Credential({"access_token": TOKEN, "item_id": "item-1"})


def account(**over: object) -> dict[str, object]:
    """A checking account."""
    return {
        "account_id": "acc-1",
        "balances": {
            "available": 100.5,
            "current": 110.25,
            "limit": None,
            "iso_currency_code": "USD",
            "unofficial_currency_code": None,
        },
        "mask": "0123",
        "name": "Everyday Checking",
        "official_name": "Plaid Everyday Checking",
        "type": "depository",
        "subtype": "checking",
        **over,
    }


def item(**over: object) -> dict[str, object]:
    """An Item that is well."""
    return {
        "item_id": "item-1",
        "institution_id": "ins_56",
        "webhook": None,
        "error": None,
        "available_products": [],
        "billed_products": ["transactions"],
        "consent_expiration_time": None,
        "update_type": "background",
        **over,
    }


def error(code: str, error_type: str = "ITEM_ERROR") -> dict[str, object]:
    """A PlaidError, whose message tells a lie about its class."""
    return {
        "error_type": error_type,
        "error_code": code,
        "error_message": "RATE_LIMIT INVALID_API_KEYS everything is fine",
        "display_message": None,
        "request_id": "m8MDnv9okwxFNBV",
    }


def accounts(*rows: object, **item_over: object) -> dict[str, object]:
    """An answer of /accounts/get."""
    return {"accounts": list(rows), "item": item(**item_over), "request_id": "bkVE1BHWMAZ9Rnr"}


def movement(name: str, on: str = "2026-03-01", **over: object) -> dict[str, object]:
    """A transaction of 12.34 out of the account."""
    return {
        "transaction_id": name,
        "account_id": "acc-1",
        "amount": 12.34,
        "iso_currency_code": "USD",
        "unofficial_currency_code": None,
        "date": on,
        "authorized_date": None,
        "datetime": None,
        "authorized_datetime": None,
        "name": "COFFEE 42",
        "merchant_name": "Coffee",
        "pending": False,
        "pending_transaction_id": None,
        "personal_finance_category": {"primary": "FOOD_AND_DRINK", "detailed": "FOOD_COFFEE"},
        **over,
    }


def gone(name: str, account_id: str = "acc-1") -> dict[str, object]:
    """An entry of `removed`."""
    return {"transaction_id": name, "account_id": account_id}


def sync(
    added: Sequence[object] = (),
    *,
    modified: Sequence[object] = (),
    removed: Sequence[object] = (),
    cursor: str = "c-end",
    more: bool = False,
    status: str = "HISTORICAL_UPDATE_COMPLETE",
) -> dict[str, object]:
    """An answer of /transactions/sync."""
    return {
        "transactions_update_status": status,
        "accounts": [],
        "added": list(added),
        "modified": list(modified),
        "removed": list(removed),
        "next_cursor": cursor,
        "has_more": more,
        "request_id": "Wvhy9PZHQLV8njG",
    }
