"""What a backfill job is asked to do, and the names that its parts have on disk."""

import datetime as dt
import json
import re
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from orchestrator.domain import Operation, OrchestratorError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "INPUT_FILE",
    "JOBS_FOLDER",
    "LEDGER_FILE",
    "LOCK_FILE",
    "REJECTED_FILE",
    "BackfillPlan",
    "BackfillRefused",
    "JobState",
    "check_job_id",
    "jobs_folder",
]

JOBS_FOLDER: Final = "backfills"
INPUT_FILE: Final = "items.parquet"
REJECTED_FILE: Final = "rejected.parquet"
LEDGER_FILE: Final = "ledger.sqlite"
LOCK_FILE: Final = "lock"
_JOB_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}")
_LONGEST_DEADLINE_MS: Final = 600_000
_MOST_IN_FLIGHT: Final = 2000


class BackfillRefused(OrchestratorError):
    """A job that cannot be started as asked; the message says what is wrong, nothing was begun.

    `rows` tells the wrong rows one by one where rows are what is wrong: columns `row` (from 1) and
    `problem`, the first thousand of them.
    """

    def __init__(self, message: str, rows: "pd.DataFrame | None" = None) -> None:
        super().__init__(message, rows)
        self.rows = rows

    def __str__(self) -> str:
        return str(self.args[0])


class JobState(StrEnum):
    """Where a job stands. `failed` means the job itself: items that failed are in its report."""

    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    DONE = "done"
    FAILED = "failed"


def check_job_id(job_id: str) -> None:
    """Refuse what cannot be a folder's name.

    Raises:
        BackfillRefused: it is not 1 to 64 letters, digits, dots, dashes or underscores.

    """
    if not _JOB_ID.fullmatch(job_id):
        raise BackfillRefused("job_id must be 1 to 64 letters, digits, dots, dashes or underscores")


def jobs_folder(data_dir: Path) -> Path:
    """Where every job has a folder of its own."""
    return data_dir / JOBS_FOLDER


def _is_day(text: str) -> bool:
    try:
        return dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class BackfillPlan:
    """How a job's items are asked for.

    `start_date` and `end_date` (ISO 8601) hold for the items that name none. `deadline_ms` bounds
    each operation of an item that names none; an item of several pages is several operations.
    `max_tries` bounds the operations of an item that reached a provider and failed retryably;
    `max_wait_s` bounds how long it may wait for limits and open circuits before the same.
    """

    job_id: str
    operation: Operation = Operation.SYNC_TRANSACTIONS
    region: str = "US"
    start_date: str | None = None
    end_date: str | None = None
    max_in_flight: int = 200
    deadline_ms: int = 60_000
    max_tries: int = 5
    max_wait_s: float = 21_600.0

    def check(self) -> None:
        """Refuse what no job could do.

        Raises:
            BackfillRefused: names the argument and its range.

        """
        if self.job_id:
            check_job_id(self.job_id)
        if not self.operation.reads_data:
            raise BackfillRefused("operation must be getAccounts or syncTransactions")
        if not 1 <= self.max_in_flight <= _MOST_IN_FLIGHT:
            raise BackfillRefused(f"max_in_flight must be 1 to {_MOST_IN_FLIGHT}")
        if not 100 <= self.deadline_ms <= _LONGEST_DEADLINE_MS:
            raise BackfillRefused("deadline_ms must be 100 to 600000")
        if self.max_tries < 1:
            raise BackfillRefused("max_tries must be at least 1")
        if self.max_wait_s < 0:
            raise BackfillRefused("max_wait_s must not be negative")
        self._check_days()
        if self.operation is not Operation.SYNC_TRANSACTIONS and (self.start_date or self.end_date):
            raise BackfillRefused("start_date and end_date are of use to syncTransactions only")

    def _check_days(self) -> None:
        for name, day in (("start_date", self.start_date), ("end_date", self.end_date)):
            if day is not None and not _is_day(day):
                raise BackfillRefused(f"{name} is not a date as YYYY-MM-DD")
        if self.start_date and self.end_date and self.end_date < self.start_date:
            raise BackfillRefused("end_date is before start_date")

    def asks_alike(self, other: "BackfillPlan") -> bool:
        """Whether both would ask the same of the same items."""
        return (self.operation, self.region, self.start_date, self.end_date) == (
            other.operation,
            other.region,
            other.start_date,
            other.end_date,
        )

    def to_json(self) -> str:
        """For the ledger."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Out of the ledger."""
        told = json.loads(text)
        return cls(**{**told, "operation": Operation(told["operation"])})
