"""Circuits, limits and a bound on calls in flight, as one gate before a provider.

Readiness comes before the call (tower's `poll_ready`): admit, then call, then record.
"""

from dataclasses import dataclass
from typing import Final

from orchestrator.domain import CircuitState, ErrorClass, ErrorScope, Failure, Operation

from .circuit_permit import CircuitPermit, CircuitRejection, CircuitTransition
from .circuits import CircuitBoard
from .health_snapshot import GuardRejection, HealthSnapshot
from .leases import Leases
from .limiter import RateLimiter
from .permit import Control

__all__ = ["AdmitRequest", "GuardPermit", "GuardReport", "ProviderGuard"]

_CLIENT_PAUSE_S: Final = 1.0
_CLIENT_PAUSE_CAP_S: Final = 60.0
_CONNECTION_PAUSE_S: Final = 60.0
_MAX_DOUBLINGS: Final = 10
_CLIENT_WIDE: Final = (ErrorScope.CLIENT, ErrorScope.PROVIDER)


@dataclass(frozen=True, slots=True)
class AdmitRequest:
    """What is about to be called.

    `first_endpoint` is the first of the vendor's endpoints that it needs, None where unknown.
    `panic` passes circuits that are open by failures.
    """

    operation: Operation
    institution_id: str | None = None
    connection_id: str | None = None
    first_endpoint: str | None = None
    panic: bool = False


@dataclass(frozen=True, slots=True)
class GuardPermit:
    """Leave for one attempt. Give it back with `ProviderGuard.record`, whatever happens.

    `connection_id` is the one of the request, whose own limits a throttled answer may close.
    """

    id: int
    circuits: CircuitPermit
    connection_id: str | None

    @property
    def circuit_state(self) -> CircuitState:
        """The provider's own circuit at admission, for the attempt log."""
        return self.circuits.provider_state

    @property
    def probe(self) -> bool:
        """Whether the attempt decides over a half-open circuit."""
        return self.circuits.probe

    @property
    def panic(self) -> bool:
        """Whether the attempt was let through an open circuit."""
        return self.circuits.panic

    @property
    def transitions(self) -> tuple[CircuitTransition, ...]:
        """What changed while asking."""
        return self.circuits.transitions


@dataclass(frozen=True, slots=True)
class GuardReport:
    """What a result has changed. `paused_for_s` is the pause that it began, None without one."""

    transitions: tuple[CircuitTransition, ...]
    paused_for_s: float | None = None

    @property
    def alarm(self) -> bool:
        """Whether a person is needed: our keys or contract were refused."""
        return any(transition.alarm for transition in self.transitions)


class ProviderGuard:
    """The gate before one provider. Synchronous; one event loop owns it.

    Asked in this order: circuits, limits, calls in flight. A refusal leaves nothing taken. The
    limiter is only looked at here: every HTTP call of an attempt takes its own token with
    `limiter.try_acquire`, as an attempt may need many.

    Args:
        provider: its name.
        board: its circuits.
        limiter: its limits.
        max_in_flight: attempts under way at once, at least 1. Default 256.
        permit_lease_s: seconds after which an attempt that nobody reported is no longer counted as
            under way. Default 660; keep it equal to `BreakerOptions.permit_lease_s`.

    Raises:
        ValueError: `max_in_flight` or `permit_lease_s` is out of its range.

    """

    __slots__ = ("_in_flight", "_max_in_flight", "_now", "_strikes", "board", "limiter", "provider")

    def __init__(
        self,
        provider: str,
        board: CircuitBoard,
        limiter: RateLimiter,
        *,
        max_in_flight: int = 256,
        permit_lease_s: float = 660.0,
    ) -> None:
        if max_in_flight < 1 or not permit_lease_s > 0.0:
            raise ValueError("max_in_flight must be at least 1 and permit_lease_s over 0")
        self.provider = provider
        self.board = board
        self.limiter = limiter
        self._max_in_flight = max_in_flight
        self._in_flight = Leases(permit_lease_s)
        self._now = float("-inf")
        self._strikes = 0

    @property
    def in_flight(self) -> int:
        """Attempts under way, as far as is known."""
        return len(self._in_flight)

    def admit(self, request: AdmitRequest, now: float) -> GuardPermit | GuardRejection:
        """Ask to make one attempt.

        Args:
            request: what is about to be called.
            now: seconds.

        """
        self._tick(now)
        circuits = self.board.admit(
            request.operation, request.institution_id, self._now, panic=request.panic
        )
        if isinstance(circuits, CircuitRejection):
            return GuardRejection.of_circuit(circuits.block, circuits.transitions)
        limited = self.limiter.check(request.first_endpoint, request.connection_id, self._now)
        if limited is None and len(self._in_flight) < self._max_in_flight:
            return GuardPermit(self._in_flight.grant(self._now), circuits, request.connection_id)
        moved = (*circuits.transitions, *self.board.release(circuits, self._now))
        if limited is None:
            return GuardRejection.of_in_flight(moved)
        self.limiter.note_throttled(self._now)
        return GuardRejection.of_limit(limited, moved)

    def record(
        self,
        permit: GuardPermit,
        failure: Failure | None,
        now: float,
        *,
        jitter_ratio: float = 0.0,
    ) -> GuardReport:
        """Report how an attempt went: frees its place, tells the circuits, and the limiter of a 429.

        Args:
            permit: from `admit`; a second report of it changes nothing.
            failure: how it failed, None for a success.
            now: seconds.
            jitter_ratio: random share, 0 to 1, that lengthens grown intervals and pauses of ours.

        """
        self._tick(now)
        in_time = self._in_flight.settle(permit.id)
        moved = self.board.record(permit.circuits, failure, self._now, jitter_ratio=jitter_ratio)
        if not in_time:
            return GuardReport(moved)
        if failure is None and self.limiter.paused_for_s(self._now) == 0.0:
            self._strikes = 0
        if failure is None or failure.error_class is not ErrorClass.RATE_LIMIT:
            return GuardReport(moved)
        return GuardReport(moved, self._throttled(permit, failure, jitter_ratio))

    def force(self, control: Control, now: float, reason: str) -> tuple[CircuitTransition, ...]:
        """The operator's switch; see `CircuitBoard.force`. Limits go on holding."""
        self._tick(now)
        return self.board.force(control, self._now, reason)

    def observe(self, now: float) -> tuple[CircuitTransition, ...]:
        """Let time pass; call it about once a second."""
        self._tick(now)
        self.limiter.observe(self._now)
        return self.board.observe(self._now)

    def snapshot(self, now: float, at_unix_s: float) -> HealthSnapshot:
        """Everything that a router needs to know.

        Args:
            now: seconds, of the clock of all other calls.
            at_unix_s: the same moment in seconds since 1970 UTC.

        """
        self._tick(now)
        return HealthSnapshot(
            provider=self.provider,
            at_unix_s=at_unix_s,
            circuits=self.board.snapshot(self._now),
            limiter=self.limiter.snapshot(self._now),
            in_flight=len(self._in_flight),
            max_in_flight=self._max_in_flight,
        )

    def _throttled(self, permit: GuardPermit, failure: Failure, jitter_ratio: float) -> float:
        """Begin the pause that a throttled call asks for, and tell its length in seconds.

        Calls that were under way together are throttled together: while one pause lasts, ours do
        not grow. A scope narrower than the client pauses the connection alone.
        """
        self.limiter.note_throttled(self._now)
        connection_id = None if failure.scope in _CLIENT_WIDE else permit.connection_id
        pause_s = failure.retry_after_s or 0.0
        if pause_s <= 0.0 and connection_id is not None:
            pause_s = _CONNECTION_PAUSE_S
        elif pause_s <= 0.0:
            if self.limiter.paused_for_s(self._now) == 0.0:
                self._strikes += 1
            doublings = min(max(0, self._strikes - 1), _MAX_DOUBLINGS)
            grown_s = min(_CLIENT_PAUSE_CAP_S, _CLIENT_PAUSE_S * 2.0**doublings)
            pause_s = grown_s * (1.0 + jitter_ratio)
        self.limiter.block(pause_s, self._now, connection_id=connection_id)
        return pause_s

    def _tick(self, now: float) -> None:
        self._now = max(self._now, now)
        self._in_flight.expire(self._now)

    def __repr__(self) -> str:
        return (
            f"ProviderGuard({self.provider}, {len(self._in_flight)}/{self._max_in_flight} "
            f"in flight, {self.board!r}, {self.limiter!r})"
        )
