"""`backfill` and `backfills`, without a system behind them."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from orchestrator.backfill import BackfillRefused
from orchestrator.cli import app, bulk
from orchestrator.domain import ErrorType, RequestRefused
from tests.support.backfill_jobs import JobsAtOnce, JoinedAtOnce
from tests.support.backfill_router import PagedRouter, accounts, failing

Join = Callable[[PagedRouter, int], None]


@pytest.fixture(autouse=True)
def data_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A data folder that the settings name, with an input of four accounts, one of them twice."""
    monkeypatch.setenv("ORCHESTRATOR_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "300")
    pd.concat([accounts(4), accounts(1)]).to_csv(tmp_path / "accounts.csv", index=False)
    return tmp_path / "data"


@pytest.fixture
def join(monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> Join:
    """Has commands join jobs over a router that are run at once, but for the first few."""

    def joined(router: PagedRouter, deaf: int = 0) -> None:
        at_once = JobsAtOnce(data_dir, router, deaf=deaf)
        monkeypatch.setattr(bulk, "_joined", lambda: JoinedAtOnce(at_once))

    return joined


def run(*arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, list(arguments))


def test_a_backfill_is_run_and_its_report_is_printed(join: Join, data_dir: Path) -> None:
    """With what was done, and what the input repeats."""
    join(PagedRouter(), 0)

    told = run("backfill", str(data_dir.parent / "accounts.csv"), "--job-id", "j", "--no-progress")

    assert 0 == told.exit_code, told.output
    assert "job j: done; done 4, failed 0, skipped 0; 8 rows in 4 attempts" in told.output
    assert "1 rows of the input repeat an item" in told.output


def test_failures_are_printed_and_written_and_the_exit_code_says_so(
    join: Join, data_dir: Path
) -> None:
    """Each with its row, its ids and the reason."""
    unknown = failing(ErrorType.NOT_FOUND)
    join(PagedRouter(trouble=lambda a, _time: unknown if a == "acc_3" else None), 0)
    path = data_dir.parent / "failures.csv"

    told = run(
        *("backfill", str(data_dir.parent / "accounts.csv"), "--job-id", "j", "--no-progress"),
        *("--failures", str(path)),
    )

    assert 1 == told.exit_code
    assert "done 3, failed 1" in told.output
    assert "row 4: space_1 acc_3: not_found NOT_FOUND: no" in told.output
    assert [(4, "acc_3")] == list(
        pd.read_csv(path)[["row", "accountId"]].itertuples(index=False, name=None)
    )


def test_the_first_failures_are_printed_and_the_others_counted(join: Join, data_dir: Path) -> None:
    """A night's failures are for the file."""
    accounts(30).to_csv(data_dir.parent / "many.csv", index=False)
    join(PagedRouter(trouble=lambda _account, _time: failing(ErrorType.NOT_FOUND)), 0)

    told = run("backfill", str(data_dir.parent / "many.csv"), "--no-progress")

    assert 1 == told.exit_code
    assert 10 == told.output.count("NOT_FOUND")
    assert "and 20 more" in told.output


def test_wrong_rows_refuse_the_job_unless_they_are_to_be_skipped(
    join: Join, data_dir: Path
) -> None:
    """Then they fail in its report."""
    path = data_dir.parent / "wrong.csv"
    accounts(3).assign(accountId=["a", "b c", "d"]).to_csv(path, index=False)
    join(PagedRouter(), 0)

    refused = run("backfill", str(path), "--no-progress")
    told = run("backfill", str(path), "--no-progress", "--skip-bad-rows")

    assert isinstance(refused.exception, BackfillRefused)
    assert "row 2: accountId is not an identifier" in str(refused.exception)
    assert 1 == told.exit_code
    assert "done 2, failed 1" in told.output
    assert "row 2: space_0 b c: validation INVALID_ROW" in told.output


def test_another_input_under_a_jobs_name_is_refused(join: Join, data_dir: Path) -> None:
    """The job stays as it is."""
    path = data_dir.parent / "accounts.csv"
    join(PagedRouter(), 0)
    run("backfill", str(path), "--job-id", "j", "--no-progress")
    accounts(5).to_csv(path, index=False)

    refused = run("backfill", str(path), "--job-id", "j", "--no-progress")

    assert isinstance(refused.exception, BackfillRefused)
    assert "started with another input" in str(refused.exception)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--region", "XX"), "region is none of"),
        (("--max-in-flight", "0"), "max_in_flight"),
        (("--start-date", "soon"), "start_date is not a date"),
        (("--operation", "createLink"), "operation must be"),
        (("--operation", "readAll"), "there is no operation of that name"),
        (("--job-id", "a b"), "job_id"),
    ],
)
def test_wrong_options_are_refused(
    join: Join, data_dir: Path, arguments: tuple[str, str], words: str
) -> None:
    """Nothing is begun."""
    join(PagedRouter(), 0)

    refused = run("backfill", str(data_dir.parent / "accounts.csv"), *arguments)

    assert isinstance(refused.exception, BackfillRefused | RequestRefused)
    assert words in str(refused.exception)
    assert "no jobs" in run("backfills").output


def test_arguments_of_the_wrong_kind_are_usage_errors() -> None:
    """A missing file argument, and text where a number belongs."""
    assert 2 == run("backfill").exit_code
    assert 2 == run("backfill", "a.csv", "--max-in-flight", "many").exit_code


def test_a_file_that_there_is_not_is_told(join: Join, data_dir: Path) -> None:
    """By its name."""
    join(PagedRouter(), 0)

    refused = run("backfill", str(data_dir.parent / "none.csv"), "--no-progress")

    assert isinstance(refused.exception, BackfillRefused)
    assert "none.csv is no file" in str(refused.exception)


def test_jobs_are_listed_paused_resumed_and_cancelled(join: Join, data_dir: Path) -> None:
    """A running job without a process is said to be cut off."""
    join(PagedRouter(), 1)
    path = data_dir.parent / "accounts.csv"
    with JoinedAtOnce(JobsAtOnce(data_dir, PagedRouter(), deaf=9)) as joined:
        joined.backfill(path, job_id="night", wait=False)
        joined.backfill(path, job_id="other", wait=False)

    listed = run("backfills")
    paused = run("backfills", "--pause", "night")
    cancelled = run("backfills", "--cancel", "other", "--json")
    join(PagedRouter(), 0)
    resumed = run("backfills", "--resume", "night", "--json")

    assert 2 == listed.output.count("cut off")
    assert "paused" in paused.output
    assert {"night": "paused", "other": "cancelled"} == _states(cancelled)
    assert {"night": "done", "other": "cancelled"} == _states(resumed)


def _states(told: Result) -> dict[str, str]:
    return {job["jobId"]: job["state"] for job in json.loads(told.output)}


@pytest.mark.parametrize("option", ["--pause", "--resume", "--cancel"])
def test_a_job_that_there_is_not_is_told(join: Join, option: str) -> None:
    """Whatever is asked of it."""
    join(PagedRouter(), 0)

    refused = run("backfills", option, "none")

    assert isinstance(refused.exception, BackfillRefused)
    assert "there is no job 'none'" in str(refused.exception)
