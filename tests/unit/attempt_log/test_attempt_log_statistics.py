"""Statistics of the last 24 hours."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.attempt_log import AttemptLogStore, LastError, LogStats
from orchestrator.domain import ErrorScope
from tests.support.log_rows import NOW, attempt, change, failed, request


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AttemptLogStore]:
    """An empty log."""
    with AttemptLogStore(tmp_path / "attempts.duckdb") as opened:
        yield opened


def test_an_empty_log_has_empty_statistics(store: AttemptLogStore) -> None:
    """Without rows every rate is None and every count zero."""
    expected = LogStats({}, 0, 0, None, (), 0)

    assert expected == store.stats(NOW.timestamp())


def test_the_success_rate_leaves_out_the_callers_and_users_failures(store: AttemptLogStore) -> None:
    """Failures of scope request and connection count as attempts, and not in the rate."""
    store.append(
        [
            *(attempt(n) for n in range(1, 4)),
            failed(4, "network", ErrorScope.PROVIDER),
            failed(5, "validation", ErrorScope.REQUEST),
            failed(6, "auth", ErrorScope.CONNECTION),
            attempt(7, outcome="network"),
        ]
    )
    plaid = store.stats(NOW.timestamp()).providers["plaid"]

    assert plaid.attempts_24h == 7
    assert pytest.approx(3 / 5) == plaid.success_rate_24h


def test_a_provider_with_nothing_that_counts_has_no_rate(store: AttemptLogStore) -> None:
    """With failures of scope request alone there is no rate and no latency."""
    store.append([failed(1, "validation", ErrorScope.REQUEST)])
    plaid = store.stats(NOW.timestamp()).providers["plaid"]

    assert (
        plaid.attempts_24h,
        plaid.success_rate_24h,
        plaid.avg_ms,
        plaid.p50_ms,
    ) == (1, None, None, None)


def test_latencies_are_those_of_successes(store: AttemptLogStore) -> None:
    """Average and percentiles are over successes; a slow failure does not move them."""
    store.append(
        [
            *(attempt(n, latency_ms=float(n)) for n in range(1, 101)),
            failed(101, "network", ErrorScope.PROVIDER, latency_ms=60_000.0),
        ]
    )
    plaid = store.stats(NOW.timestamp()).providers["plaid"]

    assert (plaid.avg_ms, plaid.p50_ms) == (50.5, 50.5)
    assert pytest.approx(95.05) == plaid.p95_ms
    assert pytest.approx(99.01) == plaid.p99_ms


def test_the_last_error_is_the_latest(store: AttemptLogStore) -> None:
    """The last error is the failure that started last, with its exact time."""
    at = NOW - dt.timedelta(seconds=5, microseconds=1)
    store.append(
        [
            failed(1, "network", ErrorScope.PROVIDER, "LATE", started_at=at),
            failed(2, "auth", ErrorScope.CLIENT, "EARLY", started_at=NOW - dt.timedelta(hours=2)),
            attempt(3, started_at=NOW),
        ]
    )
    stats = store.stats(NOW.timestamp())

    assert LastError("network", "LATE", at) == stats.providers["plaid"].last_error


def test_throttling_is_counted_by_provider(store: AttemptLogStore) -> None:
    """Outcomes rate_limit are counted for the provider that gave them."""
    store.append(
        [
            failed(1, "rate_limit", ErrorScope.CLIENT),
            failed(2, "rate_limit", ErrorScope.CLIENT),
            attempt(3, provider="mx"),
        ]
    )
    providers = store.stats(NOW.timestamp()).providers

    assert {name: p.throttled_24h for name, p in providers.items()} == {"plaid": 2, "mx": 0}


def test_only_the_last_24_hours_count(store: AttemptLogStore) -> None:
    """Rows older than a day, or dated later than now, are in the total and nowhere else."""
    day = dt.timedelta(hours=24)
    store.append(
        [
            attempt(1, started_at=NOW - day),
            attempt(2, started_at=NOW - day + dt.timedelta(microseconds=1)),
            attempt(3, started_at=NOW + dt.timedelta(seconds=1)),
        ],
        [],
        [request(1, at=NOW - day), request(2, at=NOW)],
    )
    stats = store.stats(NOW.timestamp())

    assert (stats.providers["plaid"].attempts_24h, stats.requests_24h, stats.rows) == (1, 1, 3)


def test_the_failover_rate_is_by_requests(store: AttemptLogStore) -> None:
    """Failovers are requests that another provider answered, by all requests."""
    store.append([], [], [request(n, failover=n == 1) for n in range(1, 5)])
    stats = store.stats(NOW.timestamp())

    assert (stats.requests_24h, stats.failovers_24h, stats.failover_rate_24h) == (4, 1, 0.25)


def test_the_last_hundred_circuit_changes_come_newest_first(store: AttemptLogStore) -> None:
    """However old, the latest 100 changes are told, newest first, as they were written."""
    changes = [change(n, at=NOW - dt.timedelta(days=2, seconds=-n)) for n in range(1, 131)]
    store.append([], changes, [])
    stats = store.stats(NOW.timestamp())

    assert tuple(reversed(changes))[:100] == stats.circuit_changes
