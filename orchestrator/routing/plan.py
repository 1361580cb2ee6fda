"""The failover plan of one request: what to do next, given what has happened so far.

Sans-IO: the plan decides, the router's shell awaits. `now` is monotonic seconds of the caller's.

    Dispatch ──► record(Succeeded) ──► Finish
        │    ──► record(Failure)   ──► Dispatch at the next candidate, or Finish
        │    ──► record(Rejected)  ──► the same at no cost: a skipped candidate was not tried
    Pause    ──► next() again, once the wait is over
"""

import math
from dataclasses import dataclass, replace
from typing import Final

from orchestrator.domain import (
    ErrorClass,
    ErrorType,
    Failure,
    IneligibilityReason,
    OperationError,
)
from orchestrator.resilience import jittered_backoff_s

from .eligibility import Block, Candidate
from .steps import OTHER_LOGIN, Dispatch, Finish, Pause, PlanOptions, Rejected, StepOutcome, Success

__all__ = ["FailoverPlan"]


@dataclass(frozen=True, slots=True)
class _Waiting:
    candidate: Candidate
    ready_at: float


_SHORTEST_ATTEMPT_S: Final = 0.002
_UNTOLD_RATE_LIMIT_S: Final = 1.0
# A guard may promise a place in a moment and refuse again: asking once more must not spin.
_REFUSED_AGAIN_BASE_S: Final = 0.05
_REFUSED_AGAIN_CAP_S: Final = 2.0


class FailoverPlan:
    """Decides one request's attempts. Not safe for concurrent use; make one a request.

    Args:
        order: the eligible candidates, best first.
        blocked: the candidates that could serve it but take no call now, in priority order.
        started_at: when the request came in.
        deadline_s: seconds from then within which it must be answered.
        options: bounds.

    """

    def __init__(
        self,
        order: tuple[Candidate, ...],
        blocked: tuple[tuple[Candidate, Block], ...],
        *,
        started_at: float,
        deadline_s: float,
        options: PlanOptions,
    ) -> None:
        self._options = options
        self._last_moment = started_at + deadline_s - _SHORTEST_ATTEMPT_S
        self._deadline = started_at + deadline_s
        self._candidates = len(order) + len(blocked)
        self._queue = list(order)
        self._waiting: list[_Waiting] = []
        self._refusals: dict[Candidate, int] = {}
        self._idle_since: float | None = None
        self._open: list[tuple[Candidate, Block]] = []
        self._ready_at: dict[Candidate, float] = {}
        self._attempts = 0
        self._retry_at: float | None = None
        self._retried = False
        self._panicked = False
        self._dispatched: Dispatch | None = None
        self._last: tuple[Candidate, Failure] | None = None
        self._finish: Finish | None = None
        for candidate, block in blocked:
            self._note_ready(candidate, block.retry_after_s, started_at)
            if block.reason is IneligibilityReason.RATE_LIMITED:
                pause_s = _told_or(_UNTOLD_RATE_LIMIT_S, block.retry_after_s)
                self._waiting.append(_Waiting(candidate, started_at + pause_s))
            else:
                self._open.append((candidate, block))

    def next(self, now: float) -> Dispatch | Pause | Finish:
        """What to do now. Asking again without recording the last dispatch is an error.

        Raises:
            RuntimeError: the last dispatch has not been recorded.

        """
        if self._dispatched is not None:
            raise RuntimeError("record the dispatched attempt before asking for the next step")
        if self._finish is not None:
            return self._finish
        if now > self._last_moment:
            return self._end(self._deadline_error())
        if self._queue:
            return self._dispatch(self._queue.pop(0), now)
        step = self._wait_for_limits(now) or self._retry(now) or self._panic(now)
        return step or self._end(self._final_error(now))

    def record(self, outcome: StepOutcome, now: float, *, unit_random: float = 1.0) -> None:
        """Tell how the last dispatch ended; `unit_random` between 0 and 1 jitters a retry's back-off.

        Raises:
            RuntimeError: nothing was dispatched.

        """
        dispatched = self._dispatched
        if dispatched is None:
            raise RuntimeError("there is no dispatched attempt to record")
        self._dispatched = None
        if isinstance(outcome, Rejected):
            self._record_rejection(dispatched, outcome, now)
            return
        self._attempts += 1
        self._idle_since = None
        if isinstance(outcome, Success):
            self._finish = Finish(None)
            return
        if self._last is None or outcome.code != OTHER_LOGIN:
            # That a stand-in shows another login says nothing about why it was needed.
            self._last = (dispatched.candidate, outcome)
        # Who failed and told no time may be tried again at once.
        at_once = 0.0 if outcome.retryable else None
        self._note_ready(dispatched.candidate, outcome.retry_after_s or at_once, now)
        if outcome.retryable:
            self._plan_retry(outcome, now, unit_random)
        elif not outcome.elsewhere:
            self._end(OperationError.of(outcome, dispatched.candidate.provider))
        else:
            self._retry_at = None

    @property
    def attempts(self) -> int:
        """Attempts sent so far."""
        return self._attempts

    def _dispatch(
        self, candidate: Candidate, now: float, *, panic: bool = False, waited_s: float = 0.0
    ) -> Dispatch:
        left = self._deadline - now
        more = bool(self._queue) or any(w.ready_at <= self._last_moment for w in self._waiting)
        share = left / 2 if more else left
        own = self._options.attempt_timeout_s
        self._dispatched = Dispatch(
            candidate=candidate,
            attempt_number=self._attempts + 1,
            timeout_s=min(own, share),
            deadline_cuts=share < own,
            panic=panic,
            waited_s=waited_s,
        )
        return self._dispatched

    def _record_rejection(self, dispatched: Dispatch, outcome: Rejected, now: float) -> None:
        candidate, delay_s = dispatched.candidate, outcome.retry_after_s
        self._note_ready(candidate, delay_s, now)
        if outcome.reason is not IneligibilityReason.RATE_LIMITED or dispatched.panic:
            self._open.append((candidate, Block(outcome.reason, delay_s, outcome.by_failures)))
            return
        refusals = self._refusals[candidate] = self._refusals.get(candidate, 0) + 1
        floor_s = jittered_backoff_s(
            refusals,
            base_s=_REFUSED_AGAIN_BASE_S,
            cap_s=_REFUSED_AGAIN_CAP_S,
            unit_random=1.0,
        )
        pause_s = max(floor_s, _told_or(_UNTOLD_RATE_LIMIT_S, delay_s))
        self._waiting.append(_Waiting(candidate, now + pause_s))

    def _note_ready(self, candidate: Candidate, delay_s: float | None, now: float) -> None:
        """Keep the latest word on when a candidate may be tried again."""
        if delay_s is None:
            self._ready_at.pop(candidate, None)
        else:
            self._ready_at[candidate] = now + delay_s

    def _plan_retry(self, failure: Failure, now: float, unit_random: float) -> None:
        limited = failure.error_class is ErrorClass.RATE_LIMIT
        pause_s = _told_or(_UNTOLD_RATE_LIMIT_S if limited else 0.0, failure.retry_after_s)
        backoff_s = jittered_backoff_s(
            1,
            base_s=self._options.retry_base_s,
            cap_s=self._options.retry_cap_s,
            unit_random=unit_random,
        )
        self._retry_at = now + pause_s + backoff_s

    def _wait_for_limits(self, now: float) -> Dispatch | Pause | None:
        soonest = min(self._waiting, key=lambda waiting: waiting.ready_at, default=None)
        if soonest is None or soonest.ready_at > self._last_moment:
            return None
        if soonest.ready_at > now:
            if self._idle_since is None:
                self._idle_since = now
            return Pause(soonest.ready_at - now)
        self._waiting.remove(soonest)
        waited_s = 0.0 if self._idle_since is None else now - self._idle_since
        return self._dispatch(soonest.candidate, now, waited_s=waited_s)

    def _retry(self, now: float) -> Dispatch | Pause | None:
        if (
            self._retry_at is None
            or self._last is None
            or self._retried
            or self._panicked
            or self._retry_at > self._last_moment
            or not self._options.same_provider_retry
        ):
            return None
        if self._retry_at > now:
            return Pause(self._retry_at - now)
        self._retried = True
        return self._dispatch(self._last[0], now)

    def _panic(self, now: float) -> Dispatch | None:
        if (
            not self._options.panic
            or self._panicked
            or self._attempts
            or not 2 <= len(self._open) == self._candidates
            or not all(block.by_failures for _, block in self._open)
        ):
            return None
        self._panicked = True
        least_bad = min(self._open, key=lambda pair: self._ready_at.get(pair[0], math.inf))
        self._open.remove(least_bad)
        return self._dispatch(least_bad[0], now, panic=True)

    def _end(self, error: OperationError) -> Finish:
        self._finish = Finish(error)
        return self._finish

    def _deadline_error(self) -> OperationError:
        last = self._last
        return OperationError(
            type=ErrorType.DEADLINE,
            code="DEADLINE",
            message="the deadline passed before a provider had answered; give a longer deadlineMs",
            provider=None if last is None else last[0].provider,
            scope=None if last is None else last[1].scope,
        )

    def _final_error(self, now: float) -> OperationError:
        soonest = min(self._ready_at.values(), default=now)
        retry_after_s = soonest - now if soonest > now else None
        if self._last is not None:
            candidate, failure = self._last
            error = OperationError.of(failure, candidate.provider)
            return replace(error, retry_after_s=retry_after_s) if error.retryable else error
        if self._open or not self._candidates:
            return OperationError(
                type=ErrorType.PROVIDER_DOWN,
                code="ALL_SKIPPED",
                message="no provider that could answer this takes calls at the moment",
                retry_after_s=retry_after_s,
            )
        return OperationError(
            type=ErrorType.RATE_LIMIT,
            code="ALL_LIMITED",
            message="every provider that could answer this is at its rate limit",
            retry_after_s=retry_after_s,
        )


def _told_or(untold_s: float, told_s: float | None) -> float:
    return untold_s if told_s is None else told_s
