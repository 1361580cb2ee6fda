"""People beside a backfill that saturates a provider's limit: how long they wait, and what it uses.

The same crowd comes alone and beside the job. Both are read from the attempt log, which knows of
each call when it left and how long it had waited for leave.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from benchmarks.backfill_input import connections, items
from benchmarks.people import People
from benchmarks.programs import root, stop, tail, wait
from benchmarks.results import BenchmarkFailed, Figure, Floor, Reach, Result
from benchmarks.served import Served, served
from benchmarks.setting import Setting
from benchmarks.upstream import upstream
from orchestrator.domain import Lane
from orchestrator.providers.plaid_quotas import QUOTAS
from orchestrator.resilience import Quota, QuotaScope

__all__ = ["run"]

_ENDPOINT: Final = "/accounts/get"
_PEOPLE_SHARE: Final = 0.3
"""Of the limit."""
_SPACES: Final = 192
"""So many that no connection's own limit is in the way."""
_SEED: Final = 20_261_126
_LEARNING_WINDOWS: Final = 2
"""What people want is foreseen from the last one or two windows."""
_COMMITTED_WITHIN_S: Final = 3.0
_REACH_MORE_MS: Final = 5.0
_REACH_USED_RATIO: Final = 0.9
_CALLS: Final = """
select priority, count(*) as calls, quantile_cont(waited_ms, 0.99) as waited_p99_ms
from attempts
where operation = 'getAccounts'
  and epoch(started_at) + waited_ms / 1000 >= {began} and epoch(started_at) + waited_ms / 1000 < {ended}
group by priority
"""


@dataclass(frozen=True, slots=True)
class _Stretch:
    """What of the limit was used in a stretch of time, and how long people waited."""

    seconds: float
    people: int
    backfill: int
    people_waited_p99_ms: float

    def used_ratio(self, quota: Quota) -> float:
        """Of what people left of the limit as it is published, what backfill used."""
        return self.backfill / (quota.calls * self.seconds / quota.window_s - self.people)


def run(setting: Setting) -> Result:
    """Measure; see the module."""
    quota = _quota()
    window_s, alone_s = setting.lasting_s(int(quota.window_s), 4), setting.lasting_s(20, 2)
    with ExitStack() as stack:
        vendor = stack.enter_context(upstream(setting.folder / "upstream"))
        setting.progress("starting the system")
        system = stack.enter_context(served(setting.folder / "system", vendor, limits=True))
        setting.progress(f"linking {_SPACES} spaces")
        spaces = system.link(_SPACES)
        windows = _LEARNING_WINDOWS + setting.runs + 1
        path = setting.folder / "items.parquet"
        items(connections(system, spaces), windows * quota.calls).to_parquet(path)
        per_s = _PEOPLE_SHARE * quota.calls / quota.window_s
        people = stack.enter_context(People(system.url, spaces, per_s, seed=_SEED))
        wait(alone_s)
        alone = [_begin_and_end(setting, "people alone", n, alone_s) for n in range(setting.runs)]
        job = stack.enter_context(_job(system, path, setting.folder))
        setting.progress("a backfill beside them, in its first windows")
        wait(_LEARNING_WINDOWS * window_s)
        beside = [_begin_and_end(setting, "beside", n, window_s) for n in range(setting.runs)]
        if job.poll() is not None:
            raise BenchmarkFailed(f"the job is over: {tail(setting.folder / 'job.out')}")
        wait(_COMMITTED_WITHIN_S)
        people.check()
        before = [_stretch(system, *times) for times in alone]
        after = [_stretch(system, *times) for times in beside]
    return Result(
        (
            Figure(
                "people's waitedMs beside a backfill, p99",
                "ms",
                tuple(one.people_waited_p99_ms for one in after),
                Floor("without it", tuple(one.people_waited_p99_ms for one in before)),
                Reach.more_at_most(_REACH_MORE_MS),
            ),
            Figure(
                "what backfill uses of what people leave of the limit",
                "",
                tuple(one.used_ratio(quota) for one in after),
                reach=Reach.value_at_least(_REACH_USED_RATIO),
            ),
            Figure("calls of backfill", "1/s", tuple(one.backfill / one.seconds for one in after)),
            Figure("calls of people", "1/s", tuple(one.people / one.seconds for one in after)),
        ),
        notes=(
            f"the limit is Plaid's of {_ENDPOINT}, {quota.calls:,} in {quota.window_s:.0f} s",
            f"people come at random, for {_PEOPLE_SHARE:.0%} of it",
        ),
    )


def _quota() -> Quota:
    found = [q for q in QUOTAS["sandbox"] if q.endpoint == _ENDPOINT]
    return next(quota for quota in found if quota.scope is QuotaScope.CLIENT)


def _begin_and_end(
    setting: Setting, what: str, number: int, window_s: float
) -> tuple[float, float]:
    """Let a window's time go by; its beginning and end in unix seconds."""
    setting.progress(f"{what}: run {number + 1} of {setting.runs}")
    began = time.time()
    wait(window_s)
    return began, time.time()


@contextmanager
def _job(system: Served, path: Path, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A job that is under way, watched by the command that has started it."""
    with (folder / "job.out").open("wb") as out:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "orchestrator", "backfill", str(path), "--job-id", "lanes"),
                *("--operation", "getAccounts", "--no-progress"),
            ],
            env=dict(system.environ),
            cwd=root,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        stop(process)


def _stretch(system: Served, began: float, ended: float) -> _Stretch:
    with httpx.Client(base_url=system.url, timeout=60, trust_env=False) as http:
        answer = http.post(
            "/admin/attempts/query", json={"sql": _CALLS.format(began=began, ended=ended)}
        )
    if answer.status_code != 200:
        raise BenchmarkFailed(f"the attempt log does not tell: {answer.text}")
    lanes = {row["priority"]: row for row in answer.json()["rows"]}
    people, backfill = lanes.get(Lane.INTERACTIVE.value), lanes.get(Lane.BACKFILL.value)
    if people is None:
        raise BenchmarkFailed("nobody came")
    return _Stretch(
        seconds=ended - began,
        people=int(people["calls"]),
        backfill=0 if backfill is None else int(backfill["calls"]),
        people_waited_p99_ms=float(people["waited_p99_ms"]),
    )
