"""The router: who could serve a request, in which order, and what is tried when one fails.

Hosted by every Serve ingress replica, and by a named actor for callers without HTTP.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final
from uuid import uuid4

import structlog

from actors.attempt_failures import ACTOR_LOST, CUT, PART_LOST, STORE_FAILED
from actors.attempt_writer import Measured, attempt_row
from actors.deciding import Decided, decide
from actors.exchange_start import in_doubt_error
from actors.health_board import HealthBoard
from actors.messages import AttemptOrder, AttemptReply, ExchangeCall, NotAttempted
from actors.ports import ActorLost, ProviderPort, VaultPort
from actors.request_story import RequestStory
from actors.targets import Target, Targets
from models import AttemptOutcome, SelectionPolicy
from orchestrator.domain import (
    SUCCESS,
    CircuitState,
    Clock,
    ConnectionStatus,
    ErrorClass,
    ErrorScope,
    ErrorType,
    Failure,
    Operation,
    OperationError,
    OperationRequest,
    OperationResult,
    RequestRefused,
    StoreError,
    from_unix,
)
from orchestrator.routing import (
    Block,
    Dispatch,
    FailoverPlan,
    Finish,
    Pause,
    PlanOptions,
    Rejected,
    StepOutcome,
    Succeeded,
)
from orchestrator.spool import SpoolWriter

__all__ = ["RouterDesk"]

_REPLY_GRACE_S: Final = 0.15
"""How long after an attempt's time its reply is still awaited."""
_REQUEST_GRACE_S: Final = 0.25
"""Longer than that, so that an attempt without a reply is told as one."""
_DEADLINE: Final = OperationError(
    ErrorType.DEADLINE,
    "DEADLINE",
    "the deadline passed before a provider had answered; give a longer deadlineMs",
)
_log = structlog.get_logger("router")


class RouterDesk:
    """Serves requests. Safe for concurrent use within one event loop.

    Args:
        targets: resolves what a request is about.
        providers: the configured providers' actors.
        board: their health.
        policy: orders candidates, and learns from outcomes.
        vault: for noting connections that need their user.
        spool: where the requests' records go.
        clock: monotonic and wall time.
        rng: jitter.
        options: bounds of every plan.
        space_hash: a space's name in the log.

    """

    def __init__(
        self,
        *,
        targets: Targets,
        providers: Mapping[str, ProviderPort],
        board: HealthBoard,
        policy: SelectionPolicy,
        vault: VaultPort,
        spool: SpoolWriter,
        clock: Clock,
        rng: random.Random,
        options: PlanOptions,
        space_hash: Callable[[str], str],
    ) -> None:
        self._targets = targets
        self._providers = dict(providers)
        self._board = board
        self._policy = policy
        self._vault = vault
        self._spool = spool
        self._clock = clock
        self._rng = rng
        self._options = options
        self._space_hash = space_hash

    async def execute(self, request: OperationRequest) -> OperationResult:
        """Serve one request within its deadline; every failure is a result."""
        story = RequestStory(
            request, self._clock.now_s(), self._clock.unix_s(), region=request.region
        )
        error: OperationError | None
        try:
            async with asyncio.timeout(request.deadline_ms / 1000 + _REQUEST_GRACE_S):
                error = await self._serve(story)
        except RequestRefused as refusal:
            error = refusal.error
        except TimeoutError:
            error = _DEADLINE
        except ActorLost:
            error = PART_LOST
        except StoreError as failed:
            _log.warning("store_failed", problem=str(failed))
            error = STORE_FAILED
        result = story.result(error)
        self._spool.put(story.record(result, self._clock.now_s()))
        return result

    async def _serve(self, story: RequestStory) -> OperationError | None:
        request = story.request

        def block_of(provider: str, institution_id: str | None) -> Block | None:
            return self._board.block(provider, request.operation, institution_id)

        target = await self._targets.of(request, block_of)
        story.region = target.region
        if target.answered is not None:
            story.answered(target.answered.provider, target.answered)
            return None
        decided = decide(
            target.facts,
            self._policy,
            request,
            target.region,
            target.institution_id,
            at_unix_s=self._clock.unix_s(),
        )
        story.decision = decided.summary
        plan = FailoverPlan(
            decided.order,
            decided.blocked,
            started_at=story.started_s,
            deadline_s=request.deadline_ms / 1000,
            options=self._options.for_operation(request.operation),
        )
        return await self._follow(plan, decided, target, story)

    async def _follow(
        self, plan: FailoverPlan, decided: Decided, target: Target, story: RequestStory
    ) -> OperationError | None:
        while True:
            step = plan.next(self._clock.now_s())
            if isinstance(step, Pause):
                await asyncio.sleep(step.wait_s)
                continue
            if isinstance(step, Finish):
                if story.in_doubt:
                    return in_doubt_error(story.attempts[-1].provider)
                return story.refusal or step.error
            outcome = await self._attempt(step, decided, target, story)
            plan.record(outcome, self._clock.now_s(), unit_random=self._rng.random())
            story.decision = decided.summary

    async def _attempt(
        self, step: Dispatch, decided: Decided, target: Target, story: RequestStory
    ) -> StepOutcome:
        order = self._order(step, decided, target, story)
        provider = step.candidate.provider
        reply = await self._ask(order, provider)
        if reply.health is not None:
            self._board.update(reply.health)
        outcome = reply.outcome
        if isinstance(outcome, Rejected):
            decided.correct(provider, outcome.reason)
            return outcome
        if isinstance(outcome, NotAttempted):
            if isinstance(outcome.answer, OperationError):
                story.refusal = outcome.answer
            else:
                story.answered(provider, outcome.answer)
            return Succeeded
        story.add(order, provider, reply)
        story.in_doubt = story.in_doubt or reply.in_doubt
        self._learn(order, provider, reply)
        await self._note_connection(order, reply, target)
        if isinstance(outcome, Failure):
            return outcome
        story.answered(provider, outcome)
        return Succeeded

    async def _ask(self, order: AttemptOrder, provider: str) -> AttemptReply:
        started_s, started_at = self._clock.now_s(), from_unix(self._clock.unix_s())
        try:
            async with asyncio.timeout(order.timeout_s + _REPLY_GRACE_S):
                return await self._providers[provider].execute(order)
        except TimeoutError:
            failure = CUT
        except ActorLost:
            failure = ACTOR_LOST
            await self._doubt(order)
        _log.warning("attempt_without_reply", provider=provider, code=failure.code)
        latency_ms = (self._clock.now_s() - started_s) * 1000
        seen = self._board.get(provider)
        # Where the actor wrote a row of its own, or an intent, the log keeps that one.
        self._spool.put(
            attempt_row(
                order,
                provider,
                failure,
                Measured(
                    started_at=started_at,
                    latency_ms=latency_ms,
                    waited_ms=order.waited_s * 1000,
                    http_calls=None,
                    http_status=None,
                    provider_request_id=None,
                    circuit_state=CircuitState.CLOSED if seen is None else seen.state,
                ),
                connection_id=order.connection_id,
                node_id=None,
            )
        )
        # The vendor may have answered the lost actor: an exchange is then nobody's to repeat.
        return AttemptReply(
            failure,
            latency_ms=latency_ms,
            waited_ms=order.waited_s * 1000,
            health=None,
            in_doubt=order.operation is Operation.EXCHANGE_TOKEN,
        )

    async def _doubt(self, order: AttemptOrder) -> None:
        """Note an exchange in doubt for a lost actor, which cannot; quiet where it had settled."""
        if isinstance(order.call, ExchangeCall):
            # The vault takes an exchange that nobody settles as in doubt by itself, later.
            with suppress(ActorLost, StoreError):
                await self._vault.doubt_exchange(order.call.link_session_id)

    def _order(
        self, step: Dispatch, decided: Decided, target: Target, story: RequestStory
    ) -> AttemptOrder:
        request = story.request
        provider = step.candidate.provider
        seen = decided.of(provider)
        first = story.attempts[0].provider if story.attempts else provider
        return AttemptOrder(
            attempt_id=str(uuid4()),
            request_id=request.request_id,
            job_id=request.job_id,
            operation=request.operation,
            region=target.region,
            institution_id=step.candidate.institution_id,
            space_hash=self._space_hash(request.params.space_id),
            call=target.call_for(step.candidate),
            connection_id=step.candidate.connection_id,
            attempt_number=step.attempt_number,
            lane=request.lane,
            timeout_s=step.timeout_s,
            deadline_cuts=step.deadline_cuts,
            panic=step.panic,
            waited_s=step.waited_s,
            failover=provider != first,
            candidates=decided.providers,
            eligible=decided.eligible,
            propensity=seen.propensity if step.attempt_number == 1 else None,
            score=seen.score,
            policy=decided.summary.policy,
            model_version=decided.summary.model_version,
        )

    def _learn(self, order: AttemptOrder, provider: str, reply: AttemptReply) -> None:
        failure = reply.outcome if isinstance(reply.outcome, Failure) else None
        self._policy.observe(
            AttemptOutcome(
                provider=provider,
                operation=order.operation.value,
                region=order.region,
                institution_id=order.institution_id,
                at=self._clock.unix_s(),
                latency_s=reply.latency_ms / 1000,
                outcome=SUCCESS if failure is None else failure.error_class.value,
                attempt_number=order.attempt_number,
                scope=None if failure is None else failure.scope.value,
            )
        )

    async def _note_connection(
        self, order: AttemptOrder, reply: AttemptReply, target: Target
    ) -> None:
        connection_id = order.connection_id
        if connection_id is None or not order.operation.reads_data:
            return
        status = _status_shown(reply.outcome, noted=connection_id in target.needs_user)
        if status is None:
            return
        try:
            await self._vault.set_status(connection_id, status)
        except (ActorLost, StoreError) as error:
            # The next attempt shows it again; what this one has read is not lost for it.
            _log.warning("connection_status_unnoted", error=type(error).__name__)


def _status_shown(outcome: object, *, noted: bool) -> ConnectionStatus | None:
    """The status that an attempt shows its connection to have; None where that is known."""
    if isinstance(outcome, Failure):
        refused = outcome.error_class is ErrorClass.AUTH
        if refused and outcome.scope is ErrorScope.CONNECTION and not noted:
            return ConnectionStatus.NEEDS_USER
        return None
    return ConnectionStatus.ACTIVE if noted and not getattr(outcome, "stale", False) else None
