"""Kinds of models, what they tell beside success, and strange logs."""

import numpy as np
import pandas as pd
import pytest

from models import SelectionModel, train
from models.promotion import Trial, has_challenger
from models.retraining import gates_of
from tests.support.promotion_rehearsal import START, World

END = START + 1200 * 20.0


def calm(rows: int = 1200, seed: int = 1, start_s: float = START) -> pd.DataFrame:
    """A log of a calm world."""
    return World.of(1).log(rows, seed=seed, start_s=start_s)


def prior(model: SelectionModel, provider: str) -> float:
    """The success ratio of reading accounts at Chase."""
    found = model.prior(provider, "getAccounts", "US", "ins_chase")
    assert found is not None
    return found


def test_latency_is_learned_beside_success() -> None:
    """The usual time of a success, by provider, whatever failures took."""
    attempts = calm()
    slow = attempts["provider"] == "plaid"
    attempts["latency_ms"] = np.where(slow, 900.0, 150.0)
    attempts["latency_ms"] = attempts["latency_ms"].mask(attempts["outcome"] != "success", 9e3)

    model = train(attempts, now=END)

    assert model.latency("plaid", "getAccounts", "US", "ins_chase") == pytest.approx(0.9, rel=0.1)
    assert model.latency("mx", "getAccounts", "US", "ins_new") == pytest.approx(0.15, rel=0.3)
    assert model.latency("belvo", "getAccounts", "MX", None) is None


def test_boosting_is_another_kind() -> None:
    """Histogram boosting learns the same world, and says so in its card."""
    model, usual = train(calm(), now=END, kind="boosting"), train(calm(), now=END)

    assert model.card["method"] == "boosting"
    assert all(0.0 < score < 1.0 for score in model.table.values())
    assert prior(model, "plaid") == pytest.approx(prior(usual, "plaid"), abs=0.12)


def test_an_unknown_kind_is_refused() -> None:
    """What cannot be fitted is named."""
    with pytest.raises(ValueError, match="logistic, boosting"):
        train(calm(), now=END, kind="magic")  # type: ignore[arg-type]  # what is refused


def test_the_later_part_is_what_the_champion_has_not_seen() -> None:
    """Where enough attempts came after the champion was trained, both are judged on those alone."""
    champion = train(calm(), now=END)
    both = pd.concat([calm(), calm(1200, seed=2, start_s=END)], ignore_index=True)

    fresh = train(both, now=END + 1200 * 20.0, champion=champion)
    again = train(calm(), now=END + 1.0, champion=champion)

    assert fresh.card["evaluation"]["seenByChampion"] is False
    assert fresh.card["champion"] == champion.version
    assert "champion" in fresh.card["evaluation"]["metrics"]
    assert again.card["evaluation"]["seenByChampion"] is True
    verdicts = {gate.name: gate.verdict.value for gate in gates_of(again)}
    assert verdicts["brier"] == verdicts["first_choice"] == "cannot_tell"


def named(attempts: pd.DataFrame, trial: Trial, share: float) -> pd.DataFrame:
    """The same attempts, by the model that each request's hash names."""
    ours = [has_challenger(name, trial.challenger, share) for name in attempts["request_id"]]
    return attempts.assign(model_version=np.where(ours, trial.challenger, trial.champion))


@pytest.mark.parametrize("kind", ["logistic", "boosting"])
@pytest.mark.parametrize("strange", ["one provider", "one class", "one row each", "clock back"])
def test_strange_logs_make_a_sensible_model(kind: str, strange: str) -> None:
    """One provider, one outcome, each bank once, times out of order: finite scores, no warning."""
    attempts = calm(400)
    if strange == "one provider":
        attempts = attempts[attempts["provider"] == "plaid"]
    if strange == "one class":
        attempts = attempts.assign(outcome="success")
    if strange == "one row each":
        attempts["institution_id"] = [f"ins_{number}" for number in range(400)]
    if strange == "clock back":
        attempts["started_at"] = attempts["started_at"].to_numpy()[::-1] - 1e6

    model = train(attempts, now=END, kind=kind)  # type: ignore[arg-type]  # one of the two

    assert all(0.0 < score < 1.0 for score in model.table.values())
    assert not [
        gate for gate in gates_of(model) if gate.name in {"table", "schema"} and gate.failed
    ]
