"""Policies and models replayed beside a log."""

import numpy as np
import pandas as pd
import pytest

from models import AttemptOutcome, Decision, SelectionContext, SelectionModel, SelectionPolicy
from models.backtest import backtest
from models.evaluation import logged_choices
from models.evaluation.replay import model_choices, replayed
from models.promotion import Trial, has_challenger
from models.training.attempts import read_attempts
from models.training.rows import training_rows
from tests.support.promotion_rehearsal import START, World


def calm(rows: int = 1200, seed: int = 1, start_s: float = START) -> pd.DataFrame:
    """A log of a calm world."""
    return World.of(1).log(rows, seed=seed, start_s=start_s)


def test_a_replay_sees_only_what_had_ended() -> None:
    """A policy beside the log is shown each outcome once, in order, and never one from the future."""
    rows = training_rows(read_attempts(calm(200)))
    choices = logged_choices(rows.frame)

    class Spy(SelectionPolicy):
        """Notes what it is told when."""

        latest: float = -np.inf
        told: int = 0

        def decide(self, context: SelectionContext) -> Decision:
            """As usual."""
            assert self.latest <= context.at
            return super().decide(context)

        def observe(self, outcome: AttemptOutcome) -> None:
            """As usual, noting its time."""
            assert outcome.at >= self.latest
            self.latest, self.told = outcome.at, self.told + 1
            super().observe(outcome)

    spy = Spy()
    matrix = replayed(spy, rows.outcomes, choices)

    assert matrix.sum(axis=1) == pytest.approx(np.ones(choices.rows))
    assert spy.told == 199


def test_a_backtest_finds_the_better_policy() -> None:
    """Where the priority order's first is poor, the adaptive policy gains beyond chance."""
    world = World(np.broadcast_to(np.array([0.6, 0.97, 0.9]), (2, 4, 3)).copy())

    found = backtest(world.log(3000, seed=4))
    gains = {one.policy: one.gain.snips for one in found.policies}

    assert gains["adaptive"].low > 0.1
    assert gains["priority"].value == 0.0
    assert found.trained_rows > 1000


def test_a_backtest_refuses_unknown_policies() -> None:
    """The known ones are named."""
    with pytest.raises(ValueError, match="known are"):
        backtest(calm(), ["magic"])


def test_a_model_without_knowledge_follows_the_priority_order() -> None:
    """No model, and one that knows none of the candidates, choose the first."""
    choices = logged_choices(training_rows(read_attempts(calm(300))).frame)
    stranger = SelectionModel.of(
        trained_at=0.0, table={("belvo", "getAccounts", "MX", None): 0.9}, card={}
    )

    assert (model_choices(stranger, choices) == model_choices(None, choices)).all()


def named(attempts: pd.DataFrame, trial: Trial, share: float) -> pd.DataFrame:
    """The same attempts, by the model that each request's hash names."""
    ours = [has_challenger(name, trial.challenger, share) for name in attempts["request_id"]]
    return attempts.assign(model_version=np.where(ours, trial.challenger, trial.champion))
