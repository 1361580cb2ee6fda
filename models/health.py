"""Live health: how much worse than expected a provider does just now, and at which scope.

Factors multiply: the provider's own, its factor for the operation, its factor for the institution,
and a slow one for the institution. Each is a pair of exponentially decayed counts: how many
attempts worked, and how many should have, given the prior *and the other factors*. So a factor
takes the blame only for what the others do not explain, and the widest is asked first:

    factor = 1 - max(0, expected - worked - slack) / (expected + weight)

`slack` forgives a lone failure, which every healthy provider has; without it each one would send
traffic elsewhere. It also ends an incident: once what is remembered has decayed below it, the
factor is exactly 1 and the provider is tried again, some two to six minutes after its last failure.
A factor never exceeds 1: live evidence takes trust away and gives it back, only training grants
more.

The slow factor holds what is lastingly poor between a provider and an institution. An incident
must not pass for that, so it learns by the square of what the quick factors still trust.
"""

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final, NamedTuple

from .blame import Verdict

__all__ = ["HALF_LIFE_S", "LiveHealth"]


class _Window(NamedTuple):
    """How one kind of factor remembers.

    `half_life_s` seconds after which evidence counts half; `weight` attempts' worth of trust that
    it starts with; `slack` failures, in attempts, forgiven before it moves; `cap` attempts that are
    remembered at most, so that a busy provider's good past cannot hide a fall; `lasting` whether it
    is meant for lasting traits, and so disregards incidents.
    """

    half_life_s: float
    weight: float
    slack: float
    cap: float
    lasting: bool


_FAST: Final = _Window(half_life_s=120.0, weight=2.0, slack=1.2, cap=12.0, lasting=False)
_SLOW: Final = _Window(half_life_s=3600.0, weight=10.0, slack=1.2, cap=200.0, lasting=True)

HALF_LIFE_S: Final = _FAST.half_life_s
"""Seconds after which fresh evidence counts half."""

_LIMIT: Final = 20_000
"""Tallies that are kept before forgotten ones are swept out."""

_FORGOTTEN: Final = 0.05
"""Expected attempts below which a tally says nothing any more."""


@dataclass(slots=True)
class _Tally:
    """Decayed counts as of `t_s`, seconds of the policy's own elapsed time."""

    window: _Window
    t_s: float
    worked: float = 0.0
    expected: float = 0.0

    def age_to(self, t_s: float) -> None:
        decay = 0.5 ** ((t_s - self.t_s) / self.window.half_life_s)
        self.worked *= decay
        self.expected *= decay
        self.t_s = t_s

    def add(self, *, worked: float, expected: float, weight: float) -> None:
        self.worked += worked * weight
        self.expected += expected * weight
        cap = self.window.cap
        if self.expected > cap:
            self.worked *= cap / self.expected
            self.expected = cap

    def factor_at(self, t_s: float) -> float:
        half_life_s, weight, slack, _cap, _lasting = self.window
        decay = 0.5 ** ((t_s - self.t_s) / half_life_s)
        missing = (self.expected - self.worked) * decay - slack
        return 1.0 if missing <= 0.0 else 1.0 - missing / (self.expected * decay + weight)


class LiveHealth:
    """Health factors of all providers; synchronous, owns no clock.

    Times are seconds of a clock that never goes back (`ElapsedTime`). Not thread-safe.
    """

    def __init__(self) -> None:
        self._tallies: dict[Hashable, _Tally] = {}

    def __len__(self) -> int:
        return len(self._tallies)

    def factor(
        self, provider: str, operation: str, institution_id: str | None, t_s: float
    ) -> float:
        """The product of the factors, over 0 and at most 1; 1 for whoever is unknown."""
        factor = 1.0
        for key, _window in _keys(provider, operation, institution_id):
            tally = self._tallies.get(key)
            if tally is not None:
                factor *= tally.factor_at(t_s)
        return factor

    def learn(
        self,
        verdict: Verdict,
        *,
        provider: str,
        operation: str,
        institution_id: str | None,
        prior: float,
        weight: float,
        t_s: float,
    ) -> None:
        """Take in one attempt: `prior` is its success ratio in calm, `weight` 0 to 1 its freshness.

        A failure of the institution counts there alone; without a known one it is the provider's.
        """
        if verdict is Verdict.SAYS_NOTHING:
            return
        tallies = [
            self._tally(key, window, t_s)
            for key, window in _keys(provider, operation, institution_id)
        ]
        factors = [tally.factor_at(t_s) for tally in tallies]
        worked = 1.0 if verdict is Verdict.WORKED else 0.0
        first = _WIDE if verdict is Verdict.INSTITUTION_FAILED and institution_id is not None else 0
        for place in range(first, len(tallies)):
            tally = tallies[place]
            others = math.prod(factors[:place]) * math.prod(factors[place + 1 :])
            belief = others * others if tally.window.lasting else 1.0
            tally.add(worked=worked, expected=prior * others, weight=weight * belief)
            factors[place] = tally.factor_at(t_s)
        if len(self._tallies) > _LIMIT:
            self._sweep(t_s)

    def _tally(self, key: Hashable, window: _Window, t_s: float) -> _Tally:
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies[key] = _Tally(window, t_s)
        else:
            tally.age_to(t_s)
        return tally

    def _sweep(self, t_s: float) -> None:
        """Drop what is forgotten, and the faintest beyond half of the limit."""
        for tally in self._tallies.values():
            tally.age_to(t_s)
        kept = [(k, v) for k, v in self._tallies.items() if v.expected > _FORGOTTEN]
        kept.sort(key=lambda pair: pair[1].expected)
        self._tallies = dict(kept[-_LIMIT // 2 :])


_WIDE: Final = 2
"""How many of the keys are wider than an institution."""


def _keys(
    provider: str, operation: str, institution_id: str | None
) -> tuple[tuple[Hashable, _Window], ...]:
    """The tallies that an attempt touches, widest scope first, quickest first within a scope."""
    wide = ((provider, _FAST), ((provider, "operation", operation), _FAST))
    if institution_id is None:
        return wide
    return (
        *wide,
        ((provider, "institution", institution_id), _FAST),
        ((provider, "institution, slow", institution_id), _SLOW),
    )
