"""A router that backfill jobs can be run over without anything behind it."""

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random

import pandas as pd

from orchestrator.backfill import BackfillPlan, BackfillRun, JobState, OpenItem, prepare
from orchestrator.domain import (
    AttemptSummary,
    Clock,
    DecisionSummary,
    Direction,
    ErrorType,
    Lane,
    OperationError,
    OperationRequest,
    OperationResult,
    Transaction,
    TransactionsData,
)
from orchestrator.domain.params import SyncTransactionsParams
from tests.support.clock import SteppedClock

__all__ = [
    "PROVIDERS",
    "PagedRouter",
    "accounts",
    "failing",
    "prepared",
    "request_of",
    "run_job",
    "transaction",
]

PROVIDERS = frozenset({"plaid", "mx"})


def accounts(count: int) -> pd.DataFrame:
    """A table of so many accounts, two in each space."""
    return pd.DataFrame(
        {
            "spaceId": [f"space_{number // 2}" for number in range(count)],
            "accountId": [f"acc_{number}" for number in range(count)],
        }
    )


def transaction(account_id: str, number: int, **changes: object) -> Transaction:
    """A movement of an account, in one of twelve months."""
    told: dict[str, object] = {
        "transaction_id": f"txn_{account_id}_{number}",
        "account_id": account_id,
        "provider": "plaid",
        "provider_transaction_id": str(number),
        "date": dt.date(2026, 1 + number % 12, 3),
        "posted_at": None,
        "authorized_date": None,
        "amount": Decimal("-12.30"),
        "direction": Direction.OUT,
        "currency": "USD",
        "description": "GROCERIES",
        "merchant_name": None,
        "category": None,
        "pending": False,
        "replaces_transaction_id": None,
    }
    return Transaction(**{**told, **changes})  # type: ignore[arg-type]


def request_of(plan: BackfillPlan, open_item: OpenItem) -> OperationRequest:
    """The request of an item, unchecked."""
    item = open_item.item
    return OperationRequest(
        request_id="req",
        operation=plan.operation,
        params=SyncTransactionsParams.model_construct(
            space_id=item.space_id, account_id=item.account_id, cursor=open_item.cursor
        ),
        region=plan.region,
        deadline_ms=item.deadline_ms or plan.deadline_ms,
        lane=Lane.BACKFILL,
        job_id=plan.job_id,
    )


def failing(type_: ErrorType, retry_after_s: float | None = None) -> OperationError:
    """An error of this type."""
    return OperationError(type_, type_.value.upper(), "no", retry_after_s=retry_after_s)


class PagedRouter:
    """Answers every account in `pages` pages of two rows, or as `trouble` says.

    `trouble` may answer an error for the account and the how-manieth time that it is asked for.
    Each answer takes `takes_s` of the clock.
    """

    def __init__(
        self,
        pages: int = 1,
        trouble: Callable[[str, int], OperationError | None] = lambda _account, _time: None,
        change: Callable[[str, TransactionsData], TransactionsData] = lambda _account, page: page,
        *,
        takes_s: float = 0.0,
        clock: Clock | None = None,
    ) -> None:
        self.pages = pages
        self.trouble = trouble
        self.change = change
        self._takes_s = takes_s
        self._clock = clock
        self.asked: list[OperationRequest] = []
        self.times: Counter[str] = Counter()
        self.in_flight = 0
        self.most_in_flight = 0

    async def execute(self, request: OperationRequest) -> OperationResult:
        """Serve one request."""
        self.asked.append(request)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        until_s = 0.0 if self._clock is None else self._clock.now_s() + self._takes_s
        await asyncio.sleep(0)
        while self._clock is not None and self._clock.now_s() < until_s:  # noqa: ASYNC110  the clock is moved by others
            await asyncio.sleep(0)
        self.in_flight -= 1
        assert isinstance(request.params, SyncTransactionsParams)
        account = str(request.params.account_id)
        self.times[account] += 1
        error = self.trouble(account, self.times[account])
        return self._result(request, account, error)

    def _result(
        self, request: OperationRequest, account: str, error: OperationError | None
    ) -> OperationResult:
        assert isinstance(request.params, SyncTransactionsParams)
        page = int(request.params.cursor or 0)
        more = page + 1 < self.pages
        data = TransactionsData(
            transactions=tuple(transaction(account, 2 * page + one) for one in range(2)),
            removed=(),
            next_cursor=str(page + 1),
            has_more=more,
            stale=False,
        )
        sent = error is None or error.type not in (ErrorType.RATE_LIMIT, ErrorType.OVERLOADED)
        attempt = AttemptSummary("a", 1, "plaid", "success", None, None, 1.0, 0.0)
        return OperationResult(
            success=error is None,
            request_id=request.request_id,
            operation=request.operation,
            provider="plaid" if error is None else None,
            failover_used=False,
            data=self.change(account, data) if error is None else None,
            error=error,
            attempts=(attempt,) if sent else (),
            decision=DecisionSummary("priority", None, ()),
        )


def prepared(data_dir: Path, source: pd.DataFrame, plan: BackfillPlan) -> Path:
    """The folder of a job."""
    return prepare(data_dir, source, plan, providers=PROVIDERS)


async def run_job(
    folder: Path, router: PagedRouter, clock: SteppedClock | None = None
) -> JobState | None:
    """Run a job to its end on a clock that its pauses move."""
    moved = clock or SteppedClock(running=False)

    async def pause(seconds: float) -> None:
        moved.jump(seconds)
        await asyncio.sleep(0)

    return await BackfillRun(
        folder, router.execute, request_of, moved, rng=Random(7), pause=pause
    ).run()
