"""What a policy is after, as one number: success first, then time, cost and quota.

    utility = P(success) - latency_weight x seconds - cost_weight x cost - quota_weight x pressure

All in units of success ratio: with a `latency_weight` of 0.001 a provider may be a second slower
for each tenth of a point that it succeeds more often. `pressure` is 0 while half of a provider's
limits is unused and rises to 1 as the rest goes: so calls that do as well elsewhere leave before
the limit says no, and what is left serves those that do not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Final

__all__ = ["Preference", "pressure"]

_AMPLE: Final = 0.5
_LONGEST_S: Final = 20.0
_STEPS: Final = 20


@dataclass(frozen=True, slots=True)
class Preference:
    """The weights. `costs` are of one attempt, by provider, in any unit; who is not named costs 0.

    Raises:
        ValueError: a weight or a cost is negative or not finite.

    """

    latency_weight: float = 0.001
    cost_weight: float = 0.0
    quota_weight: float = 0.03
    costs: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        named = {
            "latency_weight": self.latency_weight,
            "cost_weight": self.cost_weight,
            "quota_weight": self.quota_weight,
        } | {f"the cost of {name}": cost for name, cost in self.costs.items()}
        for name, value in named.items():
            if not (isfinite(value) and value >= 0.0):
                raise ValueError(f"{name} is {value}: it must be finite and not negative")

    def price(self, provider: str, latency_s: float, quota_left: float) -> float:
        """What is taken off a provider's success ratio.

        >>> Preference(latency_weight=0.001, quota_weight=0.0).price("plaid", 2.0, 1.0)
        0.002

        """
        price = self.latency_weight * min(latency_s, _LONGEST_S)
        if quota_left < _AMPLE:
            price += self.quota_weight * pressure(quota_left)
        if self.cost_weight:
            price += self.cost_weight * self.costs.get(provider, 0.0)
        return price


def pressure(quota_left: float) -> float:
    """How scarce a quota is, 0 to 1, in steps of a twentieth of it.

    >>> pressure(0.8), pressure(0.25), pressure(0.0)
    (0.0, 0.5, 1.0)

    """
    if not quota_left < _AMPLE:
        return 0.0
    left = max(0, int(quota_left * _STEPS)) / _STEPS
    return 1.0 - left / _AMPLE
