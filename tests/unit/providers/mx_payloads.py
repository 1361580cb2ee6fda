"""Bodies in the shape of MX's OpenAPI v20250224."""

from orchestrator.domain import Credential

USER_GUID = "USR-d74cb14f-fd0a-449f-991b-e0362a63d9c6"
MEMBER_GUID = "MBR-7c6f361b-e582-15b6-60c0-358f12466b4b"
CREDENTIAL = Credential({"user_guid": USER_GUID, "member_guid": MEMBER_GUID})


def user() -> dict[str, object]:
    """The answer to making or reading a user."""
    return {"user": {"guid": USER_GUID, "id": "usr_0123456789abcdef0123", "is_disabled": False}}


def member(status: str | None = "CONNECTED", **over: object) -> dict[str, object]:
    """A member as read alone."""
    return {
        "member": {
            "guid": MEMBER_GUID,
            "id": None,
            "user_guid": USER_GUID,
            "user_id": "usr_0123456789abcdef0123",
            "institution_code": "chase",
            "connection_status": status,
            "is_being_aggregated": False,
            "aggregated_at": "2026-03-18T06:00:00Z",
            "successfully_aggregated_at": "2026-03-18T06:00:00Z",
            **over,
        }
    }


def page(name: str, rows: list[object], number: int = 1, of: int = 1, total: int = -1) -> object:
    """One page of a listing."""
    return {
        name: rows,
        "pagination": {
            "current_page": number,
            "per_page": 1000,
            "total_entries": len(rows) if total < 0 else total,
            "total_pages": of,
        },
    }


def account(**over: object) -> dict[str, object]:
    """A checking account."""
    return {
        "guid": "ACT-1",
        "member_guid": MEMBER_GUID,
        "user_guid": USER_GUID,
        "name": "Checking",
        "nickname": None,
        "type": "CHECKING",
        "subtype": None,
        "account_number": "XXXXXX1234",
        "balance": 1000.1,
        "available_balance": 900,
        "available_credit": None,
        "credit_limit": None,
        "currency_code": "USD",
        **over,
    }


def movement(guid: str, on: str = "2026-03-01", **over: object) -> dict[str, object]:
    """A debit of 61.11."""
    return {
        "guid": guid,
        "account_guid": "ACT-1",
        "member_guid": MEMBER_GUID,
        "amount": 61.11,
        "type": "DEBIT",
        "status": "POSTED",
        "currency_code": "USD",
        "date": on,
        "transacted_at": f"{on}T12:00:00Z",
        "posted_at": f"{on}T12:00:00Z",
        "created_at": "2026-03-02T00:00:00Z",
        "updated_at": "2026-03-02T00:00:00Z",
        "description": "Coffee",
        "original_description": "COFFEE 42",
        "memo": None,
        "category": "Coffee Shops",
        "top_level_category": "Food & Dining",
        **over,
    }


def error(kind: str | None, status: int) -> dict[str, object]:
    """An error body."""
    return {"error": {"message": "DENIED institution_unavailable", "status": status, "type": kind}}
