"""The log's process under load: others spool what they do, it commits, somebody reads all the time."""

import asyncio
import multiprocessing
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import median, quantiles
from threading import Event
from typing import Final

import psutil

from actors.attempt_log import AttemptLogDesk
from actors.log_collector import LogCollector
from benchmarks.log_rows import ended_attempt, request_of
from benchmarks.results import BenchmarkFailed
from orchestrator.attempt_log import AppendReport, AttemptLogStore
from orchestrator.domain import ConnectionAttempt, Json, SystemClock
from orchestrator.spool import SpoolWriter

__all__ = ["LoadFigures", "memory_mb_at", "under_load"]

_WRITERS: Final = 3
_ATTEMPT_S: Final = 0.05
_ROUND_S: Final = 0.002
_STARTED_AT: Final = 11
_PERCENT: Final = 100
_TO_END_S: Final = 60.0
_HEAVY_SQL: Final = (
    "select provider, institution_id, date_trunc('second', started_at) as second, count(*), "
    "quantile_cont(latency_ms, 0.99) from attempts group by all order by second desc limit 1000"
)
_ROWS_SQL: Final = "select * from attempts order by started_at desc limit 1000"


@dataclass(frozen=True, slots=True)
class LoadFigures:
    """How soon rows were committed after their attempts' ends, how long commits took, at what cost.

    `cpu_ratio` is the log's process's share of one processor, its readers' included.
    """

    attempts: int
    committed_after_p50_ms: float
    committed_after_p99_ms: float
    commit_p99_ms: float
    commits_per_s: float
    cpu_ratio: float


class _TimedStore(AttemptLogStore):
    """Notes how long each attempt of a batch had ended when its commit was done.

    The writers put the time of an attempt's end into `started_at`.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.late_ms: list[float] = []
        self.commit_ms: list[float] = []

    def append_spooled(
        self,
        attempts: Sequence[Sequence[Json]],
        changes: Sequence[Sequence[Json]],
        requests: Sequence[Sequence[Json]],
        *,
        positions: Mapping[str, int],
        forgotten: Collection[str],
    ) -> AppendReport:
        """See `AttemptLogStore`."""
        began_s = time.perf_counter()
        report = super().append_spooled(
            attempts, changes, requests, positions=positions, forgotten=forgotten
        )
        if attempts:
            self.commit_ms.append((time.perf_counter() - began_s) * 1000)
            now = datetime.now(UTC)
            ends = (datetime.fromisoformat(str(row[_STARTED_AT])) for row in attempts)
            self.late_ms += ((now - end).total_seconds() * 1000 for end in ends)
        return report


def under_load(
    folder: Path, *, operations_per_s: float, seconds: float, with_reader: bool
) -> LoadFigures:
    """Three processes make attempts of 50 ms, and spool an intent, a row and a request's record each.

    Raises:
        BenchmarkFailed: not every row was committed.

    """
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    log = spawn.Process(target=_commit, args=(folder, theirs, with_reader))
    each_per_s = operations_per_s / _WRITERS
    ready = spawn.Barrier(_WRITERS + 1)
    writers = [
        spawn.Process(target=_write, args=(folder / "spool", each_per_s, seconds, ready))
        for _ in range(_WRITERS)
    ]
    with _running(log):
        ours.recv()
        with _running(*writers):
            ready.wait(_TO_END_S)
            ours.send("begin")
        ours.send("end")
        figures = ours.recv()
    if not isinstance(figures, LoadFigures) or figures.attempts < operations_per_s * seconds:
        raise BenchmarkFailed(f"not every attempt was committed: {figures}")
    return figures


def memory_mb_at(folder: Path, rows: Sequence[int]) -> tuple[float, ...]:
    """The log's process's share of memory (PSS) when it has committed so many attempts."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    with _running(spawn.Process(target=_fill, args=(folder, theirs, tuple(rows)))):
        return tuple(float(ours.recv()) for _ in rows)


@contextmanager
def _running(*processes: BaseProcess) -> Iterator[None]:
    for process in processes:
        process.start()
    try:
        yield
        for process in processes:
            process.join(_TO_END_S)
    finally:
        for process in processes:
            if process.is_alive():
                process.kill()
                process.join()


def _write(folder: Path, operations_per_s: float, seconds: float, ready: Barrier) -> None:
    """A process that makes attempts: begins them at a rate, ends each after its time."""
    spool, pause = SpoolWriter(folder, "benchmark"), Event()
    ready.wait(_TO_END_S)
    under_way: deque[tuple[float, ConnectionAttempt]] = deque()
    began_s, begun = time.monotonic(), 0
    while (now_s := time.monotonic()) - began_s < seconds or under_way:
        while begun < min(now_s - began_s, seconds) * operations_per_s:
            attempt = ended_attempt(datetime.now(UTC))
            spool.intend(replace(attempt, outcome="network", http_calls=None))
            under_way.append((now_s + _ATTEMPT_S, attempt))
            begun += 1
        while under_way and under_way[0][0] <= now_s:
            ended = replace(under_way.popleft()[1], started_at=datetime.now(UTC))
            spool.put(ended)
            spool.put(request_of(ended))
        pause.wait(_ROUND_S)
    spool.close()


def _commit(folder: Path, told: Connection, with_reader: bool) -> None:
    asyncio.run(_committing(folder, told, with_reader=with_reader))


async def _committing(folder: Path, told: Connection, *, with_reader: bool) -> None:
    stores: list[_TimedStore] = []

    def open_store() -> AttemptLogStore:
        stores.append(_TimedStore(folder / "attempts.duckdb"))
        return stores[-1]

    desk = AttemptLogDesk(
        open_store, folder / "spool", SystemClock(), query_timeout_s=30, query_max_rows=1_000_000
    )
    await desk.collect()
    ended = asyncio.Event()
    reading = asyncio.create_task(_read(desk, ended)) if with_reader else None
    told.send("ready")
    await asyncio.to_thread(told.recv)
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    await asyncio.to_thread(told.recv)
    seconds, cpu_s = time.monotonic() - began_s, time.process_time() - began_cpu_s
    ended.set()
    if reading is not None:
        await reading
    await desk.close()
    (store,) = stores
    told.send(
        LoadFigures(
            attempts=len(store.late_ms),
            committed_after_p50_ms=median(store.late_ms),
            committed_after_p99_ms=quantiles(store.late_ms, n=_PERCENT)[-1],
            commit_p99_ms=quantiles(store.commit_ms, n=_PERCENT)[-1],
            commits_per_s=len(store.commit_ms) / seconds,
            cpu_ratio=cpu_s / seconds,
        )
    )


async def _read(desk: AttemptLogDesk, ended: asyncio.Event) -> None:
    while not ended.is_set():
        await asyncio.gather(
            desk.stats(), desk.query(_HEAVY_SQL), desk.frame(_ROWS_SQL), desk.story("req_none")
        )


def _fill(folder: Path, told: Connection, rows: Sequence[int]) -> None:
    spool = SpoolWriter(folder / "spool", "benchmark")
    collector = LogCollector(lambda: AttemptLogStore(folder / "attempts.duckdb"), folder / "spool")
    process = psutil.Process()
    committed = 0
    for bound in rows:
        while committed < bound:
            for _ in range(1_000):
                spool.put(ended_attempt(datetime.now(UTC)))
            collector.collect()
            committed += 1_000
        told.send(process.memory_full_info().pss / 1024 / 1024)
    collector.close()
    spool.close()
