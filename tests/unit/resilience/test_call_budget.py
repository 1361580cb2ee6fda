"""Extra attempts are tied to the traffic that there is."""

from orchestrator.resilience import CallBudget


def spent(budget: CallBudget, now: float, most: int = 100) -> int:
    """How many extra attempts pass now."""
    return sum(budget.take_extra(now) for _ in range(most))


def test_three_extra_attempts_are_always_there() -> None:
    """Without any traffic a provider is sent three a minute, and not one more."""
    budget = CallBudget()

    assert 3 == budget.left(0.0)
    assert 3 == spent(budget, 0.0)
    assert 0 == budget.left(60.0)
    assert 3 == spent(budget, 60.1)


def test_five_first_attempts_earn_one_more() -> None:
    """A fifth of the traffic comes on top, once the three are spent."""
    budget = CallBudget()
    assert 3 == spent(budget, 0.0)

    for _ in range(4):
        budget.count_first(1.0)
    assert 0 == spent(budget, 1.0)
    budget.count_first(1.0)

    assert 1 == spent(budget, 1.0)
    for _ in range(50):
        budget.count_first(2.0)
    assert 3 == spent(budget, 2.0)


def test_what_was_earned_is_not_kept_beyond_three() -> None:
    """Calm traffic buys no storm: else the minute after it would hold extra attempts alone."""
    budget = CallBudget()
    for second in range(600):
        budget.count_first(second / 20)

    assert 3 == spent(budget, 30.0)


def test_each_extra_attempt_comes_back_when_its_minute_is_over() -> None:
    """They come back one by one, as they went."""
    budget = CallBudget()
    for at in (0.0, 10.0, 20.0):
        assert budget.take_extra(at)

    seen = [budget.left(at) for at in (60.0, 60.5, 70.0, 70.5, 80.5)]

    assert [0, 1, 1, 2, 3] == seen


def test_an_earlier_now_is_the_last_one_seen() -> None:
    """A clock that goes back brings nothing back."""
    budget = CallBudget()
    spent(budget, 100.0)

    assert 0 == budget.left(0.0)
    budget.count_first(50.0)
    assert 0 == budget.left(159.0)


def test_exhausting_takes_all_that_is_left() -> None:
    """After a death nobody knows what was sent: for a minute nothing extra is."""
    budget = CallBudget()
    budget.take_extra(0.0)

    budget.exhaust(1.0)

    assert 0 == budget.left(1.0)
    assert "CallBudget(0 extra left)" == repr(budget)
    assert 3 == budget.left(61.1)


def test_the_minute_can_be_another() -> None:
    """A test may use a shorter one."""
    budget = CallBudget(minute_s=1.0)
    spent(budget, 0.0)

    assert (0, 3) == (budget.left(1.0), budget.left(1.01))
