"""How jobs stand, read from their folders: with the job's process or without it."""

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from orchestrator.domain import Json, StoreError, from_unix, rfc3339

from .ledger import Ledger
from .places import is_running
from .plan import (
    LEDGER_FILE,
    BackfillRefused,
    JobState,
    check_job_id,
    jobs_folder,
)

__all__ = ["JobStanding", "job_folder", "jobs", "standing"]


@dataclass(frozen=True, slots=True)
class JobStanding:
    """Where a job stands and how fast it goes.

    `state` is where it is, `wanted` where somebody wants it: a job that is being paused is still
    `running`. `alive` says whether a process is at it. Counts are of the run that is under way or
    was last; `skipped` items were done before it. `rate_per_s`, `time_left_s`, `in_flight`,
    `waiting` (for their next try) and `waiting_on_limits` (of these, because of limits) are of the
    last half second, and None or 0 when nothing runs.
    """

    job_id: str
    operation: str
    region: str
    state: JobState
    wanted: JobState
    alive: bool
    total: int
    done: int
    failed: int
    skipped: int
    stale: int
    duplicates: int
    attempts: int
    rows: int
    providers: Mapping[str, int]
    in_flight: int = 0
    window: int = 0
    waiting: int = 0
    waiting_on_limits: int = 0
    rate_per_s: float | None = None
    time_left_s: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    problem: str | None = None

    @property
    def left(self) -> int:
        """Items that have not ended in this run."""
        return self.total - self.done - self.failed - self.skipped

    def to_wire(self) -> dict[str, Json]:
        """As in `/admin/stats`."""
        return {
            "jobId": self.job_id,
            "operation": self.operation,
            "region": self.region,
            "state": self.state.value,
            "alive": self.alive,
            "total": self.total,
            "done": self.done,
            "failed": self.failed,
            "skipped": self.skipped,
            "attempts": self.attempts,
            "rows": self.rows,
            "providers": dict(self.providers),
            "inFlight": self.in_flight,
            "waiting": self.waiting,
            "waitingOnLimits": self.waiting_on_limits,
            "ratePerS": self.rate_per_s,
            "timeLeftS": self.time_left_s,
            "startedAt": _time(self.started_at),
            "endedAt": _time(self.ended_at),
            "problem": self.problem,
        }


def _time(unix_s: float | None) -> str | None:
    return None if unix_s is None else rfc3339(from_unix(unix_s))


def job_folder(data_dir: Path, job_id: str) -> Path:
    """An existing job's folder.

    Raises:
        BackfillRefused: there is no such job.

    """
    check_job_id(job_id)
    folder = jobs_folder(data_dir) / job_id
    if not (folder / LEDGER_FILE).exists():
        raise BackfillRefused(f"there is no job {job_id!r}")
    return folder


def standing(folder: Path) -> JobStanding:
    """How the job in this folder stands.

    Raises:
        StoreError: its ledger cannot be read.

    """
    with closing(Ledger(folder)) as ledger:
        plan, tally = ledger.plan(), ledger.tally()
        state, wanted, told = ledger.state(), ledger.wanted(), ledger.fact("live")
        started, ended = ledger.fact("started_at"), ledger.fact("ended_at")
        alive = is_running(folder)
        live = json.loads(told) if told is not None and alive else {}
        return JobStanding(
            job_id=plan.job_id,
            operation=plan.operation.value,
            region=plan.region,
            state=state,
            wanted=wanted,
            alive=alive,
            total=ledger.total() + ledger.rejected(),
            done=tally.done,
            failed=tally.failed + ledger.rejected(),
            skipped=tally.skipped,
            stale=tally.stale,
            duplicates=ledger.duplicates(),
            attempts=tally.attempts,
            rows=tally.rows,
            providers=tally.providers,
            in_flight=live.get("inFlight", 0),
            window=live.get("window", 0),
            waiting=live.get("waiting", 0),
            waiting_on_limits=live.get("waitingOnLimits", 0),
            rate_per_s=live.get("ratePerS"),
            time_left_s=live.get("timeLeftS"),
            started_at=None if started is None else float(started),
            ended_at=None if ended is None else float(ended),
            problem=ledger.fact("problem"),
        )


def jobs(data_dir: Path) -> tuple[JobStanding, ...]:
    """Every job of an installation, the latest started first."""
    folder = jobs_folder(data_dir)
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.name.startswith(".") or not (path / LEDGER_FILE).exists():
            continue
        try:
            found.append(standing(path))
        except StoreError:
            # A damaged job must not hide the others; its own status says what is wrong.
            continue
    return tuple(sorted(found, key=lambda job: job.started_at or 0.0, reverse=True))
