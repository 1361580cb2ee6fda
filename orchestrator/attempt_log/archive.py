"""Old months out of the log's file and into Parquet files of their own.

A month leaves the file only when its Parquet file is complete: which file belongs to which month is
committed together with the deletion. A file that was never committed is made again.
"""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.domain import StoreError

from .store import AttemptLogStore

__all__ = ["ArchivedMonth", "archive_months"]

_TABLES: Final = (("attempts", "started_at"), ("requests", "at"), ("circuit_changes", "at"))


@dataclass(frozen=True, slots=True)
class ArchivedMonth:
    """A month of a table that has left the log's file. `rows` is how many."""

    table: str
    month: dt.date
    path: Path
    rows: int


def _following(month: dt.date) -> dt.date:
    return (month + dt.timedelta(days=32)).replace(day=1)


def archive_months(
    store: AttemptLogStore, folder: Path, *, before: dt.date
) -> tuple[ArchivedMonth, ...]:
    """Move every whole month before a day's own into `folder`, oldest first.

    Args:
        store: the log's file.
        folder: gets `TABLE-YYYY-MM.parquet`; a month whose late rows come after it was archived
            gets a further file, `TABLE-YYYY-MM.2.parquet`.
        before: rows of months that end before this day's month begins are moved.

    Raises:
        StoreError: a file cannot be written; its month stays in the log.

    """
    end = before.replace(day=1)
    return tuple(
        _archived(store, folder, table, column, month)
        for table, column in _TABLES
        for month in store.months(table, column, before=end)
    )


def _archived(
    store: AttemptLogStore, folder: Path, table: str, column: str, month: dt.date
) -> ArchivedMonth:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder} cannot be made: {error.strerror}") from error
    committed = store.archived_files()
    path = _free_name(folder, f"{table}-{month:%Y-%m}", committed)
    bounds = f"\"{column}\" >= '{month}' and \"{column}\" < '{_following(month)}'"
    rows = store.export_parquet(
        path,
        sql=f'select * from "{table}" where {bounds} order by "{column}"',  # noqa: S608  own names
        with_archive=False,
    )
    store.forget_month(table, column, month, _following(month), path.name)
    return ArchivedMonth(table, month, path, rows)


def _free_name(folder: Path, stem: str, committed: frozenset[str]) -> Path:
    """The first name that no committed file has; an uncommitted one is written over."""
    names = (f"{stem}.parquet" if n == 1 else f"{stem}.{n}.parquet" for n in range(1, 10_000))
    return folder / next(name for name in names if name not in committed)
