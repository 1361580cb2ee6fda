"""How often first attempts would have succeeded, had another policy chosen them.

Three estimators of the same number, out of choices whose probability was logged:

    IPS     mean of w r                              Horvitz and Thompson, JASA 1952
    SNIPS   sum of w r / sum of w                    Swaminathan and Joachims, NeurIPS 2015
    DR      mean of E[q under pi] + w (r - q)        Dudik, Langford and Li, ICML 2011

with w = pi(chosen) / logged propensity, r the reward and q a cross-fitted guess of it. SNIPS is the
one to go by, DR its witness, IPS the plain one. Intervals come from a bootstrap over blocks of
time, as outages make neighbours alike; they are widened by Student's t for the blocks being few.
`effective_rows` is Kish's effective sample size of the weights: where it is small the log cannot
tell, whatever the interval says.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from .logged import Floats, Indices, LoggedChoices
from .reward_model import cross_fitted

__all__ = ["ESTIMATORS", "MINIMUM_EFFECTIVE_ROWS", "Estimate", "OffPolicy", "PolicyValue"]

ESTIMATORS: Final = ("ips", "snips", "dr")

MINIMUM_EFFECTIVE_ROWS: Final = 100.0
"""Below this the log cannot tell: a few rows with large weights speak for all."""

_MOST_BLOCKS: Final = 40
_FEWEST_ROWS: Final = 10
_RESAMPLES: Final = 1_000
_TAIL: Final = 0.025
"""Each side of a 95 % interval."""

_NORMAL_QUANTILE: Final = 1.96


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its confidence interval, all as ratios; NaN where there is nothing to go by."""

    value: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether there is an interval at all."""
        return bool(np.isfinite(self.low) and np.isfinite(self.high))

    def as_json(self) -> Mapping[str, float | None]:
        """The same as JSON values, None for NaN."""
        named = {"value": self.value, "low": self.low, "high": self.high}
        return {
            name: float(number) if np.isfinite(number) else None for name, number in named.items()
        }


@dataclass(frozen=True, slots=True)
class PolicyValue:
    """What the log says of one policy, or of the difference between two.

    `matched_rows` is how many rows have any weight, `verdict` whether the effective rows suffice.
    """

    estimates: Mapping[str, Estimate]
    effective_rows: float
    matched_rows: int

    @property
    def verdict(self) -> bool:
        """Whether the log can tell."""
        return self.effective_rows >= MINIMUM_EFFECTIVE_ROWS

    @property
    def snips(self) -> Estimate:
        """The estimate to go by."""
        return self.estimates["snips"]

    def as_json(self) -> Mapping[str, object]:
        """For a card."""
        return {
            **{name: estimate.as_json() for name, estimate in self.estimates.items()},
            "effectiveRows": float(self.effective_rows),
            "matchedRows": self.matched_rows,
            "verdict": self.verdict,
        }


class OffPolicy:
    """Judges policies on one log: `value` of one, `difference` of two on the same resamples.

    A policy is a matrix of probabilities, rows x providers, as `LoggedChoices.probabilities` makes
    it; what it puts on providers that could not be chosen in a row is left out.
    Same log and seed, same intervals.
    """

    def __init__(self, choices: LoggedChoices, *, seed: int = 0) -> None:
        self.choices = choices
        rows = choices.rows
        count = int(np.clip(rows // _FEWEST_ROWS, 1, _MOST_BLOCKS))
        self._blocks: Indices = np.arange(rows, dtype=np.int64) * count // max(rows, 1)
        self._count = count
        random = np.random.default_rng(seed)
        even = np.full(count, 1.0 / count)
        self._resamples: Floats = random.multinomial(count, even, size=_RESAMPLES).astype(
            np.float64
        )
        self._guess: Floats = (
            cross_fitted(choices, self._blocks) if rows else np.zeros(choices.allowed.shape)
        )

    def value(self, policy: Floats) -> PolicyValue:
        """How often first attempts under `policy` would have succeeded."""
        weights, expected = self._weighed(policy)
        return self._judged(self._sums(weights, expected), weights)

    def difference(self, policy: Floats, baseline: Floats) -> PolicyValue:
        """By how much `policy` succeeds more often than `baseline`, in ratios.

        Both are estimated on the same rows and resamples, so what they do alike cancels out. The
        effective rows are those of the weaker side, over the rows where the two differ; where they
        differ nowhere the difference is nought and the log can tell.
        """
        weights, expected = self._weighed(policy)
        weights_0, expected_0 = self._weighed(baseline)
        sums, sums_0 = self._sums(weights, expected), self._sums(weights_0, expected_0)
        apart = np.abs(policy - baseline).max(axis=1, initial=0.0) > 1e-9
        if not apart.any():
            nought = Estimate(0.0, 0.0, 0.0)
            rows = float(self.choices.rows)
            return PolicyValue(dict.fromkeys(ESTIMATORS, nought), rows, self.choices.rows)
        judged = self._judged(sums, weights[apart], sums_0)
        effective = min(_effective(weights[apart]), _effective(weights_0[apart]))
        return PolicyValue(judged.estimates, effective, judged.matched_rows)

    def _weighed(self, policy: Floats) -> tuple[Floats, Floats]:
        choices = self.choices
        possible = np.where(choices.allowed, policy, 0.0)
        weights = possible[np.arange(choices.rows), choices.chosen] / choices.propensity
        return weights, (possible * self._guess).sum(axis=1)

    def _sums(self, weights: Floats, expected: Floats) -> Floats:
        """Per block: rows, sum of w, sum of w r, sum of the doubly robust terms."""
        choices = self.choices
        guess = self._guess[np.arange(choices.rows), choices.chosen]
        robust = expected + weights * (choices.reward - guess)
        columns = (np.ones(choices.rows), weights, weights * choices.reward, robust)
        return np.stack(
            [np.bincount(self._blocks, weights=each, minlength=self._count) for each in columns],
            axis=1,
        )

    def _judged(self, sums: Floats, weights: Floats, baseline: Floats | None = None) -> PolicyValue:
        points = _estimates(sums.sum(axis=0))
        drawn = _estimates(self._resamples @ sums)
        if baseline is not None:
            points = points - _estimates(baseline.sum(axis=0))
            drawn = drawn - _estimates(self._resamples @ baseline)
        bounds = (-1.0, 1.0) if baseline is not None else (0.0, 1.0)
        estimates = {
            name: self._interval(float(points[place]), drawn[..., place], bounds)
            for place, name in enumerate(ESTIMATORS)
        }
        return PolicyValue(estimates, _effective(weights), int(np.count_nonzero(weights)))

    def _interval(self, point: float, drawn: Floats, bounds: tuple[float, float]) -> Estimate:
        usable = drawn[np.isfinite(drawn)]
        if not np.isfinite(point) or self._count < 2 or len(usable) < _RESAMPLES // 2:
            return Estimate(point, float("nan"), float("nan"))
        few = self._count - 1
        # The first term of Student's quantile over the normal one (Cornish and Fisher).
        wider = (1.0 + (_NORMAL_QUANTILE**2 + 1.0) / (4.0 * few)) * (self._count / few) ** 0.5
        low, high = np.quantile(usable, [_TAIL, 1.0 - _TAIL])
        least, most = bounds
        return Estimate(
            point,
            float(max(least, point - wider * (point - low))),
            float(min(most, point + wider * (high - point))),
        )


def _estimates(sums: Floats) -> Floats:
    """IPS, SNIPS and DR out of rows, sum of w, sum of w r, sum of the doubly robust terms."""
    rows, weight, won, robust = (sums[..., place] for place in range(4))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack([won / rows, won / weight, robust / rows], axis=-1)


def _effective(weights: Floats) -> float:
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares > 0.0 else 0.0
