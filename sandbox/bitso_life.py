"""A Bitso user's life from the seed alone: deposits, trades, withdrawals, and the ledger they leave.

Days are made one after the other from the day on which the account was opened, as what can be spent
depends on what came before; what was made is kept. Amounts are exact, and no balance is ever below
zero: what comes in on one day can be spent from the next day on.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_DOWN, Decimal
from random import Random
from typing import Final

from .identifiers import base62, digest, hex_id

__all__ = ["OPENED_ON", "BitsoLife", "Entry", "Trade", "Transfer"]

OPENED_ON: Final = date(2024, 1, 8)
"""The day of the first deposit."""
_FIRST_TID: Final = 70_000_000
_UNIT: Final = Decimal("0.00000001")
_CENT: Final = Decimal("0.01")
_FEE_RATIO: Final = Decimal("0.0065")
_PRICES: Final = {"btc": 1_150_000, "eth": 42_000, "xrp": 11}
"""In pesos, about."""
_DEPOSITS: Final = {"btc": ("Bitcoin", 0.004), "xrp": ("Ripple", 60.0)}
"""A coin's method, and the largest deposit of it."""
_ETH_BOUGHT_ON: Final = date(2024, 2, 5)
_ETH_SOLD_ON: Final = date(2025, 6, 30)
_WITHDRAWALS: Final = {
    10: ("xrp", "Ripple", timedelta(hours=3), Decimal("0.20000000")),
    28: ("mxn", "SPEI Transfer", timedelta(hours=26), Decimal(0)),
}
"""By day of the month: what leaves, how, how long it takes, and what it costs."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the ledger; amounts are signed, positive is money in."""

    eid: str
    at: datetime
    operation: str
    updates: tuple[tuple[str, Decimal], ...]
    details: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Transfer:
    """A funding or a withdrawal (`operation`), under way until it ends, then complete or failed.

    `amount` is all that enters or leaves: a withdrawal's `fee` is part of it.
    """

    operation: str
    transfer_id: str
    currency: str
    amount: Decimal
    method_name: str
    at: datetime
    ends_at: datetime
    fee: Decimal = Decimal(0)
    fails: bool = False


@dataclass(frozen=True, slots=True)
class Trade:
    """A trade against pesos; `major` and `minor` are signed as they change the balances."""

    tid: int
    oid: str
    major_currency: str
    major: Decimal
    minor: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    at: datetime


class BitsoLife:
    """Everything that has happened to the account by some instant.

    Args:
        seed: of the world.
        books_withdrawals_at_once: a withdrawal enters the ledger when it is asked for, and not when
            it is done.

    """

    def __init__(self, seed: int, *, books_withdrawals_at_once: bool) -> None:
        self._seed = seed
        self._at_once = books_withdrawals_at_once
        self._next_day = OPENED_ON
        self._entries: list[Entry] = []
        self._totals: list[Mapping[str, Decimal]] = []
        self._transfers: list[Transfer] = []
        self._trades: list[Trade] = []
        self._due: list[Entry] = []
        self._spendable: dict[str, Decimal] = {}
        self._arriving: list[tuple[date, str, Decimal]] = []

    def entries(self, now: datetime) -> Sequence[Entry]:
        """The ledger, oldest first."""
        self._live_until(now)
        return self._entries[: self._count(now)]

    def totals(self, now: datetime) -> Mapping[str, Decimal]:
        """The sum of the ledger, by currency."""
        self._live_until(now)
        count = self._count(now)
        return self._totals[count - 1] if count else {}

    def transfers(self, now: datetime) -> Sequence[Transfer]:
        """Fundings and withdrawals that have begun, oldest first."""
        self._live_until(now)
        return [transfer for transfer in self._transfers if transfer.at <= now]

    def trades(self, now: datetime) -> Sequence[Trade]:
        """Trades, oldest first."""
        self._live_until(now)
        return [trade for trade in self._trades if trade.at <= now]

    def enters_ledger_at(self, transfer: Transfer) -> datetime:
        """When a transfer changes the balances."""
        at_once = self._at_once and transfer.operation == "withdrawal"
        return transfer.at if at_once else transfer.ends_at

    def _count(self, now: datetime) -> int:
        return bisect_right(self._entries, now, key=lambda entry: entry.at)

    def _live_until(self, now: datetime) -> None:
        while self._next_day <= now.date():
            self._live(self._next_day)
            self._next_day += timedelta(days=1)

    def _live(self, day: date) -> None:
        for on, currency, amount in [one for one in self._arriving if one[0] < day]:
            self._arriving.remove((on, currency, amount))
            self._spendable[currency] = self._has(currency) + amount
        dice = Random(digest(self._seed, "bitso", day.isoformat()))
        self._deposit(day, dice)
        self._trade(day, dice)
        if day.day in _WITHDRAWALS:
            self._withdraw(day, dice, *_WITHDRAWALS[day.day])
        today = [entry for entry in self._due if entry.at.date() == day]
        self._due = [entry for entry in self._due if entry.at.date() > day]
        for entry in sorted(today, key=lambda one: one.at):
            total = dict(self._totals[-1]) if self._totals else {}
            for currency, amount in entry.updates:
                total[currency] = total.get(currency, Decimal(0)) + amount
            self._entries.append(entry)
            self._totals.append(total)

    def _deposit(self, day: date, dice: Random) -> None:
        if day in (OPENED_ON, day.replace(day=1), day.replace(day=15)):
            at = _instant(day, dice, 14, 17)
            amount = Decimal(dice.randint(600_000, 1_400_000)) * _CENT
            self._fund("mxn", amount, "SPEI Transfer", at, timedelta(minutes=dice.randint(4, 20)))
        if day.toordinal() % 2 == 0:
            # Two days of confirmations every second day: at any time something is under way.
            currency = dice.choice(tuple(_DEPOSITS))
            method_name, largest = _DEPOSITS[currency]
            amount = Decimal(str(round(largest * dice.uniform(0.2, 1.0), 8))).quantize(_UNIT)
            at = _instant(day, dice, 6, 10)
            lag = timedelta(hours=50, minutes=dice.randint(0, 240))
            self._fund(currency, amount, method_name, at, lag, fails=dice.random() < 0.08)

    def _fund(
        self,
        currency: str,
        amount: Decimal,
        method_name: str,
        at: datetime,
        lag: timedelta,
        *,
        fails: bool = False,
    ) -> None:
        transfer = Transfer(
            "funding",
            hex_id(self._seed, "fid", currency, at),
            currency,
            amount,
            method_name,
            at,
            at + lag,
            fails=fails,
        )
        self._transfers.append(transfer)
        if not fails:
            self._book(
                transfer.ends_at, "funding", ((currency, amount),), _details(transfer, "fid")
            )

    def _withdraw(  # noqa: PLR0917  a day's plan for it has this many parts
        self,
        day: date,
        dice: Random,
        currency: str,
        method_name: str,
        lag: timedelta,
        fee: Decimal,
    ) -> None:
        share = Decimal(dice.randint(10, 25)) / 100
        amount = (self._has(currency) * share).quantize(_CENT, ROUND_DOWN)
        if amount <= fee:
            return
        at = _instant(day, dice, 16, 19)
        transfer = Transfer(
            "withdrawal",
            hex_id(self._seed, "wid", currency, at),
            currency,
            amount,
            method_name,
            at,
            at + lag,
            fee,
        )
        self._transfers.append(transfer)
        self._spendable[currency] -= amount
        booked_at = self.enters_ledger_at(transfer)
        self._book(booked_at, "withdrawal", ((currency, fee - amount),), _details(transfer, "wid"))
        if fee:
            self._book(booked_at, "fee", ((currency, -fee),), {"wid": transfer.transfer_id})

    def _trade(self, day: date, dice: Random) -> None:
        if day in (_ETH_BOUGHT_ON, _ETH_SOLD_ON):
            coin, buys = "eth", day == _ETH_BOUGHT_ON
            share = Decimal("0.2") if buys else Decimal(1)
        elif dice.random() < 0.5:
            coin, buys = dice.choice(("btc", "xrp")), dice.random() < 0.6
            share = Decimal(dice.randint(4, 20)) / 100
        else:
            return
        price = Decimal(round(_PRICES[coin] * dice.uniform(0.8, 1.2) * 100)) * _CENT
        if buys:
            pesos = (self._has("mxn") * share).quantize(_CENT, ROUND_DOWN)
            major = (pesos / price).quantize(_UNIT, ROUND_DOWN)
        else:
            major = -(self._has(coin) * share).quantize(_UNIT, ROUND_DOWN)
        minor = -(major * price).quantize(_UNIT, ROUND_DOWN)
        if not (major and minor):
            return
        got, received = (coin, major) if buys else ("mxn", minor)
        spent, given = ("mxn", minor) if buys else (coin, major)
        fee = (received * _FEE_RATIO).quantize(_UNIT, ROUND_DOWN)
        trade = Trade(
            _FIRST_TID + len(self._trades),
            base62(self._seed, "oid", day, length=16),
            coin,
            major,
            minor,
            price,
            fee,
            got,
            _instant(day, dice, 11, 22),
        )
        self._trades.append(trade)
        self._spendable[spent] = self._has(spent) + given
        self._arriving.append((day, got, received - fee))
        details = {"tid": str(trade.tid), "oid": trade.oid}
        self._book(trade.at, "trade", ((coin, major), ("mxn", minor)), details)
        if fee:
            self._book(trade.at, "fee", ((got, -fee),), details)

    def _book(
        self,
        at: datetime,
        operation: str,
        updates: tuple[tuple[str, Decimal], ...],
        details: Mapping[str, str],
    ) -> None:
        eid = hex_id(self._seed, "eid", operation, *details.values())
        self._due.append(Entry(eid, at, operation, updates, details))
        if operation == "funding":
            self._arriving.append((at.date(), *updates[0]))

    def _has(self, currency: str) -> Decimal:
        return self._spendable.get(currency, Decimal(0))


def _details(transfer: Transfer, id_name: str) -> Mapping[str, str]:
    return {id_name: transfer.transfer_id, "method_name": transfer.method_name}


def _instant(day: date, dice: Random, first_hour: int, last_hour: int) -> datetime:
    second = dice.randint(first_hour * 3600, last_hour * 3600)
    return datetime.combine(day, time(), UTC) + timedelta(seconds=second)
