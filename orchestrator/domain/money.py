"""Money is Decimal from the vendor's bytes to the caller's string."""

import json
import re
from decimal import Decimal
from typing import Final, cast

__all__ = ["decimal_or_none", "decimal_text", "loads_decimal"]

# What JSON's numbers look like, and no more: Decimal itself also takes "1_000", " 1 " and "NaN".
_NUMBER: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,9})?")


def _refuse_constant(name: str) -> Decimal:
    raise ValueError(f"{name} is not a number that JSON knows")


_DECODER: Final = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse_constant)


def loads_decimal(raw: bytes | str) -> object:
    """Parse JSON with every fractional number as the exact Decimal that its text says.

    Raises:
        ValueError: not JSON, not UTF-8, nested too deep, or one of the NaN and Infinity extensions.

    """
    text = raw.decode("utf-8") if isinstance(raw, bytes) else raw
    try:
        return cast("object", _DECODER.decode(text))
    except RecursionError:
        raise ValueError("JSON nested too deep") from None


def decimal_or_none(value: object) -> Decimal | None:
    """A vendor's number or numeric string as Decimal; None stays None.

    Raises:
        ValueError: anything else, booleans, floats (which have lost their text), NaN and Infinity
            included.

    """
    if value is None:
        return None
    if isinstance(value, Decimal) and value.is_finite():
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return Decimal(value)
    raise ValueError("not a decimal number")


def decimal_text(value: Decimal) -> str:
    """A Decimal in plain notation, as it travels on the wire ("-12.30", never "1E+2")."""
    text = str(value)
    # With an exponent only where the value is very large or small: the quick way serves most.
    return format(value, "f") if "E" in text else text
