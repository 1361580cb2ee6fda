"""Places for attempts under way, and who cannot take them all."""

import pytest

from orchestrator.domain import Lane
from orchestrator.resilience import Bulkheads, Reach

PEOPLE, BULK = Lane.INTERACTIVE, Lane.BACKFILL


def taken(
    bulkheads: Bulkheads, institution_id: str | None, lane: Lane, now: float = 0.0
) -> list[int]:
    """All places that can be taken."""
    places = []
    while bulkheads.full(institution_id, lane) is None:
        places.append(bulkheads.take(institution_id, lane, now))
    return places


def test_a_bank_that_never_answers_leaves_places_for_the_others() -> None:
    """A quarter of them is all that one bank can hold."""
    bulkheads = Bulkheads(16)

    assert 4 == len(taken(bulkheads, "ins_a", PEOPLE))
    assert Reach.INSTITUTION is bulkheads.full("ins_a", PEOPLE)
    assert ("ins_a",) == bulkheads.full_institutions
    assert 4 == len(taken(bulkheads, "ins_b", PEOPLE))
    assert 8 == len(taken(bulkheads, None, PEOPLE))
    assert Reach.ENTRANTS is bulkheads.full("ins_c", PEOPLE)
    assert ("ins_a", "ins_b") == bulkheads.full_institutions


def test_backfill_leaves_places_for_people() -> None:
    """Three quarters of them is all that it can hold."""
    bulkheads = Bulkheads(16)

    assert 12 == len(taken(bulkheads, None, BULK))
    assert Reach.ENTRANTS is bulkheads.full("ins_a", BULK)
    assert 4 == len(taken(bulkheads, None, PEOPLE))
    assert "Bulkheads(16/16, backfill 12/12)" == repr(bulkheads)


@pytest.mark.parametrize(
    ("most", "institution", "backfill"), [(1, 1, 1), (2, 1, 2), (5, 2, 4), (256, 64, 192)]
)
def test_shares_are_rounded_up(most: int, institution: int, backfill: int) -> None:
    """However few places there are, each has one."""
    bulkheads = Bulkheads(most)

    assert institution == len(taken(bulkheads, "ins_a", PEOPLE))
    assert backfill == len(taken(Bulkheads(most), None, BULK))


def test_the_shares_can_be_set() -> None:
    """Each by itself."""
    bulkheads = Bulkheads(10, most_per_institution=3, most_backfill=2)

    assert 3 == len(taken(bulkheads, "ins_a", PEOPLE))
    assert 2 == len(taken(bulkheads, "ins_b", BULK))


def test_a_place_given_back_is_free_again_once() -> None:
    """For all whom it counted against; a second time it is unknown."""
    bulkheads = Bulkheads(4, most_per_institution=2, most_backfill=2)
    first, _ = taken(bulkheads, "ins_a", BULK)

    assert [True, False] == [bulkheads.give_back(first), bulkheads.give_back(first)]

    assert 1 == len(bulkheads)
    assert () == bulkheads.full_institutions
    assert 1 == len(taken(bulkheads, "ins_a", BULK))


def test_a_lost_place_is_free_when_its_lease_ends() -> None:
    """Callers that died hold nothing for ever."""
    bulkheads = Bulkheads(2, most_per_institution=2, lease_s=10.0)
    early = bulkheads.take("ins_a", BULK, 0.0)
    late = bulkheads.take("ins_a", PEOPLE, 5.0)

    assert () == bulkheads.expire(9.9)
    assert (early,) == bulkheads.expire(10.0)
    assert not bulkheads.give_back(early)
    assert (late,) == bulkheads.expire(15.0)
    assert 0 == len(bulkheads)
    assert {} == bulkheads._places
    assert not bulkheads._by_institution


@pytest.mark.parametrize(
    "options",
    [
        {"most": 0},
        {"most_per_institution": 0},
        {"most_backfill": 0},
        {"lease_s": 0.0},
        {"lease_s": float("nan")},
    ],
)
def test_bounds_that_let_nobody_in_are_refused(options: dict[str, float]) -> None:
    """A guard that admits nobody is a programming error."""
    with pytest.raises(ValueError, match="at least 1"):
        Bulkheads(**options)  # type: ignore[arg-type]
