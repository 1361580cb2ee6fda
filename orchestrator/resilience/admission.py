"""What a provider's gate is asked and says: requests, permits, tickets, refusals, reports."""

from dataclasses import dataclass

from orchestrator.domain import CircuitState, Lane, Operation, quick_init

from .circuit_permit import CircuitPermit, CircuitTransition
from .health_snapshot import GuardRejection
from .quota import VendorCall

__all__ = ["AdmitRequest", "GuardPermit", "GuardReport", "Leave", "Served", "Ticket", "Turn"]


@quick_init
@dataclass(frozen=True, slots=True)
class AdmitRequest:
    """An attempt that is about to make its first call.

    `endpoint` is the first of the vendor's endpoints that it needs, None where unknown. `space` is
    whose turn it takes in the queue, under any name that is the same each time. `panic` passes
    circuits that are open by failures. `extra` says that this provider was sent an attempt for this
    request already, or that the attempt is a hedge: it draws on the call budget.
    """

    operation: Operation
    institution_id: str | None = None
    connection_id: str | None = None
    endpoint: str | None = None
    lane: Lane = Lane.INTERACTIVE
    space: str = ""
    panic: bool = False
    extra: bool = False

    @property
    def call(self) -> VendorCall:
        """Its first call, as limits see it."""
        return VendorCall(self.endpoint, self.connection_id, self.institution_id, self.lane)


@quick_init
@dataclass(frozen=True, slots=True)
class GuardPermit:
    """Leave for one attempt and its first call.

    Give it back with `ProviderGuard.record`, whatever happens.
    """

    id: int
    circuits: CircuitPermit
    request: AdmitRequest

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
class Leave:
    """Leave for a later call of an attempt under way."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """Waits in the queue; `ProviderGuard.serve` will tell how it went on, under this id."""

    id: int
    transitions: tuple[CircuitTransition, ...] = ()


@dataclass(frozen=True, slots=True)
class Served:
    """The end of a wait: a permit, leave for a page, or a refusal."""

    ticket: int
    answer: GuardPermit | Leave | GuardRejection


@dataclass(frozen=True, slots=True)
class Turn:
    """Who has come to the end of a wait, in order, and what changed while asking for them."""

    served: tuple[Served, ...]
    transitions: tuple[CircuitTransition, ...]


@dataclass(frozen=True, slots=True)
class GuardReport:
    """What a result has changed. `paused_for_s` is the pause that it began, None without one."""

    transitions: tuple[CircuitTransition, ...]
    paused_for_s: float | None = None

    @property
    def alarm(self) -> bool:
        """Whether a person is needed: our keys or contract were refused."""
        return any(transition.alarm for transition in self.transitions)
