"""Single events at close quarters: a death, a silence, a return, a storm of wrong passwords."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from models import Policy
from orchestrator.resilience import BreakerOptions

from .incidents import Incident
from .simulation import Simulation
from .tally import FirstAttempt
from .world import World

__all__ = ["DrillReport", "drill"]

_SICK: Final = "plaid"
_LEVELS: Final = {"plaid": 0.985}
_WARM_UP_S: Final = 300.0
_BEFORE_S: Final = 60.0
_AFTER_S: Final = 100.0
_NEVER_OPENS: Final = BreakerOptions(failure_threshold=1000)


@dataclass(frozen=True, slots=True)
class DrillReport:
    """What one policy made of the four events, at one rate.

    `to_the_dying`: first attempts sent to a dead provider after its first failure was known.
    `silent_left_s`: seconds from a provider's falling silent until it gets less than a tenth of its
    share. `silent_p99_s`: its p99 before. `back_s`: seconds from its recovery until it has 80 % of
    its share before the outage of `outage_s` again. `storm_points`: points of traffic moved by a
    storm of users' own errors.
    """

    rate_per_s: float
    outage_s: float
    to_the_dying: int
    silent_p99_s: float
    silent_left_s: float
    back_s: float
    storm_points: float


def drill(
    make: Callable[[int], Policy],
    seed: int,
    *,
    rate_per_s: float,
    outage_s: float,
    breakers: bool = True,
) -> DrillReport:
    """Put a policy through all four; without `breakers` it stands alone."""
    breaker = None if breakers else _NEVER_OPENS

    def run(incident: Incident | None, until_s: float) -> list[FirstAttempt]:
        world = World(seed, () if incident is None else (incident,), dict(_LEVELS))
        simulation = Simulation(world, make(seed), breaker=breaker, keep_firsts=True)
        requests = world.requests(until_s, rate_per_s, stream="drill")
        return simulation.run(requests).firsts

    begins_s, ends_s = _WARM_UP_S, _WARM_UP_S + outage_s
    calm = run(None, ends_s + _AFTER_S)
    dead = run(Incident(begins_s, ends_s, _SICK, factor=0.0), ends_s + _AFTER_S)
    silent = run(
        Incident(begins_s, begins_s + 60.0, _SICK, factor=0.0, silent=True), begins_s + 60.0
    )
    storm = run(Incident(begins_s, ends_s, _SICK, user_errors=0.7), ends_s)
    latencies = sorted(
        each.ended_s - each.started_s
        for each in calm
        if each.provider == _SICK and each.worked and each.started_s < begins_s
    )
    return DrillReport(
        rate_per_s=rate_per_s,
        outage_s=outage_s,
        to_the_dying=_after_first_failure(dead, begins_s, ends_s),
        silent_p99_s=latencies[int(0.99 * (len(latencies) - 1))] if latencies else 0.0,
        silent_left_s=_left_s(silent, calm, begins_s, begins_s + 60.0),
        back_s=_back_s(dead, begins_s, ends_s),
        storm_points=100.0 * abs(_share(storm, begins_s, ends_s) - _share(calm, begins_s, ends_s)),
    )


def _share(firsts: list[FirstAttempt], from_s: float, to_s: float) -> float:
    within = [each for each in firsts if from_s <= each.started_s < to_s]
    return sum(each.provider == _SICK for each in within) / max(1, len(within))


def _after_first_failure(firsts: list[FirstAttempt], from_s: float, to_s: float) -> int:
    sick = [e for e in firsts if e.provider == _SICK and from_s <= e.started_s < to_s]
    known_s = min((e.ended_s for e in sick if e.worked is False), default=to_s)
    # Later probes are counted elsewhere: this is the dying, in its first half minute.
    return sum(known_s < e.started_s < from_s + 30.0 for e in sick)


def _left_s(
    firsts: list[FirstAttempt], calm: list[FirstAttempt], from_s: float, to_s: float
) -> float:
    fair = _share(calm, from_s - _BEFORE_S, from_s)
    step_s = 1.0
    left_s = to_s - from_s
    at_s = to_s - step_s
    while at_s >= from_s and _share(firsts, at_s, at_s + step_s) < 0.1 * fair:
        left_s = at_s - from_s
        at_s -= step_s
    return left_s


def _back_s(firsts: list[FirstAttempt], began_s: float, ended_s: float) -> float:
    # Its share before, not that of a calm run: who was away for long has less to learn from.
    fair = _share(firsts, began_s - _BEFORE_S, began_s)
    for second in range(0, int(_AFTER_S) - 10, 5):
        if _share(firsts, ended_s + second, ended_s + second + 10.0) >= 0.8 * fair:
            return float(second)
    return math.inf
