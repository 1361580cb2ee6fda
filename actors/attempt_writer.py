"""The log's row of an attempt, out of the order for it and how it went."""

from datetime import datetime
from typing import NamedTuple

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


class Measured(NamedTuple):
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
    # By place, as this is made twice for every call: names would cost a third more.
    return ConnectionAttempt(
        order.attempt_id,
        order.request_id,
        order.job_id,
        order.operation,
        provider,
        order.region,
        order.institution_id,
        order.space_hash,
        connection_id,
        order.attempt_number,
        order.hedge,
        measured.started_at,
        measured.latency_ms,
        measured.waited_ms,
        measured.http_calls,
        SUCCESS if failure is None else failure.error_class.value,
        None if failure is None else failure.code,
        None if failure is None else failure.scope,
        status,
        measured.provider_request_id,
        measured.circuit_state,
        order.lane,
        order.failover,
        order.candidates,
        order.eligible,
        order.propensity,
        order.score,
        order.policy,
        order.model_version,
        None if isinstance(outcome, Failure) else _items(outcome),
        node_id,
    )
