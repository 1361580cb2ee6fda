"""The document of `GET /admin/stats`, out of health snapshots and the attempt log. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from orchestrator.domain import (
    CircuitStanding,
    CircuitState,
    ErrorClass,
    Json,
    LastError,
    ProviderHealthStatus,
    RateLimitStanding,
    rfc3339,
    to_wire,
)
from orchestrator.resilience import HealthSnapshot

if TYPE_CHECKING:
    from orchestrator.attempt_log import LogStats, ProviderStats

__all__ = ["provider_status", "stats_document"]

_MEANING: Final[Mapping[str, str]] = {
    ErrorClass.AUTH: "credentials or consent were refused",
    ErrorClass.RATE_LIMIT: "a rate limit was reached",
    ErrorClass.NETWORK: "no answer came",
    ErrorClass.PROVIDER_DOWN: "the provider or the institution failed",
    ErrorClass.VALIDATION: "the request was refused",
}


def provider_status(
    at: datetime, snapshot: HealthSnapshot | None, logged: "ProviderStats | None"
) -> ProviderHealthStatus:
    """How one provider stands; without a snapshot it is not configured, or was never reached."""
    last = None if logged is None else logged.last_error
    return ProviderHealthStatus(
        configured=snapshot is not None,
        circuit_state=CircuitState.CLOSED if snapshot is None else snapshot.state,
        circuits=() if snapshot is None else _narrower(at, snapshot),
        success_rate24h=None if logged is None else logged.success_rate_24h,
        attempts24h=0 if logged is None else logged.attempts_24h,
        avg_response_time_ms=None if logged is None else logged.avg_ms,
        p50_ms=None if logged is None else logged.p50_ms,
        p95_ms=None if logged is None else logged.p95_ms,
        p99_ms=None if logged is None else logged.p99_ms,
        last_error=None
        if last is None
        else LastError(
            type=last.type, code=last.code or "", message=_MEANING.get(last.type, ""), at=last.at
        ),
        rate_limit=RateLimitStanding(
            remaining_ratio=1.0 if snapshot is None else round(snapshot.limiter.remaining_ratio, 4),
            throttled24h=max(
                0 if snapshot is None else snapshot.limiter.throttled_24h,
                0 if logged is None else logged.throttled_24h,
            ),
        ),
    )


def _narrower(at: datetime, snapshot: HealthSnapshot) -> tuple[CircuitStanding, ...]:
    return tuple(
        CircuitStanding(
            scope=circuit.scope,
            state=circuit.state,
            opened_at=_shifted(at, circuit.opened_for_s, -1),
            retry_at=_shifted(at, circuit.retry_after_s, 1),
        )
        for circuit in snapshot.circuits.narrower
    )


def _shifted(at: datetime, seconds: float | None, sign: int) -> datetime | None:
    return None if seconds is None else at + sign * timedelta(seconds=seconds)


def stats_document(
    *,
    at: datetime,
    known_providers: tuple[str, ...],
    health: Mapping[str, HealthSnapshot | None],
    configured: frozenset[str],
    log: "LogStats | None",
    pending: int,
    lost: int,
    problem: str | None,
    model: dict[str, Json],
    jobs: list[Json],
) -> dict[str, Json]:
    """The whole document.

    Args:
        at: now.
        known_providers: every provider is listed, configured or not.
        health: latest snapshots of the configured ones.
        configured: those that have an actor.
        log: the last 24 hours; None while the log cannot be read.
        pending: rows that the log has not committed.
        lost: rows that were dropped or damaged.
        problem: why the log commits nothing, None where it does.
        model: the active model.
        jobs: the backfill jobs, the latest started first.

    """
    providers: dict[str, Json] = {}
    for name in known_providers:
        logged = None if log is None else log.providers.get(name)
        wire = to_wire(provider_status(at, health.get(name), logged))
        if isinstance(wire, dict):
            providers[name] = {**wire, "configured": name in configured}
    return {
        "generatedAt": rfc3339(at),
        "providers": providers,
        "failover": {
            "requests24h": None if log is None else log.requests_24h,
            "failovers24h": None if log is None else log.failovers_24h,
            "rate24h": None if log is None else log.failover_rate_24h,
        },
        "circuitChanges": [
            {
                "at": rfc3339(change.at),
                "provider": change.provider,
                "scope": change.scope,
                "from": change.from_state,
                "to": change.to_state,
                "reason": change.reason,
            }
            for change in (() if log is None else log.circuit_changes)
        ],
        "model": model,
        "jobs": jobs,
        "attemptLog": {
            "rows": None if log is None else log.rows,
            "pending": pending,
            "lost": lost,
            **({} if problem is None else {"problem": problem}),
        },
    }
