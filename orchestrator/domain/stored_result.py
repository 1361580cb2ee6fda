"""A result as bytes and back, for answers that are kept under an idempotency key."""

from dataclasses import replace
from typing import Final

from pydantic import TypeAdapter

from .encoded import encoded_data
from .results import EncodedData, OperationResult

__all__ = ["result_from_bytes", "result_to_bytes"]

_RESULT: Final = TypeAdapter(OperationResult)


def result_to_bytes(result: OperationResult) -> bytes:
    """All of a result: its data on a line of their own, as they went over the wire."""
    head = _RESULT.dump_json(replace(result, data=None))
    data = result.data
    if data is None:
        return head
    if not isinstance(data, EncodedData):
        data = encoded_data(result.operation, data)
    return head + b"\n" + data.json


def result_from_bytes(kept: bytes) -> OperationResult:
    """The result again, marked as replayed, its data encoded."""
    head, _, tail = kept.partition(b"\n")
    result = _RESULT.validate_json(head)
    data = EncodedData(result.operation, tail) if tail else None
    return replace(result, data=data, replayed=True)
