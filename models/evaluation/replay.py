"""A policy beside the log: what it would have put first, knowing what had ended by then.

Every decision is shown to the policy at its time, and every outcome when it had ended, whichever
provider the log's own policy chose: health reaches routers from everybody's attempts, not only from
their own. So the result is the policy's choice for one more request in the world as it was. It does
not show what the policy's own traffic would have changed (which attempts it would have learned
from, whose quota it would have used): for that there is the gym.
"""

import math
from collections.abc import Iterator
from functools import cache
from typing import Final

import numpy as np
import pandas as pd

from models.context import AttemptOutcome, SelectionContext
from models.model import SelectionModel
from models.policy import Policy, SelectionPolicy

from .logged import Floats, LoggedChoices

__all__ = ["model_choices", "priority_choices", "replayed"]

_PLACE_WORTH: Final = 0.002


def replayed(
    policy: Policy | SelectionPolicy, attempts: pd.DataFrame, choices: LoggedChoices
) -> Floats:
    """What a policy would have put first in each row of `choices`, as probabilities.

    `attempts` is `TrainingRows.outcomes`, all the log's attempts with a known end.
    """
    matrix = np.zeros(choices.allowed.shape)
    column = {name: place for place, name in enumerate(choices.providers)}
    outcomes = _outcomes(attempts)
    upcoming = next(outcomes, None)
    rows = zip(choices.started_s.tolist(), choices.contexts, strict=True)
    for row, (at, (operation, region, institution, names)) in enumerate(rows):
        while upcoming is not None and upcoming.at <= at:
            policy.observe(upcoming)
            upcoming = next(outcomes, None)
        decision = policy.decide(
            SelectionContext(
                operation=operation,
                region=region,
                institution_id=institution,
                candidates=names,
                at=at,
            )
        )
        for name, propensity in decision.propensities.items():
            matrix[row, column[name]] = propensity
    return matrix


def model_choices(model: SelectionModel | None, choices: LoggedChoices) -> Floats:
    """What a model alone would have put first: the best prior, in doubt the higher priority.

    Without live health, so it judges the trained part; None is the cold start's priority order.
    """
    if model is None:
        return priority_choices(choices)
    known = model

    @cache
    def best(operation: str, region: str, institution: str | None, names: tuple[str, ...]) -> str:
        def worth(place: int) -> float:
            found = known.reward(names[place], operation, region, institution)
            return -math.inf if found is None else found - _PLACE_WORTH * place

        return names[max(range(len(names)), key=worth)]

    return choices.probabilities([best(*context) for context in choices.contexts])


def priority_choices(choices: LoggedChoices) -> Floats:
    """The plain priority order."""
    return choices.probabilities([names[0] for _, _, _, names in choices.contexts])


def _outcomes(attempts: pd.DataFrame) -> Iterator[AttemptOutcome]:
    columns = [
        "ended_s", "started_s", "provider", "operation", "region", "institution",
        "outcome", "scope", "attempt_number",
    ]  # fmt: skip
    ended_first = attempts.sort_values("ended_s", kind="stable")[columns]
    for row in ended_first.itertuples(index=False, name=None):
        ended, started, provider, operation, region, institution, outcome, scope, attempt = row
        yield AttemptOutcome(
            provider=provider,
            operation=operation,
            region=region,
            institution_id=institution,
            at=ended,
            latency_s=ended - started,
            outcome=outcome,
            attempt_number=max(1, int(attempt)),
            scope=scope,
        )
