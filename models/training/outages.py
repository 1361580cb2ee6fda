"""How likely each attempt was made while its provider was up, so that outages teach little.

A short log with one outage in it must not teach that this provider is bad: live health is there for
outages, the prior says how it is in calm. A hidden two-state chain (up, down) is smoothed over the
attempts of each provider, of each of its operations and of each of its institutions (Rabiner,
Proc. IEEE 1989); what it usually fails at is read off its better hours, so that a provider that is
always poor has no outages, only poor scores.
"""

import itertools
import math
from typing import Final

import numpy as np
import pandas as pd

from models.evaluation.logged import Floats

__all__ = ["LEAST_WEIGHT", "belief_up"]

LEAST_WEIGHT: Final = 0.02
"""Of an attempt that was certainly made in an outage: a trace of it stays."""

_SCOPES: Final = (["provider"], ["provider", "operation"], ["provider", "institution"])
_FEWEST: Final = 30
_WINDOW: Final = 20
_BETTER_RATIO: Final = 0.25
_ALWAYS_POOR: Final = 0.6
_LEAST_FAILURES: Final = 0.01
_FAILURES_WHEN_DOWN: Final = 0.95
_UP_FOR_S: Final = 86_400.0
_DOWN_FOR_S: Final = 1_800.0


def belief_up(frame: pd.DataFrame, weights: Floats) -> Floats:
    """For each row of `TrainingRows.frame`, the probability (0.02 to 1) that its provider was up.

    `weights` say how much each row counts towards what is usual. The narrowest scope that was down
    decides.
    """
    belief = np.ones(len(frame))
    ended = frame["ended_s"].to_numpy(dtype=np.float64)
    failed = frame["worked"].to_numpy(dtype=np.float64) < 0.5
    for scope in _SCOPES:
        for own in frame.groupby(scope, sort=False).indices.values():
            if len(own) < _FEWEST:
                continue
            rows = own[np.argsort(ended[own], kind="stable")]
            usual = _usual_failures(failed[rows], weights[rows])
            if usual > _ALWAYS_POOR:
                continue
            up = _smoothed(ended[rows].tolist(), failed[rows].tolist(), usual)
            belief[rows] = np.minimum(belief[rows], up)
    return np.maximum(belief, LEAST_WEIGHT)


def _usual_failures(failed: np.ndarray[tuple[int], np.dtype[np.bool_]], weights: Floats) -> float:
    """The failure ratio that a quarter of its time stays below, by windows of twenty attempts."""
    starts = np.arange(0, len(failed), _WINDOW)
    sizes = np.diff(np.append(starts, len(failed)))
    ratios = np.add.reduceat(failed.astype(np.float64), starts) / sizes
    shares = np.add.reduceat(weights, starts)
    order = np.argsort(ratios, kind="stable")
    below = np.cumsum(shares[order])
    place = int(np.searchsorted(below, _BETTER_RATIO * below[-1]))
    return max(_LEAST_FAILURES, float(ratios[order][min(place, len(order) - 1)]))


def _smoothed(ended: list[float], failed: list[bool], usual: float) -> Floats:
    """Forward and backward through the chain; probabilities of up."""
    down_first = _DOWN_FOR_S / (_UP_FOR_S + _DOWN_FOR_S)
    told = {True: (usual, _FAILURES_WHEN_DOWN), False: (1.0 - usual, 1.0 - _FAILURES_WHEN_DOWN)}
    steps = [
        (-math.expm1(-gap / _UP_FOR_S), -math.expm1(-gap / _DOWN_FOR_S))
        for gap in (max(0.0, late - early) for early, late in itertools.pairwise(ended))
    ]
    forward = []
    up, down = 1.0 - down_first, down_first
    for place, fail in enumerate(failed):
        if place:
            fell, rose = steps[place - 1]
            up, down = up * (1.0 - fell) + down * rose, up * fell + down * (1.0 - rose)
        if_up, if_down = told[fail]
        up, down = up * if_up, down * if_down
        total = up + down
        up, down = up / total, down / total
        forward.append((up, down))
    belief = np.empty(len(failed))
    later_up = later_down = 1.0
    for place in range(len(failed) - 1, -1, -1):
        up, down = forward[place]
        belief[place] = up * later_up / (up * later_up + down * later_down)
        if place:
            fell, rose = steps[place - 1]
            if_up, if_down = told[failed[place]]
            seen_up, seen_down = if_up * later_up, if_down * later_down
            later_up = (1.0 - fell) * seen_up + fell * seen_down
            later_down = rose * seen_up + (1.0 - rose) * seen_down
            largest = max(later_up, later_down)
            later_up, later_down = later_up / largest, later_down / largest
    return belief
