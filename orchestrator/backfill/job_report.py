"""What became of every item of a job."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow.parquet as pq

from .job_standing import standing
from .ledger import Ledger
from .plan import REJECTED_FILE, JobState

__all__ = ["BackfillReport", "report"]

_FAILURE_COLUMNS: Final = (
    "row",
    "spaceId",
    "accountId",
    "institutionId",
    "connectionId",
    "type",
    "code",
    "message",
    "retryable",
    "userAction",
    "attempts",
)


@dataclass(frozen=True, slots=True)
class BackfillReport:
    """How a run ended: every item is done, failed, or skipped as it was done before.

    `failures` has a row for each item that is not done, with the reason; `row` is the input's, from
    1. `stale` counts those among the done whose provider was still gathering data: the next run
    asks for them again. `duplicates` counts rows of the input that repeat an item. `transactions`
    counts the rows read (accounts, where those were asked for), `attempts` the attempts at
    providers, `providers` the items that each one answered.
    """

    job_id: str
    state: JobState
    done: int
    failed: int
    skipped: int
    stale: int
    duplicates: int
    attempts: int
    transactions: int
    providers: Mapping[str, int]
    failures: pd.DataFrame
    folder: Path


def report(folder: Path) -> BackfillReport:
    """How the job's latest run ended, or stands.

    Raises:
        StoreError: its ledger cannot be read.

    """
    stands = standing(folder)
    with closing(Ledger(folder)) as ledger:
        rows = ledger.failures()
    failures = pd.DataFrame(rows, columns=list(_FAILURE_COLUMNS))
    failures["retryable"] = failures["retryable"].astype(bool)
    rejected = folder / REJECTED_FILE
    if rejected.exists():
        failures = pd.concat([_rejected(rejected), failures], ignore_index=True)
    return BackfillReport(
        job_id=stands.job_id,
        state=stands.state,
        done=stands.done,
        failed=stands.failed,
        skipped=stands.skipped,
        stale=stands.stale,
        duplicates=stands.duplicates,
        attempts=stands.attempts,
        transactions=stands.rows,
        providers=stands.providers,
        failures=failures.sort_values("row", ignore_index=True),
        folder=folder,
    )


def _rejected(path: Path) -> pd.DataFrame:
    frame: pd.DataFrame = pq.read_table(path).to_pandas()
    frame = frame.rename(columns={"problem": "message"})
    return frame.assign(
        type="validation", code="INVALID_ROW", retryable=False, userAction=None, attempts=0
    )[list(_FAILURE_COLUMNS)]
