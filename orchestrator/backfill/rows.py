"""Rows of results as Arrow tables, and the two kinds of them: transactions and accounts."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final

import pyarrow as pa

from orchestrator.domain import (
    Account,
    AccountsData,
    Operation,
    OperationData,
    Transaction,
    TransactionsData,
    from_unix,
)

__all__ = ["DATASETS", "REMOVED_SCHEMA", "Dataset", "Page", "rows_bytes", "table_of"]

# 18 decimals are what the finest currency in use, ether, is counted in.
_MONEY: Final = pa.decimal128(38, 18)
_MONEY_DECIMALS: Final = 18
_MONEY_DIGITS: Final = 20
_TIME: Final = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class Page:
    """What one operation brought, for the ledger: rows, and ids that are no longer true."""

    space_id: str
    synced_at: float
    data: OperationData

    @property
    def records(self) -> Sequence[Transaction] | Sequence[Account]:
        """The rows."""
        if isinstance(self.data, TransactionsData):
            return self.data.transactions
        return self.data.accounts if isinstance(self.data, AccountsData) else ()

    @property
    def gone(self) -> tuple[str, ...]:
        """Ids that this page declares untrue; rows that it tells itself stay."""
        if not isinstance(self.data, TransactionsData):
            return ()
        replaced = (row.replaces_transaction_id for row in self.data.transactions)
        return (*self.data.removed, *(one for one in replaced if one is not None))

    def is_storable(self) -> bool:
        """Whether every amount fits its column."""
        if isinstance(self.data, TransactionsData):
            return all(_fits(row.amount) for row in self.data.transactions)
        if isinstance(self.data, AccountsData):
            return all(
                _fits(amount)
                for row in self.data.accounts
                for amount in (row.balances.available, row.balances.current, row.balances.limit)
                if amount is not None
            )
        return True


def _fits(amount: Decimal) -> bool:
    plain = str(amount)
    if len(plain) <= _MONEY_DECIMALS and "E" not in plain and amount.is_finite():
        return True  # as most do: so short a text without an exponent has no digit too many
    exponent = amount.as_tuple().exponent
    return (
        isinstance(exponent, int)
        and -exponent <= _MONEY_DECIMALS
        and amount.adjusted() < _MONEY_DIGITS
    )


_Getters = Mapping[str, Callable[[Any], object]]
"""Take rows of either kind apart."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A folder of results: its columns, the one that tells rows apart in a space, and its month.

    `month` is the column whose month names a row's partition. Every dataset has `spaceId`,
    `syncedAt` (when it was read) and `jobId`.
    """

    name: str
    key: str
    month: str
    schema: pa.Schema
    getters: _Getters


_TRANSACTIONS: Final = Dataset(
    name="transactions",
    key="transactionId",
    month="date",
    schema=pa.schema(
        [
            ("transactionId", pa.string()),
            ("accountId", pa.string()),
            ("spaceId", pa.string()),
            ("date", pa.date32()),
            ("amount", _MONEY),
            ("direction", pa.string()),
            ("currency", pa.string()),
            ("description", pa.string()),
            ("merchantName", pa.string()),
            ("category", pa.string()),
            ("pending", pa.bool_()),
            ("postedAt", _TIME),
            ("authorizedDate", pa.date32()),
            ("provider", pa.string()),
            ("providerTransactionId", pa.string()),
            ("replacesTransactionId", pa.string()),
            ("syncedAt", _TIME),
            ("jobId", pa.string()),
        ]
    ),
    getters={
        "transactionId": attrgetter("transaction_id"),
        "accountId": attrgetter("account_id"),
        "date": attrgetter("date"),
        "amount": attrgetter("amount"),
        "direction": attrgetter("direction.value"),
        "currency": attrgetter("currency"),
        "description": attrgetter("description"),
        "merchantName": attrgetter("merchant_name"),
        "category": lambda row: None if row.category is None else row.category.value,
        "pending": attrgetter("pending"),
        "postedAt": attrgetter("posted_at"),
        "authorizedDate": attrgetter("authorized_date"),
        "provider": attrgetter("provider"),
        "providerTransactionId": attrgetter("provider_transaction_id"),
        "replacesTransactionId": attrgetter("replaces_transaction_id"),
    },
)
_ACCOUNTS: Final = Dataset(
    name="accounts",
    key="accountId",
    month="syncedAt",
    schema=pa.schema(
        [
            ("accountId", pa.string()),
            ("spaceId", pa.string()),
            ("institutionId", pa.string()),
            ("name", pa.string()),
            ("officialName", pa.string()),
            ("mask", pa.string()),
            ("type", pa.string()),
            ("subtype", pa.string()),
            ("currency", pa.string()),
            ("available", _MONEY),
            ("current", _MONEY),
            ("limit", _MONEY),
            ("asOf", _TIME),
            ("provider", pa.string()),
            ("connectionId", pa.string()),
            ("syncedAt", _TIME),
            ("jobId", pa.string()),
        ]
    ),
    getters={
        "accountId": attrgetter("account_id"),
        "institutionId": attrgetter("institution_id"),
        "name": attrgetter("name"),
        "officialName": attrgetter("official_name"),
        "mask": attrgetter("mask"),
        "type": attrgetter("type.value"),
        "subtype": attrgetter("subtype"),
        "currency": attrgetter("currency"),
        "available": attrgetter("balances.available"),
        "current": attrgetter("balances.current"),
        "limit": attrgetter("balances.limit"),
        "asOf": attrgetter("as_of"),
        "provider": attrgetter("provider"),
        "connectionId": attrgetter("connection_id"),
    },
)
DATASETS: Final[Mapping[Operation, Dataset]] = {
    Operation.SYNC_TRANSACTIONS: _TRANSACTIONS,
    Operation.GET_ACCOUNTS: _ACCOUNTS,
}
"""What each operation of a job fills."""

REMOVED_SCHEMA: Final = pa.schema(
    [("spaceId", pa.string()), ("key", pa.string()), ("removedAt", _TIME)]
)
"""Ids that are no longer true, and since when."""


def table_of(dataset: Dataset, job_id: str, pages: Sequence[Page]) -> tuple[pa.Table, pa.Table]:
    """The rows of some pages, and what they declare gone."""
    records = [record for page in pages for record in page.records]
    sizes = [len(page.records) for page in pages]
    common: dict[str, list[object]] = {
        "spaceId": _repeated([page.space_id for page in pages], sizes),
        "syncedAt": _repeated([_time(page) for page in pages], sizes),
        "jobId": [job_id] * len(records),
    }
    columns = []
    for field in dataset.schema:
        getter = dataset.getters.get(field.name)
        values = common[field.name] if getter is None else [*map(getter, records)]
        columns.append(pa.array(values, field.type))
    gone = [(page.space_id, one, _time(page)) for page in pages for one in page.gone]
    return (
        pa.Table.from_arrays(columns, schema=dataset.schema),
        pa.Table.from_pylist(
            [dict(zip(REMOVED_SCHEMA.names, row, strict=True)) for row in gone],
            schema=REMOVED_SCHEMA,
        ),
    )


def _time(page: Page) -> dt.datetime:
    return from_unix(page.synced_at)


def _repeated(values: Sequence[object], sizes: Sequence[int]) -> list[object]:
    return [value for value, size in zip(values, sizes, strict=True) for _ in range(size)]


def rows_bytes(table: pa.Table) -> bytes:
    """A table as Arrow's stream, compressed; `pa.ipc.open_stream` reads it."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(sink, table.schema, options=options) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue())
