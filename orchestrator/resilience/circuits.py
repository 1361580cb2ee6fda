"""All circuits of one provider: its own, one per operation, one per institution.

A call needs leave from the three that concern it. Its result is counted where `blame_of` says, and
the wider circuit explains the narrower: what opens the provider opens nothing below it.
"""

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Final

from orchestrator.domain import CircuitState, ErrorClass, Failure, Operation

from .blame import Blame, NetworkEvidence, blame_of
from .board_snapshot import (
    PROVIDER_SCOPE,
    BoardMemory,
    BoardSnapshot,
    CircuitBlock,
    CircuitStatus,
    block_of,
    institution_scope,
    operation_scope,
    widest,
)
from .breaker import CircuitBreaker
from .breaker_options import BreakerOptions
from .circuit_permit import CircuitPermit, CircuitRejection, CircuitTransition, scoped
from .narrow_circuits import NarrowCircuits
from .permit import Control, Permit, Rejection, Verdict

__all__ = ["CircuitBoard"]

_CLIENT_PROBE_TIMEOUTS: Final = 10.0
_FORCED: Final = (CircuitState.FORCED_OPEN, CircuitState.FORCED_CLOSED)


class CircuitBoard:
    """One provider's circuits. Synchronous; one event loop owns it.

    A narrower circuit exists from its first counted failure until it is closed, has nothing
    counted, and no result of an earlier generation can come back any more.

    Args:
        options: of every circuit.
        probes_refused_keys: whether a provider that refused our keys is probed, every ten times
            `timeout_s`. False where a refused try does harm (Finicity locks a partner after five):
            then only `force` ends it.
        max_narrower: bound on the narrower circuits; over it, the one used longest ago is given up.
        network_age_s: seconds for which a network failure at one institution speaks against the
            provider once another fails as well.

    """

    __slots__ = ("_evidence", "_narrower", "_options", "_probes_refused_keys", "_provider")

    def __init__(
        self,
        options: BreakerOptions | None = None,
        *,
        probes_refused_keys: bool = True,
        max_narrower: int = 10_000,
        network_age_s: float = 300.0,
    ) -> None:
        ids = count(1)
        self._options = options or BreakerOptions()
        self._provider = CircuitBreaker(self._options, ids=ids)
        self._narrower = NarrowCircuits(self._options, ids, max_narrower)
        self._evidence = NetworkEvidence(network_age_s, max_narrower)
        self._probes_refused_keys = probes_refused_keys

    @property
    def state(self) -> CircuitState:
        """The provider's own circuit."""
        return self._provider.state

    def admit(
        self, operation: Operation, institution_id: str | None, now: float, *, panic: bool = False
    ) -> CircuitPermit | CircuitRejection:
        """Ask all circuits concerned; all give leave, or nothing is taken.

        Args:
            operation: to be called.
            institution_id: where; None where it is not known.
            now: seconds.
            panic: pass circuits that are open by failures, without counting against them. A success
                lets such a circuit become half-open at once; a failure leaves it as it is.

        """
        moved: list[CircuitTransition] = []
        taken: list[tuple[str, Permit]] = []
        blocks: list[CircuitBlock] = []
        for scope, breaker in self._involved(operation, institution_id):
            answer = breaker.try_acquire(now, panic=panic)
            moved += scoped(scope, answer.transitions)
            if isinstance(answer, Rejection):
                blocks.append(CircuitBlock(scope, answer.cause, answer.retry_after_s))
            else:
                taken.append((scope, answer))
        block = widest(blocks)
        if block is not None:
            moved += self._give_back(taken, now)
            return CircuitRejection(block, tuple(moved))
        return CircuitPermit(
            operation=operation,
            institution_id=institution_id,
            provider=taken[0][1],
            narrower=tuple(taken[1:]),
            provider_state=self._provider.state,
            transitions=tuple(moved),
        )

    def blocks(
        self, operation: Operation, institution_id: str | None, now: float
    ) -> CircuitBlock | None:
        """What `admit` would object to, or None; takes and changes nothing."""
        found: list[CircuitBlock] = []
        for scope, breaker in self._involved(operation, institution_id):
            if breaker.state is CircuitState.CLOSED:
                continue
            block = block_of(CircuitStatus.of(scope, breaker.snapshot(now)))
            if block is not None:
                found.append(block)
        return widest(found)

    def release(self, permit: CircuitPermit, now: float) -> tuple[CircuitTransition, ...]:
        """Give a permit back unused."""
        return tuple(self._give_back([(PROVIDER_SCOPE, permit.provider), *permit.narrower], now))

    def record(
        self,
        permit: CircuitPermit,
        outcome: Failure | None,
        now: float,
        *,
        jitter_ratio: float = 0.0,
    ) -> tuple[CircuitTransition, ...]:
        """Report how a call went.

        A result that is late for the provider's circuit (it changed since) counts nowhere.

        Args:
            permit: from `admit`.
            outcome: the failure, None for a success.
            now: seconds.
            jitter_ratio: random share, 0 to 1, that lengthens a grown open interval.

        """
        moved = [*scoped(PROVIDER_SCOPE, self._provider.observe(now))]
        if not self._provider.is_current(permit.provider) or self.state in _FORCED:
            return (*moved, *self.release(permit, now))
        blame = None if outcome is None else blame_of(outcome)
        if outcome is not None and blame is Blame.CLIENT:
            return (*moved, *self.release(permit, now), *self._refused(outcome, now))
        at_provider, at_operation, at_institution = self._evidence.verdicts(
            blame, permit.institution_id, now
        )
        changed = self._provider.record(
            permit.provider, at_provider, now, jitter_ratio=jitter_ratio
        )
        moved += scoped(PROVIDER_SCOPE, changed)
        if self.state is CircuitState.OPEN and changed:
            moved += self._give_back(permit.narrower, now)
            self._forgive_narrower()
            return tuple(moved)
        moved += self._count(
            operation_scope(permit.operation), permit, at_operation, now, jitter_ratio
        )
        if permit.institution_id is not None:
            scope = institution_scope(permit.institution_id)
            moved += self._count(scope, permit, at_institution, now, jitter_ratio)
        return tuple(moved)

    def force(self, control: Control, now: float, reason: str) -> tuple[CircuitTransition, ...]:
        """The operator's switch, for all circuits here.

        `AUTO` closes all, sets every count to zero and forgets the narrower ones. While forced, no
        result is counted anywhere.
        """
        moved = [*scoped(PROVIDER_SCOPE, self._provider.force(control, now, reason))]
        for scope, breaker in self._narrower.items():
            moved += scoped(scope, breaker.force(control, now, reason))
        if control is Control.AUTO:
            self._narrower.clear()
            self._evidence.clear()
        return tuple(moved)

    def observe(self, now: float) -> tuple[CircuitTransition, ...]:
        """Let time pass everywhere; call it about once a second."""
        moved = [*scoped(PROVIDER_SCOPE, self._provider.observe(now))]
        for scope, breaker in self._narrower.items():
            moved += scoped(scope, breaker.observe(now))
            self._narrower.drop_idle(scope)
        return tuple(moved)

    def snapshot(self, now: float) -> BoardSnapshot:
        """All circuits at `now`, changing nothing."""
        statuses = (
            CircuitStatus.of(scope, breaker.snapshot(now))
            for scope, breaker in self._narrower.items()
            if breaker.state is not CircuitState.CLOSED
        )
        return BoardSnapshot(
            provider=CircuitStatus.of(PROVIDER_SCOPE, self._provider.snapshot(now)),
            narrower=tuple(sorted(statuses, key=lambda status: status.scope)),
        )

    def memory(self, now: float) -> BoardMemory:
        """What must survive a restart: plain data, in durations."""
        return {
            "provider": self._provider.memory(now),
            "narrower": {scope: breaker.memory(now) for scope, breaker in self._narrower.items()},
            "suspects": self._evidence.ages(now),
        }

    def restore(self, memory: BoardMemory, now: float, elapsed_s: float) -> None:
        """Take up what another board told `elapsed_s` seconds ago; this one must be fresh.

        What was open stays so for the time that is left, what was forced stays forced, and what was
        counted stays counted. What happened after that moment is not known.
        """
        self._provider.restore(memory["provider"], now, elapsed_s)
        for scope, told in memory["narrower"].items():
            breaker, _ = self._narrower.make(scope)
            breaker.restore(told, now, elapsed_s)
        self._evidence.restore(memory["suspects"], now, elapsed_s)

    def _involved(
        self, operation: Operation, institution_id: str | None
    ) -> Iterator[tuple[str, CircuitBreaker]]:
        yield PROVIDER_SCOPE, self._provider
        scopes = [operation_scope(operation)]
        if institution_id is not None:
            scopes.append(institution_scope(institution_id))
        for scope in scopes:
            breaker = self._narrower.get(scope)
            if breaker is not None:
                yield scope, breaker

    def _count(
        self, scope: str, permit: CircuitPermit, verdict: Verdict, now: float, jitter_ratio: float
    ) -> list[CircuitTransition]:
        moved: list[CircuitTransition] = []
        breaker = self._narrower.get(scope)
        if breaker is None:
            if verdict is not Verdict.FAILURE:
                return moved
            breaker, given_up = self._narrower.make(scope)
            for lost, transition in given_up:
                moved += scoped(lost, (transition,))
        held = dict(permit.narrower).get(scope)
        if held is None and breaker.generation == 0:
            # Admitted while there was no circuit. It counts as long as this one has never changed.
            answer = breaker.try_acquire(now)
            held = answer if isinstance(answer, Permit) else None
        if held is not None:
            changed = breaker.record(held, verdict, now, jitter_ratio=jitter_ratio)
            moved += scoped(scope, changed)
        self._narrower.drop_idle(scope)
        return moved

    def _refused(self, outcome: Failure, now: float) -> tuple[CircuitTransition, ...]:
        reason = (
            "our keys were refused"
            if outcome.error_class is ErrorClass.AUTH
            else "we were refused as a client"
        )
        after_s = (
            _CLIENT_PROBE_TIMEOUTS * self._options.timeout_s if self._probes_refused_keys else None
        )
        tripped = self._provider.trip(now, reason, after_s)
        self._forgive_narrower()
        return scoped(PROVIDER_SCOPE, tripped, alarm=True)

    def _forgive_narrower(self) -> None:
        for scope, breaker in self._narrower.items():
            breaker.forgive()
            self._narrower.drop_idle(scope)

    def _give_back(
        self, permits: Iterable[tuple[str, Permit]], now: float
    ) -> list[CircuitTransition]:
        moved: list[CircuitTransition] = []
        for scope, permit in permits:
            breaker = self._provider if scope == PROVIDER_SCOPE else self._narrower.get(scope)
            if breaker is not None:
                moved += scoped(scope, breaker.record(permit, Verdict.NEUTRAL, now))
        return moved

    def __repr__(self) -> str:
        parts = [str(self._provider.state)]
        parts += [
            f"{scope} {breaker.state}"
            for scope, breaker in self._narrower.items()
            if breaker.state is not CircuitState.CLOSED
        ]
        shown, more = parts[:4], len(parts) - 4
        tail = f", and {more} more" if more > 0 else ""
        return f"CircuitBoard({', '.join(shown)}{tail})"
