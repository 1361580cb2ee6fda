"""Where published rows are, and the locks under which their files are exchanged."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

__all__ = [
    "REMOVED_FOLDER",
    "RUNNING",
    "held",
    "is_running",
    "removed_files",
    "row_files",
    "sync_folder",
]

REMOVED_FOLDER: Final = "_removed"
"""Holds Arrow streams, not Parquet: readers of `**/*.parquet` pass over it."""


RUNNING: Final = "running"
"""Held in a job's folder by whoever runs the job."""


def row_files(dataset_folder: Path) -> list[Path]:
    """Every file of rows, each in the folder of its month (`month=2026-01`)."""
    return sorted(dataset_folder.glob("month=*/*.parquet"))


def removed_files(dataset_folder: Path) -> list[Path]:
    """Every file of ids that are no longer true."""
    return sorted((dataset_folder / REMOVED_FOLDER).glob("*.arrow"))


@contextmanager
def held(folder: Path, name: str, *, shared: bool = False, wait: bool = True) -> Iterator[bool]:
    """Hold a lock of this folder; it goes with the process, however that ends.

    Args:
        folder: exists already.
        name: of the lock.
        shared: whether others may hold it shared, too.
        wait: whether to wait for it; if not, the answer may be False.

    """
    descriptor = os.open(folder / f".{name}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(descriptor, how if wait else how | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)


def is_running(folder: Path) -> bool:
    """Whether a process is at the job of this folder."""
    with held(folder, RUNNING, wait=False) as free:
        return not free


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
