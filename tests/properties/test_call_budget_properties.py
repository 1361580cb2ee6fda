"""The call budget against every minute that ever was."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from orchestrator.resilience import CallBudget

MINUTE_S = 60.0


class BudgetMachine(RuleBasedStateMachine):
    """Requests come, and some want more than one attempt."""

    def __init__(self) -> None:
        super().__init__()
        self.budget = CallBudget()
        self.now = 0.0
        self.sent: list[tuple[float, bool]] = []

    def worst(self) -> int:
        """Fifths of an extra attempt used by the worst stretch of the minute that ends now."""
        stretch, worst = 0, 0
        for at, extra in reversed(self.sent):
            if self.now - at > MINUTE_S:
                break
            stretch += 5 if extra else -1
            worst = max(worst, stretch)
        return worst

    @rule(seconds=st.sampled_from([0.25, 1.0, 15.0, 45.0, 60.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    @rule(times=st.integers(1, 12))
    def first(self, times: int) -> None:
        """Requests reach the provider for the first time."""
        for _ in range(times):
            self.budget.count_first(self.now)
            self.sent.append((self.now, False))

    @rule(times=st.integers(1, 5))
    def extra(self, times: int) -> None:
        """A further attempt passes exactly when no stretch of the last minute forbids it."""
        for _ in range(times):
            expected = self.worst() + 5 <= 15

            assert expected == self.budget.take_extra(self.now)
            if expected:
                self.sent.append((self.now, True))

    @rule()
    def exhaust(self) -> None:
        """A process died."""
        left = self.budget.left(self.now)
        self.budget.exhaust(self.now)
        self.sent += [(self.now, True)] * left

    @invariant()
    def every_minute_keeps_the_rule(self) -> None:
        """Attempts ≤ 1.2 x requests + 3, whichever minute is looked at."""
        for begin, _ in self.sent:
            minute = [extra for at, extra in self.sent if begin <= at <= begin + MINUTE_S]
            requests = minute.count(False)
            assert len(minute) <= 1.2 * requests + 3 + 1e-9

    @invariant()
    def memory_is_bounded(self) -> None:
        """A handful of numbers, however long it runs."""
        assert len(self.budget._lowest) <= 16


TestCallBudget = BudgetMachine.TestCase
TestCallBudget.settings = settings(
    max_examples=150, stateful_step_count=50, deadline=None, derandomize=True
)
