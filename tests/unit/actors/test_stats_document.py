"""The document of `GET /admin/stats`."""

from datetime import UTC, datetime
from typing import Any

from actors.stats import stats_document
from orchestrator.attempt_log import LastError, LogStats, ProviderStats
from orchestrator.domain import (
    CircuitChange,
    ErrorClass,
    ErrorScope,
    Failure,
    Operation,
)
from orchestrator.resilience import (
    AdmitRequest,
    CircuitBoard,
    GuardPermit,
    HealthSnapshot,
    ProviderGuard,
    RateLimiter,
)
from tests.support.orders import snapshot_of

AT = datetime(2026, 3, 18, 12, 0, tzinfo=UTC)
INSTITUTION_DOWN = Failure(
    ErrorClass.PROVIDER_DOWN, ErrorScope.INSTITUTION, "INSTITUTION_DOWN", "the bank is down"
)


def _document(health: dict[str, HealthSnapshot | None], log: LogStats) -> dict[str, Any]:
    return stats_document(
        at=AT,
        known_providers=("plaid", "mx"),
        health=health,
        configured=frozenset({"plaid"}),
        log=log,
        pending=3,
        lost=1,
        problem=None,
        model={"version": None, "policy": "priority", "trainedAt": None},
        jobs=[{"jobId": "nightly"}],
    )


def _log(**providers: ProviderStats) -> LogStats:
    change = CircuitChange("c1", AT, "plaid", "provider", "CLOSED", "OPEN", "5 failures")
    return LogStats(providers, 1200, 14, 14 / 1200, (change,), 5321)


def test_unconfigured_provider_is_listed_with_nothing_measured() -> None:
    """List a provider without an actor as not configured, closed, and without figures."""
    shown = _document({"plaid": None}, _log())["providers"]["mx"]

    assert {
        "configured": False,
        "circuitState": "CLOSED",
        "circuits": [],
        "successRate24h": None,
        "attempts24h": 0,
        "avgResponseTimeMs": None,
        "p50Ms": None,
        "p95Ms": None,
        "p99Ms": None,
        "lastError": None,
        "rateLimit": {"remainingRatio": 1.0, "throttled24h": 0},
    } == shown


def test_configured_provider_without_a_picture_stays_configured() -> None:
    """Call a provider configured although its actor has not answered yet."""
    shown = _document({"plaid": None}, _log())["providers"]["plaid"]

    assert shown["configured"] is True


def test_figures_come_from_the_log() -> None:
    """Give the log's rates and times, and the last error in our own words."""
    last = LastError("network", "TIMEOUT", AT)
    measured = ProviderStats("plaid", 1234, 0.998, 210.3, 190.0, 410.0, 800.0, last, 3)
    shown = _document({"plaid": snapshot_of()}, _log(plaid=measured))["providers"]["plaid"]

    assert (0.998, 1234, 210.3, 190.0, 410.0, 800.0, 3) == (
        shown["successRate24h"],
        shown["attempts24h"],
        shown["avgResponseTimeMs"],
        shown["p50Ms"],
        shown["p95Ms"],
        shown["p99Ms"],
        shown["rateLimit"]["throttled24h"],
    )
    assert {
        "type": "network",
        "code": "TIMEOUT",
        "message": "no answer came",
        "at": "2026-03-18T12:00:00.000Z",
    } == shown["lastError"]


def test_narrower_circuits_tell_when_they_opened_and_may_close() -> None:
    """Give the opening and the next try of a narrower circuit as times around now."""
    guard = ProviderGuard("plaid", CircuitBoard(), RateLimiter())
    for _ in range(5):
        permit = guard.admit(AdmitRequest(Operation.GET_ACCOUNTS, "ins_chase"), 0.0)
        assert isinstance(permit, GuardPermit)
        guard.record(permit, INSTITUTION_DOWN, 0.0)
    shown = _document({"plaid": guard.snapshot(20.0, 0.0)}, _log())["providers"]["plaid"]

    assert "CLOSED" == shown["circuitState"]
    assert [
        {
            "scope": "institution:ins_chase",
            "state": "OPEN",
            "openedAt": "2026-03-18T11:59:40.000Z",
            "retryAt": "2026-03-18T12:00:40.000Z",
        }
    ] == shown["circuits"]


def test_the_rest_is_as_the_contract_writes_it() -> None:
    """Give failovers, changes, model and log beside the providers."""
    document = _document({"plaid": None}, _log())

    assert "2026-03-18T12:00:00.000Z" == document["generatedAt"]
    assert {
        "requests24h": 1200,
        "failovers24h": 14,
        "rate24h": 14 / 1200,
    } == document["failover"]
    assert [
        {
            "at": "2026-03-18T12:00:00.000Z",
            "provider": "plaid",
            "scope": "provider",
            "from": "CLOSED",
            "to": "OPEN",
            "reason": "5 failures",
        }
    ] == document["circuitChanges"]
    assert {"rows": 5321, "pending": 3, "lost": 1} == document["attemptLog"]


def test_backfill_jobs_are_told_as_they_stand() -> None:
    """The document hands them on."""
    assert [{"jobId": "nightly"}] == _document({}, _log())["jobs"]
