"""Opening the log's DuckDB file, locked down before anyone may ask it anything.

External access is off for the whole instance (no files, no ATTACH, no COPY), extensions are
neither loaded nor installed, and the configuration is locked. Spilling beside the file still works.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import duckdb

from orchestrator.domain import StoreError

from .schema import ARCHIVED_SQL, POSITIONS_SQL, TABLES, Table

__all__ = ["open_database", "store_errors"]

_LOCKED_DOWN: Final[Mapping[str, str | bool | int | float | list[str]]] = {
    "enable_external_access": False,
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "allow_community_extensions": False,
    "allow_persistent_secrets": False,
    "python_enable_replacements": False,
    # What a checkpoint took would stay with the process until DuckDB next has something to do.
    "allocator_background_threads": True,
}


def open_database(
    path: Path, *, memory_limit_mb: int, threads: int, read_only: bool
) -> duckdb.DuckDBPyConnection:
    """A connection to a checked file with the log's tables.

    Args:
        path: the file; made with its tables where it is missing, unless `read_only`.
        memory_limit_mb: DuckDB's own bound; sorts and joins beyond it spill beside the file.
        threads: how many DuckDB may use.
        read_only: for a stopped server's file.

    Raises:
        StoreError: missing, in use, damaged, or of another version; says what to do.

    """
    if read_only and not path.is_file():
        raise StoreError(f"there is no attempt log at {path}: check ORCHESTRATOR_DATA_DIR")
    config = {**_LOCKED_DOWN, "memory_limit": f"{memory_limit_mb}MB", "threads": threads}
    try:
        connection = duckdb.connect(path, read_only=read_only, config=config)
    except (duckdb.Error, OSError) as error:
        raise StoreError(_cannot_open(path)) from error
    try:
        with store_errors(f"the attempt log {path} cannot be prepared"):
            _prepare(connection, path, read_only=read_only)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def store_errors(what: str) -> Iterator[None]:
    """Turn DuckDB's errors into a StoreError that begins with `what`."""
    try:
        yield
    except duckdb.Error as error:
        raise StoreError(f"{what}: {type(error).__name__}") from error


def _prepare(connection: duckdb.DuckDBPyConnection, path: Path, *, read_only: bool) -> None:
    # The time zone is no start-up option: its extension brings it once the instance is there.
    connection.execute("set global timezone = 'UTC'").fetchall()
    if not read_only:
        for table in TABLES:
            connection.execute(table.create_sql).fetchall()
        for sql in (POSITIONS_SQL, ARCHIVED_SQL):
            connection.execute(sql).fetchall()
    for table in TABLES:
        if _columns(connection, table) != [(c.name, c.sql_type) for c in table.columns]:
            raise StoreError(
                f"table {table.name!r} of {path} is of another version of this program: move the "
                "file away and start again, or read it with the version that wrote it"
            )
    connection.execute("set lock_configuration = true").fetchall()


def _columns(connection: duckdb.DuckDBPyConnection, table: Table) -> list[tuple[str, str]]:
    return connection.execute(
        "select column_name, data_type from duckdb_columns() "
        "where schema_name = 'main' and table_name = ? order by column_index",
        [table.name],
    ).fetchall()


def _cannot_open(path: Path) -> str:
    if path.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
        return f"the attempt log {path} cannot be opened: its folder must be writable"
    if path.is_file() and not os.access(path, os.R_OK | os.W_OK):
        return f"the attempt log {path} cannot be opened: this user may not read and write it"
    if _in_use(path):
        return (
            f"the attempt log {path} is in use by another process: ask the running server "
            "(`orchestrator attempts`), or stop it first"
        )
    return (
        f"the attempt log {path} is damaged or not a log: move it away with its .wal file "
        "(a new one is made), or restore it from a backup"
    )


def _in_use(path: Path) -> bool:
    # Closing a descriptor drops this process's own locks on a file. It holds none here: the file
    # could not be opened, and DuckDB shares one instance within a process.
    try:
        with path.open("rb") as file:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return True
    except OSError:
        return False
    return False
