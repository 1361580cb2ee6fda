"""How many operations a job keeps under way, and in which order items are asked for."""

from orchestrator.backfill.item import Item
from orchestrator.backfill.schedule import Schedule
from orchestrator.backfill.verdicts import OpenItem
from orchestrator.backfill.window import InFlightWindow


def item(position: int) -> OpenItem:
    """An item of this position."""
    return OpenItem(
        Item(position, position + 1, "space", f"acc_{position}", None, None, None, None, None, None)
    )


def test_the_window_doubles_until_limits_first_say_no() -> None:
    """One more for each answer, up to what was asked for."""
    window = InFlightWindow(50)
    sizes = [window.size]
    for _ in range(100):
        window.answered()
        sizes.append(window.size)

    assert 16 == sizes[0]
    assert 32 == sizes[16]
    assert 50 == sizes[-1]


def test_the_window_halves_at_most_once_a_second_and_grows_slowly_after() -> None:
    """What was refused together counts as one; then one more for each window of answers."""
    window = InFlightWindow(16)
    for _ in range(10):
        window.limited(5.0)
    after_burst = window.size
    window.limited(6.0)
    after_second = window.size
    for _ in range(5):
        window.answered()

    assert 8 == after_burst
    assert 4 == after_second
    assert 5 == window.size


def test_one_operation_is_always_allowed() -> None:
    """However often limits say no."""
    window = InFlightWindow(3)
    for second in range(20):
        window.limited(float(second))

    assert 1 == window.size


def test_items_whose_time_has_come_go_before_new_ones() -> None:
    """Parked ones hold a place already; until their time they are passed over."""
    schedule = Schedule(2)
    schedule.add(item(0))
    schedule.park(item(7), 10.0, limited=True)
    early = schedule.next(9.0)
    late = schedule.next(10.0)

    assert (0, 7) == (early and early.item.position, late and late.item.position)
    assert None is schedule.next(11.0)
    assert (2, 0, 0) == (schedule.in_flight, schedule.limited, schedule.parked)


def test_no_more_is_read_than_fits_while_everything_is_parked() -> None:
    """A limit that refuses all must not have the whole file in memory."""
    schedule = Schedule(2)
    read = 0
    while schedule.wants_more():
        schedule.add(item(read))
        read += 1
        taken = schedule.next(0.0)
        assert taken is not None
        schedule.refused(0.0)
        schedule.park(taken, 60.0, limited=True)

    assert 10 == read
    assert 60.0 == schedule.wake_in_s(0.0)
    assert not schedule.is_empty


def test_a_page_that_is_not_on_the_disk_holds_its_item() -> None:
    """The schedule is not empty before, and the item is next after."""
    schedule = Schedule(2)
    schedule.hold_page()
    held = schedule.is_empty
    schedule.go_on(item(3))
    after = schedule.next(0.0)

    assert not held
    assert after is not None
    assert 3 == after.item.position
