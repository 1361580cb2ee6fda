"""What the adaptive policy believes, and the choice that follows from it.

    utility = worth x (1 - failing) x health - price

`failing` is the model's, corrected by lasting traits; `health` are the hidden states; `price` is of
time, cost and quota. What is believed becomes a distribution over who is first.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

from .adaptive_options import AdaptiveOptions
from .blame import Verdict
from .bounded import make_room
from .context import SelectionContext
from .first_choice import highest
from .health import LiveHealth
from .lasting import LastingTraits
from .model import SelectionModel
from .preference import Preference
from .priority import falling_prior
from .under_way import Call, Latency

__all__ = ["Beliefs", "Distribution"]

_NEVER_EXPLORED: Final = frozenset({"exchangeToken"})
_LINKING: Final = "createLink"

_UNKNOWN_BEHIND: Final = 0.01
"""How far a provider that the model does not know stands behind those that it does."""

_DOWN: Final = 0.8
"""Health below which the even draw leaves a provider out."""

_LEAST, _MOST = 0.001, 0.999


@dataclass(frozen=True, slots=True)
class Distribution:
    """Who may be first for one kind of request.

    `order` is by utility; with probability `ratio` the first is drawn evenly from `plausible`, else
    by `chances`, which go with `order`. `propensities` are what comes of both.
    """

    order: tuple[str, ...]
    scores: dict[str, float]
    propensities: dict[str, float]
    ratio: float
    plausible: tuple[str, ...]
    chances: tuple[float, ...]


class Beliefs:
    """All that is believed. Times are of a clock that never goes back (`ElapsedTime`).

    Args:
        model: the trained one, or none; may be set anew at any time.
        preference: weights of time, cost and quota.
        options: how eager to be.

    """

    def __init__(
        self, model: SelectionModel | None, preference: Preference, options: AdaptiveOptions
    ) -> None:
        self.model = model
        self._preference = preference
        self._options = options
        self._health = LiveHealth()
        self._traits = LastingTraits(options.traits)
        self._latencies: dict[Hashable, Latency] = {}
        self._told: dict[Hashable, int] = {}

    def learn(
        self, what: Verdict, call: Call, t_s: float, weight: float, *, counted: bool = False
    ) -> None:
        """Take in an attempt that worked or failed; `weight`, 0 to 1, is its freshness.

        One that failed after it was `overdue` is `counted`, as far as the moment goes.
        """
        provider, operation, institution_id, _ = call
        expected, trust, failing = self._failing(call, t_s)
        if self.model is not None:
            make_room(self._told)
            self._told[provider] = self._told.get(provider, 0) + 1
        if counted:
            _, fine, _ = self._health.belief(provider, operation, institution_id, t_s)
        else:
            fine = self._learn_health(what, call, t_s, weight, failing)
        self._traits.learn(
            provider,
            operation,
            institution_id,
            t_s,
            failed=what is not Verdict.WORKED,
            expected=expected,
            trust=trust,
            weight=weight * self._trust_in_traits(fine),
        )

    def answered(self, call: Call, t_s: float, weight: float) -> None:
        """Take in a user's own error: who tells of it works. It may end a doubt and raise none."""
        expected, trust, _ = self._failing(call, t_s)
        fine = self._learn_health(Verdict.WORKED, call, t_s, weight, 1.0 - falling_prior(0))
        self._traits.answered(
            call.provider,
            call.operation,
            call.institution_id,
            t_s,
            expected=expected,
            trust=trust,
            weight=weight * self._trust_in_traits(fine),
        )

    def overdue(self, call: Call, t_s: float) -> None:
        """Take in that an attempt is late: no good sign for now, and none for the long run.

        One success in a hundred is late by its own p99, so as a trait it would be mere slowness.
        """
        _, _, failing = self._failing(call, t_s)
        self._learn_health(Verdict.PROVIDER_FAILED, call, t_s, 1.0, failing)

    def _trust_in_traits(self, fine: float) -> float:
        """What an outcome weighs as a lasting trait, by the belief that no incident made it."""
        blind = self._options.blind_trust
        return blind + (1.0 - blind) * fine * fine

    def _failing(self, call: Call, t_s: float) -> tuple[float, float, float]:
        """The failure ratio that was expected, the trust in that, and what traits make of it."""
        provider, operation, institution_id, region = call
        prior = None
        if self.model is not None:
            prior = self.model.prior(provider, operation, region, institution_id)
        trust = self._trust(trained=prior is not None)
        expected = 1.0 - (falling_prior(0) if prior is None else prior)
        failing, _ = self._traits.failing(
            provider, operation, institution_id, t_s, expected=expected, trust=trust
        )
        return expected, trust, failing

    def _learn_health(
        self, what: Verdict, call: Call, t_s: float, weight: float, failing: float
    ) -> float:
        return self._health.learn(
            what,
            provider=call.provider,
            operation=call.operation,
            institution_id=call.institution_id,
            ratio=1.0 - failing,
            weight=weight,
            t_s=t_s,
        )

    def distribution(
        self, context: SelectionContext, t_s: float, exploration_ratio: float
    ) -> Distribution:
        """Who may be first for such a request now, and with which probability."""
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
        priors = self._priors(context)
        knows = any(trained for _, trained in priors)
        for name, (prior, trained) in zip(candidates, priors, strict=True):
            trust = self._trust(trained=trained)
            failing, deviation = self._traits.failing(
                name, operation, institution_id, t_s, expected=1.0 - prior, trust=trust
            )
            factor, fine, doubted = self._health.belief(name, operation, institution_id, t_s)
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
            hope = fine * options.probing if doubted else fine
            best = min(_MOST, well + options.doubt * deviation)
            curious = curiosity
            if knows and not trained and self._new(name):
                curious = max(curious, options.newcomer_share)
            # Optimistic: never below what is expected (May et al. 2012), or each healthy provider
            # would lose traffic for nothing but the possibility that it is not.
            beliefs[name] = [
                (share * score - price, 1.0 - hope),
                (share * well - price, hope * (1.0 - curious)),
                (share * best - price, hope * curious),
            ]
        order = sorted(candidates, key=utilities.__getitem__, reverse=True)
        if not explores:
            chances: Sequence[float] = [1.0]
            ratio = 0.0
        else:
            chances = highest([beliefs[name] for name in order])
            ratio = min(1.0, exploration_ratio * times)
        plausible = tuple(name for name in order if name in up) or tuple(order)
        propensities = dict.fromkeys(candidates, 0.0)
        for name, chance in zip(order, chances, strict=False):
            propensities[name] += (1.0 - ratio) * chance
        for name in plausible:
            propensities[name] += ratio / len(plausible)
        return Distribution(
            order=tuple(order),
            scores=scores,
            propensities=propensities,
            ratio=ratio,
            plausible=plausible,
            chances=tuple(chances),
        )

    def _priors(self, context: SelectionContext) -> list[tuple[float, bool]]:
        """Each candidate's success ratio in calm, and whether a model knows it.

        A provider that the model does not know goes behind those that it does, until enough is
        known of it: a share of the requests and failover bring it the attempts by which it makes
        its way.
        """
        candidates, model = context.candidates, self.model
        if model is None:
            return [(falling_prior(place), False) for place in range(len(candidates))]
        known = [
            model.prior(name, context.operation, context.region, context.institution_id)
            for name in candidates
        ]
        found = [prior for prior in known if prior is not None]
        if not found:
            return [(falling_prior(place), False) for place in range(len(candidates))]
        usual, behind = sum(found) / len(found), min(found) - _UNKNOWN_BEHIND
        worth = self._options.place_worth
        return [
            (prior - worth * place, True)
            if prior is not None
            else (behind if self._new(name) else usual - worth * place, False)
            for place, (name, prior) in enumerate(zip(candidates, known, strict=True))
        ]

    def _new(self, provider: str) -> bool:
        """Whether too little is known of a provider that the model does not know."""
        return self._told.get(provider, 0) < self._options.newcomer_outcomes

    def _trust(self, *, trained: bool) -> float:
        """How much it takes to overturn what is expected of a provider."""
        memory = self._options.traits
        if trained:
            return memory.trained
        return memory.cold if self.model is None else memory.newcomer

    def _worth(self, context: SelectionContext) -> dict[str, float]:
        """What a success of each candidate is worth, where that is not 1.

        A link session is worth the share of such sessions that become a working connection, as the
        model has it; who has no figure gets the others' mean.
        """
        model = self.model
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

    def latency(self, provider: str, operation: str) -> Latency | None:
        """What is known of its speed."""
        return self._latencies.get((provider, operation))

    def learn_latency(self, provider: str, operation: str, latency_s: float) -> None:
        """Take in how long a success took."""
        latency = self._latencies.get((provider, operation))
        if latency is None:
            make_room(self._latencies)
            latency = self._latencies[provider, operation] = Latency()
        latency.learn(latency_s)
