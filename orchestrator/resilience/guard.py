"""One gate before a provider, and the queue before the gate.

Readiness comes before the call (tower's `poll_ready`): admit, then call, then record.
"""

import math
from dataclasses import replace

from orchestrator.domain import Failure, Lane, Operation

from .admission import AdmitRequest, GuardPermit, GuardReport, Leave, Served, Ticket, Turn
from .bulkheads import Bulkheads
from .call_budget import CallBudget
from .circuit_permit import CircuitTransition
from .circuits import CircuitBoard
from .gate import Gate, Held
from .health_snapshot import GuardRejection, HealthSnapshot
from .lanes import Hold, Lanes, Waiter
from .latencies import Latencies
from .limiter import RateLimiter
from .permit import Control
from .quota import ToldAllowance, VendorCall

__all__ = ["ProviderGuard"]


class ProviderGuard:
    """The gate before one provider. Synchronous; one event loop owns it.

    Asked in this order: circuits, call budget, limits, places. A refusal leaves nothing taken. Only
    limits and places are worth a wait: with `wait_s` a request gets a ticket, and `serve` tells how
    it went on. It is asked for all of them anew when its turn comes, so that nothing is sent through
    a circuit that opened while it waited.

    Args:
        provider: its name.
        board: its circuits.
        limiter: its limits.
        bulkheads: places for attempts under way; the defaults of `Bulkheads` when left out.
        lanes: the queue; the defaults of `Lanes` when left out.
        budget: of extra attempts.
        latencies: what is learned of its speed.

    """

    __slots__ = (
        "_gate",
        "_lanes",
        "_latencies",
        "_moved",
        "_now",
        "_served",
        "_subjects",
        "board",
        "budget",
        "limiter",
        "provider",
    )

    def __init__(
        self,
        provider: str,
        board: CircuitBoard,
        limiter: RateLimiter,
        *,
        bulkheads: Bulkheads | None = None,
        lanes: Lanes | None = None,
        budget: CallBudget | None = None,
        latencies: Latencies[Operation] | None = None,
    ) -> None:
        self.provider = provider
        self.board = board
        self.limiter = limiter
        self.budget = CallBudget() if budget is None else budget
        self._gate = Gate(
            board, limiter, Bulkheads() if bulkheads is None else bulkheads, self.budget
        )
        self._lanes = Lanes() if lanes is None else lanes
        self._latencies = Latencies[Operation]() if latencies is None else latencies
        self._now = -math.inf
        self._subjects: dict[int, AdmitRequest | GuardPermit] = {}
        self._served: list[Served] = []
        self._moved: list[CircuitTransition] = []

    @property
    def in_flight(self) -> int:
        """Attempts under way, as far as is known."""
        return len(self._gate.bulkheads)

    @property
    def waiting(self) -> int:
        """Calls in the queue."""
        return len(self._lanes)

    def check(
        self, request: AdmitRequest, now: float, *, wait_s: float = 0.0
    ) -> GuardRejection | None:
        """What speaks against an attempt before anything is done for it, or None; takes nothing."""
        self._tick(now)
        objection = self._gate.check(request, self._now)
        if not isinstance(objection, Held):
            return objection
        return self._refusal(objection, request.lane, wait_s)

    def admit(
        self, request: AdmitRequest, now: float, *, wait_s: float = 0.0
    ) -> GuardPermit | Ticket | GuardRejection:
        """Ask to make one attempt and its first call.

        Args:
            request: what is about to be called.
            now: seconds.
            wait_s: how long it may wait for limits and places; 0 for not at all, and then there is
                no ticket.

        """
        self._catch_up(now)
        self.limiter.want(request.call, self._now)
        answer = self._gate.admit(request, self._now)
        if not isinstance(answer, Held):
            return answer
        self.limiter.note_throttled(self._now)
        refusal = self._refusal(answer, request.lane, wait_s)
        if refusal is not None:
            return replace(refusal, transitions=answer.transitions)
        ticket = self._join(request.call, request, answer.hold, wait_s)
        return Ticket(ticket, answer.transitions)

    def proceed(
        self, permit: GuardPermit, endpoint: str, now: float, *, wait_s: float = 0.0
    ) -> Leave | Ticket | GuardRejection:
        """Ask for a later call of an attempt under way; only limits can stand in its way.

        Args:
            permit: the attempt's.
            endpoint: the vendor's, by the name that its limits know.
            now: seconds.
            wait_s: how long it may wait.

        """
        self._catch_up(now)
        call = replace(permit.request.call, endpoint=endpoint)
        self.limiter.want(call, self._now)
        answer = self._gate.proceed(permit, call, self._now)
        if isinstance(answer, Leave):
            return answer
        self.limiter.note_throttled(self._now)
        if answer.at_least_s > wait_s:
            return answer.rejection
        return Ticket(self._join(call, permit, answer.hold, wait_s))

    def give_up(self, ticket: Ticket, now: float) -> None:
        """Wait no longer. What was granted already and not fetched yet, `serve` tells all the same."""
        self._tick(now)
        self._lanes.leave(ticket.id)
        self._subjects.pop(ticket.id, None)

    def serve(self, now: float) -> Turn:
        """Let through whoever can go; call it after `record`, and when `due_in_s` is over."""
        self._tick(now)
        self._serve()
        turn = Turn(tuple(self._served), tuple(self._moved))
        self._served.clear()
        self._moved.clear()
        return turn

    def due_in_s(self, now: float) -> float | None:
        """Seconds until `serve` is worth calling again by itself; None while nobody waits."""
        self._tick(now)
        if self._served:
            return 0.0
        return None if not self._lanes else max(0.0, self._lanes.due_at - self._now)

    def told(self, call: VendorCall, allowance: ToldAllowance, now: float) -> None:
        """Take what the vendor said of its own limit beside an answer."""
        self._tick(now)
        self.limiter.told(call, allowance, self._now)

    def record(
        self,
        permit: GuardPermit,
        failure: Failure | None,
        now: float,
        *,
        latency_s: float | None = None,
        jitter_ratio: float = 0.0,
    ) -> GuardReport:
        """Report how an attempt went: frees its place, tells the circuits, and the limiter of a 429.

        Args:
            permit: from `admit` or `serve`; a second report of it changes nothing.
            failure: how it failed, None for a success.
            now: seconds.
            latency_s: how long it took, its waits left out; learned from where it worked.
            jitter_ratio: random share, 0 to 1, that lengthens grown intervals and pauses of ours.

        """
        self._tick(now)
        in_time, report = self._gate.record(permit, failure, self._now, jitter_ratio)
        if in_time and failure is None and latency_s is not None:
            self._latencies.note(permit.request.operation, latency_s)
        return report

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
            in_flight=len(self._gate.bulkheads),
            max_in_flight=self._gate.bulkheads.most,
            full_institutions=self._gate.bulkheads.full_institutions,
            waiting=len(self._lanes),
            extra_left=self.budget.left(self._now),
            slow_after_s=self._latencies.told(),
        )

    def _refusal(self, held: Held, lane: Lane, wait_s: float) -> GuardRejection | None:
        """What is told to who may not wait for that, or in vain; None where waiting may help."""
        if wait_s <= 0.0 or held.at_least_s > wait_s:
            return held.rejection
        return None if self._lanes.has_room(lane) else GuardRejection.of_full_queue()

    def _join(
        self, call: VendorCall, subject: AdmitRequest | GuardPermit, hold: Hold, wait_s: float
    ) -> int:
        entrant = isinstance(subject, AdmitRequest)
        space = subject.space if isinstance(subject, AdmitRequest) else subject.request.space
        ticket = self._lanes.join(call, space, hold, self._now, entrant=entrant, wait_s=wait_s)
        self._subjects[ticket] = subject
        return ticket

    def _catch_up(self, now: float) -> None:
        """Serve those who wait before a newcomer, where that may change anything."""
        self._tick(now)
        if self._now >= self._lanes.due_at:
            self._serve()

    def _serve(self) -> None:
        for waiter in self._lanes.serve(self._try, self._now):
            answer = self._ask(waiter)
            # Its time is over; that it could go at this very instant is luck, and its own.
            told = answer.rejection if isinstance(answer, Held) else answer
            self._served.append(Served(waiter.ticket, told))
            del self._subjects[waiter.ticket]

    def _try(self, waiter: Waiter) -> Hold | None:
        answer = self._ask(waiter)
        if isinstance(answer, Held):
            self._moved += answer.transitions
            return answer.hold
        self._served.append(Served(waiter.ticket, answer))
        del self._subjects[waiter.ticket]
        return None

    def _ask(self, waiter: Waiter) -> GuardPermit | Leave | Held | GuardRejection:
        subject = self._subjects[waiter.ticket]
        if isinstance(subject, GuardPermit):
            return self._gate.proceed(subject, waiter.call, self._now)
        return self._gate.admit(subject, self._now)

    def _tick(self, now: float) -> None:
        self._now = max(self._now, now)
        self._gate.expire(self._now)

    def __repr__(self) -> str:
        return (
            f"ProviderGuard({self.provider}, {self.board!r}, {self.limiter!r}, "
            f"{self._gate.bulkheads!r}, {self._lanes!r}, {self.budget!r})"
        )
