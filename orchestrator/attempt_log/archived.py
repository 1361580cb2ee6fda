"""Months that have left the log's file, shown to readers as if they were there.

The Parquet files are read by Arrow and handed to one reader's connection under the tables' own
names. DuckDB itself may open no file, so that no SELECT can name one.
"""

from pathlib import Path

import duckdb

from .schema import TABLES, Table

__all__ = ["archived_files", "show_archived"]


def archived_files(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """Names of the files whose rows have left the log.

    Raises:
        duckdb.Error: they cannot be read.

    """
    rows = connection.execute('select "file" from archived_files').fetchall()
    return frozenset(str(row[0]) for row in rows)


def show_archived(
    connection: duckdb.DuckDBPyConnection, folder: Path, names: frozenset[str]
) -> None:
    """Let the log's tables on this connection hold the rows of these files too.

    Files that somebody has moved away from `folder` are left out.

    Raises:
        duckdb.Error: they cannot be shown.
        OSError: a file cannot be read.
        pyarrow.ArrowException: a file is damaged.

    """
    for table in TABLES:
        mine = sorted(name for name in names if name.startswith(f"{table.name}-"))
        files = [folder / name for name in mine if (folder / name).is_file()]
        if files:
            _show(connection, table, files)


def _show(connection: duckdb.DuckDBPyConnection, table: Table, files: list[Path]) -> None:
    from pyarrow.dataset import dataset  # noqa: PLC0415  heavy, and only where there is an archive

    ((database,),) = connection.execute("select current_database()").fetchall()
    columns = ", ".join(f'"{c.name}"::{c.sql_type} as "{c.name}"' for c in table.columns)
    connection.register(f"archived_{table.name}", dataset([str(file) for file in files]))
    # A view for this connection alone, before the table of the same name in its search path.
    connection.execute(
        f'create temp view "{table.name}" as '  # noqa: S608  the names are the schema's own
        f'select * from "{database}".main."{table.name}" '
        f"union all by name select {columns} from archived_{table.name}"
    ).fetchall()
