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
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from typing import ClassVar, Final

from .adaptive_options import AdaptiveOptions
from .blame import Verdict, verdict
from .context import AttemptOutcome, Decision, SelectionContext
from .elapsed import ElapsedTime
from .first_choice import drawn, highest
from .health import LiveHealth
from .lasting import LastingTraits
from .model import SelectionModel
from .preference import Preference, pressure
from .priority import falling_prior
from .under_way import Call, Latency, UnderWay
from .user_errors import UserErrors

__all__ = ["AdaptivePolicy"]

_NEVER_EXPLORED: Final = frozenset({"exchangeToken"})

_LINKING: Final = "createLink"

_ANSWERS: Final = frozenset({"auth", "validation"})
"""Classes of users' own errors that a provider has to work for, to tell them."""

_LATE_S: Final = 300.0
"""Seconds by which an outcome that is told late loses two thirds of its weight."""

_UNKNOWN_BEHIND: Final = 0.01
"""How far a provider that the model does not know stands behind those that it does."""

_KEPT_S: Final = 1.0
"""How long a distribution is kept while nothing is learned."""

_KEPT: Final = 4096
_FEWEST: Final = 20
"""Successes of one kind without which nothing is overdue."""

_DOWN: Final = 0.8
"""Health below which the even draw leaves a provider out."""

_LEAST, _MOST = 0.001, 0.999


@dataclass(frozen=True, slots=True)
class _Distribution:
    """Who may be first for one kind of request, good until `until_s` or the next lesson."""

    until_s: float
    lessons: int
    order: tuple[str, ...]
    scores: dict[str, float]
    propensities: dict[str, float]
    ratio: float
    plausible: tuple[str, ...]
    chances: tuple[float, ...]


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
        self._model = model
        self._exploration_ratio = exploration_ratio
        self._preference = preference or Preference()
        self._options = options or AdaptiveOptions()
        self._random = random.Random(seed)  # noqa: S311  draws a route, guards no secret
        self._health = LiveHealth()
        self._traits = LastingTraits(self._options.traits)
        self._latencies: dict[tuple[str, str], Latency] = {}
        self._under_way = UnderWay()
        self._user_errors = UserErrors()
        self._time = ElapsedTime()
        self._lessons = 0
        self._kept: dict[tuple[object, ...], _Distribution] = {}

    @property
    def model_version(self) -> str | None:
        """The version of the trained model in use; None while cold."""
        return None if self._model is None else self._model.version

    def swap(self, model: SelectionModel | None) -> None:
        """Use another model from the next decision on; what was learned live stays as it is."""
        self._model = model
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
        kept = self._kept.get(key)
        if kept is None or kept.lessons != self._lessons or t_s >= kept.until_s:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            kept = self._kept[key] = self._distribution(context, t_s)
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
            None if self._model is None else self._model.version,
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
                self._answered(call, t_s, weight)
            return
        if what is Verdict.WORKED:
            self._user_errors.note(call.provider, call.institution_id, users_own=False)
            self._latency(call.provider, call.operation).learn(outcome.latency_s)
        elif started is not None and started.overdue:
            return  # its being overdue has counted already
        self._learn(what, call, t_s, weight)

    def dispatch(
        self, context: SelectionContext, provider: str, attempt_number: int, at: float
    ) -> None:
        """Note that an attempt has started: once overdue by its usual time, it counts as failed."""
        del attempt_number  # all count alike
        latency = self._latencies.get((provider, context.operation))
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
            self._learn(Verdict.PROVIDER_FAILED, late.call, t_s, 1.0)

    def _answered(self, call: Call, t_s: float, weight: float) -> None:
        """Take in a user's own error: who tells of it works. It may end a doubt and raise none."""
        self._lessons += 1
        self._user_errors.note(call.provider, call.institution_id, users_own=True)
        self._health.learn(
            Verdict.WORKED,
            provider=call.provider,
            operation=call.operation,
            institution_id=call.institution_id,
            ratio=falling_prior(0),
            weight=weight,
            t_s=t_s,
        )

    def _learn(self, what: Verdict, call: Call, t_s: float, weight: float) -> None:
        self._lessons += 1
        provider, operation, institution_id, region = call
        prior = None
        if self._model is not None:
            prior = self._model.prior(provider, operation, region, institution_id)
        trained = prior is not None
        expected = 1.0 - (falling_prior(0) if prior is None else prior)
        failing, _ = self._traits.failing(
            provider, operation, institution_id, t_s, expected=expected, trained=trained
        )
        fine = self._health.learn(
            what,
            provider=provider,
            operation=operation,
            institution_id=institution_id,
            ratio=1.0 - failing,
            weight=weight,
            t_s=t_s,
        )
        belief = self._options.blind_trust
        belief += (1.0 - belief) * fine * fine
        if what is not Verdict.WORKED:
            belief *= self._user_errors.weight(provider, institution_id)
        self._traits.learn(
            provider,
            operation,
            institution_id,
            t_s,
            failed=what is not Verdict.WORKED,
            expected=expected,
            trained=trained,
            weight=weight * belief,
        )

    def _distribution(self, context: SelectionContext, t_s: float) -> _Distribution:
        candidates, operation = context.candidates, context.operation
        institution_id, options = context.institution_id, self._options
        explores = len(candidates) > 1 and operation not in _NEVER_EXPLORED
        times = options.backfill_times if context.lane == "backfill" else 1.0
        curiosity = min(0.5, options.curiosity * times)
        left = context.quota_left
        scores: dict[str, float] = {}
        utilities: dict[str, float] = {}
        beliefs: dict[str, list[tuple[float, float]]] = {}
        up: list[str] = []
        worth = self._worth(context)
        for name, (prior, trained) in zip(candidates, self._priors(context), strict=True):
            failing, deviation = self._traits.failing(
                name, operation, institution_id, t_s, expected=1.0 - prior, trained=trained
            )
            factor, fine = self._health.belief(name, operation, institution_id, t_s)
            latency = self._latencies.get((name, operation))
            price = self._preference.price(
                name,
                0.0 if latency is None else latency.usual_s,
                1.0 if left is None else left.get(name, 1.0),
            )
            well = 1.0 - failing
            score = well * factor
            scores[name] = min(max(score, _LEAST), _MOST)
            share = worth.get(name, 1.0)
            utilities[name] = share * score - price
            if factor >= _DOWN:
                up.append(name)
            if not explores:
                continue
            hope = fine * options.probing
            best = min(_MOST, well + options.doubt * deviation)
            # Optimistic: never below what is expected (May et al. 2012), or each healthy provider
            # would lose traffic for nothing but the possibility that it is not.
            beliefs[name] = [
                (share * score - price, 1.0 - hope),
                (share * well - price, hope * (1.0 - curiosity)),
                (share * best - price, hope * curiosity),
            ]
        order = sorted(candidates, key=utilities.__getitem__, reverse=True)
        if not explores:
            chances: Sequence[float] = [1.0]
            ratio = 0.0
        else:
            chances = highest([beliefs[name] for name in order])
            ratio = min(1.0, self._exploration_ratio * times)
        plausible = tuple(name for name in order if name in up) or tuple(order)
        propensities = dict.fromkeys(candidates, 0.0)
        for name, chance in zip(order, chances, strict=False):
            propensities[name] += (1.0 - ratio) * chance
        for name in plausible:
            propensities[name] += ratio / len(plausible)
        return _Distribution(
            until_s=t_s + _KEPT_S,
            lessons=self._lessons,
            order=tuple(order),
            scores=scores,
            propensities=propensities,
            ratio=ratio,
            plausible=plausible,
            chances=tuple(chances),
        )

    def _priors(self, context: SelectionContext) -> list[tuple[float, bool]]:
        """Each candidate's success ratio in calm, and whether a model knows it.

        A provider that the model does not know goes behind those that it does: curiosity and
        failover bring it the attempts by which it makes its way.
        """
        candidates, model = context.candidates, self._model
        if model is None:
            return [(falling_prior(place), False) for place in range(len(candidates))]
        known = [
            model.prior(name, context.operation, context.region, context.institution_id)
            for name in candidates
        ]
        found = [prior for prior in known if prior is not None]
        if not found:
            return [(falling_prior(place), False) for place in range(len(candidates))]
        behind = min(found) - _UNKNOWN_BEHIND
        worth = self._options.place_worth
        return [
            (behind, False) if prior is None else (prior - worth * place, True)
            for place, prior in enumerate(known)
        ]

    def _worth(self, context: SelectionContext) -> dict[str, float]:
        """What a success of each candidate is worth, where that is not 1.

        A link session is worth the share of such sessions that become a working connection, as the
        model has it; who has no figure gets the others' mean.
        """
        model = self._model
        if model is None or context.operation != _LINKING:
            return {}
        shares = {}
        for name in context.candidates:
            key = name, context.operation, context.region, context.institution_id
            prior, reward = model.prior(*key), model.reward(*key)
            if prior and reward is not None:
                shares[name] = reward / prior
        if not shares:
            return {}
        usual = sum(shares.values()) / len(shares)
        return {name: shares.get(name, usual) for name in context.candidates}

    def _latency(self, provider: str, operation: str) -> Latency:
        latency = self._latencies.get((provider, operation))
        if latency is None:
            if len(self._latencies) >= _KEPT:
                self._latencies.pop(next(iter(self._latencies)))
            latency = self._latencies[provider, operation] = Latency()
        return latency
