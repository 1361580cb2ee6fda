"""Turns between flows, and doors that are shut."""

from collections.abc import Callable, Iterable

import pytest

from orchestrator.resilience.fair_queue import FairQueue, Queued


def queue_of(
    *flows: str, door: str = "d", weights: dict[str, float] | None = None
) -> FairQueue[str]:
    """One item of each named flow, in this order, before one door."""
    queue = FairQueue[str](weights)
    for rank, flow in enumerate(flows):
        queue.add(Queued(rank, flow, door))
    return queue


def served(
    queue: FairQueue[str], most: int = 1000, *, shut: Iterable[str] = ()
) -> list[tuple[str, int]]:
    """Whose items are served, and which."""
    seen: list[tuple[str, int]] = []
    while len(seen) < most and (place := queue.first(lambda door: door in shut)) is not None:
        queue.serve(place.rank)
        seen.append((place.flow, place.rank))
    return seen


def flows_of(seen: list[tuple[str, int]]) -> str:
    """The order of flows alone."""
    return "".join(flow for flow, _ in seen)


def test_one_flow_is_served_in_order() -> None:
    """First come, first served."""
    assert [("a", 0), ("a", 1), ("a", 2)] == served(queue_of("a", "a", "a"))


def test_a_flow_that_asks_for_much_does_not_hold_up_the_others() -> None:
    """Turns alternate as long as both want them."""
    assert "ababaaa" == flows_of(served(queue_of(*"aaaaabb")))


def test_equals_are_served_as_they_came() -> None:
    """Many flows with one item each are one queue."""
    assert "cabd" == flows_of(served(queue_of(*"cabd")))


def test_weights_give_more_turns() -> None:
    """Two for one, three for one."""
    queue = queue_of(*"a" * 30, *"b" * 30, weights={"a": 2.0})

    assert 20 == flows_of(served(queue, 30)).count("a")

    third = queue_of(*"a" * 30, *"b" * 30, weights={"b": 0.5})
    assert 20 == flows_of(served(third, 30)).count("a")


def test_silence_earns_nothing() -> None:
    """Who comes late begins with the rest, and does not catch up."""
    queue = queue_of(*"a" * 20)
    served(queue, 10)
    for rank in range(100, 110):
        queue.add(Queued(rank, "b", "d"))

    assert "baba" == flows_of(served(queue, 4))


def test_who_has_just_had_its_turns_is_not_first_again() -> None:
    """A flow that comes back at once keeps its place in the order of turns."""
    queue = queue_of(*"aabbb")
    assert "ab" == flows_of(served(queue, 2))
    queue.discard(1)
    queue.add(Queued(9, "a", "d"))

    assert "bab" == flows_of(served(queue))


def test_what_leaves_unserved_costs_no_turn() -> None:
    """A hundred that gave up do not put their flow behind."""
    queue = queue_of(*"a" * 100, *"b" * 5)
    for rank in range(99):
        queue.discard(rank)

    assert [("a", 99), ("b", 100)] == served(queue, 2)


def test_who_returns_keeps_its_place_in_its_flow() -> None:
    """An earlier rank goes before later ones."""
    queue = queue_of("a", "a", "a")
    queue.discard(0)
    queue.add(Queued(0, "a", "d"))

    assert [0, 1, 2] == [rank for _, rank in served(queue)]


def test_who_returns_is_first_among_equals_again() -> None:
    """Its rank counts against other flows too."""
    queue = queue_of("a", "b", "a")
    queue.discard(0)
    queue.add(Queued(0, "a", "d"))

    assert [0, 1, 2] == [rank for _, rank in served(queue)]


def test_a_shut_door_holds_up_nobody_before_another() -> None:
    """Not even of the same flow."""
    queue = queue_of("a", "a", door="x")
    queue.add(Queued(5, "a", "y"))
    queue.add(Queued(6, "b", "y"))

    assert [5, 6] == [rank for _, rank in served(queue, shut="x")]
    assert [0, 1] == [rank for _, rank in served(queue)]


def test_flows_take_turns_across_doors() -> None:
    """A turn before one door is a turn before all."""
    queue = queue_of("a", "a", "a", door="x")
    for rank, flow in enumerate("bbb", start=10):
        queue.add(Queued(rank, flow, "y"))

    assert "ababab" == flows_of(served(queue))


def test_waiting_before_a_shut_door_earns_one_turn_at_most() -> None:
    """Else it would be served alone for as long as the door had been shut."""
    queue = queue_of(*"a" * 20, door="x")
    for rank in range(100, 150):
        queue.add(Queued(rank, "b", "y"))
    served(queue, 50, shut="x")
    for rank in range(200, 210):
        queue.add(Queued(rank, "c", "x"))

    assert "aacacac" == flows_of(served(queue, 7))


def test_an_empty_queue_begins_anew() -> None:
    """What anybody was ahead no longer matters."""
    queue = queue_of(*"aaaa")
    served(queue)
    for rank, flow in enumerate("abab", start=10):
        queue.add(Queued(rank, flow, "d"))

    assert "abab" == flows_of(served(queue))
    assert (0, "FairQueue(0 of 0 flows)") == (len(queue), repr(queue))


def test_a_queue_says_who_stands_in_it() -> None:
    """By rank, and in short."""
    queue = queue_of(*"aab")

    assert (True, False, 3) == (1 in queue, 9 in queue, len(queue))
    assert "FairQueue(3 of 2 flows)" == repr(queue)
    assert queue.first(lambda _: True) is None


@pytest.mark.parametrize("leave", [FairQueue.serve, FairQueue.discard])
def test_flows_that_have_gone_leave_nothing_behind(
    leave: Callable[[FairQueue[str], int], None],
) -> None:
    """Memory follows who waits, though one waits all the time."""
    queue = queue_of("stays")
    for rank in range(1, 2000):
        queue.add(Queued(rank, f"flow {rank}", "d"))
        leave(queue, rank)
        queue.first(lambda _: False)

    assert len(queue._flows) < 200
    assert len(queue._doors["d"].heap) < 200
