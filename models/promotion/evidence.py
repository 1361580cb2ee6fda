"""Whether a challenger is better or worse than the champion, at any time one cares to look.

Requests are split between the two by hash, so that outages, seasons and hours hit both alike. Each
request adds

    z = (r - m) / s          where it went to the challenger
    z = -(r - m) / (1 - s)   where it went to the champion

with r its reward (0 or 1), s the challenger's share and m the mean reward before it. Whatever m is,
the expectation of z is the difference in reward at that moment; m makes its spread small. Two
gamblers bet on its sign: one that z is positive on the whole, one that it is negative. If the
difference is never positive, the first gambler's money is a supermartingale and reaches 1/a times
its start with probability a at most (Ville's inequality), however often one looks and whatever
else changes in the meantime. Stakes: a mixture over fixed shares of what may be staked at most.
After Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting" (JRSS B
2024), with the randomisation as in Howard and Ramdas' design-based tests.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Self

__all__ = ["Comparison", "Trialled"]

_STAKES: Final = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Of the largest stake that cannot lose everything."""

_EVEN: Final = (0.0,) * len(_STAKES)
_FIRST_MEAN: Final = 0.9
_FIRST_WEIGHT: Final = 20.0


@dataclass(frozen=True, slots=True)
class Trialled:
    """The outcome of one request in a trial: who had it, and whether its first attempt worked."""

    by_challenger: bool
    worked: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """The evidence so far, as a value; `after` answers the next one.

    `better` and `worse` are the log capitals of the gamblers, one a stake.

    >>> fair = Comparison()
    >>> lost = fair.after([Trialled(True, False), Trialled(False, True)] * 40, share=0.5)
    >>> lost.evidence_worse > 1000, lost.evidence_better < 1
    (True, True)

    """

    challenger_calls: int = 0
    challenger_worked: int = 0
    champion_calls: int = 0
    champion_worked: int = 0
    better: tuple[float, ...] = _EVEN
    worse: tuple[float, ...] = _EVEN

    def after(self, outcomes: Iterable[Trialled], *, share: float) -> Self:
        """The evidence with these outcomes, in the order in which they became known.

        Raises:
            ValueError: `share` (of the challenger) is not between 0 and 1.

        """
        if not 0.0 < share < 1.0:
            raise ValueError(f"share is between 0 and 1, not {share}")
        told = tuple(outcomes)
        if not told:
            return self
        import numpy as np  # noqa: PLC0415  a router holds trials and compares nothing

        ours = np.array([one.by_challenger for one in told])
        worked = np.array([one.worked for one in told], dtype=np.float64)
        seen = self.challenger_calls + self.champion_calls + np.arange(len(told))
        before = self.challenger_worked + self.champion_worked + np.cumsum(worked) - worked
        mean = (before + _FIRST_WEIGHT * _FIRST_MEAN) / (seen + _FIRST_WEIGHT)
        z = (worked - mean) * np.where(ours, 1.0 / share, -1.0 / (1.0 - share))
        most = min(share, 1.0 - share)  # |z| is at most 1 / most
        bets = np.multiply.outer(z, most * np.array(_STAKES))
        won, lost = np.log1p(bets).sum(axis=0), np.log1p(-bets).sum(axis=0)
        return replace(
            self,
            challenger_calls=self.challenger_calls + int(ours.sum()),
            challenger_worked=self.challenger_worked + int(worked[ours].sum()),
            champion_calls=self.champion_calls + int((~ours).sum()),
            champion_worked=self.champion_worked + int(worked[~ours].sum()),
            better=tuple((np.array(self.better) + won).tolist()),
            worse=tuple((np.array(self.worse) + lost).tolist()),
        )

    @property
    def evidence_better(self) -> float:
        """Against "the challenger is not better": 1 is none, 200 is one chance in 200."""
        return _mixed(self.better)

    @property
    def evidence_worse(self) -> float:
        """Against "the challenger is not worse": 1 is none, 20 is one chance in 20."""
        return _mixed(self.worse)

    @property
    def difference(self) -> float | None:
        """Seen success ratio of the challenger less the champion's; None before both had calls."""
        if not self.challenger_calls or not self.champion_calls:
            return None
        return (
            self.challenger_worked / self.challenger_calls
            - self.champion_worked / self.champion_calls
        )


def _mixed(capitals: tuple[float, ...]) -> float:
    """The mean capital; infinite rather than too large for a float."""
    largest = max(capitals)
    mean = math.fsum(math.exp(capital - largest) for capital in capitals) / len(capitals)
    return math.exp(min(700.0, largest + math.log(mean)))
