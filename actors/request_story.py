"""What happens to one request while it is served, and what is kept of it."""

from dataclasses import dataclass, field
from typing import Final

import orjson

from actors.messages import AttemptOrder, AttemptReply
from orchestrator.domain import (
    SUCCESS,
    AttemptSummary,
    DecisionSummary,
    EncodedData,
    Failure,
    OperationData,
    OperationError,
    OperationRequest,
    OperationResult,
    RequestRecord,
    from_unix,
    to_wire,
)

__all__ = ["RequestStory"]

_UNDECIDED: Final = DecisionSummary("none", None, ())


@dataclass(slots=True)
class RequestStory:
    """One request's way through the router. `started_s` is monotonic, `at_unix_s` wall time.

    `first_provider` is where attempt 1 went.
    """

    request: OperationRequest
    started_s: float
    at_unix_s: float
    region: str
    decision: DecisionSummary = _UNDECIDED
    attempts: list[AttemptSummary] = field(default_factory=list)
    first_provider: str | None = None
    provider: str | None = None
    data: OperationData | EncodedData | None = None
    refusal: OperationError | None = None
    in_doubt: bool = False

    def add(self, order: AttemptOrder, provider: str, reply: AttemptReply) -> None:
        """Note an attempt that was made."""
        failure = reply.outcome if isinstance(reply.outcome, Failure) else None
        self.attempts.append(
            AttemptSummary(
                attempt_id=order.attempt_id,
                attempt_number=order.attempt_number,
                provider=provider,
                outcome=SUCCESS if failure is None else failure.error_class.value,
                error_code=None if failure is None else failure.code,
                error_scope=None if failure is None else failure.scope,
                latency_ms=round(reply.latency_ms, 3),
                waited_ms=round(reply.waited_ms, 3),
                hedge=order.hedge,
            )
        )

    def answered(self, provider: str, data: OperationData | EncodedData) -> None:
        """Note the answer; of two that come at once the first is it."""
        if self.data is None:
            self.provider = provider
            self.data = data

    def result(self, error: OperationError | None) -> OperationResult:
        """What the caller gets."""
        attempts = tuple(sorted(self.attempts, key=lambda attempt: attempt.attempt_number))
        first = attempts[0].provider if attempts else None
        return OperationResult(
            success=error is None,
            request_id=self.request.request_id,
            operation=self.request.operation,
            provider=self.provider,
            failover_used=error is None and first is not None and self.provider != first,
            data=self.data if error is None else None,
            error=error,
            attempts=attempts,
            decision=self.decision,
        )

    def record(self, result: OperationResult, now_s: float) -> RequestRecord:
        """The row of table `requests`; its story holds no data and no secret."""
        story = {
            "requestId": result.request_id,
            "operation": result.operation.value,
            "region": self.region,
            "preferredProvider": self.request.preferred_provider,
            "priority": self.request.lane.value,
            "deadlineMs": self.request.deadline_ms,
            "success": result.success,
            "provider": result.provider,
            "failoverUsed": result.failover_used,
            "error": to_wire(result.error),
            "attempts": to_wire(result.attempts),
            "decision": to_wire(result.decision),
        }
        return RequestRecord(
            request_id=result.request_id,
            at=from_unix(self.at_unix_s),
            operation=result.operation,
            region=self.region,
            outcome=SUCCESS if result.error is None else result.error.type.value,
            provider=result.provider,
            attempts=len(result.attempts),
            failover=result.failover_used,
            total_ms=(now_s - self.started_s) * 1000,
            story=orjson.dumps(story).decode(),
        )
