"""A job's items, read from its folder in the order of the input and in bounded memory."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from .item import Item
from .plan import INPUT_FILE

__all__ = ["read_items"]

_BATCH_ROWS: Final = 500


def read_items(
    folder: Path, settled_between: Callable[[int, int], frozenset[int]]
) -> Iterator[Item]:
    """The items that are not settled yet.

    Args:
        folder: the job's.
        settled_between: positions from the first to before the second that are settled.

    """
    with pq.ParquetFile(folder / INPUT_FILE) as file:
        position = 0
        for batch in _batches(file):
            settled = settled_between(position, position + batch.num_rows)
            if len(settled) == batch.num_rows:
                position += batch.num_rows
                continue
            for row in batch.to_pylist():
                if position not in settled:
                    deadline = row["deadlineMs"]
                    yield Item(
                        position=position,
                        row=row["row"],
                        space_id=row["spaceId"],
                        account_id=row["accountId"],
                        institution_id=row["institutionId"],
                        connection_id=row["connectionId"],
                        start_date=row["startDate"],
                        end_date=row["endDate"],
                        deadline_ms=None if deadline is None else int(float(deadline)),
                        preferred_provider=row["preferredProvider"],
                    )
                position += 1


def _batches(file: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    # Asked for all of its groups at once, Arrow holds the whole file.
    for group in range(file.num_row_groups):
        yield from file.iter_batches(_BATCH_ROWS, row_groups=[group])
