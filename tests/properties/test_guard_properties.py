"""The gate and its queue under any order of callers: nothing leaks, nobody is forgotten, no bound is broken."""

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from orchestrator.domain import ErrorClass, ErrorScope, Failure, Lane, Operation
from orchestrator.resilience import (
    AdmitRequest,
    BreakerOptions,
    Bulkheads,
    CircuitBoard,
    GuardPermit,
    GuardRejection,
    Lanes,
    Leave,
    ProviderGuard,
    Quota,
    QuotaScope,
    RateLimiter,
    Ticket,
    VendorCall,
)

ENDPOINTS = ("accounts", "sync")
CONNECTIONS = ("con_a", "con_b", None)
INSTITUTIONS = ("ins_a", "ins_b", None)
MOST, MOST_OF_BANK, MOST_BACKFILL, MOST_WAITING = 5, 3, 3, 4
LEASE_S = 300.0

quotas = st.lists(
    st.builds(
        Quota,
        scope=st.sampled_from(QuotaScope),
        calls=st.integers(1, 5),
        window_s=st.sampled_from([1.0, 5.0, 20.0]),
        endpoint=st.sampled_from((None, *ENDPOINTS)),
    ),
    max_size=3,
)
requests = st.builds(
    AdmitRequest,
    operation=st.sampled_from([Operation.GET_ACCOUNTS, Operation.SYNC_TRANSACTIONS]),
    institution_id=st.sampled_from(INSTITUTIONS),
    connection_id=st.sampled_from(CONNECTIONS),
    endpoint=st.sampled_from(ENDPOINTS),
    lane=st.sampled_from(Lane),
    space=st.sampled_from(["s1", "s2"]),
    panic=st.booleans(),
    extra=st.booleans(),
)
outcomes = st.none() | st.builds(
    Failure,
    error_class=st.sampled_from(ErrorClass),
    scope=st.sampled_from(ErrorScope),
    code=st.just("CODE"),
    message=st.just("made for a test"),
    retry_after_s=st.sampled_from([None, 2.0]),
)


@dataclass
class Waiting:
    """Somebody in the queue, as the test knows it."""

    subject: AdmitRequest | GuardPermit
    call: VendorCall
    deadline: float


class GuardMachine(RuleBasedStateMachine):
    """Callers come, wait, give up, go on, report or die; a shell serves when it is due."""

    @initialize(held=quotas)
    def start(self, held: list[Quota]) -> None:
        """Begin with nobody."""
        self.held = held
        self.guard = ProviderGuard(
            "plaid",
            CircuitBoard(
                BreakerOptions(failure_threshold=3, timeout_s=8.0, permit_lease_s=LEASE_S)
            ),
            RateLimiter(held),
            bulkheads=Bulkheads(
                MOST,
                most_per_institution=MOST_OF_BANK,
                most_backfill=MOST_BACKFILL,
                lease_s=LEASE_S,
            ),
            lanes=Lanes(MOST_WAITING),
        )
        self.now = 0.0
        self.waiting: dict[int, Waiting] = {}
        self.out: dict[int, tuple[GuardPermit, float]] = {}
        self.sent: list[tuple[float, VendorCall]] = []
        self.attempts: list[tuple[float, bool]] = []

    def admitted(self, permit: GuardPermit) -> None:
        """An attempt goes out with its first call."""
        assert permit.id not in self.out
        self.out[permit.id] = (permit, self.now)
        self.sent.append((self.now, permit.request.call))
        self.attempts.append((self.now, permit.request.extra))

    def serve(self) -> None:
        """Do what the shell does: every wait ends once, and nobody who could go stays."""
        for served in self.guard.serve(self.now).served:
            waiter = self.waiting.pop(served.ticket)
            if isinstance(served.answer, GuardPermit):
                assert served.answer.request == waiter.subject
                self.admitted(served.answer)
            elif isinstance(served.answer, Leave):
                assert isinstance(waiter.subject, GuardPermit)
                self.sent.append((self.now, waiter.call))
        for waiter in self.waiting.values():
            assert waiter.deadline > self.now
            if isinstance(waiter.subject, GuardPermit):
                assert self.guard.limiter.check(waiter.call, self.now) is not None
            elif self.guard.check(waiter.subject, self.now) is None:
                raise AssertionError(f"could go and was left: {waiter}")

    @rule(seconds=st.sampled_from([0.0, 0.5, 2.0, 10.0]))
    def wait(self, seconds: float) -> None:
        """Time passes; the shell wakes whenever it is due."""
        until = self.now + seconds
        while (due_s := self.guard.due_in_s(self.now)) is not None and self.now + due_s <= until:
            self.now += max(due_s, 1e-9)
            self.serve()
        self.now = max(self.now, until)

    @rule(request=requests, wait_s=st.sampled_from([0.0, 3.0, 30.0]))
    def come(self, request: AdmitRequest, wait_s: float) -> None:
        """A caller asks; what is told beforehand is what happens."""
        self.serve()
        objection = self.guard.check(request, self.now, wait_s=wait_s)
        answer = self.guard.admit(request, self.now, wait_s=wait_s)
        if isinstance(answer, GuardPermit):
            assert objection is None
            self.admitted(answer)
        elif isinstance(answer, Ticket):
            assert objection is None
            assert wait_s > 0.0
            self.waiting[answer.id] = Waiting(request, request.call, self.now + wait_s)
        else:
            assert objection is not None
            assert (objection.code, objection.retry_after_s) == (answer.code, answer.retry_after_s)
        self.serve()

    @precondition(lambda self: self.out)
    @rule(
        data=st.data(),
        endpoint=st.sampled_from(ENDPOINTS),
        wait_s=st.sampled_from([0.0, 3.0, 30.0]),
    )
    def page(self, data: st.DataObject, endpoint: str, wait_s: float) -> None:
        """An attempt under way needs another call."""
        permit, _ = self.out[data.draw(st.sampled_from(sorted(self.out)))]
        call = VendorCall(
            endpoint,
            permit.request.connection_id,
            permit.request.institution_id,
            permit.request.lane,
        )
        answer = self.guard.proceed(permit, endpoint, self.now, wait_s=wait_s)
        if isinstance(answer, Leave):
            self.sent.append((self.now, call))
        elif isinstance(answer, Ticket):
            self.waiting[answer.id] = Waiting(permit, call, self.now + wait_s)
        else:
            assert isinstance(answer, GuardRejection)
        self.serve()

    @precondition(lambda self: self.out)
    @rule(data=st.data(), outcome=outcomes)
    def report(self, data: st.DataObject, outcome: Failure | None) -> None:
        """An attempt ends; its pages that wait give up first."""
        permit, _ = self.out.pop(data.draw(st.sampled_from(sorted(self.out))))
        for ticket in [t for t, waiter in self.waiting.items() if waiter.subject is permit]:
            self.leave(ticket)
        self.guard.record(permit, outcome, self.now)
        self.serve()

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        """Whoever waited is gone."""
        self.leave(data.draw(st.sampled_from(sorted(self.waiting))))

    def leave(self, ticket: int) -> None:
        """Give up one wait."""
        self.guard.give_up(Ticket(ticket), self.now)
        del self.waiting[ticket]

    @precondition(lambda self: self.out)
    @rule()
    def crash(self) -> None:
        """Everybody dies."""
        self.die()

    def die(self) -> None:
        """Nobody says a word, and leases end."""
        for ticket in list(self.waiting):
            self.leave(ticket)
        self.out.clear()
        self.now += LEASE_S
        self.serve()

    @invariant()
    def bounds_hold(self) -> None:
        """Places, lanes, and who is counted where."""
        if not hasattr(self, "guard"):
            return
        permits = [p for p, at in self.out.values() if self.now < at + LEASE_S]
        assert len(permits) >= self.guard.in_flight <= MOST
        assert self.guard.waiting == len(self.waiting)
        banks = [permit.request.institution_id for permit in permits]
        assert all(banks.count(bank) <= MOST_OF_BANK for bank in set(banks) - {None})
        assert sum(p.request.lane is Lane.BACKFILL for p in permits) <= MOST_BACKFILL
        for lane in Lane:
            entrants = [w for w in self.waiting.values() if isinstance(w.subject, AdmitRequest)]
            assert sum(w.call.lane is lane for w in entrants) <= MOST_WAITING

    def limits_held(self) -> None:
        """No window of any quota ever held more than it may."""
        for quota in self.held:
            times: dict[str | None, list[float]] = {}
            for at, call in self.sent:
                if quota.endpoint not in (None, call.endpoint):
                    continue
                if quota.scope is QuotaScope.CLIENT:
                    times.setdefault(None, []).append(at)
                elif call.connection_id is not None:
                    times.setdefault(call.connection_id, []).append(at)
            for each in times.values():
                for early, late in zip(each, each[quota.calls :], strict=False):
                    assert late - early >= quota.counted_s - 1e-6

    def the_call_budget_held(self) -> None:
        """In any minute, attempts ≤ 1.2 x requests + 3."""
        for begin, _ in self.attempts:
            minute = [extra for at, extra in self.attempts if begin <= at <= begin + 60.0]
            assert len(minute) <= 1.2 * minute.count(False) + 3 + 1e-9

    def teardown(self) -> None:
        """Looking back, no bound was broken; with everybody gone nothing is held."""
        if not hasattr(self, "guard"):
            return
        self.limits_held()
        self.the_call_budget_held()
        self.die()
        assert 0 == self.guard.waiting == self.guard.in_flight
        assert self.guard.due_in_s(self.now) is None
        assert {} == self.guard._subjects == self.guard._gate._last_calls


TestGuard = GuardMachine.TestCase
TestGuard.settings = settings(
    max_examples=120, stateful_step_count=40, deadline=None, derandomize=True
)
