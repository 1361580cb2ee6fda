"""Off-policy estimates against worlds whose truth is known."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from models.evaluation import LoggedChoices, OffPolicy, logged_choices
from models.evaluation.metrics import calibration, mean_with_interval, probability_metrics

NAMES = ("plaid", "mx", "finicity")
OPERATIONS, BANKS = 2, 6
DAY_S = 86_400.0


@dataclass(frozen=True)
class Known:
    """A log, a random policy, and how often each first choice would have worked in each row."""

    choices: LoggedChoices
    policy: np.ndarray
    chances: np.ndarray

    def value(self, policy: np.ndarray) -> float:
        """How often the first choices of a policy would have worked."""
        return float((policy * self.chances).sum(axis=1).mean())


def known(seed: int, rows: int = 3000, explored: float = 0.2) -> Known:
    """Three days with outages, logged by another policy that explores; even seeds draw, odd rank."""
    random = np.random.default_rng(seed)
    base = 1.0 - random.beta(1.5, 15.0, size=(OPERATIONS, BANKS, len(NAMES)))
    at = np.sort(random.uniform(0.0, 3 * DAY_S, rows))
    up = np.ones((rows, len(NAMES)))
    for provider in range(len(NAMES)):
        for _ in range(random.poisson(3)):
            begun, lasts = random.uniform(0.0, 3 * DAY_S), random.exponential(3600.0)
            up[(at >= begun) & (at < begun + lasts), provider] = 0.1
    operation, bank = random.integers(OPERATIONS, size=rows), random.integers(BANKS, size=rows)
    chances = base[operation, bank] * up
    favourite = random.integers(len(NAMES), size=(OPERATIONS, BANKS))[operation, bank]
    logging = np.full((rows, len(NAMES)), explored / len(NAMES))
    logging[np.arange(rows), favourite] += 1.0 - explored
    chosen = (random.random(rows)[:, None] < logging.cumsum(axis=1)).argmax(axis=1)
    worked = random.random(rows) < chances[np.arange(rows), chosen]
    if seed % 2:
        ranked = random.integers(len(NAMES), size=(OPERATIONS, BANKS))
        policy = np.eye(len(NAMES))[ranked[operation, bank]]
    else:
        policy = random.dirichlet(np.ones(len(NAMES)), size=(OPERATIONS, BANKS))[operation, bank]
    choices = LoggedChoices(
        providers=NAMES,
        contexts=tuple(
            (f"operation{o}", "US", f"bank{b}", NAMES)
            for o, b in zip(operation.tolist(), bank.tolist(), strict=True)
        ),
        allowed=np.ones((rows, len(NAMES)), dtype=bool),
        chosen=chosen,
        propensity=logging[np.arange(rows), chosen],
        reward=worked.astype(np.float64),
        started_s=at,
        unusable=0,
        certain=0,
    )
    return Known(choices, policy, chances)


def test_intervals_cover_the_truth() -> None:
    """Of 200 random policies on independent logs, 95 % intervals hold the truth for at least 90 %."""
    covered = dict.fromkeys(("ips", "snips", "dr"), 0)
    for seed in range(200):
        world = known(seed)
        value = OffPolicy(world.choices).value(world.policy)
        for name, estimate in value.estimates.items():
            covered[name] += estimate.low <= world.value(world.policy) <= estimate.high

    assert min(covered.values()) >= 180


def test_intervals_are_not_too_wide_to_say_anything() -> None:
    """SNIPS and doubly robust tell ten points apart on 3,000 rows, and IPS is the widest."""
    values = [OffPolicy(world.choices).value(world.policy) for world in map(known, range(40))]
    width = {
        name: np.mean([value.estimates[name].high - value.estimates[name].low for value in values])
        for name in ("ips", "snips", "dr")
    }

    assert width["snips"] < 0.1
    assert width["dr"] < 0.1
    assert width["ips"] > width["snips"]


def test_intervals_of_differences_cover_the_true_difference() -> None:
    """The gain of one random policy over another lies in its interval nine times in ten."""
    covered = 0
    for seed in range(100):
        world = known(seed)
        plain = np.eye(3)[[0] * world.choices.rows]
        gain = OffPolicy(world.choices).difference(world.policy, plain)
        truth = world.value(world.policy) - world.value(plain)
        covered += gain.snips.low <= truth <= gain.snips.high

    assert covered >= 90


def test_a_policy_against_itself_is_nought() -> None:
    """The difference of a policy and itself is exactly nought, and the log can tell."""
    world = known(1)

    gain = OffPolicy(world.choices).difference(world.policy, world.policy)

    assert (gain.snips.value, gain.snips.low, gain.snips.high) == (0.0, 0.0, 0.0)
    assert gain.verdict


def test_the_logging_policy_itself_has_the_seen_ratio() -> None:
    """Judging the policy that made the log gives the mean of its rewards, by IPS and SNIPS."""
    world = known(2)
    choices = world.choices
    itself = np.zeros(choices.allowed.shape)
    itself[np.arange(choices.rows), choices.chosen] = choices.propensity

    value = OffPolicy(choices).value(itself)

    assert value.estimates["ips"].value == pytest.approx(choices.reward.mean())
    assert value.snips.value == pytest.approx(choices.reward.mean())
    assert value.effective_rows == pytest.approx(choices.rows)


def test_few_effective_rows_refuse_a_verdict() -> None:
    """Where next to nothing of what a policy would do was logged, the log cannot tell."""
    world = known(3, rows=600, explored=0.03)
    rare = np.eye(3)[np.asarray(world.choices.allowed.shape[1] - 1).repeat(600)]
    likely = world.choices.propensity > 0.5
    rare[likely] = np.eye(3)[(world.choices.chosen[likely] + 1) % 3]

    value = OffPolicy(world.choices).value(rare)

    assert value.effective_rows < 100
    assert not value.verdict


def test_an_empty_log_has_no_estimate() -> None:
    """Without rows there is no value, no interval, no verdict, and no warning is raised."""
    frame = attempts().iloc[:0]

    value = OffPolicy(logged_choices(frame)).value(np.zeros((0, 0)))

    assert value.as_json()["snips"] == {"value": None, "low": None, "high": None}
    assert not value.verdict


def test_same_seed_same_intervals() -> None:
    """The bootstrap is repeatable."""
    world = known(4)

    first, again = (OffPolicy(world.choices, seed=7).value(world.policy) for _ in range(2))

    assert first == again


def attempts(**changes: object) -> pd.DataFrame:
    """Six attempts as `TrainingRows` has them."""
    values: dict[str, object] = {
        "provider": ["plaid", "mx", "plaid", "mx", "plaid", "belvo"],
        "operation": "getAccounts",
        "region": "US",
        "institution": [None, "ins_chase", "ins_chase", None, None, None],
        "worked": [1.0, 0.0, 1.0, 1.0, 1.0, 1.0],
        "attempt_number": [1.0, 1.0, 2.0, 1.0, 1.0, 1.0],
        "started_s": np.arange(6.0),
        "ended_s": np.arange(6.0) + 0.5,
        "choices": [
            ("plaid", "mx"),
            ("plaid", "mx"),
            ("plaid", "mx"),
            ("mx",),
            ("plaid", "mx"),
            ("plaid", "mx"),
        ],
        "propensity": [0.99, 0.01, 0.5, 1.0, 1.0, 0.5],
    }
    return pd.DataFrame(values | changes)


def test_only_drawn_first_attempts_are_used() -> None:
    """Later attempts, single candidates, certain choices and strangers are left out and counted."""
    choices = logged_choices(attempts())

    assert choices.rows == 2
    assert choices.propensity.tolist() == [0.99, 0.01]
    assert [choices.providers[column] for column in choices.chosen] == ["plaid", "mx"]
    assert (choices.certain, choices.unusable) == (1, 2)


@pytest.mark.parametrize("propensity", [float("nan"), 0.0, -0.5, 1.5])
def test_a_propensity_that_is_none_is_unusable(propensity: float) -> None:
    """Rows whose logged probability is missing or no probability do not count."""
    assert logged_choices(attempts(propensity=propensity)).rows == 0


def test_what_could_not_be_chosen_has_no_weight() -> None:
    """A policy that favours a provider outside the candidates gains nothing by it."""
    choices = logged_choices(attempts(propensity=0.5))
    everywhere = np.ones(choices.allowed.shape) / choices.allowed.shape[1]

    assert OffPolicy(choices).value(everywhere).matched_rows == choices.rows


def test_metrics_of_known_predictions() -> None:
    """Brier, log loss and AUC of four predictions are what they are by hand."""
    found = probability_metrics(np.array([0.9, 0.8, 0.3, 0.1]), np.array([1.0, 0.0, 1.0, 0.0]))

    assert found["brier"] == pytest.approx((0.01 + 0.64 + 0.49 + 0.01) / 4)
    assert found["logLoss"] == pytest.approx(-np.log([0.9, 0.2, 0.3, 0.9]).mean())
    assert found["auc"] == pytest.approx(0.75)


def test_auc_needs_both_outcomes() -> None:
    """Where everything worked, no ranking can be judged."""
    assert probability_metrics(np.array([0.9, 0.8]), np.ones(2))["auc"] is None


def test_ties_count_half() -> None:
    """Equal predictions are in the right order half of the time."""
    found = probability_metrics(np.full(4, 0.5), np.array([1.0, 0.0, 1.0, 0.0]))

    assert found["auc"] == pytest.approx(0.5)


@pytest.mark.parametrize(("shift", "off"), [(0.0, False), (0.08, True)])
def test_calibration_error_is_told_from_chance(shift: float, off: bool) -> None:
    """A calibrated model shows no error beyond chance, one that is 8 points off does."""
    random = np.random.default_rng(1)
    predicted = random.uniform(0.6, 0.9, 4000)
    happened = (random.random(4000) < predicted - shift).astype(np.float64)

    assert (calibration(predicted, happened).excess > 0.02) == off


def test_mean_of_a_few_has_no_interval() -> None:
    """Below a hundred values there is a mean and no interval."""
    found = mean_with_interval(np.ones(99))

    assert found.value == 1.0
    assert not found.known
