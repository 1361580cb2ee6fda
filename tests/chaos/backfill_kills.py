"""A backfill whose notebook, actor, providers and log are killed at random, and what came of it.

A test runs it small. By hand, as large as wanted:

    python -m tests.chaos.backfill_kills --items 50000 --kills 200
"""

import argparse
import datetime as dt
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any

import pandas as pd
import psutil
import pyarrow.parquet as pq

from orchestrator.backfill import BackfillRefused, JobState, read_transactions, report, standing
from orchestrator.backfill import job_folder as folder_of
from orchestrator.backfill.places import row_files
from orchestrator.sandbox_process import SandboxProcess
from tests.e2e.journeys import Caller
from tests.support.serving import Serving, free_port, serving

CONFIG = """
[selection]
policy = "priority"
[breaker]
timeout_ms = 2000
[providers.plaid.limits]
enabled = false
"""
JOB = "chaos"
SPACES = 5
PARTS = ("notebook", "BackfillActor", "provider", "AttemptLogActor")
"""Of the system and around it; `provider` is the one that all items need."""
STALLED_S = 20.0
"""A kill may fall into a recovery, too: where nothing is done for so long, the next one comes."""
LOOK_EVERY_S = 0.1
_NOTEBOOK = """
import sys
from orchestrator import Orchestrator
with Orchestrator.connect_sync(start=False) as orchestrator:
    told = orchestrator.backfill(sys.argv[1], job_id=sys.argv[2], progress=False)
sys.exit(0 if told.state == "done" and not told.failed else 1)
"""


@dataclass
class Outcome:
    """What a chaotic job came to."""

    items: int
    kills: Counter[str] = field(default_factory=Counter)
    done: int = 0
    failed: int = 0
    rows: int = 0
    doubled: int = 0
    lost: int = 0
    foreign: int = 0
    seconds: float = 0.0

    @property
    def is_whole(self) -> bool:
        """Whether no item is lost, none recorded twice, and no transaction lost or doubled."""
        return self.done == self.items and not (
            self.failed or self.doubled or self.lost or self.foreign
        )


def items_of(system: Serving, count: int, spaces: int = SPACES) -> tuple[pd.DataFrame, set[str]]:
    """So many account-days of some linked spaces, and every transaction that is in them."""
    accounts: list[tuple[str, str]] = []
    for _ in range(spaces):
        caller = Caller(system)
        caller.link("plaid", "ins_chase")
        found = caller.operate("getAccounts", {}).json()["data"]["accounts"]
        accounts.extend((caller.space, account["accountId"]) for account in found)
        caller.close()
    today = dt.datetime.now(dt.UTC).date()
    rows = []
    for number in range(count):
        space, account = accounts[number % len(accounts)]
        day = today - dt.timedelta(days=10 + number // len(accounts))
        rows.append((space, account, day.isoformat(), day.isoformat()))
    frame = pd.DataFrame(rows, columns=["spaceId", "accountId", "startDate", "endDate"])
    return frame, _transactions_of(system, frame)


def _transactions_of(system: Serving, frame: pd.DataFrame) -> set[str]:
    """What HTTP answers for the same accounts and days."""
    found = set()
    with system.http() as http:
        for (space, account), rows in frame.groupby(["spaceId", "accountId"]):
            params: dict[str, Any] = {
                "spaceId": space,
                "accountId": account,
                "startDate": rows["startDate"].min(),
                "endDate": rows["endDate"].max(),
            }
            while True:
                answer = http.post("/v1/operations/syncTransactions", json={"params": params})
                data = answer.json()["data"]
                found |= {row["transactionId"] for row in data["transactions"]}
                if not data["hasMore"]:
                    break
                params = {"spaceId": space, "accountId": account, "cursor": data["nextCursor"]}
    return found


def _process_of(system: Serving, part: str) -> psutil.Process | None:
    wanted = "ray::ProviderActor" if part == "provider" else f"ray::{part}"
    busiest: tuple[float, psutil.Process] | None = None
    for process in system.processes():
        with suppress(psutil.Error):
            if " ".join(process.cmdline()).startswith(wanted):
                used_s = sum(process.cpu_times()[:2])
                if busiest is None or used_s > busiest[0]:
                    busiest = (used_s, process)
    return None if busiest is None else busiest[1]


class _Notebook:
    """The process in which the job was started and is watched; started anew when it dies."""

    def __init__(self, system: Serving, path: Path) -> None:
        self._system, self._path = system, path
        self._process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-c", _NOTEBOOK, str(self._path), JOB],
            env=self._system.environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        """End it outright; another takes its place."""
        self._process.kill()
        self._process.wait()
        self._process = self._start()

    def ended_well(self, within_s: float) -> bool:
        """Whether it ends with everything done; started again where it ends otherwise."""
        until = time.monotonic() + within_s
        while (left := until - time.monotonic()) > 0:
            if self._process.wait(left) == 0:
                return True
            self._process = self._start()
        return False

    def close(self) -> None:
        """Let it go."""
        self._process.kill()
        self._process.wait()


@contextmanager
def _notebook(system: Serving, path: Path) -> Iterator[_Notebook]:
    notebook = _Notebook(system, path)
    try:
        yield notebook
    finally:
        notebook.close()


def run(
    system: Serving,
    items: int,
    kills: int,
    *,
    seed: int = 7,
    parts: Sequence[str] = PARTS,
    longest_s: float = 3600.0,
) -> Outcome:
    """Run a job of so many items with so many kills spread over it."""
    rng, outcome = Random(seed), Outcome(items)
    frame, expected = items_of(system, items)
    path = system.data_dir / "chaos.parquet"
    frame.to_parquet(path)
    began = time.monotonic()
    with _notebook(system, path) as notebook:
        while (number := sum(outcome.kills.values())) < kills:
            over = _reached(system, (number + rng.random()) * items / kills, longest_s)
            if over:
                break
            part = rng.choice(parts)
            if part == "notebook":
                notebook.kill()
            else:
                process = _process_of(system, part)
                if process is None:
                    continue
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            outcome.kills[part] += 1
            _tell(system, outcome)
        assert notebook.ended_well(longest_s), "the job does not end"
    outcome.seconds = time.monotonic() - began
    return _counted(system, outcome, expected)


def _tell(system: Serving, outcome: Outcome) -> None:
    """Say on standard error how far it is, for whoever runs it by hand."""
    with suppress(BackfillRefused):
        job = standing(folder_of(system.data_dir, JOB))
        sys.stderr.write(f"{dict(outcome.kills)}: {job.done} done, {job.failed} failed\n")


def _reached(system: Serving, done: float, longest_s: float) -> bool:
    """Wait until so many items are done, or nothing happens for a while; whether all are."""
    until, before = time.monotonic() + longest_s, -1
    seen_at = time.monotonic()
    while time.monotonic() < until:
        try:
            job = standing(folder_of(system.data_dir, JOB))
        except BackfillRefused:
            pass
        else:
            if job.state is not JobState.RUNNING:
                return True
            if job.done + job.skipped >= done:
                return False
            if job.done + job.skipped > before:
                before, seen_at = job.done + job.skipped, time.monotonic()
            if time.monotonic() - seen_at > STALLED_S:
                return False
        Event().wait(LOOK_EVERY_S)
    return True


def _counted(system: Serving, outcome: Outcome, expected: set[str]) -> Outcome:
    told = report(folder_of(system.data_dir, JOB))
    outcome.done, outcome.failed = told.done + told.skipped, told.failed
    read = read_transactions(system.data_dir, "select transactionId from transactions")
    outcome.rows = len(read)
    written = sum(
        pq.read_metadata(path).num_rows for path in row_files(system.data_dir / "transactions")
    )
    unique = set(read["transactionId"])
    outcome.doubled = max(len(read), written) - len(unique)
    outcome.lost, outcome.foreign = len(expected - unique), len(unique - expected)
    return outcome


def main() -> int:
    """Run it by hand."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--items", type=int, default=50_000)
    arguments.add_argument("--kills", type=int, default=200)
    arguments.add_argument("--seed", type=int, default=7)
    arguments.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    asked = arguments.parse_args()
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        sandbox = SandboxProcess(free_port(), 7, folder)
        try:
            sandbox.wait_ready()
            with serving(folder, CONFIG, sandbox_url=sandbox.url) as system:
                outcome = run(system, asked.items, asked.kills, seed=asked.seed, parts=asked.parts)
        finally:
            sandbox.stop()
    sys.stdout.write(f"{outcome}\n{'whole' if outcome.is_whole else 'NOT WHOLE'}\n")
    return 0 if outcome.is_whole else 1


if __name__ == "__main__":
    sys.exit(main())
