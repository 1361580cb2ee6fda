"""A month of money moving at one bank login, generated from the seed alone.

A month depends on nothing but seed, user, bank and its own number, so that any month can be made
without those before it. Balances fit all the same: each account's opening balance of a month is a
function of that month, and one transfer at the month's end makes up the difference.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Final

from .accounts import AccountKind, Profile
from .banks import Bank
from .identifiers import digest
from .merchants import SHOPS, UTILITIES, WORDS, Category

__all__ = ["Month", "MonthMaker", "Movement", "money"]

Month = int
"""A month as a number: `year * 12 + month - 1`."""

_LOAN_ORIGIN: Final[Month] = 2019 * 12


@dataclass(frozen=True, slots=True)
class Movement:
    """One movement on one account.

    `amount` is signed from the holder's side: negative leaves the account, whatever its kind (a
    card purchase is negative, a payment onto the card positive). It is pending from `authorized_on`
    until the day before `settles_on`, and posted from then on; one that does not `post` (a hold
    that is let go) is gone from then on. `key` is unique within the login.
    """

    key: str
    account: AccountKind
    amount: Decimal
    authorized_on: date
    settles_on: date
    posts: bool
    description: str
    merchant: str | None
    category: Category


def money(cents: int) -> Decimal:
    """Cents as an exact amount with two decimals."""
    return Decimal(cents).scaleb(-2)


class _Sheet:
    """A month being written: rows with running numbers."""

    def __init__(self, month: Month, region: str) -> None:
        self.year, zero_based = divmod(month, 12)
        self.month = zero_based + 1
        self.last_day = monthrange(self.year, self.month)[1]
        self.rows: list[Movement] = []
        self._words = WORDS[region]

    def write(  # noqa: PLR0917  a row has this many fields
        self,
        account: AccountKind,
        day: int,
        cents: int,
        category: Category,
        description: str,
        merchant: str | None,
        *,
        lag_days: int = 0,
        posts: bool = True,
    ) -> None:
        settles_on = date(self.year, self.month, min(day, self.last_day))
        self.rows.append(
            Movement(
                key=f"{self.year}-{self.month:02d}-{account.value}-{len(self.rows)}",
                account=account,
                amount=money(cents),
                authorized_on=settles_on - timedelta(days=lag_days),
                settles_on=settles_on,
                posts=posts,
                description=description,
                merchant=merchant,
                category=category,
            )
        )

    def say(
        self, account: AccountKind, day: int, cents: int, category: Category, words: str
    ) -> None:
        """A row in one of the bank's standing wordings."""
        self.write(account, day, cents, category, *self._words[words])

    def hold(self, account: AccountKind, day: int, cents: int) -> None:
        """An authorisation that is let go after some days without ever being posted."""
        self.write(
            account, day, cents, Category.TRANSPORT, *self._words["hold"], lag_days=3, posts=False
        )

    def posted_cents(self, account: AccountKind) -> int:
        return sum(
            int(row.amount.scaleb(2)) for row in self.rows if row.account is account and row.posts
        )


class MonthMaker:
    """Makes the months of one login. Pure: no clock, no state but its arguments."""

    def __init__(self, seed: int, user: str, bank: Bank, profile: Profile) -> None:
        self._origin = (seed, user, bank.key)
        self._region = bank.region
        self._profile = profile

    def _dice(self, *what: object) -> Random:
        return Random(digest(*self._origin, *what))

    def opening_cents(self, account: AccountKind, month: Month) -> int:
        """What the account holds (or its holder owes) when `month` begins."""
        profile = self._profile
        if account is AccountKind.CREDIT_CARD:
            return -self._card_purchases(month - 1).posted_cents(AccountKind.CREDIT_CARD)
        if account is AccountKind.LOAN:
            paid = profile.loan_payment * (month - _LOAN_ORIGIN)
            return max(profile.loan_principal - paid // 2, 0)
        level = profile.checking_level if account is AccountKind.CHECKING else profile.savings_level
        return round(level * self._dice("level", account.value, month).uniform(0.85, 1.15))

    def make(self, month: Month) -> tuple[Movement, ...]:
        """All movements that settle in `month`, on every account of the login."""
        sheet = self._card_purchases(month)
        self._live(sheet, month)
        self._settle(sheet, month)
        return tuple(sheet.rows)

    def _card_purchases(self, month: Month) -> _Sheet:
        sheet = _Sheet(month, self._region)
        if AccountKind.CREDIT_CARD in self._profile.kinds:
            dice = self._dice("card", month)
            self._shop(sheet, dice, AccountKind.CREDIT_CARD, self._profile.card_purchases)
            if dice.random() < 0.5:
                sheet.hold(AccountKind.CREDIT_CARD, dice.randint(4, 27), -self._price(dice, 9000))
        return sheet

    def _live(self, sheet: _Sheet, month: Month) -> None:
        dice = self._dice("checking", month)
        profile, checking = self._profile, AccountKind.CHECKING
        for day in (1, 15):
            sheet.say(checking, day, profile.salary, Category.SALARY, "salary")
        sheet.say(checking, 2, -profile.rent, Category.RENT, "rent")
        for utility in UTILITIES[self._region]:
            sheet.write(
                checking,
                dice.randint(5, 25),
                -self._price(dice, dice.randint(3500, 11000)),
                Category.UTILITIES,
                f"{utility.upper()} BILL PAYMENT",
                utility,
            )
        for _ in range(dice.randint(1, 3)):
            cents = -round(self._profile.price_level * dice.choice((40, 60, 100))) * 100
            sheet.say(checking, dice.randint(1, 28), cents, Category.CASH, "cash")
        for day in range(1, sheet.last_day + 1, 2):
            # Three days pending every second day: on any day something is pending.
            self._buy(sheet, dice, checking, day, lag_days=3)
        self._shop(sheet, dice, checking, profile.purchases + dice.randint(0, 4))
        if dice.random() < 0.5:
            sheet.hold(checking, dice.randint(4, 27), -self._price(dice, 9000))

    def _shop(self, sheet: _Sheet, dice: Random, account: AccountKind, times: int) -> None:
        for _ in range(times):
            day = dice.randint(1, sheet.last_day)
            self._buy(sheet, dice, account, day, lag_days=dice.randint(1, 3))

    def _buy(
        self, sheet: _Sheet, dice: Random, account: AccountKind, day: int, *, lag_days: int
    ) -> None:
        shops = SHOPS[self._region]
        shop = shops[dice.randrange(len(shops))]
        sheet.write(
            account,
            day,
            -self._price(dice, dice.randint(shop.low, shop.high)),
            shop.category,
            f"{shop.merchant.upper()} #{dice.randint(100, 999)}",
            shop.merchant,
            lag_days=lag_days,
        )

    def _settle(self, sheet: _Sheet, month: Month) -> None:
        """Pay what is owed, then close checking and savings at the next month's opening."""
        profile, checking, savings = self._profile, AccountKind.CHECKING, AccountKind.SAVINGS
        if AccountKind.CREDIT_CARD in profile.kinds:
            owed = self.opening_cents(AccountKind.CREDIT_CARD, month)
            if owed > 0:
                sheet.say(checking, 20, -owed, Category.CARD_PAYMENT, "card_payment")
                sheet.say(AccountKind.CREDIT_CARD, 20, owed, Category.CARD_PAYMENT, "card_received")
        if AccountKind.LOAN in profile.kinds:
            due = self.opening_cents(AccountKind.LOAN, month) - self.opening_cents(
                AccountKind.LOAN, month + 1
            )
            if due > 0:
                sheet.say(checking, 5, -due, Category.LOAN_PAYMENT, "loan_payment")
                sheet.say(AccountKind.LOAN, 5, due, Category.LOAN_PAYMENT, "loan_payment")
        to_savings = (
            self.opening_cents(checking, month)
            + sheet.posted_cents(checking)
            - self.opening_cents(checking, month + 1)
        )
        if to_savings:
            last = sheet.last_day
            sheet.say(checking, last, -to_savings, Category.TRANSFER, "to_savings")
            sheet.say(savings, last, to_savings, Category.TRANSFER, "from_checking")
        interest = max(1, self.opening_cents(savings, month) // 400)
        sheet.say(savings, sheet.last_day, interest, Category.INTEREST, "interest")
        rest = (
            self.opening_cents(savings, month + 1)
            - self.opening_cents(savings, month)
            - sheet.posted_cents(savings)
        )
        if rest:
            sheet.say(savings, sheet.last_day, rest, Category.TRANSFER, "broker")

    def _price(self, dice: Random, cents: int) -> int:
        return max(1, round(cents * self._profile.price_level * dice.uniform(0.9, 1.1)))
