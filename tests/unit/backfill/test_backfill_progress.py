"""What people see of a job that runs."""

from dataclasses import replace

import pytest

from orchestrator.backfill import JobStanding, JobState
from orchestrator.backfill.pace import Pace
from orchestrator.backfill.progress import described, progress_bar
from orchestrator.backfill.schedule import Schedule

JOB = JobStanding(
    job_id="nightly",
    operation="syncTransactions",
    region="US",
    state=JobState.RUNNING,
    wanted=JobState.RUNNING,
    alive=True,
    total=100,
    done=40,
    failed=2,
    skipped=10,
    stale=0,
    duplicates=0,
    attempts=50,
    rows=1000,
    providers={"mx": 10, "plaid": 30},
    waiting=7,
    waiting_on_limits=5,
    rate_per_s=12.34,
    time_left_s=3_700.0,
)


def test_a_bar_tells_failures_rate_time_left_shares_and_waits() -> None:
    """Everything that an operator asks for, in one line."""
    assert (
        "2 failed · 12.3/s · 1:01:40 left · plaid 75%, mx 25% · 5 waiting on limits · "
        "2 waiting for another try"
    ) == described(JOB)


def test_a_job_that_is_being_paused_says_so() -> None:
    """Where it is, and where it is wanted."""
    pausing = replace(JOB, wanted=JobState.PAUSED, rate_per_s=None, time_left_s=61.0)

    assert "to be paused" in described(pausing)
    assert "1:01 left" in described(pausing)


def test_a_terminal_gets_a_bar_with_the_jobs_name(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, as results go to standard output."""
    with progress_bar() as bar:
        bar.show(JOB)
    told = capsys.readouterr()

    assert "" == told.out
    assert "nightly" in told.err
    assert "52/100" in told.err


def test_no_bar_is_shown_when_none_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing at all."""
    with progress_bar(shown=False) as bar:
        bar.show(JOB)
    told = capsys.readouterr()

    assert ("", "") == (told.out, told.err)


def test_the_rate_is_of_the_last_half_minute() -> None:
    """An hour of ten a second and a minute of none is none."""
    pace = Pace(0.0)
    for second in range(1, 121):
        pace.note(float(second), 10)
    fast = pace.rate(120.0)
    for second in range(121, 181):
        pace.note(float(second), 0)

    assert 10.0 == pytest.approx(fast)
    assert 0.0 == pace.rate(180.0)
    assert '"timeLeftS": null' in pace.live(180.0, at=0.0, left=5, schedule=Schedule(1))
