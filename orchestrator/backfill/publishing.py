"""Moves committed rows from a job's ledger to where they are read, each exactly once.

A publication writes one file a month under its own number and then has the ledger forget the rows.
Whoever dies in between leaves files of a number that the ledger still gives out: they are taken
away before the number is used again.
"""

import os
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .ledger import Ledger
from .places import REMOVED_FOLDER, held, removed_files, row_files, sync_folder
from .rows import Dataset

__all__ = ["COMPACTING", "SWAPPING", "publish", "withdraw_unfinished"]

COMPACTING: Final = "compacting"
"""Held by whoever merges files, and while files of a cut publication are taken away."""
SWAPPING: Final = "swapping"
"""Held shared while files are read, and alone while one takes the place of others."""
_MOST_ROWS: Final = 10_000


def withdraw_unfinished(ledger: Ledger, dataset_folder: Path, job_id: str) -> None:
    """Take away the files of a publication that was cut off; its rows are in the ledger still."""
    dataset_folder.mkdir(parents=True, exist_ok=True)
    first = ledger.publication()
    with held(dataset_folder, COMPACTING), held(dataset_folder, SWAPPING):
        for path in (*row_files(dataset_folder), *removed_files(dataset_folder)):
            number = _number(path, job_id)
            if number is not None and number >= first:
                path.unlink()


def publish(ledger: Ledger, dataset: Dataset, dataset_folder: Path, job_folder: Path) -> int:
    """Publish the oldest unpublished rows, as many as fit into memory well; answers how many."""
    chunks = ledger.unpublished(_MOST_ROWS)
    if not chunks:
        return 0
    job_id, number = job_folder.name, ledger.publication()
    name = f"{job_id}-{number:06d}"
    records = pa.concat_tables([_read(records) for _, records, _ in chunks])
    removed = pa.concat_tables([_read(gone) for _, _, gone in chunks])
    months = pc.strftime(records[dataset.month], format="%Y-%m")
    for month in sorted(pc.unique(months).to_pylist()):
        rows = records.filter(pc.equal(months, month))
        _put(
            job_folder / f".{name}.draft",
            dataset_folder / f"month={month}" / f"{name}.parquet",
            rows,
        )
    if removed.num_rows:
        _put(
            job_folder / f".{name}.draft",
            dataset_folder / REMOVED_FOLDER / f"{name}.arrow",
            removed,
        )
    ledger.published(chunks[-1][0])
    # What Arrow keeps for later would add to what DuckDB and Python keep.
    pa.default_memory_pool().release_unused()
    return int(records.num_rows)


def _number(path: Path, job_id: str) -> int | None:
    told = path.stem.removeprefix(f"{job_id}-")
    return int(told) if told != path.stem and told.isdigit() else None


def _read(stream: bytes) -> pa.Table:
    with pa.ipc.open_stream(stream) as reader:
        return reader.read_all()


def _put(draft: Path, target: Path, table: pa.Table) -> None:
    """Put a file in place, on the disk before its name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with draft.open("wb") as file:
        if target.suffix == ".parquet":
            pq.write_table(table, file, compression="zstd")
        else:
            with pa.ipc.new_stream(file, table.schema) as stream:
                stream.write_table(table)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, target)  # noqa: PTH105  says that it replaces
    sync_folder(target.parent)
