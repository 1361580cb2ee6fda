"""Reading what jobs have brought, while they run and afterwards: every row once, as last read."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import duckdb
import pyarrow as pa

from .database import connect, quoted
from .places import held, removed_files, row_files
from .publishing import SWAPPING
from .rows import DATASETS, REMOVED_SCHEMA, Dataset

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["live_rows", "read_accounts", "read_transactions", "register"]

_TRANSACTIONS, _ACCOUNTS = DATASETS.values()
_MEMORY_LIMIT_MB: Final = 512


def read_transactions(data_dir: Path, sql: str | None = None) -> "pd.DataFrame":
    """The transactions that jobs have brought, each `transactionId` of a space once.

    Amounts are `Decimal`; `month` is the text `YYYY-MM`. Of a row that was read several times the
    last reading counts, and what was removed later is left out, while jobs run, too.

    Args:
        data_dir: of the installation (`ORCHESTRATOR_DATA_DIR`).
        sql: a SELECT over the table `transactions`, for what does not fit into memory; all rows
            when left out.

    """
    return _read(_TRANSACTIONS, data_dir, sql)


def read_accounts(data_dir: Path, sql: str | None = None) -> "pd.DataFrame":
    """The accounts that `getAccounts` jobs have brought, as `read_transactions` does."""
    return _read(_ACCOUNTS, data_dir, sql)


def _read(dataset: Dataset, data_dir: Path, sql: str | None) -> "pd.DataFrame":
    folder = data_dir / dataset.name
    with (
        _shared(folder),
        TemporaryDirectory() as spill,
        closing(connect(Path(spill), memory_limit_mb=_MEMORY_LIMIT_MB)) as database,
    ):
        register(database, dataset, folder)
        database.execute(f"create view {dataset.name} as {live_rows(dataset)}")
        query = f"select * from {dataset.name}" if sql is None else sql  # noqa: S608  our own name
        table = database.sql(query).to_arrow_table()
    frame: pd.DataFrame = table.to_pandas()
    return frame


@contextmanager
def _shared(folder: Path) -> Iterator[None]:
    if not folder.is_dir():
        yield
        return
    with held(folder, SWAPPING, shared=True):
        yield


def register(database: duckdb.DuckDBPyConnection, dataset: Dataset, folder: Path) -> None:
    """Make `given` (all rows, with `month`) and `removed` of a dataset's files."""
    files = row_files(folder) if folder.is_dir() else []
    if files:
        listed = ", ".join(quoted(path) for path in files)
        columns = ", ".join(f'"{name}"' for name in dataset.schema.names)
        database.execute(
            f"create view given as select {columns}, month from read_parquet("  # noqa: S608  our own files
            f"[{listed}], hive_partitioning = true, hive_types_autocast = false)"
        )
    else:
        database.register("nothing", dataset.schema.empty_table())
        database.execute("create view given as select *, null::varchar as month from nothing")
    gone = [REMOVED_SCHEMA.empty_table()]
    for path in removed_files(folder):
        with path.open("rb") as file, pa.ipc.open_stream(file) as reader:
            gone.append(reader.read_all())
    database.register("gone", pa.concat_tables(gone))
    database.execute(
        'create table removed as select "spaceId", key, max("removedAt") as removed_at '
        "from gone group by all"
    )
    database.unregister("gone")


def live_rows(dataset: Dataset) -> str:
    """A SELECT of every row once, over what `register` has made."""
    return (
        "select * from given g where not exists (select 1 from removed r "  # noqa: S608  our own names
        f'where r."spaceId" = g."spaceId" and r.key = g."{dataset.key}" '
        'and g."syncedAt" < r.removed_at) '
        f'qualify row_number() over (partition by "spaceId", "{dataset.key}" '
        'order by "syncedAt" desc) = 1'
    )
