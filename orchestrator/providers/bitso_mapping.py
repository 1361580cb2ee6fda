"""Bitso's balances, ledger entries and transfers as ours (docs.bitso.com, bitso-java, bitso-py).

One entry of the ledger changes several balances: each change is a movement of its own. Money on its
way in or out stands in no ledger yet, but in the lists of fundings and withdrawals.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from orchestrator.domain import (
    AccountType,
    Balances,
    Direction,
    ProviderAccount,
    ProviderTransaction,
    decimal_text,
)

from .categories import BITSO_CATEGORIES, category_among
from .payload import (
    Payload,
    decimal,
    optional_decimal,
    optional_instant,
    optional_text,
    rows,
    text,
)
from .wire_failures import malformed

__all__ = [
    "LedgerEntry",
    "Transfer",
    "TransferKind",
    "TransferState",
    "account_id_of",
    "account_of",
    "entry_of",
    "transfer_of",
]

_FIAT: Final = frozenset({"mxn", "ars", "brl", "cop", "usd"})
_ID_SHAPE: Final = re.compile(r"[A-Za-z0-9_\-]{1,64}")
"""Of an id that can be asked for: what is signed is what every transport sends, without escapes."""
_STATES_UNDER_WAY: Final = frozenset({"pending", "processing", "in_progress"})
_STATES_DONE: Final = frozenset({"complete", "completed"})


class TransferKind(StrEnum):
    """Which list a transfer stands in; the value is the list's name at Bitso."""

    FUNDING = "fundings"
    WITHDRAWAL = "withdrawals"

    @property
    def id_name(self) -> str:
        """What Bitso calls its id, there and in the ledger's details."""
        return "fid" if self is TransferKind.FUNDING else "wid"

    @property
    def operation(self) -> str:
        """Its operation in the ledger."""
        return "funding" if self is TransferKind.FUNDING else "withdrawal"


class TransferState(StrEnum):
    """How far a transfer is."""

    UNDER_WAY = "under_way"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Transfer:
    """A funding or a withdrawal, with the movement that it is while it is under way."""

    kind: TransferKind
    transfer_id: str
    state: TransferState
    at: datetime
    movement: ProviderTransaction


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """An entry of the ledger.

    `eid` is None where Bitso left it out, or where it cannot be asked for again. `settles` is the id of the funding or withdrawal whose
    money the entry moves, None for other entries and for a transfer's fee.
    """

    eid: str | None
    at: datetime
    legs: tuple[ProviderTransaction, ...]
    settles: str | None


def account_id_of(client_id: str, currency: str) -> str:
    """Our name for one currency of a user's account, which has no number of its own."""
    return f"{client_id}:{currency.lower()}"


def account_of(row: Payload, *, client_id: str, as_of: datetime) -> ProviderAccount:
    """One currency's balance as an account.

    Raises:
        ProviderFailure: `MALFORMED`.

    """
    name = text(row, "currency").lower()
    is_fiat = name in _FIAT
    return ProviderAccount(
        provider_account_id=account_id_of(client_id, name),
        name=f"Bitso {name.upper()}",
        official_name=None,
        mask=None,
        type=AccountType.WALLET if is_fiat else AccountType.CRYPTO,
        subtype="cash" if is_fiat else None,
        currency=name.upper(),
        balances=Balances(
            available=optional_decimal(row, "available"),
            current=decimal(row, "total"),
            limit=None,
        ),
        as_of=as_of,
    )


def entry_of(row: Payload, *, client_id: str, names_the_nameless: bool) -> LedgerEntry:
    """An entry of the ledger.

    An entry without an `eid` has no legs, or, with `names_the_nameless`, legs under an id made of
    what it says.

    Raises:
        ProviderFailure: `MALFORMED`.

    """
    operation, at = text(row, "operation"), _instant(row)
    details = _details(row)
    changes = _changes(row, operation)
    told = optional_text(row, "eid")
    name = told or (_name_of(operation, at, details, changes) if names_the_nameless else None)
    settles = None if operation == "fee" else _transfer_id(details)
    description = _description(operation, details, changes)
    return LedgerEntry(
        eid=told if told and _ID_SHAPE.fullmatch(told) else None,
        at=at,
        legs=tuple(
            _movement(
                f"{name}:{currency}",
                client_id,
                currency,
                amount,
                at,
                description=description,
                operation=operation,
                replaces=None if settles is None else f"{settles}:{currency}",
            )
            for currency, amount in (() if name is None else changes.items())
        ),
        settles=settles,
    )


def transfer_of(row: Payload, kind: TransferKind, *, client_id: str) -> Transfer | None:
    """A funding or a withdrawal; None where it has no id to ask for again, or moves nothing.

    Raises:
        ProviderFailure: `MALFORMED`.

    """
    transfer_id, status = text(row, kind.id_name), text(row, "status").lower()
    currency, at = text(row, "currency").lower(), _instant(row)
    magnitude = decimal(row, "amount").copy_abs()
    if not (_ID_SHAPE.fullmatch(transfer_id) and magnitude):
        return None
    way = optional_text(row, "method_name") or optional_text(row, "method")
    return Transfer(
        kind=kind,
        transfer_id=transfer_id,
        state=(
            TransferState.UNDER_WAY
            if status in _STATES_UNDER_WAY
            else TransferState.DONE
            if status in _STATES_DONE
            else TransferState.FAILED
        ),
        at=at,
        movement=_movement(
            f"{transfer_id}:{currency}",
            client_id,
            currency,
            magnitude if kind is TransferKind.FUNDING else magnitude.copy_negate(),
            at,
            description=_with_way(kind.operation, way),
            operation=kind.operation,
            pending=True,
        ),
    )


def _movement(
    transaction_id: str,
    client_id: str,
    currency: str,
    amount: Decimal,
    at: datetime,
    *,
    description: str,
    operation: str,
    pending: bool = False,
    replaces: str | None = None,
) -> ProviderTransaction:
    return ProviderTransaction(
        provider_transaction_id=transaction_id,
        provider_account_id=account_id_of(client_id, currency),
        date=at.astimezone(UTC).date(),
        posted_at=None if pending else at,
        authorized_date=None,
        amount=amount,
        direction=Direction.IN if amount > 0 else Direction.OUT,
        currency=currency.upper(),
        description=description,
        merchant_name=None,
        category=category_among(BITSO_CATEGORIES, operation),
        pending=pending,
        replaces_provider_transaction_id=replaces,
    )


def _changes(row: Payload, operation: str) -> Mapping[str, Decimal]:
    """What an entry changes, by currency; a currency named twice is one change.

    A fee leaves the account whichever sign it has: Bitso's own samples disagree.
    """
    changes: dict[str, Decimal] = {}
    for update in rows(row, "balance_updates"):
        currency, amount = text(update, "currency").lower(), decimal(update, "amount")
        signed = amount.copy_abs().copy_negate() if operation == "fee" else amount
        changes[currency] = changes[currency] + signed if currency in changes else signed
    return {currency: amount for currency, amount in changes.items() if amount}


def _instant(row: Payload) -> datetime:
    at = optional_instant(row, "created_at")
    if at is None:
        raise malformed("created_at is missing")
    return at


def _details(row: Payload) -> Payload:
    details = row.get("details")
    return details if isinstance(details, dict) else {}


def _transfer_id(details: Payload) -> str | None:
    for kind in TransferKind:
        found = details.get(kind.id_name)
        if isinstance(found, str) and _ID_SHAPE.fullmatch(found):
            return found
    return None


def _name_of(operation: str, at: datetime, details: Payload, changes: Mapping[str, Decimal]) -> str:
    ids = [str(details.get(name)) for name in ("tid", "oid", "fid", "wid")]
    amounts = [[currency, decimal_text(amount)] for currency, amount in changes.items()]
    said = json.dumps([operation, at.isoformat(), ids, amounts])
    return f"made-{hashlib.sha256(said.encode()).hexdigest()[:32]}"


def _description(operation: str, details: Payload, changes: Mapping[str, Decimal]) -> str:
    match operation:
        case "trade":
            given = [currency.upper() for currency, amount in changes.items() if amount < 0]
            got = [currency.upper() for currency, amount in changes.items() if amount > 0]
            if given and got:
                return f"Trade of {', '.join(given)} for {', '.join(got)}"
            return "Trade"
        case "fee":
            return "Trading fee" if _transfer_id(details) is None else "Transfer fee"
        case _:
            way = optional_text(details, "method_name") or optional_text(details, "method")
            return _with_way(operation, way)


def _with_way(operation: str, way: str | None) -> str:
    said = {"funding": "Deposit"}.get(operation, operation.replace("_", " ").capitalize())
    return f"{said}: {way}" if way else said
