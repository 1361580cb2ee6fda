"""The sandbox's options as words of a command line: `NAME=VALUE`, and what each one means."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from math import isfinite
from typing import Final, Literal, cast, get_args, get_origin, get_type_hints

from .options import SandboxOptions

__all__ = ["BadOption", "options_from", "options_help"]

_FLAGS: Final = {"true": True, "false": False}
_HINTS: Final[Mapping[str, object]] = get_type_hints(SandboxOptions)
_NAMED: Final = re.compile(r"`([a-z_0-9]+)`")


class BadOption(ValueError):
    """An option that is not there, or that cannot have this value."""


def options_from(words: Sequence[str], options: SandboxOptions | None = None) -> SandboxOptions:
    """The options as such words set them; the later of two words for one option counts.

    Args:
        words: each `NAME=VALUE`.
        options: what holds for those that no word names; the defaults when left out.

    Raises:
        BadOption: says which word is wrong, and what would be right.

    """
    chosen: dict[str, object] = {}
    for word in words:
        name, separator, text = word.partition("=")
        if not separator:
            raise BadOption(f"option {word!r}: write NAME=VALUE")
        if name not in _HINTS:
            raise BadOption(f"option {name!r} is not known; known are {', '.join(sorted(_HINTS))}")
        chosen[name] = _value(name, text)
    return replace(options or SandboxOptions(), **chosen)  # type: ignore[arg-type]


def options_help() -> tuple[str, ...]:
    """A sentence for each option, with its name, its values, its default and what it is about."""
    meanings = _meanings()
    return tuple(
        f"{field.name} ({_values(_HINTS[field.name])}; default {_shown(field.default)}) "
        f"{meanings.get(field.name, '')}".rstrip()
        for field in fields(SandboxOptions)
    )


def _value(name: str, text: str) -> object:
    hint = _HINTS[name]
    try:
        if hint is bool:
            return _FLAGS[text]
        if get_origin(hint) is Literal:
            return {str(choice): choice for choice in get_args(hint)}[text]
        number = int(text) if hint is int else float(text) if hint is float else None
    except (KeyError, ValueError):
        number = float("nan")
    if number is None:
        return text
    if not isfinite(number) or number < 0:
        raise BadOption(f"option {name} is {text!r}: it takes {_values(hint)}")
    return number


def _values(hint: object) -> str:
    if hint is bool:
        return "true, false"
    if get_origin(hint) is Literal:
        return ", ".join(str(choice) for choice in get_args(hint))
    return {int: "a whole number", float: "a number"}.get(cast(type, hint), "a text")


def _shown(default: object) -> str:
    return str(default).lower() if isinstance(default, bool) else str(default)


def _meanings() -> Mapping[str, str]:
    """What the class's docstring says of each option: the sentences after its name."""
    prose = " ".join((SandboxOptions.__doc__ or "").split())
    parts: dict[str, str] = {}
    name = ""
    for sentence in re.split(r"(?<=\.) ", prose):
        begins = _NAMED.match(sentence)
        if begins and begins[1] in _HINTS:
            name = begins[1]
            parts[name] = sentence.removeprefix(begins[0]).strip()
        elif name:
            parts[name] += f" {sentence}"
    return parts
