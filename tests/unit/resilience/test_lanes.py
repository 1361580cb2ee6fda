"""Who waits, in which order they go on, and who waits in vain."""

from collections.abc import Callable

import pytest

from orchestrator.domain import Lane
from orchestrator.resilience import Lanes, Reach, VendorCall
from orchestrator.resilience.lanes import Hold, Waiter

PEOPLE, BULK = Lane.INTERACTIVE, Lane.BACKFILL
ALL_HELD = Hold(Reach.EVERYONE, 10.0)


class Crowd:
    """Lanes with a gate that a test opens: `holds` says what holds a waiter back now."""

    def __init__(self, most_waiting: int = 100, weights: dict[str, float] | None = None) -> None:
        self.lanes = Lanes(most_waiting, weights=weights)
        self.names: dict[int, str] = {}
        self.asked: list[str] = []
        self.in_vain: list[str] = []

    def join(
        self,
        name: str,
        now: float = 0.0,
        *,
        lane: Lane = PEOPLE,
        space: str = "s",
        entrant: bool = True,
        wait_s: float = 60.0,
        endpoint: str = "e",
        whose: str | None = None,
        bank: str | None = None,
        hold: Hold = ALL_HELD,
    ) -> int:
        """Somebody comes and finds the gate shut."""
        call = VendorCall(endpoint, whose, bank, lane)
        ticket = self.lanes.join(call, space, hold, now, entrant=entrant, wait_s=wait_s)
        self.names[ticket] = name
        return ticket

    def serve(
        self,
        now: float = 0.0,
        holds: Callable[[Waiter], Hold | None] = lambda _: None,
        most: int = 1000,
    ) -> str:
        """Names of those let through, in order."""
        passed: list[str] = []

        def gate(waiter: Waiter) -> Hold | None:
            self.asked.append(self.names[waiter.ticket])
            hold = ALL_HELD if len(passed) >= most else holds(waiter)
            if hold is None:
                passed.append(self.names[waiter.ticket])
            return hold

        in_vain = self.lanes.serve(gate, now)
        self.in_vain += [self.names[waiter.ticket] for waiter in in_vain]
        return " ".join(passed)


def test_people_go_before_bulk_jobs_and_pages_before_new_attempts() -> None:
    """An attempt under way is finished before another of its lane begins."""
    crowd = Crowd()
    crowd.join("bulk", lane=BULK)
    crowd.join("bulk-page", lane=BULK, entrant=False)
    crowd.join("person")
    crowd.join("page", entrant=False)

    assert "page person bulk-page bulk" == crowd.serve()


def test_spaces_take_turns_within_a_lane() -> None:
    """By weight, where one was given."""
    crowd, weighted = Crowd(), Crowd(weights={"b": 2.0})
    for each in (crowd, weighted):
        for number in range(4):
            each.join(f"a{number}", space="a")
        for number in range(4):
            each.join(f"b{number}", space="b")

    assert "a0 b0 a1 b1 a2 b2 a3 b3" == crowd.serve()
    assert "a0 b0 b1 a1 b2 b3 a2 a3" == weighted.serve()


def test_who_is_held_by_its_own_connection_holds_up_nobody() -> None:
    """It steps aside, and goes first when that is over."""
    crowd = Crowd()
    crowd.join("own", whose="con_a")
    crowd.join("other", whose="con_b")

    def holds(waiter: Waiter) -> Hold | None:
        return Hold(Reach.CONNECTION, 5.0) if waiter.call.connection_id == "con_a" else None

    assert "other" == crowd.serve(0.0, holds)
    crowd.join("late", 1.0, whose="con_c")
    assert "late" == crowd.serve(4.9, holds)
    assert "own" == crowd.serve(5.0)


def test_who_comes_held_by_its_own_connection_steps_aside_at_once() -> None:
    """Nobody asks for it before that is over."""
    crowd = Crowd()
    crowd.join("own", whose="con_a", hold=Hold(Reach.CONNECTION, 5.0))

    assert "" == crowd.serve(4.9)
    assert [] == crowd.asked
    assert "own" == crowd.serve(5.0)


def test_a_shut_endpoint_holds_up_its_own_callers_alone() -> None:
    """Its first is asked once for all of them, in all lanes."""
    crowd = Crowd()
    for number in range(5):
        crowd.join(f"x{number}", endpoint="x")
        crowd.join(f"bulk-x{number}", endpoint="x", lane=BULK)
    crowd.join("y", endpoint="y")
    crowd.join("bulk-y", endpoint="y", lane=BULK)

    def holds(waiter: Waiter) -> Hold | None:
        return Hold(Reach.ENDPOINT, 5.0) if waiter.call.endpoint == "x" else None

    assert "y bulk-y" == crowd.serve(0.0, holds)
    assert 1 == sum(name.startswith("x") for name in crowd.asked)
    assert 0 == sum(name.startswith("bulk-x") for name in crowd.asked)


def test_a_full_bank_holds_up_its_own_callers_alone() -> None:
    """Its first is asked once a line, as pages of the bank may go on."""
    crowd = Crowd()
    for number in range(3):
        crowd.join(f"a{number}", bank="ins_a")
    crowd.join("a-page", bank="ins_a", entrant=False)
    crowd.join("b", bank="ins_b")

    def holds(waiter: Waiter) -> Hold | None:
        full = waiter.call.institution_id == "ins_a" and waiter.entrant
        return Hold(Reach.INSTITUTION, None) if full else None

    assert "a-page b" == crowd.serve(0.0, holds)
    assert ["a-page", "a0", "b"] == crowd.asked


def test_when_all_places_are_taken_pages_go_on() -> None:
    """Of either lane: they have theirs."""
    crowd = Crowd()
    crowd.join("person")
    crowd.join("bulk", lane=BULK)
    crowd.join("page", entrant=False)
    crowd.join("bulk-page", lane=BULK, entrant=False)

    def holds(waiter: Waiter) -> Hold | None:
        return Hold(Reach.ENTRANTS, None) if waiter.entrant else None

    assert "page bulk-page" == crowd.serve(0.0, holds)


def test_when_all_are_held_nobody_else_is_asked() -> None:
    """One question tells."""
    crowd = Crowd()
    for number in range(5):
        crowd.join(f"{number}", endpoint=f"e{number}", wait_s=60.0)

    assert "" == crowd.serve(0.0, most=0)
    assert ["0"] == crowd.asked
    assert [] == crowd.in_vain


def test_who_cannot_go_in_time_is_sent_away_at_once() -> None:
    """All that are held for longer than they may wait, the bulk jobs with the people."""
    crowd = Crowd()
    crowd.join("patient", wait_s=60.0)
    crowd.join("hasty", wait_s=5.0)
    crowd.join("bulk-hasty", lane=BULK, wait_s=5.0)
    crowd.join("just", wait_s=10.0)

    crowd.serve(0.0, most=0)

    assert ["hasty", "bulk-hasty"] == sorted(crowd.in_vain, reverse=True)
    assert 2 == len(crowd.lanes)


def test_what_holds_bulk_jobs_sends_no_person_away() -> None:
    """A person behind nothing may still go."""
    crowd = Crowd()
    crowd.join("person", wait_s=5.0, endpoint="x")
    crowd.join("bulk", lane=BULK, wait_s=5.0, endpoint="y")

    def holds(waiter: Waiter) -> Hold | None:
        return ALL_HELD if waiter.call.lane is BULK else Hold(Reach.ENDPOINT, 1.0)

    crowd.serve(0.0, holds)

    assert [] == crowd.in_vain


def test_whose_own_connection_is_held_too_long_is_sent_away_at_once() -> None:
    """It would step aside in vain."""
    crowd = Crowd()
    crowd.join("own", whose="con_a", wait_s=5.0)
    crowd.join("just", whose="con_b", wait_s=6.0)

    crowd.serve(0.0, lambda _: Hold(Reach.CONNECTION, 6.0))

    assert ["own"] == crowd.in_vain
    assert "just" == crowd.serve(6.0)


def test_a_wait_ends_at_its_deadline() -> None:
    """To the instant; who can go at that instant goes."""
    crowd = Crowd()
    crowd.join("a", wait_s=5.0)
    crowd.join("b", whose="con_b", wait_s=7.0, hold=Hold(Reach.CONNECTION, 6.0))
    holds = {4.9: Hold(Reach.ENDPOINT, 0.5), 5.0: Hold(Reach.ENDPOINT, 0.5)}

    for now in (4.9, 5.0):
        assert "" == crowd.serve(now, lambda _, now=now: holds[now])  # type: ignore[misc]
        assert (["a"] if now == 5.0 else []) == crowd.in_vain

    assert "b" == crowd.serve(7.0)


def test_who_leaves_is_not_served() -> None:
    """Nor a second time gone."""
    crowd = Crowd()
    gone = crowd.join("gone")
    aside = crowd.join("aside", whose="con_a", hold=Hold(Reach.CONNECTION, 1.0))
    crowd.join("stays")

    assert [True, True, False] == [crowd.lanes.leave(t) for t in (gone, aside, gone)]

    assert "stays" == crowd.serve(2.0)
    assert 0 == len(crowd.lanes)


def test_a_lane_takes_so_many_and_no_more() -> None:
    """Each lane by itself; pages are not counted."""
    crowd = Crowd(most_waiting=2)
    first = crowd.join("a")
    crowd.join("page", entrant=False)
    assert crowd.lanes.has_room(PEOPLE)
    crowd.join("b")

    assert (False, True) == (crowd.lanes.has_room(PEOPLE), crowd.lanes.has_room(BULK))
    assert (2, 0) == (crowd.lanes.waiting(PEOPLE), crowd.lanes.waiting(BULK))
    crowd.lanes.leave(first)
    assert crowd.lanes.has_room(PEOPLE)
    assert "Lanes(1 interactive, 0 backfill, 1 pages waiting)" == repr(crowd.lanes)
    crowd.serve()
    assert 0 == crowd.lanes.waiting(PEOPLE)


def test_it_says_when_it_is_worth_serving_again() -> None:
    """At the first that may go on, at the first deadline, and at least once a second."""
    crowd = Crowd()
    assert float("inf") == crowd.lanes.due_at
    crowd.join("a", hold=Hold(Reach.ENDPOINT, 0.25), wait_s=0.5)
    assert 0.25 == crowd.lanes.due_at
    crowd.serve(0.25, lambda _: Hold(Reach.ENDPOINT, 5.0))
    assert 0.5 == crowd.lanes.due_at
    crowd.join("b", 0.3, hold=Hold(Reach.INSTITUTION, None))
    crowd.serve(0.5, lambda _: Hold(Reach.ENDPOINT, 5.0))
    assert 1.5 == crowd.lanes.due_at
    crowd.join("c", 0.5, hold=Hold(Reach.CONNECTION, 0.5), whose="con_c")
    assert 1.0 == crowd.lanes.due_at
    crowd.serve(1.0, lambda _: Hold(Reach.CONNECTION, 0.125))
    assert 1.125 == crowd.lanes.due_at
    crowd.serve(1.125)
    assert float("inf") == crowd.lanes.due_at


def test_those_who_have_left_leave_nothing_behind() -> None:
    """Memory follows who waits, though one waits for long."""
    crowd = Crowd()
    crowd.join("stays", wait_s=600.0)
    for number in range(1000):
        hold = Hold(Reach.CONNECTION, 500.0) if number % 2 else ALL_HELD
        crowd.lanes.leave(crowd.join(str(number), whose="con", wait_s=600.0, hold=hold))

    assert len(crowd.lanes._deadlines) < 100
    assert len(crowd.lanes._aside) < 100
    assert "stays" == crowd.serve(599.0)


@pytest.mark.parametrize(("most", "weights"), [(0, None), (1, {"a": 0.0}), (1, {"a": -1.0})])
def test_options_out_of_range_are_refused(most: int, weights: dict[str, float] | None) -> None:
    """A lane without room, or a space that never has a turn, is a programming error."""
    with pytest.raises(ValueError, match="most_waiting"):
        Lanes(most, weights=weights)
