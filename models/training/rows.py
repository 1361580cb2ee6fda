"""What each attempt teaches: target, weight, keys; and what it does not."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.blame import Verdict, verdict
from models.context import OUTCOMES, SCOPES

__all__ = ["HALF_LIFE_DAYS", "TrainingRows", "recency_weights", "training_rows"]

HALF_LIFE_DAYS: Final = 7.0
"""Days after which an attempt counts half."""

LATER_ATTEMPT_WEIGHT: Final = 0.25
"""Of attempts from the second on: they happen only where another provider had just failed."""

_OLDEST_HALF_LIVES: Final = 10.0
"""Beyond these an attempt weighs no less, so that one clock far ahead cannot erase the rest."""

_DAY_S: Final = 86_400.0
_YEAR_10000_S: Final = 253_402_300_800.0
_TEXTS: Final = (
    "provider", "operation", "region", "institution", "outcome", "scope", "space",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """Usable attempts, oldest first, and how many of the log's rows are not among them.

    `frame` has `provider, operation, region, institution` (text; `institution` is None where it is
    unknown), `worked` (0.0 or 1.0), `attempt_number`, `started_s`, `ended_s` (unix seconds),
    `choices` (tuple of provider names in priority order, empty where unknown), `propensity` (NaN
    where unknown). `outcomes` are these and the users' own errors, with `outcome`, `scope` and
    `space` (text or None) instead of what was learned from them.
    """

    frame: pd.DataFrame
    outcomes: pd.DataFrame
    read: int
    user_errors: int

    @property
    def ignored(self) -> int:
        """Rows without a provider, an operation, a time or a known outcome, or after `now`."""
        return self.read - self.user_errors - len(self.frame)


def training_rows(attempts: pd.DataFrame, *, now: float | None = None) -> TrainingRows:
    """The usable part of a log as `read_attempts` gives it; with `now`, what had ended by then."""
    read = len(attempts)
    started_s = attempts["started_at"].to_numpy(dtype="float64")
    latency_s = np.clip(np.nan_to_num(_numbers(attempts, "latency_ms") / 1000.0), 0.0, _DAY_S)
    frame = pd.DataFrame(
        {
            "provider": _text(attempts, "provider"),
            "operation": _text(attempts, "operation"),
            "region": _text(attempts, "region"),
            "institution": _text(attempts, "institution_id"),
            "outcome": _text(attempts, "outcome"),
            "scope": _text(attempts, "error_scope"),
            "space": _text(attempts, "space_hash"),
            "attempt_number": np.nan_to_num(_numbers(attempts, "attempt_number"), nan=1.0),
            "started_s": started_s,
            "ended_s": started_s + latency_s,
            "choices": _choices(attempts),
            "propensity": _numbers(attempts, "propensity"),
        }
    ).astype(dict.fromkeys(_TEXTS, "object"))
    usable = (
        frame["provider"].notna()
        & frame["operation"].notna()
        & frame["region"].notna()
        & frame["started_s"].between(0.0, _YEAR_10000_S, inclusive="left")
        & frame["outcome"].isin(OUTCOMES)
    )
    if now is not None:
        usable &= frame["ended_s"] <= now
    frame = frame[usable].sort_values("started_s", kind="stable").reset_index(drop=True)
    frame["scope"] = frame["scope"].where(frame["scope"].isin(SCOPES), None)
    told = [
        verdict(outcome, scope)
        for outcome, scope in zip(frame["outcome"], frame["scope"], strict=True)
    ]
    teaches = np.array([each is not Verdict.SAYS_NOTHING for each in told], dtype=bool)
    taught = frame.assign(worked=[1.0 if each is Verdict.WORKED else 0.0 for each in told])
    taught = taught[teaches].drop(columns=["outcome", "scope", "space"]).reset_index(drop=True)
    return TrainingRows(
        frame=taught,
        outcomes=frame.drop(columns=["choices", "propensity"]),
        read=read,
        user_errors=int((~teaches).sum()),
    )


def recency_weights(frame: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Each row's weight, 0 to 1: by age against the newest row, less for later attempts."""
    started_s = frame["started_s"].to_numpy(dtype="float64")
    first = frame["attempt_number"].to_numpy(dtype="float64") <= 1.0
    half_lives = (started_s.max() - started_s) / (_DAY_S * HALF_LIFE_DAYS)
    weights: npt.NDArray[np.float64] = np.exp2(-np.minimum(half_lives, _OLDEST_HALF_LIVES))
    return weights * np.where(first, 1.0, LATER_ATTEMPT_WEIGHT)


def _values(attempts: pd.DataFrame, name: str) -> list[object]:
    return list(attempts[name]) if name in attempts.columns else [None] * len(attempts)


def _numbers(attempts: pd.DataFrame, name: str) -> npt.NDArray[np.float64]:
    """The column as numbers, NaN where it has none."""
    values = pd.Series(_values(attempts, name), dtype="object")
    return pd.to_numeric(values, errors="coerce").to_numpy(dtype="float64", na_value=np.nan)


def _text(attempts: pd.DataFrame, name: str) -> list[str | None]:
    """The column as text; None for null, NaN and the empty string."""
    return [
        str(value) if isinstance(value, str) and value else None
        for value in _values(attempts, name)
    ]


def _choices(attempts: pd.DataFrame) -> list[tuple[str, ...]]:
    """What could be chosen from: the eligible candidates, in the priority order of them all."""
    choices = []
    for every, able in zip(
        _values(attempts, "candidates"), _values(attempts, "eligible"), strict=True
    ):
        names, eligible = _names(every), _names(able)
        choices.append(tuple(name for name in names if name in eligible) if eligible else names)
    return choices


def _names(value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        return ()
    return tuple(dict.fromkeys(name for name in value if isinstance(name, str)))
