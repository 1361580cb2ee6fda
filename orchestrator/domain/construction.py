"""Frozen dataclasses that are quick to make.

The `__init__` that `dataclasses` writes for a frozen class looks `object.__setattr__` up, and the
field by its name, for each field. Here a field's slot is filled by its own descriptor: about half the
time, for the same object. It is for what is made with every attempt.
"""

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from inspect import Parameter, signature
from types import MemberDescriptorType
from typing import Any, Final, TypeVar, cast

__all__ = ["quick_init"]

T = TypeVar("T")
_FRESH: Final = object()
_PLAIN: Final = Parameter.POSITIONAL_OR_KEYWORD


def quick_init(kind: type[T]) -> type[T]:
    """Give a dataclass an `__init__` that fills its slots directly.

    Args:
        kind: from `@dataclass(frozen=True, slots=True)`, on which this stands. All of its fields
            are arguments, by place or by name.

    Raises:
        TypeError: it has no slots, `__post_init__`, or a field that is no such argument.

    """
    plain: Any = kind
    given = fields(plain)
    arguments = [one for one, at in signature(kind).parameters.items() if at.kind is _PLAIN]
    if hasattr(kind, "__post_init__") or arguments != [field.name for field in given]:
        raise TypeError(f"{kind.__name__} does more when it is made than take its fields")
    names: dict[str, object] = {"_fresh": _FRESH}
    for field in given:
        slot = getattr(plain, field.name, None)
        if not isinstance(slot, MemberDescriptorType):
            raise TypeError(f"{kind.__name__}.{field.name} has no slot")
        names[f"_set_{field.name}"] = slot.__set__
        names[f"_default_{field.name}"] = _default(field)
        names[f"_make_{field.name}"] = field.default_factory
    plain.__init__ = _compiled(kind, given, names)
    return kind


def _default(field: Field[Any]) -> object:
    return field.default if field.default_factory is MISSING else _FRESH


def _compiled(
    kind: type, given: tuple[Field[Any], ...], names: dict[str, object]
) -> Callable[..., None]:
    arguments = ", ".join(["self", *(_argument(field) for field in given)])
    lines = [f"    _set_{field.name}(self, {_value(field)})" for field in given] or ["    pass"]
    source = "\n".join([f"def __init__({arguments}):", *lines])
    exec(source, names)  # noqa: S102  of names of fields alone, as `dataclasses` does it
    made: Any = names["__init__"]
    made.__qualname__ = f"{kind.__qualname__}.__init__"
    made.__module__ = kind.__module__
    made.__annotations__ = {**{field.name: field.type for field in given}, "return": None}
    return cast("Callable[..., None]", made)


def _argument(field: Field[Any]) -> str:
    optional = field.default is not MISSING or field.default_factory is not MISSING
    return f"{field.name}=_default_{field.name}" if optional else field.name


def _value(field: Field[Any]) -> str:
    if field.default_factory is MISSING:
        return field.name
    return f"_make_{field.name}() if {field.name} is _fresh else {field.name}"
