"""The shell around a guard's queue: whoever has a ticket awaits its turn here."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from orchestrator.domain import Clock, Failure
from orchestrator.resilience import (
    AdmitRequest,
    CircuitTransition,
    GuardPermit,
    GuardRejection,
    Leave,
    ProviderGuard,
    Ticket,
)

__all__ = ["WaitingRoom"]

_Answer = GuardPermit | Leave | GuardRejection


class WaitingRoom:
    """Asks a guard, and waits where it says so. One event loop owns it.

    Args:
        guard: its provider's.
        clock: monotonic time.
        changed: is told what changed in circuits while asking.
        unclaimed: how an attempt has ended that was let through when its asker had just gone.
        sleep: waits until the queue is due.

    """

    def __init__(
        self,
        guard: ProviderGuard,
        clock: Clock,
        *,
        changed: Callable[[Iterable[CircuitTransition]], None],
        unclaimed: Failure,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._guard = guard
        self._clock = clock
        self._changed = changed
        self._unclaimed = unclaimed
        self._sleep = sleep
        self._futures: dict[int, asyncio.Future[_Answer]] = {}
        self._waker: asyncio.Task[None] | None = None
        self._wakes_at = float("inf")

    async def admit(self, request: AdmitRequest, wait_s: float) -> GuardPermit | GuardRejection:
        """Leave for an attempt and its first call, within `wait_s` seconds."""
        answer = self._guard.admit(request, self._clock.now_s(), wait_s=wait_s)
        self._changed(answer.transitions)
        given = await self._turn(answer) if isinstance(answer, Ticket) else answer
        if isinstance(given, Leave):
            raise TypeError("a new attempt was let through as if it were a page")
        return given

    async def proceed(
        self, permit: GuardPermit, endpoint: str, wait_s: float
    ) -> Leave | GuardRejection:
        """Leave for a later call of an attempt under way, within `wait_s` seconds."""
        answer = self._guard.proceed(permit, endpoint, self._clock.now_s(), wait_s=wait_s)
        given = await self._turn(answer) if isinstance(answer, Ticket) else answer
        if isinstance(given, GuardPermit):
            raise TypeError("a page was let through as if it were a new attempt")
        return given

    def serve(self) -> None:
        """Let through whoever can go; call it whenever something was given back."""
        now = self._clock.now_s()
        turn = self._guard.serve(now)
        self._changed(turn.transitions)
        for served in turn.served:
            if isinstance(served.answer, GuardPermit | GuardRejection):
                self._changed(served.answer.transitions)
            future = self._futures.pop(served.ticket, None)
            if future is not None and not future.done():
                future.set_result(served.answer)
            elif isinstance(served.answer, GuardPermit):
                self._guard.record(served.answer, self._unclaimed, now)
        self._arm(now)

    async def close(self) -> None:
        """Wake nobody any more."""
        if self._waker is not None:
            self._waker.cancel()
            await asyncio.gather(self._waker, return_exceptions=True)
            self._waker = None
            self._wakes_at = float("inf")

    async def _turn(self, ticket: Ticket) -> _Answer:
        future: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        self._futures[ticket.id] = future
        self._arm(self._clock.now_s())
        try:
            return await future
        except asyncio.CancelledError:
            self._futures.pop(ticket.id, None)
            self._guard.give_up(ticket, self._clock.now_s())
            if future.done() and not future.cancelled():
                answer = future.result()
                if isinstance(answer, GuardPermit):
                    self._guard.record(answer, self._unclaimed, self._clock.now_s())
                    self.serve()
            raise

    def _arm(self, now: float) -> None:
        """Have the queue served when it is due, unless that is seen to already."""
        due_s = self._guard.due_in_s(now)
        if due_s is None or now + due_s >= self._wakes_at:
            return
        if self._waker is not None:
            self._waker.cancel()
        self._wakes_at = now + due_s
        self._waker = asyncio.get_running_loop().create_task(self._wake(due_s))

    async def _wake(self, due_s: float) -> None:
        await self._sleep(due_s)
        self._waker = None
        self._wakes_at = float("inf")
        self.serve()
