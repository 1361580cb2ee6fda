"""What a provider's circuits say: one permit or rejection for all of them, and what changed."""

from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.domain import CircuitState, IneligibilityReason, Operation, quick_init

from .board_snapshot import CircuitBlock
from .permit import Permit, Transition

__all__ = ["CircuitPermit", "CircuitRejection", "CircuitTransition", "scoped"]


@dataclass(frozen=True, slots=True)
class CircuitTransition:
    """One of a provider's circuits changed.

    `scope` is `provider`, `operation:getAccounts` or `institution:ins_chase`. `alarm` asks for a
    person: our own keys or contract were refused, and waiting does not mend that.
    """

    scope: str
    from_state: CircuitState
    to_state: CircuitState
    reason: str
    alarm: bool = False


@quick_init
@dataclass(frozen=True, slots=True)
class CircuitPermit:
    """Leave of every circuit concerned. Give it back with `CircuitBoard.record`, whatever happens.

    `provider_state` is the provider circuit's at admission. `transitions` happened while asking.
    """

    operation: Operation
    institution_id: str | None
    provider: Permit
    narrower: tuple[tuple[str, Permit], ...]
    provider_state: CircuitState
    transitions: tuple[CircuitTransition, ...] = ()

    @property
    def probe(self) -> bool:
        """Whether the call decides over a half-open circuit."""
        return self.provider.probe or any(permit.probe for _, permit in self.narrower)

    @property
    def panic(self) -> bool:
        """Whether the call was let through an open circuit."""
        return self.provider.panic or any(permit.panic for _, permit in self.narrower)


@dataclass(frozen=True, slots=True)
class CircuitRejection:
    """No call now. Nothing is held. `transitions` happened while asking."""

    block: CircuitBlock
    transitions: tuple[CircuitTransition, ...] = ()

    @property
    def reason(self) -> IneligibilityReason:
        """`circuit_open` or `forced_open`."""
        return self.block.reason

    @property
    def retry_after_s(self) -> float | None:
        """Seconds until it is worth asking again, None where time alone changes nothing."""
        return self.block.retry_after_s


def scoped(
    scope: str, transitions: Iterable[Transition], *, alarm: bool = False
) -> tuple[CircuitTransition, ...]:
    """Changes of one circuit, under its scope."""
    return tuple(
        CircuitTransition(scope, t.from_state, t.to_state, t.reason, alarm) for t in transitions
    )
