"""From a training to a promotion or a stop, by the log and the folder of models alone."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models import ModelRegistry, SelectionModel, train
from models.promotion import Stage, Trial, TrialOptions, TrialStore, has_challenger
from models.retraining import advance, register, retrain, trialled
from models.training.attempts import read_attempts
from tests.support.promotion_rehearsal import NAMES, START, World

END = START + 1200 * 20.0


def calm(rows: int = 1200, seed: int = 1, start_s: float = START) -> pd.DataFrame:
    """A log of a calm world."""
    return World.of(1).log(rows, seed=seed, start_s=start_s)


def named(attempts: pd.DataFrame, trial: Trial, share: float) -> pd.DataFrame:
    """The same attempts, by the model that each request's hash names."""
    ours = [has_challenger(name, trial.challenger, share) for name in attempts["request_id"]]
    return attempts.assign(model_version=np.where(ours, trial.challenger, trial.champion))


def test_a_trial_goes_from_training_to_a_stop(tmp_path: Path) -> None:
    """Trained, in shadow, on a share; then worse than the champion, and stopped by the log alone."""
    first = retrain(calm(), tmp_path, now=END)
    grown = pd.concat([calm(), calm(1200, seed=12, start_s=END)], ignore_index=True)
    second = retrain(grown, tmp_path, now=END + 24_000.0)
    shadowed = advance(calm(400, seed=13, start_s=END + 24_010.0), tmp_path, now=END + 33_000.0)
    assert shadowed is not None
    tried = named(calm(4000, seed=4, start_s=END + 33_010.0), shadowed, 0.1)
    ours = (tried["model_version"] == second.version) & (np.arange(4000) % 2 == 0)
    stopped = advance(
        tried.assign(outcome=tried["outcome"].mask(ours, "network")), tmp_path, now=END + 120_000.0
    )

    assert (first.active, second.active) == (True, False)
    assert shadowed.stage is Stage.SHARE
    assert stopped is not None
    assert stopped.stage is Stage.STOPPED
    assert ModelRegistry(tmp_path).active() == first.version
    assert TrialStore(tmp_path).current() is None
    assert advance(tried, tmp_path, now=END + 130_000.0) is None


def test_a_challenger_that_holds_becomes_the_champion(tmp_path: Path) -> None:
    """At the end of hold-back the registry's active model is the challenger, with who and why."""
    first = retrain(calm(), tmp_path, now=END)
    model = train(calm(seed=9), now=END + 5.0)
    ModelRegistry(tmp_path).save(model)
    trial = Trial(model.version, first.version, Stage.HOLD_BACK, END, "")
    TrialStore(tmp_path).write(trial)
    attempts = named(calm(6000, seed=4, start_s=END + 10.0), trial, 0.9)

    ended = advance(attempts, tmp_path, now=END + 130_000.0)

    registry = ModelRegistry(tmp_path)
    assert ended is not None
    assert ended.stage is Stage.PROMOTED
    assert registry.active() == model.version
    assert registry.history()[-1]["by"] == "trial"


def test_a_trial_ends_when_another_model_is_activated(tmp_path: Path) -> None:
    """What it was compared with is no longer there."""
    first = retrain(calm(), tmp_path, now=END)
    TrialStore(tmp_path).write(Trial(first.version, "other", Stage.SHARE, END, ""))

    stopped = advance(calm(), tmp_path, now=END)

    assert stopped is not None
    assert "another model became active" in stopped.why


def test_a_trial_of_a_lost_model_ends(tmp_path: Path) -> None:
    """A challenger that is not stored, or damaged, is stopped and the champion stays."""
    first = retrain(calm(), tmp_path, now=END)
    lost = "20260101T000000Z-00000000"
    TrialStore(tmp_path).write(Trial(lost, first.version, Stage.SHARE, END, ""))

    stopped = advance(calm(), tmp_path, now=END)

    assert stopped is not None
    assert stopped.stage is Stage.STOPPED
    assert lost in stopped.why


def test_a_failed_gate_registers_and_nothing_else(tmp_path: Path) -> None:
    """It is stored for whoever wants to look, neither active nor on trial."""
    model = train(calm(), now=END)
    gates = [{"name": "calibration", "verdict": "failed", "detail": "0.2"}]
    bad = SelectionModel.of(
        trained_at=END, table=model.table, card=dict(model.card) | {"gates": gates}
    )

    registered = register(bad, tmp_path, now=END)

    assert (registered.active, registered.trial) == (False, None)
    assert "calibration" in registered.why
    assert ModelRegistry(tmp_path).active() is None


def test_a_trial_with_requests_is_not_disturbed(tmp_path: Path) -> None:
    """A newer challenger replaces one in shadow, and waits for one that has a share."""
    first = retrain(calm(), tmp_path, now=END)
    store = TrialStore(tmp_path)
    store.write(Trial("older", first.version, Stage.SHADOW, END, ""))
    replacing = register(train(calm(seed=7), now=END + 1.0), tmp_path, now=END + 1.0)
    store.write(Trial("older", first.version, Stage.SHARE, END, ""))
    waiting = register(train(calm(seed=8), now=END + 2.0), tmp_path, now=END + 2.0)

    assert replacing.trial is not None
    assert replacing.trial.challenger == replacing.version
    assert waiting.trial is not None
    assert waiting.trial.challenger == "older"
    current = store.current()
    assert current is not None
    assert current.challenger == "older"


def test_only_the_trials_own_requests_count() -> None:
    """Users' errors, single candidates, later attempts and strangers' decisions are no part of it."""
    trial = Trial("new", "old", Stage.SHARE, START, "")
    attempts = named(calm(1000), trial, 0.1)
    attempts.loc[0:99, "outcome"] = "auth"
    attempts.loc[0:99, "error_scope"] = "connection"
    attempts.loc[100:199, "attempt_number"] = 2
    attempts.loc[200:299, "model_version"] = "older"
    attempts["eligible"] = [list(NAMES)] * 900 + [["plaid"]] * 100

    found = trialled(read_attempts(attempts), trial, TrialOptions())

    assert len(found) == 600
    assert sum(one.by_challenger for one in found) == pytest.approx(60, abs=25)
