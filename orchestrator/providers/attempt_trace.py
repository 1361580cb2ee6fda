"""What one attempt leaves behind at the HTTP layer: its calls, waits and the vendor's request id."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["AttemptTrace", "Pace", "current_attempt"]

Pace = Callable[[str], Awaitable[float]]
"""Waits until a call to this endpoint fits the vendor's limits; answers the seconds waited.

Raises `ProviderFailure` (`rate_limit`) when it would not fit within the attempt's time.
"""


async def _no_pace(_endpoint: str) -> float:
    return 0.0


@dataclass(slots=True)
class AttemptTrace:
    """Mutable, owned by one attempt, written by `VendorHttp` and read by the provider's actor.

    `call_timeout_s` is the longest silence of the vendor on one HTTP call. `operation` is told to
    sandboxes, where one vendor path serves several of our operations.
    """

    attempt_id: str
    pace: Pace = _no_pace
    call_timeout_s: float = 60.0
    http_calls: int = 0
    waited_s: float = 0.0
    http_status: int | None = None
    provider_request_id: str | None = None
    operation: str | None = None


current_attempt: ContextVar[AttemptTrace | None] = ContextVar("current_attempt", default=None)
"""The attempt that this task works for; None outside of any (a readiness probe, a test)."""
