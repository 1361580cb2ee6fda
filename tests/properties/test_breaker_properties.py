"""A breaker against a model that keeps every permit and looks at all of them each time."""

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from orchestrator.domain import CircuitState
from orchestrator.resilience import (
    BreakerOptions,
    CircuitBreaker,
    Control,
    OpenCause,
    Permit,
    Rejection,
    Transition,
    Verdict,
)

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN
FORCED_OPEN, FORCED_CLOSED = CircuitState.FORCED_OPEN, CircuitState.FORCED_CLOSED


@dataclass
class Held:
    """A permit that is out, and what the model knows about it."""

    permit: Permit
    epoch: int
    taken_at: float
    probe: bool
    panic: bool


class BreakerMachine(RuleBasedStateMachine):
    """Rules call breaker and model alike; the model is slow and plain."""

    @initialize(
        failures=st.integers(1, 4),
        successes=st.integers(1, 3),
        probes=st.integers(1, 3),
        lease_s=st.sampled_from([30.0, 1000.0]),
    )
    def start(self, failures: int, successes: int, probes: int, lease_s: float) -> None:
        """Begin closed."""
        self.options = BreakerOptions(
            failure_threshold=failures,
            success_threshold=successes,
            timeout_s=8.0,
            half_open_permits=probes,
            max_timeout_s=40.0,
            permit_lease_s=lease_s,
        )
        self.breaker = CircuitBreaker(self.options)
        self.now = 0.0
        self.state = CLOSED
        self.told = CLOSED
        self.epoch = 0
        self.row: list[Verdict] = []
        self.failed_probes = 0
        self.due_at: float | None = None
        self.client_wait_s: float | None = None
        self.by_client = False
        self.held: list[Held] = []

    def live(self) -> list[Held]:
        """Permits whose lease is not over."""
        return [h for h in self.held if self.now < h.taken_at + self.options.permit_lease_s]

    def probes_out(self) -> int:
        """Probes of the present half-open phase that may still report."""
        return sum(h.probe and h.epoch == self.epoch for h in self.live())

    def panics_out(self) -> int:
        """Calls in panic of the present open phase that may still report."""
        return sum(h.panic and h.epoch == self.epoch for h in self.live())

    def become(self, state: CircuitState) -> None:
        """Change the model's state."""
        self.state, self.epoch, self.row, self.due_at = state, self.epoch + 1, [], None

    def hear(self, transitions: tuple[Transition, ...]) -> None:
        """Follow the log of changes."""
        for transition in transitions:
            assert transition.from_state is self.told
            assert transition.reason
            self.told = transition.to_state

    def pass_time(self) -> None:
        """An interval that is over makes the model half-open."""
        if self.state is OPEN and self.due_at is not None and self.due_at <= self.now:
            self.become(HALF_OPEN)

    @rule(seconds=st.sampled_from([0.0, 0.5, 4.0, 8.0, 31.0, 80.0]))
    def wait(self, seconds: float) -> None:
        """Time passes without anybody looking."""
        self.now += seconds

    @rule()
    def observe(self) -> None:
        """Somebody looks."""
        self.hear(self.breaker.observe(self.now))
        self.pass_time()

    @rule(panic=st.booleans(), back_s=st.sampled_from([0.0, 5.0]))
    def ask(self, panic: bool, back_s: float) -> None:
        """A caller asks, its clock at times behind."""
        if back_s:
            self.hear(self.breaker.observe(self.now))
        answer = self.breaker.try_acquire(self.now - back_s, panic=panic)
        self.hear(answer.transitions)
        self.pass_time()

        free = self.state in (CLOSED, FORCED_CLOSED) or (
            self.state is HALF_OPEN and self.probes_out() < self.options.half_open_permits
        )
        may_panic = (
            panic
            and self.state in (OPEN, HALF_OPEN)
            and not self.by_client
            and self.panics_out() < self.options.half_open_permits
        )
        assert isinstance(answer, Permit) == (free or may_panic)
        if isinstance(answer, Rejection):
            assert (answer.cause is OpenCause.FORCED) == (self.state is FORCED_OPEN)
            assert (answer.cause is OpenCause.CLIENT) == self.by_client
            assert answer.retry_after_s is None or answer.retry_after_s > 0.0
            return
        assert answer.probe == (self.state is HALF_OPEN and free)
        assert answer.panic == (not free)
        self.held.append(Held(answer, self.epoch, self.now, answer.probe, answer.panic))

    @precondition(lambda self: self.held)
    @rule(data=st.data(), verdict=st.sampled_from(Verdict), jitter=st.sampled_from([0.0, 1.0]))
    def report(self, data: st.DataObject, verdict: Verdict, jitter: float) -> None:
        """A result comes back, perhaps late; nobody reports twice here."""
        held = data.draw(st.sampled_from(self.held))
        moved = self.breaker.record(held.permit, verdict, self.now, jitter_ratio=jitter)
        self.hear(moved)
        self.pass_time()
        counts = held in self.live() and held.epoch == self.epoch
        self.held.remove(held)
        if not counts or verdict is Verdict.NEUTRAL:
            return
        if held.permit.panic:
            if verdict is Verdict.SUCCESS and self.state is OPEN:
                self.become(HALF_OPEN)
        elif self.state is CLOSED:
            self.count_call(verdict)
        elif self.state is HALF_OPEN:
            self.count_probe(verdict, jitter)

    def count_call(self, verdict: Verdict) -> None:
        """The last so many results of a closed circuit decide."""
        self.row.append(verdict)
        last = self.row[-self.options.failure_threshold :]
        if last == [Verdict.FAILURE] * self.options.failure_threshold:
            self.become(OPEN)
            self.failed_probes = 0
            self.due_at = self.now + 8.0

    def count_probe(self, verdict: Verdict, jitter: float) -> None:
        """One failure opens, enough successes close."""
        if verdict is Verdict.FAILURE:
            self.become(OPEN)
            self.failed_probes += 1
            if self.by_client:
                wait_s = self.client_wait_s
                self.due_at = None if wait_s is None else self.now + wait_s
            else:
                self.due_at = self.now + min(40.0, 8.0 * 2**self.failed_probes) * (1 + jitter)
            return
        self.row.append(verdict)
        if len(self.row) == self.options.success_threshold:
            self.become(CLOSED)
            self.by_client = False

    @rule(wait_s=st.sampled_from([None, 80.0]))
    def trip(self, wait_s: float | None) -> None:
        """Our keys are refused."""
        self.hear(self.breaker.trip(self.now, "our keys were refused", wait_s))
        self.pass_time()
        if self.state in (FORCED_OPEN, FORCED_CLOSED):
            return
        if not self.by_client:
            self.failed_probes = self.failed_probes if self.state is not CLOSED else 0
        self.become(OPEN)
        self.by_client, self.client_wait_s = True, wait_s
        self.due_at = None if wait_s is None else self.now + wait_s

    @rule(control=st.sampled_from(Control))
    def force(self, control: Control) -> None:
        """The operator's switch."""
        self.hear(self.breaker.force(control, self.now, "drill"))
        self.become(CLOSED if control is Control.AUTO else CircuitState(control.value))
        self.by_client = False

    @invariant()
    def agree(self) -> None:
        """Breaker and model are in one state, and the log told every change."""
        if not hasattr(self, "breaker"):
            return
        snapshot = self.breaker.snapshot(self.now)
        assert self.state is snapshot.state
        assert self.told is snapshot.state
        assert self.probes_out() == snapshot.probes_in_flight <= self.options.half_open_permits
        assert (snapshot.cause is None) == (self.state is CLOSED)
        assert (snapshot.opened_for_s is None) == (self.state in (CLOSED, FORCED_CLOSED))
        if self.state is OPEN:
            left_s = None if self.due_at is None else max(0.0, self.due_at - self.now)
            assert left_s == snapshot.retry_after_s

    def teardown(self) -> None:
        """However it was left, with every caller dead, it recovers by itself and by successes."""
        if not hasattr(self, "breaker"):
            return
        self.now += self.options.permit_lease_s
        if self.breaker.remaining_delay_s(self.now) is None:
            self.breaker.force(Control.AUTO, self.now, "mended")
        self.now += 200.0
        for _ in range(self.options.success_threshold):
            permit = self.breaker.try_acquire(self.now)
            assert isinstance(permit, Permit)
            self.breaker.record(permit, Verdict.SUCCESS, self.now)
        assert self.breaker.state in (CLOSED, FORCED_CLOSED)


TestBreaker = BreakerMachine.TestCase
TestBreaker.settings = settings(
    max_examples=120, stateful_step_count=40, deadline=None, derandomize=True
)
