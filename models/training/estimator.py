"""From rows to tables: success ratios, latencies, what links come to.

Three ways to a success ratio. `logistic_l2`: L2 logistic regression on one-hot keys, where the
interactions with the provider carry what routing needs and L2 shrinks a pair that was seldom seen
towards what its parts say; it was ahead of trees on sparse pairs. `boosting`: histogram gradient
boosting, as a challenger. `base_rates`: smoothed ratios where there is nothing to separate.
Rows with the same keys and target are added up first, which is the same likelihood and makes the
cost of a regression follow the number of keys, not of attempts.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from models.evaluation.logged import Floats, Indices
from models.model import ScoreKey

from .features import KEYS, features, grid, grouped
from .outages import belief_up
from .rows import recency_weights

__all__ = ["MINIMUM_ROWS", "Fit", "Kind", "fit_completion", "fit_table"]

Kind = Literal["logistic", "boosting"]
"""Which way to success ratios, where there are rows enough."""

MINIMUM_ROWS: Final = 20
"""Usable attempts without which no model is made."""

_REGRESSION_ROWS: Final = 100
_CALIBRATION_ROWS: Final = 300
_FOLDS: Final = 3
_INVERSE_L2: Final = 0.2
_ITERATIONS: Final = 2_000
_BOOSTING_ROUNDS: Final = 60
_SMOOTHING: Final = 10.0
_PRIOR_RATIO: Final = 0.95
_LEAST: Final = 1e-6
_LEAST_LATENCY_S: Final = 1e-3
_SLOPES: Final = (0.5, 1.5)


@dataclass(frozen=True, slots=True)
class Fit:
    """Tables and how they came about.

    `method` is `logistic_l2`, `boosting` or `base_rates`; `calibrated` tells whether the scores
    were calibrated; `in_outages` is the ratio of the evidence that was put down to outages.
    """

    table: dict[ScoreKey, float]
    latency_s: dict[ScoreKey, float]
    method: str
    institutions: int
    calibrated: bool
    in_outages: float


def fit_table(frame: pd.DataFrame, *, kind: Kind = "logistic") -> Fit:
    """Fit `TrainingRows.frame` and evaluate it on the whole grid.

    Base rates are used where a regression has nothing to separate: one outcome only, or fewer than
    100 rows. Scores are calibrated on what each third of the log's time says of a fit to the other
    two, from 300 rows on.
    """
    rows, institutions = grouped(frame)
    recent = recency_weights(rows)
    belief = belief_up(rows, recent)
    rows = rows.assign(weight=recent * belief)
    cells = grid(rows)
    calibrated = False
    if len(rows) >= _REGRESSION_ROWS and rows["worked"].min() < rows["worked"].max():
        method = "boosting" if kind == "boosting" else "logistic_l2"
        scores = _scores(rows, cells, kind)
        if len(rows) >= _CALIBRATION_ROWS:
            scores, calibrated = _calibrated(rows, scores, kind)
    else:
        method, scores = "base_rates", _base_rates(rows, cells)
    return Fit(
        table=_keyed(cells, np.clip(scores, _LEAST, 1.0 - _LEAST)),
        latency_s=_latencies(rows, cells),
        method=method,
        institutions=institutions,
        calibrated=calibrated,
        in_outages=float(1.0 - (recent * belief).sum() / recent.sum()),
    )


def fit_completion(rows: pd.DataFrame, table: dict[ScoreKey, float]) -> dict[ScoreKey, float]:
    """What answered links come to, for the `createLink` keys of `table`, as smoothed ratios.

    `rows` are those of `TrainingRows.outcomes` with a label, in column `worked`; few as they are,
    they are weighted by recency alone.
    """
    keys = [key for key in table if key[1] == "createLink"]
    if not keys or rows.empty:
        return {}
    cells = pd.DataFrame([(*key[:3], key[3] or "") for key in keys], columns=pd.Index(KEYS))
    known = rows.assign(group=rows["institution"].where(rows["institution"].notna(), ""))
    known["group"] = known["group"].where(known["group"].isin(set(cells["group"])), "")
    known = known.assign(weight=recency_weights(known))
    ratios = _base_rates(known, cells, first=float(known["worked"].mean()))
    return dict(zip(keys, ratios.tolist(), strict=True))


def _keyed(cells: pd.DataFrame, values: Floats) -> dict[ScoreKey, float]:
    return {
        (provider, operation, region, group or None): value
        for (provider, operation, region, group), value in zip(
            cells.itertuples(index=False, name=None), values.tolist(), strict=True
        )
    }


def _one_hot() -> OneHotEncoder:
    return OneHotEncoder(handle_unknown="ignore")


def _scores(rows: pd.DataFrame, cells: pd.DataFrame, kind: Kind) -> Floats:
    """Fit to weighted rows, evaluated on cells."""
    if kind == "boosting":
        encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
        trees = HistGradientBoostingClassifier(
            categorical_features=list(range(len(KEYS))),
            early_stopping=False,
            max_iter=_BOOSTING_ROUNDS,
            random_state=0,
        )
        codes = encoder.fit_transform(rows[KEYS])
        trees.fit(codes, rows["worked"], sample_weight=rows["weight"])
        found = trees.predict_proba(encoder.transform(cells[KEYS]))
    else:
        summed = rows.groupby([*KEYS, "worked"], as_index=False)[["weight"]].sum()
        regression = LogisticRegression(C=_INVERSE_L2, max_iter=_ITERATIONS)
        pipeline = Pipeline([("one_hot", _one_hot()), ("logistic", regression)])
        pipeline.fit(features(summed), summed["worked"], logistic__sample_weight=summed["weight"])
        found = pipeline.predict_proba(features(cells))
    return np.asarray(found[:, 1], dtype=np.float64)


def _calibrated(rows: pd.DataFrame, scores: Floats, kind: Kind) -> tuple[Floats, bool]:
    """Scores through a logistic curve (Platt 1999) fitted to predictions out of their own time."""
    fold: Indices = np.arange(len(rows), dtype=np.int64) * _FOLDS // len(rows)
    predicted = np.empty(len(rows))
    for held_out in range(_FOLDS):
        inside = fold == held_out
        taught, told = rows[~inside], rows[inside]
        if taught["worked"].min() == taught["worked"].max():
            return scores, False
        asked = told[KEYS].drop_duplicates()
        answers = dict(
            zip(
                asked.itertuples(index=False, name=None),
                _scores(taught, asked, kind).tolist(),
                strict=True,
            )
        )
        predicted[inside] = [answers[key] for key in told[KEYS].itertuples(index=False, name=None)]
    curve = LogisticRegression(C=1e3, max_iter=_ITERATIONS)
    curve.fit(_logit(predicted)[:, None], rows["worked"], sample_weight=rows["weight"])
    slope = float(curve.coef_[0][0])
    if not _SLOPES[0] <= slope <= _SLOPES[1]:
        return scores, False  # the world moved between the parts; a curve would not mend that
    return np.asarray(curve.predict_proba(_logit(scores)[:, None])[:, 1], dtype=np.float64), True


def _logit(ratios: Floats) -> Floats:
    inside = np.clip(ratios, _LEAST, 1.0 - _LEAST)
    return np.log(inside) - np.log1p(-inside)


def _base_rates(rows: pd.DataFrame, cells: pd.DataFrame, *, first: float = _PRIOR_RATIO) -> Floats:
    """Each level's success ratio, drawn towards the level above it as by ten attempts."""
    sums = rows.assign(won=rows["weight"] * rows["worked"])
    total, won = sums["weight"].sum(), sums["won"].sum()
    scores = np.full(len(cells), (won + _SMOOTHING * first) / (total + _SMOOTHING))
    for level in (["provider", "region"], KEYS):
        totals = sums.groupby(level, as_index=False)[["won", "weight"]].sum()
        found = cells[level].merge(totals, on=level, how="left").fillna(0.0)
        scores = (found["won"].to_numpy() + _SMOOTHING * scores) / (
            found["weight"].to_numpy() + _SMOOTHING
        )
    return scores


def _latencies(rows: pd.DataFrame, cells: pd.DataFrame) -> dict[ScoreKey, float]:
    """The usual latency of a success (s), by ridge regression of its logarithm."""
    took = rows["ended_s"] - rows["started_s"]
    timed = rows.assign(log_s=np.log(np.maximum(took, _LEAST_LATENCY_S)))
    timed = timed[(timed["worked"] > 0.5) & (took > 0.0)]
    if len(timed) < MINIMUM_ROWS:
        return {}
    timed = timed.assign(log_weighted=timed["log_s"] * timed["weight"])
    summed = timed.groupby(KEYS, as_index=False)[["log_weighted", "weight"]].sum()
    pipeline = Pipeline([("one_hot", _one_hot()), ("ridge", Ridge(alpha=1.0))])
    means = summed["log_weighted"] / summed["weight"]
    pipeline.fit(features(summed), means, ridge__sample_weight=summed["weight"])
    return _keyed(cells, np.exp(np.asarray(pipeline.predict(features(cells)), dtype=np.float64)))
