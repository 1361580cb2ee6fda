"""Whether the world still is what the active model was trained on.

Two watches. The mix of attempts (which operations, regions, institutions) against that of the
training, by the population stability index: 0.1 is a shift, 0.25 a different population (Siddiqi,
"Credit Risk Scorecards", 2006). And calibration: Page's test (Biometrika 1954) on how far outcomes
in calm fall short of, or exceed, what the model said. An alarm trains a challenger and tells
people; it routes nothing.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Self

__all__ = ["Alarm", "PageTest", "mix_alarms", "stability_index"]

INDEX_ALARM: Final = 0.25
"""Population stability index above which a mix is another one."""

_LEAST_SHARE: Final = 1e-4


@dataclass(frozen=True, slots=True)
class Alarm:
    """What drifted (`operation`, `region`, `institution`, `calibration`), and how, in words."""

    what: str
    detail: str


def stability_index(before: Mapping[str, float], after: Mapping[str, float]) -> float:
    """The population stability index between two mixes; shares need not sum to one.

    >>> round(stability_index({"plaid": 0.5, "mx": 0.5}, {"plaid": 0.9, "mx": 0.1}), 3)
    0.879
    >>> stability_index({"plaid": 2}, {"plaid": 5})
    0.0

    """
    total, total_after = math.fsum(before.values()), math.fsum(after.values())
    if total <= 0.0 or total_after <= 0.0:
        return 0.0
    index = 0.0
    for name in sorted({*before, *after}):
        was = max(_LEAST_SHARE, before.get(name, 0.0) / total)
        now = max(_LEAST_SHARE, after.get(name, 0.0) / total_after)
        index += (now - was) * math.log(now / was)
    return index


def mix_alarms(
    before: Mapping[str, Mapping[str, float]], after: Mapping[str, Mapping[str, float]]
) -> tuple[Alarm, ...]:
    """Alarms on mixes, by what they are of; names that were unknown before count as `others`."""
    alarms = []
    for what, mix in sorted(before.items()):
        now: dict[str, float] = {}
        for name, share in after.get(what, {}).items():
            known = name if name in mix else "others"
            now[known] = now.get(known, 0.0) + share
        index = stability_index(mix, now)
        if index > INDEX_ALARM:
            alarms.append(Alarm(what, f"the mix has changed: stability index {index:.2f}"))
    return tuple(alarms)


@dataclass(frozen=True, slots=True)
class PageTest:
    """Page's two-sided test on residuals (what happened less what was said), as a value.

    `slack` is the mean residual that is no matter, `threshold` how much more of it, summed up,
    raises the alarm: 0.03 and 25 notice ratios that are 0.1 off after some 360 attempts, and at
    residuals of a success ratio of 0.9 are passed by chance about once in some million attempts.

    >>> PageTest().after([-0.2] * 200).alarmed, PageTest().after([0.02, -0.02] * 5000).alarmed
    (True, False)

    """

    slack: float = 0.03
    threshold: float = 25.0
    above: float = 0.0
    below: float = 0.0
    most_above: float = 0.0
    most_below: float = 0.0

    def after(self, residuals: Iterable[float]) -> Self:
        """The test with more residuals; those that are not finite are left out."""
        above, below = self.above, self.below
        most_above, most_below = self.most_above, self.most_below
        for residual in residuals:
            if not math.isfinite(residual):
                continue
            above = max(0.0, above + residual - self.slack)
            below = max(0.0, below - residual - self.slack)
            most_above, most_below = max(most_above, above), max(most_below, below)
        return type(self)(self.slack, self.threshold, above, below, most_above, most_below)

    @property
    def alarmed(self) -> bool:
        """Whether either side ever passed the threshold."""
        return max(self.most_above, self.most_below) > self.threshold

    @property
    def alarm(self) -> Alarm | None:
        """In words; None where there is none."""
        if not self.alarmed:
            return None
        better = self.most_above > self.most_below
        told = "outcomes are better" if better else "outcomes are worse"
        return Alarm("calibration", f"{told} than the model says")
