"""From rows to a table: L2 logistic regression on one-hot keys, or smoothed base rates.

Interactions with the provider carry what routing needs; L2 shrinks a pair that was seldom seen
towards what its parts say, which was ahead of trees on sparse pairs. Rows with the same keys and
the same target are added up first, which is the same likelihood and makes the cost of a fit follow
the number of keys, not of attempts.
"""

from dataclasses import dataclass
from typing import Final

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from models.model import ScoreKey

from .rows import recency_weights

__all__ = ["FEATURES", "MINIMUM_ROWS", "Fit", "fit_table"]

FEATURES: Final = (
    "provider",
    "operation",
    "region",
    "institution",
    "provider x operation",
    "provider x region",
    "provider x institution",
    "provider x operation x institution",
)
"""One-hot features, all known before a call."""

MINIMUM_ROWS: Final = 20
"""Usable attempts without which no model is made."""

_REGRESSION_ROWS: Final = 100
_INSTITUTION_ROWS: Final = 20
_INVERSE_L2: Final = 0.2
_ITERATIONS: Final = 2_000
_SMOOTHING: Final = 10.0
_PRIOR_RATIO: Final = 0.95
_THE_REST: Final = ""
_KEYS: Final = ["provider", "operation", "region", "group"]
_LEAST: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Fit:
    """A table of success ratios and how it came about: `logistic_l2` or `base_rates`."""

    table: dict[ScoreKey, float]
    method: str
    institutions: int


def fit_table(frame: pd.DataFrame) -> Fit:
    """Fit `TrainingRows.frame` and evaluate it on the whole grid.

    The grid is every provider in every region and, there, at every institution where it was seen,
    times every operation; None stands for institutions without a row of their own. Base rates are
    used where a regression has nothing to separate: one outcome only, or fewer than 100 rows.
    """
    grouped, institutions = _grouped(frame)
    weighted = grouped.assign(weight=recency_weights(grouped))
    cells = weighted.groupby([*_KEYS, "worked"], as_index=False)[["weight"]].sum()
    grid = _grid(grouped)
    if len(grouped) >= _REGRESSION_ROWS and cells["worked"].min() < cells["worked"].max():
        method, scores = "logistic_l2", _regression(cells, grid)
    else:
        method, scores = "base_rates", _base_rates(cells, grid)
    table: dict[ScoreKey, float] = {
        (provider, operation, region, group or None): min(max(score, _LEAST), 1.0 - _LEAST)
        for (provider, operation, region, group), score in zip(
            grid.itertuples(index=False, name=None), scores, strict=True
        )
    }
    return Fit(table=table, method=method, institutions=institutions)


def _grouped(frame: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Rare institutions, and none at all, in one group; and how many have a group of their own."""
    counts = frame["institution"].value_counts()
    kept = set(counts[counts >= _INSTITUTION_ROWS].index)
    group = frame["institution"].where(frame["institution"].isin(kept), _THE_REST)
    return frame.assign(group=group), len(kept)


def _grid(grouped: pd.DataFrame) -> pd.DataFrame:
    places = set(
        grouped[["provider", "region", "group"]]
        .drop_duplicates()
        .itertuples(index=False, name=None)
    )
    places |= {(provider, region, _THE_REST) for provider, region, _group in places}
    operations = sorted(grouped["operation"].unique())
    rows = [
        (provider, operation, region, group)
        for provider, region, group in sorted(places)
        for operation in operations
    ]
    return pd.DataFrame(rows, columns=pd.Index(_KEYS))


def _features(keys: pd.DataFrame) -> pd.DataFrame:
    columns = {"institution": keys["group"]}
    for name in ("provider", "operation", "region"):
        columns[name] = keys[name]
    built = {}
    for feature in FEATURES:
        first, *rest = (columns[part] for part in feature.split(" x "))
        for part in rest:
            first = first + "\x1f" + part
        built[feature] = first
    return pd.DataFrame(built)


def _regression(cells: pd.DataFrame, grid: pd.DataFrame) -> list[float]:
    pipeline = Pipeline(
        [
            (
                "one_hot",
                ColumnTransformer(
                    [("keys", OneHotEncoder(handle_unknown="ignore"), list(FEATURES))]
                ),
            ),
            ("logistic", LogisticRegression(C=_INVERSE_L2, max_iter=_ITERATIONS)),
        ]
    )
    pipeline.fit(_features(cells), cells["worked"], logistic__sample_weight=cells["weight"])
    return [float(score) for score in pipeline.predict_proba(_features(grid))[:, 1]]


def _base_rates(cells: pd.DataFrame, grid: pd.DataFrame) -> list[float]:
    """Each level's success ratio, drawn towards the level above it as by ten attempts."""
    levels = [[], ["provider", "region"], _KEYS]
    scores = pd.Series(_PRIOR_RATIO, index=grid.index, dtype="float64")
    sums = cells.assign(worked_weight=cells["weight"] * cells["worked"])
    for level in levels:
        if not level:
            worked, weight = sums["worked_weight"].sum(), sums["weight"].sum()
            scores = (worked + _SMOOTHING * scores) / (weight + _SMOOTHING)
            continue
        totals = sums.groupby(level, as_index=False)[["worked_weight", "weight"]].sum()
        found = grid[level].merge(totals, on=level, how="left").fillna(0.0)
        scores = (found["worked_weight"] + _SMOOTHING * scores) / (found["weight"] + _SMOOTHING)
    return [float(score) for score in scores]
