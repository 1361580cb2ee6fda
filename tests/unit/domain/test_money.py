"""Amounts keep every digit that the vendor wrote, and nothing else passes for one."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain import decimal_or_none, decimal_text, loads_decimal


@pytest.mark.parametrize("raw", [b'{"a": 0.1}', '{"a": 0.1}'])
def test_json_fractions_are_exact(raw: bytes | str) -> None:
    """A fraction is the Decimal of its text, from bytes and from text."""
    parsed = loads_decimal(raw)

    assert {"a": Decimal("0.1")} == parsed
    assert isinstance(parsed, dict)
    assert isinstance(parsed["a"], Decimal)


def test_json_whole_numbers_stay_whole() -> None:
    """Ids and counts are no amounts yet."""
    assert loads_decimal("[12345678901234567890, true, null]") == [12345678901234567890, True, None]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>",
        b"[NaN]",
        b"[Infinity]",
        b"[-Infinity]",
        b"\xff\xfe",
        b"[1",
        b"\xef\xbb\xbf[]",
        b"[" * 100_000,
        b"[" + b"9" * 5000 + b"]",
    ],
    ids=["empty", "html", "nan", "inf", "-inf", "utf-8", "cut", "bom", "deep", "huge"],
)
def test_what_json_does_not_know_is_refused(raw: bytes) -> None:
    """Whatever is wrong with a body, it is one kind of error."""
    with pytest.raises(ValueError, match=r"."):
        loads_decimal(raw)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (Decimal("1.50"), Decimal("1.50")),
        (7, Decimal(7)),
        ("-12.30", Decimal("-12.30")),
        ("+1", Decimal(1)),
        ("1e3", Decimal("1E+3")),
        (".5", Decimal("0.5")),
        ("5.", Decimal(5)),
        (0, Decimal(0)),
    ],
)
def test_numbers_and_their_texts_become_decimals(value: object, expected: Decimal | None) -> None:
    """A vendor's number, as number or text; nothing stays nothing."""
    assert expected == decimal_or_none(value)


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        True,
        "",
        "abc",
        "NaN",
        "sNaN",
        "Infinity",
        "1_000",
        "1,000.00",
        " 12",
        "12\n",
        "١٢",
        "0x10",
        "1e1234567890",
        Decimal("NaN"),
        Decimal("Infinity"),
        [1],
        b"1",
    ],
)
def test_nothing_else_passes_for_an_amount(value: object) -> None:
    """Floats have lost their text; NaN, grouping and other scripts are no JSON numbers."""
    with pytest.raises(ValueError, match="not a decimal number"):
        decimal_or_none(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("-12.30", "-12.30"), ("1E+2", "100"), ("0E-8", "0.00000000"), ("1E-7", "0.0000001")],
)
def test_amounts_are_written_plainly(value: str, expected: str) -> None:
    """No exponent, and all trailing zeros."""
    assert expected == decimal_text(Decimal(value))


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=8, min_value=-(10**12), max_value=10**12
    )
)
def test_an_amount_survives_the_wire(amount: Decimal) -> None:
    """Written and read again, it has every digit it had."""
    assert decimal_or_none(decimal_text(amount)) == amount
    assert loads_decimal(f"[{decimal_text(amount)}]") == [amount]
