"""A provider's readiness as a router sees it: frozen, in durations, good for a moment."""

from dataclasses import dataclass
from typing import Final

from orchestrator.domain import CircuitState, IneligibilityReason, Operation, quick_init

from .board_snapshot import BoardSnapshot, CircuitBlock
from .circuit_permit import CircuitTransition
from .limiter import Limited, LimiterSnapshot

__all__ = ["CALL_BUDGET", "QUEUE_FULL", "GuardRejection", "HealthSnapshot"]

QUEUE_FULL: Final = "QUEUE_FULL"
CALL_BUDGET: Final = "CALL_BUDGET"
_IN_FLIGHT_RETRY_S: Final = 1.0


@quick_init
@dataclass(frozen=True, slots=True)
class GuardRejection:
    """No call now, and nothing is held.

    `code` tells reasons apart more finely: `CIRCUIT_OPEN`, `FORCED_OPEN`, `LOCAL_LIMIT` (a quota of
    ours is used up), `RETRY_AFTER` (the vendor asked for a pause), `IN_FLIGHT` (as many calls under
    way as are allowed), `QUEUE_FULL` (as many wait as may), `CALL_BUDGET` (no extra attempt now: not
    worth a wait). `scope` is the circuit's, None for limits. `by_failures`: a call in panic may
    pass. `retry_after_s` is None where time alone changes nothing.
    """

    reason: IneligibilityReason
    code: str
    retry_after_s: float | None
    scope: str | None = None
    by_failures: bool = False
    transitions: tuple[CircuitTransition, ...] = ()

    @classmethod
    def of_circuit(
        cls, block: CircuitBlock, transitions: tuple[CircuitTransition, ...] = ()
    ) -> "GuardRejection":
        """A circuit's objection."""
        return cls(
            reason=block.reason,
            code=block.reason.value.upper(),
            retry_after_s=block.retry_after_s,
            scope=block.scope,
            by_failures=block.by_failures,
            transitions=transitions,
        )

    @classmethod
    def of_limit(cls, limited: Limited) -> "GuardRejection":
        """The limiter's objection."""
        code = "RETRY_AFTER" if limited.quota is None else "LOCAL_LIMIT"
        return cls(IneligibilityReason.RATE_LIMITED, code, limited.retry_after_s)

    @classmethod
    def of_in_flight(cls) -> "GuardRejection":
        """Too many calls are under way."""
        return cls(IneligibilityReason.RATE_LIMITED, "IN_FLIGHT", _IN_FLIGHT_RETRY_S)

    @classmethod
    def of_full_queue(cls) -> "GuardRejection":
        """Too many wait already."""
        return cls(IneligibilityReason.RATE_LIMITED, QUEUE_FULL, _IN_FLIGHT_RETRY_S)

    @classmethod
    def of_budget(cls) -> "GuardRejection":
        """The call budget has no room for an extra attempt."""
        return cls(IneligibilityReason.RATE_LIMITED, CALL_BUDGET, None)


@dataclass(frozen=True, slots=True)
class HealthSnapshot:
    """Everything that speaks for or against a provider now.

    `at_unix_s` is when it was taken, by the taker's wall clock; all else is durations and counts.
    `full_institutions` (sorted) have as many attempts under way as one may; `waiting` calls stand in
    the queue; `extra_left` extra attempts are in the call budget; `slow_after_s` tells by operation
    after how long an answer is slow, where enough worked to know.
    """

    provider: str
    at_unix_s: float
    circuits: BoardSnapshot
    limiter: LimiterSnapshot
    in_flight: int
    max_in_flight: int
    full_institutions: tuple[str, ...]
    waiting: int
    extra_left: int
    slow_after_s: tuple[tuple[Operation, float], ...]

    @property
    def state(self) -> CircuitState:
        """The provider's own circuit."""
        return self.circuits.state

    def rejection(
        self,
        operation: Operation,
        institution_id: str | None,
        *,
        endpoint: str | None = None,
        age_s: float = 0.0,
    ) -> GuardRejection | None:
        """What the guard would object to by this picture, or None.

        A connection's own limits are not in it, so the guard may still refuse.

        Args:
            operation: to be called.
            institution_id: where.
            endpoint: the first one that the call needs, where known.
            age_s: seconds since the picture was taken; waits are that much shorter.

        """
        block = self.circuits.blocks(operation, institution_id, age_s=age_s)
        if block is not None:
            return GuardRejection.of_circuit(block)
        wait_s = self.limiter.retry_after_s
        if endpoint is not None:
            wait_s = dict(self.limiter.endpoint_waits_s).get(endpoint, wait_s)
        if wait_s > age_s:
            return GuardRejection(
                reason=IneligibilityReason.RATE_LIMITED,
                code="RETRY_AFTER" if self.limiter.paused_for_s > age_s else "LOCAL_LIMIT",
                retry_after_s=wait_s - age_s,
            )
        full = self.in_flight >= self.max_in_flight or institution_id in self.full_institutions
        return GuardRejection.of_in_flight() if full else None
