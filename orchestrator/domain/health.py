"""A provider's part of `GET /admin/stats`."""

from dataclasses import dataclass
from datetime import datetime

from .vocabulary import CircuitState

__all__ = ["CircuitStanding", "LastError", "ProviderHealthStatus", "RateLimitStanding"]


@dataclass(frozen=True, slots=True)
class CircuitStanding:
    """A narrower circuit that is not closed. Times are estimates from durations."""

    scope: str
    state: CircuitState
    opened_at: datetime | None
    retry_at: datetime | None


@dataclass(frozen=True, slots=True)
class LastError:
    """The provider's last failed attempt."""

    type: str
    code: str
    message: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RateLimitStanding:
    """How much of the fullest limit is left, and how often it was reached in 24 hours."""

    remaining_ratio: float
    throttled24h: int


@dataclass(frozen=True, slots=True)
class ProviderHealthStatus:
    """How a provider stands. Times in milliseconds are over successes of 24 hours, None without.

    `success_rate24h` leaves out failures that were the request's or the connection's own.
    """

    configured: bool
    circuit_state: CircuitState
    circuits: tuple[CircuitStanding, ...]
    success_rate24h: float | None
    attempts24h: int
    avg_response_time_ms: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    last_error: LastError | None
    rate_limit: RateLimitStanding
