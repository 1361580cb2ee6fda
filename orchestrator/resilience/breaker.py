"""A circuit breaker as a pure state machine.

    CLOSED ──failures in a row──▶ OPEN ──interval over──▶ HALF_OPEN ──successes──▶ CLOSED
                                   ▲                          │
                                   └──────probe failed────────┘
    any state ──force──▶ FORCED_OPEN | FORCED_CLOSED ──AUTO──▶ CLOSED

It owns no clock, no lock, no randomness: `now` is seconds of any clock that its owner keeps to. A
`now` before the last one seen is taken as the last one seen. Not safe for threads: one event loop
owns it. After M. Nygard, *Release It!*, with gobreaker's generations and Polly's isolated state.
"""

import math
from collections.abc import Iterator
from typing import Final

from orchestrator.domain import CircuitState

from .breaker_options import BreakerOptions
from .breaker_phase import BreakerMemory, Phase, counted, described
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

    __slots__ = ("_generation", "_leases", "_now", "_panics", "_phase", "_probes", "options")

    def __init__(
        self, options: BreakerOptions | None = None, *, ids: Iterator[int] | None = None
    ) -> None:
        self.options = options or BreakerOptions()
        self._leases = Leases(self.options.permit_lease_s, ids)
        self._probes: set[int] = set()
        self._panics: set[int] = set()
        self._now = -math.inf
        self._generation = 0
        self._phase = Phase(interval_s=self.options.timeout_s)

    @property
    def state(self) -> CircuitState:
        """The state after the last call; `observe` first to see an interval that has ended."""
        return self._phase.state

    @property
    def generation(self) -> int:
        """How many changes there were; 0 for a breaker that was never anything but closed."""
        return self._generation

    def try_acquire(self, now: float, *, panic: bool = False) -> Permit | Rejection:
        """Ask to send one call.

        Args:
            now: seconds.
            panic: go through even when open, as long as it is open by failures (neither tripped nor
                forced), as many at once as probes may be. Such a call takes no probe slot. Its
                success ends the open interval (the circuit becomes half-open, and real probes
                decide); its failure changes nothing.

        """
        moved = self.observe(now)
        delay_s = self.remaining_delay_s(now)
        if delay_s == 0.0:
            permit_id = self._leases.grant(self._now)
            probe = self._phase.state is CircuitState.HALF_OPEN
            if probe:
                self._probes.add(permit_id)
            return Permit(permit_id, self._generation, probe=probe, transitions=moved)
        cause = self._phase.cause or OpenCause.FAILURES
        in_panic = self._out(self._panics, self._now)
        if panic and cause is OpenCause.FAILURES and in_panic < self.options.half_open_permits:
            permit_id = self._leases.grant(self._now)
            self._panics.add(permit_id)
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
        self._panics.discard(permit.id)
        if not counts or verdict is Verdict.NEUTRAL:
            return moved
        if permit.panic:
            return moved + self._after_panic(verdict)
        if self._phase.state is CircuitState.CLOSED:
            return moved + self._after_call(verdict)
        if self._phase.state is CircuitState.HALF_OPEN:
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
        if self._phase.state in _FORCED:
            return moved
        known = self._phase.state is CircuitState.OPEN and self._phase.cause is OpenCause.CLIENT
        self._phase.probe_after_s = probe_after_s
        tripped = self._open(OpenCause.CLIENT, probe_after_s, reason)
        return moved if known else (*moved, tripped)

    def force(self, control: Control, now: float, reason: str) -> tuple[Transition, ...]:
        """Put the circuit into the operator's hands, or with `AUTO` back into its own.

        `AUTO` closes it with every count at zero. The transition's reason is `operator: ` and
        `reason`. Results of calls admitted before are late.
        """
        moved = self.observe(now)
        target = CircuitState.CLOSED if control is Control.AUTO else CircuitState(control.value)
        if target is CircuitState.FORCED_OPEN and self._phase.left_closed_at is None:
            self._phase.left_closed_at = self._now
        elif target in _LETS_THROUGH:
            self._phase.left_closed_at = None
        before = self._phase.state
        cause = None if control is Control.AUTO else OpenCause.FORCED
        forced = self._become(target, cause, f"operator: {reason}")
        self._phase.interval_s = self.options.timeout_s
        return moved if before is target else (*moved, forced)

    def observe(self, now: float) -> tuple[Transition, ...]:
        """Let time pass: leases end, and an open interval that is over makes it half-open."""
        self._now = max(self._now, now)
        self._leases.expire(self._now)
        if (
            self._phase.state is CircuitState.OPEN
            and self._phase.due_at is not None
            and self._phase.due_at <= self._now
        ):
            return (self._become(CircuitState.HALF_OPEN, self._phase.cause, "open interval over"),)
        return ()

    def forgive(self) -> None:
        """Set the count of a closed circuit to zero: a wider circuit has explained its failures."""
        self._phase.failures = 0

    def is_current(self, permit: Permit) -> bool:
        """Whether a result reported under this permit would still be taken."""
        return permit.id in self._leases and permit.generation == self._generation

    def is_idle(self) -> bool:
        """Whether a fresh breaker would behave the same: nothing counted, nothing out or late."""
        settled = self._phase.since + self.options.permit_lease_s <= self._now
        return (
            self._phase.state is CircuitState.CLOSED
            and self._phase.failures == 0
            and not self._leases
            and (self._generation == 0 or settled)
        )

    def remaining_delay_s(self, now: float) -> float | None:
        """Seconds until asking is worth while: 0 now, None when time alone changes nothing.

        Half-open with all probes under way: a short wait, as one of them may report at any time.
        """
        at = max(self._now, now)
        if self._phase.state in _LETS_THROUGH:
            return 0.0
        if self._phase.state is CircuitState.HALF_OPEN:
            free = self._out(self._probes, at) < self.options.half_open_permits
            return 0.0 if free else min(_BUSY_PROBE_RETRY_S, self.options.timeout_s)
        return None if self._phase.due_at is None else max(0.0, self._phase.due_at - at)

    def snapshot(self, now: float) -> BreakerSnapshot:
        """The breaker at `now`, changing nothing. An OPEN one that is due has 0 to go."""
        at = max(self._now, now)
        return BreakerSnapshot(
            state=self._phase.state,
            cause=self._phase.cause,
            opened_for_s=self._phase.opened_for_s(at),
            retry_after_s=self.remaining_delay_s(now),
            consecutive_failures=self._phase.failures,
            probe_successes=self._phase.successes,
            probes_in_flight=self._out(self._probes, at),
        )

    def memory(self, now: float) -> BreakerMemory:
        """What must survive a restart, as plain data."""
        return self._phase.memory(max(self._now, now))

    def restore(self, told: BreakerMemory, now: float, elapsed_s: float) -> None:
        """Take up what another breaker told `elapsed_s` seconds ago; this one must be fresh.

        Open stays open for what is left of its time. Half-open is due at once, with its successes
        to be shown anew: who was probing is gone.
        """
        self._now = max(self._now, now)
        self._phase = Phase.of(told, self._now, elapsed_s)
        self._generation = int(self._phase.state is not CircuitState.CLOSED)

    def _out(self, permits: set[int], at: float) -> int:
        return sum(self._leases.holds(permit_id, at) for permit_id in permits)

    def _after_call(self, verdict: Verdict) -> tuple[Transition, ...]:
        if verdict is Verdict.SUCCESS:
            self._phase.failures = 0
            return ()
        self._phase.failures += 1
        if self._phase.failures < self.options.failure_threshold:
            return ()
        reason = counted(self._phase.failures, "consecutive failure")
        self._phase.interval_s = self.options.timeout_s
        return (self._open(OpenCause.FAILURES, self._phase.interval_s, reason),)

    def _after_probe(self, verdict: Verdict, jitter_ratio: float) -> tuple[Transition, ...]:
        if verdict is Verdict.SUCCESS:
            self._phase.successes += 1
            if self._phase.successes < self.options.success_threshold:
                return ()
            reason = counted(self._phase.successes, "successful probe")
            self._phase.left_closed_at = None
            return (self._become(CircuitState.CLOSED, None, reason),)
        if self._phase.cause is OpenCause.CLIENT:
            return (self._open(OpenCause.CLIENT, self._phase.probe_after_s, "probe failed"),)
        self._phase.interval_s = self.options.grown_s(self._phase.interval_s)
        interval_s = self._phase.interval_s * (1.0 + jitter_ratio)
        return (self._open(OpenCause.FAILURES, interval_s, "probe failed"),)

    def _after_panic(self, verdict: Verdict) -> tuple[Transition, ...]:
        if verdict is Verdict.FAILURE or self._phase.state is not CircuitState.OPEN:
            return ()
        return (
            self._become(CircuitState.HALF_OPEN, self._phase.cause, "a call in panic succeeded"),
        )

    def _open(self, cause: OpenCause, interval_s: float | None, reason: str) -> Transition:
        if self._phase.left_closed_at is None:
            self._phase.left_closed_at = self._now
        transition = self._become(CircuitState.OPEN, cause, reason)
        self._phase.due_at = None if interval_s is None else self._now + interval_s
        return transition

    def _become(self, state: CircuitState, cause: OpenCause | None, reason: str) -> Transition:
        """Start a new generation. Permits of the last one hold no slot in the next."""
        transition = Transition(self._phase.state, state, reason)
        self._phase.begin(state, cause, self._now)
        self._generation += 1
        self._probes.clear()
        self._panics.clear()
        return transition

    def __repr__(self) -> str:
        return f"CircuitBreaker({described(self.snapshot(self._now), self.options)})"
