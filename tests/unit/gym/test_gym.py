"""The gym: its worlds, its simulation, and a small contest that ends the same every time."""

import json
from pathlib import Path

import pytest

from models import SelectionModel, SelectionPolicy
from models.adaptive import AdaptivePolicy
from orchestrator.gym import SCENARIOS, ClairvoyantPolicy, Incident, Simulation, World
from orchestrator.gym.__main__ import main
from orchestrator.gym.contest import ENTRANTS, PLAIN, REFERENCE, Contest, Line
from orchestrator.gym.drills import drill
from orchestrator.gym.report import by_scenario, overall
from orchestrator.gym.simulation import BEGAN_AT
from orchestrator.gym.tally import Tally

HALF_HOUR_S = 1800.0
ENTRANTS_OF_A_TEST = {
    name: ENTRANTS[name] for name in (PLAIN, "priority", "adaptive, cold", REFERENCE)
}


def no_models(_seed: int, _newcomer: str | None) -> SelectionModel:
    """For contests in which nobody is trained."""
    raise AssertionError("nobody here is trained")


def run(policy: str, *incidents: Incident, rate_per_s: float = 1.0) -> Tally:
    """Half an hour of one policy in a world with these incidents."""
    world = World(1, incidents, {"plaid": 0.985})
    simulation = Simulation(world, SelectionPolicy(policy=policy, seed=1), keep_firsts=True)
    return simulation.run(world.requests(HALF_HOUR_S, rate_per_s, stream="test"))


def test_a_world_is_its_seed() -> None:
    """Same seed, same success ratios; another seed, others."""
    assert World(1).calm == World(1).calm
    assert World(1).calm != World(2).calm
    assert all(0.3 < ratio < 1.0 for ratio in World(1).calm.values())


def test_requests_are_the_same_for_everybody() -> None:
    """A stream of requests depends on the seed and its name, not on what befalls the world."""
    calm, struck = World(1), World(1, [Incident(0.0, 100.0, "plaid", factor=0.0)])

    assert list(calm.requests(300.0, 2.0, stream="a")) == list(
        struck.requests(300.0, 2.0, stream="a")
    )
    assert list(calm.requests(300.0, 2.0, stream="a")) != list(
        calm.requests(300.0, 2.0, stream="b")
    )


def test_an_incident_holds_where_and_while_it_says() -> None:
    """Its factor multiplies within its scope and time, and nowhere else."""
    world = World(1, [Incident(10.0, 20.0, "plaid", institution_id="ins_us_0", factor=0.5)])
    calm = world.calm["plaid", "getAccounts", "ins_us_0"]
    ratios = [world.success_ratio("plaid", "getAccounts", "ins_us_0", t) for t in (5.0, 15.0, 25.0)]

    assert ratios == [calm, calm * 0.5, calm]
    assert (
        world.success_ratio("mx", "getAccounts", "ins_us_0", 26.0)
        == world.calm["mx", "getAccounts", "ins_us_0"]
    )


def test_gradual_incidents_come_or_go() -> None:
    """A ramp ends at its factor, one that mends begins there."""
    ramp = Incident(0.0, 100.0, factor=0.2, ramp=True)
    mends = Incident(0.0, 100.0, factor=0.2, mends=True)

    assert [1.0, pytest.approx(0.6), pytest.approx(0.2)] == [
        ramp.factor_at(t) for t in (0.0, 50.0, 100.0)
    ]
    assert [pytest.approx(0.2), pytest.approx(0.6), 1.0] == [
        mends.factor_at(t) for t in (0.0, 50.0, 100.0)
    ]


def test_the_clairvoyant_takes_the_likeliest() -> None:
    """It orders by the true ratios of the moment."""
    world = World(1, [Incident(0.0, 100.0, "plaid", factor=0.0)])
    policy = ClairvoyantPolicy(world, BEGAN_AT)
    tally = Simulation(world, policy, keep_firsts=True).run(world.requests(90.0, 2.0, stream="a"))

    assert not [first for first in tally.firsts if first.provider == "plaid"]


def test_failover_and_circuits_are_the_real_ones() -> None:
    """In an outage plain order loses a few first attempts, as its circuit opens, and few requests."""
    tally = run("priority", Incident(600.0, 1200.0, "plaid", factor=0.0))
    lost = [
        first
        for first in tally.firsts
        if first.provider == "plaid" and 600.0 <= first.started_s < 1200.0
    ]

    assert 5 <= len(lost) <= 15
    assert tally.final_ratio > 0.98
    assert tally.attempts > tally.requests


def test_users_errors_are_no_failures_of_a_provider() -> None:
    """A storm of wrong passwords neither lowers nor raises first-attempt success."""
    calm = run("priority")
    storm = run("priority", Incident(0.0, HALF_HOUR_S, user_errors=0.7))

    assert storm.finished < 0.5 * calm.finished
    assert storm.first_ratio == pytest.approx(calm.first_ratio, abs=0.005)


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_every_scenario_runs_and_repeats(name: str) -> None:
    """Ten minutes of each, twice, come to the same."""
    scenario = SCENARIOS[name]
    tallies = []
    for _ in range(2):
        world = scenario.world(2, 600.0)
        simulation = Simulation(world, SelectionPolicy(seed=2), quotas=scenario.quotas or {})
        tallies.append(simulation.run(world.requests(600.0, 1.0, stream=name)))

    assert tallies[0] == tallies[1]
    assert tallies[0].requests > 500
    assert 0.5 < tallies[0].first_ratio < 1.0


def test_adaptive_closes_much_of_the_gap_even_cold() -> None:
    """Over two scenarios of outages, far more first attempts work than in plain order."""
    contest = Contest(ENTRANTS_OF_A_TEST, no_models, hours=1.0)
    lines = list(contest.lines([SCENARIOS["outages"], SCENARIOS["mixed"]], [3]))
    first = {
        name: sum(line.first_ratio for line in lines if line.entrant == name)
        for name in ENTRANTS_OF_A_TEST
    }
    gap = first[REFERENCE] - first[PLAIN]

    assert first["adaptive, cold"] - first[PLAIN] > 0.75 * gap
    assert first["adaptive, cold"] > first["priority"]


def test_a_dying_provider_is_left_and_found_again() -> None:
    """At fifty requests a second: at most ten more first attempts, and back within a minute."""
    report = drill(lambda seed: AdaptivePolicy(None, seed), 1, rate_per_s=50.0, outage_s=30.0)

    assert report.to_the_dying <= 10
    assert report.silent_left_s <= report.silent_p99_s + 5.0
    assert report.back_s <= 60.0


def test_tables_tell_the_share_of_the_gap() -> None:
    """The reference closes all of it, plain order none."""
    lines = [
        Line("calm", 1, name, 10, ratio, 1.0, 1.1, 0.5)
        for name, ratio in ((PLAIN, 0.8), ("adaptive", 0.88), (REFERENCE, 0.9))
    ]

    assert "| adaptive | 88.00 | 80.0 | 100.00 | 1.100 | 0.50 |" in overall(lines)
    assert "| calm | 88.00 | 80.00 |" in by_scenario(lines, ["adaptive", PLAIN])


def test_the_command_line_runs_a_contest_and_reads_its_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a contest writes down, `tables` reads; both print the same table."""
    file = tmp_path / "lines.jsonl"
    done = main(
        [
            *("contest", "--hours", "0.05", "--seed", "1", "--scenario", "calm"),
            *("--entrant", "priority", "--entrant", REFERENCE, "--lines", str(file)),
        ]
    )
    first = capsys.readouterr().out
    again = main(["tables", str(file)])

    assert (0, 0) == (done, again)
    assert first == capsys.readouterr().out
    assert {"priority", REFERENCE} == {
        json.loads(text)["entrant"] for text in file.read_text(encoding="utf-8").splitlines()
    }
