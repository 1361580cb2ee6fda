"""How good predicted probabilities are: Brier score, log loss, calibration error, ranking."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from .logged import Floats
from .off_policy import Estimate

__all__ = ["Calibration", "calibration", "mean_with_interval", "probability_metrics"]

_BINS: Final = 10
_ONE_IN_TWENTY: Final = 1.645
_BLOCKS: Final = 40
_FEWEST_FOR_INTERVAL: Final = 100
_RESAMPLES: Final = 1_000
_EDGE: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Calibration:
    """Predicted against seen ratios, in bins of equally many rows.

    `error` is the expected calibration error (Naeini, Cooper and Hauskrecht, AAAI 2015);
    `error_by_chance` what a perfectly calibrated model stays below on as many rows nineteen times
    in twenty, as bins are never quite what they should be.
    """

    predicted: tuple[float, ...]
    seen: tuple[float, ...]
    rows: tuple[int, ...]
    error: float
    error_by_chance: float

    @property
    def excess(self) -> float:
        """The part of the error that chance does not explain, at least 0."""
        return max(0.0, self.error - self.error_by_chance)


def calibration(predicted: Floats, happened: Floats) -> Calibration:
    """Calibration of probabilities against what happened (0.0 or 1.0); needs a row at least."""
    order = np.argsort(predicted, kind="stable")
    parts = [part for part in np.array_split(order, _BINS) if len(part)]
    said = np.array([predicted[part].mean() for part in parts])
    seen = np.array([happened[part].mean() for part in parts])
    rows = np.array([len(part) for part in parts])
    share = rows / rows.sum()
    # The distance of a normal variable from its mean has mean s sqrt(2/pi), variance s2 (1 - 2/pi).
    spread = np.array(
        [np.sqrt((predicted[part] * (1.0 - predicted[part])).sum()) / len(part) for part in parts]
    )
    usual = float((share * spread).sum() * np.sqrt(2.0 / np.pi))
    varies = float(np.sqrt(((share * spread) ** 2).sum() * (1.0 - 2.0 / np.pi)))
    return Calibration(
        predicted=tuple(said.tolist()),
        seen=tuple(seen.tolist()),
        rows=tuple(rows.tolist()),
        error=float((share * np.abs(said - seen)).sum()),
        error_by_chance=usual + _ONE_IN_TWENTY * varies,
    )


def probability_metrics(predicted: Floats, happened: Floats) -> Mapping[str, float | None]:
    """Brier score, log loss, calibration error and area under the ROC curve, as JSON values.

    `auc` is None where only one thing happened.
    """
    inside = np.clip(predicted, _EDGE, 1.0 - _EDGE)
    losses = happened * np.log(inside) + (1.0 - happened) * np.log1p(-inside)
    measured = calibration(predicted, happened)
    return {
        "brier": float(((predicted - happened) ** 2).mean()),
        "logLoss": float(-losses.mean()),
        "calibrationError": measured.error,
        "calibrationErrorByChance": measured.error_by_chance,
        "auc": _auc(predicted, happened),
    }


def _auc(predicted: Floats, happened: Floats) -> float | None:
    """The share of pairs, one that happened and one that did not, that are in the right order."""
    positive = happened > 0.5
    count, others = int(positive.sum()), int((~positive).sum())
    if not count or not others:
        return None
    _, place, ties = np.unique(predicted, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(ties) - (ties - 1) / 2.0
    ranks = mean_rank[place][positive].sum()
    return float((ranks - count * (count + 1) / 2.0) / (count * others))


def mean_with_interval(values: Floats, *, seed: int = 0) -> Estimate:
    """The mean of values in order of time, with a 95 % interval by blocks of time."""
    if len(values) < _FEWEST_FOR_INTERVAL:
        mean = float(values.mean()) if len(values) else float("nan")
        return Estimate(mean, float("nan"), float("nan"))
    blocks = [block for block in np.array_split(values, _BLOCKS) if len(block)]
    sums = np.array([[block.sum(), len(block)] for block in blocks])
    random = np.random.default_rng(seed)
    even = np.full(len(blocks), 1.0 / len(blocks))
    drawn = random.multinomial(len(blocks), even, size=_RESAMPLES) @ sums
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975])
    return Estimate(float(values.mean()), float(low), float(high))
