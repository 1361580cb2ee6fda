"""Rows as a provider's and a router's process spool them, for benchmarks of the log."""

from datetime import datetime
from typing import Final
from uuid import uuid4

import orjson

from orchestrator.domain import ConnectionAttempt, Lane, Operation, RequestRecord

__all__ = ["ended_attempt", "request_of"]

_STORY: Final = orjson.dumps(
    {
        "requestId": f"req_{uuid4().hex}",
        "operation": "getAccounts",
        "region": "US",
        "preferredProvider": None,
        "priority": "interactive",
        "deadlineMs": 30_000,
        "success": True,
        "provider": "plaid",
        "failoverUsed": False,
        "error": None,
        "attempts": [
            {
                "attemptId": str(uuid4()),
                "attemptNumber": 1,
                "provider": "plaid",
                "outcome": "success",
                "errorCode": None,
                "errorScope": None,
                "latencyMs": 51.25,
                "waitedMs": 0.1,
                "hedge": False,
            }
        ],
        "decision": {
            "policy": "adaptive",
            "modelVersion": "2026-03-01",
            "candidates": [
                {
                    "provider": provider,
                    "score": 0.97,
                    "propensity": 0.33,
                    "eligible": True,
                    "reason": None,
                }
                for provider in ("plaid", "mx", "finicity")
            ],
        },
    }
).decode()


def ended_attempt(at: datetime) -> ConnectionAttempt:
    """A successful attempt with ids of its own."""
    return ConnectionAttempt(
        attempt_id=str(uuid4()),
        request_id=f"req_{uuid4().hex}",
        job_id=None,
        operation=Operation.GET_ACCOUNTS,
        provider="plaid",
        region="US",
        institution_id="ins_chase",
        space_hash=uuid4().hex,
        connection_id=f"conn_{uuid4().hex}",
        attempt_number=1,
        hedge=False,
        started_at=at,
        latency_ms=51.25,
        waited_ms=0.1,
        http_calls=1,
        outcome="success",
        error_code=None,
        error_scope=None,
        http_status=200,
        provider_request_id=uuid4().hex[:16],
        circuit_state="CLOSED",
        priority=Lane.INTERACTIVE,
        failover=False,
        candidates=("plaid", "mx", "finicity"),
        eligible=("plaid", "mx", "finicity"),
        propensity=0.98,
        score=0.97,
        policy="adaptive",
        model_version="2026-03-01",
        items=3,
        node_id="host:1234",
    )


def request_of(attempt: ConnectionAttempt) -> RequestRecord:
    """The record of a request that one attempt answered."""
    return RequestRecord(
        request_id=attempt.request_id,
        at=attempt.started_at,
        operation=attempt.operation,
        region=attempt.region,
        outcome=attempt.outcome,
        provider=attempt.provider,
        attempts=1,
        failover=False,
        total_ms=attempt.latency_ms,
        story=_STORY,
    )
