"""Outages in training: one does not make a provider bad."""

import numpy as np
import pandas as pd

from models import SelectionModel, train
from models.training.attempts import read_attempts
from models.training.outages import belief_up
from models.training.rows import training_rows
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


def with_outage(attempts: pd.DataFrame, provider: str, from_row: int, rows: int) -> pd.DataFrame:
    """The same log, one provider down for so many rows."""
    hit = (attempts["provider"] == provider) & attempts.index.isin(range(from_row, from_row + rows))
    return attempts.assign(outcome=attempts["outcome"].mask(hit, "provider_down"))


def test_one_outage_does_not_make_a_provider_bad() -> None:
    """An hour and a half down in six hours costs a few points of the prior, not a quarter."""
    quiet = train(calm(), now=END)
    stormy = train(with_outage(calm(), "plaid", 300, 270), now=END)
    seen = with_outage(calm(), "plaid", 300, 270)
    naive = (seen[seen["provider"] == "plaid"]["outcome"] == "success").mean()

    assert naive < 0.75
    assert prior(stormy, "plaid") > prior(quiet, "plaid") - 0.05
    assert stormy.card["inOutages"] > 0.15


def test_a_provider_that_is_always_poor_is_scored_poor() -> None:
    """Failing evenly is no outage: a ratio of one half stays about that."""
    random = np.random.default_rng(3)
    attempts = calm()
    poor = (attempts["provider"] == "plaid") & (random.random(len(attempts)) < 0.5)

    model = train(attempts.assign(outcome=attempts["outcome"].mask(poor, "network")), now=END)

    assert 0.35 < prior(model, "plaid") < 0.6


def test_belief_falls_in_an_outage_and_returns_after_it() -> None:
    """Rows inside count next to nothing, rows outside nearly whole."""
    frame = training_rows(read_attempts(with_outage(calm(), "plaid", 300, 270))).frame

    belief = belief_up(frame, np.ones(len(frame)))

    own = (frame["provider"] == "plaid").to_numpy()
    inside = np.arange(len(frame))[own & (frame.index >= 320) & (frame.index < 550)]
    outside = np.arange(len(frame))[own & (frame.index >= 620)]
    assert belief[inside].max() < 0.2
    assert belief[outside].mean() > 0.9
    assert belief[~own].mean() > 0.9


def test_few_attempts_are_believed() -> None:
    """Three failures in a row are too few to speak of an outage."""
    frame = training_rows(read_attempts(calm(25).assign(outcome="network"))).frame

    assert belief_up(frame, np.ones(25)).tolist() == [1.0] * 25
