"""Jobs of an installation that are run at once by whoever starts them, without Ray."""

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self, Unpack

from orchestrator.backfill import BackfillReport, JobStanding, Source, job_folder
from orchestrator.backfill_jobs import BackfillJobs, BackfillOptions
from tests.support.backfill_router import PagedRouter, run_job

__all__ = ["JobsAtOnce", "JoinedAtOnce"]


class JobsAtOnce:
    """`jobs` over a router; `started` are the ids that an actor was asked for, in order.

    The first `deaf` of them come to nothing, as those of an actor that dies at its start.
    """

    def __init__(self, data_dir: Path, router: PagedRouter, *, deaf: int = 0) -> None:
        self._data_dir, self._router, self._deaf = data_dir, router, deaf
        self.started: list[str] = []
        self.jobs = BackfillJobs(data_dir, frozenset({"US", "MX"}), self.start)

    def start(self, job_id: str) -> None:
        """Run a job to its end."""
        self.started.append(job_id)
        if len(self.started) > self._deaf:
            asyncio.run(run_job(job_folder(self._data_dir, job_id), self._router))


class JoinedAtOnce:
    """What commands join instead of a running system."""

    def __init__(self, at_once: JobsAtOnce) -> None:
        self._jobs = at_once.jobs

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing was joined."""

    def backfill(self, source: Source, **options: Unpack[BackfillOptions]) -> BackfillReport:
        """As `SyncOrchestrator`'s."""
        return asyncio.run(self._jobs.run(source, **options))

    def resume_backfill(self, job_id: str) -> JobStanding:
        """As `SyncOrchestrator`'s."""
        return self._jobs.resume(job_id)

    def watch_backfill(self, job_id: str) -> JobStanding:
        """As `SyncOrchestrator`'s."""
        return asyncio.run(self._jobs.watch(job_id, progress=False))
