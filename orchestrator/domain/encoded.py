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
from operator import itemgetter
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
from .wire import Json, camel, members, to_wire

__all__ = ["data_wire", "decoded_data", "encoded_data", "typed_result"]

_KINDS: Final[Mapping[Operation, type[OperationData]]] = {
    Operation.CREATE_LINK: LinkData,
    Operation.EXCHANGE_TOKEN: ExchangeData,
    Operation.GET_ACCOUNTS: AccountsData,
    Operation.SYNC_TRANSACTIONS: TransactionsData,
}
_TOLD_WHEN_SET: Final = ("fields", "warnings")
_AS_WE_TELL: Final = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME

T = TypeVar("T")
Reader = Callable[[object], object]


def data_wire(data: OperationData) -> dict[str, Json]:
    """The `data` member of an answer; what few answers have is left out of the others."""
    return _told(cast("dict[str, Json]", to_wire(data)))


def _told(members_of: dict[str, Json]) -> dict[str, Json]:
    for name in _TOLD_WHEN_SET:
        if not members_of.get(name, True):
            del members_of[name]
    return members_of


def encoded_data(operation: Operation, data: OperationData) -> EncodedData:
    """The data as bytes: those of `data_wire`, made without the objects on the way."""
    told = _told(cast("dict[str, Json]", members(data)))
    return EncodedData(operation, orjson.dumps(told, members, _AS_WE_TELL))


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
        return result.with_data(decoded_data(result.data))
    return result


def _itself(value: object) -> object:
    return value


_READERS: dict[object, Reader] = {
    str: _itself,
    bool: _itself,
    int: _itself,
    float: _itself,
    Decimal: cast("Reader", Decimal),
    dt.datetime: cast("Reader", dt.datetime.fromisoformat),
    dt.date: cast("Reader", dt.date.fromisoformat),
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
        if inner is _itself:
            return _itself
        return lambda value: None if value is None else inner(value)
    if origin is tuple:
        each = _reader(get_args(kind)[0])
        return lambda value: tuple(map(each, cast("list[object]", value)))
    if isinstance(kind, type) and issubclass(kind, Enum):
        # Quicker than a call of the class.
        return {member.value: member for member in kind}.__getitem__
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _record(kind)
    raise TypeError(f"{kind} has no way back from the wire")


def _record(kind: type) -> Reader:
    hints = get_type_hints(kind)
    fields = [(f.name, camel(f.name), _reader(hints[f.name])) for f in dataclasses.fields(kind)]
    wires = [wire for _, wire, _ in fields]
    # Twice the first: of one name alone it would answer no tuple.
    values_of = cast("Callable[[object], list[object]]", itemgetter(wires[0], *wires))
    # What JSON has itself needs no reading; most fields are such.
    read_at = [(at, of) for at, (_, _, of) in enumerate(fields) if of is not _itself]

    def read(value: object) -> object:
        try:
            _, *values = values_of(value)
        except KeyError:
            told = cast("Mapping[str, object]", value)
            return kind(**{name: of(told[wire]) for name, wire, of in fields if wire in told})
        for at, of in read_at:
            values[at] = of(values[at])
        return kind(*values)

    return read
