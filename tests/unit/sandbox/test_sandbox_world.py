"""The seeded world behind the vendors."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from sandbox.accounts import AccountKind
from sandbox.banks import BANKS
from sandbox.world import HISTORY, Sighting, World

TODAY = date(2026, 3, 18)
USERS = [f"user-{number}" for number in range(12)]


def view(world: World, user: str, bank: str = "ins_chase") -> tuple[Sighting, ...]:
    """All that can be seen of a login on the day of these tests."""
    return world.login(user, BANKS[bank]).view(TODAY, since=TODAY - HISTORY)


def test_same_seed_makes_the_same_world() -> None:
    """Two worlds of one seed show the same movements and accounts."""
    one, other = World(3), World(3)

    assert (
        one.login("u", BANKS["ins_citi"]).accounts == other.login("u", BANKS["ins_citi"]).accounts
    )
    assert view(one, "u") == view(other, "u")


@pytest.mark.parametrize("what", ["seed", "user", "bank"])
def test_seed_user_and_bank_each_choose_another_life(what: str) -> None:
    """Changing any of the three changes the movements."""
    base = view(World(3), "u")
    other = {
        "seed": lambda: view(World(4), "u"),
        "user": lambda: view(World(3), "v"),
        "bank": lambda: view(World(3), "u", "ins_citi"),
    }[what]()

    assert base != other


def test_order_of_asking_changes_nothing() -> None:
    """A login looks the same whatever other months and logins were made before it."""
    fresh, used = World(5), World(5)
    for user in USERS:
        view(used, user)
    used.login("u", BANKS["ins_chase"]).view(TODAY, since=TODAY - timedelta(days=40))

    assert view(fresh, "u") == view(used, "u")


@pytest.mark.parametrize("bank", BANKS)
def test_every_bank_has_logins(bank: str) -> None:
    """Whatever bank is linked, it has accounts with balances in its currency, and they move."""
    login = World(7).login("u", BANKS[bank])

    assert 2 <= len(login.accounts) <= 4
    assert {BANKS[bank].currency} == {account.currency for account in login.accounts}
    assert all(BANKS[bank].name in account.official_name for account in login.accounts)
    assert all(login.balances(account, TODAY).current is not None for account in login.accounts)
    assert login.view(TODAY, since=TODAY - timedelta(days=30))


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("bank", ["ins_chase", "ins_bbva_mx"])
def test_login_looks_like_a_bank_login(user: str, bank: str) -> None:
    """There are two to four accounts with own masks, and checking moves 30 to 60 times a month."""
    login = World(7).login(user, BANKS[bank])
    masks = {account.mask for account in login.accounts}
    seen = view(World(7), user, bank)
    checking = sum(1 for s in seen if s.movement.account is AccountKind.CHECKING) / 24

    assert 2 <= len(login.accounts) <= 4
    assert len(login.accounts) == len(masks)
    assert all(len(mask) == 4 and mask.isdigit() for mask in masks)
    assert {"MXN" if bank == "ins_bbva_mx" else "USD"} == {a.currency for a in login.accounts}
    assert 30 <= checking <= 60


@pytest.mark.parametrize("user", USERS)
def test_balances_change_by_what_was_posted(user: str) -> None:
    """Between any two days a balance moves by exactly the posted amounts, debts the other way."""
    login = World(7).login(user, BANKS["ins_wells_fargo"])
    seen = view(World(7), user, "ins_wells_fargo")
    for account in login.accounts:
        for days in (1, 17, 45, 200):
            before = TODAY - timedelta(days=days)
            moved = sum(
                (
                    s.movement.amount
                    for s in seen
                    if s.movement.account is account.kind
                    and not s.pending
                    and before < s.movement.settles_on <= TODAY
                ),
                Decimal(0),
            )
            change = (
                login.balances(account, TODAY).current - login.balances(account, before).current
            )

            assert (-moved if account.kind.is_debt else moved) == change


def test_available_is_what_pending_rows_leave() -> None:
    """What is available differs from the balance by the pending rows."""
    world = World(7)
    login = world.login("u", BANKS["ins_chase"])
    checking = login.account(AccountKind.CHECKING)
    balances = login.balances(checking, TODAY)
    pending = sum(
        s.movement.amount
        for s in view(world, "u")
        if s.pending and s.movement.account is AccountKind.CHECKING
    )

    assert pending < 0
    assert balances.current + pending == balances.available


@pytest.mark.parametrize("user", USERS)
def test_something_is_pending_on_any_day(user: str) -> None:
    """Checking has a pending row on every day of half a year."""
    login = World(7).login(user, BANKS["ins_citi"])
    for back in range(180):
        today = TODAY - timedelta(days=back)
        seen = login.view(today, since=today - timedelta(days=5))

        assert any(s.pending and s.movement.account is AccountKind.CHECKING for s in seen)


def test_pending_rows_are_young() -> None:
    """A row is pending for three days at most."""
    ages = {
        (TODAY - s.movement.authorized_on).days
        for user in USERS
        for s in view(World(7), user)
        if s.pending
    }

    assert ages
    assert ages <= {0, 1, 2}


def test_amounts_are_exact_cents() -> None:
    """Every amount and balance has exactly two decimals."""
    login = World(7).login("u", BANKS["ins_bbva_mx"])
    amounts = [s.movement.amount for s in view(World(7), "u", "ins_bbva_mx")]
    for account in login.accounts:
        balances = login.balances(account, TODAY)
        amounts += [
            v for v in (balances.current, balances.available, balances.limit) if v is not None
        ]

    assert {-2} == {amount.as_tuple().exponent for amount in amounts}


@pytest.mark.parametrize("steps", [1, 2, 5, 40])
def test_changes_day_by_day_add_up_to_the_view(steps: int) -> None:
    """Applying each day's changes to the view of its eve gives the view of the day."""
    world = World(7)
    login = world.login("u", BANKS["ins_capital_one"])
    since = TODAY - timedelta(days=60)
    start = TODAY - timedelta(days=steps)
    held = {s.movement.key: s for s in login.view(start, since=since)}
    for day in range(steps):
        changes = login.changes(
            start + timedelta(days=day), start + timedelta(days=day + 1), since=since
        )
        for movement in changes.gone:
            assert held.pop(movement.key).pending
        held |= {s.movement.key: s for s in changes.added}

    assert {s.movement.key: s for s in login.view(TODAY, since=since)} == held


def test_some_holds_are_let_go_without_posting() -> None:
    """Some pending rows vanish and are never seen as posted."""
    world, before = World(7), TODAY - timedelta(days=60)
    lost = 0
    for user in USERS:
        login = world.login(user, BANKS["ins_chase"])
        changes = login.changes(TODAY - timedelta(days=3), TODAY, since=before)
        posted = {s.movement.key for s in changes.added if not s.pending}
        vanished = {movement.key for movement in changes.gone} - posted
        lost += len(vanished)

        assert not vanished & {s.movement.key for s in login.view(TODAY, since=before)}

    assert lost
