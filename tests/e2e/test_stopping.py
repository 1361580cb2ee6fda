"""How a served system ends when more than its own process is told to, or when its Ray is gone."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.e2e.journeys import Caller
from tests.support.serving import Serving
from tests.support.serving import serving as start_serving

pytestmark = pytest.mark.ray

WITHIN_S = 15.0
"""Of these, a machine with two processors and other work takes a third."""


@pytest.fixture
def stopping(tmp_path: Path) -> Iterator[Serving]:
    """A system of a test's own, with the fixture's data."""
    with start_serving(tmp_path) as system:
        yield system


def answered(system: Serving) -> list[str]:
    """Ids of requests that were answered."""
    caller = Caller(system)
    caller.link("plaid", "ins_chase")
    ids = [
        str(caller.operate("getAccounts", {"institutionId": "ins_chase"}).json()["requestId"])
        for _ in range(5)
    ]
    caller.close()
    return ids


def logged(system: Serving) -> str:
    """What the log of a stopped system tells of its requests."""
    told = system.command("attempts", "--sql", "select request_id from attempts")
    assert told.returncode == 0, told.stderr
    return told.stdout


def test_a_signal_to_the_whole_group_stops_it_in_order(stopping: Serving) -> None:
    """Ctrl-C in a terminal, or `timeout make serve`: it drains, ends with 0, and leaves nothing."""
    ids = answered(stopping)
    left = psutil.Process(stopping.process.pid).children(recursive=True)
    began = time.monotonic()
    os.killpg(stopping.process.pid, signal.SIGTERM)
    code = stopping.process.wait(WITHIN_S)

    assert code == 0, stopping.lines
    assert time.monotonic() - began < WITHIN_S
    told = "\n".join(stopping.lines)
    assert "Ray Serve stopped" in told
    assert "attempt log and vault closed" in told
    assert [] == psutil.wait_procs(left, timeout=WITHIN_S)[1]
    assert not [row for row in ids if row not in logged(stopping)]


def test_without_ray_it_stops_all_the_same_and_loses_nothing(stopping: Serving) -> None:
    """Ray's own processes killed: SIGTERM ends it in seconds; what was answered is in the log."""
    ids = answered(stopping)
    left = psutil.Process(stopping.process.pid).children(recursive=True)
    for process in left:
        if process.name() in {"raylet", "gcs_server"}:
            process.kill()
    began = time.monotonic()
    stopping.process.send_signal(signal.SIGTERM)
    code = stopping.process.wait(WITHIN_S)

    assert code == 0, stopping.lines
    assert time.monotonic() - began < WITHIN_S
    assert [] == psutil.wait_procs(left, timeout=WITHIN_S)[1]
    assert not [row for row in ids if row not in logged(stopping)]
