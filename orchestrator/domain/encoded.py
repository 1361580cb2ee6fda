"""An operation's data as the bytes of its JSON: made once, where it was read, and passed on as is.

Between our processes data travels so, and an edge that speaks JSON puts the bytes into its answer.
Whoever wants typed data decodes them.
"""

import dataclasses
import datetime as dt
import types
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Final, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import orjson

from .results import (
    AccountsData,
    EncodedData,
    ExchangeData,
    LinkData,
    OperationData,
    OperationResult,
    TransactionsData,
)
from .vocabulary import Operation
from .wire import Json, camel, to_wire

__all__ = ["data_wire", "decoded_data", "encoded_data", "typed_result"]

_KINDS: Final[Mapping[Operation, type[OperationData]]] = {
    Operation.CREATE_LINK: LinkData,
    Operation.EXCHANGE_TOKEN: ExchangeData,
    Operation.GET_ACCOUNTS: AccountsData,
    Operation.SYNC_TRANSACTIONS: TransactionsData,
}
_TOLD_WHEN_SET: Final = frozenset({"fields", "warnings"})

T = TypeVar("T")
Reader = Callable[[object], object]


def data_wire(data: OperationData) -> dict[str, Json]:
    """The `data` member of an answer; what few answers have is left out of the others."""
    told = cast("dict[str, Json]", to_wire(data))
    return {name: value for name, value in told.items() if value or name not in _TOLD_WHEN_SET}


def encoded_data(operation: Operation, data: OperationData) -> EncodedData:
    """The data as bytes."""
    return EncodedData(operation, orjson.dumps(data_wire(data)))


def decoded_data(data: EncodedData) -> OperationData:
    """The typed data again; times have milliseconds.

    Raises:
        ValueError: the bytes are not such data.

    """
    kind = _KINDS[data.operation]
    try:
        return cast("OperationData", _reader(kind)(orjson.loads(data.json)))
    except (TypeError, KeyError, ArithmeticError) as error:
        raise ValueError(f"not the data of {data.operation}: {type(error).__name__}") from None


def typed_result(result: OperationResult) -> OperationResult:
    """The result with its data decoded.

    Raises:
        ValueError: see `decoded_data`.

    """
    if isinstance(result.data, EncodedData):
        return dataclasses.replace(result, data=decoded_data(result.data))
    return result


_READERS: dict[object, Reader] = {
    str: lambda value: value,
    bool: lambda value: value,
    int: lambda value: value,
    float: lambda value: value,
    Decimal: lambda value: Decimal(cast("str", value)),
    dt.datetime: lambda value: dt.datetime.fromisoformat(cast("str", value)),
    dt.date: lambda value: dt.date.fromisoformat(cast("str", value)),
}


def _reader(kind: object) -> Reader:
    reader = _READERS.get(kind)
    if reader is None:
        reader = _READERS[kind] = _made(kind)
    return reader


def _made(kind: object) -> Reader:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        (only,) = (each for each in get_args(kind) if each is not types.NoneType)
        inner = _reader(only)
        return lambda value: None if value is None else inner(value)
    if origin is tuple:
        each = _reader(get_args(kind)[0])
        return lambda value: tuple(map(each, cast("list[object]", value)))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _record(kind)
    raise TypeError(f"{kind} has no way back from the wire")


def _record(kind: type) -> Reader:
    hints = get_type_hints(kind)
    fields = [(f.name, camel(f.name), _reader(hints[f.name])) for f in dataclasses.fields(kind)]

    def read(value: object) -> object:
        told = cast("Mapping[str, object]", value)
        return kind(**{name: of(told[wire]) for name, wire, of in fields if wire in told})

    return read
