"""What keeping every attempt costs: at the store, under load, and for whoever makes the attempts."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import duckdb
import orjson

from benchmarks.log_load import LoadFigures, memory_mb_at, under_load
from benchmarks.log_rows import ended_attempt, request_of
from benchmarks.results import Figure, Floor, Reach, Result
from benchmarks.setting import Setting
from orchestrator.attempt_log import AttemptLogStore
from orchestrator.attempt_log.schema import ATTEMPTS
from orchestrator.domain import Json
from orchestrator.spool import SpoolWriter

Rows = list[list[Json]]

_BATCH_ROWS: Final = 1_000
_OPERATIONS_PER_S: Final = 1_000.0
_REACH_ROWS_PER_S: Final = 50_000.0
_REACH_COMMITTED_MS: Final = 200.0
_REACH_CPU_RATIO: Final = 0.1
_REACH_MEMORY_RATIO: Final = 1.15


def run(setting: Setting) -> Result:
    """See the module's docstring."""
    return Result(
        (
            *_store_figures(setting),
            *_spool_figures(setting),
            *_load_figures(setting),
            _memory(setting),
        ),
        notes=(
            f"rows are attempts with all columns, in batches of {_BATCH_ROWS:,}, each committed",
            f"under load, three processes make {_OPERATIONS_PER_S:g} operations a second of 50 ms",
            "an operation is an intent, an attempt's row and a request's record",
            "readers ask for statistics, an aggregate, rows and a story, all at once, without pause",
        ),
    )


def _store_figures(setting: Setting) -> tuple[Figure, ...]:
    batches = setting.sized(20, 3)
    appended, inserted = [], []
    for number in range(setting.runs):
        setting.progress(f"store: run {number + 1} of {setting.runs}")
        rows = [_rows(batch) for batch in range(batches)]
        appended.append(_rows_per_s(setting.folder, rows, _append))
        inserted.append(_rows_per_s(setting.folder, rows, _insert_alone))
    return (
        Figure(
            "attempts at the store",
            "rows/s",
            tuple(appended),
            Floor("DuckDB's own insert of the same Arrow batches", tuple(inserted)),
            Reach.value_at_least(_REACH_ROWS_PER_S),
        ),
    )


def _rows(number: int) -> Rows:
    """Rows as they are read from a spool."""
    at = datetime.now(UTC) + timedelta(seconds=number)
    made = [ended_attempt(at + timedelta(milliseconds=n)) for n in range(_BATCH_ROWS)]
    rows: Rows = orjson.loads(orjson.dumps(ATTEMPTS.values_of(made)))
    return rows


def _rows_per_s(
    folder: Path,
    batches: list[Rows],
    insert: Callable[[Path, list[Rows]], float],
) -> float:
    with TemporaryDirectory(dir=folder) as fresh:
        return len(batches) * _BATCH_ROWS / insert(Path(fresh), batches)


def _append(folder: Path, batches: list[Rows]) -> float:
    with AttemptLogStore(folder / "attempts.duckdb") as store:
        began_s = time.perf_counter()
        for number, batch in enumerate(batches):
            store.append_spooled(batch, [], [], positions={"a": number}, forgotten=())
        return time.perf_counter() - began_s


def _insert_alone(folder: Path, batches: list[Rows]) -> float:
    tables = [ATTEMPTS.batch(batch) for batch in batches]
    with duckdb.connect(folder / "floor.duckdb") as connection:
        connection.execute(ATTEMPTS.create_sql).fetchall()
        began_s = time.perf_counter()
        for table in tables:
            connection.from_arrow(table).insert_into(ATTEMPTS.name)
        return time.perf_counter() - began_s


def _spool_figures(setting: Setting) -> tuple[Figure, ...]:
    rounds = setting.sized(5_000, 500)
    attempt = ended_attempt(datetime.now(UTC))
    request = request_of(attempt)
    acts: dict[str, Callable[[SpoolWriter], None]] = {
        "an attempt's intent or row, spooled": lambda spool: spool.intend(attempt),
        "a request's record, spooled": lambda spool: spool.put(request),
    }
    measured: dict[str, list[float]] = {}
    for _ in range(setting.runs):
        for what, act in acts.items():
            with TemporaryDirectory(dir=setting.folder) as folder:
                spool = SpoolWriter(Path(folder), "benchmark")
                began_s = time.thread_time()
                for _ in range(rounds):
                    act(spool)
                measured.setdefault(what, []).append(
                    (time.thread_time() - began_s) / rounds * 1_000_000
                )
                spool.close()
    return tuple(Figure(what, "µs of CPU", tuple(runs)) for what, runs in measured.items())


def _load_figures(setting: Setting) -> tuple[Figure, ...]:
    alone, read = _loads(setting, with_reader=False), _loads(setting, with_reader=True)
    after = Reach.value_at_most(_REACH_COMMITTED_MS)
    return (
        Figure("committed after, p50", "ms", tuple(f.committed_after_p50_ms for f in alone)),
        Figure(
            "committed after, p99",
            "ms",
            tuple(f.committed_after_p99_ms for f in alone),
            reach=after,
        ),
        Figure(
            "committed after with a reader, p99",
            "ms",
            tuple(f.committed_after_p99_ms for f in read),
            Floor("without", tuple(f.committed_after_p99_ms for f in alone)),
            after,
        ),
        Figure(
            "a commit with a reader, p99",
            "ms",
            tuple(f.commit_p99_ms for f in read),
            Floor("without", tuple(f.commit_p99_ms for f in alone)),
        ),
        Figure("commits", "/s", tuple(f.commits_per_s for f in alone)),
        Figure(
            "the log's process",
            "of one processor",
            tuple(f.cpu_ratio for f in alone),
            reach=Reach.value_at_most(_REACH_CPU_RATIO),
        ),
    )


def _loads(setting: Setting, *, with_reader: bool) -> list[LoadFigures]:
    seconds = float(setting.lasting_s(15, 2))
    loads = []
    for number in range(setting.runs):
        who = "with a reader" if with_reader else "without a reader"
        setting.progress(f"load {who}: run {number + 1} of {setting.runs}")
        with TemporaryDirectory(dir=setting.folder) as folder:
            loads.append(
                under_load(
                    Path(folder),
                    operations_per_s=_OPERATIONS_PER_S,
                    seconds=seconds,
                    with_reader=with_reader,
                )
            )
    return loads


def _memory(setting: Setting) -> Figure:
    many, more = setting.sized(100_000, 2_000), setting.sized(1_000_000, 4_000)
    setting.progress(f"memory at {more:,} rows")
    with TemporaryDirectory(dir=setting.folder) as folder:
        after_many, after_more = memory_mb_at(Path(folder), (many, more))
    return Figure(
        f"the log's process after {more:,} attempts",
        "MB",
        (after_more,),
        Floor(f"after {many:,}", (after_many,)),
        Reach.ratio_at_most(_REACH_MEMORY_RATIO),
    )
