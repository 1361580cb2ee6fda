"""Policies x scenarios x seeds: everybody meets the same requests with the same luck."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from models import Policy, SelectionModel
from models.adaptive import AdaptivePolicy
from models.priority import PriorityPolicy
from models.success_rate import SuccessRateOptions, SuccessRatePolicy
from models.thompson import ThompsonOptions, ThompsonPolicy
from models.ucb import UcbOptions, UcbPolicy
from orchestrator.resilience import BreakerOptions

from .clairvoyant import ClairvoyantPolicy
from .scenarios import Scenario
from .simulation import BEGAN_AT, Simulation
from .world import DAY_RATE_PER_S, World

__all__ = [
    "ENTRANTS",
    "PLAIN",
    "REFERENCE",
    "Contest",
    "Entrant",
    "Line",
    "success_rate",
    "thompson",
    "ucb",
]

REFERENCE: Final = "clairvoyant"
PLAIN: Final = "priority, no breakers"
"""The gap is between these two."""

_NEVER_OPENS: Final = BreakerOptions(failure_threshold=1000)
_NO_QUOTAS: Final[Mapping[str, tuple[()]]] = {}


@dataclass(frozen=True, slots=True)
class Entrant:
    """A policy that takes part: made of the world, a seed, and a trained model where it has one."""

    make: Callable[[World, int, SelectionModel | None], Policy]
    trained: bool = False
    breaker: BreakerOptions | None = None


def success_rate(keyed_by: str, window: int) -> Entrant:
    """An entrant with these options."""
    options = SuccessRateOptions(window=window)
    return Entrant(
        lambda _world, seed, _model: SuccessRatePolicy(seed, keyed_by=keyed_by, options=options)
    )


def thompson(keyed_by: str, half_life_s: float, most: float) -> Entrant:
    """An entrant with these options."""
    options = ThompsonOptions(half_life_s=half_life_s, most=most)
    return Entrant(
        lambda _world, seed, _model: ThompsonPolicy(seed, keyed_by=keyed_by, options=options)
    )


def ucb(keyed_by: str, window: int, curiosity: float) -> Entrant:
    """An entrant with these options."""
    options = UcbOptions(window=window, curiosity=curiosity)
    return Entrant(lambda _world, _seed, _model: UcbPolicy(keyed_by=keyed_by, options=options))


ENTRANTS: Final[Mapping[str, Entrant]] = {
    PLAIN: Entrant(lambda _world, _seed, _model: PriorityPolicy(), breaker=_NEVER_OPENS),
    "priority": Entrant(lambda _world, _seed, _model: PriorityPolicy()),
    "success_rate by operation": success_rate("operation", 20),
    "success_rate by institution": success_rate("institution", 20),
    "thompson by operation": thompson("operation", 900.0, 200.0),
    "thompson by institution": thompson("institution", 5400.0, 200.0),
    "ucb by operation": ucb("operation", 40, 0.01),
    "ucb by institution": ucb("institution", 40, 0.01),
    "adaptive, cold": Entrant(lambda _world, seed, _model: AdaptivePolicy(None, seed)),
    "adaptive": Entrant(lambda _world, seed, model: AdaptivePolicy(model, seed), trained=True),
    REFERENCE: Entrant(lambda world, _seed, _model: ClairvoyantPolicy(world, BEGAN_AT)),
}
"""Who takes part, by the name in the tables; all but the first with the shipped breakers.

The rivals have the options that won on the grid of `tuning`.
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One run's figures; ratios are 0 to 1."""

    scenario: str
    seed: int
    entrant: str
    requests: int
    first_ratio: float
    final_ratio: float
    attempts_per_request: float
    mean_time_s: float


class Contest:
    """Lets entrants run through scenarios.

    Args:
        entrants: who takes part.
        models: gives the trained model of a seed, without a newcomer; asked only where needed.
        hours: length of a run.
        rate_per_s: requests a second.

    """

    def __init__(
        self,
        entrants: Mapping[str, Entrant],
        models: Callable[[int, str | None], SelectionModel],
        *,
        hours: float,
        rate_per_s: float = DAY_RATE_PER_S,
    ) -> None:
        self._entrants = entrants
        self._models = models
        self._until_s = hours * 3600.0
        self._rate_per_s = rate_per_s

    def lines(self, scenarios: Iterable[Scenario], seeds: Sequence[int]) -> Iterator[Line]:
        """One line a run, as each is over."""
        for scenario in scenarios:
            for seed in seeds:
                world = scenario.world(seed, self._until_s)
                requests = list(
                    world.requests(self._until_s, self._rate_per_s, stream=scenario.name)
                )
                for name, entrant in self._entrants.items():
                    model = self._models(seed, scenario.newcomer) if entrant.trained else None
                    fresh = scenario.world(seed, self._until_s)
                    tally = Simulation(
                        fresh,
                        entrant.make(fresh, seed, model),
                        quotas=scenario.quotas or _NO_QUOTAS,
                        breaker=entrant.breaker,
                    ).run(requests)
                    yield Line(
                        scenario=scenario.name,
                        seed=seed,
                        entrant=name,
                        requests=tally.requests,
                        first_ratio=tally.first_ratio,
                        final_ratio=tally.final_ratio,
                        attempts_per_request=tally.attempts_per_request,
                        mean_time_s=tally.mean_time_s,
                    )
