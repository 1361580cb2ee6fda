"""The policy that ships: a trained prior, lasting traits, live health; drawn from what is believed.

    P(success) = (1 - failing[provider, operation, bank]) x health(provider)
                 x health(provider, operation) x health(provider, bank)

`failing` is the trained table's, or a gently falling stand-in by priority, corrected by the hours
since (`lasting`). `health` are hidden states that react within two or three failures and are
believed well again at the rate at which incidents end (`hidden_state`). Who is first is drawn from
these beliefs (Thompson 1933), so whoever may be well again, or better than is known, is asked now
and then and no oftener; the distribution is computed, kept until something is learned, and is the
logged propensity. A small share (`exploration_ratio`) draws evenly among those not believed down:
the slice on which other policies are judged. An exchange never explores, as it is sent once.

Windowed success ratios with even exploration are Juspay's (arXiv 2510.16735); keeping a uniform
slice follows Adyen's off-policy work (arXiv 2501.10470).
"""

import random
from math import exp
from typing import ClassVar, Final, NamedTuple

from .adaptive_options import AdaptiveOptions
from .beliefs import Beliefs, Distribution
from .blame import Verdict, verdict
from .context import AttemptOutcome, Decision, SelectionContext
from .elapsed import ElapsedTime
from .first_choice import drawn
from .model import SelectionModel
from .preference import Preference, pressure
from .under_way import Call, UnderWay

__all__ = ["AdaptivePolicy"]

_ANSWERS: Final = frozenset({"auth", "validation"})
"""Classes of users' own errors that a provider has to work for, to tell them."""

_LATE_S: Final = 300.0
"""Seconds by which an outcome that is told late loses two thirds of its weight."""

_KEPT_S: Final = 1.0
"""How long a distribution is kept while nothing is learned."""

_KEPT: Final = 4096
_FEWEST: Final = 20
"""Successes of one kind without which nothing is overdue."""


class _Kept(NamedTuple):
    """A distribution, good until `until_s` or the next lesson."""

    until_s: float
    lessons: int
    distribution: Distribution


class AdaptivePolicy:
    """Draws the first candidate from what is believed; draws from its own seeded generator.

    Not thread-safe: one owner calls it. Pickles with its whole state. A decision costs some
    microseconds from a kept distribution, some tens from a fresh one.

    Raises:
        ValueError: `exploration_ratio` is not within 0 and 1.

    """

    name: ClassVar[str] = "adaptive"

    def __init__(
        self,
        model: SelectionModel | None = None,
        seed: int = 0,
        exploration_ratio: float = 0.02,
        *,
        preference: Preference | None = None,
        options: AdaptiveOptions | None = None,
    ) -> None:
        if not 0.0 <= exploration_ratio <= 1.0:
            raise ValueError(f"exploration_ratio is within 0 and 1, not {exploration_ratio}")
        self._exploration_ratio = exploration_ratio
        self._random = random.Random(seed)  # noqa: S311  draws a route, guards no secret
        self._beliefs = Beliefs(model, preference or Preference(), options or AdaptiveOptions())
        self._under_way = UnderWay()
        self._time = ElapsedTime()
        self._lessons = 0
        self._kept: dict[tuple[object, ...], _Kept] = {}

    @property
    def model_version(self) -> str | None:
        """The version of the trained model in use; None while cold."""
        model = self._beliefs.model
        return None if model is None else model.version

    def swap(self, model: SelectionModel | None) -> None:
        """Use another model from the next decision on; what was learned live stays as it is."""
        self._beliefs.model = model
        self._lessons += 1

    def decide(self, context: SelectionContext) -> Decision:
        """Order the candidates by utility, the first one drawn."""
        t_s = self._time.decision_at(context.at)
        if self._under_way.next_due_s <= t_s:
            self._learn_overdue(t_s)
        left = context.quota_left
        key = (
            context.candidates,
            context.operation,
            context.institution_id,
            context.region,
            context.lane,
            None
            if left is None
            else tuple([pressure(left.get(n, 1.0)) for n in context.candidates]),
        )
        found = self._kept.get(key)
        if found is None or found.lessons != self._lessons or t_s >= found.until_s:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            fresh = self._beliefs.distribution(context, t_s, self._exploration_ratio)
            found = self._kept[key] = _Kept(t_s + _KEPT_S, self._lessons, fresh)
        kept = found.distribution
        model = self._beliefs.model
        order = kept.order
        explored = False
        if len(kept.chances) > 1:
            draw = self._random.random()
            ratio = kept.ratio
            explored = draw < ratio
            if explored:
                count = len(kept.plausible)
                first = kept.plausible[min(int(draw / ratio * count), count - 1)]
            else:
                first = order[drawn(kept.chances, (draw - ratio) / (1.0 - ratio))]
            if first != order[0]:
                order = (first, *[name for name in order if name != first])
        return Decision(
            order,
            kept.propensities.copy(),
            kept.scores.copy(),
            self.name,
            None if model is None else model.version,
            explored,
        )

    def observe(self, outcome: AttemptOutcome) -> None:
        """Learn from an ended attempt, whatever its number; a user's own error teaches nothing.

        An outcome that is told late weighs the less the older it is.
        """
        t_s, age_s = self._time.outcome_at(outcome.at)
        call = Call(outcome.provider, outcome.operation, outcome.institution_id, outcome.region)
        started = self._under_way.end(call, t_s - age_s - outcome.latency_s)
        what = verdict(outcome.outcome, outcome.scope)
        weight = exp(-age_s / _LATE_S) if age_s else 1.0
        if what is Verdict.SAYS_NOTHING:
            if outcome.outcome in _ANSWERS:
                self._lessons += 1
                self._beliefs.answered(call, t_s, weight)
            return
        if what is Verdict.WORKED:
            self._beliefs.learn_latency(call.provider, call.operation, outcome.latency_s)
        counted = what is not Verdict.WORKED and started is not None and started.overdue
        self._lessons += 1
        self._beliefs.learn(what, call, t_s, weight, counted=counted)

    def dispatch(
        self, context: SelectionContext, provider: str, attempt_number: int, at: float
    ) -> None:
        """Note that an attempt has started: once overdue by its usual time, it counts as failed."""
        del attempt_number  # all count alike
        latency = self._beliefs.latency(provider, context.operation)
        if latency is None or latency.seen < _FEWEST:
            return
        call = Call(provider, context.operation, context.institution_id, context.region)
        self._under_way.start(call, self._time.decision_at(at), latency.late_s)

    def withdraw(self, context: SelectionContext, provider: str, at: float) -> None:
        """Forget an attempt that was not sent, or that nobody waits for any more."""
        t_s, age_s = self._time.outcome_at(at)
        call = Call(provider, context.operation, context.institution_id, context.region)
        self._under_way.end(call, t_s - age_s)

    def _learn_overdue(self, t_s: float) -> None:
        for late in self._under_way.due(t_s):
            self._lessons += 1
            self._beliefs.overdue(late.call, t_s)
