"""The seeded world: what each bank login looks like on any day, the same for every vendor.

Nothing here reads a clock or a device; `today` is always an argument, and the same arguments give
the same answer in any process.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final, TypeVar, cast

from .accounts import AccountKind, BankAccount, make_accounts, make_profile
from .banks import Bank
from .movements import Month, MonthMaker, Movement, money

__all__ = ["HISTORY", "Balances", "Changes", "Login", "Sighting", "World"]

HISTORY: Final = timedelta(days=730)
"""How far back a login's movements reach, from the day on which it was linked."""

_MOST_LOGINS: Final = 4096
_MOST_MONTHS: Final = 4096
_MOST_LOOKS: Final = 512

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Balances:
    """Balances of one account on one day. `current` of a debt is what is owed."""

    current: Decimal
    available: Decimal | None
    limit: Decimal | None


@dataclass(frozen=True, slots=True)
class Sighting:
    """A movement as it stands on one day."""

    movement: Movement
    pending: bool

    @property
    def changed_on(self) -> date:
        """The day on which it came into this state."""
        return self.movement.authorized_on if self.pending else self.movement.settles_on


@dataclass(frozen=True, slots=True)
class Changes:
    """What came and went between two days. `gone` were pending and are so no longer."""

    added: tuple[Sighting, ...]
    gone: tuple[Movement, ...]


def _month_of(day: date) -> Month:
    return day.year * 12 + day.month - 1


def _first_of(month: Month) -> date:
    return date(month // 12, month % 12 + 1, 1)


def _sight(movement: Movement, today: date) -> Sighting | None:
    if movement.authorized_on > today:
        return None
    if movement.settles_on > today:
        return Sighting(movement, pending=True)
    return Sighting(movement, pending=False) if movement.posts else None


class Login:
    """One user's accounts at one bank."""

    def __init__(self, world: "World", user: str, bank: Bank) -> None:
        self.user = user
        self.bank = bank
        profile = make_profile(world.seed, user, bank)
        self.accounts = make_accounts(world.seed, user, bank, profile)
        self._months = MonthMaker(world.seed, user, bank, profile)
        self._world = world

    def account(self, kind: AccountKind) -> BankAccount:
        """The account of that kind.

        Raises:
            KeyError: there is none at this login.

        """
        for account in self.accounts:
            if account.kind is kind:
                return account
        raise KeyError(kind)

    def _between(self, first: date, last: date) -> list[Movement]:
        # A movement is filed under the month in which it settles, at most one after its start.
        return [
            movement
            for month in range(_month_of(first), _month_of(last) + 2)
            for movement in self._world.month(self, self._months, month)
        ]

    def view(self, today: date, *, since: date, until: date | None = None) -> tuple[Sighting, ...]:
        """What can be seen on `today` of movements that began between two days, oldest first."""
        return self._look(lambda: self._view(today, since, until), "view", today, since, until)

    def _look(self, make: Callable[[], T], *what: Hashable) -> T:
        return self._world.look((self.user, self.bank.key, *what), make)

    def _view(self, today: date, since: date, until: date | None) -> tuple[Sighting, ...]:
        last = today if until is None else min(until, today)
        if last < since:
            return ()
        seen = [
            sighting
            for movement in self._between(since, last)
            if since <= movement.authorized_on <= last
            and (sighting := _sight(movement, today)) is not None
        ]
        seen.sort(key=_order)
        return tuple(seen)

    def changes(self, before: date | None, today: date, *, since: date) -> Changes:
        """What changed from the end of `before` to `today` among movements begun from `since` on.

        `before` None: everything is new.
        """
        if before is None:
            return Changes(self.view(today, since=since), ())
        if today <= before:
            return Changes((), ())
        return self._look(
            lambda: self._changes(before, today, since), "changes", before, today, since
        )

    def _changes(self, before: date, today: date, since: date) -> Changes:
        added: list[Sighting] = []
        gone: list[Movement] = []
        for movement in self._between(before, today):
            if movement.authorized_on < since:
                continue
            was, now = _sight(movement, before), _sight(movement, today)
            if was == now:
                continue
            if was is not None:
                gone.append(movement)
            if now is not None:
                added.append(now)
        added.sort(key=_order)
        return Changes(tuple(added), tuple(gone))

    def balances(self, account: BankAccount, today: date) -> Balances:
        """The account's balances at the end of what is known on `today`."""
        return self._look(lambda: self._balances(account, today), "balances", account.kind, today)

    def _balances(self, account: BankAccount, today: date) -> Balances:
        month = _month_of(today)
        opening = money(self._months.opening_cents(account.kind, month))
        posted = pending = Decimal("0.00")
        for movement in self._between(_first_of(month), today):
            if movement.account is not account.kind:
                continue
            sighting = _sight(movement, today)
            if sighting is None or movement.settles_on < _first_of(month):
                continue
            if sighting.pending:
                pending += movement.amount
            else:
                posted += movement.amount
        if not account.kind.is_debt:
            current = opening + posted
            return Balances(current, current + pending, None)
        owed = opening - posted
        if account.credit_limit is None:
            return Balances(owed, None, None)
        return Balances(owed, account.credit_limit - owed + pending, account.credit_limit)


def _order(sighting: Sighting) -> tuple[date, str]:
    return sighting.movement.authorized_on, sighting.movement.key


class World:
    """All logins there could be, made when first looked at and kept within bounds."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._logins: OrderedDict[tuple[str, str], Login] = OrderedDict()
        self._months: OrderedDict[Hashable, tuple[Movement, ...]] = OrderedDict()
        self._looks: OrderedDict[Hashable, object] = OrderedDict()

    def login(self, user: str, bank: Bank) -> Login:
        """The login of `user` at `bank`; the same object while it is remembered."""
        return _remembered(
            self._logins, _MOST_LOGINS, (user, bank.key), lambda: Login(self, user, bank)
        )

    def month(self, login: Login, maker: MonthMaker, month: Month) -> tuple[Movement, ...]:
        """One month of a login, from memory where it is still there."""
        key = (login.user, login.bank.key, month)
        return _remembered(self._months, _MOST_MONTHS, key, lambda: maker.make(month))

    def look(self, what: Hashable, make: Callable[[], T]) -> T:
        """Something computed of a login on a day, from memory where it is still there."""
        return cast(T, _remembered(self._looks, _MOST_LOOKS, what, make))


K = TypeVar("K", bound=Hashable)


def _remembered(memory: OrderedDict[K, T], most: int, key: K, make: Callable[[], T]) -> T:
    """The value under `key`, made where it is not there; the least used go first."""
    if key in memory:
        memory.move_to_end(key)
        return memory[key]
    value = memory[key] = make()
    if len(memory) > most:
        memory.popitem(last=False)
    return value
