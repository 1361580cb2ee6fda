"""Empty answers after data."""

import datetime as dt

from actors.shown_before import ShownBefore

HOUR_S = 3600.0
DAY = dt.date(2026, 3, 10)
WINDOW = {"start": dt.date(2026, 3, 1), "end": dt.date(2026, 3, 18)}


def _movements(shown: ShownBefore, *days: dt.date, now: float = 0.0) -> bool:
    return shown.doubts_movements(None, days, now=now, **WINDOW)


def test_first_answer_is_believed() -> None:
    """Believe an empty answer of a connection that has shown nothing yet."""
    shown = ShownBefore()

    assert not shown.doubts_accounts(seen=0, known=0, now=0.0)
    assert not _movements(shown)


def test_empty_after_data_is_doubted() -> None:
    """Doubt an empty answer where accounts are known or movements were shown."""
    shown = ShownBefore()
    _movements(shown, DAY)

    assert shown.doubts_accounts(seen=0, known=2, now=0.0)
    assert _movements(shown)


def test_empty_elsewhere_is_believed() -> None:
    """Believe an empty window that held nothing before, and another account's emptiness."""
    shown = ShownBefore()
    _movements(shown, DAY)
    later = {"start": dt.date(2026, 3, 11), "end": dt.date(2026, 3, 18)}

    assert not shown.doubts_movements(None, (), now=0.0, **later)
    assert not shown.doubts_movements("acc_1", (), now=0.0, **WINDOW)


def test_three_empty_answers_over_an_hour_are_believed() -> None:
    """Believe what three answers in a row say over an hour, and go on believing it."""
    accounts, movements = ShownBefore(), ShownBefore()
    _movements(movements, DAY)
    times = (0.0, HOUR_S / 2, HOUR_S, HOUR_S + 1)

    assert [True, True, False, False] == [
        accounts.doubts_accounts(seen=0, known=2, now=now) for now in times
    ]
    assert [True, True, False, False] == [_movements(movements, now=now) for now in times]


def test_many_empty_answers_within_an_hour_are_not_enough() -> None:
    """Go on doubting within the hour, however often the answer is repeated."""
    shown = ShownBefore()

    assert all(shown.doubts_accounts(seen=0, known=2, now=now) for now in (0.0, 1.0, 2.0, 3.0))


def test_data_in_between_begin_the_count_again() -> None:
    """Count from the beginning once data were shown again."""
    shown = ShownBefore()
    shown.doubts_accounts(seen=0, known=2, now=0.0)
    shown.doubts_accounts(seen=0, known=2, now=1.0)
    shown.doubts_accounts(seen=2, known=2, now=2.0)

    assert shown.doubts_accounts(seen=0, known=2, now=HOUR_S + 1)


def test_a_listing_of_nothing_known_is_believed_after_an_hour() -> None:
    """Three in a row over an hour are taken as true; one that goes on from before ends the doubt."""
    shown = ShownBefore()

    assert [True, True] == [shown.doubts_listing(now) for now in (0.0, 3599.0)]

    shown.trusts_listing()

    assert [True, True, False] == [shown.doubts_listing(now) for now in (4000.0, 5000.0, 7600.0)]
