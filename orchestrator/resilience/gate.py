"""All that an attempt needs before it may be sent, taken at once or not at all."""

from dataclasses import dataclass, replace
from typing import Final

from orchestrator.domain import Failure

from .admission import AdmitRequest, GuardPermit, GuardReport, Leave
from .bulkheads import Bulkheads
from .call_budget import CallBudget
from .circuit_permit import CircuitRejection, CircuitTransition
from .circuits import CircuitBoard
from .health_snapshot import GuardRejection
from .lanes import Hold
from .limiter import RateLimiter
from .quota import VendorCall
from .throttling import Throttling

__all__ = ["Gate", "Held"]

_LEAVE: Final = Leave()


@dataclass(frozen=True, slots=True)
class Held:
    """Limits or places are in the way, which a wait may mend.

    `hold` is for the queue, `rejection` for who does not wait there. It takes at least
    `at_least_s` seconds. `transitions` happened while asking.
    """

    hold: Hold
    rejection: GuardRejection
    at_least_s: float
    transitions: tuple[CircuitTransition, ...] = ()


class Gate:
    """Circuits, call budget, limits and places of one provider, asked in this order.

    Synchronous; one event loop owns it. It knows nothing of a queue.
    """

    __slots__ = ("_last_calls", "_throttling", "board", "budget", "bulkheads", "limiter")

    def __init__(
        self, board: CircuitBoard, limiter: RateLimiter, bulkheads: Bulkheads, budget: CallBudget
    ) -> None:
        self.board = board
        self.limiter = limiter
        self.bulkheads = bulkheads
        self.budget = budget
        self._throttling = Throttling(limiter)
        self._last_calls: dict[int, VendorCall] = {}

    def check(self, request: AdmitRequest, now: float) -> Held | GuardRejection | None:
        """What `admit` would object to, or None; takes and changes nothing."""
        block = self.board.blocks(request.operation, request.institution_id, now)
        if block is not None and not (request.panic and block.by_failures):
            return GuardRejection.of_circuit(block)
        if request.extra and not self.budget.left(now):
            return GuardRejection.of_budget()
        return self._held(request, now)

    def admit(self, request: AdmitRequest, now: float) -> GuardPermit | Held | GuardRejection:
        """Take leave of all for an attempt and its first call, or nothing."""
        circuits = self.board.admit(
            request.operation, request.institution_id, now, panic=request.panic
        )
        if isinstance(circuits, CircuitRejection):
            return GuardRejection.of_circuit(circuits.block, circuits.transitions)
        objection: Held | GuardRejection | None = None
        if request.extra and not self.budget.left(now):
            objection = GuardRejection.of_budget()
        objection = objection or self._held(request, now)
        if objection is not None:
            moved = (*circuits.transitions, *self.board.release(circuits, now))
            return replace(objection, transitions=moved)
        if request.extra:
            self.budget.take_extra(now)
        else:
            self.budget.count_first(now)
        place = self.bulkheads.take(request.institution_id, request.lane, now)
        self._take(place, request.call, now)
        return GuardPermit(place, circuits, request)

    def proceed(self, permit: GuardPermit, call: VendorCall, now: float) -> Leave | Held:
        """Take leave for a later call of an attempt under way, which has its place already."""
        limited = self.limiter.check(call, now)
        if limited is None:
            self._take(permit.id, call, now)
            return _LEAVE
        hold = Hold(limited.reach, limited.reach_s)
        return Held(hold, GuardRejection.of_limit(limited), limited.retry_after_s)

    def record(
        self, permit: GuardPermit, failure: Failure | None, now: float, jitter_ratio: float
    ) -> tuple[bool, GuardReport]:
        """Take everything back; whether that was in time, and what the result has changed."""
        in_time = self.bulkheads.give_back(permit.id)
        call = self._last_calls.pop(permit.id, permit.request.call)
        moved = self.board.record(permit.circuits, failure, now, jitter_ratio=jitter_ratio)
        pause_s = None
        if in_time and failure is None:
            self._throttling.succeeded(now)
        elif in_time and failure is not None:
            pause_s = self._throttling.throttled(call, failure, now, jitter_ratio)
        return in_time, GuardReport(moved, pause_s)

    def expire(self, now: float) -> None:
        """Let go of the places whose lease is over."""
        for place in self.bulkheads.expire(now):
            self._last_calls.pop(place, None)

    def _held(self, request: AdmitRequest, now: float) -> Held | None:
        """What limits and places say to an attempt; limits speak first."""
        limited = self.limiter.check(request.call, now)
        full = self.bulkheads.full(request.institution_id, request.lane)
        if limited is None:
            in_flight = GuardRejection.of_in_flight()
            return None if full is None else Held(Hold(full, None), in_flight, 0.0)
        hold = Hold(limited.reach, limited.reach_s)
        if full is not None and full < limited.reach:
            hold = Hold(full, None)
        return Held(hold, GuardRejection.of_limit(limited), limited.retry_after_s)

    def _take(self, place: int, call: VendorCall, now: float) -> None:
        self.limiter.take(call, now)
        self._last_calls[place] = call
