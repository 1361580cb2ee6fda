"""What the last 24 hours look like, out of the log."""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

import duckdb

from orchestrator.domain import CircuitChange, from_unix

__all__ = ["LastError", "LogStats", "ProviderStats", "read_stats"]

_WINDOW: Final = dt.timedelta(hours=24)
_CIRCUIT_CHANGES: Final = 100

_PROVIDERS_SQL: Final = """
    select
        provider,
        count(*),
        count(*) filter (where outcome = 'success')
            / nullif(count(*) filter (
                where error_scope is null or error_scope not in ('request', 'connection')), 0),
        avg(latency_ms) filter (where outcome = 'success'),
        quantile_cont(latency_ms, [0.5, 0.95, 0.99]) filter (where outcome = 'success'),
        count(*) filter (where outcome = 'rate_limit'),
        arg_max(
            {'type': outcome, 'code': error_code, 'at_us': epoch_us(started_at)}, started_at
        ) filter (where outcome <> 'success')
    from attempts
    where started_at > ? and started_at <= ?
    group by provider
    order by provider
"""
_REQUESTS_SQL: Final = """
    select count(*), count(*) filter (where failover)
    from requests
    where "at" > ? and "at" <= ?
"""
_CHANGES_SQL: Final = """
    select change_id, epoch_us("at"), provider, scope, from_state, to_state, reason
    from circuit_changes
    order by "at" desc, change_id desc
    limit ?
"""
_ROWS_SQL: Final = "select count(*) from attempts"


@dataclass(frozen=True, slots=True)
class LastError:
    """A provider's latest failed attempt. `type` is its error class."""

    type: str
    code: str | None
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class ProviderStats:
    """One provider's attempts of the last 24 hours.

    `success_rate_24h` (0 to 1) leaves out failures of scope request and connection, and is None
    without any other attempt. Latencies are over successes, None where there are none.
    """

    provider: str
    attempts_24h: int
    success_rate_24h: float | None
    avg_ms: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    last_error: LastError | None
    throttled_24h: int


@dataclass(frozen=True, slots=True)
class LogStats:
    """The log's part of the statistics.

    `providers` holds those with attempts in the last 24 hours. `failover_rate_24h` is failovers by
    requests, None without requests. `circuit_changes` are the last 100 ever, newest first. `rows`
    counts all attempts.
    """

    providers: dict[str, ProviderStats]
    requests_24h: int
    failovers_24h: int
    failover_rate_24h: float | None
    circuit_changes: tuple[CircuitChange, ...]
    rows: int


def read_stats(connection: duckdb.DuckDBPyConnection, now_unix_s: float) -> LogStats:
    """Statistics as of a time; rows dated later do not count.

    Raises:
        duckdb.Error: the file cannot be read.

    """
    until = from_unix(now_unix_s)
    window = [until - _WINDOW, until]
    ((requests, failovers),) = connection.execute(_REQUESTS_SQL, window).fetchall()
    ((rows,),) = connection.execute(_ROWS_SQL).fetchall()
    return LogStats(
        providers={
            row[0]: _provider_stats(row)
            for row in connection.execute(_PROVIDERS_SQL, window).fetchall()
        },
        requests_24h=requests,
        failovers_24h=failovers,
        failover_rate_24h=failovers / requests if requests else None,
        circuit_changes=tuple(
            CircuitChange(change_id, _time(at_us), provider, scope, from_state, to_state, reason)
            for change_id, at_us, provider, scope, from_state, to_state, reason in (
                connection.execute(_CHANGES_SQL, [_CIRCUIT_CHANGES]).fetchall()
            )
        ),
        rows=rows,
    )


def _provider_stats(row: tuple[Any, ...]) -> ProviderStats:
    provider, attempts, rate, average, quantiles, throttled, last = row
    p50, p95, p99 = quantiles or (None, None, None)
    return ProviderStats(
        provider=provider,
        attempts_24h=attempts,
        success_rate_24h=rate,
        avg_ms=average,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        last_error=_last_error(last),
        throttled_24h=throttled,
    )


def _last_error(last: object) -> LastError | None:
    if not isinstance(last, dict):
        return None
    return LastError(type=last["type"], code=last["code"], at=_time(last["at_us"]))


def _time(unix_us: int) -> dt.datetime:
    # Whole microseconds, so that what is read equals what was written.
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=unix_us)
