"""The re-sync of a table of accounts."""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from orchestrator.backfill import FrameRefused, resync
from orchestrator.domain import (
    DecisionSummary,
    Direction,
    ErrorType,
    Operation,
    OperationError,
    OperationResult,
    Transaction,
    TransactionsData,
)

ACCOUNTS = pd.DataFrame({"spaceId": ["space_1", "space_1"], "accountId": ["acc_1", "acc_2"]})


def _row(number: int, account_id: str) -> Transaction:
    return Transaction(
        transaction_id=f"txn_{account_id}_{number}",
        account_id=account_id,
        provider="plaid",
        provider_transaction_id=str(number),
        date=dt.date(2026, 11, 1),
        posted_at=None,
        authorized_date=None,
        amount=Decimal("-12.30"),
        direction=Direction.OUT,
        currency="USD",
        description="GROCERIES",
        merchant_name=None,
        category=None,
        pending=False,
        replaces_transaction_id=None,
    )


class FakeRouter:
    """Answers each account with two pages, or with what `failing` says."""

    def __init__(self, failing: Mapping[str, OperationError] | None = None) -> None:
        self.failing = dict(failing or {})
        self.asked: list[dict[str, Any]] = []

    def execute_with_failover(
        self,
        operation: str,
        params: Mapping[str, object],
        *,
        priority: str = "interactive",
        job_id: str | None = None,
        deadline_ms: int = 30_000,
    ) -> OperationResult:
        """Note what was asked, and answer."""
        self.asked.append({**params, "priority": priority, "job_id": job_id})
        account_id = str(params["accountId"])
        error = self.failing.get(account_id)
        more = "cursor" not in params
        data = TransactionsData(
            (_row(1 if more else 2, account_id),), (), "next", has_more=more, stale=False
        )
        return OperationResult(
            success=error is None,
            request_id="req_1",
            operation=Operation.SYNC_TRANSACTIONS,
            provider=None if error else "plaid",
            failover_used=False,
            data=None if error else data,
            error=error,
            attempts=(),
            decision=DecisionSummary("priority", None, ()),
        )


def _run(router: FakeRouter, folder: Path, **options: Any) -> Any:
    return resync(router, ACCOUNTS, job_id="nightly", folder=folder, progress=False, **options)


def test_every_account_is_read_to_its_last_page_and_kept_exactly(tmp_path: Path) -> None:
    """All pages of an account land in its Parquet file, with amounts as decimals."""
    report = _run(FakeRouter(), tmp_path)

    frame = pd.read_parquet(tmp_path / "nightly")
    assert (2, 0, 0, 4) == (report.done, report.skipped, report.failed, report.transactions)
    assert {"txn_acc_1_1", "txn_acc_1_2", "txn_acc_2_1", "txn_acc_2_2"} == set(
        frame["transactionId"]
    )
    assert {Decimal("-12.300000000")} == set(frame["amount"])
    assert {"plaid": 2} == report.providers


def test_a_second_run_skips_what_is_done(tmp_path: Path) -> None:
    """Run again under the same job id, no account is asked for twice."""
    _run(FakeRouter(), tmp_path)
    again = FakeRouter()

    report = _run(again, tmp_path)

    assert [] == again.asked
    assert (0, 2) == (report.done, report.skipped)


def test_a_failed_account_is_reported_and_tried_again_next_time(tmp_path: Path) -> None:
    """A failure leaves no file, stands in the report with its reason, and is not skipped later."""
    down = OperationError(ErrorType.PROVIDER_DOWN, "INSTITUTION_DOWN", "the bank is down")
    report = _run(FakeRouter({"acc_2": down}), tmp_path)

    assert (1, 1) == (report.done, report.failed)
    row = report.failures.iloc[0]
    assert ("acc_2", "INSTITUTION_DOWN", True) == (row["accountId"], row["code"], row["retryable"])
    assert 1 == _run(FakeRouter(), tmp_path).done


def test_requests_travel_in_the_backfill_lane_under_the_job(tmp_path: Path) -> None:
    """Each operation says that it is a bulk job's, and which."""
    router = FakeRouter()
    _run(router, tmp_path, start_date="2026-10-01")

    assert {("backfill", "nightly")} == {(a["priority"], a["job_id"]) for a in router.asked}
    first = next(a for a in router.asked if "cursor" not in a)
    assert "2026-10-01" == first["startDate"]


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (pd.DataFrame({"spaceId": ["s"]}), "no column 'accountId'"),
        (pd.DataFrame({"spaceId": [], "accountId": []}), "no rows"),
        (pd.DataFrame({"spaceId": ["s", "s"], "accountId": ["a", "a"]}), "twice"),
        (pd.DataFrame({"spaceId": ["s"], "accountId": [7]}), "holds no text"),
    ],
)
def test_a_bad_table_is_refused_before_anything_starts(
    tmp_path: Path, frame: pd.DataFrame, says: str
) -> None:
    """Missing columns, no rows, duplicates and other types are told, and nothing is asked."""
    router = FakeRouter()

    with pytest.raises(FrameRefused, match=says):
        resync(router, frame, job_id="nightly", folder=tmp_path, progress=False)

    assert [] == router.asked
