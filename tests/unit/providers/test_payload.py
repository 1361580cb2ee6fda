"""Reading single fields of a vendor's JSON."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from orchestrator.domain import ProviderFailure
from orchestrator.providers import payload


@pytest.mark.parametrize(
    ("reader", "value", "expected"),
    [
        (payload.text, "x", "x"),
        (payload.optional_text, "", None),
        (payload.optional_text, None, None),
        (payload.optional_text, "a\ud800b", "a?b"),
        (payload.flag, False, False),
        (payload.optional_flag, None, None),
        (payload.integer, 0, 0),
        (payload.decimal, 7, Decimal(7)),
        (payload.decimal, "-0.10", Decimal("-0.10")),
        (payload.optional_decimal, None, None),
        (payload.day, "2026-03-01", date(2026, 3, 1)),
        (payload.day, "2026-3-1", date(2026, 3, 1)),
        (payload.day, "2026-03-01T23:59:59-06:00", date(2026, 3, 1)),
        (payload.optional_day, None, None),
        (
            payload.optional_instant,
            "2026-03-01T10:00:00-06:00",
            datetime(2026, 3, 1, 16, tzinfo=UTC),
        ),
        (payload.optional_instant, "2026-03-01T10:00:00", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        (payload.optional_instant, None, None),
        (payload.section, {}, {}),
        (payload.rows, [{}], ({},)),
        (payload.currency, "mxn", "MXN"),
        (payload.currency, None, "XXX"),
    ],
)
def test_a_field_of_the_documented_kind_is_read(
    reader: Callable[..., object], value: object, expected: object
) -> None:
    """Values come out typed, exact and in UTC."""
    assert reader({"field": value}, "field") == expected


@pytest.mark.parametrize(
    ("reader", "value"),
    [
        (payload.text, None),
        (payload.text, ""),
        (payload.text, 7),
        (payload.text, "\ud800"),
        (payload.optional_text, []),
        (payload.flag, None),
        (payload.flag, 1),
        (payload.optional_flag, "true"),
        (payload.integer, True),
        (payload.integer, -1),
        (payload.integer, "1"),
        (payload.decimal, None),
        (payload.decimal, True),
        (payload.decimal, "NaN"),
        (payload.decimal, Decimal("1e25")),
        (payload.decimal, Decimal("0e999999")),
        (payload.decimal, Decimal("1e-25")),
        (payload.decimal, 10**25),
        (payload.decimal, []),
        (payload.day, None),
        (payload.day, "2026-02-30"),
        (payload.day, "20260301"),
        (payload.day, "٢٠٢٦-03-01"),
        (payload.optional_instant, "soon"),
        (payload.optional_instant, "0001-01-01T00:00:00+14:00"),
        (payload.optional_instant, 1_700_000_000),
        (payload.section, None),
        (payload.section, []),
        (payload.rows, None),
        (payload.rows, {}),
        (payload.rows, [{}, []]),
    ],
)
def test_a_field_of_another_kind_is_malformed(reader: Callable[..., object], value: object) -> None:
    """What is not documented is a failure that names our field and not the vendor's value."""
    with pytest.raises(ProviderFailure) as caught:
        reader({"field": value}, "field")

    failure = caught.value.failure
    assert (failure.error_class, failure.code) == ("provider_down", "MALFORMED")
    assert "field" in failure.message


@pytest.mark.parametrize(
    ("number", "mask"),
    [
        ("4057068115181", "5181"),
        ("XXXXXX1234", "1234"),
        ("0444/45722-0", "7220"),
        ("**** 12", "12"),
        ("****9", None),
        ("12345X", None),
        ("", None),
        (None, None),
    ],
)
def test_a_mask_is_the_visible_end_of_a_number(number: str | None, mask: str | None) -> None:
    """Two to four digits at the end, whatever hides or parts the rest."""
    assert payload.mask_of(number) == mask
