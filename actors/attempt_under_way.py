"""One attempt while it is made: its order, its trace, its permit, and when it must end."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from actors.attempt_failures import CUT, LATE, OUTRUN
from actors.attempt_writer import Measured, attempt_row
from actors.messages import AttemptOrder
from orchestrator.domain import CircuitState, ConnectionAttempt, Failure, OperationData
from orchestrator.providers.attempt_trace import AttemptTrace
from orchestrator.resilience import GuardPermit

__all__ = ["AttemptUnderWay", "Origin"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an attempt is made: the provider, the process, and the provider's circuit at admission."""

    provider: str
    node_id: str
    circuit_state: CircuitState


@dataclass(slots=True, eq=False)
class AttemptUnderWay:
    """Times are monotonic seconds of the provider actor's clock.

    `permit` is None until its first call has leave. `first_call` is held while that is asked for, so
    that of two calls made at once one begins the attempt and the other is a later one. `outrun` is
    set when another attempt of the request has answered first; `over`, when it has ended: a call
    that was made beside others and comes to its turn after that is not sent.
    """

    order: AttemptOrder
    trace: AttemptTrace
    started_s: float
    started_at: datetime
    task: asyncio.Task[object] | None
    permit: GuardPermit | None = None
    waited_s: float = 0.0
    outrun: bool = False
    over: bool = False
    first_call: asyncio.Lock = field(default_factory=asyncio.Lock)
    limit: asyncio.Timeout | None = None

    @property
    def begun(self) -> bool:
        """Whether its first call had leave."""
        return self.permit is not None

    @property
    def ends_s(self) -> float:
        """When it must end: by its own timeout, its wait left out, or with its share of the request's."""
        order = self.order
        return self.started_s + min(self.waited_s + order.timeout_s, order.time_left_s)

    def limited(self, now: float) -> asyncio.Timeout:
        """The bound on the whole of it. Until it has begun that is its share of the request's time."""
        self.limit = asyncio.timeout(self.started_s + self.order.time_left_s - now)
        return self.limit

    def begin(self, permit: GuardPermit, waited_s: float, now: float) -> None:
        """Its first call has leave after such a wait: from here on its own timeout holds too."""
        self.permit, self.waited_s = permit, waited_s
        if self.limit is not None:
            self.limit.reschedule(asyncio.get_running_loop().time() + self.ends_s - now)

    def time_left_s(self, now: float) -> float:
        """Seconds until it must end, as far as is known: a wait for its first call makes it longer."""
        return self.ends_s - now

    @property
    def when_over(self) -> Failure:
        """How it has failed when its time is over: by its own timeout, or by the caller's deadline."""
        order = self.order
        own = self.permit is not None and self.waited_s + order.timeout_s < order.time_left_s
        return LATE if own else CUT

    @property
    def when_gone(self) -> Failure:
        """How it has failed when nobody waits for it any more."""
        return OUTRUN if self.outrun else CUT

    def row(
        self,
        origin: Origin,
        outcome: OperationData | Failure,
        *,
        latency_ms: float,
        waited_s: float,
        http_calls: int | None,
    ) -> ConnectionAttempt:
        """Its row of the log; `waited_s` is what it has waited for its calls."""
        order, trace = self.order, self.trace
        return attempt_row(
            order,
            origin.provider,
            outcome,
            Measured(
                started_at=self.started_at,
                latency_ms=latency_ms,
                waited_ms=(order.waited_s + waited_s) * 1000,
                http_calls=http_calls,
                http_status=trace.http_status,
                provider_request_id=trace.provider_request_id,
                circuit_state=origin.circuit_state,
            ),
            connection_id=order.connection_id or getattr(outcome, "connection_id", None),
            node_id=origin.node_id,
        )
