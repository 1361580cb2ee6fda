"""A job's progress as people see it: a bar in a notebook, or in a terminal."""

import sys
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Column

from .job_standing import JobStanding

__all__ = ["Bar", "described", "progress_bar"]


class Bar(Protocol):
    """Shows a job as it goes on; a context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def show(self, job: JobStanding) -> None:
        """Show where the job stands."""
        ...


def described(job: JobStanding) -> str:
    """The part behind the bar: failures, rate, time left, shares per provider, waits."""
    parts = [f"{job.failed} failed"]
    if job.rate_per_s is not None:
        parts.append(f"{job.rate_per_s:.1f}/s")
    if job.time_left_s is not None:
        parts.append(f"{_duration(job.time_left_s)} left")
    answered = sum(job.providers.values())
    if answered:
        shares = sorted(job.providers.items(), key=lambda pair: -pair[1])
        parts.append(", ".join(f"{name} {count / answered:.0%}" for name, count in shares))
    if job.waiting_on_limits:
        parts.append(f"{job.waiting_on_limits} waiting on limits")
    if job.waiting > job.waiting_on_limits:
        parts.append(f"{job.waiting - job.waiting_on_limits} waiting for another try")
    if job.wanted != job.state and job.alive:
        parts.append(f"to be {job.wanted.value}")
    return " · ".join(parts)


def _duration(seconds: float) -> str:
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"


def progress_bar(*, shown: bool = True) -> Bar:
    """The bar of the place where this program runs; one that shows nothing if not `shown`."""
    if not shown:
        return _NoBar()
    return _NotebookBar() if _in_notebook() else _TerminalBar()


def _in_notebook() -> bool:
    # A kernel has it loaded; a program that merely could import it is none.
    return "ipykernel" in sys.modules and "IPython" in sys.modules


class _NoBar:
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        """Nothing was shown."""

    def show(self, job: JobStanding) -> None:
        """Show nothing."""


class _TerminalBar:
    def __init__(self) -> None:
        self._bar = Progress(
            # Where the terminal is narrow, what is behind the bar wraps, and nothing else.
            TextColumn("{task.fields[job_id]}", table_column=Column(no_wrap=True)),
            BarColumn(bar_width=20),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.description}", table_column=Column(overflow="fold")),
            # Results go to standard output.
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task("", total=None, job_id="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._bar.stop()

    def show(self, job: JobStanding) -> None:
        """Move the bar."""
        self._bar.update(
            self._task,
            completed=job.total - job.left,
            total=job.total,
            description=described(job),
            job_id=job.job_id,
        )


class _NotebookBar:
    def __init__(self) -> None:
        from tqdm.auto import tqdm  # noqa: PLC0415  an extra of the notebooks

        self._bar = tqdm(unit="item", bar_format="{desc}: {n_fmt}/{total_fmt} {bar} {postfix}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self._bar.close()

    def show(self, job: JobStanding) -> None:
        """Move the bar."""
        self._bar.total = job.total
        self._bar.n = job.total - job.left
        self._bar.set_description_str(job.job_id, refresh=False)
        self._bar.set_postfix_str(described(job), refresh=False)
        self._bar.refresh()
