"""Files merged at a job's end: in another process, and without what is no longer true."""

import subprocess
from dataclasses import replace
from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest

from orchestrator.backfill import (
    BackfillPlan,
    BackfillRun,
    JobState,
    compact_apart,
    job_folder,
    read_transactions,
    standing,
)
from orchestrator.backfill.chunk import Chunk, Tally
from orchestrator.backfill.ledger import Ledger
from orchestrator.backfill.places import held, removed_files, row_files
from orchestrator.backfill.publishing import COMPACTING
from orchestrator.backfill.rows import DATASETS, Page, rows_bytes, table_of
from orchestrator.domain import Operation, StoreError, TransactionsData
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
        merge=compact_apart,
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

    with pytest.raises(StoreError, match=r"merging transactions ended with 1: (.|\n)*torn"):
        compact_apart(TRANSACTIONS, tmp_path / "transactions", folder)


async def test_a_merging_process_ends_with_whoever_has_started_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It leaves no process and no lock behind."""
    await run_job(prepared(tmp_path, accounts(1), PLAN), PagedRouter())
    begun: list[subprocess.Popen[bytes]] = []

    class Orphaned(subprocess.Popen):  # type: ignore[type-arg]
        """One whose parent dies as soon as it is there."""

        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)  # type: ignore[call-overload]
            assert self.stdin is not None
            self.stdin.close()
            begun.append(self)

    monkeypatch.setattr(subprocess, "Popen", Orphaned)
    with (
        held(tmp_path / "transactions", COMPACTING),
        pytest.raises(StoreError, match="ended with 1"),
    ):
        compact_apart(TRANSACTIONS, tmp_path / "transactions", job_folder(tmp_path, "job"))

    assert [1] == [process.wait(30) for process in begun]
