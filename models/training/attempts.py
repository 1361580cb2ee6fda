"""The attempt log as a frame, from wherever it is: a frame, the database file, an export."""

import os
from pathlib import Path
from typing import Any, Final

import duckdb
import pandas as pd

from models.errors import AttemptsUnreadable

__all__ = ["OPTIONAL", "REQUIRED", "read_attempts"]

REQUIRED: Final = ("provider", "operation", "region", "outcome", "started_at")
"""Columns of table `attempts` without which nothing can be learned."""

OPTIONAL: Final = (
    "institution_id",
    "attempt_number",
    "latency_ms",
    "error_scope",
    "candidates",
    "eligible",
    "propensity",
    "space_hash",
    "request_id",
    "model_version",
)
"""Columns that are used where they are there."""

_THROUGH_THE_RUNNING_SYSTEM: Final = (
    "is it open in a running system? Then train with `orchestrator train`, or export it with "
    "`orchestrator attempts --export FILE.parquet` and train on that file"
)


def read_attempts(source: pd.DataFrame | str | os.PathLike[str]) -> pd.DataFrame:
    """A copy of the columns that training uses, `started_at` as unix seconds (float64).

    `source` is a frame with the columns of table `attempts`, the path of `attempts.duckdb`, opened
    for reading only, or the path of an export (`.parquet`).

    Raises:
        AttemptsUnreadable: no such file, not an attempt log, or locked by a running system.

    """
    if isinstance(source, pd.DataFrame):
        return _selected(source)
    path = Path(source)
    if not path.is_file():
        raise AttemptsUnreadable(f"{path}: there is no such file")
    if path.suffix == ".parquet":
        try:
            return _selected(pd.read_parquet(path))
        except (OSError, ValueError):
            raise AttemptsUnreadable(f"{path} cannot be read as a Parquet file") from None
    return _selected(_from_duckdb(path))


def _from_duckdb(path: Path) -> pd.DataFrame:
    try:
        connection = duckdb.connect(str(path), read_only=True)
    except (duckdb.IOException, duckdb.ConnectionException):
        raise AttemptsUnreadable(
            f"{path} cannot be opened as a database: {_THROUGH_THE_RUNNING_SYSTEM}"
        ) from None
    with connection:
        present = {
            str(name)
            for (name,) in connection.execute(
                "select column_name from information_schema.columns where table_name = 'attempts'"
            ).fetchall()
        }
        if not present:
            raise AttemptsUnreadable(f"{path} holds no table attempts")
        names = [name for name in (*REQUIRED, *OPTIONAL) if name in present]
        columns = [
            "epoch(started_at) as started_at" if name == "started_at" else name for name in names
        ]
        # Column names come from the constants above, never from outside.
        return connection.execute(f"select {', '.join(columns)} from attempts").df()  # noqa: S608


def _selected(frame: pd.DataFrame) -> pd.DataFrame:
    missing = [name for name in REQUIRED if name not in frame.columns]
    if missing:
        raise AttemptsUnreadable(
            f"not an attempt log: column {', '.join(missing)} is missing; needed are "
            f"{', '.join(REQUIRED)}"
        )
    selected = frame[[name for name in (*REQUIRED, *OPTIONAL) if name in frame.columns]].copy()
    selected["started_at"] = _unix_seconds(selected["started_at"])
    return selected.reset_index(drop=True)


def _unix_seconds(times: "pd.Series[Any]") -> "pd.Series[float]":
    """Numbers are unix seconds already; everything else is a time, UTC where it has no zone."""
    if pd.api.types.is_numeric_dtype(times):
        return times.astype("float64")
    parsed = pd.to_datetime(times, utc=True, errors="coerce", format="ISO8601")
    epoch = pd.Timestamp(0, tz="UTC")
    return (parsed - epoch) / pd.Timedelta(seconds=1)
