"""A job's process is killed again and again, at any moment, and nothing is lost or doubled."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random
from threading import Event

import pyarrow.parquet as pq

from orchestrator.backfill import (
    BackfillPlan,
    JobState,
    read_transactions,
    report,
    standing,
)
from orchestrator.backfill.places import row_files
from tests.support.backfill_router import accounts, prepared

ITEMS = 1200
PAGES = 3
KILLS = 25
LONGEST_LIFE_S = 3.0
SEED = 20_261_125
_PROGRAM = """
import os, sys
from pathlib import Path
from tests.properties.test_backfill_kills import serve_children
serve_children(Path(sys.argv[1]))
"""


def serve_children(folder: Path) -> None:
    """In a process of its own: fork a child that runs the job for each line read, and tell its pid.

    Forked ones begin at once, as everything is imported and nothing is started here.
    """
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os._exit(_run(folder))
        _say(pid)
        _, status = os.waitpid(pid, 0)
        _say(os.waitstatus_to_exitcode(status))


def _say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _run(folder: Path) -> int:
    from orchestrator.backfill import BackfillRun
    from orchestrator.domain import SystemClock
    from tests.support.backfill_router import PagedRouter, request_of

    router = PagedRouter(pages=PAGES)
    run = BackfillRun(
        folder, router.execute, request_of, SystemClock(), rng=Random(1), publish_every_s=0.0
    )
    return 0 if asyncio.run(run.run()) is JobState.DONE else 1


def _let_live(folder: Path, rng: Random) -> None:
    """Wait until some more items are done, or for a while, and for a moment more."""
    until = time.monotonic() + LONGEST_LIFE_S
    wanted = standing(folder).done + rng.randint(0, 2 * ITEMS // KILLS)
    while time.monotonic() < until and standing(folder).done < min(wanted, ITEMS - 1):
        Event().wait(0.002)
    Event().wait(rng.uniform(0.0, 0.1))


def test_a_job_survives_kills_at_any_moment(tmp_path: Path) -> None:
    """Twenty-five kills at random moments: each account is done once, each row is there once."""
    rng = Random(SEED)
    folder = prepared(tmp_path, accounts(ITEMS), BackfillPlan("job", max_in_flight=32))
    nursery = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    kills, over, done_at_kills = 0, False, []
    while not over:
        nursery.stdin.write("go\n")
        nursery.stdin.flush()
        pid = int(nursery.stdout.readline())
        if kills < KILLS:
            _let_live(folder, rng)
            os.kill(pid, signal.SIGKILL)
        exit_code = int(nursery.stdout.readline())
        if exit_code == -signal.SIGKILL:
            kills += 1
            done_at_kills.append(report(folder).done)
        over = standing(folder).state is not JobState.RUNNING
    nursery.stdin.close()
    assert 0 == nursery.wait(30)
    nursery.stdout.close()
    told = report(folder)
    frame = read_transactions(tmp_path)
    files = [pq.read_table(path) for path in row_files(tmp_path / "transactions")]
    written = Counter(one for table in files for one in table["transactionId"].to_pylist())

    assert kills >= KILLS
    assert len(set(done_at_kills)) > KILLS / 4, done_at_kills
    assert (JobState.DONE, ITEMS, 0) == (told.state, told.done + told.skipped, told.failed)
    assert 2 * PAGES * ITEMS == told.transactions == len(frame) == frame["transactionId"].nunique()
    assert 2 * PAGES * ITEMS == len(written)
    assert {1} == set(written.values())
    assert not list(tmp_path.rglob("*.draft"))
