"""A backfill goes on through kills of everything around it, and of itself."""

from pathlib import Path
from threading import Event

import pandas as pd
import pytest

from orchestrator.backfill import JobState, job_folder, standing
from tests.chaos.backfill_kills import CONFIG, items_of, machine, run
from tests.support.serving import Serving, serving

pytestmark = pytest.mark.ray

ITEMS = 600
KILLS = 8
LONG_ITEMS = 2_000
"""So many, two at a time, that a job is still under way when the programs beside it have ended."""
IN_MID_JOB = 40
ENDS_WITHIN_S = 240.0
LOOK_EVERY_S = 0.1
BEGIN = """
from orchestrator import Orchestrator
with Orchestrator.connect_sync(start=False) as orchestrator:
    orchestrator.backfill({path!r}, job_id={job!r}, max_in_flight=2, progress=False, wait=False)
"""
PAUSE = """
from orchestrator import Orchestrator
with Orchestrator.connect_sync(start=False) as orchestrator:
    orchestrator.pause_backfill({job!r})
"""


def test_killed_notebooks_actors_providers_logs_and_machines_cost_a_backfill_nothing(
    tmp_path: Path, sandbox_url: str
) -> None:
    """Random kills over a job: no item lost, none done twice, no transaction lost or doubled."""
    with machine(tmp_path, sandbox_url) as on:
        outcome = run(on, ITEMS, KILLS, machine_every=KILLS - 1, longest_s=420.0)

    assert outcome.is_whole, outcome
    assert outcome.kills["provider"] > 0, outcome
    assert sum(outcome.kills.values()) > KILLS / 2, outcome


def _wait_until_done(system: Serving, job: str, items: int) -> None:
    """Return once so many of the job's items are done."""
    for _ in range(int(ENDS_WITHIN_S / LOOK_EVERY_S)):
        if standing(job_folder(system.data_dir, job)).done >= items:
            return
        Event().wait(LOOK_EVERY_S)
    raise AssertionError(f"{job}: {standing(job_folder(system.data_dir, job))}")


def test_a_system_takes_up_by_itself_what_its_end_has_cut_off(
    tmp_path: Path, sandbox_url: str
) -> None:
    """After a kill of everything a running job goes on unasked; a paused one stays where it was."""
    with serving(tmp_path, CONFIG, sandbox_url=sandbox_url) as system:
        frame, _ = items_of(system, LONG_ITEMS, spaces=2)
        _begin(system, frame, "paused")
        _wait_until_done(system, "paused", 1)
        assert 0 == system.python(PAUSE.format(job="paused")).returncode
        _begin(system, frame, "running")
        _wait_until_done(system, "running", IN_MID_JOB)
        system.kill()
    cut_off = standing(job_folder(system.data_dir, "running"))
    with serving(tmp_path, CONFIG, sandbox_url=sandbox_url) as system:
        _wait_until_done(system, "running", LONG_ITEMS)
        paused = standing(job_folder(system.data_dir, "paused"))

    assert (JobState.RUNNING, False) == (cut_off.state, cut_off.alive)
    assert IN_MID_JOB <= cut_off.done < LONG_ITEMS
    assert (JobState.PAUSED, False) == (paused.state, paused.alive)
    assert 1 <= paused.done < LONG_ITEMS
    assert any("running goes on" in line for line in system.lines)


def _begin(system: Serving, frame: pd.DataFrame, job: str) -> None:
    path = system.data_dir / f"{job}.parquet"
    frame.to_parquet(path)
    begun = system.python(BEGIN.format(path=str(path), job=job))
    assert 0 == begun.returncode, begun.stderr
