"""What a 429 teaches, and how it is forgotten."""

import pytest

from orchestrator.resilience.learned_limit import LearnedLimit


def after(
    known: LearnedLimit | None, used: int, *, published: int | None = 100, now: float = 0.0
) -> LearnedLimit:
    """A lesson that must be taken."""
    learned = LearnedLimit.after(known, used=used, published=published, now=now)
    assert learned is not None
    return learned


@pytest.mark.parametrize(
    ("used", "published", "calls"),
    [(100, 100, 80), (90, 100, 72), (70, 100, 56), (60, 100, 50), (20, 100, 50), (10, 100, 50)],
)
def test_a_published_limit_shrinks_to_what_was_used_at_most_to_half(
    used: int, published: int, calls: int
) -> None:
    """Four fifths of what was in the window is below whatever the vendor's own count was."""
    assert calls == after(None, used, published=published).effective(0.0)


@pytest.mark.parametrize(
    ("used", "published", "learned"),
    [
        (9, 100, False),
        (10, 100, True),
        (1, 4, False),
        (2, 4, True),
        (9, None, False),
        (10, None, True),
    ],
)
def test_a_429_among_few_calls_teaches_nothing(
    used: int, published: int | None, learned: bool
) -> None:
    """It says nothing about their number; the pause that it asks for is enough."""
    assert learned == (
        LearnedLimit.after(None, used=used, published=published, now=0.0) is not None
    )


def test_what_teaches_nothing_leaves_what_was_known() -> None:
    """An earlier lesson goes on being forgotten at its own pace."""
    known = after(None, 100)

    assert known is LearnedLimit.after(known, used=1, published=100, now=60.0)


def test_it_grows_back_slowly_at_first_and_then_says_nothing_any_more() -> None:
    """With the cube of the time, in ten minutes."""
    learned = after(None, 100, now=1000.0)

    seen = [
        learned.effective(1000.0 + seconds) for seconds in (0.0, 221.0, 222.0, 300.0, 599.0, 600.0)
    ]

    assert [80, 80, 81, 82, 99, None] == seen


def test_where_nothing_is_published_the_rate_of_the_time_becomes_the_limit() -> None:
    """Four fifths of it, growing to twice that, and then there is none again."""
    learned = after(None, 50, published=None)

    assert [40, 45, None] == [learned.effective(at) for at in (0.0, 300.0, 600.0)]


def test_each_further_429_within_reach_takes_the_limit_lower_and_longer() -> None:
    """A limit that really is lower is met less and less often; at most an hour goes by."""
    learned, now, seen = after(None, 100), 0.0, []
    for _ in range(5):
        now += learned.recovery_s / 2
        held = learned.effective(now)
        assert held is not None
        learned = after(learned, held, now=now)
        seen.append((learned.calls, learned.recovery_s))

    assert [1200.0, 2400.0, 3600.0, 3600.0, 3600.0] == [recovery_s for _, recovery_s in seen]
    assert [65, 55, 48, 43, 40] == [calls for calls, _ in seen]


@pytest.mark.parametrize(("gone_s", "recovery_s"), [(1199.0, 1200.0), (1200.0, 600.0)])
def test_an_old_lesson_does_not_lengthen_a_new_one(gone_s: float, recovery_s: float) -> None:
    """After twice its way back a 429 is the first again."""
    known = after(None, 100)

    assert recovery_s == after(known, 100, now=gone_s).recovery_s


def test_a_published_limit_never_falls_below_a_twentieth() -> None:
    """However often a vendor says no, some calls find out whether it still does."""
    learned, seen = None, []
    for _ in range(8):
        learned = after(learned, 100)
        seen.append(learned.calls)

    assert [80, 64, 51, 40, 32, 25, 20, 16] == seen
    assert 5 == after(LearnedLimit(6, 100, 0.0, 600.0), 6).calls


def test_a_limit_of_one_stays_one() -> None:
    """Nothing at all would never learn that it is wrong."""
    assert 1 == after(LearnedLimit(1, 2, 0.0, 600.0), 2, published=None).calls
    assert 1 == after(None, 2, published=1).calls
