"""Money is Decimal from the vendor's bytes to the caller's string."""

import json
from decimal import Decimal, InvalidOperation

__all__ = ["decimal_or_none", "decimal_text", "loads_decimal"]


def _refuse_constant(name: str) -> Decimal:
    raise ValueError(f"{name} is not a number that JSON knows")


def loads_decimal(raw: bytes | str) -> object:
    """Parse JSON with every fractional number as the exact Decimal that its text says.

    Raises:
        ValueError: not JSON, not UTF-8, or one of the NaN and Infinity extensions.

    """
    text = raw.decode("utf-8") if isinstance(raw, bytes) else raw
    return json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)


def decimal_or_none(value: object) -> Decimal | None:
    """A vendor's number or numeric string as Decimal; None stays None.

    Raises:
        ValueError: anything else, booleans and floats included (a float has lost its text).

    """
    if value is None:
        return None
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str):
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise ValueError("not a decimal number") from None
        if number.is_finite():
            return number
    raise ValueError("not a decimal number")


def decimal_text(value: Decimal) -> str:
    """A Decimal in plain notation, as it travels on the wire ("-12.30", never "1E+2")."""
    return format(value, "f")
