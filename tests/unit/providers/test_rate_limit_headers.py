"""What vendors say of their limits, in the shapes in which they say it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.providers.rate_limit_headers import told_allowance
from orchestrator.resilience import ToldAllowance

NOW = datetime(2026, 3, 18, 15, 30, tzinfo=UTC)
IN_30_S = int(NOW.timestamp()) + 30


@pytest.mark.parametrize(
    "headers",
    [
        {"ratelimit": '"default";r=5;t=30'},
        {"ratelimit": '"default"; r=5; t=30'},
        {"ratelimit": '"burst";r=90;t=1, "daily";r=5;t=30'},
        {"ratelimit": "limit=100, remaining=5, reset=30"},
        {"ratelimit-limit": "100, 100;w=60", "ratelimit-remaining": "5", "ratelimit-reset": "30"},
        {"x-ratelimit-limit": "100", "x-ratelimit-remaining": "5", "x-ratelimit-reset": "30"},
        {"x-ratelimit-remaining": " 5 ", "x-ratelimit-reset": "30.0"},
        {"x-ratelimit-remaining": "5", "x-ratelimit-reset": str(IN_30_S)},
        {"x-ratelimit-remaining": "5", "x-ratelimit-reset": str(IN_30_S * 1000)},
        {"x-rate-limit-remaining": "5", "x-rate-limit-reset": str(IN_30_S)},
    ],
)
def test_every_way_of_telling_what_is_left_is_understood(headers: dict[str, str]) -> None:
    """The drafts of the standard, and what came by habit, with resets as seconds or as times."""
    assert ToldAllowance(5, 30.0) == told_allowance(headers, NOW)


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ('"a";r=3;t=10, "b";r=7;t=99', ToldAllowance(3, 10.0)),
        ('"a";r=0;t=10, "b";r=0;t=99', ToldAllowance(0, 99.0)),
        ('"a";r=0;t=10, "b";r=1;t=99', ToldAllowance(0, 10.0)),
    ],
)
def test_of_several_limits_the_tightest_is_told(header: str, told: ToldAllowance) -> None:
    """Of those that are used up the one that resets last."""
    assert told == told_allowance({"ratelimit": header}, NOW)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"ratelimit": '"default";r=5'},
        {"ratelimit": '"default";q=5;w=30'},
        {"ratelimit": '"r=5";t=30'},
        {"ratelimit": "r=-5;t=30"},
        {"ratelimit-remaining": "5"},
        {"x-ratelimit-reset": "30"},
        {"x-ratelimit-remaining": "five", "x-ratelimit-reset": "30"},
        {"x-ratelimit-remaining": "5", "x-ratelimit-reset": "soon"},
        {"x-ratelimit-remaining": "", "x-ratelimit-reset": ""},
        {"x-ratelimit-remaining": "1" * 16, "x-ratelimit-reset": "30"},
    ],
)
def test_what_cannot_be_read_is_not_there(headers: dict[str, str]) -> None:
    """Half of it, or nonsense, limits nobody."""
    assert told_allowance(headers, NOW) is None


def test_a_time_that_has_passed_is_over() -> None:
    """A vendor's clock may be behind ours."""
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(IN_30_S - 90)}

    assert ToldAllowance(0, 0.0) == told_allowance(headers, NOW)


def test_without_a_time_the_machines_clock_is_read() -> None:
    """As everywhere at the edge."""
    later = int(datetime.now(UTC).timestamp()) + 600
    told = told_allowance({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(later)})

    assert told is not None
    assert told.reset_s == pytest.approx(600.0, abs=5.0)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    headers=st.dictionaries(
        st.sampled_from(["ratelimit", "x-ratelimit-remaining", "x-ratelimit-reset"]),
        st.text(st.sampled_from('rt=;,"0123456789. limitremaining-'), max_size=60),
    )
)
def test_no_header_breaks_it(headers: dict[str, str]) -> None:
    """Whatever it says, the answer is none or makes sense."""
    told = told_allowance(headers, NOW)

    assert told is None or (told.remaining >= 0 and told.reset_s >= 0.0)
