"""Bitso's JSON: every amount a text, currencies in lower case, times in two forms.

Source: docs.bitso.com; the fixtures of Bitso's own clients for Java and Python.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

from .bitso_life import BitsoLife, Entry, Trade, Transfer
from .identifiers import digest
from .options import SandboxOptions
from .wire import JsonObject

__all__ = [
    "BOOKS",
    "CURRENCIES",
    "BitsoShapes",
    "account_status_json",
    "balances_json",
    "book_json",
    "currency_json",
    "trade_json",
    "transfer_json",
]

CURRENCIES: Final = {
    "mxn": ("Mexican Pesos", 2, "fiat"),
    "btc": ("Bitcoin", 8, "crypto"),
    "eth": ("Ether", 8, "crypto"),
    "xrp": ("XRP", 6, "crypto"),
    "ltc": ("Litecoin", 8, "crypto"),
    "sol": ("Solana", 8, "crypto"),
    "usd": ("US Dollars", 2, "fiat"),
    "ars": ("Argentine Pesos", 2, "fiat"),
    "brl": ("Brazilian Reais", 2, "fiat"),
    "cop": ("Colombian Pesos", 2, "fiat"),
}
"""All that is traded: name, decimals and kind."""
BOOKS: Final = ("btc_mxn", "eth_mxn", "xrp_mxn", "ltc_mxn", "sol_mxn")
_OLD_FORM_BEFORE: Final = 2025
_EVERY_NAMELESS: Final = 29
_PERMISSIONS: Final[Mapping[str, list[str]]] = {
    "read_only": ["view_account_information", "view_balances"],
    "may_withdraw": ["view_account_information", "view_balances", "withdrawals"],
}


def _text(amount: Decimal) -> str:
    return format(amount.quantize(Decimal("0.00000001")), "f")


def _time(at: datetime) -> str:
    """The form of `created_at`, which changed in the course of the years."""
    if at.year < _OLD_FORM_BEFORE:
        return at.strftime("%Y-%m-%dT%H:%M:%S.000+00:00")
    return at.strftime("%Y-%m-%dT%H:%M:%S+0000")


class BitsoShapes:
    """The rows whose form an option changes."""

    def __init__(self, options: SandboxOptions) -> None:
        self._options = options

    def entry_json(self, entry: Entry) -> JsonObject:
        """An entry of the ledger."""
        fee_turned = self._options.bitso_fee_sign == "positive" and entry.operation == "fee"
        row: JsonObject = {
            "eid": entry.eid,
            "operation": entry.operation,
            "created_at": _time(entry.at),
            "balance_updates": [
                {"currency": currency, "amount": _text(abs(amount) if fee_turned else amount)}
                for currency, amount in entry.updates
            ],
            "details": dict(entry.details),
        }
        if self._options.bitso_nameless_entries and int(entry.eid[:8], 16) % _EVERY_NAMELESS == 0:
            del row["eid"]
        return row


def account_status_json(seed: int, permissions: str) -> JsonObject:
    """Whose key it is; with what the key may do, where an option lets Bitso tell it."""
    number = int.from_bytes(digest(seed, "bitso-client", size=4)) % 9_000_000 + 1_000_000
    status: JsonObject = {
        "client_id": str(number),
        "first_name": "Ana",
        "last_name": "Robles",
        "status": "active",
        "daily_limit": "500000.00",
        "monthly_limit": "5000000.00",
        "daily_remaining": "500000.00",
        "monthly_remaining": "5000000.00",
        "cash_deposit_allowance": "0.00",
        "cellphone_number": "verified",
        "email": "verified",
        "official_id": "approved",
        "proof_of_residency": "approved",
        "signed_contract": "approved",
        "origin_of_funds": "approved",
        "verification_level": 3,
    }
    told = _PERMISSIONS.get(permissions)
    return status if told is None else {**status, "permissions": told}


def balances_json(life: BitsoLife, now: datetime) -> list[JsonObject]:
    """Every currency's balance: the ledger's sum, and what is on its way in or out."""
    totals = life.totals(now)
    under_way = [transfer for transfer in life.transfers(now) if transfer.ends_at > now]
    incoming = _sums(transfer for transfer in under_way if transfer.operation == "funding")
    leaving = [transfer for transfer in under_way if transfer.operation == "withdrawal"]
    outgoing = _sums(leaving)
    # What the ledger still counts although it is promised away.
    locked = _sums(transfer for transfer in leaving if life.enters_ledger_at(transfer) > now)
    nothing = Decimal(0)
    return [
        {
            "currency": currency,
            "available": _text(totals.get(currency, nothing) - locked.get(currency, nothing)),
            "locked": _text(locked.get(currency, nothing)),
            "total": _text(totals.get(currency, nothing)),
            "pending_deposit": _text(incoming.get(currency, nothing)),
            "pending_withdrawal": _text(outgoing.get(currency, nothing)),
        }
        for currency in CURRENCIES
    ]


def _sums(transfers: Iterable[Transfer]) -> Mapping[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for transfer in transfers:
        sums[transfer.currency] = sums.get(transfer.currency, Decimal(0)) + transfer.amount
    return sums


def transfer_json(transfer: Transfer, now: datetime) -> JsonObject:
    """A funding or a withdrawal as the lists show it, its amount without a sign."""
    is_funding = transfer.operation == "funding"
    under_way = "pending" if is_funding else "processing"
    ended = "failed" if transfer.fails else "complete"
    method = transfer.currency if transfer.currency != "mxn" else "sp"
    return {
        "fid" if is_funding else "wid": transfer.transfer_id,
        "status": under_way if transfer.ends_at > now else ended,
        "created_at": _time(transfer.at),
        "currency": transfer.currency,
        "method": method,
        "method_name": transfer.method_name,
        "amount": _text(transfer.amount),
        "asset": transfer.currency,
        "network": method,
        "protocol": method,
        "integration": "sandbox",
        "details": {},
    }


def trade_json(trade: Trade) -> JsonObject:
    """A trade as the user's list of trades shows it."""
    return {
        "book": f"{trade.major_currency}_mxn",
        "created_at": _time(trade.at),
        "minor": _text(trade.minor),
        "major": _text(trade.major),
        "fees_amount": _text(trade.fee),
        "fees_currency": trade.fee_currency,
        "minor_currency": "mxn",
        "major_currency": trade.major_currency,
        "oid": trade.oid,
        "origin_id": None,
        "tid": str(trade.tid),
        "price": format(trade.price, "f"),
        "side": "buy" if trade.major > 0 else "sell",
        "maker_side": "sell" if trade.major > 0 else "buy",
    }


def book_json(book: str) -> JsonObject:
    """A market."""
    return {
        "book": book,
        "minimum_price": "0.10",
        "maximum_price": "20000000.00",
        "minimum_amount": "0.00000100",
        "maximum_amount": "500.00000000",
        "minimum_value": "10.00",
        "maximum_value": "200000000.00",
        "tick_size": "0.01",
        "fees": {
            "flat_rate": {"maker": "0.500", "taker": "0.650"},
            "structure": [{"volume": "1500000", "maker": "0.00500", "taker": "0.00650"}],
        },
    }


def currency_json(code: str) -> JsonObject:
    """A currency in the catalogue."""
    name, precision, kind = CURRENCIES[code]
    return {
        "code": code,
        "full_name": name,
        "color": "0A5064",
        "precision": precision,
        "display_ticker": code.upper(),
        "type": kind,
    }
