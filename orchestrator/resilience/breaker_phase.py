"""What a breaker is in, since when, and what it has counted there; as plain data and in words too."""

import math
from dataclasses import dataclass
from typing import Self, TypedDict

from orchestrator.domain import CircuitState

from .breaker_options import BreakerOptions
from .permit import BreakerSnapshot, OpenCause

__all__ = ["BreakerMemory", "Phase", "counted", "described"]


class BreakerMemory(TypedDict):
    """A breaker's memory, in durations: plain JSON data.

    `due_in_s` is the time until the next probe, None without one; `opened_for_s` the time since it
    last left CLOSED; `interval_s` what the present open interval has grown to; `probe_after_s` the
    pause between probes where it was tripped.
    """

    state: str
    cause: str | None
    failures: int
    interval_s: float
    probe_after_s: float | None
    due_in_s: float | None
    opened_for_s: float | None


@dataclass(slots=True)
class Phase:
    """One state of a breaker, with its counts and times; `since` is when it began.

    `interval_s`, `probe_after_s` and `left_closed_at` outlive a change of state.
    """

    interval_s: float
    state: CircuitState = CircuitState.CLOSED
    cause: OpenCause | None = None
    since: float = -math.inf
    failures: int = 0
    successes: int = 0
    probe_after_s: float | None = None
    due_at: float | None = None
    left_closed_at: float | None = None

    def opened_for_s(self, now: float) -> float | None:
        """Seconds since it last left CLOSED, None where it lets calls through by right."""
        return None if self.left_closed_at is None else now - self.left_closed_at

    def begin(self, state: CircuitState, cause: OpenCause | None, now: float) -> None:
        """Go over into another state, with nothing counted."""
        self.state, self.cause, self.since = state, cause, now
        self.failures = self.successes = 0
        self.due_at = None

    def memory(self, now: float) -> BreakerMemory:
        """What must survive a restart."""
        return {
            "state": self.state.value,
            "cause": None if self.cause is None else self.cause.value,
            "failures": self.failures,
            "interval_s": self.interval_s,
            "probe_after_s": self.probe_after_s,
            "due_in_s": None if self.due_at is None else self.due_at - now,
            "opened_for_s": self.opened_for_s(now),
        }

    @classmethod
    def of(cls, told: BreakerMemory, now: float, elapsed_s: float) -> Self:
        """What was told `elapsed_s` seconds ago, as it stands now. Half-open is open and due."""
        state, due_in_s = CircuitState(told["state"]), told["due_in_s"]
        opened_for_s = told["opened_for_s"]
        if state is CircuitState.HALF_OPEN:
            state, due_in_s = CircuitState.OPEN, 0.0
        return cls(
            interval_s=told["interval_s"],
            state=state,
            cause=None if told["cause"] is None else OpenCause(told["cause"]),
            since=now,
            failures=told["failures"],
            probe_after_s=told["probe_after_s"],
            due_at=None if due_in_s is None else now + max(0.0, due_in_s - elapsed_s),
            left_closed_at=None if opened_for_s is None else now - opened_for_s - elapsed_s,
        )


def described(breaker: BreakerSnapshot, options: BreakerOptions) -> str:
    """A breaker in a few words."""
    match breaker.state:
        case CircuitState.CLOSED:
            return f"CLOSED, {breaker.consecutive_failures}/{options.failure_threshold} failures"
        case CircuitState.OPEN:
            left_s = breaker.retry_after_s
            when = "no probe" if left_s is None else f"probe in {left_s:.1f} s"
            return f"OPEN by {breaker.cause}, {when}"
        case CircuitState.HALF_OPEN:
            return (
                f"HALF_OPEN, {breaker.probe_successes}/{options.success_threshold} successes, "
                f"{breaker.probes_in_flight}/{options.half_open_permits} probes in flight"
            )
        case _:
            return breaker.state.value


def counted(count: int, what: str) -> str:
    """So many of something, in words."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
