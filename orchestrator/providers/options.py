"""Settings of one adapter, for the points that its vendor leaves unclear."""

import re
from collections.abc import Collection, Mapping

from orchestrator.domain import ConfigurationError

__all__ = ["choice", "matching", "options_with", "whole_number"]


def options_with(
    given: Mapping[str, str], defaults: Mapping[str, str], *, provider: str
) -> Mapping[str, str]:
    """The adapter's defaults with what was set over them.

    Raises:
        ConfigurationError: an option that this adapter does not have.

    """
    unknown = sorted(set(given) - set(defaults))
    if unknown:
        raise ConfigurationError(
            f"providers.{provider}.options: unknown option {unknown[0]!r}; "
            f"known are {', '.join(sorted(defaults))}"
        )
    return {**defaults, **given}


def choice(
    options: Mapping[str, str], name: str, allowed: Collection[str], *, provider: str
) -> str:
    """An option's value out of a closed set.

    Raises:
        ConfigurationError: it is something else.

    """
    value = options[name]
    if value not in allowed:
        raise ConfigurationError(
            f"providers.{provider}.options.{name} is {value!r}: "
            f"set it to one of {', '.join(sorted(allowed))}"
        )
    return value


def matching(
    options: Mapping[str, str], name: str, shape: re.Pattern[str], what: str, *, provider: str
) -> str:
    """An option's value of a certain shape, which `what` names.

    Raises:
        ConfigurationError: it has another.

    """
    value = options[name]
    if not shape.fullmatch(value):
        raise ConfigurationError(
            f"providers.{provider}.options.{name} is {value!r}: set it to {what}"
        )
    return value


def whole_number(
    options: Mapping[str, str], name: str, *, low: int, high: int, provider: str
) -> int:
    """An option's value as a whole number within bounds.

    Raises:
        ConfigurationError: it is no number, or outside.

    """
    value = options[name]
    if not (value.isascii() and value.isdecimal() and low <= int(value) <= high):
        raise ConfigurationError(
            f"providers.{provider}.options.{name} is {value!r}: "
            f"set it to a whole number from {low} to {high}"
        )
    return int(value)
