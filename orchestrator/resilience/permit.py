"""What a circuit breaker says and is told: permits, rejections, verdicts, transitions.

Admit now, report later (gobreaker's two steps): a permit is a value that may cross processes and
comes back with the verdict. All are frozen and pickle.
"""

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.domain import CircuitState, IneligibilityReason, quick_init

__all__ = [
    "BreakerSnapshot",
    "Control",
    "OpenCause",
    "Permit",
    "Rejection",
    "Transition",
    "Verdict",
]


class Verdict(StrEnum):
    """How a permitted call went, as far as this circuit is concerned.

    `NEUTRAL` releases the permit and counts nowhere: a cancellation, a caller's mistake, a failure
    that is another circuit's.
    """

    SUCCESS = "success"
    FAILURE = "failure"
    NEUTRAL = "neutral"


class OpenCause(StrEnum):
    """Why a circuit is not simply closed.

    `FAILURES`: it counted them. `CLIENT`: it was tripped, as our keys or contract were refused.
    `FORCED`: the operator holds it.
    """

    FAILURES = "failures"
    CLIENT = "client"
    FORCED = "forced"

    @property
    def ineligibility(self) -> IneligibilityReason:
        """What a candidate that is blocked by this cause is told to be."""
        if self is OpenCause.FORCED:
            return IneligibilityReason.FORCED_OPEN
        return IneligibilityReason.CIRCUIT_OPEN


class Control(StrEnum):
    """The operator's switch, spelled as on the wire. `AUTO` hands control back to the machine."""

    FORCED_OPEN = "FORCED_OPEN"
    FORCED_CLOSED = "FORCED_CLOSED"
    AUTO = "AUTO"


@dataclass(frozen=True, slots=True)
class Transition:
    """A circuit changed.

    `from_state` and `to_state` are equal only where a circuit that was open by failures was tripped
    as well: it stays open, for another cause.
    """

    from_state: CircuitState
    to_state: CircuitState
    reason: str


@quick_init
@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to send one call; give it back with `CircuitBreaker.record`, whatever happens.

    `generation` is the breaker's at admission: a result that comes back to another generation is
    late and counts nowhere. `probe` marks a call that decides over a half-open circuit, `panic` one
    that was let through an open one. `transitions` happened while asking.
    """

    id: int
    generation: int
    probe: bool = False
    panic: bool = False
    transitions: tuple[Transition, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejection:
    """No call now.

    `retry_after_s` is how long until it is worth asking again, None where time alone changes
    nothing. `transitions` happened while asking.
    """

    cause: OpenCause
    retry_after_s: float | None
    transitions: tuple[Transition, ...] = ()

    @property
    def reason(self) -> IneligibilityReason:
        """`circuit_open` or `forced_open`."""
        return self.cause.ineligibility


@dataclass(frozen=True, slots=True)
class BreakerSnapshot:
    """A breaker as it stood, in durations only.

    `cause` is None when closed. `opened_for_s` counts from when it last left CLOSED, None when it
    lets calls through by right. `retry_after_s` is 0 when a call would be admitted, None when time
    alone changes nothing.
    """

    state: CircuitState
    cause: OpenCause | None
    opened_for_s: float | None
    retry_after_s: float | None
    consecutive_failures: int
    probe_successes: int
    probes_in_flight: int
