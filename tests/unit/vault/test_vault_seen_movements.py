"""What has vanished from a vendor's listings is noticed, told once to everybody, and forgotten."""

import datetime as dt
import time
from collections.abc import Callable

import pytest
from sqlalchemy import func, select
from vault_builders import NOW, connection, link

from orchestrator.domain import CompleteListing, SeenMovement
from orchestrator.vault import ListingDoubted, ListingNoted, VaultStore
from orchestrator.vault.schema import seen_movements

DAY = dt.date(2026, 2, 1)
DAY_S = 86_400.0


def movement(name: str, days_ago: int = 1, account: str = "p1") -> SeenMovement:
    """A movement of an account, dated before `DAY`."""
    return SeenMovement(name, account, DAY - dt.timedelta(days=days_ago))


def listing(
    *movements: SeenMovement, days: int = 30, account: str | None = None, last_day: dt.date = DAY
) -> CompleteListing:
    """All movements of the days before `last_day`."""
    accounts = None if account is None else (account,)
    return CompleteListing(last_day - dt.timedelta(days=days), last_day, accounts, movements)


@pytest.fixture
def note(store: VaultStore) -> Callable[..., ListingNoted | ListingDoubted]:
    """Notes a listing of a connection that is there."""
    link(store, connection())

    def noter(
        told: CompleteListing,
        *,
        told_since: float | None = NOW - 1,
        now: float = NOW,
        believed: bool = False,
    ) -> ListingNoted | ListingDoubted:
        return store.seen_movements.note_listing(
            "conn_1", told, told_since=told_since, now=now, believed=believed
        )

    return noter


Note = Callable[..., ListingNoted | ListingDoubted]


def rows(store: VaultStore) -> int:
    """How many movements the vault remembers."""
    with store._database.reading() as reading:
        return reading.execute(select(func.count()).select_from(seen_movements)).scalar_one()


def test_a_movement_that_is_no_longer_listed_is_gone(note: Note) -> None:
    """What was listed and is not, of the days listed, is told; what is still there is not."""
    first = note(listing(movement("a"), movement("b")), told_since=None)
    second = note(listing(movement("b")), told_since=NOW, now=NOW + 10)

    assert first == ListingNoted(())
    assert second == ListingNoted(("a",))


def test_the_first_and_the_last_day_of_a_listing_count(note: Note) -> None:
    """Both ends are of the days listed; the day before and the day after are not."""
    days = [movement(name, ago) for name, ago in (("z", -1), ("a", 0), ("b", 30), ("y", 31))]
    note(listing(*days, days=60))
    second = note(listing(), now=NOW + 10, told_since=NOW)

    assert second == ListingNoted(("a", "b"))


def test_days_that_were_not_listed_say_nothing(note: Note) -> None:
    """A movement outside of the days asked for is not gone, and one dated outside is not lost."""
    note(listing(movement("old", 20), movement("new", 1), days=30))
    second = note(listing(movement("new", 1), days=5), now=NOW + 10, told_since=NOW)
    third = note(
        listing(movement("old", 20), days=30, last_day=DAY), now=NOW + 20, told_since=NOW + 10
    )

    assert second == ListingNoted(())
    assert third == ListingNoted(("new",))


def test_a_movement_that_moved_out_of_the_days_is_not_gone(note: Note) -> None:
    """A listing may hold movements dated outside: they are there, by their ids, on their new day."""
    note(listing(movement("a", 3)))
    moved = note(listing(movement("a", 10), days=5), now=NOW + 10, told_since=NOW)
    later = note(listing(days=5), now=NOW + 20, told_since=NOW + 10)
    earlier = note(listing(days=30), now=NOW + 30, told_since=NOW + 20)

    assert moved == ListingNoted(())
    assert later == ListingNoted(())
    assert earlier == ListingNoted(("a",))


def test_an_accounts_listing_says_nothing_of_other_accounts(note: Note) -> None:
    """Narrowed to an account, only its movements are gone, and only they are told."""
    note(listing(movement("a"), movement("b", account="p2"), movement("c", account="p2")))
    first = note(listing(account="p2"), now=NOW + 10, told_since=NOW)
    other = note(listing(movement("a"), account="p1"), now=NOW + 20, told_since=NOW)
    whole = note(listing(movement("a")), now=NOW + 30, told_since=NOW)

    assert first == ListingNoted(("b", "c"))
    assert other == ListingNoted(())
    assert whole == ListingNoted(("b", "c"))


def test_another_connections_movements_are_its_own(note: Note, store: VaultStore) -> None:
    """The same vendor id through another connection is another movement."""
    link(store, connection("conn_2"))
    note(listing(movement("a")))
    store.seen_movements.note_listing(
        "conn_2", listing(movement("a")), told_since=None, now=NOW + 5
    )
    told = store.seen_movements.note_listing("conn_2", listing(), told_since=NOW + 5, now=NOW + 10)

    assert told == ListingNoted(("a",))
    assert note(listing(movement("a")), told_since=NOW, now=NOW + 20) == ListingNoted(())


def test_each_asker_is_told_what_it_has_not_been_told(note: Note) -> None:
    """A tombstone is told to every cursor older than it, again and again, and to no younger one."""
    note(listing(movement("a"), movement("b")), told_since=None)
    note(listing(movement("b")), told_since=NOW, now=NOW + 10)
    note(listing(), told_since=NOW + 10, now=NOW + 20)

    assert note(listing(), told_since=NOW, now=NOW + 30) == ListingNoted(("a", "b"))
    assert note(listing(), told_since=NOW + 10, now=NOW + 30) == ListingNoted(("b",))
    assert note(listing(), told_since=NOW + 20, now=NOW + 30) == ListingNoted(())
    assert note(listing(), told_since=None, now=NOW + 30) == ListingNoted(())


def test_a_clock_that_went_back_loses_nothing(note: Note) -> None:
    """What is found gone now is told now, even to an asker from the future."""
    note(listing(movement("a")))

    assert note(listing(), told_since=NOW + 60, now=NOW) == ListingNoted(("a",))


def test_a_movement_that_comes_back_lives_again(note: Note) -> None:
    """It is no longer told as gone, and is told anew when it goes once more."""
    note(listing(movement("a")))
    note(listing(), now=NOW + 10)
    back = note(listing(movement("a")), told_since=NOW, now=NOW + 20)
    still = note(listing(movement("a")), told_since=NOW, now=NOW + 30)
    again = note(listing(), told_since=NOW + 30, now=NOW + 40)

    assert back == still == ListingNoted(())
    assert again == ListingNoted(("a",))


def test_a_movement_listed_twice_is_one(note: Note, store: VaultStore) -> None:
    """A vendor that repeats a row breaks nothing."""
    note(listing(movement("a"), movement("a"), movement("a", 2)))

    assert rows(store) == 1


def test_a_movement_that_changes_its_account_goes_with_it(note: Note) -> None:
    """It is of the account that it was last listed under."""
    note(listing(movement("a", account="p1")))
    note(listing(movement("a", account="p2")), now=NOW + 10)

    assert note(listing(account="p1"), now=NOW + 20, told_since=NOW) == ListingNoted(())
    assert note(listing(account="p2"), now=NOW + 30, told_since=NOW) == ListingNoted(("a",))


SETTLED = tuple(movement(name, 10) for name in ("a", "b", "c"))


@pytest.mark.parametrize("shown", [(), (movement("x", 10), movement("y", 2))])
def test_a_listing_that_shows_nothing_of_what_was_known_is_doubted(
    note: Note, store: VaultStore, shown: tuple[SeenMovement, ...]
) -> None:
    """Suddenly empty or wholly different, nothing of it is noted, until it is believed."""
    note(listing(*SETTLED, movement("pending", 1)))
    doubted = note(listing(*shown), told_since=NOW, now=NOW + 10)
    kept = rows(store)
    unharmed = note(listing(*SETTLED, movement("pending", 1)), told_since=NOW, now=NOW + 20)
    believed = note(listing(*shown), told_since=NOW, now=NOW + 30, believed=True)

    assert doubted == ListingDoubted(4)
    assert kept == 4
    assert unharmed == ListingNoted(())
    assert believed == ListingNoted(("a", "b", "c", "pending"))


@pytest.mark.parametrize(
    "known",
    [
        SETTLED[:2],
        (*SETTLED[:2], movement("three days old", 3)),
        tuple(movement(name, 2) for name in "abcdef"),
        tuple(movement(name, 60) for name in "abcdef"),
    ],
)
def test_what_may_well_vanish_at_once_is_not_doubted(
    note: Note, known: tuple[SeenMovement, ...]
) -> None:
    """Two settled movements, pending churn, and what is not of the days listed prove nothing."""
    note(listing(*known, days=90))

    assert isinstance(note(listing(), now=NOW + 10), ListingNoted)


def test_one_known_movement_vouches_for_a_listing(note: Note) -> None:
    """Where anything known is listed, even on another day, the rest is gone."""
    note(listing(*SETTLED, movement("d", 12)))
    told = note(listing(movement("d", 40)), told_since=NOW, now=NOW + 10)

    assert told == ListingNoted(("a", "b", "c"))


def test_a_doubt_is_about_the_account_that_is_listed(note: Note) -> None:
    """An account that empties is not doubted for another's movements, nor vouched for by them."""
    others = [movement(name, 10, account="p2") for name in ("d", "e", "f")]
    note(listing(*SETTLED, *others))

    assert note(listing(account="p3"), now=NOW + 10) == ListingNoted(())
    assert note(listing(*SETTLED, account="p2"), now=NOW + 10) == ListingDoubted(3)


def test_a_first_reading_is_never_doubted(note: Note) -> None:
    """Where nothing is known, whatever is shown is noted."""
    assert note(listing(), told_since=None) == ListingNoted(())
    assert note(listing(*SETTLED), told_since=None) == ListingNoted(())


def test_movements_older_than_120_days_are_not_watched(note: Note, store: VaultStore) -> None:
    """The table of a connection does not grow with its history."""
    note(listing(movement("kept", 120), movement("older", 121), days=700))
    kept = rows(store)
    told = note(listing(days=700), now=NOW + 10, told_since=NOW)

    assert kept == 1
    assert told == ListingNoted(("kept",))


def test_living_movements_leave_as_the_days_go_by(note: Note, store: VaultStore) -> None:
    """A later listing forgets, without a word, what its days have left behind."""
    note(listing(movement("old", 100), movement("new", 1), days=120))
    later = DAY + dt.timedelta(days=25)
    told = note(listing(movement("new", 1), days=90, last_day=later), now=NOW + 25 * DAY_S)

    assert told == ListingNoted(())
    assert rows(store) == 1


def test_tombstones_are_kept_for_400_days(note: Note, store: VaultStore) -> None:
    """A cursor of last year is still told what has gone, and one older than that is not."""
    note(listing(movement("a")))
    note(listing(), now=NOW)
    later = DAY + dt.timedelta(days=400)
    told = note(listing(last_day=later), told_since=NOW - 1, now=NOW + 400 * DAY_S)
    kept = rows(store)
    note(listing(last_day=later), now=NOW + 400 * DAY_S + 1)

    assert told == ListingNoted(("a",))
    assert kept == 1
    assert rows(store) == 0


def test_a_connection_that_is_not_there_has_nothing_gone(store: VaultStore) -> None:
    """A listing that comes after the connection was erased leaves nothing behind."""
    told = store.seen_movements.note_listing(
        "conn_1", listing(*SETTLED), told_since=NOW, now=NOW + 1
    )

    assert told == ListingNoted(())
    assert rows(store) == 0


def test_an_erased_connections_movements_are_forgotten(note: Note, store: VaultStore) -> None:
    """They go with it."""
    note(listing(*SETTLED))
    store.connections.erase("conn_1")

    assert rows(store) == 0


def test_thousands_of_movements_cost_few_statements(
    note: Note, store: VaultStore, statements: list[str]
) -> None:
    """The number of statements does not follow the number of movements."""
    many = [movement(f"t{number}", number % 90) for number in range(2000)]
    counts = []
    for shown in (many, many, many[500:], many):
        statements.clear()
        note(listing(*shown, days=100), told_since=NOW)
        counts.append(len(statements))

    assert max(counts) <= 6
    assert counts[1] <= 4


def test_a_listing_without_news_is_noted_quickly(note: Note) -> None:
    """Two thousand known movements take milliseconds, at the best of some tries."""
    told = listing(*(movement(f"t{number}", number % 90) for number in range(2000)), days=100)
    took = []
    for _ in range(7):
        began = time.perf_counter()
        note(told)
        took.append(time.perf_counter() - began)

    assert min(took) < 0.1
