"""Runs a job to its end: asks for its items through a router, and writes down what came.

Nothing of it is about Ray: a job runs wherever something executes requests. Each answered operation
starts the next by itself; a ticker commits, wakes items whose time has come, and looks at what
somebody wants of the job.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Final, TypeVar

import structlog

from orchestrator.domain import (
    Clock,
    ErrorType,
    OperationData,
    OperationError,
    OperationResult,
    OrchestratorError,
)

from .asking import Asker, Execute, RequestOf
from .buffering import Buffer
from .chunk import Ending, Tally
from .compaction import Merge, MergeHere
from .item import Item
from .items import read_items
from .ledger import Ledger
from .pace import Pace
from .places import RUNNING, held
from .plan import JobState
from .publishing import publish, withdraw_unfinished
from .rows import DATASETS, Dataset, Page
from .schedule import Schedule
from .verdicts import GoOn, OpenItem, Park, Settled, judge

__all__ = ["BackfillRun"]

_TICK_S: Final = 0.05
_LOCK_TRIES: Final = 20
_COMMIT_EVERY_S: Final = 0.5
_COMMIT_AT_ENDINGS: Final = 500
_PUBLISH_EVERY_S: Final = 5.0
_PUBLISH_EVERY_RATIO: Final = 0.05
"""Of the time that the run has taken: a long run makes few files, and none is much behind."""
_PUBLISH_AT_ROWS: Final = 20_000
_MERGE_LOADS_S: Final = 1.5
_NOT_STORABLE: Final = OperationError(
    ErrorType.VALIDATION,
    "NOT_STORABLE",
    "an amount has more than 20 digits before the point or 18 behind it",
)
_log = structlog.get_logger("backfill")

T = TypeVar("T")


class BackfillRun:
    """One run of the job in a folder.

    Args:
        folder: the job's, as `prepare` has made it.
        execute: serves requests.
        request_of: makes them.
        clock: monotonic and wall time.
        rng: jitter of pauses.
        pause: waits for so many seconds.
        merging: makes a merge of a dataset's files, for a job; told the dataset's folder and the
            job's. It is made shortly before the last items end.
        publish_every_s: how long rows may be committed before they can be read, at least; in a run
            of hours, a twentieth of its time.

    """

    def __init__(
        self,
        folder: Path,
        execute: Execute,
        request_of: RequestOf,
        clock: Clock,
        *,
        rng: Random,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        merging: Callable[[Dataset, Path, Path], Merge] = MergeHere,
        publish_every_s: float = _PUBLISH_EVERY_S,
    ) -> None:
        self._folder = folder
        self._data_dir = folder.parent.parent
        self._execute, self._request_of = execute, request_of
        self._clock = clock
        self._rng = rng
        self._pause = pause
        self._merging = merging
        self._merge: Merge | None = None
        self._publish_every_s = publish_every_s
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="backfill")
        self._buffer = Buffer()
        self._under_way: set[asyncio.Task[None]] = set()
        self._exhausted = False
        self._stopping = False
        self._broken: BaseException | None = None
        self._synced_at = 0.0
        self._committed_at = self._published_at = self._began_at = clock.now_s()
        self._unpublished_rows = 0

    async def run(self) -> JobState | None:
        """Run until the job is done, or somebody wants it paused or cancelled.

        Returns:
            How it ended; None where another process is at it, or it is not to run.

        """
        for _ in range(_LOCK_TRIES):
            with held(self._folder, RUNNING, wait=False) as mine:
                if mine:
                    with (
                        closing(Ledger(self._folder)) as ledger,
                        closing(Ledger(self._folder)) as reader,
                        self._writer,  # ends before the ledgers that it writes are closed
                    ):
                        return await self._run(ledger, reader)
            # Whoever asks whether the job runs holds the lock for a moment, too.
            await self._pause(_TICK_S)
        return None

    async def _run(self, ledger: Ledger, reader: Ledger) -> JobState | None:
        if ledger.state() is not JobState.RUNNING:
            return None
        self._stopping = ledger.wanted() is not JobState.RUNNING
        self._ledger = ledger
        self._plan = ledger.plan()
        self._total = ledger.total()
        self._asker = Asker(self._plan, self._execute, self._request_of)
        self._dataset = DATASETS[self._plan.operation]
        self._place = self._data_dir / self._dataset.name
        try:
            self._tally = ledger.begin(self._clock.unix_s())
            await self._blocking(withdraw_unfinished, ledger, self._place, self._plan.job_id)
            self._pace = Pace(self._clock.now_s())
            self._schedule = Schedule(self._plan.max_in_flight)
            self._source = self._open_items(reader)
            await self._serve()
            state = ledger.wanted() if self._stopping else JobState.DONE
            await self._finish(state)
        except (OrchestratorError, OSError) as error:
            # The disk is full, say: what is committed stays, and the job can be run again.
            problem = f"{type(error).__name__}: {error}"
            _log.error("backfill_failed", job_id=self._plan.job_id, problem=problem)
            ledger.end(JobState.FAILED, self._clock.unix_s(), problem)
            return JobState.FAILED
        finally:
            await self._abandon()
        ledger.end(state, self._clock.unix_s())
        return state

    def _open_items(self, reader: Ledger) -> Iterator[OpenItem]:
        some_are_open = reader.has_open_items()

        def opened(item: Item) -> OpenItem:
            return reader.open_item(item) if some_are_open else OpenItem(item)

        return map(opened, read_items(self._folder, reader.settled_between))

    async def _serve(self) -> None:
        while True:
            self._fill()
            if self._broken is not None:
                raise self._broken
            if self._is_ending():
                await self._made_ready()
            if not self._buffer.is_empty or self._is_due(_COMMIT_EVERY_S):
                await self._commit()
                self._fill()
            over = self._schedule.in_flight == 0 if self._stopping else self._is_done()
            if over and self._buffer.is_empty:
                return
            await self._pause(_TICK_S)

    def _is_ending(self) -> bool:
        """Whether the last items are under way, or will be in a moment."""
        soon = self._left() <= self._pace.rate(self._clock.now_s()) * _MERGE_LOADS_S
        return (self._exhausted or soon) and not (self._stopping or self._schedule.parked)

    def _is_done(self) -> bool:
        return self._exhausted and self._schedule.is_empty

    def _is_due(self, every_s: float) -> bool:
        return self._clock.now_s() - self._committed_at >= every_s

    def _fill(self) -> None:
        """Ask for as many items as may be under way."""
        now = self._clock.now_s()
        while not self._stopping and not self._buffer.is_full:
            item = self._schedule.next(now)
            if item is not None:
                task = asyncio.get_running_loop().create_task(self._ask(item))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
            elif self._schedule.wants_more() and not self._exhausted:
                fresh = next(self._source, None)
                if fresh is None:
                    self._exhausted = True
                else:
                    self._schedule.add(fresh)
            else:
                return

    async def _ask(self, asked: OpenItem) -> None:
        try:
            self._take(asked, await self._asker.answer(asked))
            self._fill()
        except Exception as error:  # noqa: BLE001  the run is told, and ends by it
            self._broken = error

    def _take(self, asked: OpenItem, result: OperationResult) -> None:
        now = self._clock.now_s()
        self._buffer.attempts += len(result.attempts)
        verdict = judge(asked, result, self._plan, now=now, jitter=self._rng.random())
        if isinstance(verdict, Park):
            if verdict.limited:
                self._schedule.refused(now)
            else:
                self._schedule.answered()
                self._buffer.going_on.append(verdict.open)
            self._schedule.park(verdict.open, now + verdict.wait_s, limited=verdict.limited)
            return
        self._schedule.answered()
        if isinstance(verdict, GoOn | Settled) and isinstance(result.data, OperationData):
            page = Page(asked.item.space_id, self._now_synced(), result.data)
            if not page.is_storable():
                self._buffer.endings.append(Ending(verdict.open, None, _NOT_STORABLE))
                return
            self._buffer.read(page)
        if isinstance(verdict, GoOn):
            self._schedule.hold_page()
            self._buffer.go_on(verdict.open)
        elif isinstance(verdict, Settled):
            self._buffer.endings.append(Ending(verdict.open, verdict.provider, None))
        else:
            self._buffer.endings.append(Ending(verdict.open, None, verdict.error))

    def _now_synced(self) -> float:
        """Wall time that never stands still, as later readings of a row count more."""
        self._synced_at = max(self._clock.unix_s(), self._synced_at + 1e-6)
        return self._synced_at

    async def _commit(self) -> None:
        enough = len(self._buffer.endings) >= _COMMIT_AT_ENDINGS or self._buffer.held
        if not (enough or self._buffer.is_full or self._is_due(_COMMIT_EVERY_S)):
            return
        taken, self._buffer = self._buffer, Buffer()
        self._committed_at = now = self._clock.now_s()
        self._pace.note(now, len(taken.endings))
        live = self._pace.live(
            now,
            at=self._clock.unix_s(),
            left=self._left() - len(taken.endings),
            schedule=self._schedule,
        )
        self._tally, wanted = await self._blocking(self._write, taken, live)
        for item in taken.held:
            self._schedule.go_on(item)
        if wanted is not JobState.RUNNING:
            self._stopping = True

    def _left(self) -> int:
        counts = self._tally
        return self._total - counts.done - counts.failed - counts.skipped

    def _write(self, taken: Buffer, live: str) -> tuple[Tally, JobState]:
        tally = self._ledger.commit(
            taken.chunk(self._dataset, self._plan.job_id), self._tally, live
        )
        self._unpublished_rows += taken.rows
        now = self._clock.now_s()
        every_s = max(self._publish_every_s, _PUBLISH_EVERY_RATIO * (now - self._began_at))
        if self._unpublished_rows >= _PUBLISH_AT_ROWS or now - self._published_at >= every_s:
            self._publish_all()
        return tally, self._ledger.wanted()

    def _publish_all(self) -> None:
        while publish(self._ledger, self._dataset, self._place, self._folder):
            pass
        self._unpublished_rows = 0
        self._published_at = self._clock.now_s()

    async def _finish(self, state: JobState) -> None:
        await self._blocking(self._publish_all)
        if state is not JobState.PAUSED:
            await self._blocking((await self._made_ready()).merge)

    async def _made_ready(self) -> Merge:
        if self._merge is None:
            self._merge = await self._blocking(
                self._merging, self._dataset, self._place, self._folder
            )
        return self._merge

    async def _abandon(self) -> None:
        if self._merge is not None:
            await self._blocking(self._merge.close)
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _blocking(self, work: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writer, work, *args)
