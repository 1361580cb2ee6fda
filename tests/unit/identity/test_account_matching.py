"""The same bank account through two connections has one id, and only then."""

import itertools
import random
from collections.abc import Callable

import pytest

from orchestrator.domain import AccountType
from orchestrator.identity import AccountKey, KnownAccount, match_accounts

CHECKING = (AccountType.DEPOSITORY, "USD", "1234")


def ids() -> Callable[[], str]:
    """Makes new_1, then new_2, and so on."""
    numbers = itertools.count(1)
    return lambda: f"new_{next(numbers)}"


def key(name: str, kind: AccountType, currency: str, mask: str | None) -> AccountKey:
    """An account as a provider shows it."""
    return AccountKey(name, kind, currency, mask)


def known(account_id: str, kind: AccountType, currency: str, mask: str | None) -> KnownAccount:
    """An account of the space."""
    return KnownAccount(account_id, kind, currency, mask)


def test_an_equal_account_of_the_space_is_the_same() -> None:
    """One account with equal type, currency and mask gives its id."""
    matched = match_accounts([key("p1", *CHECKING)], {}, [known("acc", *CHECKING)], ids())

    assert matched == {"p1": "acc"}


@pytest.mark.parametrize(
    "other",
    [
        (AccountType.CREDIT, "USD", "1234"),
        (AccountType.DEPOSITORY, "MXN", "1234"),
        (AccountType.DEPOSITORY, "USD", "9999"),
        (AccountType.DEPOSITORY, "USD", None),
    ],
)
def test_an_account_that_differs_is_new(other: tuple[AccountType, str, str | None]) -> None:
    """Another type, currency or mask makes another account."""
    matched = match_accounts([key("p1", *other)], {}, [known("acc", *CHECKING)], ids())

    assert matched == {"p1": "new_1"}


def test_two_accounts_without_mask_are_not_the_same() -> None:
    """A hidden mask is no evidence, even where both hide it."""
    hidden = (AccountType.DEPOSITORY, "USD", None)
    matched = match_accounts([key("p1", *hidden)], {}, [known("acc", *hidden)], ids())

    assert matched == {"p1": "new_1"}


def test_several_equal_accounts_of_the_space_match_none() -> None:
    """Where two known accounts would fit, the account is new."""
    both = [known("acc_1", *CHECKING), known("acc_2", *CHECKING)]

    assert match_accounts([key("p1", *CHECKING)], {}, both, ids()) == {"p1": "new_1"}


def test_two_lookalikes_in_one_connection_match_none_whatever_their_order() -> None:
    """Two accounts that look alike get ids of their own, in any order."""
    seen = [key("p1", *CHECKING), key("p2", *CHECKING)]
    for order in itertools.permutations(seen):
        matched = match_accounts(order, {}, [known("acc", *CHECKING)], ids())

        assert "acc" not in matched.values()
        assert len(set(matched.values())) == 2


def test_an_account_known_in_its_connection_keeps_its_id() -> None:
    """What the connection knows counts before any likeness, though the mask changed."""
    changed = (AccountType.DEPOSITORY, "USD", "0000")
    matched = match_accounts([key("p1", *changed)], {"p1": "mine"}, [known("acc", *changed)], ids())

    assert matched == {"p1": "mine"}


def test_an_id_is_given_once_within_a_connection() -> None:
    """An account whose id the connection holds already is not given to a second one."""
    matched = match_accounts(
        [key("p2", *CHECKING)], {"p1": "acc"}, [known("acc", *CHECKING)], ids()
    )

    assert matched == {"p2": "new_1"}


def test_an_account_listed_twice_is_one_account() -> None:
    """A provider that repeats an account on two pages makes no second one."""
    twice = [key("p1", *CHECKING), key("p1", *CHECKING)]

    assert match_accounts(twice, {}, [known("acc", *CHECKING)], ids()) == {"p1": "acc"}


def test_matching_is_one_to_one_and_does_not_hang_on_order() -> None:
    """Over random worlds, ids are never shared and the matches are those of any other order."""
    rng = random.Random(11)
    kinds = (AccountType.DEPOSITORY, AccountType.CREDIT)
    for _ in range(300):
        world = [
            (rng.choice(kinds), rng.choice(("USD", "MXN")), rng.choice(("1", "2", None)))
            for _ in range(6)
        ]
        seen = [key(f"p{n}", *looks) for n, looks in enumerate(world[:3])]
        space = [known(f"acc_{n}", *looks) for n, looks in enumerate(world[3:])]
        matched = match_accounts(seen, {}, space, ids())
        shuffled = match_accounts(rng.sample(seen, 3), {}, rng.sample(space, 3), ids())

        assert len(set(matched.values())) == 3
        assert {p: a for p, a in matched.items() if a.startswith("acc")} == {
            p: a for p, a in shuffled.items() if a.startswith("acc")
        }
