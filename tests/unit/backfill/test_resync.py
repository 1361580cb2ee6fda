"""The re-sync of a table of accounts."""

import dataclasses
import datetime as dt
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from orchestrator.backfill import FrameRefused, read_transactions, resync
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
    """Answers each account with two pages, changed by `page`, or with what `failing` says."""

    def __init__(
        self,
        failing: Mapping[str, OperationError] | None = None,
        page: Callable[[TransactionsData], TransactionsData] = lambda page: page,
    ) -> None:
        self.failing = dict(failing or {})
        self.page = page
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
            data=None if error else self.page(data),
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


def _last_page_removes(page: TransactionsData) -> TransactionsData:
    (row,) = page.transactions
    gone = () if page.has_more else (f"txn_{row.account_id}_1",)
    return dataclasses.replace(page, removed=gone)


def _last_page_replaces(page: TransactionsData) -> TransactionsData:
    (row,) = page.transactions
    old = None if page.has_more else f"txn_{row.account_id}_1"
    return dataclasses.replace(
        page, transactions=(dataclasses.replace(row, replaces_transaction_id=old),)
    )


@pytest.mark.parametrize("change", [_last_page_removes, _last_page_replaces])
def test_a_row_that_a_later_page_takes_back_is_not_kept(
    tmp_path: Path, change: Callable[[TransactionsData], TransactionsData]
) -> None:
    """What is removed, or replaced by another row, is not in the file."""
    report = _run(FakeRouter(page=change), tmp_path)

    assert {"txn_acc_1_2", "txn_acc_2_2"} == set(read_transactions(report.folder)["transactionId"])


def test_data_still_being_gathered_are_kept_and_asked_for_again(tmp_path: Path) -> None:
    """A stale answer's rows are there at once, and the next run asks until it is whole."""
    first = _run(FakeRouter(page=lambda page: dataclasses.replace(page, stale=True)), tmp_path)

    assert (2, 2, 4) == (first.done, first.stale, len(read_transactions(first.folder)))
    second = _run(FakeRouter(), tmp_path)
    assert (2, 0, 0) == (second.done, second.stale, second.skipped)
    assert 2 == _run(FakeRouter(), tmp_path).skipped


def test_a_cursor_that_does_not_move_fails_the_account(tmp_path: Path) -> None:
    """An account whose pages never end is reported as retryable, and not asked for without end."""
    router = FakeRouter(page=lambda page: dataclasses.replace(page, has_more=True))

    report = _run(router, tmp_path)

    assert 4 == len(router.asked)
    assert {("CURSOR_STUCK", True)} == set(
        report.failures[["code", "retryable"]].itertuples(index=False, name=None)
    )


def _amounts(text: str) -> Callable[[TransactionsData], TransactionsData]:
    def change(page: TransactionsData) -> TransactionsData:
        (row,) = page.transactions
        amount = Decimal(text) if row.account_id == "acc_1" else row.amount
        return dataclasses.replace(page, transactions=(dataclasses.replace(row, amount=amount),))

    return change


def test_the_finest_amounts_are_kept_to_the_last_digit(tmp_path: Path) -> None:
    """An amount in wei, with 18 decimals, comes back as it was."""
    report = _run(FakeRouter(page=_amounts("-0.123456789012345678")), tmp_path)

    assert Decimal("-0.123456789012345678") in set(read_transactions(report.folder)["amount"])


def test_an_amount_that_cannot_be_kept_fails_its_account_alone(tmp_path: Path) -> None:
    """Digits are never dropped: that account is reported, and the others are done."""
    report = _run(FakeRouter(page=_amounts("-0.1234567890123456789")), tmp_path)

    assert (1, ["NOT_STORABLE"]) == (report.done, list(report.failures["code"]))
    assert [False] == list(report.failures["retryable"])


def test_a_job_keeps_its_dates(tmp_path: Path) -> None:
    """The same job id with other dates is refused: what is done would not be what is asked for."""
    _run(FakeRouter(), tmp_path)
    router = FakeRouter()

    with pytest.raises(FrameRefused, match="other dates"):
        _run(router, tmp_path, start_date="2020-01-01")

    assert [] == router.asked


@pytest.mark.parametrize(
    "damage",
    [lambda raw: b"", lambda raw: raw[:-9], lambda raw: raw[:-300] + b"\xff" * 292 + raw[-8:]],
    ids=["empty", "cut", "overwritten"],
)
def test_a_damaged_file_counts_as_not_done(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    """A file that cannot be read, as a power cut may leave it, is fetched again."""
    path = next(_run(FakeRouter(), tmp_path).folder.glob("*.parquet"))
    path.write_bytes(damage(path.read_bytes()))

    report = _run(FakeRouter(), tmp_path)

    assert (1, 1) == (report.done, report.skipped)


def test_an_exception_ends_the_run_without_beginning_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the router is gone, what is queued is not tried, and nothing is taken for done."""
    ending = threading.Event()
    tried: list[str] = []

    class Pool(ThreadPoolExecutor):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            super().shutdown(wait=False, cancel_futures=cancel_futures)
            ending.set()
            super().shutdown(wait=wait)

    class GoneRouter(FakeRouter):
        def execute_with_failover(
            self, operation: str, params: Mapping[str, object], **options: Any
        ) -> OperationResult:
            tried.append(str(params["accountId"]))
            if len(tried) > 1:
                ending.wait(10)
            raise ConnectionError("the router is gone")

    # By import, as the package's name `resync` is the function.
    module = import_module("orchestrator.backfill.resync")
    monkeypatch.setattr(module, "ThreadPoolExecutor", Pool)
    many = pd.DataFrame({"spaceId": "space_1", "accountId": [f"acc_{n}" for n in range(50)]})

    with pytest.raises(ConnectionError):
        resync(GoneRouter(), many, job_id="j", folder=tmp_path, progress=False, max_in_flight=1)

    assert len(tried) <= 2
    assert [] == list((tmp_path / "j").iterdir())


def test_a_job_with_nothing_done_has_an_empty_frame(tmp_path: Path) -> None:
    """Where every account failed, the frame has its columns and no rows."""
    down = OperationError(ErrorType.PROVIDER_DOWN, "INSTITUTION_DOWN", "the bank is down")
    report = _run(FakeRouter({"acc_1": down, "acc_2": down}), tmp_path)

    frame = read_transactions(report.folder)

    assert (0, True) == (len(frame), {"date", "amount"} <= set(frame.columns))
