"""One policy through one world, in simulated time, with the real guards and failover plans."""

import heapq
from collections.abc import Iterable, Mapping
from itertools import count
from typing import Final

from models import AttemptOutcome, Policy, SelectionContext
from orchestrator.domain import (
    ErrorScope,
    Failure,
    Lane,
    Operation,
)
from orchestrator.resilience import (
    AdmitRequest,
    BreakerOptions,
    CircuitBoard,
    GuardPermit,
    GuardRejection,
    ProviderGuard,
    Quota,
    RateLimiter,
    Ticket,
)
from orchestrator.routing import (
    Block,
    Candidate,
    Dispatch,
    FailoverPlan,
    Finish,
    Pause,
    PlanOptions,
    Succeeded,
    Watch,
)

from .attempts import CUT, Run, UnderWay, rejected
from .tally import FirstAttempt, Tally
from .world import Answer, Request, World

__all__ = ["BEGAN_AT", "Simulation"]

BEGAN_AT: Final = 1_790_000_000.0
"""Unix time at which every simulated run begins."""

_DEADLINE_S: Final = 30.0
_OBSERVE_EVERY_S: Final = 1.0
_NO_QUOTAS: Final[Mapping[str, tuple[Quota, ...]]] = {}


class Simulation:
    """Runs requests through policy, plan and guards; every call takes its time, none real.

    Args:
        world: what providers do.
        policy: under test; told of every end at the moment it happens.
        quotas: local limits by provider; none where left out.
        breaker: of every circuit; as shipped where left out.
        options: of every plan; as shipped where left out.
        keep_firsts: whether to keep every first attempt for a closer look.
        counted_from_s: requests before are served but not counted: the policies' warm-up.

    """

    def __init__(
        self,
        world: World,
        policy: Policy,
        *,
        quotas: Mapping[str, tuple[Quota, ...]] = _NO_QUOTAS,
        breaker: BreakerOptions | None = None,
        options: PlanOptions | None = None,
        keep_firsts: bool = False,
        counted_from_s: float = 0.0,
    ) -> None:
        self._world = world
        self._policy = policy
        self._limited = bool(quotas)
        self._keep_firsts = keep_firsts
        self._counted_from_s = counted_from_s
        self._guards = {
            name: ProviderGuard(name, CircuitBoard(breaker), RateLimiter(quotas.get(name, ())))
            for name in {provider for provider, _, _ in world.calm}
        }
        plain = options or PlanOptions()
        self._options = {each: plain.for_operation(each) for each in Operation}
        self._asks: dict[tuple[str, str, str, bool, bool], AdmitRequest] = {}
        self._waiting: dict[tuple[str, int], tuple[Run, Dispatch]] = {}
        self._events: list[tuple[float, int, object]] = []
        self._order = count()
        self._next_look_s = 0.0
        self._left: dict[str, float] = {}
        self._log: list[AttemptOutcome] = []
        self.tally = Tally()

    def run(self, requests: Iterable[Request]) -> Tally:
        """Serve them all, to the end of the last; the tally so far."""
        for request in requests:
            self._advance(request.at_s)
            self._arrive(request)
        self._advance(float("inf"))
        return self.tally

    def _advance(self, until_s: float) -> None:
        events = self._events
        while events and events[0][0] <= until_s:
            at_s, _, event = heapq.heappop(events)
            if isinstance(event, UnderWay):
                self._ended(event, at_s)
            elif isinstance(event, Run):
                self._go_on(event, at_s)
            elif isinstance(event, str):
                self._serve(event, at_s)

    def _push(self, at_s: float, event: "UnderWay | Run | str") -> None:
        heapq.heappush(self._events, (at_s, next(self._order), event))

    def _arrive(self, request: Request) -> None:
        now = request.at_s
        if now >= self._next_look_s:
            self._look(now)
        order: list[str] = []
        blocked: list[tuple[Candidate, Block]] = []
        for name in request.candidates:
            objection = self._guards[name].check(self._ask(request), now)
            if objection is None:
                order.append(name)
            else:
                block = Block(objection.reason, objection.retry_after_s, objection.by_failures)
                blocked.append((self._candidate(name, request), block))
        context = SelectionContext(
            operation=request.operation,
            region=request.region,
            institution_id=request.institution_id,
            candidates=tuple(order) or request.candidates,
            at=BEGAN_AT + now,
            lane=request.lane,
            quota_left=self._left if self._limited else None,
        )
        if order:
            decision = self._policy.decide(context)
            order = list(decision.order)
            self.tally.explored += decision.explored
        plan = FailoverPlan(
            tuple([self._candidate(name, request) for name in order]),
            tuple(blocked),
            started_at=now,
            deadline_s=_DEADLINE_S,
            options=self._options[Operation(request.operation)],
        )
        self._go_on(Run(request, context, plan, {}), now)

    def _look(self, now: float) -> None:
        """Once a second: guards let time pass, and their limits are looked at."""
        self._next_look_s = now + _OBSERVE_EVERY_S
        for name, guard in self._guards.items():
            guard.observe(now)
            if self._limited:
                self._left[name] = guard.limiter.remaining_ratio(now)

    def _go_on(self, run: Run, now: float) -> None:
        request = run.request
        while True:
            step = run.plan.next(now)
            if isinstance(step, Dispatch):
                name = step.candidate.provider
                guard = self._guards[name]
                ask = self._ask(request, panic=step.panic, extra=step.extra)
                answer = guard.admit(ask, now, wait_s=step.wait_s)
                if isinstance(answer, GuardPermit):
                    self._send(run, step, answer, now)
                    return
                if isinstance(answer, Ticket):
                    self._waiting[name, answer.id] = (run, step)
                    self._serve_later(name, now)
                    return
                run.plan.record(step, rejected(answer), now)
            elif isinstance(step, Pause):
                self._push(now + step.wait_s, run)
                return
            elif isinstance(step, Finish):
                self._finish(run, step, now)
                return
            elif isinstance(step, Watch):
                return

    def _send(self, run: Run, step: Dispatch, permit: GuardPermit, now: float) -> None:
        name = step.candidate.provider
        again = run.sent.get(name, 0)
        run.sent[name] = again + 1
        answer = self._world.answer(run.request, name, now, again=again)
        longest_s = min(step.timeout_s, step.time_left_s)
        if answer.latency_s > longest_s:
            answer = Answer(longest_s, CUT)
        run.attempts += 1
        self._policy.dispatch(run.context, name, run.attempts, BEGAN_AT + now)
        self._push(now + answer.latency_s, UnderWay(run, step, permit, now, answer))

    def _ended(self, attempt: UnderWay, now: float) -> None:
        run, failure = attempt.run, attempt.answer.failure
        name = attempt.step.candidate.provider
        guard = self._guards[name]
        latency_s = attempt.answer.latency_s
        guard.record(attempt.permit, failure, now, latency_s=latency_s)
        request = run.request
        outcome = AttemptOutcome(
            provider=name,
            operation=request.operation,
            region=request.region,
            institution_id=request.institution_id,
            at=BEGAN_AT + now,
            latency_s=latency_s,
            outcome="success" if failure is None else failure.error_class.value,
            attempt_number=sum(run.sent.values()),
            scope=None if failure is None else failure.scope.value,
        )
        self._policy.observe(outcome)
        if outcome.attempt_number == 1:
            self._note_first(attempt, failure, now)
        run.plan.record(attempt.step, Succeeded if failure is None else failure, now)
        if guard.waiting:
            self._serve(name, now)
        self._go_on(run, now)

    def _note_first(self, attempt: UnderWay, failure: Failure | None, now: float) -> None:
        request, tally = attempt.run.request, self.tally
        users_own = failure is not None and failure.scope is ErrorScope.CONNECTION
        worked = None if users_own else failure is None
        if request.at_s >= self._counted_from_s:
            tally.first_attempts += 1
            # Who tells of a user's error works. Left out, a storm would thin out successes alone.
            tally.first_worked += worked is not False
        if self._keep_firsts:
            tally.firsts.append(
                FirstAttempt(
                    started_s=attempt.began_s,
                    ended_s=now,
                    provider=attempt.step.candidate.provider,
                    operation=request.operation,
                    institution_id=request.institution_id,
                    worked=worked,
                )
            )

    def _finish(self, run: Run, step: Finish, now: float) -> None:
        if run.request.at_s < self._counted_from_s:
            return
        tally = self.tally
        tally.requests += 1
        tally.attempts += run.attempts
        if step.error is not None and step.error.scope is ErrorScope.CONNECTION:
            return
        tally.finished += 1
        if step.error is None:
            tally.finished_well += 1
            tally.time_to_success_s += now - run.request.at_s

    def _serve(self, name: str, now: float) -> None:
        guard = self._guards[name]
        for served in guard.serve(now).served:
            run, step = self._waiting.pop((name, served.ticket))
            if isinstance(served.answer, GuardPermit):
                self._send(run, step, served.answer, now)
            elif isinstance(served.answer, GuardRejection):
                run.plan.record(step, rejected(served.answer), now)
                self._go_on(run, now)
        self._serve_later(name, now)

    def _serve_later(self, name: str, now: float) -> None:
        due_in_s = self._guards[name].due_in_s(now)
        if due_in_s is not None:
            self._push(now + max(due_in_s, 0.001), name)

    def _ask(self, request: Request, *, panic: bool = False, extra: bool = False) -> AdmitRequest:
        key = (request.operation, request.institution_id, request.lane, panic, extra)
        found = self._asks.get(key)
        if found is None:
            found = self._asks[key] = AdmitRequest(
                Operation(request.operation),
                request.institution_id,
                lane=Lane(request.lane),
                panic=panic,
                extra=extra,
            )
        return found

    @staticmethod
    def _candidate(name: str, request: Request) -> Candidate:
        return Candidate(name, None, request.institution_id)
