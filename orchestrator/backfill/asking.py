"""Asking for an item: whatever goes wrong on the way is an answer, too."""

from collections.abc import Awaitable, Callable

from orchestrator.domain import (
    DecisionSummary,
    ErrorType,
    OperationError,
    OperationRequest,
    OperationResult,
    OrchestratorError,
    RequestRefused,
    typed_result,
)

from .plan import BackfillPlan
from .verdicts import OpenItem

__all__ = ["Asker", "Execute", "RequestOf"]

Execute = Callable[[OperationRequest], Awaitable[OperationResult]]
"""Serves one request; failures are results."""
RequestOf = Callable[[BackfillPlan, OpenItem], OperationRequest]
"""Makes the next request of an item.

Raises:
    RequestRefused: it cannot be asked for.
"""


class Asker:
    """Asks for a job's items.

    Args:
        plan: of the job.
        execute: serves requests.
        request_of: makes them.

    """

    def __init__(self, plan: BackfillPlan, execute: Execute, request_of: RequestOf) -> None:
        self._plan = plan
        self._execute = execute
        self._request_of = request_of

    async def answer(self, asked: OpenItem) -> OperationResult:
        """What is answered to the item's next request."""
        try:
            return typed_result(await self._execute(self._request_of(self._plan, asked)))
        except RequestRefused as refusal:
            return self._unanswered(refusal.error)
        except OrchestratorError as error:
            lost = OperationError(ErrorType.NETWORK, "ROUTER_LOST", str(error))
            return self._unanswered(lost)

    def _unanswered(self, error: OperationError) -> OperationResult:
        return OperationResult(
            success=False,
            request_id="",
            operation=self._plan.operation,
            provider=None,
            failover_used=False,
            data=None,
            error=error,
            attempts=(),
            decision=DecisionSummary("none", None, ()),
        )
