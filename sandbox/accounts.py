"""Whose accounts there are at a bank login, and what kind of life moves the money in them."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from random import Random
from typing import Final

from .banks import Bank
from .identifiers import digest

__all__ = ["AccountKind", "BankAccount", "Profile", "make_accounts", "make_profile"]

_MXN_PER_USD: Final = 9
"""Prices of the Mexican part of the world, so that its sums look like Mexican ones."""


class AccountKind(StrEnum):
    """Kinds of account in this world."""

    CHECKING = "checking"
    SAVINGS = "savings"
    CREDIT_CARD = "credit_card"
    LOAN = "loan"

    @property
    def is_debt(self) -> bool:
        """Whether its balance is what the holder owes."""
        return self in (AccountKind.CREDIT_CARD, AccountKind.LOAN)


@dataclass(frozen=True, slots=True)
class BankAccount:
    """An account as the bank knows it; its `kind` is its key within the login."""

    kind: AccountKind
    name: str
    official_name: str
    number: str
    currency: str
    credit_limit: Decimal | None = None

    @property
    def mask(self) -> str:
        """The last four digits of the number."""
        return self.number[-4:]


@dataclass(frozen=True, slots=True)
class Profile:
    """How this holder lives: amounts in cents of the account's currency."""

    price_level: float
    salary: int
    rent: int
    loan_payment: int
    loan_principal: int
    checking_level: int
    savings_level: int
    purchases: int
    card_purchases: int
    kinds: tuple[AccountKind, ...]


def make_profile(seed: int, user: str, bank: Bank) -> Profile:
    """The holder's profile, from nothing but seed, user and bank."""
    dice = Random(digest(seed, user, bank.key, "profile"))
    level = dice.uniform(0.7, 1.6) * (_MXN_PER_USD if bank.region == "MX" else 1)
    kinds = [AccountKind.CHECKING, AccountKind.SAVINGS]
    if dice.random() < 0.8:
        kinds.append(AccountKind.CREDIT_CARD)
    if dice.random() < 0.3:
        kinds.append(AccountKind.LOAN)

    def cents(low: int, high: int) -> int:
        return round(dice.randint(low, high) * 100 * level)

    loan_payment = cents(180, 420)
    return Profile(
        price_level=level,
        salary=cents(1700, 2600),
        rent=cents(800, 1400),
        loan_payment=loan_payment,
        loan_principal=loan_payment * dice.randint(200, 340),
        checking_level=cents(2200, 5200),
        savings_level=cents(4000, 24000),
        purchases=dice.randint(8, 20),
        card_purchases=dice.randint(9, 18),
        kinds=tuple(kinds),
    )


_NAMES: Final = {
    ("US", AccountKind.CHECKING): ("Everyday Checking", "{bank} Everyday Checking Account"),
    ("US", AccountKind.SAVINGS): ("Way Ahead Savings", "{bank} Way Ahead Savings Account"),
    ("US", AccountKind.CREDIT_CARD): ("Rewards Card", "{bank} Rewards Credit Card"),
    ("US", AccountKind.LOAN): ("Home Loan", "{bank} Fixed Rate Home Loan"),
    ("MX", AccountKind.CHECKING): ("Cuenta de Nómina", "{bank} Cuenta de Nómina"),
    ("MX", AccountKind.SAVINGS): ("Cuenta de Ahorro", "{bank} Cuenta de Ahorro"),
    ("MX", AccountKind.CREDIT_CARD): ("Tarjeta Oro", "{bank} Tarjeta de Crédito Oro"),
    ("MX", AccountKind.LOAN): ("Crédito Personal", "{bank} Crédito Personal"),
}
_DIGITS: Final = {
    AccountKind.CHECKING: 10,
    AccountKind.SAVINGS: 10,
    AccountKind.CREDIT_CARD: 16,
    AccountKind.LOAN: 12,
}


def make_accounts(seed: int, user: str, bank: Bank, profile: Profile) -> tuple[BankAccount, ...]:
    """The accounts of one login, two to four, with masks that differ from one another."""
    dice = Random(digest(seed, user, bank.key, "accounts"))
    masks = dice.sample(range(10_000), len(profile.kinds))
    accounts = []
    for kind, mask in zip(profile.kinds, masks, strict=True):
        name, official = _NAMES[bank.region, kind]
        body = "".join(str(dice.randint(1, 9)) for _ in range(_DIGITS[kind] - 4))
        limit = None
        if kind is AccountKind.CREDIT_CARD:
            limit = Decimal(round(dice.randint(60, 150) * profile.price_level) * 10_000).scaleb(-2)
        accounts.append(
            BankAccount(
                kind=kind,
                name=name,
                official_name=official.format(bank=bank.name),
                number=f"{body}{mask:04d}",
                currency=bank.currency,
                credit_limit=limit,
            )
        )
    return tuple(accounts)
