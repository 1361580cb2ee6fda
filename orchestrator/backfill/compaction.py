"""Merges the files of a dataset, so that each row is in them once, in one file a month.

In bounded memory, a month at a time; whoever reads meanwhile sees each row once all the same.
"""

import os
from contextlib import closing
from pathlib import Path
from typing import Final, Protocol
from uuid import uuid4

import duckdb

from .database import connect, quoted
from .outstanding import older_rows_may_come
from .places import held, removed_files, row_files, sync_folder
from .publishing import COMPACTING, SWAPPING
from .reading import register
from .rows import Dataset

__all__ = ["Merge", "MergeHere", "compact"]

_MEMORY_LIMIT_MB: Final = 64


def compact(dataset: Dataset, dataset_folder: Path, job_folder: Path) -> None:
    """Merge every month that has more than one file, or rows that no longer count.

    Ids that are no longer true are forgotten with it, unless another job holds rows that were read
    before they became so.
    """
    with (
        held(dataset_folder, COMPACTING),
        closing(connect(job_folder, memory_limit_mb=_MEMORY_LIMIT_MB)) as database,
    ):
        known_gone = removed_files(dataset_folder)
        register(database, dataset, dataset_folder)
        database.execute("set preserve_insertion_order = false")
        _find_outdated(database, dataset)
        months: dict[str, list[Path]] = {}
        for path in row_files(dataset_folder):
            months.setdefault(path.parent.name.removeprefix("month="), []).append(path)
        wrong = {row[0] for row in database.execute("select month from wrong").fetchall()}
        for month, files in sorted(months.items()):
            if len(files) > 1 or month in wrong:
                draft = job_folder / f".{dataset.name}-{month}.draft"
                _merge(database, dataset, month, files, draft)
                _swap(draft, files, dataset_folder)
        # All rows in files that they say something of are gone now.
        if known_gone and not older_rows_may_come(job_folder):
            with held(dataset_folder, SWAPPING):
                for path in known_gone:
                    path.unlink()


class Merge(Protocol):
    """A merge of a dataset's files, ready to be done."""

    def merge(self) -> None:
        """Merge, once.

        Raises:
            StoreError: it could not be done; the files are as good as they were.

        """
        ...

    def close(self) -> None:
        """Let go of what was made ready."""
        ...


class MergeHere:
    """`compact` in this process, when its time has come.

    Args:
        dataset: whose files are to be merged.
        dataset_folder: where they are.
        job_folder: of the job that ends with it.

    """

    def __init__(self, dataset: Dataset, dataset_folder: Path, job_folder: Path) -> None:
        self._of = dataset, dataset_folder, job_folder

    def merge(self) -> None:
        """Merge."""
        compact(*self._of)

    def close(self) -> None:
        """Nothing to let go."""


def _find_outdated(database: duckdb.DuckDBPyConnection, dataset: Dataset) -> None:
    """Tables `twice` (rows told more than once: which telling counts) and `wrong` (months)."""
    key = f'"spaceId", "{dataset.key}"'
    database.execute(
        f'create table twice as select {key}, max("syncedAt") as at, '  # noqa: S608  our own names
        'arg_max(month, "syncedAt") as month '
        f"from given group by {key} having count(*) > 1"
    )
    database.execute(
        "create table wrong as select distinct g.month as month from given g "  # noqa: S608  as above
        f"semi join twice using ({key}) union select distinct g.month from given g, removed r "
        f'where r."spaceId" = g."spaceId" and r.key = g."{dataset.key}" '
        'and g."syncedAt" < r.removed_at'
    )


def _merge(
    database: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    month: str,
    files: list[Path],
    draft: Path,
) -> None:
    """Write a month's rows that count to the draft: those told once, and last tellings."""
    key = f'"spaceId", "{dataset.key}"'
    columns = ", ".join(f'"{name}"' for name in dataset.schema.names)
    listed = ", ".join(quoted(path) for path in files)
    database.execute(
        f"create or replace temp view listed as select * from read_parquet([{listed}], "  # noqa: S608  our own files
        "hive_partitioning = false)"
    )
    database.execute(
        f"create or replace temp view tellings as select {columns} from listed "  # noqa: S608  our own names
        f"anti join twice using ({key}) union all select {columns} from ("
        f"select l.*, row_number() over (partition by {key} order by 1) as telling "
        f"from listed l join twice t using ({key}) "
        f"""where t.month = {quoted(month)} and l."syncedAt" = t.at) where telling = 1"""
    )
    database.execute(
        f"copy (select {columns} from tellings g where not exists (select 1 from removed r "  # noqa: S608  as above
        f'where r."spaceId" = g."spaceId" and r.key = g."{dataset.key}" '
        f'and g."syncedAt" < r.removed_at)) to {quoted(draft)} (format parquet, compression zstd, row_group_size 20480)'
    )


def _swap(draft: Path, files: list[Path], dataset_folder: Path) -> None:
    with draft.open("rb+") as file:
        os.fsync(file.fileno())
    folder = files[0].parent
    with held(dataset_folder, SWAPPING):
        os.replace(draft, folder / f"compacted-x{uuid4().hex[:12]}.parquet")  # noqa: PTH105  says that it replaces
        sync_folder(folder)
        for path in files:
            path.unlink()
