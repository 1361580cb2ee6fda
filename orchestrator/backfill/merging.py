"""Merges a dataset's files in a process of its own, whose memory goes when it ends.

What DuckDB needs to merge a long job's files is more than the job needs to run, and an allocator
gives little of it back. `python -m orchestrator.backfill.merging DATASET FOLDER JOB_FOLDER` is that
process; it ends with whoever has started it.
"""

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

import duckdb

from orchestrator.domain import OrchestratorError, StoreError

from .compaction import compact
from .rows import DATASETS, Dataset

__all__ = ["compact_apart"]

_TOLD_CHARACTERS: Final = 2000
_BY_NAME: Final = {dataset.name: dataset for dataset in DATASETS.values()}


def compact_apart(dataset: Dataset, dataset_folder: Path, job_folder: Path) -> None:
    """As `compact`, in another process.

    Raises:
        StoreError: it did not end well; says how.

    """
    process = subprocess.Popen(  # noqa: S603  our own interpreter and module
        [sys.executable, "-m", __name__, dataset.name, str(dataset_folder), str(job_folder)],
        # Never written to: it ends when we do, however we end.
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    with process:
        told = "" if process.stderr is None else process.stderr.read().decode(errors="replace")
    if process.returncode != 0:
        raise StoreError(
            f"merging {dataset.name} ended with {process.returncode}: {told[:_TOLD_CHARACTERS]}"
        )


def _end_with_parent() -> None:
    # Not through Python's own buffer: its lock would be in the way of an orderly end.
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def main() -> int:
    """Merge once; says what went wrong on standard error."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    name, dataset_folder, job_folder = sys.argv[1:]
    try:
        compact(_BY_NAME[name], Path(dataset_folder), Path(job_folder))
    except (OrchestratorError, OSError, duckdb.Error) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
