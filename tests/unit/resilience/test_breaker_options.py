"""Options are checked once, so that the machine never checks again."""

from typing import cast

import pytest

from orchestrator.resilience import BreakerOptions


def test_defaults_are_those_of_the_contract() -> None:
    """Five failures open, a minute later it probes, two successes close."""
    options = BreakerOptions()

    assert (
        options.failure_threshold,
        options.success_threshold,
        options.timeout_s,
    ) == (5, 2, 60.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("failure_threshold", 0),
        ("failure_threshold", 1001),
        ("success_threshold", 0),
        ("success_threshold", 101),
        ("half_open_permits", 0),
        ("half_open_permits", 101),
        ("timeout_s", 0.0),
        ("timeout_s", 86_401.0),
        ("timeout_s", float("nan")),
        ("max_timeout_s", float("inf")),
        ("permit_lease_s", -1.0),
    ],
)
def test_an_option_out_of_range_is_refused_by_name(name: str, value: float) -> None:
    """The error says which option, its value and its range."""
    with pytest.raises(ValueError, match=rf"^{name} is .*: it must be "):
        BreakerOptions(**cast(dict[str, int], {name: value}))


def test_the_open_interval_doubles_up_to_the_cap() -> None:
    """Growth ends at the cap exactly."""
    options = BreakerOptions(timeout_s=60.0, max_timeout_s=200.0)

    assert [options.grown_s(s) for s in (60.0, 120.0, 200.0)] == [120.0, 200.0, 200.0]


def test_a_cap_below_the_timeout_means_no_growth() -> None:
    """A cap never makes an interval shorter than the first one."""
    options = BreakerOptions(timeout_s=60.0, max_timeout_s=10.0)

    assert options.grown_s(60.0) == 60.0
