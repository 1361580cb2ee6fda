"""A circuit breaker as a pure state machine.

    CLOSED ──failures in a row──▶ OPEN ──interval over──▶ HALF_OPEN ──successes──▶ CLOSED
                                   ▲                          │
                                   └──────probe failed────────┘
    any state ──force──▶ FORCED_OPEN | FORCED_CLOSED ──AUTO──▶ CLOSED

It owns no clock, no lock, no randomness: `now` is seconds of any clock that its owner keeps to. A
`now` before the last one seen is taken as the last one seen. Not safe for threads: one event loop
owns it. After M. Nygard, *Release It!*, with gobreaker's generations and Polly's isolated state.
"""

from collections.abc import Iterator
from typing import Final

from orchestrator.domain import CircuitState

from .breaker_options import BreakerOptions
from .leases import Leases
from .permit import (
    BreakerSnapshot,
    Control,
    OpenCause,
    Permit,
    Rejection,
    Transition,
    Verdict,
)

__all__ = ["CircuitBreaker"]

_BUSY_PROBE_RETRY_S: Final = 1.0
_LETS_THROUGH: Final = (CircuitState.CLOSED, CircuitState.FORCED_CLOSED)
_FORCED: Final = (CircuitState.FORCED_OPEN, CircuitState.FORCED_CLOSED)


class CircuitBreaker:
    """One circuit: ask `try_acquire` before a call, tell `record` after it.

    Every permit must be recorded; one that is not is released when its lease ends. What a late
    result does, by the state it finds: nothing, in all of them. Every change of state starts a new
    generation, and only results of permits of the present one count.

    Args:
        options: thresholds and times; the defaults of `BreakerOptions` when left out.
        ids: shared source of permit ids, where permits of several breakers must not be confused.

    """

    __slots__ = (
        "_cause",
        "_changed_at",
        "_due_at",
        "_failures",
        "_generation",
        "_interval_s",
        "_leases",
        "_left_closed_at",
        "_now",
        "_probe_after_s",
        "_probes",
        "_state",
        "_successes",
        "options",
    )

    def __init__(
        self, options: BreakerOptions | None = None, *, ids: Iterator[int] | None = None
    ) -> None:
        self.options = options or BreakerOptions()
        self._leases = Leases(self.options.permit_lease_s, ids)
        self._probes: set[int] = set()
        self._now = float("-inf")
        self._state = CircuitState.CLOSED
        self._generation = 0
        self._cause: OpenCause | None = None
        self._failures = 0
        self._successes = 0
        self._interval_s = self.options.timeout_s
        self._probe_after_s: float | None = None
        self._due_at: float | None = None
        self._left_closed_at: float | None = None
        self._changed_at = float("-inf")

    @property
    def state(self) -> CircuitState:
        """The state after the last call; `observe` first to see an interval that has ended."""
        return self._state

    @property
    def generation(self) -> int:
        """How many changes there were; 0 for a breaker that was never anything but closed."""
        return self._generation

    def try_acquire(self, now: float, *, panic: bool = False) -> Permit | Rejection:
        """Ask to send one call.

        Args:
            now: seconds.
            panic: go through even when open, as long as it is open by failures (neither tripped nor
                forced). Such a call takes no probe slot. Its success ends the open interval (the
                circuit becomes half-open, and real probes decide); its failure changes nothing.

        """
        moved = self.observe(now)
        delay_s = self.remaining_delay_s(now)
        if delay_s == 0.0:
            permit_id = self._leases.grant(self._now)
            probe = self._state is CircuitState.HALF_OPEN
            if probe:
                self._probes.add(permit_id)
            return Permit(permit_id, self._generation, probe=probe, transitions=moved)
        cause = self._cause or OpenCause.FAILURES
        if panic and cause is OpenCause.FAILURES:
            permit_id = self._leases.grant(self._now)
            return Permit(permit_id, self._generation, panic=True, transitions=moved)
        return Rejection(cause, delay_s, moved)

    def record(
        self, permit: Permit, verdict: Verdict, now: float, *, jitter_ratio: float = 0.0
    ) -> tuple[Transition, ...]:
        """Report how a permitted call went. Once: a second report of a permit is ignored.

        Args:
            permit: from `try_acquire`.
            verdict: what it means for this circuit.
            now: seconds.
            jitter_ratio: a random share, 0 to 1, by which an open interval that has grown after a
                failed probe is made longer. The first interval takes none.

        Raises:
            ValueError: `jitter_ratio` is out of its range.

        """
        if not 0.0 <= jitter_ratio <= 1.0:
            raise ValueError(f"jitter_ratio is {jitter_ratio}: it must be 0 to 1")
        moved = self.observe(now)
        counts = self.is_current(permit)
        self._leases.settle(permit.id)
        self._probes.discard(permit.id)
        if not counts or verdict is Verdict.NEUTRAL:
            return moved
        if permit.panic:
            return moved + self._after_panic(verdict)
        if self._state is CircuitState.CLOSED:
            return moved + self._after_call(verdict)
        if self._state is CircuitState.HALF_OPEN:
            return moved + self._after_probe(verdict, jitter_ratio)
        return moved

    def trip(self, now: float, reason: str, probe_after_s: float | None) -> tuple[Transition, ...]:
        """Open at once, whatever was counted: waiting does not mend what is wrong.

        Args:
            now: seconds.
            reason: for the log of changes.
            probe_after_s: seconds until each probe; it does not grow. None: never by a probe, only
                by `force`.

        A forced circuit stays as the operator left it.

        """
        moved = self.observe(now)
        if self._state in _FORCED:
            return moved
        known = self._state is CircuitState.OPEN and self._cause is OpenCause.CLIENT
        self._probe_after_s = probe_after_s
        tripped = self._open(OpenCause.CLIENT, probe_after_s, reason)
        return moved if known else (*moved, tripped)

    def force(self, control: Control, now: float, reason: str) -> tuple[Transition, ...]:
        """Put the circuit into the operator's hands, or with `AUTO` back into its own.

        `AUTO` closes it with every count at zero. The transition's reason is `operator: ` and
        `reason`. Results of calls admitted before are late.
        """
        moved = self.observe(now)
        target = CircuitState.CLOSED if control is Control.AUTO else CircuitState(control.value)
        if target is CircuitState.FORCED_OPEN and self._left_closed_at is None:
            self._left_closed_at = self._now
        elif target in _LETS_THROUGH:
            self._left_closed_at = None
        before = self._state
        cause = None if control is Control.AUTO else OpenCause.FORCED
        forced = self._become(target, cause, f"operator: {reason}")
        self._interval_s = self.options.timeout_s
        return moved if before is target else (*moved, forced)

    def observe(self, now: float) -> tuple[Transition, ...]:
        """Let time pass: leases end, and an open interval that is over makes it half-open."""
        self._now = max(self._now, now)
        self._leases.expire(self._now)
        if (
            self._state is CircuitState.OPEN
            and self._due_at is not None
            and self._due_at <= self._now
        ):
            return (self._become(CircuitState.HALF_OPEN, self._cause, "open interval over"),)
        return ()

    def forgive(self) -> None:
        """Set the count of a closed circuit to zero: a wider circuit has explained its failures."""
        self._failures = 0

    def is_current(self, permit: Permit) -> bool:
        """Whether a result reported under this permit would still be taken."""
        return permit.id in self._leases and permit.generation == self._generation

    def is_idle(self) -> bool:
        """Whether a fresh breaker would behave the same: nothing counted, nothing out or late."""
        settled = self._changed_at + self.options.permit_lease_s <= self._now
        return (
            self._state is CircuitState.CLOSED
            and self._failures == 0
            and not self._leases
            and (self._generation == 0 or settled)
        )

    def remaining_delay_s(self, now: float) -> float | None:
        """Seconds until asking is worth while: 0 now, None when time alone changes nothing.

        Half-open with all probes under way: a short wait, as one of them may report at any time.
        """
        at = max(self._now, now)
        if self._state in _LETS_THROUGH:
            return 0.0
        if self._state is CircuitState.HALF_OPEN:
            free = self._probes_out(at) < self.options.half_open_permits
            return 0.0 if free else min(_BUSY_PROBE_RETRY_S, self.options.timeout_s)
        return None if self._due_at is None else max(0.0, self._due_at - at)

    def snapshot(self, now: float) -> BreakerSnapshot:
        """The breaker at `now`, changing nothing. An OPEN one that is due has 0 to go."""
        at = max(self._now, now)
        return BreakerSnapshot(
            state=self._state,
            cause=self._cause,
            opened_for_s=None if self._left_closed_at is None else at - self._left_closed_at,
            retry_after_s=self.remaining_delay_s(now),
            consecutive_failures=self._failures,
            probe_successes=self._successes,
            probes_in_flight=self._probes_out(at),
        )

    def _probes_out(self, at: float) -> int:
        return sum(self._leases.holds(permit_id, at) for permit_id in self._probes)

    def _after_call(self, verdict: Verdict) -> tuple[Transition, ...]:
        if verdict is Verdict.SUCCESS:
            self._failures = 0
            return ()
        self._failures += 1
        if self._failures < self.options.failure_threshold:
            return ()
        reason = _counted(self._failures, "consecutive failure")
        self._interval_s = self.options.timeout_s
        return (self._open(OpenCause.FAILURES, self._interval_s, reason),)

    def _after_probe(self, verdict: Verdict, jitter_ratio: float) -> tuple[Transition, ...]:
        if verdict is Verdict.SUCCESS:
            self._successes += 1
            if self._successes < self.options.success_threshold:
                return ()
            reason = _counted(self._successes, "successful probe")
            self._left_closed_at = None
            return (self._become(CircuitState.CLOSED, None, reason),)
        if self._cause is OpenCause.CLIENT:
            return (self._open(OpenCause.CLIENT, self._probe_after_s, "probe failed"),)
        self._interval_s = self.options.grown_s(self._interval_s)
        interval_s = self._interval_s * (1.0 + jitter_ratio)
        return (self._open(OpenCause.FAILURES, interval_s, "probe failed"),)

    def _after_panic(self, verdict: Verdict) -> tuple[Transition, ...]:
        if verdict is Verdict.FAILURE or self._state is not CircuitState.OPEN:
            return ()
        return (self._become(CircuitState.HALF_OPEN, self._cause, "a call in panic succeeded"),)

    def _open(self, cause: OpenCause, interval_s: float | None, reason: str) -> Transition:
        if self._left_closed_at is None:
            self._left_closed_at = self._now
        transition = self._become(CircuitState.OPEN, cause, reason)
        self._due_at = None if interval_s is None else self._now + interval_s
        return transition

    def _become(self, state: CircuitState, cause: OpenCause | None, reason: str) -> Transition:
        """Start a new generation. Probes of the last one hold no slot in the next."""
        transition = Transition(self._state, state, reason)
        self._state, self._cause = state, cause
        self._generation += 1
        self._failures = self._successes = 0
        self._probes.clear()
        self._due_at = None
        self._changed_at = self._now
        return transition

    def __repr__(self) -> str:
        return f"CircuitBreaker({self._status()})"

    def _status(self) -> str:
        match self._state:
            case CircuitState.CLOSED:
                return f"CLOSED, {self._failures}/{self.options.failure_threshold} failures"
            case CircuitState.OPEN:
                left_s = self.remaining_delay_s(self._now)
                when = "no probe" if left_s is None else f"probe in {left_s:.1f} s"
                return f"OPEN by {self._cause}, {when}"
            case CircuitState.HALF_OPEN:
                return (
                    f"HALF_OPEN, {self._successes}/{self.options.success_threshold} successes, "
                    f"{self._probes_out(self._now)}/{self.options.half_open_permits} probes in flight"
                )
            case _:
                return self._state.value


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
