"""What one attempt leaves behind at the HTTP layer: its calls, waits and the vendor's request id."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass

from orchestrator.resilience import ToldAllowance

__all__ = ["AttemptTrace", "Pace", "TellAllowance", "current_attempt"]

Pace = Callable[[str], Awaitable[float]]
"""Waits until a call to this endpoint fits the vendor's limits; answers the seconds waited.

Raises `ProviderFailure` (`rate_limit`) when it would not fit within the attempt's time.
"""


TellAllowance = Callable[[str, ToldAllowance], None]
"""Hears what the vendor says of its own limit beside an answer from this endpoint."""


async def _no_pace(_endpoint: str) -> float:
    return 0.0


def _unheard(_endpoint: str, _allowance: ToldAllowance) -> None:
    pass


def _endless() -> float:
    return float("inf")


def _no_time() -> float:
    return 0.0


@dataclass(slots=True)
class AttemptTrace:
    """Mutable, owned by one attempt, written by `VendorHttp` and read by the provider's actor.

    `call_timeout_s` is the longest silence of the vendor on one HTTP call, `time_left_s` tells how
    many seconds the attempt has left. `interactive`: a person waits for the answer. `operation`,
    `link_session_id` and `provider_institution_id` are told to sandboxes (on loopback) only, for
    what a vendor's own protocol leaves open.
    """

    attempt_id: str
    pace: Pace = _no_pace
    tell_allowance: TellAllowance = _unheard
    time_left_s: Callable[[], float] = _endless
    call_timeout_s: float = 60.0
    interactive: bool = False
    http_calls: int = 0
    waited_s: float = 0.0
    http_status: int | None = None
    provider_request_id: str | None = None
    operation: str | None = None
    link_session_id: str | None = None
    provider_institution_id: str | None = None

    def end(self, pace: Pace) -> None:
        """The attempt is over: what still works for it is paced so, has no time, and holds nothing of it."""
        self.pace, self.time_left_s = pace, _no_time

    def told(self) -> dict[str, str]:
        """Headers for a sandbox."""
        told = {
            "X-Attempt-Id": self.attempt_id,
            "X-Attempt-Operation": self.operation,
            "X-Link-Session-Id": self.link_session_id,
            "X-Institution-Id": self.provider_institution_id,
        }
        return {name: value for name, value in told.items() if value is not None}


current_attempt: ContextVar[AttemptTrace | None] = ContextVar("current_attempt", default=None)
"""The attempt that this task works for; None outside of any (a readiness probe, a test)."""
