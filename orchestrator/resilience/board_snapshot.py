"""A provider's circuits as a router sees them: a frozen picture, in durations, that can be asked.

Monotonic time never leaves its process, so the picture holds seconds to go and seconds since; who
reads it later says how old it is.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypedDict

from orchestrator.domain import CircuitState, IneligibilityReason, Operation

from .breaker_phase import BreakerMemory
from .permit import BreakerSnapshot, OpenCause

__all__ = [
    "PROVIDER_SCOPE",
    "BoardMemory",
    "BoardSnapshot",
    "CircuitBlock",
    "CircuitStatus",
    "block_of",
    "institution_scope",
    "operation_scope",
    "widest",
]

PROVIDER_SCOPE: Final = "provider"


def operation_scope(operation: Operation) -> str:
    """The name of an operation's circuit."""
    return f"operation:{operation}"


def institution_scope(institution_id: str) -> str:
    """The name of an institution's circuit."""
    return f"institution:{institution_id}"


@dataclass(frozen=True, slots=True)
class CircuitBlock:
    """Why no call goes through, in the words of the widest circuit that blocks.

    Only the provider's own circuit is tripped, and all are forced together: so the widest names
    the weightiest cause too. `retry_after_s` is the longest wait of all that block, None where one
    of them waits for more than time.
    """

    scope: str
    cause: OpenCause
    retry_after_s: float | None

    @property
    def reason(self) -> IneligibilityReason:
        """`circuit_open` or `forced_open`."""
        return self.cause.ineligibility

    @property
    def by_failures(self) -> bool:
        """Whether a call in panic may pass: nothing but failures stands against it."""
        return self.cause is OpenCause.FAILURES


def widest(blocks: Sequence[CircuitBlock]) -> CircuitBlock | None:
    """One block for several, given from the widest circuit to the narrowest."""
    if not blocks:
        return None
    waits = [block.retry_after_s for block in blocks if block.retry_after_s is not None]
    return CircuitBlock(
        scope=blocks[0].scope,
        cause=blocks[0].cause,
        retry_after_s=max(waits) if len(waits) == len(blocks) else None,
    )


@dataclass(frozen=True, slots=True)
class CircuitStatus:
    """One circuit. Fields as in `BreakerSnapshot`."""

    scope: str
    state: CircuitState
    cause: OpenCause | None
    opened_for_s: float | None
    retry_after_s: float | None

    @classmethod
    def of(cls, scope: str, breaker: BreakerSnapshot) -> "CircuitStatus":
        """A breaker's snapshot under its scope."""
        return cls(
            scope=scope,
            state=breaker.state,
            cause=breaker.cause,
            opened_for_s=breaker.opened_for_s,
            retry_after_s=breaker.retry_after_s,
        )


def block_of(status: CircuitStatus, age_s: float = 0.0) -> CircuitBlock | None:
    """Whether this circuit blocks, `age_s` seconds after its status was taken."""
    left_s = None if status.retry_after_s is None else max(0.0, status.retry_after_s - age_s)
    if left_s == 0.0:
        return None
    return CircuitBlock(status.scope, status.cause or OpenCause.FAILURES, left_s)


class BoardMemory(TypedDict):
    """A board's memory as plain JSON data. `suspects`: institutions, and seconds since they failed."""

    provider: BreakerMemory
    narrower: dict[str, BreakerMemory]
    suspects: list[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class BoardSnapshot:
    """All circuits of one provider.

    `narrower` holds those of operations and institutions that are not closed, sorted by scope.
    """

    provider: CircuitStatus
    narrower: tuple[CircuitStatus, ...]

    @property
    def state(self) -> CircuitState:
        """The provider's own circuit."""
        return self.provider.state

    @property
    def cause(self) -> OpenCause | None:
        """Why the provider's own circuit is not simply closed."""
        return self.provider.cause

    @property
    def retry_after_s(self) -> float | None:
        """The wait of the provider's own circuit: 0 when it lets calls through."""
        return self.provider.retry_after_s

    def blocks(
        self, operation: Operation, institution_id: str | None, *, age_s: float = 0.0
    ) -> CircuitBlock | None:
        """What speaks against a call, or None; takes no permit.

        Args:
            operation: to be called.
            institution_id: where; None asks about no institution's circuit.
            age_s: seconds since the snapshot was taken; waits are that much shorter.

        """
        if not self.narrower and self.provider.retry_after_s == 0.0:
            return None
        statuses = self._involved(operation, institution_id)
        return widest([block for s in statuses if (block := block_of(s, age_s)) is not None])

    def _involved(
        self, operation: Operation, institution_id: str | None
    ) -> Iterator[CircuitStatus]:
        yield self.provider
        yield from self._find(operation_scope(operation))
        if institution_id is not None:
            yield from self._find(institution_scope(institution_id))

    def _find(self, scope: str) -> tuple[CircuitStatus, ...]:
        at = bisect_left(self.narrower, scope, key=lambda status: status.scope)
        found = self.narrower[at : at + 1]
        return found if found and found[0].scope == scope else ()
