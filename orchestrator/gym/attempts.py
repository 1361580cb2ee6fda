"""Requests and attempts on their way through a simulation."""

from dataclasses import dataclass
from typing import Final

from models import SelectionContext
from orchestrator.domain import ErrorClass, ErrorScope, Failure
from orchestrator.resilience import CALL_BUDGET, QUEUE_FULL, GuardPermit, GuardRejection
from orchestrator.routing import Dispatch, FailoverPlan, Rejected

from .world import Answer, Request

__all__ = ["CUT", "Run", "UnderWay", "rejected"]

CUT: Final = Failure(
    ErrorClass.NETWORK, ErrorScope.PROVIDER, "DEADLINE", "the request's deadline came first"
)


@dataclass(slots=True)
class Run:
    """One request on its way."""

    request: Request
    context: SelectionContext
    plan: FailoverPlan
    sent: dict[str, int]
    attempts: int = 0


@dataclass(slots=True)
class UnderWay:
    """An attempt that was sent."""

    run: Run
    step: Dispatch
    permit: GuardPermit
    began_s: float
    answer: Answer


def rejected(answer: GuardRejection) -> Rejected:
    """A guard's refusal, as the plan takes it."""
    return Rejected(
        reason=answer.reason,
        retry_after_s=answer.retry_after_s,
        by_failures=answer.by_failures,
        over_budget=answer.code == CALL_BUDGET,
        queue_full=answer.code == QUEUE_FULL,
    )
