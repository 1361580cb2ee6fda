"""Discounted Thompson sampling (Raj and Kalyani 2017): draw from decayed Beta beliefs.

The first candidate is drawn by the probability that its Beta draw is the highest. That probability
is computed first, on a grid of success ratios, and then drawn from: so the logged propensity is the
true one, which drawing from the Betas themselves would not tell.
"""

import math
import random
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from .blame import Verdict, verdict
from .bounded import make_room
from .context import AttemptOutcome, Decision, SelectionContext
from .elapsed import ElapsedTime
from .first_choice import drawn
from .keyed import NEVER_EXPLORED, keying
from .priority import falling_prior
from .without_model import WithoutModel

__all__ = ["ThompsonOptions", "ThompsonPolicy", "highest_beta"]

_POINTS: Final = 48
_WIDTH: Final = 4.0
"""How many standard deviations on both sides of the mean the grid covers."""


@dataclass(frozen=True, slots=True)
class ThompsonOptions:
    """Tuned in the gym.

    Attributes:
        half_life_s: seconds after which an outcome counts half.
        trust: outcomes' worth of trust in the optimistic start.
        most: outcomes that are remembered at most, so that a good past cannot hide a fall.

    """

    half_life_s: float = 5400.0
    trust: float = 10.0
    most: float = 40.0


class _Belief:
    """Decayed counts of one provider under one key, as of `t_s`."""

    __slots__ = ("failed", "t_s", "worked")

    def __init__(self, t_s: float) -> None:
        self.worked = self.failed = 0.0
        self.t_s = t_s


class ThompsonPolicy(WithoutModel):
    """Draws the first candidate from decayed Beta beliefs, keyed by operation or by institution."""

    name: ClassVar[str] = "thompson"

    def __init__(
        self,
        seed: int = 0,
        *,
        keyed_by: str = "institution",
        options: ThompsonOptions | None = None,
    ) -> None:
        self._random = random.Random(seed)  # noqa: S311  draws a route, guards no secret
        self._key = keying(keyed_by)
        self._options = options or ThompsonOptions()
        self._beliefs: dict[Hashable, _Belief] = {}
        self._time = ElapsedTime()

    def decide(self, context: SelectionContext) -> Decision:
        """The first drawn, the rest by the mean; an exchange goes by the mean alone."""
        t_s = self._time.decision_at(context.at)
        trust = self._options.trust
        counts = []
        for place, name in enumerate(context.candidates):
            belief = self._beliefs.get(self._key(name, context.operation, context.institution_id))
            worked = trust * falling_prior(place)
            failed = trust - worked
            if belief is not None:
                kept = 0.5 ** ((t_s - belief.t_s) / self._options.half_life_s)
                worked += belief.worked * kept
                failed += belief.failed * kept
            counts.append((worked, failed))
        scores = {
            name: min(max(worked / (worked + failed), 0.001), 0.999)
            for name, (worked, failed) in zip(context.candidates, counts, strict=True)
        }
        order = sorted(context.candidates, key=scores.__getitem__, reverse=True)
        propensities = dict.fromkeys(context.candidates, 0.0)
        if len(order) == 1 or context.operation in NEVER_EXPLORED:
            propensities[order[0]] = 1.0
        else:
            chances = highest_beta(counts)
            propensities = dict(zip(context.candidates, chances, strict=True))
            first = context.candidates[drawn(chances, self._random.random())]
            order.remove(first)
            order.insert(0, first)
        return Decision(tuple(order), propensities, scores, self.name, None)

    def observe(self, outcome: AttemptOutcome) -> None:
        """Take an outcome in; a user's own error teaches nothing."""
        t_s, age_s = self._time.outcome_at(outcome.at)
        what = verdict(outcome.outcome, outcome.scope)
        if what is Verdict.SAYS_NOTHING:
            return
        key = self._key(outcome.provider, outcome.operation, outcome.institution_id)
        belief = self._beliefs.get(key)
        if belief is None:
            make_room(self._beliefs)
            belief = self._beliefs[key] = _Belief(t_s)
        half_life_s = self._options.half_life_s
        kept = 0.5 ** ((t_s - belief.t_s) / half_life_s)
        weight = 0.5 ** (age_s / half_life_s)
        worked = belief.worked * kept + (weight if what is Verdict.WORKED else 0.0)
        failed = belief.failed * kept + (0.0 if what is Verdict.WORKED else weight)
        cut = min(1.0, self._options.most / max(worked + failed, 1e-9))
        belief.worked, belief.failed, belief.t_s = worked * cut, failed * cut, t_s


def highest_beta(counts: Sequence[tuple[float, float]]) -> list[float]:
    """For each Beta(a, b) the probability that its draw is the highest, on a grid.

    >>> [round(p, 2) for p in highest_beta([(9.0, 1.0), (9.0, 1.0)])]
    [0.5, 0.5]

    """
    low, high = 1.0, 0.0
    for a, b in counts:
        mean = a / (a + b)
        reach = _WIDTH * math.sqrt(mean * (1.0 - mean) / (a + b + 1.0))
        low, high = min(low, mean - reach), max(high, mean + reach)
    low, high = max(low, 1e-6), min(high, 1.0 - 1e-6)
    step = (high - low) / _POINTS
    grid = [low + step * (place + 0.5) for place in range(_POINTS)]
    logs = [(math.log(x), math.log(1.0 - x)) for x in grid]
    masses = []
    for a, b in counts:
        heights = [(a - 1.0) * up + (b - 1.0) * down for up, down in logs]
        top = max(heights)
        weights = [math.exp(height - top) for height in heights]
        whole = sum(weights)
        masses.append([weight / whole for weight in weights])
    count = len(counts)
    chances, below = [0.0] * count, [0.0] * count
    for point in range(_POINTS):
        halves = [below[place] + masses[place][point] / 2.0 for place in range(count)]
        for place in range(count):
            chance = masses[place][point]
            for other in range(count):
                if other != place:
                    chance *= halves[other]
            chances[place] += chance
        for place in range(count):
            below[place] += masses[place][point]
    whole = sum(chances)
    return [chance / whole for chance in chances]
