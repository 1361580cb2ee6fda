"""Rows of the attempt log, as frozen values."""

from dataclasses import dataclass
from datetime import datetime

from .construction import quick_init
from .vocabulary import ErrorScope, Lane, Operation

__all__ = ["SUCCESS", "CircuitChange", "ConnectionAttempt", "RequestRecord"]

SUCCESS = "success"


@quick_init
@dataclass(frozen=True, slots=True)
class ConnectionAttempt:
    """One operation at one provider: a row of table `attempts`, fields in column order.

    `outcome` is `success` or an error class. `propensity` is the probability with which the policy
    put this provider where it was tried first (null for later attempts). `space_hash` stands for
    the tenant, who is never named here. `http_calls` is null where nobody lived to count them: the
    attempt may never have left. `node_id` names the process that made it, null where only a router
    tells of it.
    """

    attempt_id: str
    request_id: str
    job_id: str | None
    operation: Operation
    provider: str
    region: str
    institution_id: str | None
    space_hash: str
    connection_id: str | None
    attempt_number: int
    hedge: bool
    started_at: datetime
    latency_ms: float
    waited_ms: float
    http_calls: int | None
    outcome: str
    error_code: str | None
    error_scope: ErrorScope | None
    http_status: int | None
    provider_request_id: str | None
    circuit_state: str
    priority: Lane
    failover: bool
    candidates: tuple[str, ...]
    eligible: tuple[str, ...]
    propensity: float | None
    score: float | None
    policy: str
    model_version: str | None
    items: int | None
    node_id: str | None


@dataclass(frozen=True, slots=True)
class CircuitChange:
    """A circuit went from one state to another: a row of table `circuit_changes`."""

    change_id: str
    at: datetime
    provider: str
    scope: str
    from_state: str
    to_state: str
    reason: str


@quick_init
@dataclass(frozen=True, slots=True)
class RequestRecord:
    """How a whole request ended: a row of table `requests`.

    `outcome` is `success` or an error type. `story` is the request's decision and attempts as JSON
    text, what `explain` tells from.
    """

    request_id: str
    at: datetime
    operation: Operation
    region: str
    outcome: str
    provider: str | None
    attempts: int
    failover: bool
    total_ms: float
    story: str
