"""A small hidden-state filter: is this scope fine, impaired, half gone or gone?

Each scope (a provider, one of its operations, one bank through it) is in one of four states, which
multiply success ratios. It falls ill seldom and gets well at the rate at which such incidents end.
From outcomes the filter keeps the probability of each state (forward algorithm, in continuous time;
Rabiner 1989). So two or three failures in a row are enough to leave, and what is not asked any more
is believed well again little by little, which is what makes a policy that draws from it probe.
"""

from dataclasses import dataclass
from math import exp
from typing import Final

__all__ = [
    "BANK",
    "GONE",
    "HALF",
    "IMPAIRED",
    "OPERATION",
    "PROVIDER",
    "HiddenState",
    "Illness",
]

IMPAIRED, HALF, GONE = 0.85, 0.5, 0.02
"""What each state leaves of a success ratio; fine leaves all of it."""


@dataclass(frozen=True, slots=True)
class Illness:
    """How a kind of scope falls ill: the share of time in each state, and the mean time to repair.

    `least` is the probability that each bad state keeps however well things go, so that a busy
    scope's good past cannot hide a fall. Times are seconds.
    """

    impaired: float
    half: float
    gone: float
    impaired_s: float = 1500.0
    half_s: float = 1200.0
    gone_s: float = 480.0
    least: float = 1e-4

    @property
    def rest_factor(self) -> float:
        """The multiplier to expect of a scope that nothing is known of."""
        return (
            1.0
            - (1.0 - IMPAIRED) * self.impaired
            - (1.0 - HALF) * self.half
            - (1.0 - GONE) * self.gone
        )

    @property
    def rest_fine(self) -> float:
        """The probability that nothing is wrong with such a scope."""
        return 1.0 - self.impaired - self.half - self.gone


PROVIDER: Final = Illness(impaired=0.0015, half=0.0015, gone=0.001)
OPERATION: Final = Illness(impaired=0.0005, half=0.0005, gone=0.0005)
BANK: Final = Illness(impaired=0.0015, half=0.002, gone=0.003)


class HiddenState:
    """One scope's probabilities, as of `t_s`; starts as in calm.

    `failing` tells whether its last outcome was a failure.
    """

    __slots__ = ("failing", "gone", "half", "illness", "impaired", "t_s")

    def __init__(self, illness: Illness, t_s: float) -> None:
        self.illness = illness
        self.impaired, self.half, self.gone = illness.impaired, illness.half, illness.gone
        self.t_s = t_s
        self.failing = False

    @property
    def fine(self) -> float:
        """The probability that nothing is wrong, 0 to 1."""
        return 1.0 - self.impaired - self.half - self.gone

    @property
    def factor(self) -> float:
        """The multiplier to expect."""
        return (
            1.0
            - (1.0 - IMPAIRED) * self.impaired
            - (1.0 - HALF) * self.half
            - (1.0 - GONE) * self.gone
        )

    @property
    def news(self) -> float:
        """How far it is from calm, 0 to 1: what would be lost by forgetting it."""
        illness = self.illness
        return (
            abs(self.impaired - illness.impaired)
            + abs(self.half - illness.half)
            + abs(self.gone - illness.gone)
        )

    def age_to(self, t_s: float) -> None:
        """Let time pass: incidents end, others begin."""
        gone_by_s = t_s - self.t_s
        if gone_by_s <= 0.0:
            return
        self.t_s = t_s
        illness = self.illness
        calm = illness.impaired
        self.impaired = calm + (self.impaired - calm) * exp(-gone_by_s / illness.impaired_s)
        calm = illness.half
        self.half = calm + (self.half - calm) * exp(-gone_by_s / illness.half_s)
        calm = illness.gone
        self.gone = calm + (self.gone - calm) * exp(-gone_by_s / illness.gone_s)

    def learn(self, *, worked: bool, ratio: float, weight: float) -> None:
        """Take in an attempt. `ratio` is the success ratio if this scope were fine.

        `weight`, 0 to 1, is how fresh it is: the share by which the probabilities move to what it
        says.
        """
        self.failing = not worked
        impaired, half, gone = self.impaired, self.half, self.gone
        fine = 1.0 - impaired - half - gone
        if worked:
            impaired_now, half_now, gone_now = impaired * IMPAIRED, half * HALF, gone * GONE
        else:
            fine *= 1.0 - ratio
            impaired_now = impaired * (1.0 - ratio * IMPAIRED)
            half_now = half * (1.0 - ratio * HALF)
            gone_now = gone * (1.0 - ratio * GONE)
        share = weight / (fine + impaired_now + half_now + gone_now)
        stays = 1.0 - weight
        least = self.illness.least
        impaired = impaired * stays + impaired_now * share
        half = half * stays + half_now * share
        gone = gone * stays + gone_now * share
        self.impaired = max(least, impaired)
        self.half = max(least, half)
        self.gone = max(least, gone)
