"""Pauses between tries."""

import pytest

from orchestrator.resilience import jittered_backoff_s


@pytest.mark.parametrize(
    ("attempt", "bound_s"), [(1, 0.2), (2, 0.4), (3, 0.8), (4, 1.6), (5, 2.0), (10_000, 2.0)]
)
def test_the_bound_doubles_up_to_the_cap(attempt: int, bound_s: float) -> None:
    """Full jitter draws evenly below it."""
    drawn = [
        jittered_backoff_s(attempt, base_s=0.2, cap_s=2.0, unit_random=share)
        for share in (0.0, 0.5, 1.0)
    ]

    assert [0.0, bound_s / 2, bound_s] == pytest.approx(drawn)


@pytest.mark.parametrize(
    ("attempt", "base_s", "unit_random", "named"),
    [
        (0, 1.0, 0.5, "attempt"),
        (1, 0.0, 0.5, "base_s"),
        (1, 9.0, 0.5, "base_s"),
        (1, 1.0, 2.0, "unit"),
    ],
)
def test_arguments_out_of_range_are_refused_by_name(
    attempt: int, base_s: float, unit_random: float, named: str
) -> None:
    """The error says which one."""
    with pytest.raises(ValueError, match=f"^{named}"):
        jittered_backoff_s(attempt, base_s=base_s, cap_s=5.0, unit_random=unit_random)
