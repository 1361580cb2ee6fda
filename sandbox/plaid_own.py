"""Transactions that a client makes up for its dynamic test user (`/sandbox/transactions/create`).

Source: Plaid's OpenAPI 2020-09-14 (CustomSandboxTransaction).
"""

from datetime import date, timedelta
from decimal import Decimal
from typing import Final

import orjson

from .accounts import AccountKind
from .connections import Connection
from .merchants import Category
from .movements import Movement
from .plaid_bodies import day, invalid, text
from .wire import Call, JsonObject

__all__ = ["added_transactions", "own_movements"]

_DYNAMIC_USER: Final = "user_transactions_dynamic"
_MOST_AT_ONCE: Final = 10
_MOST_KEPT: Final = 1000
_REACH: Final = timedelta(days=14)
_KEPT: Final = "own_transactions"


def own_movements(connection: Connection) -> tuple[Movement, ...]:
    """Those of an Item, in the order in which they were made up; all on its first deposit account."""
    return tuple(
        Movement(
            key=f"own-{index}",
            account=AccountKind.CHECKING,
            amount=Decimal(amount),
            authorized_on=date.fromisoformat(authorized_on),
            settles_on=date.fromisoformat(settles_on),
            posts=True,
            description=description,
            merchant=None,
            category=Category.TRANSFER,
        )
        for index, (authorized_on, settles_on, amount, description) in enumerate(_kept(connection))
    )


def _kept(connection: Connection) -> list[list[str]]:
    rows: list[list[str]] = orjson.loads(connection.attributes.get(_KEPT, "[]"))
    return rows


def added_transactions(call: Call, connection: Connection) -> None:
    """Add those of a request to its Item.

    Raises:
        Refusal: the Item has another user, or a transaction breaks a rule.

    """
    if connection.user != _DYNAMIC_USER:
        raise invalid(call, f"only items of the user {_DYNAMIC_USER} take transactions")
    rows = call.body.get("transactions")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise invalid(call, "transactions must be a list of objects")
    kept = _kept(connection)
    if len(rows) > _MOST_AT_ONCE or len(kept) + len(rows) > _MOST_KEPT:
        raise invalid(call, "the request contains too many transactions")
    kept += [_checked(call, row) for row in rows]
    connection.attributes[_KEPT] = orjson.dumps(kept).decode()


def _checked(call: Call, row: JsonObject) -> list[str]:
    transacted, posted = day(call, row, "date_transacted"), day(call, row, "date_posted")
    today = call.now.date()
    if not today - _REACH <= transacted <= posted <= today:
        raise invalid(call, "both dates must be within the last 14 days, and in order")
    amount = row.get("amount")
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        raise invalid(call, "amount must be a number")
    description = text(call, row, "description")
    if not description:
        raise invalid(call, "description is missing")
    if text(call, row, "iso_currency_code", "USD") != "USD":
        raise invalid(call, "iso_currency_code must be the account's")
    # Plaid's sign: what leaves the account is positive.
    signed = -Decimal(str(amount)).quantize(Decimal("0.01"))
    return [transacted.isoformat(), posted.isoformat(), str(signed), description]
