"""What becomes of an item after one answer: it is done, goes on, waits, or is set aside. Pure."""

from dataclasses import dataclass, replace
from typing import Final

from orchestrator.domain import (
    AccountsData,
    ErrorType,
    OperationError,
    OperationResult,
    TransactionsData,
)

from .item import Item
from .plan import BackfillPlan

__all__ = ["GoOn", "OpenItem", "Park", "SetAside", "Settled", "Verdict", "judge"]

_BACKOFF_BASE_S: Final = 2.0
_BACKOFF_CAP_S: Final = 300.0
_WAIT_CAP_S: Final = 3600.0
_LEAST_WAIT_S: Final = 0.5
_STUCK: Final = OperationError(
    ErrorType.PROVIDER_DOWN,
    "CURSOR_STUCK",
    "there are said to be more pages, under the same cursor",
)
_LIMITS: Final = (ErrorType.RATE_LIMIT, ErrorType.OVERLOADED)


@dataclass(frozen=True, slots=True)
class OpenItem:
    """An item that is not settled, and how far it has come.

    `cursor` continues it behind the pages that were read. `tries` counts operations that reached a
    provider and failed retryably since the last that did not; `attempts` all attempts so far.
    `waits_since` is when it began to wait for limits or circuits, in the job's own seconds.
    """

    item: Item
    cursor: str | None = None
    pages: int = 0
    rows: int = 0
    tries: int = 0
    attempts: int = 0
    stale: bool = False
    waits_since: float | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """All of it was read."""

    open: OpenItem
    provider: str | None


@dataclass(frozen=True, slots=True)
class GoOn:
    """A page was read, and there are more."""

    open: OpenItem


@dataclass(frozen=True, slots=True)
class Park:
    """To be asked again after `wait_s`; `limited` where a limit of ours or a vendor's is why."""

    open: OpenItem
    wait_s: float
    limited: bool


@dataclass(frozen=True, slots=True)
class SetAside:
    """It is given up, for this reason."""

    open: OpenItem
    error: OperationError


Verdict = Settled | GoOn | Park | SetAside


def judge(
    asked: OpenItem, result: OperationResult, plan: BackfillPlan, *, now: float, jitter: float
) -> Verdict:
    """The verdict over one answer.

    Args:
        asked: the item as it was when it was asked for.
        result: the answer.
        plan: holds the bounds.
        now: in the job's own seconds.
        jitter: 0 to 1, drawn afresh.

    """
    attempts = asked.attempts + len(result.attempts)
    if result.error is not None:
        after = replace(asked, attempts=attempts)
        return _failed(
            after, result.error, plan, sent=bool(result.attempts), now=now, jitter=jitter
        )
    if isinstance(result.data, AccountsData):
        rows, stale = len(result.data.accounts), asked.stale or result.data.stale
        read = OpenItem(asked.item, asked.cursor, 1, rows, attempts=attempts, stale=stale)
        return Settled(read, result.provider)
    if not isinstance(result.data, TransactionsData):
        return SetAside(replace(asked, attempts=attempts), _STUCK)
    page = result.data
    read = OpenItem(
        asked.item,
        cursor=page.next_cursor,
        pages=asked.pages + 1,
        rows=asked.rows + len(page.transactions),
        attempts=attempts,
        stale=asked.stale or page.stale,
    )
    if not page.has_more:
        return Settled(read, result.provider)
    if page.next_cursor is None or page.next_cursor == asked.cursor:
        return SetAside(replace(asked, attempts=attempts), _STUCK)
    return GoOn(read)


def _failed(
    after: OpenItem,
    error: OperationError,
    plan: BackfillPlan,
    *,
    sent: bool,
    now: float,
    jitter: float,
) -> Verdict:
    if error.type is ErrorType.VALIDATION and after.cursor is not None:
        # A cursor may be too old to be continued: once more from the beginning.
        again = replace(after, cursor=None, pages=0, rows=0, tries=after.tries + 1)
        return (
            SetAside(after, error)
            if again.tries >= plan.max_tries
            else Park(again, 0.0, limited=False)
        )
    if not error.retryable:
        return SetAside(after, error)
    limited = error.type in _LIMITS
    if limited or not sent:
        # Nobody was asked, or nobody who could have answered: only time is spent.
        since = now if after.waits_since is None else after.waits_since
        if now - since > plan.max_wait_s:
            return SetAside(after, error)
        asked_s = error.retry_after_s if error.retry_after_s is not None else _BACKOFF_BASE_S
        wait_s = min(_WAIT_CAP_S, max(_LEAST_WAIT_S, asked_s)) * (1.0 + 0.1 * jitter)
        return Park(replace(after, waits_since=since), wait_s, limited)
    tried = replace(after, tries=after.tries + 1)
    if tried.tries >= plan.max_tries:
        return SetAside(tried, error)
    backoff_s = min(_BACKOFF_CAP_S, _BACKOFF_BASE_S * 2.0 ** (tried.tries - 1))
    wait_s = max(error.retry_after_s or 0.0, backoff_s * (0.5 + 0.5 * jitter))
    return Park(tried, wait_s, limited=False)
