"""Answers in the shape of Bitso's (docs.bitso.com; fixtures of bitso-java and bitso-py)."""

from collections.abc import Mapping

from orchestrator.domain import Credential

__all__ = [
    "CLIENT_ID",
    "CREDENTIAL",
    "FORM",
    "balance",
    "balances",
    "entry",
    "error",
    "fee",
    "funding",
    "status",
    "success",
    "trade",
    "transfer",
]

CLIENT_ID = "4018732"
FORM = {"apiKey": "users-key", "apiSecret": "users-secret"}
CREDENTIAL = Credential({**FORM, "client_id": CLIENT_ID})


def success(payload: object) -> dict[str, object]:
    """Bitso's envelope."""
    return {"success": True, "payload": payload}


def error(code: object) -> dict[str, object]:
    """Bitso's envelope of an error; its text says something else on purpose."""
    return {"success": False, "error": {"message": "0801 0215 try again", "code": code}}


def status(**over: object) -> dict[str, object]:
    """An account's status."""
    return {"client_id": CLIENT_ID, "status": "active", "daily_limit": "1.00", **over}


def balance(currency: str, total: str, available: str | None = None) -> dict[str, object]:
    """One currency's balance."""
    return {
        "currency": currency,
        "available": total if available is None else available,
        "locked": "0.00000000",
        "total": total,
        "pending_deposit": "0.00000000",
        "pending_withdrawal": "0.00000000",
    }


def balances(*rows: Mapping[str, object]) -> dict[str, object]:
    """The answer of /balance."""
    return success({"balances": list(rows)})


def entry(
    eid: str | None, operation: str, at: str, details: Mapping[str, object], **updates: str
) -> dict[str, object]:
    """An entry of the ledger."""
    row: dict[str, object] = {
        "operation": operation,
        "created_at": at,
        "balance_updates": [{"currency": c, "amount": a} for c, a in updates.items()],
        "details": dict(details),
    }
    return row if eid is None else {"eid": eid, **row}


def trade(eid: str, at: str = "2026-03-10T12:00:00+0000") -> dict[str, object]:
    """A purchase of bitcoin."""
    return entry(eid, "trade", at, {"tid": 51756, "oid": "o1"}, btc="0.25232073", mxn="-1013.54")


def fee(eid: str, amount: str, at: str = "2026-03-10T12:00:00+0000") -> dict[str, object]:
    """The fee of a trade."""
    return entry(eid, "fee", at, {"tid": 51756, "oid": "o1"}, btc=amount)


def funding(
    eid: str, fid: str, amount: str = "300.15", at: str = "2026-03-11T12:00:00+0000"
) -> dict[str, object]:
    """A deposit that has arrived."""
    return entry(eid, "funding", at, {"fid": fid, "method_name": "SPEI Transfer"}, mxn=amount)


def transfer(kind: str, transfer_id: str, state: str, **over: object) -> dict[str, object]:
    """A row of /fundings or /withdrawals."""
    return {
        "fid" if kind == "fundings" else "wid": transfer_id,
        "status": state,
        "created_at": "2026-03-17T12:00:00+0000",
        "currency": "mxn",
        "method": "sp",
        "method_name": "SPEI Transfer",
        "amount": "300.15",
        "details": {},
        **over,
    }
