"""The arithmetic of benchmarks: medians, ratios of runs, and when a reach is met."""

import pytest

from benchmarks.results import Figure, Floor, Reach, Result

OURS = (80.0, 40.0, 90.0)
ITS = (100.0, 50.0, 300.0)


def _figure(reach: Reach | None = None, *, ours: tuple[float, ...] = OURS) -> Figure:
    return Figure("operations", "1/s", ours, Floor("floor", ITS), reach)


def test_a_figure_is_the_median_of_its_runs() -> None:
    """One run that something disturbed moves nothing."""
    assert 80.0 == _figure().median


def test_a_ratio_is_the_median_of_the_runs_own_ratios() -> None:
    """What disturbs a run disturbs both of its sides: 0.1, 0.9 and 0.8 make 0.8, not 40 / 100."""
    figure = Figure("operations", "1/s", (10.0, 90.0, 40.0), Floor("floor", (100.0, 100.0, 50.0)))

    assert 0.8 == figure.ratio


def test_a_difference_is_the_median_of_the_runs_own_differences() -> None:
    """How much over the floor, in the figure's unit."""
    assert -20.0 == _figure().difference


def test_a_figure_without_a_floor_has_no_ratio() -> None:
    """Nor a difference, and nothing to judge."""
    figure = Figure("decision", "µs", (12.0,))

    assert figure.ratio is None
    assert figure.difference is None
    assert figure.is_met is None


@pytest.mark.parametrize(
    ("reach", "met"),
    [
        (Reach.ratio_at_least(0.8), True),
        (Reach.ratio_at_least(0.81), False),
        (Reach.ratio_at_most(0.8), True),
        (Reach.ratio_at_most(0.79), False),
        (Reach.value_at_least(80), True),
        (Reach.value_at_least(81), False),
        (Reach.value_at_most(80), True),
        (Reach.value_at_most(79), False),
        (Reach.more_at_most(-20), True),
        (Reach.more_at_most(-21), False),
    ],
)
def test_a_reach_is_met_at_its_bound_and_not_beyond(reach: Reach, met: bool) -> None:
    """Each kind of reach judges its own quantity, the bound itself included."""
    assert met is _figure(reach).is_met


@pytest.mark.parametrize(
    ("reach", "shown"),
    [
        (Reach.ratio_at_least(0.8), "≥ 0.8 x"),
        (Reach.value_at_most(20), "≤ 20"),
        (Reach.more_at_most(5), "≤ +5"),
    ],
)
def test_a_reach_reads_as_one_would_say_it(reach: Reach, shown: str) -> None:
    """A ratio has its sign, and a difference another."""
    assert shown == str(reach)


def test_the_best_floor_is_the_best_of_each_run() -> None:
    """The peer that was better in a run is the one to beat in that run."""
    best = Floor.best_of("best", [Floor("a", (1.0, 5.0)), Floor("b", (3.0, 2.0))])

    assert (3.0, 5.0) == best.runs


def test_a_floor_of_other_runs_is_refused() -> None:
    """Runs are compared one by one, so that there must be as many."""
    with pytest.raises(ValueError, match="2 runs"):
        Figure("operations", "1/s", (1.0, 2.0), Floor("floor", (1.0,)))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Figure("operations", "1/s", ()),
        lambda: Figure("operations", "1/s", (1.0,), Floor("floor", (0.0,))),
        lambda: Figure("operations", "1/s", (1.0,), reach=Reach.ratio_at_least(1.0)),
    ],
)
def test_a_figure_that_cannot_be_judged_is_refused(make: object) -> None:
    """No runs, a floor of nothing, or a reach that speaks of a floor where there is none."""
    assert callable(make)

    with pytest.raises(ValueError, match="operations"):
        make()


def test_a_result_tells_every_run_and_its_verdict_as_json() -> None:
    """So that a later change can be held against it."""
    told = Result((_figure(Reach.ratio_at_least(0.8)),), ("a note",)).to_json()

    assert {
        "figures": [
            {
                "what": "operations",
                "unit": "1/s",
                "median": 80.0,
                "runs": [80.0, 40.0, 90.0],
                "floor": {"name": "floor", "median": 100.0, "runs": [100.0, 50.0, 300.0]},
                "ratio": 0.8,
                "difference": -20.0,
                "reach": "≥ 0.8 x",
                "met": True,
            }
        ],
        "notes": ["a note"],
    } == told
