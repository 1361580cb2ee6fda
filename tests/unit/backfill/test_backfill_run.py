"""A job from its input to its report, over a router with nothing behind it."""

import asyncio
import datetime as dt
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from orchestrator.backfill import (
    BackfillPlan,
    BackfillRefused,
    JobState,
    job_folder,
    jobs,
    read_transactions,
    report,
    standing,
    want,
)
from orchestrator.backfill.places import RUNNING, held, row_files
from orchestrator.domain import (
    ErrorType,
    OperationError,
    OperationRequest,
    OperationResult,
    TransactionsData,
)
from orchestrator.domain.params import SyncTransactionsParams
from tests.support.backfill_router import (
    PagedRouter,
    accounts,
    failing,
    prepared,
    run_job,
    transaction,
)
from tests.support.clock import SteppedClock

PLAN = BackfillPlan("job")


async def test_every_account_is_done_once_and_its_rows_can_be_read(tmp_path: Path) -> None:
    """Forty accounts of three pages: all done, every row there once, months apart."""
    router = PagedRouter(pages=3)
    folder = prepared(tmp_path, accounts(40), PLAN)

    state = await run_job(folder, router)
    told = report(folder)
    frame = read_transactions(tmp_path)

    assert JobState.DONE is state
    assert (40, 0, 0) == (told.done, told.failed, told.skipped)
    assert (120, 240, {"plaid": 40}) == (told.attempts, told.transactions, dict(told.providers))
    assert 240 == len(frame) == frame["transactionId"].nunique()
    assert {f"acc_{n}" for n in range(40)} == set(frame["accountId"])
    assert Decimal("-12.30") == frame["amount"].iloc[0]
    assert all(
        1 == n
        for n in Counter(path.parent for path in row_files(tmp_path / "transactions")).values()
    )


async def test_requests_go_into_the_backfill_lane_with_the_job_and_the_deadline(
    tmp_path: Path,
) -> None:
    """A request names its job; an item's own deadline goes before the job's."""
    frame = accounts(2).assign(deadlineMs=[1500, None])
    router = PagedRouter()

    await run_job(prepared(tmp_path, frame, PLAN), router)

    assert {("backfill", "job")} == {(r.lane.value, r.job_id) for r in router.asked}
    assert [1500, 60_000] == sorted(r.deadline_ms for r in router.asked)


async def test_no_more_are_under_way_than_the_window_allows(tmp_path: Path) -> None:
    """With three in flight at most, three are reached and never passed."""
    router = PagedRouter(pages=2)

    await run_job(prepared(tmp_path, accounts(30), replace(PLAN, max_in_flight=3)), router)

    assert 3 == router.most_in_flight


async def test_a_job_run_again_skips_what_is_done_and_asks_again_for_what_failed(
    tmp_path: Path,
) -> None:
    """The second run asks for the one that failed, and counts the rest as skipped."""
    router = PagedRouter(
        trouble=lambda account, time: (
            failing(ErrorType.AUTH) if account == "acc_1" and time == 1 else None
        )
    )
    folder = prepared(tmp_path, accounts(10), PLAN)
    await run_job(folder, router)
    first = report(folder)
    router.asked.clear()

    prepared(tmp_path, accounts(10), PLAN)
    await run_job(folder, router)
    second = report(folder)

    assert (9, 1, 0) == (first.done, first.failed, first.skipped)
    assert [("acc_1", "auth", False)] == list(
        first.failures[["accountId", "type", "retryable"]].itertuples(index=False, name=None)
    )
    assert ["acc_1"] == [
        r.params.account_id for r in router.asked if isinstance(r.params, SyncTransactionsParams)
    ]
    assert (1, 0, 9) == (second.done, second.failed, second.skipped)
    assert second.failures.empty


async def test_a_retryable_failure_is_tried_again_with_growing_pauses_and_then_set_aside(
    tmp_path: Path,
) -> None:
    """Four tries with pauses between them; the report says why it was given up."""
    clock = SteppedClock(running=False)
    at: list[float] = []

    def trouble(account: str, _time: int) -> object:
        if account == "acc_0":
            at.append(clock.now_s())
            return failing(ErrorType.NETWORK)
        return None

    router = PagedRouter(trouble=trouble)  # type: ignore[arg-type]
    folder = prepared(tmp_path, accounts(2), replace(PLAN, max_tries=4))

    await run_job(folder, router, clock)
    told = report(folder)
    pauses = [after - before for before, after in pairwise(at)]

    assert 4 == len(at)
    assert 1.0 <= pauses[0] <= 2.2
    assert 2.0 <= pauses[1] <= 4.2
    assert 4.0 <= pauses[2] <= 8.2
    assert (1, 1) == (told.done, told.failed)
    assert [("acc_0", "network", True, 4)] == list(
        told.failures[["accountId", "type", "retryable", "attempts"]].itertuples(
            index=False, name=None
        )
    )


async def test_accounts_that_there_are_not_are_rows_of_the_report_and_the_others_are_done(
    tmp_path: Path,
) -> None:
    """Only the answer can tell: asked for once, and named with the input's row and the reason."""
    unknown = {"acc_3", "acc_7"}
    no_account = OperationError(ErrorType.NOT_FOUND, "UNKNOWN_ACCOUNT", "there is no such account")
    router = PagedRouter(trouble=lambda a, _time: no_account if a in unknown else None)
    folder = prepared(tmp_path, accounts(10), PLAN)

    state = await run_job(folder, router)
    told = report(folder)

    assert JobState.DONE is state
    assert (8, 2) == (told.done, told.failed)
    assert [(4, "acc_3", "UNKNOWN_ACCOUNT", False), (8, "acc_7", "UNKNOWN_ACCOUNT", False)] == list(
        told.failures[["row", "accountId", "code", "retryable"]].itertuples(index=False, name=None)
    )
    assert {1} == set(router.times.values())
    assert not unknown & set(read_transactions(tmp_path)["accountId"])


async def test_limits_are_waited_for_as_long_as_they_say_and_count_as_no_try(
    tmp_path: Path,
) -> None:
    """Ten refusals with Retry-After end no item, though two tries are all that it has."""
    clock = SteppedClock(running=False)
    router = PagedRouter(
        trouble=lambda _account, time: failing(ErrorType.RATE_LIMIT, 30.0) if time <= 10 else None
    )
    folder = prepared(tmp_path, accounts(3), replace(PLAN, max_tries=2))

    await run_job(folder, router, clock)

    assert 3 == report(folder).done
    assert 300.0 <= clock.now_s() - 1000.0 <= 400.0


async def test_a_limit_that_never_opens_ends_the_item_after_its_longest_wait(
    tmp_path: Path,
) -> None:
    """An hour of refusals is enough where an hour was allowed."""
    router = PagedRouter(trouble=lambda _account, _time: failing(ErrorType.OVERLOADED, 600.0))
    folder = prepared(tmp_path, accounts(1), replace(PLAN, max_wait_s=3600.0))

    await run_job(folder, router)

    assert ["overloaded"] == list(report(folder).failures["type"])


async def test_a_cut_run_asks_again_for_one_page_of_an_item_at_most(tmp_path: Path) -> None:
    """The run is cut again and again; each cut costs an item one page at most, and it ends."""
    folder = prepared(tmp_path, accounts(2), PLAN)
    router = PagedRouter(pages=5)
    cuts = 0
    while not await _ends_within(folder, router, requests=3):
        cuts += 1
    asked = Counter(
        request.params.account_id
        for request in router.asked
        if isinstance(request.params, SyncTransactionsParams)
    )

    assert cuts >= 2
    assert all(5 <= count <= 5 + cuts for count in asked.values()), (cuts, asked)
    assert 20 == report(folder).transactions
    assert 20 == len(read_transactions(tmp_path))


async def _ends_within(folder: Path, router: PagedRouter, requests: int) -> bool:
    """Run a job whose process is lost once it asks for more than so many; whether it ended."""
    lost = asyncio.Event()
    answered = 0

    async def execute(request: OperationRequest) -> OperationResult:
        nonlocal answered
        answered += 1
        if answered > requests:
            lost.set()
            await asyncio.Event().wait()
        return await router.execute(request)

    cut = PagedRouter()
    cut.execute = execute  # type: ignore[method-assign]
    run, cutting = asyncio.ensure_future(run_job(folder, cut)), asyncio.ensure_future(lost.wait())
    done, _ = await asyncio.wait({run, cutting}, return_when=asyncio.FIRST_COMPLETED)
    if run not in done:
        run.cancel()
    cutting.cancel()
    await asyncio.gather(run, cutting, return_exceptions=True)
    return run in done


async def test_a_frozen_cursor_is_set_aside_and_told(tmp_path: Path) -> None:
    """More pages under the same cursor would be asked for without end."""
    router = PagedRouter(
        change=lambda _account, page: replace(page, next_cursor="7", has_more=True)
    )
    folder = prepared(tmp_path, accounts(1), PLAN)

    await run_job(folder, router)

    assert ["CURSOR_STUCK"] == list(report(folder).failures["code"])


async def test_a_cursor_that_is_refused_is_begun_anew(tmp_path: Path) -> None:
    """A cursor too old to be continued costs its pages, not the account."""
    router = PagedRouter(
        pages=2, trouble=lambda _account, time: failing(ErrorType.VALIDATION) if time == 2 else None
    )
    folder = prepared(tmp_path, accounts(1), PLAN)

    await run_job(folder, router)

    assert 1 == report(folder).done
    assert 4 == len(read_transactions(tmp_path))


async def test_amounts_that_no_column_holds_are_told_and_nothing_of_the_page_is_kept(
    tmp_path: Path,
) -> None:
    """One account fails with its reason; the others are there."""

    def change(account: str, page: TransactionsData) -> TransactionsData:
        if account != "acc_0":
            return page
        return replace(page, transactions=(transaction(account, 0, amount=Decimal("1e30")),))

    folder = prepared(tmp_path, accounts(2), PLAN)

    await run_job(folder, PagedRouter(change=change))

    assert ["NOT_STORABLE"] == list(report(folder).failures["code"])
    assert {"acc_1"} == set(read_transactions(tmp_path)["accountId"])


async def test_what_a_provider_was_still_gathering_is_asked_for_by_the_next_run(
    tmp_path: Path,
) -> None:
    """Stale data are kept and counted; a further run reads them again, once they are whole."""
    stale = True
    router = PagedRouter(change=lambda _account, page: replace(page, stale=stale))
    folder = prepared(tmp_path, accounts(3), PLAN)
    await run_job(folder, router)
    first = report(folder)
    stale = False

    prepared(tmp_path, accounts(3), PLAN)
    await run_job(folder, router)
    second = report(folder)

    assert (3, 3) == (first.done, first.stale)
    assert (3, 0, 0) == (second.done, second.stale, second.skipped)
    assert 6 == len(read_transactions(tmp_path))


async def test_a_paused_job_stops_and_goes_on_where_it_was(tmp_path: Path) -> None:
    """What is under way is ended; the rest waits for the resume."""
    clock = SteppedClock(running=False)
    folder = prepared(tmp_path, accounts(500), replace(PLAN, max_in_flight=4))
    router = PagedRouter(takes_s=1.0, clock=clock)

    def trouble(_account: str, _time: int) -> None:
        if 50 <= len(router.asked) <= 54:
            want(tmp_path, "job", JobState.PAUSED)

    router.trouble = trouble
    paused = await run_job(folder, router, clock)
    stopped_at = standing(folder)
    want(tmp_path, "job", JobState.RUNNING)
    ended = await run_job(folder, router, clock)

    assert JobState.PAUSED is paused
    assert 50 <= stopped_at.done < 500
    assert JobState.DONE is ended
    assert 500 == report(folder).done == len(router.asked)


async def test_a_cancelled_job_stops_for_good_until_its_input_is_given_again(
    tmp_path: Path,
) -> None:
    """A cancelled job cannot be resumed, but run again."""
    folder = prepared(tmp_path, accounts(20), PLAN)
    want(tmp_path, "job", JobState.CANCELLED)

    assert None is await run_job(folder, PagedRouter())
    with pytest.raises(BackfillRefused, match="cancelled"):
        want(tmp_path, "job", JobState.RUNNING)
    prepared(tmp_path, accounts(20), PLAN)
    await run_job(folder, PagedRouter())
    assert 20 == report(folder).done


async def test_a_job_is_run_by_one_process_at_a_time(tmp_path: Path) -> None:
    """Whoever comes second is told, and touches nothing."""
    folder = prepared(tmp_path, accounts(2), PLAN)
    router = PagedRouter()

    with held(folder, RUNNING):
        state = await run_job(folder, router)

    assert None is state
    assert [] == router.asked


async def test_a_full_disk_ends_the_run_and_the_next_one_goes_on(tmp_path: Path) -> None:
    """The job says what is wrong; what was committed is there, and the rest is done afterwards."""
    folder = prepared(tmp_path, accounts(20), PLAN)
    place = tmp_path / "transactions"
    place.mkdir()
    in_the_way = place / "month=2026-01"
    in_the_way.write_text("a file where a folder must be")

    failed = await run_job(folder, PagedRouter())
    told = standing(folder)
    in_the_way.unlink()
    prepared(tmp_path, accounts(20), PLAN)
    await run_job(folder, PagedRouter())

    assert JobState.FAILED is failed
    assert "FileExistsError" in (told.problem or "")
    assert JobState.DONE is standing(folder).state
    assert 40 == len(read_transactions(tmp_path))


async def test_removed_and_replaced_rows_are_gone_from_what_is_read(tmp_path: Path) -> None:
    """What a later page removes, or tells under another id, is not read any more."""

    def change(account: str, page: TransactionsData) -> TransactionsData:
        if page.has_more:
            return page
        posted = transaction(account, 9, replaces_transaction_id=f"txn_{account}_1")
        return replace(page, transactions=(posted,), removed=(f"txn_{account}_0",))

    folder = prepared(tmp_path, accounts(1), PLAN)

    await run_job(folder, PagedRouter(pages=2, change=change))

    assert ["txn_acc_0_9"] == list(read_transactions(tmp_path)["transactionId"])


async def test_a_row_read_again_by_another_job_is_there_once_in_its_new_month(
    tmp_path: Path,
) -> None:
    """A pending row that posts in the next month leaves the month before, in the files, too."""
    clock = SteppedClock(running=False)
    await run_job(prepared(tmp_path, accounts(2), PLAN), PagedRouter(), clock)

    def change(account: str, page: TransactionsData) -> TransactionsData:
        moved = transaction(account, 0, date=dt.date(2026, 7, 1), description="POSTED")
        return replace(page, transactions=(moved, *page.transactions[1:]))

    again = replace(PLAN, job_id="again")
    await run_job(prepared(tmp_path, accounts(2), again), PagedRouter(change=change), clock)
    frame = read_transactions(tmp_path, "select * from transactions where description = 'POSTED'")

    assert ["2026-07", "2026-07"] == list(frame["month"])
    assert 4 == len(read_transactions(tmp_path))
    assert 4 == _rows_in_files(tmp_path)


def _rows_in_files(data_dir: Path) -> int:
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(path).num_rows for path in row_files(data_dir / "transactions"))


def test_no_transactions_can_be_read_before_any_job(tmp_path: Path) -> None:
    """An empty frame with its columns."""
    frame = read_transactions(tmp_path)

    assert frame.empty
    assert {"transactionId", "amount", "month"} <= set(frame.columns)


async def test_jobs_are_listed_the_latest_first(tmp_path: Path) -> None:
    """Two jobs, one of them not begun yet."""
    clock = SteppedClock(running=False)
    await run_job(prepared(tmp_path, accounts(1), PLAN), PagedRouter(), clock)
    clock.jump(60)
    await run_job(
        prepared(tmp_path, accounts(1), replace(PLAN, job_id="two")), PagedRouter(), clock
    )

    assert [("two", "done"), ("job", "done")] == [(j.job_id, j.state.value) for j in jobs(tmp_path)]
    assert () == jobs(tmp_path / "elsewhere")
    with pytest.raises(BackfillRefused, match="no job"):
        job_folder(tmp_path, "none")


async def test_a_running_job_tells_how_fast_it_goes_and_what_it_waits_for(tmp_path: Path) -> None:
    """While limits refuse everything, all that waits is told, and for how long."""
    folder = prepared(tmp_path, accounts(5), PLAN)
    seen = []

    def trouble(_account: str, time: int) -> object:
        if time > 1:
            seen.append(standing(folder))
            return None
        return failing(ErrorType.RATE_LIMIT, 5.0)

    await run_job(folder, PagedRouter(trouble=trouble))  # type: ignore[arg-type]

    assert seen[0].alive
    assert 5 == seen[0].waiting_on_limits
    assert 0.0 == seen[0].rate_per_s
    assert not standing(folder).alive
