"""A backfill whose notebook, actor, provider, log and whole machine are killed at random.

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
from contextlib import ExitStack, contextmanager, suppress
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
[providers.mx.limits]
enabled = false
"""
PROVIDER = "mx"
"""Serves all items. It answers for single days; Plaid's feed would be read whole for each."""
JOB = "chaos"
SPACES = 5
ITEMS_PER_SPACE = 1_000
"""Beyond that further spaces are linked: a longer past than the sandbox's has no movements."""
PARTS = ("notebook", "BackfillActor", "provider", "AttemptLogActor")
"""Of the system and around it, each killed as often as the others; `provider` is the one that all
items need."""
MACHINE = "machine"
"""All of them at once, and all else of the system; it is started anew over the same data."""
MACHINE_EVERY = 25
"""Kills: a start takes half a minute."""
STARTS = 3
"""Tries of a start."""
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
    """What a chaotic job came to; `missed` are kills of what had not come up again yet."""

    items: int
    kills: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
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
        caller.link(PROVIDER, "ins_chase")
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


class Machine:
    """A system over a sandbox that outlives it, started anew over its data when it is killed."""

    def __init__(self, folder: Path, sandbox_url: str) -> None:
        self._folder, self._sandbox_url = folder, sandbox_url
        self._stack = ExitStack()
        self.system = self._start()

    def _start(self) -> Serving:
        for _ in range(STARTS - 1):
            # A port that was free is sometimes taken by the time that the system listens on it.
            with suppress(AssertionError):
                return self._started()
        return self._started()

    def _started(self) -> Serving:
        return self._stack.enter_context(
            serving(self._folder, CONFIG, sandbox_url=self._sandbox_url)
        )

    def kill(self) -> None:
        """End every process of it at once; another system takes its place."""
        self.system.kill()
        self._stack.close()
        self.system = self._start()

    def kill_part(self, part: str) -> bool:
        """End one process of it; whether there was one."""
        process = self._process_of(part)
        if process is None:
            return False
        with suppress(psutil.NoSuchProcess):
            process.kill()
            return True
        return False

    def _process_of(self, part: str) -> psutil.Process | None:
        title = "ray::ProviderActor" if part == "provider" else f"ray::{part}"
        owner = f"provider-{PROVIDER}-"
        spools = (self.system.data_dir / "spool").glob(f"{owner}*.spool")
        owners = {int(path.name.removeprefix(owner).split("-")[0]) for path in spools}
        for process in self.system.processes():
            with suppress(psutil.Error):
                if not " ".join(process.cmdline()).startswith(title):
                    continue
                if part != "provider" or process.pid in owners:
                    return process
        return None

    def close(self) -> None:
        """Stop it."""
        self._stack.close()


@contextmanager
def machine(folder: Path, sandbox_url: str) -> Iterator[Machine]:
    """A machine that is stopped whatever happens."""
    running = Machine(folder, sandbox_url)
    try:
        yield running
    finally:
        running.close()


class _Notebook:
    """The process in which the job was started and is watched; started anew when it dies."""

    def __init__(self, on: Machine, path: Path) -> None:
        self._machine, self._path = on, path
        self._process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-c", _NOTEBOOK, str(self._path), JOB],
            env=self._machine.system.environ,
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
def _notebook(on: Machine, path: Path) -> Iterator[_Notebook]:
    notebook = _Notebook(on, path)
    try:
        yield notebook
    finally:
        notebook.close()


def run(
    on: Machine,
    items: int,
    kills: int,
    *,
    seed: int = 7,
    parts: Sequence[str] = PARTS,
    machine_every: int = MACHINE_EVERY,
    longest_s: float = 3600.0,
) -> Outcome:
    """Run a job of so many items with so many kills spread over it.

    Args:
        on: where.
        items: of the job.
        kills: at most; the job may be over before.
        seed: of what is killed when.
        parts: what is killed.
        machine_every: each so manieth kill is of the whole machine; 0 for none.
        longest_s: for the job.

    """
    rng, outcome = Random(seed), Outcome(items)
    spaces = max(SPACES, items // ITEMS_PER_SPACE)
    frame, expected = items_of(on.system, items, spaces)
    path = on.system.data_dir / "chaos.parquet"
    frame.to_parquet(path)
    began = time.monotonic()
    victims = _victims(rng, parts, machine_every)
    with _notebook(on, path) as notebook:
        while (number := sum(outcome.kills.values())) < kills:
            left_s = longest_s - (time.monotonic() - began)
            over = _reached(on.system, (number + rng.random()) * items / kills, left_s)
            if over:
                break
            part = next(victims)
            if part == MACHINE:
                on.kill()
            if part in (MACHINE, "notebook"):
                notebook.kill()
            elif not on.kill_part(part):
                outcome.missed[part] += 1
                continue
            outcome.kills[part] += 1
            _tell(on.system, outcome)
        left_s = longest_s - (time.monotonic() - began)
        assert notebook.ended_well(left_s), f"the job does not end: {outcome}"
    outcome.seconds = time.monotonic() - began
    return _counted(on.system, outcome, expected)


def _victims(rng: Random, parts: Sequence[str], machine_every: int) -> Iterator[str]:
    """Who is killed next, for ever: every part once in a round, in a new order each time."""
    number = 0
    while True:
        for part in rng.sample(list(parts), len(parts)):
            number += 1
            if machine_every and number % machine_every == 0:
                yield MACHINE
            else:
                yield part


def _tell(system: Serving, outcome: Outcome) -> None:
    """Say on standard error how far it is, for whoever runs it by hand."""
    with suppress(BackfillRefused):
        job = standing(folder_of(system.data_dir, JOB))
        done = job.done + job.skipped
        sys.stderr.write(f"{dict(outcome.kills)}: {done} done, {job.failed} failed\n")


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
    arguments.add_argument("--machine-every", type=int, default=MACHINE_EVERY)
    arguments.add_argument("--longest-s", type=float, default=7200.0)
    asked = arguments.parse_args()
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        sandbox = SandboxProcess(free_port(), 7, folder)
        try:
            sandbox.wait_ready()
            with machine(folder, sandbox.url) as on:
                outcome = run(
                    on,
                    asked.items,
                    asked.kills,
                    seed=asked.seed,
                    parts=asked.parts,
                    machine_every=asked.machine_every,
                    longest_s=asked.longest_s,
                )
        finally:
            sandbox.stop()
    sys.stdout.write(f"{outcome}\n{'whole' if outcome.is_whole else 'NOT WHOLE'}\n")
    return 0 if outcome.is_whole else 1


if __name__ == "__main__":
    sys.exit(main())
