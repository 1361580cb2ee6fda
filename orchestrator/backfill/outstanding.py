"""Whether rows that were read a while ago may yet be published."""

from contextlib import closing
from pathlib import Path

from orchestrator.domain import StoreError

from .ledger import Ledger
from .places import is_running
from .plan import LEDGER_FILE

__all__ = ["older_rows_may_come"]


def older_rows_may_come(job_folder: Path) -> bool:
    """Whether a job beside this one has read rows that are not published.

    One that begins or goes on from here on reads its rows later than now.
    """
    return any(
        _has_rows(folder)
        for folder in sorted(job_folder.parent.iterdir())
        if folder != job_folder and (folder / LEDGER_FILE).exists()
    )


def _has_rows(folder: Path) -> bool:
    if is_running(folder):
        return True
    try:
        with closing(Ledger(folder)) as ledger:
            return ledger.has_unpublished()
    except StoreError:
        # What it holds cannot be known; nor can it be published.
        return True
