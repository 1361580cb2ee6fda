"""Starting, watching and steering backfill jobs, for whoever has joined a system.

A job's folder says all there is to know of it. What is wanted of it is written there, too, so that
it outlives whoever wanted it; only its actor has to be made.
"""

import asyncio
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypedDict, Unpack

from orchestrator.domain import NotRunning, StoreError
from orchestrator.intake import DEFAULT_REGION, operation_named
from orchestrator.provider_registry import REGISTRY

if TYPE_CHECKING:
    from orchestrator.backfill import BackfillPlan, BackfillReport, BadRows, JobStanding, Source

__all__ = ["BackfillJobs", "BackfillOptions"]

_LOOK_EVERY_S: Final = 0.25
_MISSED_AFTER_S: Final = 10.0
"""How long a job may be without a process before another actor is asked for."""
_GIVE_UP_AFTER_S: Final = 180.0

_MAX_IN_FLIGHT: Final = 200
_DEADLINE_MS: Final = 60_000
_MAX_TRIES: Final = 5
_MAX_WAIT_S: Final = 21_600.0


class BackfillOptions(TypedDict, total=False):
    """Options of a backfill.

    `operation` is `syncTransactions` (default) or `getAccounts`. `job_id` names the job: the same
    one resumes; left out, it is named after its input, so that the same input resumes. `region`
    (default `US`) must be one that is served. `start_date` and `end_date` hold for items that name
    none. `max_in_flight` (default 200) bounds the operations under way at once. `deadline_ms`
    (default 60000) bounds each operation of an item that names none. `max_tries` (default 5) bounds
    the tries of an item that fails retryably, `max_wait_s` (default six hours) how long it may wait
    for limits. `bad_rows` says what becomes of rows that cannot be asked for: `refuse` (default)
    refuses the job, `report` lets them fail in its report. `progress` shows a bar. `wait` (default
    True) returns once the job is over; else at once, with the report as it stands.
    """

    operation: str
    job_id: str | None
    region: str
    start_date: str | dt.date | None
    end_date: str | dt.date | None
    max_in_flight: int
    deadline_ms: int
    max_tries: int
    max_wait_s: float
    bad_rows: "BadRows"
    progress: bool
    wait: bool


class BackfillJobs:
    """The jobs of an installation.

    Args:
        data_dir: of the installation.
        regions: those that are served.
        start: makes a job's actor, where there is none.

    """

    def __init__(
        self, data_dir: Path, regions: frozenset[str], start: Callable[[str], object]
    ) -> None:
        self._data_dir = data_dir
        self._regions = regions
        self._start = start

    async def run(self, source: "Source", **options: Unpack[BackfillOptions]) -> "BackfillReport":
        """Start or resume a job; see `Orchestrator.backfill`."""
        from orchestrator.backfill import prepare, report  # noqa: PLC0415  heavy, and only for this

        plan = self._plan(options)
        folder = await asyncio.to_thread(
            prepare,
            self._data_dir,
            source,
            plan,
            providers=frozenset(REGISTRY),
            bad_rows=options.get("bad_rows", "refuse"),
        )
        await asyncio.to_thread(self._start, folder.name)
        if options.get("wait", True):
            await self.watch(folder.name, progress=options.get("progress", True))
        return await asyncio.to_thread(report, folder)

    async def watch(self, job_id: str, *, progress: bool = True) -> "JobStanding":
        """Wait until no process is at the job any more, because it is over or paused.

        Raises:
            BackfillRefused: there is no such job.
            StoreError: the job failed, say because the disk is full; says why.
            NotRunning: its actor cannot be started.

        """
        from orchestrator.backfill import JobState, job_folder, standing  # noqa: PLC0415  as above
        from orchestrator.backfill.progress import progress_bar  # noqa: PLC0415  as above

        folder = job_folder(self._data_dir, job_id)
        loop = asyncio.get_running_loop()
        seen = asked = loop.time()
        with progress_bar(shown=progress) as bar:
            while True:
                job = await asyncio.to_thread(standing, folder)
                bar.show(job)
                now = loop.time()
                if job.alive:
                    seen = asked = now
                elif job.state is JobState.FAILED:
                    raise StoreError(f"job {job_id!r} failed and can be resumed: {job.problem}")
                elif job.state is not JobState.RUNNING:
                    return job
                elif now - seen > _GIVE_UP_AFTER_S:
                    raise NotRunning(f"the actor of job {job_id!r} does not start: see its log")
                elif now - asked > _MISSED_AFTER_S:
                    asked = now
                    await asyncio.to_thread(self._start, job_id)
                await asyncio.sleep(_LOOK_EVERY_S)

    def status(self, job_id: str) -> "JobStanding":
        """How a job stands.

        Raises:
            BackfillRefused: there is no such job.

        """
        from orchestrator.backfill import job_folder, standing  # noqa: PLC0415  as above

        return standing(job_folder(self._data_dir, job_id))

    def all(self) -> "tuple[JobStanding, ...]":
        """Every job, the latest started first."""
        from orchestrator.backfill import jobs  # noqa: PLC0415  as above

        return jobs(self._data_dir)

    def pause(self, job_id: str) -> "JobStanding":
        """Have a job end what is under way and stop there.

        Raises:
            BackfillRefused: there is no such job, or it is over.

        """
        from orchestrator.backfill import JobState, want  # noqa: PLC0415  as above

        return want(self._data_dir, job_id, JobState.PAUSED)

    def cancel(self, job_id: str) -> "JobStanding":
        """Have a job end what is under way and stop for good; what it has read stays.

        Raises:
            BackfillRefused: there is no such job, or it is over.

        """
        from orchestrator.backfill import JobState, want  # noqa: PLC0415  as above

        return want(self._data_dir, job_id, JobState.CANCELLED)

    def resume(self, job_id: str) -> "JobStanding":
        """Have a paused, failed or cut off job go on where it is.

        Raises:
            BackfillRefused: there is no such job, or it is over.

        """
        from orchestrator.backfill import JobState, want  # noqa: PLC0415  as above

        standing = want(self._data_dir, job_id, JobState.RUNNING)
        self._start(job_id)
        return standing

    def _plan(self, options: BackfillOptions) -> "BackfillPlan":
        from orchestrator.backfill import BackfillPlan, BackfillRefused  # noqa: PLC0415  as above

        region = options.get("region", DEFAULT_REGION)
        if region not in self._regions:
            raise BackfillRefused(f"region is none of {', '.join(sorted(self._regions))}")
        return BackfillPlan(
            job_id=options.get("job_id") or "",
            operation=operation_named(options.get("operation", "syncTransactions")),
            region=region,
            start_date=_day(options.get("start_date")),
            end_date=_day(options.get("end_date")),
            max_in_flight=options.get("max_in_flight", _MAX_IN_FLIGHT),
            deadline_ms=options.get("deadline_ms", _DEADLINE_MS),
            max_tries=options.get("max_tries", _MAX_TRIES),
            max_wait_s=options.get("max_wait_s", _MAX_WAIT_S),
        )


def _day(value: str | dt.date | None) -> str | None:
    return value.isoformat() if isinstance(value, dt.date) else value
