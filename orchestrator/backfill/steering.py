"""What somebody wants of a job, written where its process will see it."""

from contextlib import closing
from pathlib import Path
from typing import Final

from .job_standing import JobStanding, job_folder, jobs, standing
from .ledger import Ledger
from .places import is_running
from .plan import BackfillRefused, JobState

__all__ = ["cut_off_jobs", "want"]

_OVER: Final = (JobState.DONE, JobState.CANCELLED)


def want(data_dir: Path, job_id: str, wanted: JobState) -> JobStanding:
    """Have a job paused, cancelled or running; answers how it stands.

    A process that runs it ends what is under way first. Where there is none, it is so at once.

    Raises:
        BackfillRefused: there is no such job, or it is over.

    """
    folder = job_folder(data_dir, job_id)
    with closing(Ledger(folder)) as ledger:
        state = ledger.state()
        if state in _OVER:
            raise BackfillRefused(f"job {job_id!r} is {state.value}: run it again by its input")
        ledger.note(wanted=wanted)
        if not is_running(folder):
            ledger.note(state=wanted)
    return standing(folder)


def cut_off_jobs(data_dir: Path) -> tuple[str, ...]:
    """Jobs that should be under way and have no process, the first started first.

    One that was to be paused or cancelled when its process died is among them: its process has
    rows to publish before it is so.
    """
    found = [job for job in jobs(data_dir) if job.state is JobState.RUNNING and not job.alive]
    return tuple(job.job_id for job in reversed(found))
