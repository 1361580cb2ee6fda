"""How good a model is on attempts that came after those it was fitted to.

Calibration by Brier score and log loss, against the providers' base rates. Choice by the success
ratio that first attempts would have had, had this model chosen them: self-normalised inverse
propensity scoring (Swaminathan and Joachims, NeurIPS 2015), against the priority order.
"""

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

import pandas as pd

from models.adaptive import AdaptivePolicy
from models.context import SelectionContext
from models.model import SelectionModel

from .estimator import MINIMUM_ROWS, fit_table

__all__ = ["evaluate"]

Choose = Callable[[str, str, str | None, tuple[str, ...]], str]
"""The provider tried first for an operation, region, institution and candidates."""

_EARLIER_RATIO: Final = 0.8
_EDGE: Final = 1e-6


def evaluate(frame: pd.DataFrame) -> Mapping[str, object]:
    """Metrics on the later first attempts of a model fitted to the earlier ones, as JSON values.

    `frame` is that of `TrainingRows`, split by time at 80 %. `skipped` says why there are none.
    Only attempts that had ended when the later part began are fitted to.
    """
    split_s = float(frame["started_s"].quantile(_EARLIER_RATIO))
    earlier = frame[frame["ended_s"] < split_s]
    later = frame[(frame["started_s"] >= split_s) & (frame["attempt_number"] == 1)]
    if min(len(earlier), len(later)) < MINIMUM_ROWS:
        return {
            "skipped": f"{len(earlier)} attempts before the split and {len(later)} first attempts "
            f"after it; each part needs {MINIMUM_ROWS}"
        }
    model = SelectionModel.of(trained_at=split_s, table=fit_table(earlier).table, card={})
    overall = float(earlier["worked"].mean())
    by_provider = earlier.groupby("provider")["worked"].mean().to_dict()
    worked = [float(value) for value in later["worked"]]
    predicted = [
        _or_else(model.prior(*keys), overall)
        for keys in later[["provider", "operation", "region", "institution"]].itertuples(
            index=False, name=None
        )
    ]
    base = [float(by_provider.get(name, overall)) for name in later["provider"]]
    return {
        "splitAt": split_s,
        "earlierRows": len(earlier),
        "laterRows": len(later),
        "brier": _brier(predicted, worked),
        "logLoss": _log_loss(predicted, worked),
        "baseRateBrier": _brier(base, worked),
        "baseRateLogLoss": _log_loss(base, worked),
        "firstChoice": _first_choice(later, _chooser(model)),
        "priorityFirstChoice": _first_choice(later, _priority),
    }


def _or_else(prior: float | None, otherwise: float) -> float:
    return otherwise if prior is None else prior


def _brier(predicted: list[float], worked: list[float]) -> float:
    return math.fsum((p - w) ** 2 for p, w in zip(predicted, worked, strict=True)) / len(worked)


def _log_loss(predicted: list[float], worked: list[float]) -> float:
    total = 0.0
    for p, w in zip(predicted, worked, strict=True):
        hit = p if w else 1.0 - p
        total -= math.log(min(max(hit, _EDGE), 1.0))
    return total / len(worked)


def _chooser(model: SelectionModel) -> Choose:
    """Whom the policy would try first with this model, without live health or exploration."""
    policy = AdaptivePolicy(model, exploration_ratio=0.0)

    @cache
    def choose(
        operation: str, region: str, institution: str | None, choices: tuple[str, ...]
    ) -> str:
        context = SelectionContext(
            operation=operation,
            region=region,
            institution_id=institution,
            candidates=choices,
            at=0.0,
        )
        return policy.decide(context).order[0]

    return choose


def _priority(
    _operation: str, _region: str, _institution: str | None, choices: tuple[str, ...]
) -> str:
    return choices[0]


def _first_choice(later: pd.DataFrame, choose: Choose) -> Mapping[str, object]:
    """Estimated success ratio of first attempts under `choose`; None where none of them matches.

    A row without a propensity counts as if its choice had been certain. `effectiveRows` is Kish's
    effective sample size of the weights.
    """
    total = squares = won = 0.0
    matched = 0
    columns = ["provider", "operation", "region", "institution", "choices", "propensity", "worked"]
    for provider, operation, region, institution, choices, propensity, worked in later[
        columns
    ].itertuples(index=False, name=None):
        if provider not in choices or choose(operation, region, institution, choices) != provider:
            continue
        weight = 1.0 / propensity if propensity > 0.0 else 1.0
        matched += 1
        total += weight
        squares += weight * weight
        won += weight * worked
    return {
        "successRatio": won / total if matched else None,
        "matchedRows": matched,
        "effectiveRows": total * total / squares if matched else 0.0,
    }
