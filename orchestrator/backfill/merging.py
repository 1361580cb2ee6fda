"""Merges a dataset's files in a process of its own, whose memory goes when it ends.

What DuckDB needs to merge a long job's files is more than the job needs to run, and an allocator
gives little of it back. `python -m orchestrator.backfill.merging DATASET FOLDER JOB_FOLDER` is that
process: it merges once it reads a line, so that it can be started before its time and has loaded
what it needs by then; it ends with whoever has started it.
"""

import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

import duckdb

from orchestrator.domain import OrchestratorError, StoreError

from .compaction import compact
from .rows import DATASETS, Dataset

__all__ = ["MergeApart"]

_TOLD_CHARACTERS: Final = 2000
_GO: Final = b"\n"
_BY_NAME: Final = {dataset.name: dataset for dataset in DATASETS.values()}


class MergeApart:
    """A merge in another process, which is started at once and waits for its time.

    Args:
        dataset: whose files are to be merged.
        dataset_folder: where they are.
        job_folder: of the job that ends with it.

    """

    def __init__(self, dataset: Dataset, dataset_folder: Path, job_folder: Path) -> None:
        self._dataset = dataset
        self._process = subprocess.Popen(  # noqa: S603  our own interpreter and module
            [sys.executable, "-m", __name__, dataset.name, str(dataset_folder), str(job_folder)],
            # Never closed before its end: it ends when we do, however we end.
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def merge(self) -> None:
        """Merge, once.

        Raises:
            StoreError: it did not end well; says how.

        """
        with self._process as process:
            if process.stdin is None or process.stderr is None:
                raise TypeError("the merging process was started without pipes")
            with suppress(BrokenPipeError):  # it has ended already, and says why
                process.stdin.write(_GO)
                process.stdin.flush()
            told = process.stderr.read().decode(errors="replace")
        if process.returncode != 0:
            raise StoreError(
                f"merging {self._dataset.name} ended with {process.returncode}: "
                f"{told[:_TOLD_CHARACTERS]}"
            )

    def close(self) -> None:
        """Have the process end where it has not merged."""
        if self._process.poll() is None:
            self._process.kill()
        with self._process:
            pass


def _told_to() -> bool:
    # Not through Python's own buffer: its lock would be in the way of an orderly end.
    return os.read(sys.stdin.fileno(), 1) == _GO


def _end_with_parent() -> None:
    _told_to()
    os._exit(1)


def main() -> int:
    """Merge once, when told to; says what went wrong on standard error."""
    if not _told_to():
        return 1
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
