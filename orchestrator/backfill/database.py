"""A DuckDB in bounded memory, for what a job sorts, joins and merges."""

from pathlib import Path
from typing import Final

import duckdb

__all__ = ["connect", "quoted"]

_MEMORY_LIMIT_MB: Final = 64


def connect(
    temp_folder: Path, *, memory_limit_mb: int = _MEMORY_LIMIT_MB
) -> duckdb.DuckDBPyConnection:
    """A DuckDB of its own that keeps to its memory and spills into `temp_folder`."""
    return duckdb.connect(
        config={
            "memory_limit": f"{memory_limit_mb}MB",
            "temp_directory": str(temp_folder / "spill"),
            "threads": 1,
        }
    )


def quoted(text: object) -> str:
    """A text as an SQL literal, where DuckDB takes no parameter."""
    return "'" + str(text).replace("'", "''") + "'"
