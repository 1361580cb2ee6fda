"""The first adaptive policy: a prior, corrected by how each provider did of late.

    score = prior(provider, operation, region, institution) x live health

The prior is the trained model's table, or the priority order as a gently falling stand-in. One
request in fifty (`exploration_ratio`) draws its first candidate evenly, so that the log stays fit
for judging other policies: its propensities are exact. An exchange never explores, as it is sent
once. Windowed success ratios with even exploration follow Juspay's decision engine (arXiv
2510.16735); keeping a uniform slice follows Adyen's off-policy work (arXiv 2501.10470).
"""

import random
from typing import ClassVar, Final

from .blame import verdict
from .context import AttemptOutcome, Decision, SelectionContext
from .elapsed import ElapsedTime
from .health import HALF_LIFE_S, LiveHealth
from .model import SelectionModel
from .priority import falling_prior

__all__ = ["AdaptivePolicy"]

_NEVER_EXPLORED: Final = frozenset({"exchangeToken"})

_PLACE_WORTH: Final = 0.002
"""Success ratio that one place in the priority order is worth against a trained prior."""

_UNKNOWN_BEHIND: Final = 0.01
"""How far a provider that the model does not know stands behind those that it does."""

_LEAST: Final = 0.001


class AdaptivePolicy:
    """Orders candidates by trained prior times live health; draws from its own seeded generator.

    Not thread-safe: one owner calls it. Pickles with its whole state.

    Raises:
        ValueError: `exploration_ratio` is not within 0 and 1.

    """

    name: ClassVar[str] = "adaptive"

    def __init__(
        self, model: SelectionModel | None = None, seed: int = 0, exploration_ratio: float = 0.02
    ) -> None:
        if not 0.0 <= exploration_ratio <= 1.0:
            raise ValueError(f"exploration_ratio is within 0 and 1, not {exploration_ratio}")
        self._model = model
        self._exploration_ratio = exploration_ratio
        self._random = random.Random(seed)  # noqa: S311  draws a route, guards no secret
        self._health = LiveHealth()
        self._time = ElapsedTime()

    @property
    def model_version(self) -> str | None:
        """The version of the trained model in use; None while cold."""
        return None if self._model is None else self._model.version

    def swap(self, model: SelectionModel | None) -> None:
        """Use another model from the next decision on; live health stays as it is."""
        self._model = model

    def decide(self, context: SelectionContext) -> Decision:
        """Order the candidates by score, the first one drawn evenly now and then."""
        t_s = self._time.decision_at(context.at)
        candidates = context.candidates
        operation, institution_id = context.operation, context.institution_id
        health = self._health.factor
        scores = {
            name: max(_LEAST, prior * health(name, operation, institution_id, t_s))
            for name, prior in zip(candidates, self._priors(context), strict=True)
        }
        order = sorted(candidates, key=scores.__getitem__, reverse=True)
        count = len(order)
        ratio = 0.0 if count == 1 or operation in _NEVER_EXPLORED else self._exploration_ratio
        propensities = dict.fromkeys(candidates, ratio / count)
        propensities[order[0]] += 1.0 - ratio
        explored = False
        if ratio > 0.0:
            draw = self._random.random()
            explored = draw < ratio
            if explored:
                drawn = order.pop(min(int(draw / ratio * count), count - 1))
                order.insert(0, drawn)
        return Decision(
            order=tuple(order),
            propensities=propensities,
            scores=scores,
            policy=self.name,
            model_version=self.model_version,
            explored=explored,
        )

    def observe(self, outcome: AttemptOutcome) -> None:
        """Learn from an ended attempt, whatever its number; a user's own error teaches nothing.

        An outcome that arrives late weighs as little as if it had arrived in time and aged since.
        """
        t_s, age_s = self._time.outcome_at(outcome.at)
        prior = None
        if self._model is not None:
            prior = self._model.prior(
                outcome.provider, outcome.operation, outcome.region, outcome.institution_id
            )
        self._health.learn(
            verdict(outcome.outcome, outcome.scope),
            provider=outcome.provider,
            operation=outcome.operation,
            institution_id=outcome.institution_id,
            prior=falling_prior(0) if prior is None else prior,
            weight=0.5 ** (age_s / HALF_LIFE_S) if age_s else 1.0,
            t_s=t_s,
        )

    def dispatch(
        self, context: SelectionContext, provider: str, attempt_number: int, at: float
    ) -> None:
        """Nothing: this policy learns from ended attempts only."""

    def _priors(self, context: SelectionContext) -> list[float]:
        """Each candidate's success ratio in calm, in candidate order.

        A provider that the model does not know goes behind those that it does: exploration and
        failover bring it the attempts from which the next model knows it.
        """
        candidates, model = context.candidates, self._model
        if model is None:
            return [falling_prior(place) for place in range(len(candidates))]
        known = [
            model.prior(name, context.operation, context.region, context.institution_id)
            for name in candidates
        ]
        found = [prior for prior in known if prior is not None]
        if not found:
            return [falling_prior(place) for place in range(len(candidates))]
        behind = min(found) - _UNKNOWN_BEHIND
        return [
            (behind if prior is None else prior) - _PLACE_WORTH * place
            for place, prior in enumerate(known)
        ]
