"""One decision for five candidates, without Ray: the policy's, and the router's around it."""

import time
from collections.abc import Callable
from statistics import median
from typing import Final

from actors.deciding import decide
from benchmarks.results import Figure, Reach, Result
from benchmarks.setting import Setting
from models import AttemptOutcome, SelectionContext, SelectionPolicy
from models.promotion import TrialPolicy
from orchestrator.domain import GetAccountsParams, Operation, OperationRequest
from orchestrator.intake import new_request_id
from orchestrator.routing import (
    Candidate,
    CandidateFacts,
    Dispatch,
    FailoverPlan,
    PlanOptions,
    Succeeded,
)

_PROVIDERS: Final = ("plaid", "mx", "finicity", "belvo", "bitso")
_INSTITUTIONS: Final = tuple(f"ins_benchmark_{number}" for number in range(20))
_AT: Final = 1_790_000_000.0
_SEEN: Final = 2_000
_REACH_CACHED_US: Final = 20.0
_REACH_FRESH_US: Final = 60.0


def run(setting: Setting) -> Result:
    """Measure; see the module."""
    rounds = setting.sized(20_000, 1_000)
    measured: dict[str, list[float]] = {}
    for number in range(setting.runs):
        setting.progress(f"run {number + 1} of {setting.runs}")
        for what, measure in _MEASURES.items():
            measured.setdefault(what, []).append(measure(rounds))
    return Result(
        tuple(
            Figure(what, "µs", tuple(runs), reach=_REACHES.get(what))
            for what, runs in measured.items()
        ),
        notes=(
            f"a run is the median of {rounds:,}, over {len(_INSTITUTIONS)} institutions in turn",
            "fresh: an outcome of one of the candidates was learnt since the last decision",
        ),
    )


def _policy() -> SelectionPolicy:
    """A policy that has seen every provider at every institution."""
    policy = SelectionPolicy.default(seed=0)
    for number in range(_SEEN):
        policy.observe(_outcome(number, _AT - _SEEN + number))
    return policy


def _outcome(number: int, at: float) -> AttemptOutcome:
    return AttemptOutcome(
        provider=_PROVIDERS[number % len(_PROVIDERS)],
        operation="getAccounts",
        region="US",
        institution_id=_INSTITUTIONS[number // len(_PROVIDERS) % len(_INSTITUTIONS)],
        at=at,
        latency_s=0.2,
        outcome="provider_down" if number % 97 == 0 else "success",
        attempt_number=1,
    )


def _context(number: int, at: float) -> SelectionContext:
    return SelectionContext(
        operation="getAccounts",
        region="US",
        institution_id=_INSTITUTIONS[number % len(_INSTITUTIONS)],
        candidates=_PROVIDERS,
        at=at,
    )


def _median_us(rounds: int, timed: Callable[[int], object]) -> float:
    taken_ns = []
    for number in range(rounds):
        began_ns = time.perf_counter_ns()
        timed(number)
        taken_ns.append(time.perf_counter_ns() - began_ns)
    return median(taken_ns) / 1000


def _cached(rounds: int) -> float:
    policy = _policy()
    contexts = [_context(number, _AT) for number in range(len(_INSTITUTIONS))]
    for context in contexts:
        policy.decide(context)
    return _median_us(rounds, lambda number: policy.decide(contexts[number % len(contexts)]))


def _fresh(rounds: int) -> float:
    policy = _policy()
    taken_ns = []
    for number in range(rounds):
        at = _AT + number / 1000
        context = _context(number, at)
        policy.observe(_outcome(number, at))
        began_ns = time.perf_counter_ns()
        policy.decide(context)
        taken_ns.append(time.perf_counter_ns() - began_ns)
    return median(taken_ns) / 1000


def _learnt(rounds: int) -> float:
    policy = _policy()
    outcomes = [_outcome(number, _AT + number / 1000) for number in range(rounds)]
    return _median_us(rounds, lambda number: policy.observe(outcomes[number]))


def _facts(institution_id: str) -> tuple[CandidateFacts, ...]:
    return tuple(
        CandidateFacts(
            Candidate(provider, f"conn_{provider}", institution_id),
            configured=True,
            in_region=True,
            covers_institution=True,
            linked=True,
            needs_user=False,
            block=None,
        )
        for provider in _PROVIDERS
    )


def _request() -> OperationRequest:
    return OperationRequest(
        operation=Operation.GET_ACCOUNTS,
        params=GetAccountsParams(space_id="space_benchmark"),
        request_id=new_request_id(),
        region="US",
    )


def _decided(rounds: int) -> float:
    policy, request = TrialPolicy(_policy()), _request()
    facts = [_facts(institution_id) for institution_id in _INSTITUTIONS]

    def eligible_and_decided(number: int) -> object:
        at = number % len(_INSTITUTIONS)
        return decide(facts[at], policy, request, "US", _INSTITUTIONS[at], at_unix_s=_AT)

    return _median_us(rounds, eligible_and_decided)


def _planned(rounds: int) -> float:
    order = tuple(facts.candidate for facts in _facts(_INSTITUTIONS[0]))
    options = PlanOptions()

    def planned(_: int) -> None:
        plan = FailoverPlan(order, (), started_at=0.0, deadline_s=30.0, options=options)
        step = plan.next(0.0)
        assert isinstance(step, Dispatch)
        plan.record(step, Succeeded, 0.1)
        plan.next(0.1)

    return _median_us(rounds, planned)


_MEASURES: Final[dict[str, Callable[[int], float]]] = {
    "decision, cached": _cached,
    "decision, fresh": _fresh,
    "learning from an outcome": _learnt,
    "eligibility, decision and summary": _decided,
    "a plan of one attempt that succeeds": _planned,
}
_REACHES: Final = {
    "decision, cached": Reach.value_at_most(_REACH_CACHED_US),
    "decision, fresh": Reach.value_at_most(_REACH_FRESH_US),
}
