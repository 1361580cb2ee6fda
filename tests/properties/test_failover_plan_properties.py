"""A failover plan against the contract's rules, whatever providers and clocks do to it."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.domain import (
    ErrorClass,
    ErrorScope,
    ErrorType,
    Failure,
    IneligibilityReason,
    Operation,
    OperationError,
)
from orchestrator.routing import (
    Block,
    Candidate,
    Dispatch,
    FailoverPlan,
    Finish,
    Pause,
    PlanOptions,
    Rejected,
    StepOutcome,
    Succeeded,
)

LIMITED = IneligibilityReason.RATE_LIMITED
STARTED_AT = 100.0
MOST_STEPS = 400
"""A minute of refusals, each two seconds apart at the least in the end, needs far fewer."""
LONGEST_PAUSE_BETWEEN_REFUSALS_S = 2.0
TOO_SHORT_S = 0.002
CLOSE = 1e-9

delays_s = st.sampled_from([None, 0.0, 0.01, 0.7, 5.0, 40.0, 900.0])
reasons = st.sampled_from([LIMITED, IneligibilityReason.CIRCUIT_OPEN])
failures = st.builds(
    Failure,
    error_class=st.sampled_from(ErrorClass),
    scope=st.sampled_from(ErrorScope),
    code=st.sampled_from(["A", "B"]),
    message=st.just("made for a test"),
    elsewhere=st.booleans(),
    retry_after_s=delays_s,
)
rejections = st.builds(Rejected, reason=reasons, retry_after_s=delays_s, by_failures=st.booleans())
outcomes = st.one_of(
    failures, failures.filter(lambda f: f.retryable), rejections, st.just(Succeeded)
)


@dataclass
class Model:
    """What a reader of the contract would have noted down so far."""

    untried: list[Candidate]
    limited: dict[Candidate, float]
    open: dict[Candidate, bool]
    ready_at: dict[Candidate, float]
    deadline: float
    options: PlanOptions
    candidates: int
    now: float = STARTED_AT
    idle_s: float = 0.0
    sent: list[tuple[Candidate, StepOutcome]] = field(default_factory=list)
    retries: int = 0
    panics: int = 0

    @property
    def stopped(self) -> bool:
        """Whether the last answer ends the request, whatever else could be asked."""
        if not self.sent:
            return False
        last = self.sent[-1][1]
        return not isinstance(last, Failure) or not (last.retryable or last.elsewhere)

    def someone_remains(self) -> bool:
        """Whether a further candidate is surely there to be asked in time."""
        latest = self.deadline - LONGEST_PAUSE_BETWEEN_REFUSALS_S - TOO_SHORT_S
        return bool(self.untried) or any(at <= latest for at in self.limited.values())

    def may_panic(self) -> bool:
        """Two or more candidates, all open by failures, and nothing sent."""
        return (
            self.options.panic
            and not self.panics
            and not self.sent
            and 2 <= len(self.open) == self.candidates
            and all(self.open.values())
        )

    def note_ready(self, candidate: Candidate, delay_s: float | None) -> None:
        """Take the latest word on when a candidate may be tried again."""
        self.ready_at.pop(candidate, None)
        if delay_s is not None:
            self.ready_at[candidate] = self.now + delay_s

    def check_dispatch(self, step: Dispatch) -> None:
        """An attempt that may be made now, within its time."""
        candidate = step.candidate
        left_s = self.deadline - self.now

        assert not self.stopped
        assert left_s >= TOO_SHORT_S - CLOSE
        assert len(self.sent) + 1 == step.attempt_number
        assert (step.timeout_s < self.options.attempt_timeout_s) == step.deadline_cuts
        assert 0.0 <= step.waited_s <= self.idle_s + CLOSE
        if candidate in self.untried:
            self.untried.remove(candidate)
            assert not step.panic
        elif step.panic:
            assert self.may_panic()
            assert self.ready_at.get(candidate, 1e9) == min(
                self.ready_at.get(c, 1e9) for c in self.open
            )
            self.panics += 1
            del self.open[candidate]
        elif candidate in self.limited:
            assert not self.untried
            assert self.limited.pop(candidate) <= self.now + CLOSE
        else:
            self.check_retry(candidate)
        assert 0.0 < step.timeout_s <= min(left_s, self.options.attempt_timeout_s)
        assert not self.someone_remains() or step.timeout_s <= left_s / 2

    def check_retry(self, candidate: Candidate) -> None:
        """The one further try at the same provider."""
        last_candidate, last = self.sent[-1]

        assert last_candidate == candidate
        assert isinstance(last, Failure)
        assert last.retryable
        assert self.options.same_provider_retry
        assert not self.someone_remains()
        assert (self.retries, self.panics) == (0, 0)
        assert self.now >= self.ready_at[candidate] - CLOSE
        self.retries += 1

    def check_pause(self, step: Pause) -> None:
        """A wait with a purpose, that ends in time."""
        assert not self.stopped
        assert not self.untried
        assert 0.0 < step.wait_s <= self.deadline - self.now

    def hear(self, step: Dispatch, outcome: StepOutcome) -> None:
        """Note how a dispatch ended."""
        candidate = step.candidate
        if isinstance(outcome, Rejected):
            self.note_ready(candidate, outcome.retry_after_s)
            if outcome.reason is LIMITED and not step.panic:
                told_s = outcome.retry_after_s
                self.limited[candidate] = self.now + (1.0 if told_s is None else told_s)
            else:
                self.open[candidate] = outcome.by_failures
            return
        self.sent.append((candidate, outcome))
        if isinstance(outcome, Failure):
            delay_s = outcome.retry_after_s
            self.note_ready(candidate, 0.0 if outcome.retryable and delay_s is None else delay_s)

    def check_finish(self, error: OperationError | None) -> None:
        """The end, in the words of the contract's last rule on errors."""
        last = self.sent[-1] if self.sent else None
        if last is not None and not isinstance(last[1], Failure):
            assert error is None
            return
        assert error is not None
        if not self.stopped and self.now > self.deadline - TOO_SHORT_S:
            assert error.type is ErrorType.DEADLINE
            return
        assert self.stopped or not self.untried
        assert not self.may_panic()
        if last is not None:
            candidate, failure = last
            assert isinstance(failure, Failure)
            expected = OperationError.of(failure, candidate.provider)
            assert (expected.type, expected.code) == (error.type, error.code)
            assert (expected.provider, expected.scope) == (error.provider, error.scope)
        elif self.candidates and not self.open:
            assert error.type is ErrorType.RATE_LIMIT
        else:
            assert error.type is ErrorType.PROVIDER_DOWN
        if error.retryable:
            soonest = min(self.ready_at.values(), default=self.now)
            assert abs(max(0.0, soonest - self.now) - (error.retry_after_s or 0.0)) < CLOSE
        elif last is not None and isinstance(last[1], Failure):
            assert last[1].retry_after_s == error.retry_after_s


@st.composite
def beginnings(draw: st.DrawFn) -> tuple[FailoverPlan, Model]:
    """A plan as a router would make it, and its model."""
    providers = [Candidate(name) for name in ("plaid", "mx", "finicity", "belvo")]
    eligible = draw(st.integers(0, 3))
    order = tuple(providers[:eligible])
    blocked = tuple(
        (candidate, Block(draw(reasons), draw(delays_s), draw(st.booleans())))
        for candidate in providers[eligible : draw(st.integers(eligible, 4))]
    )
    operation = draw(st.sampled_from([Operation.GET_ACCOUNTS, Operation.EXCHANGE_TOKEN]))
    options = PlanOptions(
        attempt_timeout_s=draw(st.sampled_from([0.1, 3.0, 20.0])),
        same_provider_retry=draw(st.booleans()),
        panic=draw(st.booleans()),
    ).for_operation(operation)
    assert operation is Operation.GET_ACCOUNTS or not options.same_provider_retry
    deadline_s = draw(st.sampled_from([0.1, 1.0, 7.0, 60.0]))
    model = Model(
        untried=list(order),
        limited={
            c: STARTED_AT + (1.0 if b.retry_after_s is None else b.retry_after_s)
            for c, b in blocked
            if b.reason is LIMITED
        },
        open={c: b.by_failures for c, b in blocked if b.reason is not LIMITED},
        ready_at={
            c: STARTED_AT + b.retry_after_s for c, b in blocked if b.retry_after_s is not None
        },
        deadline=STARTED_AT + deadline_s,
        options=options,
        candidates=len(order) + len(blocked),
    )
    plan = FailoverPlan(
        order, blocked, started_at=STARTED_AT, deadline_s=deadline_s, options=options
    )
    return plan, model


@settings(max_examples=1200, deadline=None, derandomize=True)
@given(beginning=beginnings(), data=st.data())
def test_a_plan_keeps_the_contract_and_ends(
    beginning: tuple[FailoverPlan, Model], data: st.DataObject
) -> None:
    """Whatever each attempt gives and however long it takes, every rule of failover holds."""
    plan, model = beginning
    for _ in range(MOST_STEPS):
        step = plan.next(model.now)
        if isinstance(step, Finish):
            model.check_finish(step.error)
            assert step == plan.next(model.now + 1.0)
            assert plan.attempts == len(model.sent)
            return
        late_s = data.draw(st.sampled_from([0.0, 0.0, 0.001, 0.2]))
        if isinstance(step, Pause):
            model.check_pause(step)
            model.now += step.wait_s + late_s
            model.idle_s += step.wait_s + late_s
            continue
        model.check_dispatch(step)
        outcome = data.draw(outcomes)
        sent = not isinstance(outcome, Rejected)
        took_ratio = data.draw(st.sampled_from([0.0, 0.1, 1.0])) if sent else 0.0
        model.now += step.timeout_s * took_ratio + late_s
        model.idle_s += 0.0 if sent else late_s
        model.hear(step, outcome)
        plan.record(outcome, model.now, unit_random=data.draw(st.sampled_from([0.0, 0.5, 1.0])))
    raise AssertionError("the plan does not end")


@settings(max_examples=100, deadline=None, derandomize=True)
@given(beginning=beginnings(), delay_s=delays_s)
def test_a_plan_whose_candidates_are_always_limited_never_spins(
    beginning: tuple[FailoverPlan, Model], delay_s: float | None
) -> None:
    """However soon a refusing guard promises a place, no candidate is asked twice at one instant."""
    plan, model = beginning
    asked: set[tuple[Candidate, float]] = set()
    for _ in range(MOST_STEPS):
        step = plan.next(model.now)
        if isinstance(step, Finish):
            assert not model.sent
            return
        if isinstance(step, Pause):
            model.now += step.wait_s
            continue
        assert (step.candidate, model.now) not in asked
        asked.add((step.candidate, model.now))
        plan.record(Rejected(LIMITED, delay_s), model.now)
    raise AssertionError("the plan does not end")
