"""The log's row of an attempt, out of the order for it and how it went."""

from dataclasses import dataclass
from datetime import datetime

from actors.messages import AttemptOrder
from orchestrator.domain import (
    SUCCESS,
    AccountsData,
    ConnectionAttempt,
    Failure,
    OperationData,
    TransactionsData,
)

__all__ = ["Measured", "attempt_row"]


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured while an attempt ran."""

    started_at: datetime
    latency_ms: float
    waited_ms: float
    http_calls: int | None
    http_status: int | None
    provider_request_id: str | None
    circuit_state: str


def _items(outcome: OperationData) -> int | None:
    if isinstance(outcome, AccountsData):
        return len(outcome.accounts)
    if isinstance(outcome, TransactionsData):
        return len(outcome.transactions)
    return None


def attempt_row(
    order: AttemptOrder,
    provider: str,
    outcome: OperationData | Failure,
    measured: Measured,
    *,
    connection_id: str | None,
    node_id: str | None,
) -> ConnectionAttempt:
    """The row of table `attempts`."""
    failure = outcome if isinstance(outcome, Failure) else None
    status = measured.http_status
    if failure is not None and failure.http_status is not None:
        status = failure.http_status
    return ConnectionAttempt(
        attempt_id=order.attempt_id,
        request_id=order.request_id,
        job_id=order.job_id,
        operation=order.operation,
        provider=provider,
        region=order.region,
        institution_id=order.institution_id,
        space_hash=order.space_hash,
        connection_id=connection_id,
        attempt_number=order.attempt_number,
        hedge=order.hedge,
        started_at=measured.started_at,
        latency_ms=measured.latency_ms,
        waited_ms=measured.waited_ms,
        http_calls=measured.http_calls,
        outcome=SUCCESS if failure is None else failure.error_class.value,
        error_code=None if failure is None else failure.code,
        error_scope=None if failure is None else failure.scope,
        http_status=status,
        provider_request_id=measured.provider_request_id,
        circuit_state=measured.circuit_state,
        priority=order.lane,
        failover=order.failover,
        candidates=order.candidates,
        eligible=order.eligible,
        propensity=order.propensity,
        score=order.score,
        policy=order.policy,
        model_version=order.model_version,
        items=None if isinstance(outcome, Failure) else _items(outcome),
        node_id=node_id,
    )
