"""Bulk jobs in the Python interface, awaited and not; see `BackfillJobs` for what they do."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from orchestrator.backfill_jobs import BackfillJobs, BackfillOptions
from orchestrator.settings import Settings

if TYPE_CHECKING:
    from orchestrator.backfill import BackfillReport, JobStanding, Source

__all__ = ["BackfillCalls", "SyncBackfillCalls"]

T = TypeVar("T")


class BackfillCalls(ABC):
    """Starts, watches and steers bulk jobs; those that need a running system ask for it first."""

    def __init__(self, settings: Settings) -> None:
        self._jobs = BackfillJobs(
            settings.data_dir, frozenset(settings.policies.regions), _start_job
        )

    @abstractmethod
    def _check_joined(self) -> None:
        """Raise `NotRunning` where no system was joined."""

    async def backfill(
        self, frame_or_path: "Source", **options: Unpack[BackfillOptions]
    ) -> "BackfillReport":
        """Ask for many accounts at once, each once; the job outlives this process.

        Run again with the same `job_id`, it skips what is done and asks again for what failed. The
        rows are in the data folder's `transactions`; read them with
        `orchestrator.backfill.read_transactions`.

        Args:
            frame_or_path: a pandas frame, a CSV or Parquet file, a DuckDB relation, or a SELECT
                that DuckDB can read by itself. Columns: `spaceId` and one of `accountId`,
                `institutionId`, `connectionId`; if there, also `startDate`, `endDate`,
                `deadlineMs` and `preferredProvider`.
            options: see `BackfillOptions`.

        Returns:
            What became of every item; items that failed are no exception.

        Raises:
            BackfillRefused: nothing was begun; says what is wrong with the input or the options.
            StoreError: the job cannot go on, say because the disk is full; run it again.

        """
        self._check_joined()
        return await self._jobs.run(frame_or_path, **options)

    async def watch_backfill(self, job_id: str, *, progress: bool = True) -> "JobStanding":
        """Wait until a job is over or paused, with a bar.

        Raises:
            BackfillRefused: there is no such job.
            StoreError: the job cannot go on; says why.

        """
        self._check_joined()
        return await self._jobs.watch(job_id, progress=progress)

    async def backfill_status(self, job_id: str) -> "JobStanding":
        """How a job stands, and how fast it goes.

        Raises:
            BackfillRefused: there is no such job.

        """
        return await asyncio.to_thread(self._jobs.status, job_id)

    async def list_backfills(self) -> "tuple[JobStanding, ...]":
        """Every job of the data folder, the latest started first."""
        return await asyncio.to_thread(self._jobs.all)

    async def pause_backfill(self, job_id: str) -> "JobStanding":
        """Have a job end what is under way and stop there.

        Raises:
            BackfillRefused: there is no such job, or it is over.

        """
        return await asyncio.to_thread(self._jobs.pause, job_id)

    async def resume_backfill(self, job_id: str) -> "JobStanding":
        """Have a paused or cut off job go on where it is; `watch_backfill` waits for it.

        Raises:
            BackfillRefused: there is no such job, or it is over.

        """
        self._check_joined()
        return await asyncio.to_thread(self._jobs.resume, job_id)

    async def cancel_backfill(self, job_id: str) -> "JobStanding":
        """Have a job end what is under way and stop for good; what it has read stays.

        Raises:
            BackfillRefused: there is no such job, or it is over.

        """
        return await asyncio.to_thread(self._jobs.cancel, job_id)


class SyncBackfillCalls(ABC):
    """The same without `await`."""

    @property
    @abstractmethod
    def _calls(self) -> BackfillCalls:
        """What is awaited."""

    @abstractmethod
    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """Carry out, and wait."""

    def backfill(
        self, frame_or_path: "Source", **options: Unpack[BackfillOptions]
    ) -> "BackfillReport":
        """See `Orchestrator.backfill`. Interrupted, the job goes on; `watch_backfill` waits again."""
        return self._run(self._calls.backfill(frame_or_path, **options))

    def watch_backfill(self, job_id: str, *, progress: bool = True) -> "JobStanding":
        """See `Orchestrator.watch_backfill`."""
        return self._run(self._calls.watch_backfill(job_id, progress=progress))

    def backfill_status(self, job_id: str) -> "JobStanding":
        """See `Orchestrator.backfill_status`."""
        return self._run(self._calls.backfill_status(job_id))

    def list_backfills(self) -> "tuple[JobStanding, ...]":
        """See `Orchestrator.list_backfills`."""
        return self._run(self._calls.list_backfills())

    def pause_backfill(self, job_id: str) -> "JobStanding":
        """See `Orchestrator.pause_backfill`."""
        return self._run(self._calls.pause_backfill(job_id))

    def resume_backfill(self, job_id: str) -> "JobStanding":
        """See `Orchestrator.resume_backfill`."""
        return self._run(self._calls.resume_backfill(job_id))

    def cancel_backfill(self, job_id: str) -> "JobStanding":
        """See `Orchestrator.cancel_backfill`."""
        return self._run(self._calls.cancel_backfill(job_id))


def _start_job(job_id: str) -> None:
    from actors.options import begin_backfill  # noqa: PLC0415  only once the system is joined

    begin_backfill(job_id)
