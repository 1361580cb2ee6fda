"""A result as bytes and back, for answers that are kept under an idempotency key."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from pydantic import TypeAdapter

from .results import (
    AccountsData,
    ExchangeData,
    LinkData,
    OperationData,
    OperationResult,
    TransactionsData,
)
from .vocabulary import Operation

__all__ = ["result_from_bytes", "result_to_bytes"]

_RESULT: Final = TypeAdapter(OperationResult)
_DATA: Final[Mapping[Operation, TypeAdapter[OperationData]]] = {
    Operation.CREATE_LINK: TypeAdapter(LinkData),
    Operation.EXCHANGE_TOKEN: TypeAdapter(ExchangeData),
    Operation.GET_ACCOUNTS: TypeAdapter(AccountsData),
    Operation.SYNC_TRANSACTIONS: TypeAdapter(TransactionsData),
}


def result_to_bytes(result: OperationResult) -> bytes:
    """All of a result: its data on a line of their own, as only they differ in type."""
    head = _RESULT.dump_json(replace(result, data=None))
    if result.data is None:
        return head
    return head + b"\n" + _DATA[result.operation].dump_json(result.data)


def result_from_bytes(kept: bytes) -> OperationResult:
    """The result again, marked as replayed."""
    head, _, tail = kept.partition(b"\n")
    result = _RESULT.validate_json(head)
    data = _DATA[result.operation].validate_json(tail) if tail else None
    return replace(result, data=data, replayed=True)
