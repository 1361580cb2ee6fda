"""The failover plan of one request: what to do next, given what has happened so far.

Sans-IO: the plan decides, the router's shell awaits. `now` is monotonic seconds of the caller's.

    next() ──► Dispatch ──► make the attempt, and ask next() again at once
           ──► Watch    ──► wait for what is under way; record() what has ended, then next()
           ──► Pause    ──► next() again, once the wait is over
           ──► Finish   ──► the end; give up what is still under way

    record(Succeeded) ──► Finish
    record(Failure)   ──► Dispatch at the next candidate, or Finish
    record(Rejected)  ──► the same at no cost: a skipped candidate was not tried
"""

import math
from collections.abc import Mapping
from typing import Final

from orchestrator.domain import ErrorClass, Failure, IneligibilityReason, OperationError
from orchestrator.resilience import jittered_backoff_s

from .eligibility import Block, Candidate
from .final_errors import all_limited, all_skipped, deadline_passed, of_last
from .limited import UNTOLD_LIMIT_S, LimitedCandidates
from .steps import (
    OTHER_LOGIN,
    Dispatch,
    Finish,
    Pause,
    PlanOptions,
    Rejected,
    StepOutcome,
    Success,
    Watch,
)

__all__ = ["FailoverPlan"]

_SHORTEST_ATTEMPT_S: Final = 0.002


class FailoverPlan:
    """Decides one request's attempts. Not safe for concurrent use; make one a request.

    Args:
        order: the eligible candidates, best first.
        blocked: the candidates that could serve it but take no call now, in priority order.
        started_at: when the request came in.
        deadline_s: seconds from then within which it must be answered.
        options: bounds.
        slow_after_s: after how many seconds an answer of a provider is slow, for those of which
            that is known; only then a hedge goes beside it.

    """

    def __init__(
        self,
        order: tuple[Candidate, ...],
        blocked: tuple[tuple[Candidate, Block], ...],
        *,
        started_at: float,
        deadline_s: float,
        options: PlanOptions,
        slow_after_s: Mapping[str, float] | None = None,
    ) -> None:
        self._options = options
        self._slow_after_s = dict(slow_after_s or {})
        self._last_moment = started_at + deadline_s - _SHORTEST_ATTEMPT_S
        self._deadline = started_at + deadline_s
        self._candidates = len(order) + len(blocked)
        self._queue = list(order)
        self._limited = LimitedCandidates()
        self._open: list[tuple[Candidate, Block]] = []
        self._ready_at: dict[Candidate, float] = {}
        self._under_way: dict[Dispatch, float] = {}
        self._numbers = 0
        self._attempts = 0
        self._idle_since: float | None = None
        self._retry_at: float | None = None
        self._retried = False
        self._hedged = False
        self._panicked = False
        self._last: tuple[Candidate, Failure] | None = None
        self._last_number = 0
        self._finish: Finish | None = None
        for candidate, block in blocked:
            self._note_ready(candidate, block.retry_after_s, started_at)
            if block.reason is IneligibilityReason.RATE_LIMITED:
                self._limited.known(candidate, block.retry_after_s, started_at)
            else:
                self._open.append((candidate, block))

    def next(self, now: float) -> Dispatch | Watch | Pause | Finish:
        """What to do now."""
        if self._finish is not None:
            return self._finish
        if self._under_way:
            return self._hedge(now)
        if now > self._last_moment:
            return self._end(deadline_passed(self._last))
        if self._queue:
            return self._dispatch(self._queue.pop(0), now)
        step = self._ask_limited(now) or self._retry(now) or self._panic(now)
        return step or self._end(self._final_error(now))

    def record(
        self, dispatch: Dispatch, outcome: StepOutcome, now: float, *, unit_random: float = 1.0
    ) -> None:
        """Tell how a dispatch ended; `unit_random` between 0 and 1 jitters a retry's back-off.

        Raises:
            RuntimeError: it is not under way.

        """
        began_at = self._under_way.pop(dispatch, None)
        if began_at is None:
            raise RuntimeError("there is no such attempt under way to record")
        if self._finish is not None:
            self._attempts += not isinstance(outcome, Rejected)
            return
        if isinstance(outcome, Rejected):
            self._record_rejection(dispatch, outcome, began_at, now)
            return
        self._attempts += 1
        self._idle_since = None
        if isinstance(outcome, Success):
            self._finish = Finish(None)
            return
        is_last = dispatch.attempt_number > self._last_number
        if self._last is None or (is_last and outcome.code != OTHER_LOGIN):
            # That a stand-in shows another login says nothing about why it was needed.
            self._last = (dispatch.candidate, outcome)
        self._last_number = max(self._last_number, dispatch.attempt_number)
        # Who failed and told no time may be tried again at once.
        at_once = 0.0 if outcome.retryable else None
        self._note_ready(dispatch.candidate, outcome.retry_after_s or at_once, now)
        if outcome.retryable:
            self._plan_retry(outcome, now, unit_random)
        elif outcome.elsewhere or (dispatch.hedge and self._under_way):
            self._retry_at = None
        else:
            self._end(OperationError.of(outcome, dispatch.candidate.provider))

    @property
    def attempts(self) -> int:
        """Attempts that were sent and have ended."""
        return self._attempts

    def _dispatch(
        self,
        candidate: Candidate,
        now: float,
        *,
        ready_at: float | None = None,
        waited_s: float = 0.0,
        panic: bool = False,
        extra: bool = False,
        hedge: bool = False,
    ) -> Dispatch:
        left_s = self._deadline - now
        other = self._limited.soonest(self._last_moment)
        remains = bool(self._queue) or other is not None
        share_s = left_s / 2 if remains else left_s
        may_wait = not (self._queue or panic or hedge)
        wait_s = (
            self._limited.wait_s(now, share_s, self._last_moment, ready_at) if may_wait else 0.0
        )
        self._numbers += 1
        dispatch = Dispatch(
            candidate=candidate,
            attempt_number=self._numbers,
            timeout_s=self._options.attempt_timeout_s,
            time_left_s=share_s,
            wait_s=wait_s,
            waited_s=waited_s,
            panic=panic,
            extra=extra,
            hedge=hedge,
        )
        self._under_way[dispatch] = now
        return dispatch

    def _record_rejection(
        self, dispatch: Dispatch, outcome: Rejected, began_at: float, now: float
    ) -> None:
        candidate, delay_s = dispatch.candidate, outcome.retry_after_s
        if dispatch.attempt_number == self._numbers:
            self._numbers -= 1
        if outcome.over_budget:
            # No extra attempt there: neither now nor later in this request.
            if dispatch.hedge:
                self._queue.insert(0, candidate)
            return
        if dispatch.hedge:
            self._hedged = False
        self._note_ready(candidate, delay_s, now)
        if outcome.reason is not IneligibilityReason.RATE_LIMITED or dispatch.panic:
            self._open.append((candidate, Block(outcome.reason, delay_s, outcome.by_failures)))
            return
        if self._idle_since is None and dispatch.wait_s > 0.0:
            self._idle_since = began_at
        self._limited.refused(candidate, delay_s, now, queue_full=outcome.queue_full)

    def _note_ready(self, candidate: Candidate, delay_s: float | None, now: float) -> None:
        """Keep the latest word on when a candidate may be tried again."""
        if delay_s is None:
            self._ready_at.pop(candidate, None)
        else:
            self._ready_at[candidate] = now + delay_s

    def _plan_retry(self, failure: Failure, now: float, unit_random: float) -> None:
        limited = failure.error_class is ErrorClass.RATE_LIMIT
        untold_s = UNTOLD_LIMIT_S if limited else 0.0
        pause_s = untold_s if failure.retry_after_s is None else failure.retry_after_s
        backoff_s = jittered_backoff_s(
            1,
            base_s=self._options.retry_base_s,
            cap_s=self._options.retry_cap_s,
            unit_random=unit_random,
        )
        self._retry_at = now + pause_s + backoff_s

    def _hedge(self, now: float) -> Dispatch | Watch:
        """Something is under way: the same read beside it once it is slow, or wait for its end."""
        (first, began_at), *others = self._under_way.items()
        slow_after_s = self._slow_after_s.get(first.candidate.provider)
        if (
            slow_after_s is None
            or slow_after_s >= first.longest_s
            or not self._options.hedge
            or self._hedged
            or others
            or not self._queue
            or now > self._last_moment
        ):
            return Watch(None)
        left_s = began_at + slow_after_s - now
        if left_s > 0.0:
            return Watch(left_s)
        self._hedged = True
        return self._dispatch(self._queue.pop(0), now, extra=True, hedge=True)

    def _ask_limited(self, now: float) -> Dispatch | Pause | None:
        soonest = self._limited.soonest(self._last_moment)
        if soonest is None:
            return None
        if soonest.ask_at > now:
            if self._idle_since is None:
                self._idle_since = now
            return Pause(soonest.ask_at - now)
        self._limited.take(soonest)
        waited_s = 0.0 if self._idle_since is None else now - self._idle_since
        return self._dispatch(soonest.candidate, now, ready_at=soonest.ready_at, waited_s=waited_s)

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
        return self._dispatch(self._last[0], now, extra=True)

    def _panic(self, now: float) -> Dispatch | None:
        if (
            not self._options.panic
            or self._panicked
            or self._attempts
            or not 2 <= len(self._open) == self._candidates
            or not all(block.by_failures for _, block in self._open)
        ):
            return None
        least_bad = min(self._open, key=lambda pair: self._ready_at.get(pair[0], math.inf))
        self._open.remove(least_bad)
        self._panicked = True
        return self._dispatch(least_bad[0], now, panic=True)

    def _end(self, error: OperationError) -> Finish:
        self._finish = Finish(error)
        return self._finish

    def _final_error(self, now: float) -> OperationError:
        soonest = min(self._ready_at.values(), default=now)
        retry_after_s = soonest - now if soonest > now else None
        if self._last is not None:
            return of_last(self._last, retry_after_s)
        if self._open or not self._candidates:
            return all_skipped(retry_after_s)
        return all_limited(retry_after_s, queues_full=self._limited.queues_full)
