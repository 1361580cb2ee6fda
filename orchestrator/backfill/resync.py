"""Re-syncs a table of accounts through the router; run again, it skips what is done.

An account is done once its file is there, and the file appears whole or not at all: however a run
ends, the next one goes on where it stopped. Data that a provider was still gathering are kept, and
asked for again by the next run.
"""

import re
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import pandas as pd

from orchestrator.domain import (
    ErrorType,
    OperationError,
    OperationResult,
    OrchestratorError,
    StoreError,
    Transaction,
    TransactionsData,
)

from .account_file import Standing, account_path, standing, write_account

__all__ = ["FrameRefused", "ResyncReport", "Router", "resync"]

_COLUMNS: Final = ("spaceId", "accountId")
_JOB_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}")
_STUCK: Final = OperationError(
    ErrorType.PROVIDER_DOWN, "CURSOR_STUCK", "there are said to be more pages, under a cursor seen"
)


class FrameRefused(OrchestratorError):
    """The job cannot be started as asked; the message says what is wrong with it."""


class Router(Protocol):
    """What a re-sync needs: the synchronous client, or anything alike."""

    def execute_with_failover(
        self,
        operation: str,
        params: Mapping[str, object],
        *,
        priority: str = ...,
        job_id: str | None = ...,
        deadline_ms: int = ...,
    ) -> OperationResult:
        """Run one operation."""
        ...


@dataclass(frozen=True, slots=True)
class ResyncReport:
    """How a run ended. `failures` has a row for each account that is not done, with the reason.

    `providers` counts the accounts that each provider answered in this run. `stale` counts those
    among the `done` whose provider was still gathering data: the next run asks for them again.
    """

    done: int
    stale: int
    skipped: int
    failed: int
    attempts: int
    transactions: int
    providers: Mapping[str, int]
    failures: pd.DataFrame
    folder: Path


@dataclass(frozen=True, slots=True)
class _Synced:
    rows: int
    attempts: int
    provider: str | None
    error: OperationError | None
    stale: bool = False


def resync(
    router: Router,
    accounts: pd.DataFrame,
    *,
    job_id: str,
    folder: Path,
    start_date: str | None = None,
    end_date: str | None = None,
    max_in_flight: int = 32,
    deadline_ms: int = 60_000,
    progress: bool = True,
) -> ResyncReport:
    """Re-sync every account of a table that this job has not done yet.

    Args:
        router: a joined `SyncOrchestrator`.
        accounts: columns `spaceId` and `accountId`, one row an account; others are left alone.
        job_id: names the job; the same one goes on where an earlier run stopped.
        folder: below it, a folder of the job's name gets one Parquet file an account.
        start_date: first date, ISO 8601; the last 90 days when left out.
        end_date: last date.
        max_in_flight: accounts under way at once.
        deadline_ms: of each operation.
        progress: whether to show a bar.

    An exception of the router ends the run: what is under way is finished, the rest not begun.

    Raises:
        FrameRefused: nothing was started; says what is wrong with the table, or that the job was
            run with other dates before.

    """
    _check(accounts, job_id, max_in_flight)
    place = folder / job_id
    place.mkdir(parents=True, exist_ok=True)
    dates = {"startDate": start_date, "endDate": end_date}
    window = {name: value for name, value in dates.items() if value is not None}
    wanted = list(accounts[list(_COLUMNS)].itertuples(index=False, name=None))
    waiting = [pair for pair in wanted if not _is_done(place, pair, window)]
    skipped = len(wanted) - len(waiting)
    outcomes: dict[tuple[str, str], _Synced] = {}
    bar = _bar(total=len(wanted), done=skipped, shown=progress)
    with ThreadPoolExecutor(max_in_flight, thread_name_prefix="resync") as pool:
        try:
            under_way: dict[Future[_Synced], tuple[str, str]] = {
                pool.submit(
                    _sync_account,
                    router,
                    pair,
                    window,
                    place,
                    job_id=job_id,
                    deadline_ms=deadline_ms,
                ): pair
                for pair in waiting
            }
            for future in as_completed(under_way):
                outcomes[under_way[future]] = future.result()
                bar.update()
        except BaseException:
            # Also Ctrl-C: leaving the block alone would first work through all that is queued.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        finally:
            bar.close()
    return _report(outcomes, skipped=skipped, folder=place)


def _check(accounts: pd.DataFrame, job_id: str, max_in_flight: int) -> None:
    missing = [name for name in _COLUMNS if name not in accounts.columns]
    if missing:
        raise FrameRefused(f"the table of accounts has no column {missing[0]!r}")
    if accounts.empty:
        raise FrameRefused("the table of accounts has no rows")
    for name in _COLUMNS:
        wrong = accounts.index[
            [not isinstance(value, str) or not value for value in accounts[name]]
        ]
        if len(wrong):
            raise FrameRefused(f"column {name!r} holds no text in row {wrong[0]!r}")
    twice = accounts.duplicated(list(_COLUMNS))
    if twice.any():
        raise FrameRefused(
            f"{int(twice.sum())} accounts stand in the table twice: drop_duplicates() first"
        )
    if not _JOB_ID.fullmatch(job_id):
        raise FrameRefused("job_id must be 1 to 64 letters, digits, dots, dashes or underscores")
    if max_in_flight < 1:
        raise FrameRefused("max_in_flight must be at least 1")


def _is_done(place: Path, pair: tuple[str, str], window: Mapping[str, str]) -> bool:
    said = standing(account_path(place, *pair))
    if said is None:
        return False
    if said.window != window:
        raise FrameRefused(
            f"job {place.name!r} was run with other dates before: give this one another job_id"
        )
    return not said.stale


def _sync_account(
    router: Router,
    pair: tuple[str, str],
    window: Mapping[str, str],
    place: Path,
    *,
    job_id: str,
    deadline_ms: int,
) -> _Synced:
    space_id, account_id = pair
    rows: dict[str, Transaction] = {}
    attempts, stale = 0, False
    cursors: set[str | None] = {None}
    asked: dict[str, object] = {"spaceId": space_id, "accountId": account_id, **window}
    while True:
        result = router.execute_with_failover(
            "syncTransactions", asked, priority="backfill", job_id=job_id, deadline_ms=deadline_ms
        )
        attempts += len(result.attempts)
        page = result.data
        if not isinstance(page, TransactionsData):
            return _Synced(0, attempts, None, result.error)
        _apply(page, rows)
        stale = stale or page.stale
        if not page.has_more:
            break
        if page.next_cursor in cursors:
            return _Synced(0, attempts, None, _STUCK)
        cursors.add(page.next_cursor)
        asked = {"spaceId": space_id, "accountId": account_id, "cursor": page.next_cursor}
    try:
        path = account_path(place, space_id, account_id)
        write_account(path, space_id, rows.values(), Standing(window, stale))
    except StoreError as error:
        unkept = OperationError(ErrorType.VALIDATION, "NOT_STORABLE", str(error))
        return _Synced(0, attempts, None, unkept)
    return _Synced(len(rows), attempts, result.provider, None, stale)


def _apply(page: TransactionsData, rows: dict[str, Transaction]) -> None:
    # First what goes: a row that the same page tells anew stays.
    for gone in (*page.removed, *(row.replaces_transaction_id for row in page.transactions)):
        if gone is not None:
            rows.pop(gone, None)
    rows |= {row.transaction_id: row for row in page.transactions}


def _report(
    outcomes: Mapping[tuple[str, str], _Synced], *, skipped: int, folder: Path
) -> ResyncReport:
    providers: dict[str, int] = {}
    failures = []
    for (space_id, account_id), synced in outcomes.items():
        if synced.error is not None or synced.provider is None:
            failures.append(
                {
                    "spaceId": space_id,
                    "accountId": account_id,
                    "type": None if synced.error is None else synced.error.type.value,
                    "code": None if synced.error is None else synced.error.code,
                    "message": None if synced.error is None else synced.error.message,
                    "retryable": synced.error is None or synced.error.retryable,
                }
            )
        else:
            providers[synced.provider] = providers.get(synced.provider, 0) + 1
    columns = ["spaceId", "accountId", "type", "code", "message", "retryable"]
    return ResyncReport(
        done=len(outcomes) - len(failures),
        stale=sum(synced.stale for synced in outcomes.values()),
        skipped=skipped,
        failed=len(failures),
        attempts=sum(synced.attempts for synced in outcomes.values()),
        transactions=sum(synced.rows for synced in outcomes.values()),
        providers=providers,
        failures=pd.DataFrame(failures, columns=columns),
        folder=folder,
    )


class _Bar(Protocol):
    def update(self) -> object: ...

    def close(self) -> object: ...


class _NoBar:
    def update(self) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Show nothing."""


def _bar(*, total: int, done: int, shown: bool) -> _Bar:
    if not shown:
        return _NoBar()
    from tqdm.auto import tqdm  # noqa: PLC0415  an extra of the notebooks

    bar: _Bar = tqdm(total=total, initial=done, unit="account", desc="re-synced")
    return bar
