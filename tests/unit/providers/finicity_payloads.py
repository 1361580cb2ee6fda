"""Bodies in the shape of Finicity's OpenAPI 1.42.0."""

from orchestrator.domain import Credential

CUSTOMER_ID = "7005061234"
LOGIN_ID = "1007302745"
ACCOUNT_ID = "5011648377"
CREDENTIAL = Credential({"customer_id": CUSTOMER_ID, "institution_login_id": LOGIN_ID})
LINK = (
    "https://connect2.finicity.com?customerId=7005061234&origin=url&partnerId=2445583925753"
    "&signature=b5667164&timestamp=1773847800000&ttl=1773855000000&type=lite"
)
READ_AT = 1_773_813_600
"""06:00 UTC of the day on which these tests live."""


def customer(**over: object) -> dict[str, object]:
    """A customer that was just made."""
    return {
        "id": CUSTOMER_ID,
        "username": "usr_0123456789abcdef0123",
        "createdDate": READ_AT,
        **over,
    }


def customers(*rows: object) -> dict[str, object]:
    """A list of customers."""
    return {
        "found": len(rows),
        "displaying": len(rows),
        "moreAvailable": False,
        "customers": list(rows),
    }


def account(account_id: str = ACCOUNT_ID, **over: object) -> dict[str, object]:
    """A checking account that was read this morning."""
    return {
        "id": account_id,
        "number": "2000001234",
        "accountNumberDisplay": "1234",
        "realAccountNumberLast4": "1234",
        "name": "Checking",
        "balance": 1000.1,
        "type": "checking",
        "status": "active",
        "aggregationStatusCode": 0,
        "aggregationSuccessDate": READ_AT,
        "aggregationAttemptDate": READ_AT,
        "balanceDate": READ_AT,
        "createdDate": READ_AT,
        "lastUpdatedDate": READ_AT,
        "customerId": CUSTOMER_ID,
        "institutionId": "5",
        "institutionLoginId": int(LOGIN_ID),
        "currency": "USD",
        "detail": {"availableBalanceAmount": 900},
        **over,
    }


def never_read(account_id: str = ACCOUNT_ID, **over: object) -> dict[str, object]:
    """An account that no aggregation has touched yet."""
    row = account(account_id, status="pending", **over)
    gone = ("aggregationStatusCode", "aggregationSuccessDate", "aggregationAttemptDate", "balance")
    return {name: part for name, part in row.items() if name not in {*gone, "detail"}}


def accounts(*rows: object) -> dict[str, object]:
    """A login's accounts."""
    return {"accounts": list(rows)}


def movement(transaction_id: int, day: int = 1, **over: object) -> dict[str, object]:
    """A debit of 61.11 on that day of March 2026, at noon."""
    at = 1_772_366_400 + (day - 1) * 86_400
    return {
        "id": transaction_id,
        "amount": -61.11,
        "accountId": int(ACCOUNT_ID),
        "customerId": int(CUSTOMER_ID),
        "status": "active",
        "description": "COFFEE 42",
        "transactionDate": at,
        "postedDate": at,
        "createdDate": at,
        "categorization": {
            "normalizedPayeeName": "Coffee",
            "category": "Coffee Shops",
            "country": "USA",
        },
        **over,
    }


def page(
    rows: list[object], *, found: int | None = None, more: object = "false"
) -> dict[str, object]:
    """One page of a listing."""
    return {
        "found": len(rows) if found is None else found,
        "displaying": len(rows),
        "moreAvailable": more,
        "fromDate": "1765929600",
        "toDate": "1774483199",
        "sort": "asc",
        "transactions": rows,
    }


def error(code: object, message: str = "103 institution_unavailable") -> dict[str, object]:
    """An error body of the usual form."""
    return {"code": code, "message": message}


def wrapped(code: str) -> dict[str, object]:
    """An error body of the newer form."""
    row = {"Source": "s", "ReasonCode": code, "Description": "103", "Recoverable": False}
    return {"Errors": {"Error": [row]}}
