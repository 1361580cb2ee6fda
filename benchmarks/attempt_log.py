"""What keeping every attempt costs: rows a second at the store, and how soon a row is committed.

Run it with `python -m benchmarks.attempt_log`. The store is asked for batches of 1,000; the rest is
measured under 1,000 operations a second, which three processes spool as a provider and a router do
(an intent, a row and a request's record each), while a process of its own commits them.
"""

import argparse
import asyncio
import json
import multiprocessing
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final
from uuid import uuid4

from actors.attempt_log import AttemptLogDesk
from orchestrator.attempt_log import AppendReport, AttemptLogStore
from orchestrator.domain import (
    ConnectionAttempt,
    Lane,
    Operation,
    RequestRecord,
    SystemClock,
)
from orchestrator.spool import SpoolWriter

__all__ = ["run"]

Figures = dict[str, float]

_BATCH_ROWS: Final = 1_000
_OPERATIONS_PER_S: Final = 1_000
_WRITERS: Final = 3
_ATTEMPT_S: Final = 0.05
_MEMORY_MB: Final = 1_024
_HEAVY_SQL: Final = (
    "select provider, institution_id, date_trunc('second', started_at) as second, count(*), "
    "quantile_cont(latency_ms, 0.99) from attempts group by all order by second desc limit 1000"
)
_ROWS_SQL: Final = "select * from attempts order by started_at desc limit 1000"
_STORY: Final = json.dumps(
    {
        "requestId": str(uuid4()),
        "operation": "getAccounts",
        "region": "US",
        "success": True,
        "attempts": [{"attemptId": str(uuid4()), "provider": "plaid", "latencyMs": 50.0}],
        "decision": {
            "policy": "adaptive",
            "candidates": [
                {"provider": provider, "score": 0.9, "propensity": 0.33, "eligible": True}
                for provider in ("plaid", "mx", "finicity")
            ],
        },
    }
)


def _attempt(at: datetime) -> ConnectionAttempt:
    return ConnectionAttempt(
        attempt_id=str(uuid4()),
        request_id=f"req_{uuid4().hex}",
        job_id=None,
        operation=Operation.GET_ACCOUNTS,
        provider="plaid",
        region="US",
        institution_id="ins_chase",
        space_hash=uuid4().hex,
        connection_id=f"conn_{uuid4().hex[:16]}",
        attempt_number=1,
        hedge=False,
        started_at=at,
        latency_ms=51.25,
        waited_ms=0.1,
        http_calls=1,
        outcome="success",
        error_code=None,
        error_scope=None,
        http_status=200,
        provider_request_id=uuid4().hex[:16],
        circuit_state="CLOSED",
        priority=Lane.INTERACTIVE,
        failover=False,
        candidates=("plaid", "mx", "finicity"),
        eligible=("plaid", "mx", "finicity"),
        propensity=0.98,
        score=0.97,
        policy="adaptive",
        model_version="2026-03-01",
        items=3,
        node_id="host:1234",
    )


def _request(attempt: ConnectionAttempt) -> RequestRecord:
    return RequestRecord(
        request_id=attempt.request_id,
        at=attempt.started_at,
        operation=attempt.operation,
        region=attempt.region,
        outcome=attempt.outcome,
        provider=attempt.provider,
        attempts=1,
        failover=False,
        total_ms=attempt.latency_ms,
        story=_STORY,
    )


def store_rows_per_s(batches: int) -> Figures:
    """Rows of attempts a second at a fresh store, each batch committed."""
    with tempfile.TemporaryDirectory() as folder, AttemptLogStore(Path(folder) / "log") as store:
        start = datetime.now(UTC)
        rows = [
            [
                _attempt(start + timedelta(seconds=number, milliseconds=n))
                for n in range(_BATCH_ROWS)
            ]
            for number in range(batches)
        ]
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        for batch in rows:
            store.append(batch)
        took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    count = batches * _BATCH_ROWS
    return {"rowsPerS": count / took_s, "cpuUsPerRow": cpu_s / count * 1e6}


def spool_costs_us(rounds: int) -> Figures:
    """What an intent and a row cost the process that writes them down."""
    attempt = _attempt(datetime.now(UTC))
    request = _request(attempt)
    with tempfile.TemporaryDirectory() as folder:
        spool = SpoolWriter(Path(folder), "benchmark")
        began_s = time.thread_time()
        for _ in range(rounds):
            spool.intend(attempt)
        intended_s = time.thread_time()
        for _ in range(rounds):
            spool.put(request)
        ended_s = time.thread_time()
        spool.close()
    return {
        "intendUs": (intended_s - began_s) / rounds * 1e6,
        "putRequestUs": (ended_s - intended_s) / rounds * 1e6,
    }


class _TimedStore(AttemptLogStore):
    """Notes how long each attempt of a batch had ended when its commit was done.

    The writers put the time of an attempt's end into `started_at`.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, memory_limit_mb=_MEMORY_MB)
        self.late_ms: list[float] = []
        self.commit_ms: list[float] = []

    def append_spooled(self, attempts, changes, requests, *, positions, forgotten):
        """See `AttemptLogStore`."""
        began_s = time.perf_counter()
        report = super().append_spooled(attempts, changes, requests, positions=positions, forgotten=forgotten)
        self.commit_ms.append((time.perf_counter() - began_s) * 1000)
        now = datetime.now(UTC)
        for a in attempts:
            self.late_ms.append((now - datetime.fromisoformat(a[11])).total_seconds() * 1000)
        return report


def _write(folder: Path, operations_per_s: float, seconds: float) -> None:
    """A process that makes attempts: starts them at a rate, ends each after 50 ms."""
    spool = SpoolWriter(folder, "benchmark")
    under_way: deque[tuple[float, ConnectionAttempt]] = deque()
    began_s, started = time.monotonic(), 0
    while (now_s := time.monotonic()) - began_s < seconds or under_way:
        while started < min(now_s - began_s, seconds) * operations_per_s:
            attempt = _attempt(datetime.now(UTC))
            spool.intend(replace(attempt, outcome="network", error_code="ACTOR_LOST"))
            under_way.append((now_s + _ATTEMPT_S, attempt))
            started += 1
        while under_way and under_way[0][0] <= now_s:
            ended = replace(under_way.popleft()[1], started_at=datetime.now(UTC))
            spool.put(ended)
            spool.put(_request(ended))
        time.sleep(0.002)
    spool.close()


def _commit(folder: Path, told: Connection, *, with_reader: bool) -> None:
    """The log's own process: commits, and is asked all the time where `with_reader`."""
    asyncio.run(_serve(folder, told, with_reader=with_reader))


async def _serve(folder: Path, told: Connection, *, with_reader: bool) -> None:
    stores: list[_TimedStore] = []

    def open_store() -> AttemptLogStore:
        stores.append(_TimedStore(folder / "attempts.duckdb"))
        return stores[-1]

    desk = AttemptLogDesk(
        open_store, folder / "spool", SystemClock(), query_timeout_s=30, query_max_rows=1_000_000
    )
    await desk.collect()
    told.send("ready")
    reading = asyncio.create_task(_read(desk)) if with_reader else None
    loop = asyncio.get_running_loop()
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    await loop.run_in_executor(None, told.recv)
    seconds, cpu_s = time.monotonic() - began_s, time.process_time() - began_cpu_s
    if reading is not None:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    await desk.close()
    late_ms, commit_ms = stores[0].late_ms, stores[0].commit_ms
    told.send(
        {
            "rows": len(late_ms),
            "commits": len(commit_ms),
            "committedAfterP50Ms": statistics.median(late_ms),
            "committedAfterP99Ms": statistics.quantiles(late_ms, n=100)[98],
            "committedAfterMaxMs": max(late_ms),
            "commitP50Ms": statistics.median(commit_ms),
            "commitP99Ms": statistics.quantiles(commit_ms, n=100)[98],
            "commitMaxMs": max(commit_ms),
            "cpuRatio": cpu_s / seconds,
        }
    )


async def _read(desk: AttemptLogDesk) -> None:
    while True:
        await asyncio.gather(
            desk.stats(), desk.query(_HEAVY_SQL), desk.frame(_ROWS_SQL), desk.story("req_none")
        )


@contextmanager
def _running(*processes: BaseProcess) -> Iterator[None]:
    for process in processes:
        process.start()
    try:
        yield
        for process in processes:
            process.join(60)
    finally:
        for process in processes:
            if process.is_alive():
                process.kill()
                process.join()


def committed_after(seconds: float, *, with_reader: bool) -> Figures:
    """How long after its end an attempt's row is committed, under load."""
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours, theirs = spawn.Pipe()
        log = spawn.Process(
            target=_commit, args=(folder, theirs), kwargs={"with_reader": with_reader}
        )
        writers = [
            spawn.Process(
                target=_write, args=(folder / "spool", _OPERATIONS_PER_S / _WRITERS, seconds)
            )
            for _ in range(_WRITERS)
        ]
        with _running(log):
            ours.recv()
            with _running(*writers):
                pass
            ours.send("end")
            figures: Figures = ours.recv()
    return figures


def run(*, short: bool) -> dict[str, Figures]:
    """All figures, each the median of several runs; `short` makes few and brief ones."""
    runs, batches, seconds = (1, 5, 2.0) if short else (5, 20, 15.0)
    return {
        "store": _medians([store_rows_per_s(batches) for _ in range(runs)]),
        "spool": _medians([spool_costs_us(2_000) for _ in range(runs)]),
        "load": _medians([committed_after(seconds, with_reader=False) for _ in range(runs)]),
        "loadWithReader": _medians([committed_after(seconds, with_reader=True) for _ in range(runs)]),
    }


def _medians(figures: list[Figures]) -> Figures:
    return {name: statistics.median(run[name] for run in figures) for name in figures[0]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="one brief run of each")
    print(json.dumps(run(short=parser.parse_args().short), indent=2))  # noqa: T201
