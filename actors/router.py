"""The router: who could serve a request, in which order, and what is tried when one fails.

Hosted by every Serve ingress replica, and by a named actor for callers without HTTP.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from actors.asking import ProviderAsk
from actors.attempt_failures import OUR_QUEUE_FULL, PART_LOST, STORE_FAILED
from actors.deciding import Decided, decide
from actors.exchange_start import in_doubt_error
from actors.health_board import HealthBoard
from actors.lessons import Lessons
from actors.mailbox import MailboxFull
from actors.messages import AttemptOrder, AttemptReply, NotAttempted
from actors.ports import ActorLost, ProviderPort, VaultPort
from actors.request_story import RequestStory
from actors.targets import Target, Targets
from models.promotion import TrialPolicy
from orchestrator.domain import (
    Clock,
    ErrorType,
    Failure,
    Operation,
    OperationError,
    OperationRequest,
    OperationResult,
    RequestRefused,
    StoreError,
)
from orchestrator.identifiers import random_uuid
from orchestrator.routing import (
    Block,
    Dispatch,
    FailoverPlan,
    Pause,
    PlanOptions,
    Rejected,
    StepOutcome,
    Succeeded,
    Watch,
)
from orchestrator.spool import SpoolWriter

__all__ = ["RouterDesk"]

_log = structlog.get_logger("router")
_REQUEST_GRACE_S: Final = 0.25
"""Longer than an attempt's reply is awaited, so that one without a reply is told as one."""
_CALLER_GONE: Final = OperationError(
    ErrorType.DEADLINE, "CALLER_GONE", "the caller left before a provider had answered"
)
_DEADLINE: Final = OperationError(
    ErrorType.DEADLINE,
    "DEADLINE",
    "the deadline passed before a provider had answered; give a longer deadlineMs",
)


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """An attempt that an actor is asked to make, since when, and the way to its reply."""

    step: Dispatch
    order: AttemptOrder
    asking: Coroutine[None, None, AttemptReply]
    at_s: float
    at_unix_s: float


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
        policy: TrialPolicy,
        vault: VaultPort,
        spool: SpoolWriter,
        clock: Clock,
        rng: random.Random,
        options: PlanOptions,
        space_hash: Callable[[str], str],
    ) -> None:
        self._targets = targets
        self._providers = ProviderAsk(providers, board, vault, spool, clock)
        self._board = board
        self._policy = policy
        self._lessons = Lessons(policy, vault, clock)
        self._spool = spool
        self._clock = clock
        self._rng = rng
        self._options = {one: options.for_operation(one) for one in Operation}
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
        except asyncio.CancelledError:
            # Nobody waits for the answer; its story is told all the same.
            self._spool.put(story.record(story.result(_CALLER_GONE), self._clock.now_s()))
            raise
        except ActorLost:
            error = PART_LOST
        except MailboxFull:
            error = OUR_QUEUE_FULL
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
            quota_left=self._board.quota_left(),
        )
        story.decision = decided.summary
        plan = FailoverPlan(
            decided.order,
            decided.blocked,
            started_at=story.started_s,
            deadline_s=request.deadline_ms / 1000,
            options=self._options[request.operation],
            slow_after_s=self._board.slow_after_s(request.operation),
        )
        return await self._follow(plan, decided, target, story)

    async def _follow(
        self, plan: FailoverPlan, decided: Decided, target: Target, story: RequestStory
    ) -> OperationError | None:
        fresh: list[_Asked] = []
        under_way: dict[asyncio.Task[AttemptReply], _Asked] = {}
        try:
            while True:
                step = plan.next(self._clock.now_s())
                if isinstance(step, Dispatch):
                    fresh.append(self._ask(step, decided, target, story))
                elif isinstance(step, Pause):
                    await asyncio.sleep(step.wait_s)
                elif isinstance(step, Watch):
                    for asked, reply in await self._replies(fresh, under_way, step.wait_s):
                        outcome = await self._heard(asked, reply, decided, target, story)
                        unit_random = self._rng.random()
                        plan.record(
                            asked.step, outcome, self._clock.now_s(), unit_random=unit_random
                        )
                        story.decision = decided.summary
                else:
                    self._give_up(under_way, decided, story)
                    if story.in_doubt:
                        return in_doubt_error(story.attempts[-1].provider)
                    return story.refusal or step.error
        finally:
            for asked in fresh:
                asked.asking.close()
            if under_way:
                for asking in under_way:
                    asking.cancel()
                await asyncio.gather(*under_way, return_exceptions=True)

    def _ask(self, step: Dispatch, decided: Decided, target: Target, story: RequestStory) -> _Asked:
        order = self._order(step, decided, target, story)
        at_unix_s = self._clock.unix_s()
        if decided.context is not None:
            self._policy.dispatch(
                decided.context, step.candidate.provider, step.attempt_number, at_unix_s
            )
        asking = self._providers.execute(order, step.candidate.provider)
        return _Asked(step, order, asking, self._clock.now_s(), at_unix_s)

    @staticmethod
    async def _replies(
        fresh: list[_Asked],
        under_way: dict[asyncio.Task[AttemptReply], _Asked],
        wait_s: float | None,
    ) -> list[tuple[_Asked, AttemptReply]]:
        """The replies that have come within `wait_s`, in the order of asking.

        Most requests ask once: that one is waited for as it is, without a task of its own.
        """
        if wait_s is None and not under_way and len(fresh) == 1:
            asked = fresh.pop()
            return [(asked, await asked.asking)]
        loop = asyncio.get_running_loop()
        under_way |= {loop.create_task(asked.asking): asked for asked in fresh}
        fresh.clear()
        ended, _ = await asyncio.wait(
            under_way, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED
        )
        first = sorted(ended, key=lambda each: under_way[each].at_s)
        return [(under_way.pop(reply), reply.result()) for reply in first]

    async def _heard(
        self,
        asked: _Asked,
        reply: AttemptReply,
        decided: Decided,
        target: Target,
        story: RequestStory,
    ) -> StepOutcome:
        order, provider = asked.order, asked.step.candidate.provider
        outcome = reply.outcome
        if decided.context is not None and isinstance(outcome, Rejected | NotAttempted):
            self._policy.withdraw(decided.context, provider, asked.at_unix_s)
        if isinstance(outcome, Rejected):
            if not outcome.over_budget:
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
        self._lessons.learn(order, provider, reply)
        if not isinstance(outcome, Failure):
            story.answered(provider, outcome)
        await self._lessons.note_connection(order, reply, needed_user=target.needs_user)
        return outcome if isinstance(outcome, Failure) else Succeeded

    def _give_up(
        self,
        under_way: dict[asyncio.Task[AttemptReply], _Asked],
        decided: Decided,
        story: RequestStory,
    ) -> None:
        """Another attempt has answered first: let go of the rest without waiting for it."""
        for reply, asked in under_way.items():
            provider = asked.step.candidate.provider
            for_s = self._clock.now_s() - asked.at_s
            if decided.context is not None:
                self._policy.withdraw(decided.context, provider, asked.at_unix_s)
            outrun = self._providers.outrun(asked.order, provider, reply, for_s)
            story.add(asked.order, provider, outrun)
        under_way.clear()

    def _order(
        self, step: Dispatch, decided: Decided, target: Target, story: RequestStory
    ) -> AttemptOrder:
        request = story.request
        provider = step.candidate.provider
        seen = decided.of(provider)
        if step.attempt_number == 1:
            story.first_provider = provider
        return AttemptOrder(
            attempt_id=random_uuid(),
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
            time_left_s=step.time_left_s,
            wait_s=step.wait_s,
            waited_s=step.waited_s,
            panic=step.panic,
            extra=step.extra,
            hedge=step.hedge,
            failover=story.first_provider not in (None, provider),
            candidates=decided.providers,
            eligible=decided.eligible,
            propensity=seen.propensity if step.attempt_number == 1 else None,
            score=seen.score,
            policy=decided.summary.policy,
            model_version=decided.summary.model_version,
        )
