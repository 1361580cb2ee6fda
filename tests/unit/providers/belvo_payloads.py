"""Bodies in the shape of Belvo's OpenAPI."""

from orchestrator.domain import Credential

LINK_ID = "30cb4806-6e00-48a4-91c9-ca55968576c8"
CREDENTIAL = Credential({"link_id": LINK_ID})
HOST = "https://sandbox.belvo.com"


def link(status: str = "valid", **over: object) -> dict[str, object]:
    """A link of our user."""
    return {
        "id": LINK_ID,
        "institution": "bbva_mx_retail",
        "access_mode": "recurrent",
        "status": status,
        "refresh_rate": "7d",
        "external_id": "usr_0123456789abcdef0123",
        "created_at": "2026-02-09T08:45:50.406032Z",
        "last_accessed_at": "2026-03-18T06:00:00Z",
        **over,
    }


def page(rows: list[object], following: str | None = None, count: int = -1) -> dict[str, object]:
    """One page of a listing."""
    return {
        "count": len(rows) if count < 0 else count,
        "next": following,
        "previous": None,
        "results": rows,
    }


def account(**over: object) -> dict[str, object]:
    """A checking account."""
    return {
        "id": "0d3ffb69-f83b-456e-ad8e-208d0998d71d",
        "link": LINK_ID,
        "institution": {"name": "bbva_mx_retail", "type": "bank"},
        "category": "CHECKING_ACCOUNT",
        "balance_type": "ASSET",
        "type": "Cuentas de efectivo",
        "name": "Cuenta de Nómina",
        "number": "4057068115181",
        "balance": {"current": 5874.13, "available": 5621.12},
        "currency": "MXN",
        "public_identification_name": "CLABE",
        "public_identification_value": "150194683119900273",
        "credit_data": None,
        "loan_data": None,
        "collected_at": "2026-03-17T13:01:41.941Z",
        "created_at": "2026-03-17T13:01:41.941Z",
        "last_accessed_at": None,
        **over,
    }


def movement(name: str, on: str | None = "2026-03-01", **over: object) -> dict[str, object]:
    """An outflow of 2145.45."""
    return {
        "id": name,
        "account": account(),
        "amount": 2145.45,
        "type": "OUTFLOW",
        "status": "PROCESSED",
        "currency": "MXN",
        "value_date": on,
        "accounting_date": None,
        "description": "SEVEN BUDDHAS",
        "observations": None,
        "merchant": None,
        "category": "Food & Groceries",
        "reference": "8703",
        "balance": 16907.96,
        "collected_at": "2026-03-02T00:00:00Z",
        "created_at": "2026-03-02T00:00:00Z",
        **over,
    }


def errors(*codes: str) -> list[dict[str, object]]:
    """An error body."""
    return [
        {
            "code": code,
            "message": "authentication_failed institution_down",
            "request_id": "9e7b283c6efa449c9c028a16b5c249fb",
        }
        for code in codes
    ]
