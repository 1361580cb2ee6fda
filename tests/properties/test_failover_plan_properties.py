"""A failover plan against the contract's rules, whatever providers and clocks do to it."""

from dataclasses import dataclass, field, replace

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
    Watch,
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
rejections = st.builds(
    Rejected,
    reason=reasons,
    retry_after_s=delays_s,
    by_failures=st.booleans(),
    over_budget=st.booleans(),
    queue_full=st.booleans(),
)
outcomes = st.one_of(
    failures, failures.filter(lambda f: f.retryable), rejections, st.just(Succeeded)
)


@dataclass
class Model:
    """What a reader of the contract would have noted down so far."""

    untried: list[Candidate]
    limited: set[Candidate]
    open: dict[Candidate, bool]
    ready_at: dict[Candidate, float]
    deadline: float
    options: PlanOptions
    slow_after_s: dict[str, float]
    candidates: int
    now: float = STARTED_AT
    idle_s: float = 0.0
    under_way: dict[Dispatch, float] = field(default_factory=dict)
    sent: list[tuple[int, Candidate, StepOutcome]] = field(default_factory=list)
    numbers: set[int] = field(default_factory=set)
    full: set[Candidate] = field(default_factory=set)
    stopped: bool = False
    retries: int = 0
    panics: int = 0
    hedges: int = 0

    @property
    def last(self) -> tuple[Candidate, StepOutcome] | None:
        """The attempt sent last, of those that have ended."""
        if not self.sent:
            return None
        _, candidate, outcome = max(self.sent, key=lambda attempt: attempt[0])
        return candidate, outcome

    def may_panic(self) -> bool:
        """Two or more candidates, all open by failures, and nothing sent."""
        return (
            self.options.panic
            and not self.panics
            and not self.sent
            and not self.under_way
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
        assert step.attempt_number not in self.numbers
        assert 1 + len(self.numbers) >= step.attempt_number
        assert 0.0 <= step.waited_s <= self.idle_s + CLOSE
        assert step.extra == (step.hedge or self.is_retry(step))
        assert step.hedge == bool(self.under_way)
        if candidate in self.untried:
            self.untried.remove(candidate)
            assert not step.panic
            if step.hedge:
                self.check_hedge()
        elif step.panic:
            assert self.may_panic()
            assert self.ready_at.get(candidate, 1e9) == min(
                self.ready_at.get(c, 1e9) for c in self.open
            )
            self.panics += 1
        elif candidate in self.limited:
            assert not self.untried
            self.limited.remove(candidate)
        else:
            self.check_retry(candidate)
        assert self.options.attempt_timeout_s == step.timeout_s
        assert 0.0 < step.time_left_s <= left_s
        assert 0.0 <= step.wait_s < step.time_left_s
        if self.untried or step.panic or step.hedge:
            assert 0.0 == step.wait_s
        if self.untried:
            assert step.time_left_s <= left_s / 2
        self.numbers.add(step.attempt_number)
        self.under_way[step] = self.now

    def is_retry(self, step: Dispatch) -> bool:
        """Whether this provider has been sent an attempt for this request before."""
        return any(candidate == step.candidate for _, candidate, _ in self.sent)

    def check_hedge(self) -> None:
        """Beside one attempt that is slow, once, where that is allowed."""
        ((first, began_at),) = self.under_way.items()

        assert self.options.hedge
        assert not first.hedge
        assert self.hedges == 0
        assert self.now >= began_at + self.slow_after_s[first.candidate.provider] - CLOSE
        self.hedges += 1

    def check_retry(self, candidate: Candidate) -> None:
        """The one further try at the same provider."""
        assert self.last is not None
        last_candidate, last = self.last

        assert last_candidate == candidate
        assert isinstance(last, Failure)
        assert last.retryable
        assert self.options.same_provider_retry
        assert not self.untried
        assert (self.retries, self.panics) == (0, 0)
        assert self.now >= self.ready_at[candidate] - CLOSE
        self.retries += 1

    def check_pause(self, step: Pause) -> None:
        """A wait with a purpose, that ends in time."""
        assert not self.stopped
        assert not self.untried
        assert not self.under_way
        assert 0.0 < step.wait_s <= self.deadline - self.now

    def hear(self, step: Dispatch, outcome: StepOutcome) -> None:
        """Note how a dispatch ended."""
        candidate = step.candidate
        began_at = self.under_way.pop(step)
        if isinstance(outcome, Rejected):
            self.numbers.discard(step.attempt_number)
            self.hear_rejection(step, outcome)
            self.idle_s += self.now - began_at if step.wait_s > 0.0 else 0.0
            return
        self.idle_s = 0.0
        self.sent.append((step.attempt_number, candidate, outcome))
        if isinstance(outcome, Failure):
            delay_s = outcome.retry_after_s
            self.note_ready(candidate, 0.0 if outcome.retryable and delay_s is None else delay_s)
            alone = not (step.hedge and self.under_way)
            self.stopped |= alone and not (outcome.retryable or outcome.elsewhere)
        else:
            self.stopped = True

    def hear_rejection(self, step: Dispatch, outcome: Rejected) -> None:
        """A candidate was not asked after all."""
        candidate = step.candidate
        if outcome.over_budget:
            if step.hedge:
                self.untried.insert(0, candidate)
            return
        self.hedges -= step.hedge
        self.note_ready(candidate, outcome.retry_after_s)
        if outcome.reason is LIMITED and not step.panic:
            self.limited.add(candidate)
            self.full.discard(candidate)
            if outcome.queue_full:
                self.full.add(candidate)
        else:
            self.open[candidate] = outcome.by_failures

    def check_finish(self, error: OperationError | None) -> None:
        """The end, in the words of the contract's last rule on errors."""
        if any(not isinstance(outcome, Failure) for _, _, outcome in self.sent):
            assert error is None
            return
        assert error is not None
        if not self.stopped and self.now > self.deadline - TOO_SHORT_S:
            assert error.type is ErrorType.DEADLINE
            return
        assert self.stopped or not self.untried
        assert not self.may_panic()
        last = self.last
        if last is not None:
            candidate, failure = last
            assert isinstance(failure, Failure)
            if not self.stopped:
                expected = OperationError.of(failure, candidate.provider)
                assert (expected.type, expected.code) == (error.type, error.code)
                assert (expected.provider, expected.scope) == (error.provider, error.scope)
        elif self.candidates and not self.open:
            full = bool(self.limited) and self.limited <= self.full
            assert error.type is (ErrorType.OVERLOADED if full else ErrorType.RATE_LIMIT)
        else:
            assert error.type is ErrorType.PROVIDER_DOWN
        if error.retryable:
            soonest = min(self.ready_at.values(), default=self.now)
            assert abs(max(0.0, soonest - self.now) - (error.retry_after_s or 0.0)) < CLOSE


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
        hedge=draw(st.booleans()),
    ).for_operation(operation)
    assert operation is Operation.GET_ACCOUNTS or not options.same_provider_retry
    assert operation is Operation.GET_ACCOUNTS or not options.hedge
    deadline_s = draw(st.sampled_from([0.1, 1.0, 7.0, 60.0]))
    slow_after_s = draw(st.sampled_from([{}, {"plaid": 0.05, "mx": 0.5, "finicity": 2.0}]))
    model = Model(
        untried=list(order),
        limited={c for c, b in blocked if b.reason is LIMITED},
        open={c: b.by_failures for c, b in blocked if b.reason is not LIMITED},
        ready_at={
            c: STARTED_AT + b.retry_after_s for c, b in blocked if b.retry_after_s is not None
        },
        deadline=STARTED_AT + deadline_s,
        options=options,
        slow_after_s=dict(slow_after_s),
        candidates=len(order) + len(blocked),
    )
    plan = FailoverPlan(
        order,
        blocked,
        started_at=STARTED_AT,
        deadline_s=deadline_s,
        options=options,
        slow_after_s=slow_after_s,
    )
    return plan, model


def ended(model: Model, data: st.DataObject) -> tuple[Dispatch, StepOutcome]:
    """One of the attempts under way, and how it ends, within its time."""
    dispatch = data.draw(st.sampled_from(list(model.under_way)))
    outcome = data.draw(outcomes)
    if isinstance(outcome, Rejected):
        outcome = replace(outcome, over_budget=outcome.over_budget and dispatch.extra)
    longest_s = dispatch.wait_s if isinstance(outcome, Rejected) else dispatch.longest_s
    took_s = longest_s * data.draw(st.sampled_from([0.0, 0.1, 1.0]))
    model.now = max(model.now, model.under_way[dispatch] + took_s)
    return dispatch, outcome


@settings(max_examples=1500, deadline=None, derandomize=True)
@given(beginning=beginnings(), data=st.data())
def test_a_plan_keeps_the_contract_and_ends(
    beginning: tuple[FailoverPlan, Model], data: st.DataObject
) -> None:
    """Attempts, waits, retries, hedges and panic are bounded, and the final error is the contract's."""
    plan, model = beginning
    for _ in range(MOST_STEPS):
        step = plan.next(model.now)
        late_s = data.draw(st.sampled_from([0.0, 0.0, 0.003, 1.0]))
        if isinstance(step, Finish):
            model.check_finish(step.error)
            assert plan.next(model.now + 1000.0) == step
            return
        if isinstance(step, Pause):
            model.check_pause(step)
            model.now += step.wait_s + late_s
            model.idle_s += step.wait_s + late_s
            continue
        if isinstance(step, Dispatch):
            model.check_dispatch(step)
            continue
        assert isinstance(step, Watch)
        assert model.under_way
        if step.wait_s is not None and data.draw(st.booleans()):
            assert step.wait_s > 0.0
            model.now += step.wait_s + late_s
            continue
        dispatch, outcome = ended(model, data)
        model.now += late_s
        model.hear(dispatch, outcome)
        unit_random = data.draw(st.sampled_from([0.0, 0.5, 1.0]))
        plan.record(dispatch, outcome, model.now, unit_random=unit_random)
        assert len(model.sent) == plan.attempts
    raise AssertionError("the plan does not end")


@settings(max_examples=100, deadline=None, derandomize=True)
@given(beginning=beginnings(), delay_s=delays_s, queue_full=st.booleans())
def test_a_plan_whose_candidates_are_always_limited_never_spins(
    beginning: tuple[FailoverPlan, Model], delay_s: float | None, queue_full: bool
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
        assert isinstance(step, Dispatch)
        assert (step.candidate, model.now) not in asked
        asked.add((step.candidate, model.now))
        plan.record(step, Rejected(LIMITED, delay_s, queue_full=queue_full), model.now)
    raise AssertionError("the plan does not end")
