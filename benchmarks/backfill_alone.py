"""A backfill job over a router in its own process: `python -m benchmarks.backfill_alone STEP FOLDER N`.

`prepare` makes the job, as a notebook does, and `run` runs it, as its actor does. Each prints, as
JSON, what it took: items a second, and the peak memory of its process in MB.
"""

import argparse
import asyncio
import datetime as dt
import json
import resource
import sys
import time
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from orchestrator.backfill import (
    BackfillPlan,
    BackfillRun,
    MergeApart,
    OpenItem,
    job_folder,
    prepare,
    standing,
)
from orchestrator.domain import (
    AttemptSummary,
    DecisionSummary,
    Direction,
    Lane,
    OperationRequest,
    OperationResult,
    SystemClock,
    Transaction,
    TransactionsData,
)
from orchestrator.domain.params import SyncTransactionsParams

__all__ = ["main"]

_SLICE: Final = 50_000
_JOB: Final = "benchmark"


def _write_input(path: Path, items: int) -> None:
    schema = pa.schema([("spaceId", pa.string()), ("accountId", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for begin in range(0, items, _SLICE):
            numbers = range(begin, min(items, begin + _SLICE))
            spaces = [f"space_{number // 3}" for number in numbers]
            accounts = [f"acc_{number}" for number in numbers]
            writer.write_table(pa.table([spaces, accounts], schema=schema))


def _request_of(plan: BackfillPlan, open_item: OpenItem) -> OperationRequest:
    return OperationRequest(
        request_id="req_benchmark",
        operation=plan.operation,
        params=SyncTransactionsParams.model_construct(
            space_id=open_item.item.space_id, account_id=open_item.item.account_id
        ),
        region=plan.region,
        lane=Lane.BACKFILL,
        job_id=plan.job_id,
    )


async def _execute(request: OperationRequest) -> OperationResult:
    await asyncio.sleep(0)
    account_id = str(getattr(request.params, "account_id", ""))
    number = int(account_id.removeprefix("acc_"))
    row = Transaction(
        transaction_id=f"txn_{number}",
        account_id=account_id,
        provider="plaid",
        provider_transaction_id=str(number),
        date=dt.date(2026, 1 + number % 12, 1 + number % 28),
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
    return OperationResult(
        success=True,
        request_id=request.request_id,
        operation=request.operation,
        provider="plaid",
        failover_used=False,
        data=TransactionsData((row,), (), None, has_more=False, stale=False),
        error=None,
        attempts=(AttemptSummary("benchmark", 1, "plaid", "success", None, None, 1.0, 0.0),),
        decision=DecisionSummary("priority", None, ()),
    )


def _prepare(data_dir: Path, items: int) -> None:
    _write_input(data_dir / "input.parquet", items)
    plan = BackfillPlan(_JOB)
    prepare(data_dir, data_dir / "input.parquet", plan, providers=frozenset())


def _run(data_dir: Path) -> None:
    folder = job_folder(data_dir, _JOB)
    run = BackfillRun(
        folder, _execute, _request_of, SystemClock(), rng=Random(0), merging=MergeApart
    )
    asyncio.run(run.run())


def main() -> int:
    """Measure once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=("prepare", "run"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("items", type=int)
    given = parser.parse_args()
    began = time.perf_counter()
    if given.step == "prepare":
        _prepare(given.folder, given.items)
    else:
        _run(given.folder)
    took_s = time.perf_counter() - began
    told = {
        "done": standing(job_folder(given.folder, _JOB)).done,
        "perS": given.items / took_s,
        "peakMb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
