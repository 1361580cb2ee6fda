"""One account's transactions as one Parquet file, which is also the record that it is done.

A file appears whole or not at all, and says in its metadata which dates it was asked for and
whether its provider was still gathering data. There is no second record that could disagree.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from orchestrator.domain import StoreError, Transaction

__all__ = ["Standing", "account_path", "read_transactions", "standing", "write_account"]

_METADATA_KEY: Final = b"orchestrator.resync"
_SCHEMA: Final = pa.schema(
    [
        ("transactionId", pa.string()),
        ("accountId", pa.string()),
        ("spaceId", pa.string()),
        ("date", pa.date32()),
        # 18 decimals are what the finest currency in use, ether, is counted in.
        ("amount", pa.decimal128(38, 18)),
        ("direction", pa.string()),
        ("currency", pa.string()),
        ("description", pa.string()),
        ("pending", pa.bool_()),
        ("provider", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a file says of itself: the dates asked for, and whether more was still to come."""

    window: Mapping[str, str]
    stale: bool


def account_path(folder: Path, space_id: str, account_id: str) -> Path:
    """Where an account's file is; a digest, as file systems differ in case and characters."""
    digest = hashlib.sha256(f"{space_id}\n{account_id}".encode()).hexdigest()[:32]
    return folder / f"{digest}.parquet"


def standing(path: Path) -> Standing | None:
    """What the file says of itself; None where there is none, or it is none of ours."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    with file:
        try:
            told = json.loads((pq.read_schema(file).metadata or {})[_METADATA_KEY])
            return Standing(dict(told["window"]), bool(told["stale"]))
        except (OSError, ValueError, KeyError):
            # Of a damaged footer Arrow says OSError, of a missing one ArrowInvalid, a ValueError.
            return None


def write_account(path: Path, space_id: str, rows: Iterable[Transaction], said: Standing) -> None:
    """Put an account's file in place, on the disk before its name.

    Raises:
        StoreError: an amount has more digits than the column holds.

    """
    told = {"window": dict(said.window), "stale": said.stale}
    try:
        table = pa.Table.from_pylist(
            [
                {
                    "transactionId": row.transaction_id,
                    "accountId": row.account_id,
                    "spaceId": space_id,
                    "date": row.date,
                    "amount": row.amount,
                    "direction": row.direction.value,
                    "currency": row.currency,
                    "description": row.description,
                    "pending": row.pending,
                    "provider": row.provider,
                }
                for row in rows
            ],
            schema=_SCHEMA.with_metadata({_METADATA_KEY: json.dumps(told).encode()}),
        )
    except pa.ArrowInvalid:
        raise StoreError(
            "an amount has more than 20 digits before the point or 18 behind it"
        ) from None
    # Readers of the folder pass over names that begin with a dot.
    draft = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with draft.open("wb") as file:
            pq.write_table(table, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)  # noqa: PTH105  says that it replaces
    finally:
        draft.unlink(missing_ok=True)


def read_transactions(folder: Path) -> pd.DataFrame:
    """Every transaction in a job's folder, amounts as Decimal; no rows where nothing is done."""
    table = ds.dataset(folder, schema=_SCHEMA, format="parquet").to_table()
    frame: pd.DataFrame = table.to_pandas()
    return frame
