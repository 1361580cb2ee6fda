"""Files merged at a job's end: in another process, and without what is no longer true."""

import asyncio
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest

from orchestrator.backfill import (
    BackfillPlan,
    BackfillRun,
    JobState,
    MergeApart,
    job_folder,
    read_transactions,
    standing,
    want,
)
from orchestrator.backfill.chunk import Chunk, Tally
from orchestrator.backfill.ledger import Ledger
from orchestrator.backfill.places import held, removed_files, row_files
from orchestrator.backfill.publishing import COMPACTING
from orchestrator.backfill.rows import DATASETS, Page, rows_bytes, table_of
from orchestrator.domain import (
    Operation,
    OperationRequest,
    OperationResult,
    StoreError,
    TransactionsData,
)
from tests.support.backfill_router import (
    PagedRouter,
    accounts,
    prepared,
    request_of,
    run_job,
    transaction,
)
from tests.support.clock import SteppedClock

PLAN = BackfillPlan("job")
TRANSACTIONS = DATASETS[Operation.SYNC_TRANSACTIONS]
GONE = "txn_acc_0_0"


def without_the_first(account: str, page: TransactionsData) -> TransactionsData:
    """The vendor took the account's first row back."""
    return replace(page, transactions=page.transactions[1:], removed=(f"txn_{account}_0",))


def hold_unpublished(folder: Path, read_at: float) -> None:
    """Leave a row in the ledger of a job that was cut off while it was being paused."""
    page = Page(
        "space_0",
        read_at,
        TransactionsData((transaction("acc_0", 0),), (), None, has_more=False, stale=False),
    )
    rows, gone = table_of(TRANSACTIONS, folder.name, [page])
    ledger = Ledger(folder)
    tally = ledger.begin(read_at)
    ledger.commit(
        Chunk(rows=1, records=rows_bytes(rows), removed=rows_bytes(gone)), tally or Tally(), "{}"
    )
    ledger.note(wanted=JobState.PAUSED)
    ledger.close()


def written(data_dir: Path) -> set[str]:
    """Every id in the files themselves."""
    tables = [pq.read_table(path) for path in row_files(data_dir / "transactions")]
    return {one for table in tables for one in table["transactionId"].to_pylist()}


async def test_ids_that_are_no_longer_true_are_forgotten_once_their_rows_are_gone(
    tmp_path: Path,
) -> None:
    """So that they do not pile up over the years."""
    clock = SteppedClock(running=False)
    await run_job(prepared(tmp_path, accounts(1), PLAN), PagedRouter(), clock)
    before = written(tmp_path)
    again = replace(PLAN, job_id="again")
    await run_job(
        prepared(tmp_path, accounts(1), again), PagedRouter(change=without_the_first), clock
    )

    assert GONE in before
    assert {"txn_acc_0_1"} == written(tmp_path) == set(read_transactions(tmp_path)["transactionId"])
    assert [] == removed_files(tmp_path / "transactions")


async def test_they_are_kept_while_another_job_holds_rows_that_were_read_before(
    tmp_path: Path,
) -> None:
    """Else such a row would come back when that job publishes it."""
    clock = SteppedClock(running=False)
    old = prepared(tmp_path, accounts(1), replace(PLAN, job_id="old"))
    hold_unpublished(old, clock.unix_s())
    clock.jump(60)
    await run_job(
        prepared(tmp_path, accounts(1), PLAN), PagedRouter(change=without_the_first), clock
    )
    kept = removed_files(tmp_path / "transactions")

    await run_job(old, PagedRouter(), clock)
    read = set(read_transactions(tmp_path)["transactionId"])
    await run_job(
        prepared(tmp_path, accounts(1).assign(accountId="acc_9"), replace(PLAN, job_id="last")),
        PagedRouter(),
        clock,
    )

    assert 1 == len(kept)
    assert JobState.PAUSED is standing(old).state
    assert {"txn_acc_0_1"} == read
    assert GONE not in written(tmp_path)
    assert [] == removed_files(tmp_path / "transactions")


async def test_a_job_that_cannot_be_read_keeps_them_too(tmp_path: Path) -> None:
    """What it holds is not known."""
    broken = prepared(tmp_path, accounts(1), replace(PLAN, job_id="broken"))
    for path in broken.glob("ledger.sqlite*"):
        path.write_bytes(b"no database")
    await run_job(prepared(tmp_path, accounts(1), PLAN), PagedRouter(change=without_the_first))

    assert 1 == len(removed_files(tmp_path / "transactions"))


async def test_another_process_merges_as_this_one_would(tmp_path: Path) -> None:
    """One file a month, each row once."""
    folder = prepared(tmp_path, accounts(30), PLAN)
    router = PagedRouter(pages=2)
    run = BackfillRun(
        folder,
        router.execute,
        request_of,
        SteppedClock(),
        rng=Random(1),
        merging=MergeApart,
        publish_every_s=0.0,
    )

    state = await run.run()
    files = row_files(tmp_path / "transactions")

    assert JobState.DONE is state
    assert 120 == len(written(tmp_path)) == len(read_transactions(tmp_path))
    assert len(files) == len({path.parent for path in files})


def test_a_merge_that_fails_in_its_process_is_told(tmp_path: Path) -> None:
    """With what it said."""
    place = tmp_path / "transactions" / "month=2026-01"
    place.mkdir(parents=True)
    (place / "torn.parquet").write_bytes(b"PAR1 no")
    folder = tmp_path / "backfills" / "job"
    folder.mkdir(parents=True)

    with (
        closing(MergeApart(TRANSACTIONS, tmp_path / "transactions", folder)) as merge,
        pytest.raises(StoreError, match=r"merging transactions ended with 1: (.|\n)*torn"),
    ):
        merge.merge()


@pytest.mark.parametrize("told", [False, True])
async def test_a_merging_process_ends_with_whoever_has_started_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, told: bool
) -> None:
    """It leaves no process and no lock behind, whether its time had come or not."""
    await run_job(prepared(tmp_path, accounts(1), PLAN), PagedRouter())
    begun: list[subprocess.Popen[bytes]] = []

    class Orphaned(subprocess.Popen):  # type: ignore[type-arg]
        """One whose parent dies as soon as it is there, or has told it to merge."""

        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)  # type: ignore[call-overload]
            assert self.stdin is not None
            if told:
                self.stdin.write(b"\n")
            self.stdin.close()
            begun.append(self)

    monkeypatch.setattr(subprocess, "Popen", Orphaned)
    with held(tmp_path / "transactions", COMPACTING):
        merge = MergeApart(TRANSACTIONS, tmp_path / "transactions", job_folder(tmp_path, "job"))
        assert [1] == [process.wait(30) for process in begun]
        merge.close()


async def test_a_merge_that_is_not_wanted_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a job that is paused or cut off while its last items are under way, say."""
    await run_job(prepared(tmp_path, accounts(1), PLAN), PagedRouter())
    begun: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen):  # type: ignore[type-arg]
        """Remembered."""

        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)  # type: ignore[call-overload]
            begun.append(self)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    before = written(tmp_path)
    MergeApart(TRANSACTIONS, tmp_path / "transactions", job_folder(tmp_path, "job")).close()

    assert 1 == len(begun)
    assert begun[0].poll() is not None
    assert before == written(tmp_path)


class NotedMerge:
    """Notes what is asked of it; answers of a router may wait until it is made.

    Args:
        making: is called when it is made.

    """

    def __init__(self, making: Callable[[], object] = lambda: None) -> None:
        self.told: list[str] = []
        self._making = making
        self._made = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def __call__(self, *_of: object) -> "NotedMerge":
        """Make it."""
        self.told.append("made")
        self._making()
        self._loop.call_soon_threadsafe(self._made.set)
        return self

    def merge(self) -> None:
        """Note."""
        self.told.append("merged")

    def close(self) -> None:
        """Note."""
        self.told.append("closed")

    async def run(self, folder: Path, router: PagedRouter, *, at_once: int = 0) -> JobState | None:
        """Run a job whose items behind the first `at_once` are answered once this is made."""

        async def execute(request: OperationRequest) -> OperationResult:
            result = await router.execute(request)
            if len(router.asked) > at_once:
                await self._made.wait()
            return result

        run = BackfillRun(folder, execute, request_of, SteppedClock(), rng=Random(1), merging=self)
        async with asyncio.timeout(30):
            return await run.run()


@pytest.mark.parametrize(("items", "at_once"), [(10, 0), (100, 60)])
async def test_a_merge_is_made_ready_before_the_last_items_end(
    tmp_path: Path, items: int, at_once: int
) -> None:
    """When all are under way, or as many are left as end in a moment; then it is done, and let go of."""
    merge = NotedMerge()
    plan = replace(PLAN, max_in_flight=12)
    folder = prepared(tmp_path, accounts(items), plan)
    state = await merge.run(folder, PagedRouter(), at_once=at_once)

    assert JobState.DONE is state
    assert ["made", "merged", "closed"] == merge.told


async def test_a_paused_job_merges_nothing(tmp_path: Path) -> None:
    """What was made ready for it is let go of."""
    merge = NotedMerge(lambda: want(tmp_path, PLAN.job_id, JobState.PAUSED))
    state = await merge.run(prepared(tmp_path, accounts(10), PLAN), PagedRouter())

    assert JobState.PAUSED is state
    assert ["made", "closed"] == merge.told
