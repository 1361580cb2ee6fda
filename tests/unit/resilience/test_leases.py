"""Permits end, whoever holds them."""

from itertools import count

from orchestrator.resilience import Quota, QuotaScope
from orchestrator.resilience.leases import Leases
from orchestrator.resilience.window import ConnectionWindows, SlidingWindow


def test_a_permit_is_out_until_it_is_settled_once() -> None:
    """The second time it is unknown."""
    leases = Leases(10.0)
    permit_id = leases.grant(0.0)
    assert permit_id in leases

    assert [leases.settle(permit_id), leases.settle(permit_id)] == [True, False]

    assert len(leases) == 0


def test_leases_end_in_the_order_they_began() -> None:
    """Exactly at their term."""
    leases = Leases(10.0)
    first, second = leases.grant(0.0), leases.grant(5.0)
    seen = []

    for now in (9.9, 10.0, 14.9, 15.0):
        held = leases.holds(first, now), leases.holds(second, now)
        leases.expire(now)
        assert held == (first in leases, second in leases)
        seen.append(held)

    assert seen == [(True, True), (False, True), (False, True), (False, False)]


def test_a_shared_source_never_gives_an_id_twice() -> None:
    """A permit of one book is unknown to the other."""
    ids = count(1)
    left, right = Leases(1.0, ids), Leases(1.0, ids)

    assert left.grant(0.0) not in right
    assert right.grant(0.0) not in left


def test_an_empty_window_is_idle() -> None:
    """A window without calls keeps nobody waiting."""
    window = SlidingWindow(1, 10.0)

    assert (window.idle_in_s(0.0), window.wait_s(0.0), window.used(0.0)) == (0.0, 0.0, 0)


def test_a_window_is_let_go_as_soon_as_it_is_empty() -> None:
    """The first to be used is the first to go."""
    windows = ConnectionWindows(Quota(QuotaScope.CONNECTION, 1, 10.0), 5)
    windows.take("con_a", 0.0)
    windows.take("con_b", 1.0)

    windows.evict(10.2)

    assert len(windows) == 1
