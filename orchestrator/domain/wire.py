"""From frozen values to plain JSON data: camelCase names, money as text, times as RFC 3339 UTC."""

import dataclasses
import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from typing import cast

from .money import decimal_text

__all__ = ["Json", "camel", "rfc3339", "to_wire"]

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def rfc3339(at: dt.datetime) -> str:
    """A UTC time with milliseconds and a Z."""
    text = at.astimezone(dt.UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def camel(name: str) -> str:
    """A snake_case name in camelCase; digits stay with their letter (`attempts24h`, `p50Ms`)."""
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def _record(kind: type) -> Callable[[object], Json]:
    names = [(name, camel(name)) for name in (f.name for f in dataclasses.fields(kind))]

    def render(value: object) -> Json:
        return {wire: to_wire(getattr(value, name)) for name, wire in names}

    return render


def _rows(value: object) -> Json:
    return [to_wire(item) for item in cast("tuple[object, ...]", value)]


def _mapping(value: object) -> Json:
    return {str(key): to_wire(item) for key, item in cast("dict[object, object]", value).items()}


_RENDERERS: dict[type, Callable[[object], Json]] = {
    Decimal: lambda value: decimal_text(cast("Decimal", value)),
    dt.datetime: lambda value: rfc3339(cast("dt.datetime", value)),
    dt.date: lambda value: cast("dt.date", value).isoformat(),
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
        if isinstance(value, Enum):
            return str(value.value)
        if not dataclasses.is_dataclass(kind):
            raise TypeError(f"{kind.__name__} has no place on the wire")
        render = _RENDERERS[kind] = _record(kind)
    return render(value)
