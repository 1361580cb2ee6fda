"""A provider's actor: the only place that calls that vendor. Admit, call, record, log, answer."""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from traceback import extract_tb
from typing import Final
from uuid import uuid4

import structlog

from actors.attempt_failures import CUT, LATE, local_limit, own_fault
from actors.attempt_writer import Measured, attempt_row
from actors.messages import (
    AccountsCall,
    AttemptOrder,
    AttemptReply,
    ExchangeCall,
    LinkCall,
    NotAttempted,
)
from actors.outbox import LogOutbox
from actors.ports import ActorLost
from actors.provider_calls import ProviderCalls
from actors.webhook_desk import WebhookDesk
from orchestrator.domain import (
    CircuitChange,
    Clock,
    ErrorClass,
    Failure,
    IneligibilityReason,
    Lane,
    OperationData,
    ProviderFailure,
    StoreError,
    from_unix,
)
from orchestrator.providers.attempt_trace import AttemptTrace, current_attempt
from orchestrator.resilience import (
    AdmitRequest,
    CircuitTransition,
    Control,
    Granted,
    GuardPermit,
    GuardRejection,
    HealthSnapshot,
    ProviderGuard,
)
from orchestrator.routing import Rejected

__all__ = ["ProviderDesk"]

_log = structlog.get_logger("provider")
_OBSERVE_EVERY_S: Final = 1.0
_UNREADABLE: Final = ("MALFORMED", "INTERNAL")
"""Codes after which an exchange may have happened although its answer was not understood."""


class _NotAdmitted(Exception):
    """The limiter has no room for an attempt's first call: nothing was sent."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(retry_after_s)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class _Attempt:
    """An attempt under way."""

    order: AttemptOrder
    permit: GuardPermit
    trace: AttemptTrace
    started_s: float
    started_at: datetime


class ProviderDesk:
    """Takes orders for one provider.

    Args:
        calls: the operations.
        guard: breaker, limiter and in-flight bound; owned by this object's event loop.
        outbox: where rows go.
        clock: monotonic and wall time.
        rng: jitter.
        exchange_consumes: whether an exchange uses its temporary token up, so that a lost answer
            leaves it in doubt.
        call_timeout_s: longest silence of the vendor on one HTTP call.
        close_client: lets the vendor's connections go.
        webhooks: takes in what the vendor reports.
        sleep: waits for the limiter between an attempt's calls.

    """

    def __init__(
        self,
        calls: ProviderCalls,
        guard: ProviderGuard,
        outbox: LogOutbox,
        *,
        clock: Clock,
        rng: random.Random,
        exchange_consumes: bool,
        call_timeout_s: float,
        close_client: Callable[[], Awaitable[None]],
        webhooks: WebhookDesk,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._calls = calls
        self._guard = guard
        self._outbox = outbox
        self._clock = clock
        self._rng = rng
        self._exchange_consumes = exchange_consumes
        self._call_timeout_s = call_timeout_s
        self._close_client = close_client
        self._webhooks = webhooks
        self._sleep = sleep
        self._node_id = f"{os.uname().nodename}:{os.getpid()}"
        self._observer: asyncio.Task[None] | None = None

    async def execute(self, order: AttemptOrder) -> AttemptReply:
        """Make one attempt. Every failure is in the reply; nothing is raised but for our own bugs."""
        self._start_observing()
        admitted = self._guard.admit(
            AdmitRequest(
                operation=order.operation,
                institution_id=order.institution_id,
                connection_id=_whose(order),
                panic=order.panic,
            ),
            self._clock.now_s(),
        )
        self._log_changes(admitted.transitions)
        if isinstance(admitted, GuardRejection):
            return self._rejected(
                Rejected(admitted.reason, admitted.retry_after_s, admitted.by_failures)
            )
        return await self._attempt(order, admitted)

    async def health(self) -> HealthSnapshot:
        """How the provider stands now."""
        self._start_observing()
        self._log_changes(self._guard.observe(self._clock.now_s()))
        return self._snapshot()

    async def force(self, control: str, reason: str) -> HealthSnapshot:
        """Hold the circuits, or hand them back with AUTO, which also says that our keys are good."""
        if Control(control) is Control.AUTO:
            self._calls.keys_trusted_again()
        self._log_changes(self._guard.force(Control(control), self._clock.now_s(), reason))
        return self._snapshot()

    async def revoke(self, connection_id: str) -> None:
        """End a connection at the vendor.

        Raises:
            ProviderFailure: the vendor's.

        """
        try:
            async with asyncio.timeout(self._call_timeout_s * 2):
                await self._calls.revoke(connection_id)
        except TimeoutError:
            raise ProviderFailure(LATE) from None

    async def webhook(self, sealed: bytes) -> None:
        """Act on a sealed webhook; see `WebhookDesk`."""
        await self._webhooks.receive(sealed)

    async def backlog(self) -> tuple[int, int]:
        """Rows that wait for the log, and rows that were lost."""
        return self._outbox.pending, self._outbox.lost

    async def drain(self, timeout_s: float) -> bool:
        """Wait until the log has everything; False where that took too long."""
        return await self._outbox.flush(timeout_s)

    async def close(self, timeout_s: float) -> bool:
        """Let everything go; False where rows were left that the log has not acknowledged."""
        if self._observer is not None:
            self._observer.cancel()
            await asyncio.gather(self._observer, return_exceptions=True)
            self._observer = None
        flushed = await self._outbox.close(timeout_s)
        await self._close_client()
        return flushed

    async def _attempt(self, order: AttemptOrder, permit: GuardPermit) -> AttemptReply:
        trace = AttemptTrace(
            order.attempt_id,
            call_timeout_s=self._call_timeout_s,
            operation=order.operation.value,
            interactive=order.lane is Lane.INTERACTIVE,
        )
        attempt = _Attempt(
            order, permit, trace, self._clock.now_s(), from_unix(self._clock.unix_s())
        )
        trace.pace = lambda endpoint: self._pace(endpoint, attempt)
        ends_s = attempt.started_s + order.timeout_s
        trace.time_left_s = lambda: ends_s - self._clock.now_s()
        try:
            outcome = await self._run(order, trace)
        except _NotAdmitted as limited:
            self._record(permit, CUT)
            await self._settle(order, in_doubt=False)
            return self._rejected(_limited(limited.retry_after_s))
        except asyncio.CancelledError:
            # Whoever waited is gone; what was sent stays sent.
            await asyncio.shield(self._ended(attempt, CUT))
            raise
        if isinstance(outcome, NotAttempted):
            self._record(permit, CUT)
            return AttemptReply(outcome, 0.0, 0.0, self._snapshot())
        return await self._ended(attempt, outcome)

    async def _ended(self, attempt: _Attempt, outcome: OperationData | Failure) -> AttemptReply:
        order, trace = attempt.order, attempt.trace
        failure = outcome if isinstance(outcome, Failure) else None
        # What was done without a call says nothing about the provider, so nobody's is what it was.
        proven = failure is not None or trace.http_calls > 0
        self._record(attempt.permit, failure if proven else CUT)
        waited_ms = (order.waited_s + trace.waited_s) * 1000
        latency_ms = (self._clock.now_s() - attempt.started_s - trace.waited_s) * 1000
        in_doubt = failure is not None and self._in_doubt(order, failure, trace)
        created = getattr(outcome, "connection_id", None)
        row = attempt_row(
            order,
            self._guard.provider,
            outcome,
            Measured(
                started_at=attempt.started_at,
                latency_ms=latency_ms,
                waited_ms=waited_ms,
                http_calls=trace.http_calls,
                http_status=trace.http_status,
                provider_request_id=trace.provider_request_id,
                circuit_state=attempt.permit.circuit_state,
            ),
            connection_id=order.connection_id or created,
            node_id=self._node_id,
        )
        self._outbox.put(row)
        if failure is not None:
            await self._settle(order, in_doubt=in_doubt)
        return AttemptReply(outcome, latency_ms, waited_ms, self._snapshot(), in_doubt)

    async def _run(
        self, order: AttemptOrder, trace: AttemptTrace
    ) -> OperationData | Failure | NotAttempted:
        token = current_attempt.set(trace)
        try:
            async with asyncio.timeout(order.timeout_s):
                return await self._operate(order)
        except TimeoutError:
            return CUT if order.deadline_cuts else LATE
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
            return await self._calls.exchange_token(call)
        if isinstance(call, AccountsCall):
            return await self._calls.get_accounts(order, call)
        return await self._calls.sync_transactions(order, call)

    async def _pace(self, endpoint: str, attempt: _Attempt) -> float:
        order, trace = attempt.order, attempt.trace
        waited_s = 0.0
        while True:
            now = self._clock.now_s()
            verdict = self._guard.limiter.try_acquire(endpoint, _whose(order), now)
            if isinstance(verdict, Granted):
                return waited_s
            if trace.http_calls == 0:
                raise _NotAdmitted(verdict.retry_after_s)
            if now + verdict.retry_after_s > attempt.started_s + order.timeout_s:
                raise ProviderFailure(local_limit(verdict.retry_after_s))
            await self._sleep(verdict.retry_after_s)
            waited_s += verdict.retry_after_s

    def _in_doubt(self, order: AttemptOrder, failure: Failure, trace: AttemptTrace) -> bool:
        """Whether the vendor may have exchanged although no readable answer came."""
        if not (isinstance(order.call, ExchangeCall) and self._exchange_consumes):
            return False
        if failure.error_class is ErrorClass.NETWORK:
            return failure.sent and trace.http_calls > 0
        return failure.code in _UNREADABLE and trace.http_calls > 0

    async def _settle(self, order: AttemptOrder, *, in_doubt: bool) -> None:
        if not isinstance(order.call, ExchangeCall):
            return
        try:
            await self._calls.settle_exchange(order.call.link_session_id, in_doubt=in_doubt)
        except (ActorLost, StoreError) as error:
            # The vault takes what it finds running at its next start as in doubt.
            _log.error("exchange_unsettled", error=type(error).__name__)

    def _record(self, permit: GuardPermit, failure: Failure | None) -> None:
        report = self._guard.record(
            permit, failure, self._clock.now_s(), jitter_ratio=self._rng.random() / 10
        )
        if report.alarm:
            _log.error("provider_needs_operator", provider=self._guard.provider)
        self._log_changes(report.transitions)

    def _rejected(self, rejected: Rejected) -> AttemptReply:
        return AttemptReply(rejected, 0.0, 0.0, self._snapshot())

    def _snapshot(self) -> HealthSnapshot:
        return self._guard.snapshot(self._clock.now_s(), self._clock.unix_s())

    def _log_changes(self, transitions: Iterable[CircuitTransition]) -> None:
        at = from_unix(self._clock.unix_s())
        for change in transitions:
            _log.info(
                "circuit_changed",
                provider=self._guard.provider,
                scope=change.scope,
                to=change.to_state.value,
                reason=change.reason,
            )
            self._outbox.put(
                CircuitChange(
                    change_id=uuid4().hex,
                    at=at,
                    provider=self._guard.provider,
                    scope=change.scope,
                    from_state=change.from_state.value,
                    to_state=change.to_state.value,
                    reason=change.reason,
                )
            )

    def _start_observing(self) -> None:
        if self._observer is None:
            self._observer = asyncio.get_running_loop().create_task(self._observe_forever())

    async def _observe_forever(self) -> None:
        with suppress(asyncio.CancelledError):
            while True:
                await asyncio.sleep(_OBSERVE_EVERY_S)
                self._log_changes(self._guard.observe(self._clock.now_s()))


def _whose(order: AttemptOrder) -> str | None:
    """Whose calls these are, for limits that hold for each connection.

    An exchange's are those of the connection that it makes, known by its link session until then.
    """
    if order.connection_id is None and isinstance(order.call, ExchangeCall):
        return order.call.link_session_id
    return order.connection_id


def _limited(retry_after_s: float) -> Rejected:
    return Rejected(IneligibilityReason.RATE_LIMITED, retry_after_s)
