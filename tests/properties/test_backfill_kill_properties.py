"""A job's process is killed again and again, at any moment, and nothing is lost or doubled."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import pyarrow.parquet as pq

from orchestrator.backfill import (
    BackfillPlan,
    BackfillRun,
    JobState,
    read_transactions,
    report,
    standing,
)
from orchestrator.backfill.places import row_files
from orchestrator.domain import OperationRequest, OperationResult, SystemClock
from tests.support.backfill_router import PagedRouter, accounts, prepared, request_of

ITEMS = 800
PAGES = 2
TAKES_S = 0.06
KILLS = 30
LONGEST_LIFE = 80
"""In moments: requests, and files of the job's that are opened, renamed or removed."""
LONGEST_LIFE_OF_FILES = 8
"""In files that are renamed or removed, in every second life."""
MOMENTS = ("open", "os.rename", "os.remove")
OF_FILES = MOMENTS[1:]
SEED = 20_261_125
_PROGRAM = """
import sys
from pathlib import Path
from tests.properties.test_backfill_kill_properties import serve_children
serve_children(Path(sys.argv[1]))
"""


def serve_children(folder: Path) -> None:
    """In a process of its own: for each number read, fork a child that runs the job for so long.

    Forked ones begin at once, as everything is imported and nothing is started here.
    """
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os._exit(_run(folder, int(line)))
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


class _Mortal(PagedRouter):
    """A router in a process that is killed after so many moments; 0 lets it live.

    A negative number counts files only.
    """

    def __init__(self, data_dir: Path, moments: int) -> None:
        super().__init__(pages=PAGES)
        self._data_dir = str(data_dir)
        self._left = abs(moments)
        self._moments = MOMENTS if moments > 0 else OF_FILES
        if moments:
            sys.addaudithook(self._see)

    def _see(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in self._moments and str(arguments[0]).startswith(self._data_dir):
            self._age()

    async def execute(self, request: OperationRequest) -> OperationResult:
        """Serve one request, unless it is the last moment."""
        if self._moments is MOMENTS:
            self._age()
        # Idle meanwhile, as one that waits for a vendor is: the thread that writes needs its turns.
        await asyncio.sleep(TAKES_S)
        return await super().execute(request)

    def _age(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def _run(folder: Path, moments: int) -> int:
    run = BackfillRun(
        folder,
        _Mortal(folder.parent.parent, moments).execute,
        request_of,
        SystemClock(),
        rng=Random(1),
        publish_every_s=0.0,
    )
    return 0 if asyncio.run(run.run()) is JobState.DONE else 1


def test_a_job_survives_kills_at_any_moment(tmp_path: Path) -> None:
    """Thirty kills, also amid commits, publications and merges: each account and row is there once."""
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
    done_at_kills = []
    while standing(folder).state is JobState.RUNNING:
        kills = len(done_at_kills)
        moments = rng.randint(1, LONGEST_LIFE) * (kills < KILLS)
        if kills % 2:
            moments = -rng.randint(1, LONGEST_LIFE_OF_FILES) * (kills < KILLS)
        nursery.stdin.write(f"{moments}\n")
        nursery.stdin.flush()
        exit_code = int(nursery.stdout.readline())
        assert exit_code in (0, -signal.SIGKILL)
        if exit_code:
            done_at_kills.append(report(folder).done)
    nursery.stdin.close()
    assert 0 == nursery.wait(30)
    nursery.stdout.close()
    told = report(folder)
    frame = read_transactions(tmp_path)
    files = [pq.read_table(path) for path in row_files(tmp_path / "transactions")]
    written = Counter(one for table in files for one in table["transactionId"].to_pylist())

    assert len(done_at_kills) > KILLS / 3, done_at_kills
    assert len(set(done_at_kills)) > 2, done_at_kills
    assert (JobState.DONE, ITEMS, 0) == (told.state, told.done + told.skipped, told.failed)
    assert 2 * PAGES * ITEMS == told.transactions == len(frame) == frame["transactionId"].nunique()
    assert 2 * PAGES * ITEMS == len(written)
    assert {1} == set(written.values())
    assert not list(folder.glob(".*.draft"))
