"""From frozen values to plain JSON data: camelCase names, money as text, times as RFC 3339 UTC."""

import dataclasses
import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from operator import attrgetter
from typing import Any, Final, cast, get_args, get_type_hints

from .money import decimal_text

__all__ = ["Json", "camel", "members", "rfc3339", "to_wire"]

_PLAIN: Final = (str, bool, int, float, type(None))

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def rfc3339(at: dt.datetime) -> str:
    """A UTC time with milliseconds and a Z."""
    in_utc = at if at.tzinfo is dt.UTC else at.astimezone(dt.UTC)
    return in_utc.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def camel(name: str) -> str:
    """A snake_case name in camelCase; digits stay with their letter (`attempts24h`, `p50Ms`)."""
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def members(value: object) -> Json:
    """What a value that JSON does not know is on the wire, with its members as they are.

    For an encoder that asks again for each of these.

    Raises:
        TypeError: a type that has no place on the wire.

    """
    kind = type(value)
    shallow = _SHALLOW.get(kind)
    if shallow is None:
        shallow = _SHALLOW[kind] = _members_of(kind)
    return shallow(value)


def _members_of(kind: type) -> Callable[[object], dict[str, Json]]:
    if not dataclasses.is_dataclass(kind):
        raise TypeError(f"{kind.__name__} has no place on the wire")
    names = [field.name for field in dataclasses.fields(kind)]
    wires = [camel(name) for name in names]
    # Twice the first: of one name alone it would answer no tuple.
    values_of: Callable[[object], tuple[Json, ...]] = attrgetter(*names, names[0])
    return lambda value: dict(zip(wires, values_of(value), strict=False))


def _record(kind: type) -> Callable[[object], Json]:
    shallow = _members_of(kind)
    hints = get_type_hints(kind)
    # What JSON has itself needs no rendering; most fields are such.
    rendered = [camel(f.name) for f in dataclasses.fields(kind) if not _is_plain(hints[f.name])]

    def render(value: object) -> Json:
        told = shallow(value)
        for wire in rendered:
            told[wire] = to_wire(told[wire])
        return told

    return render


def _is_plain(hint: object) -> bool:
    """Whether all values of a type are JSON's own."""
    return all(part in _PLAIN for part in get_args(hint) or (hint,))


def _rows(value: object) -> Json:
    return [to_wire(item) for item in cast("tuple[object, ...]", value)]


def _mapping(value: object) -> Json:
    return {str(key): to_wire(item) for key, item in cast("dict[object, object]", value).items()}


_SHALLOW: dict[type, Callable[[Any], Json]] = {
    Decimal: decimal_text,
    dt.datetime: rfc3339,
    dt.date: dt.date.isoformat,
}
_RENDERERS: dict[type, Callable[[object], Json]] = {
    **_SHALLOW,
    tuple: _rows,
    list: _rows,
    dict: _mapping,
}


def to_wire(value: object) -> Json:
    """Plain JSON data of a frozen value, or of anything made of them.

    Raises:
        TypeError: a type that has no place on the wire.

    """
    if value is None or type(value) in (str, bool, int, float):
        return cast("Json", value)
    kind = type(value)
    render = _RENDERERS.get(kind)
    if render is None:
        render = _RENDERERS[kind] = _renderer(kind)
    return render(value)


def _renderer(kind: type) -> Callable[[object], Json]:
    if issubclass(kind, Enum):
        return lambda value: str(cast("Enum", value)._value_)
    return _record(kind)
