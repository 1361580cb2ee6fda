"""The command line: which benchmarks, how thoroughly, and where the results go."""

import shlex
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.status import Status

from benchmarks.apart import run_apart
from benchmarks.listing import BENCHMARKS
from benchmarks.report import table, write_results
from benchmarks.results import BenchmarkFailed, Result

__all__ = ["app"]

RESULTS: Final = Path(__file__).with_name("results.json")
_SHORT_LONGEST_S: Final = 300.0

app = typer.Typer(add_completion=False, rich_markup_mode="rich")
_WIDTH: Final = 150
_console = Console() if sys.stdout.isatty() else Console(width=_WIDTH)
"""Wide enough for the tables where there is no terminal that says how wide it is."""


def _summaries() -> str:
    lines = (f"[bold]{name}[/]: {listed.summary}" for name, listed in BENCHMARKS.items())
    return "The benchmarks, in the order in which they run:\n\n" + "\n\n".join(lines)


def _known(names: list[str]) -> list[str]:
    for name in names:
        if name not in BENCHMARKS:
            raise typer.BadParameter(f"{name!r} is none of {', '.join(BENCHMARKS)}")
    return names


@app.command(epilog=_summaries())
def measure(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Which to run; all of them when left out, with --short those that are quick.",
            show_default=False,
        ),
    ] = None,
    *,
    short: Annotated[
        bool,
        typer.Option(
            "--short",
            help="One quick run each, to see that they work: the figures say nothing, are judged "
            "by nobody and are not written down unless --results is given.",
        ),
    ] = False,
    runs: Annotated[
        int | None,
        typer.Option(min=1, help="Runs of which the median is taken [5; with --short 1]."),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            help="Where the figures go, as JSON [benchmarks/results.json when all were run in "
            "full, else nowhere]."
        ),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(help="Keep data, logs and configurations of the runs below this folder."),
    ] = None,
) -> None:
    """Measure what the orchestrator costs, against floors measured in the same run.

    Every benchmark runs in a process of its own, starts what it needs on free ports of the loopback
    with data folders of its own, and ends it. Exit code 1 where one could not be measured; a reach
    that is not met is shown, and no failure.
    """
    chosen = _known(
        names or [n for n, listed in BENCHMARKS.items() if listed.in_short or not short]
    )
    if results is None and not short and names is None:
        results = RESULTS
    measured: dict[str, Result] = {}
    failures: dict[str, str] = {}
    for name in chosen:
        try:
            result = _one(name, keep, short=short, runs=runs)
        except BenchmarkFailed as failed:
            failures[name] = str(failed)
            _console.print(f"[red]{name} could not be measured[/]: {failed}", highlight=False)
        else:
            measured[name] = result
            _console.print(table(name, result))
    if results is not None:
        command = shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]])
        write_results(results, measured, failures, command=command, short=short)
        _console.print(f"written to {results}", highlight=False)
    if failures:
        raise typer.Exit(1)


def _one(name: str, keep: Path | None, *, short: bool, runs: int | None) -> Result:
    if keep is None:
        folder = Path(tempfile.mkdtemp(prefix=f"bench-{name}-"))
    else:
        folder = keep.resolve() / name
        folder.mkdir(parents=True, exist_ok=False)
    longest_s = _SHORT_LONGEST_S if short else BENCHMARKS[name].longest_s
    began = time.monotonic()

    with _console.status(name) as status:

        def step(text: str) -> None:
            _tell(status, f"{time.monotonic() - began:5.0f} s  {name}: {text}")

        try:
            return run_apart(name, folder, step, short=short, runs=runs, longest_s=longest_s)
        finally:
            if keep is None:
                shutil.rmtree(folder, ignore_errors=True)


def _tell(status: Status, text: str) -> None:
    """Show a step: in place on a terminal, as a line elsewhere."""
    if _console.is_terminal:
        status.update(text)
    else:
        _console.print(text, highlight=False)
