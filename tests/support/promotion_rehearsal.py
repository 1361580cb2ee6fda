"""Promotions rehearsed in worlds whose truth is known: is a challenger promoted, or stopped, rightly?"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models import SelectionModel
from models.promotion import Stage, Trial, Trialled, TrialOptions
from models.retraining import gates_of
from models.training import train
from models.training.attempts import read_attempts
from models.training.judgement import judge_beside
from models.training.rows import training_rows

START = 1_790_000_000.0
NAMES = ("plaid", "mx", "finicity")
OPERATIONS = ("getAccounts", "syncTransactions")
BANKS = ("ins_chase", "ins_citi", "ins_wells_fargo", "ins_bank_of_america")


@dataclass(frozen=True)
class World:
    """A calm world: success ratios by operation, bank and provider."""

    ratios: np.ndarray

    @classmethod
    def of(cls, seed: int) -> "World":
        """One where providers differ, more at some banks than at others."""
        random = np.random.default_rng(seed)
        return cls(1.0 - random.beta(1.5, 15.0, size=(len(OPERATIONS), len(BANKS), len(NAMES))))

    def log(self, rows: int, *, seed: int, start_s: float = START) -> pd.DataFrame:
        """Attempts by a policy that follows the priority order but for a fifth of its choices."""
        random = np.random.default_rng(seed)
        operation, bank = (
            random.integers(len(OPERATIONS), size=rows),
            random.integers(len(BANKS), size=rows),
        )
        drawn = random.random(rows) < 0.2
        chosen = np.where(drawn, random.integers(len(NAMES), size=rows), 0)
        worked = random.random(rows) < self.ratios[operation, bank, chosen]
        started = start_s + np.arange(rows) * 20.0
        return pd.DataFrame(
            {
                "request_id": [f"req_{seed}_{number}" for number in range(rows)],
                "provider": np.array(NAMES)[chosen],
                "operation": np.array(OPERATIONS)[operation],
                "region": "US",
                "institution_id": np.array(BANKS)[bank],
                "attempt_number": 1,
                "started_at": started,
                "latency_ms": 200.0,
                "outcome": np.where(worked, "success", "network"),
                "error_scope": None,
                "candidates": [list(NAMES)] * rows,
                "eligible": [list(NAMES)] * rows,
                "propensity": np.where(chosen == 0, 0.8 + 0.2 / 3, 0.2 / 3),
            }
        )

    def chances(self, model: SelectionModel) -> np.ndarray:
        """By operation and bank, the success ratio of the provider that a model puts first."""
        found = np.empty(self.ratios.shape[:2])
        for i, operation in enumerate(OPERATIONS):
            for j, bank in enumerate(BANKS):
                scores = [model.prior(name, operation, "US", bank) or 0.0 for name in NAMES]
                found[i, j] = self.ratios[i, j, int(np.argmax(scores))]
        return found


def outcomes(
    champion: np.ndarray, challenger: np.ndarray, share: float, seed: int
) -> Iterator[list[Trialled]]:
    """Requests in batches of a hundred without end, split by chance; chances are by kind."""
    random = np.random.default_rng(seed)
    ours, theirs = champion.ravel(), challenger.ravel()
    while True:
        kind = random.integers(len(ours), size=100)
        by_challenger = random.random(100) < share
        worked = random.random(100) < np.where(by_challenger, theirs[kind], ours[kind])
        yield [Trialled(bool(b), bool(w)) for b, w in zip(by_challenger, worked, strict=True)]


def tried(
    champion: np.ndarray,
    challenger: np.ndarray,
    *,
    seed: int,
    most_calls: int,
    options: TrialOptions | None = None,
) -> Trial:
    """A trial from SHARE on, until it moves on, ends, or the challenger has had so many calls."""
    chosen = options or TrialOptions()
    trial = Trial("challenger", "champion", Stage.SHARE, 0.0, "")
    for number, batch in enumerate(
        outcomes(champion, challenger, chosen.share_ratio, seed), start=1
    ):
        trial = trial.after(batch, now=float(number), options=chosen)
        if trial.stage is not Stage.SHARE or trial.comparison.challenger_calls >= most_calls:
            return trial
    raise AssertionError("outcomes do not end")


@dataclass(frozen=True)
class Rehearsed:
    """How one A/A training ended; `gain` is the challenger's true value less the champion's."""

    stage: str
    gain: float

    @property
    def promoted(self) -> bool:
        """Whether it won the test that promotes."""
        return self.stage == Stage.HOLD_BACK.value

    @property
    def falsely(self) -> bool:
        """Whether it was promoted although it is not better."""
        return self.promoted and self.gain <= 0.0


def rehearse(seed: int, *, rows: int = 1500, most_calls: int = 2000) -> Rehearsed:
    """Train twice on logs of one world, and take the second through its gates and its trial."""
    world = World.of(seed // 10)
    champion = _champion(world, seed // 10, rows)
    later = START + rows * 20.0
    challenger = train(
        world.log(rows, seed=7_000_000 + seed, start_s=later),
        now=later + rows * 20.0,
        champion=champion,
    )
    ours, theirs = world.chances(champion), world.chances(challenger)
    gain = float(theirs.mean() - ours.mean())
    if any(gate.failed for gate in gates_of(challenger)):
        return Rehearsed("gates", gain)
    shadow = training_rows(
        read_attempts(world.log(400, seed=8_000_000 + seed, start_s=later + rows * 20.0))
    ).frame
    options = TrialOptions()
    trial = Trial.begin("challenger", "champion", now=0.0).after_shadow(
        judge_beside(challenger, champion, shadow), len(shadow), now=1.0, options=options
    )
    if trial.stage is not Stage.SHARE:
        return Rehearsed(trial.stage.value, gain)
    return Rehearsed(tried(ours, theirs, seed=seed, most_calls=most_calls).stage.value, gain)


_CHAMPIONS: dict[tuple[int, int], SelectionModel] = {}


def _champion(world: World, seed: int, rows: int) -> SelectionModel:
    """Ten challengers share a champion: training is what takes the time."""
    if (seed, rows) not in _CHAMPIONS:
        log = world.log(rows, seed=6_000_000 + seed)
        _CHAMPIONS[seed, rows] = train(log, now=START + rows * 20.0)
    return _CHAMPIONS[seed, rows]
