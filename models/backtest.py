"""Policies compared on one log: what would each have put first, and how often had that worked?"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from .errors import NotEnoughData
from .evaluation import MINIMUM_EFFECTIVE_ROWS, OffPolicy, PolicyValue, logged_choices
from .evaluation.metrics import mean_with_interval
from .evaluation.off_policy import Estimate
from .evaluation.replay import priority_choices, replayed
from .model import SelectionModel
from .policy import POLICIES, SelectionPolicy
from .training.attempts import read_attempts
from .training.estimator import MINIMUM_ROWS, fit_table
from .training.rows import training_rows

__all__ = ["Backtest", "Judged", "backtest"]

_EARLIER_RATIO: Final = 0.5


@dataclass(frozen=True, slots=True)
class Judged:
    """One policy: its value, and its gain over the plain priority order on the same rows."""

    policy: str
    value: PolicyValue
    gain: PolicyValue

    @property
    def can_tell(self) -> bool:
        """Whether the log can say how good it is."""
        return self.value.verdict


@dataclass(frozen=True, slots=True)
class Backtest:
    """What a log says of policies, as ratios of first attempts that worked.

    `as_logged` is how those that were made went. `rows` were judged on: first attempts of the later
    half with a choice that was drawn; `certain` ones were not drawn, `unusable` had none or no
    propensity. `trained_rows` attempts of the earlier half taught the model that policies use
    (0: they ran cold).
    """

    rows: int
    certain: int
    unusable: int
    trained_rows: int
    as_logged: Estimate
    policies: tuple[Judged, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Where the log cannot tell, and why, in sentences."""
        told = []
        if not self.rows:
            told.append(
                "no first attempt of the later half was drawn from several providers with a known "
                "probability: the log cannot judge any policy but its own "
                "(selection.exploration_ratio above 0 lets it)"
            )
        elif self.certain > self.rows:
            told.append(
                f"{self.certain} choices were certain and say nothing about others; the figures "
                f"are of the {self.rows} that were drawn"
            )
        told += [
            f"{one.policy}: {one.value.effective_rows:.0f} effective rows, fewer than "
            f"{MINIMUM_EFFECTIVE_ROWS:.0f}: too little of what it would do is in the log"
            for one in self.policies
            if self.rows and not one.can_tell
        ]
        return tuple(told)


def backtest(
    attempts: pd.DataFrame | str | os.PathLike[str],
    policies: Sequence[str] | None = None,
    *,
    now: float | None = None,
    seed: int = 0,
    exploration_ratio: float = 0.02,
) -> Backtest:
    """Judge policies (all of `POLICIES` where none is named) on the later half of a log.

    Each is run beside the log and shown every outcome as it became known (`evaluation.replay`).
    Same log and seed, same figures.

    Raises:
        AttemptsUnreadable: not an attempt log.
        NotEnoughData: fewer than 20 usable attempts.
        ValueError: an unknown policy.

    """
    named = tuple(policies) if policies else tuple(sorted(POLICIES))
    for name in named:
        if name not in POLICIES:
            raise ValueError(f"unknown policy {name!r}: known are {', '.join(sorted(POLICIES))}")
    rows = training_rows(read_attempts(attempts), now=now)
    frame = rows.frame
    if len(frame) < MINIMUM_ROWS:
        raise NotEnoughData(
            f"a backtest needs at least {MINIMUM_ROWS} usable attempts, the log has {len(frame)}"
        )
    split_s = float(frame["started_s"].quantile(_EARLIER_RATIO))
    earlier = frame[frame["ended_s"] < split_s]
    model = None
    if len(earlier) >= MINIMUM_ROWS:
        model = SelectionModel.of(trained_at=split_s, table=fit_table(earlier).table, card={})
    choices = logged_choices(frame[frame["started_s"] >= split_s])
    log = OffPolicy(choices, seed=seed)
    plain = priority_choices(choices)
    judged = []
    for name in named:
        policy = SelectionPolicy(model, seed, name, exploration_ratio)
        matrix = replayed(policy, rows.outcomes, choices)
        judged.append(Judged(name, log.value(matrix), log.difference(matrix, plain)))
    return Backtest(
        rows=choices.rows,
        certain=choices.certain,
        unusable=choices.unusable,
        trained_rows=0 if model is None else len(earlier),
        as_logged=mean_with_interval(choices.reward, seed=seed),
        policies=tuple(judged),
    )
