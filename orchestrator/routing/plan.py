"""The failover plan of one request: what to do next, given what has happened so far.

Sans-IO: the plan decides, the router's shell awaits. `now` is monotonic seconds of the caller's.

    Dispatch ──► record(Succeeded) ──► Finish
        │    ──► record(Failure)   ──► Dispatch at the next candidate, or Finish
        │    ──► record(Rejected)  ──► the same at no cost: a skipped candidate was not tried
    Pause    ──► next() again, once the wait is over
"""

from dataclasses import dataclass, replace
from enum import Enum

from orchestrator.domain import (
    ErrorClass,
    ErrorType,
    Failure,
    IneligibilityReason,
    Operation,
    OperationError,
)
from orchestrator.resilience import jittered_backoff_s

from .eligibility import Block, Candidate

__all__ = [
    "Dispatch",
    "FailoverPlan",
    "Finish",
    "Pause",
    "PlanOptions",
    "Rejected",
    "StepOutcome",
    "Succeeded",
]


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """Bounds of a plan, in seconds. Defaults are those of the shipped configuration.

    `attempt_timeout_s` is an attempt's own timeout; while candidates remain it is also cut to half
    of the time left. `same_provider_retry` allows one retry at the last candidate left.
    """

    attempt_timeout_s: float = 20.0
    retry_base_s: float = 0.2
    retry_cap_s: float = 2.0
    same_provider_retry: bool = True
    panic: bool = True

    def for_operation(self, operation: Operation) -> "PlanOptions":
        """The options of one operation: an exchange is never repeated, nor sent in panic."""
        if operation is Operation.EXCHANGE_TOKEN:
            return replace(self, same_provider_retry=False, panic=False)
        return self


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Make this attempt. A cut is the caller's doing when `deadline_cuts` is set."""

    candidate: Candidate
    attempt_number: int
    timeout_s: float
    deadline_cuts: bool
    panic: bool
    waited_s: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing can be asked before `wait_s` seconds have passed."""

    wait_s: float


@dataclass(frozen=True, slots=True)
class Finish:
    """The request has ended: in success when `error` is None."""

    error: OperationError | None


class _Success(Enum):
    SUCCEEDED = "succeeded"


Succeeded = _Success.SUCCEEDED


@dataclass(frozen=True, slots=True)
class Rejected:
    """The provider's own guard refused the attempt: it was not sent."""

    reason: IneligibilityReason
    retry_after_s: float | None
    by_failures: bool = False


StepOutcome = _Success | Failure | Rejected
"""How a dispatch ended: `Succeeded`, a failure, or refused by the provider's own guard."""


@dataclass(slots=True)
class _Waiting:
    candidate: Candidate
    ready_at: float
    since: float


_SHORTEST_ATTEMPT_S = 0.002
_LONGEST_WAITS = 3
_UNTOLD_RATE_LIMIT_S = 1.0


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
        self._deadline = started_at + deadline_s
        self._queue = list(order)
        self._waiting = [
            _Waiting(candidate, started_at + (block.retry_after_s or 0.0), started_at)
            for candidate, block in blocked
            if block.reason is IneligibilityReason.RATE_LIMITED
        ]
        self._open = [
            (candidate, block)
            for candidate, block in blocked
            if block.reason is not IneligibilityReason.RATE_LIMITED
        ]
        self._started_at = started_at
        self._attempts = 0
        self._waits = 0
        self._retry_at: float | None = None
        self._retried = False
        self._panicked = False
        self._dispatched: Dispatch | None = None
        self._last: tuple[Candidate, Failure] | None = None
        self._retry_hints: list[float] = [
            started_at + block.retry_after_s
            for _, block in blocked
            if block.retry_after_s is not None
        ]
        self._finish: Finish | None = None

    def next(self, now: float) -> Dispatch | Pause | Finish:
        """What to do now. Asking again without recording the last dispatch is an error.

        Raises:
            RuntimeError: the last dispatch has not been recorded.

        """
        if self._dispatched is not None:
            raise RuntimeError("record the dispatched attempt before asking for the next step")
        if self._finish is not None:
            return self._finish
        if self._deadline - now < _SHORTEST_ATTEMPT_S:
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
        if isinstance(outcome, _Success):
            self._finish = Finish(None)
            return
        self._last = (dispatched.candidate, outcome)
        if outcome.retry_after_s is not None:
            self._retry_hints.append(now + outcome.retry_after_s)
        if outcome.retryable:
            self._plan_retry(outcome, now, unit_random)
        elif not outcome.elsewhere:
            self._finish = Finish(OperationError.of(outcome, dispatched.candidate.provider))
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
        more = bool(self._queue or self._waiting)
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
        delay = outcome.retry_after_s
        if delay is not None:
            self._retry_hints.append(now + delay)
        if outcome.reason is IneligibilityReason.RATE_LIMITED and self._waits < _LONGEST_WAITS:
            # Waiting counts from the first refusal, so that the log tells the whole wait.
            self._waiting.append(
                _Waiting(dispatched.candidate, now + (delay or 0.0), now - dispatched.waited_s)
            )
        elif outcome.reason is not IneligibilityReason.RATE_LIMITED:
            block = Block(outcome.reason, delay, outcome.by_failures)
            self._open.append((dispatched.candidate, block))
            self._panicked = self._panicked or dispatched.panic

    def _plan_retry(self, failure: Failure, now: float, unit_random: float) -> None:
        pause = failure.retry_after_s
        if pause is None:
            pause = _UNTOLD_RATE_LIMIT_S if failure.error_class is ErrorClass.RATE_LIMIT else 0.0
        self._retry_at = (
            now
            + pause
            + jittered_backoff_s(
                1,
                base_s=self._options.retry_base_s,
                cap_s=self._options.retry_cap_s,
                unit_random=unit_random,
            )
        )

    def _wait_for_limits(self, now: float) -> Dispatch | Pause | None:
        if not self._waiting:
            return None
        soonest = min(self._waiting, key=lambda waiting: waiting.ready_at)
        if soonest.ready_at <= now:
            self._waiting.remove(soonest)
            return self._dispatch(soonest.candidate, now, waited_s=now - soonest.since)
        if soonest.ready_at >= self._deadline - _SHORTEST_ATTEMPT_S:
            self._waiting.clear()
            return None
        self._waits += 1
        return Pause(soonest.ready_at - now)

    def _retry(self, now: float) -> Dispatch | Pause | None:
        if (
            self._retry_at is None
            or self._last is None
            or self._retried
            or self._panicked
            or not self._options.same_provider_retry
        ):
            return None
        if self._retry_at > now:
            if self._retry_at >= self._deadline - _SHORTEST_ATTEMPT_S:
                return None
            return Pause(self._retry_at - now)
        self._retried = True
        return self._dispatch(self._last[0], now)

    def _panic(self, now: float) -> Dispatch | None:
        if (
            not self._options.panic
            or self._panicked
            or self._attempts
            or len(self._open) < 2
            or not all(block.by_failures for _, block in self._open)
        ):
            return None
        self._panicked = True
        least_bad = min(self._open, key=lambda pair: pair[1].retry_after_s or 0.0)
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
        retry_after = max(0.0, min(self._retry_hints) - now) if self._retry_hints else None
        if self._last is not None:
            candidate, failure = self._last
            error = OperationError.of(failure, candidate.provider)
            if error.retryable and error.retry_after_s is None:
                return OperationError(
                    type=error.type,
                    code=error.code,
                    message=error.message,
                    provider=error.provider,
                    scope=error.scope,
                    retry_after_s=retry_after,
                    user_action=error.user_action,
                )
            return error
        if self._open or not self._retry_hints:
            return OperationError(
                type=ErrorType.PROVIDER_DOWN,
                code="ALL_SKIPPED",
                message="no provider that could answer this takes calls at the moment",
                retry_after_s=retry_after,
            )
        return OperationError(
            type=ErrorType.RATE_LIMIT,
            code="ALL_LIMITED",
            message="every provider that could answer this is at its rate limit",
            retry_after_s=retry_after,
        )
