"""`backfill` and `backfills`: bulk jobs, started and watched, listed and steered."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.table import Table

from orchestrator.settings import load_settings

from .console import errors, output

if TYPE_CHECKING:
    from orchestrator.backfill import BackfillReport, JobStanding
    from orchestrator.client import SyncOrchestrator

__all__ = ["register"]

_SHOWN_FAILURES: Final = 10


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(backfill)
    app.command()(backfills)


def backfill(  # noqa: PLR0917  typer makes options of keyword and positional ones alike
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV or Parquet with spaceId and accountId (or institutionId, connectionId); "
            "startDate, endDate, deadlineMs and preferredProvider where they are there."
        ),
    ],
    operation: Annotated[str, typer.Option(help="syncTransactions or getAccounts.")] = (
        "syncTransactions"
    ),
    job_id: Annotated[
        str | None,
        typer.Option(help="Names the job; the same one resumes. Left out, the input names it."),
    ] = None,
    region: Annotated[str, typer.Option(help="Of the candidates.")] = "US",
    max_in_flight: Annotated[int, typer.Option(help="Operations under way at once.")] = 200,
    start_date: Annotated[
        str | None, typer.Option(help="First day, YYYY-MM-DD; the last 90 days when left out.")
    ] = None,
    end_date: Annotated[str | None, typer.Option(help="Last day, YYYY-MM-DD.")] = None,
    skip_bad_rows: Annotated[
        bool, typer.Option(help="Let rows that cannot be asked for fail instead of the job.")
    ] = False,
    failures: Annotated[
        Path | None, typer.Option(help="Write what failed, with the reasons, to this CSV file.")
    ] = None,
    progress: Annotated[bool, typer.Option(help="Show a bar.")] = True,
) -> None:
    """Read many accounts at once, each once, with a bar; run again, it resumes.

    Interrupted, the job goes on in a running system: `orchestrator backfills` shows and steers it.
    The exit code is 1 where an item failed.
    """
    with _joined() as orchestrator:
        report = orchestrator.backfill(
            file,
            operation=operation,
            job_id=job_id,
            region=region,
            max_in_flight=max_in_flight,
            start_date=start_date,
            end_date=end_date,
            bad_rows="report" if skip_bad_rows else "refuse",
            progress=progress,
        )
    _tell(report)
    if failures is not None:
        report.failures.to_csv(failures, index=False)
    if report.failed or report.state.value != "done":
        raise typer.Exit(1)


def backfills(
    pause: Annotated[str | None, typer.Option(help="Have this job stop for now.")] = None,
    resume: Annotated[str | None, typer.Option(help="Have this job go on, and watch it.")] = None,
    cancel: Annotated[str | None, typer.Option(help="Have this job stop for good.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the jobs as JSON.")] = False,
) -> None:
    """The bulk jobs of the data folder: how they stand; or pause, resume or cancel one."""
    if resume is not None:
        with _joined() as orchestrator:
            orchestrator.resume_backfill(resume)
            orchestrator.watch_backfill(resume)
    from orchestrator.backfill import JobState, jobs, want  # noqa: PLC0415  heavy, and only for this

    data_dir = load_settings().data_dir
    if pause is not None:
        want(data_dir, pause, JobState.PAUSED)
    if cancel is not None:
        want(data_dir, cancel, JobState.CANCELLED)
    found = jobs(data_dir)
    if as_json:
        output.print_json(json.dumps([job.to_wire() for job in found]))
    else:
        _print_jobs(found)


def _joined() -> "SyncOrchestrator":
    from orchestrator.client import Orchestrator  # noqa: PLC0415  as above

    return Orchestrator.connect_sync()


def _tell(report: "BackfillReport") -> None:
    output.print(
        f"job {report.job_id}: {report.state.value}; done {report.done}, failed {report.failed}, "
        f"skipped {report.skipped}; {report.transactions} rows in {report.attempts} attempts",
        highlight=False,
    )
    if report.duplicates:
        output.print(f"{report.duplicates} rows of the input repeat an item", highlight=False)
    if report.stale:
        output.print(
            f"{report.stale} are still being gathered by their provider: run it again for the rest",
            highlight=False,
        )
    for failure in report.failures.head(_SHOWN_FAILURES).to_dict(orient="records"):
        where = failure["accountId"] or failure["connectionId"] or failure["institutionId"] or ""
        errors.print(
            f"  row {failure['row']}: {failure['spaceId']} {where}: {failure['type']} "
            f"{failure['code']}: {failure['message']}",
            highlight=False,
            markup=False,
        )
    if len(report.failures) > _SHOWN_FAILURES:
        errors.print(f"  and {len(report.failures) - _SHOWN_FAILURES} more: see --failures")


def _print_jobs(found: "tuple[JobStanding, ...]") -> None:
    if not found:
        output.print("no jobs")
        return
    from orchestrator.backfill.progress import described  # noqa: PLC0415  as above

    table = Table()
    for column in ("job", "state", "done", "skipped", "of", "so far"):
        table.add_column(column, overflow="fold")
    for job in found:
        state = job.state.value if job.alive or job.state.value != "running" else "cut off"
        table.add_row(
            job.job_id, state, str(job.done), str(job.skipped), str(job.total), described(job)
        )
    output.print(table)
