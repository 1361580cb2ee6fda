"""Starting, watching and steering jobs, wherever their actors are."""

import asyncio
import datetime as dt
from pathlib import Path

import pytest

from orchestrator import backfill_jobs
from orchestrator.backfill import (
    BackfillRefused,
    JobState,
    cut_off_jobs,
    job_folder,
    read_transactions,
    standing,
    want,
)
from orchestrator.backfill.ledger import Ledger
from orchestrator.backfill.places import RUNNING, held
from orchestrator.domain import ErrorType, NotRunning, RequestRefused, StoreError
from tests.support.backfill_jobs import JobsAtOnce
from tests.support.backfill_router import PagedRouter, accounts, failing


async def test_a_job_is_made_started_and_reported(tmp_path: Path) -> None:
    """Its actor is asked for once, and the report has every item."""
    at_once = JobsAtOnce(tmp_path, PagedRouter())

    report = await at_once.jobs.run(accounts(6), job_id="job", progress=False)

    assert ["job"] == at_once.started
    assert (JobState.DONE, 6, 0, 0) == (report.state, report.done, report.failed, report.skipped)
    assert 12 == len(read_transactions(tmp_path))


async def test_the_same_job_again_skips_what_is_done(tmp_path: Path) -> None:
    """And asks once more for what failed."""
    refused = failing(ErrorType.VALIDATION)
    router = PagedRouter(trouble=lambda a, time: refused if a == "acc_2" and time == 1 else None)
    at_once = JobsAtOnce(tmp_path, router)

    first = await at_once.jobs.run(accounts(4), job_id="job", progress=False)
    again = await at_once.jobs.run(accounts(4), job_id="job", progress=False)

    assert (3, 1, 0) == (first.done, first.failed, first.skipped)
    assert (1, 0, 3) == (again.done, again.failed, again.skipped)


async def test_without_waiting_the_report_is_as_the_job_stands(tmp_path: Path) -> None:
    """For notebooks that start many."""
    at_once = JobsAtOnce(tmp_path, PagedRouter(), deaf=1)

    report = await at_once.jobs.run(accounts(3), job_id="job", wait=False)

    assert (JobState.RUNNING, 0) == (report.state, report.done)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"region": "XX"}, "region is none of MX, US"),
        ({"job_id": "../up"}, "job_id"),
        ({"max_in_flight": 0}, "max_in_flight must be 1"),
        ({"deadline_ms": 1}, "deadline_ms must be 100"),
        ({"max_tries": 0}, "max_tries"),
        ({"max_wait_s": -1.0}, "max_wait_s"),
        ({"start_date": "soon"}, "start_date is not a date"),
        ({"operation": "createLink"}, "operation must be getAccounts or syncTransactions"),
    ],
)
async def test_wrong_options_are_refused_and_nothing_is_begun(
    tmp_path: Path, options: dict[str, object], words: str
) -> None:
    """Each names what is wrong."""
    at_once = JobsAtOnce(tmp_path, PagedRouter())

    with pytest.raises(BackfillRefused, match=words):
        await at_once.jobs.run(accounts(1), **options)  # type: ignore[arg-type]

    assert ([], ()) == (at_once.started, at_once.jobs.all())


async def test_an_operation_that_there_is_not_is_refused(tmp_path: Path) -> None:
    """With the names of those there are."""
    at_once = JobsAtOnce(tmp_path, PagedRouter())

    with pytest.raises(RequestRefused, match="syncTransactions"):
        await at_once.jobs.run(accounts(1), operation="getEverything")


async def test_a_changed_input_is_refused_and_the_job_stays_as_it_is(tmp_path: Path) -> None:
    """Nothing is started for it."""
    at_once = JobsAtOnce(tmp_path, PagedRouter())
    await at_once.jobs.run(accounts(2), job_id="job", progress=False)

    with pytest.raises(BackfillRefused, match="another input"):
        await at_once.jobs.run(accounts(3), job_id="job", progress=False)

    assert ["job"] == at_once.started
    assert (JobState.DONE, 2) == (at_once.jobs.status("job").state, at_once.jobs.status("job").done)


async def test_days_may_be_dates(tmp_path: Path) -> None:
    """As an analyst has them."""
    at_once = JobsAtOnce(tmp_path, PagedRouter(), deaf=1)

    await at_once.jobs.run(accounts(1), job_id="job", start_date=dt.date(2025, 1, 1), wait=False)

    assert "2025-01-01" == Ledger(job_folder(tmp_path, "job")).plan().start_date


@pytest.mark.parametrize("ask", ["status", "pause", "cancel", "resume"])
def test_a_job_that_there_is_not_is_told(tmp_path: Path, ask: str) -> None:
    """Whatever is asked of it."""
    at_once = JobsAtOnce(tmp_path, PagedRouter())

    with pytest.raises(BackfillRefused, match="there is no job 'none'"):
        getattr(at_once.jobs, ask)("none")

    assert [] == at_once.started


async def test_a_job_is_paused_resumed_and_cancelled(tmp_path: Path) -> None:
    """Where no process is at it, at once; only a resume needs its actor."""
    at_once = JobsAtOnce(tmp_path, PagedRouter(), deaf=1)
    await at_once.jobs.run(accounts(3), job_id="job", wait=False)

    paused = at_once.jobs.pause("job")
    watched = await at_once.jobs.watch("job", progress=False)
    await asyncio.to_thread(at_once.jobs.resume, "job")
    done = at_once.jobs.status("job")

    assert (JobState.PAUSED, JobState.PAUSED) == (paused.state, watched.state)
    assert ["job", "job"] == at_once.started
    assert (JobState.DONE, 3) == (done.state, done.done)
    with pytest.raises(BackfillRefused, match="is done: run it again"):
        at_once.jobs.cancel("job")


async def test_whoever_watches_asks_again_for_an_actor_that_does_not_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one whose node died while it started."""
    monkeypatch.setattr(backfill_jobs, "_MISSED_AFTER_S", -1.0)
    monkeypatch.setattr(backfill_jobs, "_LOOK_EVERY_S", 0.0)
    at_once = JobsAtOnce(tmp_path, PagedRouter(), deaf=2)

    report = await at_once.jobs.run(accounts(2), job_id="job", progress=False)

    assert ["job"] * 3 == at_once.started
    assert (JobState.DONE, 2) == (report.state, report.done)


async def test_an_actor_that_never_comes_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than waited for without end."""
    monkeypatch.setattr(backfill_jobs, "_GIVE_UP_AFTER_S", -1.0)
    at_once = JobsAtOnce(tmp_path, PagedRouter(), deaf=1)

    with pytest.raises(NotRunning, match="does not start"):
        await at_once.jobs.run(accounts(2), job_id="job", progress=False)


async def test_a_job_that_failed_itself_is_told_with_its_reason(tmp_path: Path) -> None:
    """And can be resumed."""
    (tmp_path / "transactions").write_text("in the way of the folder")
    at_once = JobsAtOnce(tmp_path, PagedRouter())

    with pytest.raises(StoreError, match=r"job .job. failed and can be resumed: .*transactions"):
        await at_once.jobs.run(accounts(2), job_id="job", progress=False)
    (tmp_path / "transactions").unlink()
    await asyncio.to_thread(at_once.jobs.resume, "job")

    assert (JobState.DONE, 2) == (at_once.jobs.status("job").state, at_once.jobs.status("job").done)


async def test_only_jobs_that_should_run_and_have_no_process_are_taken_up(tmp_path: Path) -> None:
    """Not those that are paused, over or failed, nor one that a process is at."""
    at_once = JobsAtOnce(tmp_path, PagedRouter(), deaf=10)
    for job_id in ("cut-off", "paused", "cancelled", "failed", "running"):
        await at_once.jobs.run(accounts(2), job_id=job_id, wait=False)
    want(tmp_path, "paused", JobState.PAUSED)
    want(tmp_path, "cancelled", JobState.CANCELLED)
    Ledger(job_folder(tmp_path, "failed")).end(JobState.FAILED, 0.0, "the disk is full")
    done = JobsAtOnce(tmp_path, PagedRouter())
    await done.jobs.run(accounts(2), job_id="done", progress=False)

    with held(job_folder(tmp_path, "running"), RUNNING):
        found = cut_off_jobs(tmp_path)

    assert ("cut-off",) == found
    assert () == cut_off_jobs(tmp_path / "elsewhere")


async def test_a_job_that_died_while_it_was_being_paused_is_taken_up_to_pause(
    tmp_path: Path,
) -> None:
    """What it had read is published; nothing more is asked for."""
    router = PagedRouter()
    at_once = JobsAtOnce(tmp_path, router, deaf=1)
    await at_once.jobs.run(accounts(2), job_id="job", wait=False)
    Ledger(job_folder(tmp_path, "job")).note(wanted=JobState.PAUSED)

    taken_up = cut_off_jobs(tmp_path)
    await asyncio.to_thread(at_once.start, "job")

    assert ("job",) == taken_up
    assert [] == router.asked
    assert JobState.PAUSED is standing(job_folder(tmp_path, "job")).state
