"""A backfill against a bare loop over the same upstream, and its memory from a thousand items to a million."""

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from benchmarks.backfill_input import connections
from benchmarks.backfill_input import items as items_of
from benchmarks.programs import root
from benchmarks.results import BenchmarkFailed, Figure, Floor, Reach, Result
from benchmarks.served import Served, clean_environment, served
from benchmarks.setting import Setting
from benchmarks.upstream import upstream
from orchestrator.backfill import JobStanding, job_folder, standing

__all__ = ["run"]

_ITEMS: Final = 50_000
_ITEMS_OF_SHORT_JOB: Final = 10_000
_SPACES: Final = 64
_IN_FLIGHT: Final = 512
_DEADLINE_MS: Final = 120_000
_REACH: Final = 0.7
_FEW_ITEMS: Final = 1_000
_MANY_ITEMS: Final = 1_000_000
_REACH_OF_MEMORY: Final = 1.15
_LONGEST_JOB_S: Final = 600.0
_LONGEST_ALONE_S: Final = 1800.0
# As many under way at the vendor as the bare loop has.
_CONFIG: Final = f"""\
[requests]
attempt_timeout_ms = {_DEADLINE_MS}
max_in_flight = {_IN_FLIGHT}
max_in_flight_per_institution = {_IN_FLIGHT}
max_in_flight_backfill = {_IN_FLIGHT}
"""


def run(setting: Setting) -> Result:
    """Measure; see the module."""
    sizes = (setting.sized(_ITEMS, 200), setting.sized(_ITEMS_OF_SHORT_JOB, 100))
    jobs: dict[int, list[float]] = {items: [] for items in sizes}
    bare: dict[int, list[float]] = {items: [] for items in sizes}
    with ExitStack() as stack:
        vendor = stack.enter_context(upstream(setting.folder / "upstream"))
        setting.progress("starting the system")
        system = stack.enter_context(served(setting.folder / "system", vendor, _CONFIG))
        setting.progress(f"linking {_SPACES} spaces")
        spaces = connections(system, system.link(_SPACES))
        for items in sizes:
            path = setting.folder / f"{items}-items.parquet"
            items_of(spaces, items).to_parquet(path)
            for number in range(setting.runs + 1):
                at = "warming" if number == 0 else f"run {number} of {setting.runs}"
                setting.progress(f"{items:,} items: {at}")
                rate = _job_per_s(system, path, f"{items}-items-{number}")
                if number:
                    jobs[items].append(rate)
                    bare[items].append(_bare_per_s(f"{vendor}/accounts/get", items))
    few, many = setting.sized(_FEW_ITEMS, 100), setting.sized(_MANY_ITEMS, 2_000)
    setting.progress(f"memory with {few:,} items, and {many:,}")
    small = _alone(setting.folder / "few", few)
    large = _alone(setting.folder / "many", many)
    return Result(
        (
            *(
                Figure(
                    f"items of a backfill of {items:,}, getAccounts",
                    "1/s",
                    tuple(jobs[items]),
                    Floor("bare httpx loop", tuple(bare[items])),
                    Reach.ratio_at_least(_REACH),
                )
                for items in sizes
            ),
            *(
                Figure(
                    f"peak memory of a process that {what} {many:,} items",
                    "MB",
                    (large[step]["peakMb"],),
                    Floor(f"one of {few:,}", (small[step]["peakMb"],)),
                    Reach.ratio_at_most(_REACH_OF_MEMORY) if step == "run" else None,
                )
                for step, what in (("run", "runs a job of"), ("prepare", "prepares a job of"))
            ),
            Figure(f"items of a job of {many:,} without a network", "1/s", (large["run"]["perS"],)),
        ),
        notes=(
            f"at most {_IN_FLIGHT} calls under way at the upstream on both sides",
            "a job's time is from its first item to its last row in place",
        ),
    )


def _job_per_s(system: Served, path: Path, job_id: str) -> float:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "orchestrator", "backfill", str(path), "--job-id", job_id),
            *("--operation", "getAccounts", "--max-in-flight", str(_IN_FLIGHT), "--no-progress"),
        ],
        env=dict(system.environ),
        cwd=root,
        capture_output=True,
        text=True,
        timeout=_LONGEST_JOB_S,
        check=False,
    )
    if done.returncode != 0:
        raise BenchmarkFailed(f"the job failed: {done.stdout}{done.stderr[-1000:]}")
    return _rate(standing(job_folder(system.data_dir, job_id)))


def _rate(job: JobStanding) -> float:
    if job.started_at is None or job.ended_at is None or job.done != job.total:
        raise BenchmarkFailed(f"{job.done} of {job.total} items are done: {job.problem}")
    return job.total / (job.ended_at - job.started_at)


def _bare_per_s(url: str, operations: int) -> float:
    return float(
        _python(
            *("-m", "benchmarks.bare_loop", "--url", url),
            *("--concurrent", str(_IN_FLIGHT), "--operations", str(operations)),
        )
    )


def _alone(folder: Path, items: int) -> dict[str, dict[str, float]]:
    folder.mkdir()
    told: dict[str, dict[str, float]] = {
        step: json.loads(_python("-m", "benchmarks.backfill_alone", step, str(folder), str(items)))
        for step in ("prepare", "run")
    }
    if told["run"]["done"] != items:
        raise BenchmarkFailed(f"{told['run']['done']} of {items} items are done")
    return told


def _python(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        env=clean_environment(),
        cwd=root,
        capture_output=True,
        text=True,
        timeout=_LONGEST_ALONE_S,
        check=False,
    )
    if done.returncode != 0:
        raise BenchmarkFailed(f"{arguments} failed: {done.stderr[-1000:]}")
    return done.stdout
