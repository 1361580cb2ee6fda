"""A client-wide limit: all of it for people, what they leave for bulk jobs."""

from orchestrator.domain import Lane
from orchestrator.resilience import Quota, QuotaScope
from orchestrator.resilience.shared_window import SharedWindow

PEOPLE, BULK = Lane.INTERACTIVE, Lane.BACKFILL
EIGHTH_S = 51.0 / 8


def window(calls: int = 100, *, published: bool = True) -> SharedWindow:
    """A fresh window of 50 s, 51 s as we count it."""
    return SharedWindow(Quota(QuotaScope.CLIENT, calls, 50.0), published=published)


def taken(shared: SharedWindow, lane: Lane, now: float, most: int = 1000) -> int:
    """How many calls of a lane pass now."""
    passed = 0
    while passed < most and shared.wait_s(lane, now) == 0.0:
        shared.want(lane, now)
        shared.take(lane, now)
        passed += 1
    return passed


def bulk(shared: SharedWindow, now: float) -> int:
    """How many calls of backfill pass within one window from now."""
    return sum(taken(shared, BULK, now + eighth * EIGHTH_S) for eighth in range(8))


def test_interactive_calls_may_use_all_of_it() -> None:
    """Nothing is kept back from a person, at any pace."""
    shared = window()

    assert 100 == taken(shared, PEOPLE, 0.0)
    assert 51.0 == shared.wait_s(PEOPLE, 0.0)
    assert 0 == taken(shared, BULK, 0.0)


def test_backfill_leaves_a_twentieth_to_a_person_who_comes() -> None:
    """Where nobody has come lately."""
    shared = window()

    assert 95 == bulk(shared, 0.0)
    assert 5 == taken(shared, PEOPLE, 7 * EIGHTH_S)


def test_less_is_kept_back_of_large_windows() -> None:
    """A twentieth up to thirty calls, and a fiftieth where that is more."""
    kept = [calls - bulk(window(calls), 0.0) for calls in (100, 600, 1000, 5000)]

    assert [5, 30, 30, 100] == kept


def test_backfill_takes_an_eighth_in_each_eighth_of_the_window() -> None:
    """So that what it holds comes free evenly, too."""
    shared = window()

    assert 12 == taken(shared, BULK, 0.0)
    assert EIGHTH_S == shared.wait_s(BULK, 0.0)
    assert 0 == taken(shared, BULK, EIGHTH_S - 0.01)
    assert 12 == taken(shared, BULK, EIGHTH_S)


def test_backfill_leaves_what_people_wanted_lately_and_a_twentieth_of_the_rest() -> None:
    """So that demand that stays what it was never waits."""
    shared = window()
    waited, passed = 0, 0
    for step in range(160):
        now = step * 51.0 / 40
        waited += shared.wait_s(PEOPLE, now) > 0.0
        shared.want(PEOPLE, now)
        shared.take(PEOPLE, now)
        passed += taken(shared, BULK, now) if step >= 80 else 0

    assert 0 == waited
    assert 0.9 * 2 * 60 <= passed <= 0.95 * 2 * 60


def test_what_people_wanted_in_vain_counts_too() -> None:
    """Else backfill that had left them too little would go on so."""
    shared = window()
    bulk(shared, 0.0)
    for _ in range(60):
        shared.want(PEOPLE, 50.0)

    assert 38 == bulk(shared, 102.0 - EIGHTH_S)


def test_what_people_wanted_is_remembered_for_one_to_two_windows() -> None:
    """Then backfill has it again."""
    shared = window()
    taken(shared, PEOPLE, 0.0, most=40)

    assert 57 == bulk(shared, 51.0)
    assert 95 == bulk(shared, 153.0)


def test_the_most_of_a_stretch_is_what_counts() -> None:
    """A peak that is out of the window may come again."""
    shared = window()
    taken(shared, PEOPLE, 0.0, most=40)
    taken(shared, PEOPLE, 52.0, most=10)

    assert 6 == taken(shared, BULK, 52.0)


def test_a_burst_of_people_adds_to_what_is_foreseen_until_it_has_left() -> None:
    """They hold it in the window, and as many again may come."""
    shared = window()
    taken(shared, PEOPLE, 0.0, most=30)
    taken(shared, PEOPLE, 60.0, most=30)

    seen = [shared._demand.foreseen(at) for at in (60.0, 85.5, 110.9, 111.0)]

    assert [60, 45, 30, 30] == seen


def test_even_demand_is_foreseen_as_it_is() -> None:
    """What leaves is made up for by what comes."""
    shared = window()
    for number in range(200):
        now = number * 51.0 / 50
        shared.want(PEOPLE, now)
        shared.take(PEOPLE, now)

        assert shared._demand.foreseen(now) <= 52


def test_small_windows_keep_nothing_back() -> None:
    """With fewer than ten left, a share to keep would stop backfill altogether."""
    assert [1, 9] == [bulk(window(calls), 0.0) for calls in (1, 9)]
    assert [9, 10] == [bulk(window(calls), 0.0) for calls in (10, 11)]


def test_backfill_stops_where_people_take_everything() -> None:
    """And looks again when what they wanted may be forgotten."""
    shared = window()
    taken(shared, PEOPLE, 0.0)

    assert 51.0 == shared.wait_s(BULK, 0.0)
    assert 0 == taken(shared, BULK, 51.0)
    assert 51.0 == shared.wait_s(BULK, 51.0)
    assert 95 == bulk(shared, 102.0)


def test_fullness_is_what_is_used_of_what_is_allowed() -> None:
    """By all lanes together."""
    shared = window()
    taken(shared, BULK, 0.0, most=10)
    taken(shared, PEOPLE, 0.0, most=20)

    assert (0.3, 30) == (shared.fullness(0.0), shared.used(0.0))
    assert (0.0, 0) == (shared.fullness(51.0), shared.used(51.0))


def test_a_lesson_lowers_what_is_allowed_to_all_lanes() -> None:
    """Four fifths of what was used, with the same shares within."""
    shared = window()
    taken(shared, PEOPLE, 0.0)
    shared.throttled(0.0)
    assert 80 == shared.limit(0.0)

    assert 0 == taken(shared, PEOPLE, 50.9)
    assert 80 == taken(shared, PEOPLE, 51.0)


def test_an_unpublished_limit_holds_nothing_back_before_it_is_learned() -> None:
    """Then it does, until it is forgotten."""
    shared = window(2000, published=False)
    assert 500 == taken(shared, BULK, 0.0, most=500)
    assert (None, 0.0) == (shared.limit(0.0), shared.fullness(0.0))

    shared.throttled(0.0)

    assert (400, 1.25) == (shared.limit(0.0), shared.fullness(0.0))
    assert 0 == taken(shared, PEOPLE, 50.0)
    assert 400 == taken(shared, PEOPLE, 51.0)
    assert 1000 == taken(shared, PEOPLE, 700.0)


def test_a_restored_window_goes_on_where_the_other_was() -> None:
    """Calls leave when they would have, whosever they were."""
    shared = window()
    taken(shared, PEOPLE, 0.0, most=20)
    assert 8 == taken(shared, BULK, 10.0)
    fresh = window()

    fresh.restore(shared.memory(20.0, 64), 1000.0, 5.0)

    assert 28 == fresh.used(1000.0)
    assert 72 == taken(fresh, PEOPLE, 1000.0)
    assert 20 == taken(fresh, PEOPLE, 1026.0)
    assert 8 == taken(fresh, PEOPLE, 1036.0)


def test_a_restored_window_remembers_what_people_wanted() -> None:
    """Backfill of the next process leaves it to them, for as long as that of this one would."""
    for down_s in (0.0, 25.0, 60.0, 110.0):
        shared = window()
        taken(shared, PEOPLE, 0.0, most=40)
        fresh = window()

        fresh.restore(shared.memory(0.0, 64), down_s, down_s)

        assert bulk(shared, down_s) == bulk(fresh, down_s)


def test_assumed_calls_take_room_from_everybody() -> None:
    """As if made just now; more than fit are as many as fit."""
    shared = window()

    shared.assume(70, 0.0)

    assert 25 == bulk(shared, 0.0)
    assert 5 == taken(shared, PEOPLE, 50.0)
    shared.assume(1000, 102.0)
    assert 0 == taken(shared, PEOPLE, 102.0)
