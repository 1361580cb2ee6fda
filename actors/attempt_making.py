"""Attempts at one provider, each from its order to its reply: call, record, write down, answer."""

import asyncio
import os
import random
from functools import partial
from traceback import extract_tb

import structlog

from actors.attempt_failures import ACTOR_LOST, CUT, local_limit, own_fault
from actors.attempt_under_way import AttemptUnderWay, Origin
from actors.circuit_log import CircuitLog
from actors.exchange_doubt import may_have_happened
from actors.messages import (
    AccountsCall,
    AttemptOrder,
    AttemptReply,
    ExchangeCall,
    LinkCall,
    NotAttempted,
    rejected_by,
)
from actors.ports import ActorLost
from actors.provider_calls import ProviderCalls
from actors.provider_memory import ProviderMemory
from actors.waiting_room import WaitingRoom
from orchestrator.domain import (
    Clock,
    Failure,
    Lane,
    OperationData,
    ProviderFailure,
    StoreError,
    from_unix,
)
from orchestrator.providers.attempt_trace import AttemptTrace, current_attempt
from orchestrator.resilience import (
    GuardRejection,
    HealthSnapshot,
    Leave,
    ProviderGuard,
    ToldAllowance,
)
from orchestrator.spool import SpoolWriter

__all__ = ["AttemptMaker"]

_log = structlog.get_logger("provider")


class _NotAdmitted(Exception):
    """An attempt's first call got no leave: nothing was sent."""

    def __init__(self, rejection: GuardRejection) -> None:
        super().__init__(rejection)
        self.rejection = rejection


async def _over(_endpoint: str) -> float:
    raise ProviderFailure(CUT)


class AttemptMaker:
    """Makes attempts at one provider. Safe for concurrent use within one event loop.

    Args:
        calls: the operations.
        guard: circuits, limits, places and queue.
        room: where attempts wait for leave.
        changes: where changes of circuits are told.
        spool: where rows go.
        memory: counts what is sent.
        clock: monotonic and wall time.
        rng: jitter.
        exchange_consumes: whether an exchange uses its temporary token up, so that a lost answer
            leaves it in doubt.
        call_timeout_s: longest silence of the vendor on one HTTP call.

    """

    def __init__(
        self,
        calls: ProviderCalls,
        guard: ProviderGuard,
        room: WaitingRoom,
        changes: CircuitLog,
        spool: SpoolWriter,
        *,
        memory: ProviderMemory,
        clock: Clock,
        rng: random.Random,
        exchange_consumes: bool,
        call_timeout_s: float,
    ) -> None:
        self._calls = calls
        self._guard = guard
        self._room = room
        self._changes = changes
        self._spool = spool
        self._memory = memory
        self._clock = clock
        self._rng = rng
        self._exchange_consumes = exchange_consumes
        self._call_timeout_s = call_timeout_s
        self._under_way: dict[str, AttemptUnderWay] = {}
        self._node_id = f"{os.uname().nodename}:{os.getpid()}"

    async def make(self, order: AttemptOrder) -> AttemptReply:
        """Make one attempt; the reply tells nothing of the provider's health.

        Every failure is in the reply; nothing is raised but for our own bugs.
        """
        objection = self._guard.check(order.request(), self._clock.now_s(), wait_s=order.wait_s)
        if objection is not None:
            return self._rejected(objection)
        attempt = self._attempt_of(order)
        self._under_way[order.attempt_id] = attempt
        try:
            return await self._attempt(attempt)
        finally:
            attempt.over = True
            # The trace held the attempt, which holds it: broken here, neither waits for a search.
            attempt.trace.end(_over)
            del self._under_way[order.attempt_id]

    def abandon(self, attempt_id: str) -> None:
        """Give up an attempt, as another of its request has answered first; quiet where it ended."""
        attempt = self._under_way.get(attempt_id)
        if attempt is not None and attempt.task is not None:
            attempt.outrun = True
            attempt.task.cancel()

    def snapshot(self) -> HealthSnapshot:
        """How the provider stands now."""
        return self._guard.snapshot(self._clock.now_s(), self._clock.unix_s())

    def _attempt_of(self, order: AttemptOrder) -> AttemptUnderWay:
        trace = AttemptTrace(
            order.attempt_id,
            call_timeout_s=self._call_timeout_s,
            operation=order.operation.value,
            interactive=order.lane is Lane.INTERACTIVE,
        )
        attempt = AttemptUnderWay(
            order,
            trace,
            started_s=self._clock.now_s(),
            started_at=from_unix(self._clock.unix_s()),
            task=asyncio.current_task(),
        )
        trace.pace = lambda endpoint: self._pace(endpoint, attempt)
        trace.tell_allowance = partial(self._told, order)
        trace.time_left_s = lambda: attempt.time_left_s(self._clock.now_s())
        return attempt

    async def _attempt(self, attempt: AttemptUnderWay) -> AttemptReply:
        order = attempt.order
        try:
            outcome = await self._run(attempt)
        except _NotAdmitted as refused:
            await self._settle(order, in_doubt=False)
            return self._rejected(refused.rejection)
        except asyncio.CancelledError:
            # Whoever waited is gone; what was sent stays sent.
            reply = await asyncio.shield(self._ended(attempt, attempt.when_gone))
            if not attempt.outrun or attempt.task is None:
                raise
            attempt.task.uncancel()
            return reply
        if isinstance(outcome, NotAttempted):
            self._record(attempt, CUT)
            return AttemptReply(outcome, 0.0, 0.0)
        return await self._ended(attempt, outcome)

    async def _ended(
        self, attempt: AttemptUnderWay, outcome: OperationData | Failure
    ) -> AttemptReply:
        order, trace = attempt.order, attempt.trace
        failure = outcome if isinstance(outcome, Failure) else None
        latency_s = self._clock.now_s() - attempt.started_s - trace.waited_s
        self._record(attempt, failure, latency_s)
        in_doubt = failure is not None and may_have_happened(
            order, failure, trace.http_calls, consumes=self._exchange_consumes
        )
        latency_ms = latency_s * 1000
        row = attempt.row(
            self._origin(attempt),
            outcome,
            latency_ms=latency_ms,
            waited_s=trace.waited_s,
            http_calls=trace.http_calls,
        )
        self._spool.put(row)
        if failure is not None:
            await self._settle(order, in_doubt=in_doubt)
        return AttemptReply(outcome, latency_ms, row.waited_ms, in_doubt=in_doubt)

    async def _run(self, attempt: AttemptUnderWay) -> OperationData | Failure | NotAttempted:
        order = attempt.order
        token = current_attempt.set(attempt.trace)
        try:
            async with attempt.limited(self._clock.now_s()):
                return await self._operate(order)
        except TimeoutError:
            return attempt.when_over
        except ProviderFailure as failed:
            return failed.failure
        except _NotAdmitted:
            raise
        except Exception as error:  # noqa: BLE001  a bug or a lost store: the attempt ends and is told
            _log.error(
                "attempt_broke",
                provider=self._guard.provider,
                attempt_id=order.attempt_id,
                error=type(error).__name__,
                # Where, and never the message: it may quote what the vendor sent.
                where=[f"{frame.name}:{frame.lineno}" for frame in extract_tb(error.__traceback__)],
            )
            return own_fault(error)
        finally:
            current_attempt.reset(token)

    async def _operate(self, order: AttemptOrder) -> OperationData | NotAttempted:
        call = order.call
        if isinstance(call, LinkCall):
            return await self._calls.create_link(order, call)
        if isinstance(call, ExchangeCall):
            return await self._calls.exchange_token(order, call)
        if isinstance(call, AccountsCall):
            return await self._calls.get_accounts(order, call)
        return await self._calls.sync_transactions(order, call)

    async def _pace(self, endpoint: str, attempt: AttemptUnderWay) -> float:
        """Wait for leave for a call; answers the seconds waited."""
        asked_s = self._clock.now_s()
        async with attempt.first_call:
            if not (attempt.begun or attempt.over):
                await self._begin(endpoint, attempt, asked_s)
                return self._clock.now_s() - asked_s
        permit = attempt.permit
        if permit is None or attempt.over:
            raise ProviderFailure(CUT)
        wait_s = max(0.0, attempt.time_left_s(self._clock.now_s()))
        answer = await self._room.proceed(permit, endpoint, wait_s)
        if attempt.over:
            raise ProviderFailure(CUT)
        if not isinstance(answer, Leave):
            raise ProviderFailure(local_limit(answer.retry_after_s))
        self._memory.count_call()
        return self._clock.now_s() - asked_s

    async def _begin(self, endpoint: str, attempt: AttemptUnderWay, asked_s: float) -> None:
        order = attempt.order
        answer = await self._room.admit(order.request(endpoint), order.wait_s)
        if isinstance(answer, GuardRejection):
            raise _NotAdmitted(answer)
        self._memory.count_call()
        now = self._clock.now_s()
        waited_s = now - asked_s
        if attempt.over:
            self._guard.record(answer, CUT, now)
            self._room.serve()
            raise ProviderFailure(CUT)
        attempt.begin(answer, waited_s, now)
        # The row that stands for the attempt if this process does not live to write another.
        # Written before the first byte leaves; so one that tells of it may never have left.
        self._spool.intend(
            attempt.row(
                self._origin(attempt),
                ACTOR_LOST,
                latency_ms=0.0,
                waited_s=waited_s,
                http_calls=None,
            )
        )

    def _told(self, order: AttemptOrder, endpoint: str, told: ToldAllowance) -> None:
        self._guard.told(order.request(endpoint).call, told, self._clock.now_s())

    def _origin(self, attempt: AttemptUnderWay) -> Origin:
        permit = attempt.permit
        state = self._guard.board.state if permit is None else permit.circuit_state
        return Origin(self._guard.provider, self._node_id, state)

    async def _settle(self, order: AttemptOrder, *, in_doubt: bool) -> None:
        if not isinstance(order.call, ExchangeCall):
            return
        try:
            await self._calls.settle_exchange(order.call.link_session_id, in_doubt=in_doubt)
        except (ActorLost, StoreError) as error:
            # The vault takes what it finds running at its next start as in doubt.
            _log.error("exchange_unsettled", error=type(error).__name__)

    def _record(
        self, attempt: AttemptUnderWay, failure: Failure | None, latency_s: float | None = None
    ) -> None:
        """Report how an attempt went; one that never had leave says nothing of the provider."""
        if attempt.permit is None:
            return
        report = self._guard.record(
            attempt.permit,
            failure,
            self._clock.now_s(),
            latency_s=latency_s,
            jitter_ratio=self._rng.random() / 10,
        )
        if report.alarm:
            _log.error("provider_needs_operator", provider=self._guard.provider)
        self._changes.write(report.transitions)
        self._room.serve()

    def _rejected(self, rejection: GuardRejection) -> AttemptReply:
        return AttemptReply(rejected_by(rejection), 0.0, 0.0)
