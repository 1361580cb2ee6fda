"""What a run may have to live through, each drawn from a seed; some are kept for the last look."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from orchestrator.resilience import Quota, QuotaScope

from .incidents import Incident
from .world import REGIONS, World

__all__ = ["HELD_BACK", "SCENARIOS", "Scenario"]

_HOUR_S: Final = 3600.0
_MINUTE_S: Final = 60.0
_PROVIDERS: Final = sorted({name for names in REGIONS.values() for name in names})


@dataclass(frozen=True, slots=True)
class Scenario:
    """A kind of day. `incidents` draws what happens until a time; the rest is the same for all seeds.

    `quotas` are local limits. `newcomer` is a provider that no training log has seen. `levels` are
    success ratios in calm of single providers.
    """

    name: str
    says: str
    incidents: Callable[[random.Random, float], list[Incident]]
    quotas: Mapping[str, tuple[Quota, ...]] | None = None
    newcomer: str | None = None
    levels: Mapping[str, float] | None = None

    def world(self, seed: int, until_s: float) -> World:
        """The world of a seed with this scenario's incidents in it."""
        rng = random.Random(f"{self.name} {seed}")  # noqa: S311  a simulation
        return World(seed, self.incidents(rng, until_s), dict(self.levels or {}))


def _spread(
    rng: random.Random, until_s: float, every_s: float, mean_s: float, least_s: float = 120.0
) -> list[tuple[float, float]]:
    """Beginnings and ends of incidents that come at random."""
    found = []
    t_s = rng.expovariate(1.0 / every_s)
    while t_s < until_s:
        lasts_s = max(least_s, rng.expovariate(1.0 / mean_s))
        found.append((t_s, t_s + lasts_s))
        t_s += lasts_s + rng.expovariate(1.0 / every_s)
    return found


def _bank(rng: random.Random) -> tuple[str, str]:
    """A busy bank and a provider of its region."""
    region = "US" if rng.random() < 0.7 else "MX"
    banks = World.institutions(region)
    return rng.choice(REGIONS[region]), banks[min(int(rng.expovariate(0.4)), len(banks) - 1)]


def _calm(_rng: random.Random, _until_s: float) -> list[Incident]:
    return []


def _outages(rng: random.Random, until_s: float) -> list[Incident]:
    return [
        Incident(start, end, provider=name, factor=rng.choice((0.0, 0.0, 0.05)))
        for name in _PROVIDERS
        for start, end in _spread(rng, until_s, 1.2 * _HOUR_S, 15.0 * _MINUTE_S)
    ]


def _institutions(rng: random.Random, until_s: float) -> list[Incident]:
    found = []
    for start, end in _spread(rng, until_s, 5.0 * _MINUTE_S, 0.5, 0.5):
        provider, bank = _bank(rng)
        lasts_s = max(240.0, rng.expovariate(1.0 / (25.0 * _MINUTE_S)))
        found.append(
            Incident(
                start, end + lasts_s, provider, institution_id=bank, factor=rng.choice((0.0, 0.1))
            )
        )
    return found


def _operations(rng: random.Random, until_s: float) -> list[Incident]:
    return [
        Incident(start, end, name, rng.choice(("getAccounts", "syncTransactions")), factor=0.02)
        for name in _PROVIDERS
        for start, end in _spread(rng, until_s, 1.0 * _HOUR_S, 20.0 * _MINUTE_S)
    ]


def _brownouts(rng: random.Random, until_s: float) -> list[Incident]:
    return [
        Incident(start, end, name, factor=rng.uniform(0.35, 0.8), slows=2.0)
        for name in _PROVIDERS
        for start, end in _spread(rng, until_s, 0.8 * _HOUR_S, 25.0 * _MINUTE_S, 300.0)
    ]


def _degradation(rng: random.Random, until_s: float) -> list[Incident]:
    return [
        Incident(start, end, name, factor=rng.uniform(0.2, 0.5), ramp=True)
        for name in _PROVIDERS
        for start, end in _spread(rng, until_s, 0.8 * _HOUR_S, 80.0 * _MINUTE_S, 1800.0)
    ]


def _limits(rng: random.Random, until_s: float) -> list[Incident]:
    return [
        Incident(
            start,
            end,
            provider=name,
            factor=rng.uniform(0.3, 0.7),
            limited=True,
            retry_after_s=rng.choice((None, 2.0, 15.0)),
        )
        for name in _PROVIDERS
        for start, end in _spread(rng, until_s, 0.8 * _HOUR_S, 15.0 * _MINUTE_S)
    ]


def _correlated(rng: random.Random, until_s: float) -> list[Incident]:
    found = []
    for start, end in _spread(rng, until_s, 40.0 * _MINUTE_S, 20.0 * _MINUTE_S):
        factor = rng.uniform(0.0, 0.3)
        if rng.random() < 0.5:
            _, bank = _bank(rng)
            found.append(Incident(start, end, institution_id=bank, factor=factor))
        else:
            pair = rng.sample(REGIONS["US"], 2)
            found += [
                Incident(start + rng.uniform(0.0, 60.0), end, name, factor=factor) for name in pair
            ]
    return found


def _user_errors(rng: random.Random, until_s: float) -> list[Incident]:
    found = []
    for start, end in _spread(rng, until_s, 20.0 * _MINUTE_S, 20.0 * _MINUTE_S):
        provider, bank = _bank(rng)
        where = None if rng.random() < 0.3 else bank
        found.append(
            Incident(start, end, provider, institution_id=where, user_errors=rng.uniform(0.3, 0.8))
        )
    return found


def _seasons(rng: random.Random, until_s: float) -> list[Incident]:
    """Each hour, the same minutes: a bank's own rhythm, or a provider's batch work."""
    found = []
    for name in _PROVIDERS:
        begins_s, lasts_s = rng.uniform(0.0, 3000.0), rng.uniform(300.0, 900.0)
        factor = rng.uniform(0.75, 0.93)
        hours = int(until_s // _HOUR_S) + 1
        found += [
            Incident(
                hour * _HOUR_S + begins_s, hour * _HOUR_S + begins_s + lasts_s, name, factor=factor
            )
            for hour in range(hours)
        ]
    return found


def _drift(rng: random.Random, until_s: float) -> list[Incident]:
    found = []
    for region, names in REGIONS.items():
        for bank in World.institutions(region):
            for name in names:
                if rng.random() < 0.4:
                    mends = rng.random() < 0.5
                    factor = rng.uniform(0.8, 0.95)
                    found.append(
                        Incident(
                            0.0,
                            until_s + 1.0,
                            name,
                            institution_id=bank,
                            factor=factor,
                            ramp=not mends,
                            mends=mends,
                        )
                    )
    return found


def _silent(rng: random.Random, until_s: float) -> list[Incident]:
    return [
        Incident(start, end, name, factor=0.0, silent=True)
        for name in _PROVIDERS
        for start, end in _spread(rng, until_s, 1.2 * _HOUR_S, 12.0 * _MINUTE_S)
    ]


def _mixed(rng: random.Random, until_s: float) -> list[Incident]:
    """A bad week: some of everything, at a third of its usual density."""
    found: list[Incident] = []
    for each in (_outages, _institutions, _operations, _brownouts, _degradation, _user_errors):
        found += [incident for incident in each(rng, until_s) if rng.random() < 0.34]
    return found


def _flapping(rng: random.Random, until_s: float) -> list[Incident]:
    """Down for minutes, up for minutes, for half an hour at a time."""
    found = []
    for name in _PROVIDERS:
        for start, end in _spread(rng, until_s, 1.0 * _HOUR_S, 30.0 * _MINUTE_S, 900.0):
            t_s = start
            while t_s < end:
                down_s = rng.uniform(40.0, 200.0)
                found.append(Incident(t_s, t_s + down_s, name, factor=0.05))
                t_s += down_s + rng.uniform(40.0, 200.0)
    return found


def _ripples(rng: random.Random, until_s: float) -> list[Incident]:
    """One operation at one bank fails through one provider: a scope that nobody keeps count of."""
    found = []
    for start, end in _spread(rng, until_s, 5.0 * _MINUTE_S, 0.5, 0.5):
        provider, bank = _bank(rng)
        operation = rng.choice(("getAccounts", "syncTransactions"))
        lasts_s = max(300.0, rng.expovariate(1.0 / (30.0 * _MINUTE_S)))
        found.append(
            Incident(start, end + lasts_s, provider, operation, bank, factor=rng.uniform(0.0, 0.4))
        )
    return found


def _quota(calls: int) -> tuple[Quota, ...]:
    return (Quota(QuotaScope.CLIENT, calls, _MINUTE_S),)


SCENARIOS: Final[Mapping[str, Scenario]] = {
    each.name: each
    for each in (
        Scenario("calm", "nothing happens", _calm),
        Scenario("outages", "whole providers fail, for a quarter of an hour on average", _outages),
        Scenario("institutions", "banks fail through one provider", _institutions),
        Scenario("operations", "one operation fails at one provider", _operations),
        Scenario("brownouts", "a provider fails 20 to 65 % of calls, and is slow", _brownouts),
        Scenario("degradation", "a provider grows worse over an hour or more", _degradation),
        Scenario(
            "limits",
            "vendors say 429 below their published limits, which demand nearly fills",
            _limits,
            quotas={"plaid": _quota(40), "mx": _quota(40), "belvo": _quota(16)},
        ),
        Scenario(
            "correlated", "a bank fails at all providers, or two providers at once", _correlated
        ),
        Scenario("user_errors", "storms of wrong passwords", _user_errors),
        Scenario("seasons", "each hour the same minutes are poor", _seasons),
        Scenario("drift", "pairs of provider and bank change over the whole run", _drift),
        Scenario(
            "newcomer",
            "a good provider that no log has seen yet",
            _calm,
            newcomer="finicity",
            levels={"finicity": 0.985},
        ),
        Scenario("silent", "providers that never answer", _silent),
        Scenario("mixed", "some of everything", _mixed),
        Scenario("flapping", "down for minutes, up for minutes (held back)", _flapping),
        Scenario("ripples", "one operation at one bank through one provider (held back)", _ripples),
    )
}
"""Every scenario by its name."""

HELD_BACK: Final = frozenset({"flapping", "ripples"})
"""Looked at once, after everything was tuned, as are the seeds from 900 on."""
