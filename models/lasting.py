"""Lasting traits: how much more, or less, than expected a provider fails, over hours.

The trained table is as old as its training, and without one there is only the priority order. What
comes in since corrects it: for each (provider, operation) and (provider, bank), failures seen
against failures expected, decaying over hours, shrunk to what was expected (a gamma prior on the
failure rate's multiplier). Incidents must not pass for traits: an outcome counts by the belief that
nothing was wrong, and failures wait for the next success, to be forgotten where they were more than
two in a row.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from math import exp, log, sqrt
from typing import Final

from .bounded import make_room

__all__ = ["LastingTraits", "TraitMemory"]

_LIMIT: Final = 20_000
_LEAST_EXPECTED: Final = 0.01
"""Failure ratio that a prior expects at least: a perfect record of fifty calls is no proof."""

_MOST: Final = 0.98
_LONGEST_RUN: Final = 2
"""Failures in a row, of one operation at one bank, that can be chance."""


@dataclass(frozen=True, slots=True)
class TraitMemory:
    """How long traits are remembered, and how much it takes to overturn what was expected.

    `half_life_s` seconds to count half; `trained` failures' worth of trust in the prior of a model
    that knows the provider, `newcomer` in what the others of a model are, `cold` in the priority order.
    """

    half_life_s: float = 3.0 * 3600.0
    trained: float = 16.0
    newcomer: float = 2.5
    cold: float = 5.0


class _Trait:
    """Decayed failures, seen and expected, as of `t_s`; `answers` wait to be expected of."""

    __slots__ = ("answers", "expected", "failed", "t_s")

    def __init__(self, t_s: float) -> None:
        self.failed = self.expected = self.answers = 0.0
        self.t_s = t_s


class LastingTraits:
    """Multipliers of failure ratios. Times are seconds of a clock that never goes back."""

    def __init__(self, memory: TraitMemory | None = None) -> None:
        self._memory = memory or TraitMemory()
        self._traits: dict[Hashable, _Trait] = {}
        self._decay_per_s = log(2.0) / self._memory.half_life_s
        self._waiting: dict[Hashable, list[float]] = {}

    def __len__(self) -> int:
        return len(self._traits)

    def failing(
        self,
        provider: str,
        operation: str,
        institution_id: str | None,
        t_s: float,
        *,
        expected: float,
        trust: float,
    ) -> tuple[float, float]:
        """The failure ratio in calm, and its standard deviation; `expected` is the prior's."""
        ratio = max(_LEAST_EXPECTED, expected)
        spread = 0.0
        decay_per_s = self._decay_per_s
        find = self._traits.get
        for key in ((provider, operation), (provider, "bank", institution_id)):
            trait = find(key)
            if trait is None:
                spread += 1.0 / trust
                continue
            kept = exp((trait.t_s - t_s) * decay_per_s)
            seen = trait.failed * kept + trust
            ratio *= seen / (trait.expected * kept + trust)
            spread += 1.0 / seen
        ratio = min(_MOST, ratio)
        return ratio, ratio * sqrt(spread)

    def learn(
        self,
        provider: str,
        operation: str,
        institution_id: str | None,
        t_s: float,
        *,
        failed: bool,
        expected: float,
        trust: float,
        weight: float,
    ) -> None:
        """Take in one attempt that was to fail with probability `expected`; `weight` is 0 to 1."""
        key = (provider, operation, institution_id)
        if failed:
            waiting = self._waiting.get(key)
            if waiting is None:
                make_room(self._waiting)
                waiting = self._waiting[key] = []
            if len(waiting) <= _LONGEST_RUN:
                waiting.append(weight)
            return
        self._count(key, t_s, weight, self._lone(key), expected=expected, trust=trust)

    def answered(
        self,
        provider: str,
        operation: str,
        institution_id: str | None,
        t_s: float,
        *,
        expected: float,
        trust: float,
        weight: float,
    ) -> None:
        """Take in a user's own error: an attempt that did not fail, and is no success either.

        By itself it moves nothing. But left out, a storm would thin out the successes alone, so it
        is one of the calls among which failures are counted, from the next answer on.
        """
        key = (provider, operation, institution_id)
        self._trait((provider, operation), t_s).answers += weight
        self._trait((provider, "bank", institution_id), t_s).answers += weight
        lone = self._lone(key)
        if lone:
            self._count(key, t_s, 0.0, lone, expected=expected, trust=trust)

    def _lone(self, key: tuple[str, str, str | None]) -> float:
        """The failures that waited for an answer there, unless they were too many in a row."""
        waiting = self._waiting.pop(key, None)
        return 0.0 if waiting is None or len(waiting) > _LONGEST_RUN else sum(waiting)

    def _count(
        self,
        key: tuple[str, str, str | None],
        t_s: float,
        worked: float,
        lone: float,
        *,
        expected: float,
        trust: float,
    ) -> None:
        provider, operation, institution_id = key
        wide = self._trait((provider, operation), t_s)
        narrow = self._trait((provider, "bank", institution_id), t_s)
        base = max(_LEAST_EXPECTED, expected)
        of_wide = (wide.failed + trust) / (wide.expected + trust)
        of_narrow = (narrow.failed + trust) / (narrow.expected + trust)
        for trait, of_other in ((wide, of_narrow), (narrow, of_wide)):
            calls = worked + lone + trait.answers
            trait.answers = 0.0
            trait.expected += calls * min(1.0, base * of_other)
            trait.failed += lone
        if len(self._traits) > _LIMIT:
            self._sweep(t_s)

    def _trait(self, key: Hashable, t_s: float) -> _Trait:
        trait = self._traits.get(key)
        if trait is None:
            trait = self._traits[key] = _Trait(t_s)
        elif t_s > trait.t_s:
            kept = exp((trait.t_s - t_s) * self._decay_per_s)
            trait.failed *= kept
            trait.expected *= kept
            trait.answers *= kept
            trait.t_s = t_s
        return trait

    def _sweep(self, t_s: float) -> None:
        """Keep the half that has seen most."""
        for key in list(self._traits):
            self._trait(key, t_s)
        kept = sorted(self._traits.items(), key=lambda pair: pair[1].expected)
        self._traits = dict(kept[-_LIMIT // 2 :])
