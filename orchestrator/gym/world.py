"""A small financial world: which provider does how well at which bank, from a seed.

Success ratios in calm differ by provider, operation and (provider, institution), on the logit scale,
so that the priority order is sensible on average and wrong at many a bank.
"""

import math
import random
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from orchestrator.domain import ErrorClass, ErrorScope, Failure

from .incidents import Incident

__all__ = ["DAY_RATE_PER_S", "OPERATIONS", "REGIONS", "Answer", "Request", "World"]

DAY_RATE_PER_S: Final = 100_000 / 86_400
"""A day of 100,000 requests."""

REGIONS: Final = {"US": ("plaid", "mx", "finicity"), "MX": ("belvo", "mx")}
OPERATIONS: Final = {"getAccounts": 0.45, "syncTransactions": 0.45, "createLink": 0.10}

_LEVELS: Final = {"plaid": 0.970, "mx": 0.965, "finicity": 0.960, "belvo": 0.955}
_MEDIAN_S: Final = {"plaid": 0.45, "mx": 0.60, "finicity": 0.80, "belvo": 0.90}
_SLOWNESS: Final = {"getAccounts": 1.0, "syncTransactions": 1.6, "createLink": 0.6}
_INSTITUTIONS: Final = {"US": 54, "MX": 28}
_US_SHARE: Final = 0.75
_ALL_LINKED: Final = 0.6
"""Share of reads whose space has linked the bank at every provider; the rest at two of them."""
_LEVEL_SD, _OPERATION_SD, _PAIR_SD = 0.25, 0.25, 0.7
_LATENCY_SD: Final = 0.5
_SILENCE_S: Final = 8.0
_BACKFILL: Final = 0.2
_USER_ERRORS: Final = 0.02


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `luck` and `pace` say how calls at each provider would turn out for it."""

    at_s: float
    operation: str
    region: str
    institution_id: str
    candidates: tuple[str, ...]
    lane: str
    luck: dict[str, float]
    pace: float
    cause: float
    user: float


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call turned out: after how long, and None or the failure."""

    latency_s: float
    failure: Failure | None


@dataclass(slots=True)
class World:
    """What providers do, at any time of a run that starts at 0.

    Args:
        seed: of the calm success ratios; worlds of one seed differ in incidents alone.
        incidents: what befalls it.
        level: success ratios in calm of single providers, over the usual ones.

    """

    seed: int
    incidents: Sequence[Incident] = ()
    levels: dict[str, float] = field(default_factory=dict)
    calm: dict[tuple[str, str, str], float] = field(init=False)
    _due: list[float] = field(init=False)
    _active: tuple[Incident, ...] = ()
    _until: float = -1.0

    def __post_init__(self) -> None:
        rng = random.Random(f"world {self.seed}")  # noqa: S311  a simulation
        self.calm = {}
        for region, providers in REGIONS.items():
            for provider in providers:
                level = _LEVELS[provider]
                level = self.levels.get(provider, level)
                centre = math.log(level / (1.0 - level)) + rng.gauss(0.0, _LEVEL_SD)
                by_operation = {name: rng.gauss(0.0, _OPERATION_SD) for name in OPERATIONS}
                for institution_id in self.institutions(region):
                    pair = rng.gauss(0.0, _PAIR_SD)
                    for operation, shift in by_operation.items():
                        logit = centre + pair + shift
                        ratio = 1.0 / (1.0 + math.exp(-logit))
                        self.calm[provider, operation, institution_id] = ratio
        times = {i.starts_s for i in self.incidents} | {i.ends_s for i in self.incidents}
        self._due = sorted(times)

    @staticmethod
    def institutions(region: str) -> list[str]:
        """The banks of a region, the busiest first."""
        return [f"ins_{region.lower()}_{number}" for number in range(_INSTITUTIONS[region])]

    def active(self, t_s: float) -> tuple[Incident, ...]:
        """The incidents that are on; times must not fall."""
        if t_s >= self._until:
            place = bisect_left(self._due, t_s + 1e-9)
            self._until = self._due[place] if place < len(self._due) else math.inf
            self._active = tuple(i for i in self.incidents if i.starts_s <= t_s < i.ends_s)
        return self._active

    def success_ratio(
        self, provider: str, operation: str, institution_id: str, t_s: float
    ) -> float:
        """The true probability that a call works now, users' own errors left out."""
        ratio = self.calm[provider, operation, institution_id]
        for incident in self.active(t_s):
            if incident.factor < 1.0 and incident.concerns(provider, operation, institution_id):
                ratio *= incident.factor_at(t_s)
        return ratio

    def answer(self, request: Request, provider: str, t_s: float, *, again: int) -> Answer:
        """How a call turns out; `again` counts earlier calls of this request at the provider."""
        operation, institution_id = request.operation, request.institution_id
        latency_s = _MEDIAN_S[provider] * _SLOWNESS[operation] * request.pace
        luck = (request.luck[provider] + 0.618034 * again) % 1.0
        user_errors = _USER_ERRORS
        ratio = self.calm[provider, operation, institution_id]
        blamed: Incident | None = None
        failed = luck >= ratio
        for incident in self.active(t_s):
            if not incident.concerns(provider, operation, institution_id):
                continue
            latency_s *= incident.slows
            user_errors = max(user_errors, incident.user_errors)
            if incident.factor < 1.0 and not failed:
                ratio *= incident.factor_at(t_s)
                if luck >= ratio:
                    failed, blamed = True, incident
        if failed:
            return _failed(blamed, request.cause, request.pace)
        if request.user < user_errors:
            return Answer(0.6 * latency_s, _USERS_OWN)
        return Answer(latency_s, None)

    def requests(self, until_s: float, rate_per_s: float, *, stream: str) -> Iterator[Request]:
        """A Poisson stream of requests from 0, the same for every policy."""
        rng = random.Random(f"requests {self.seed} {stream}")  # noqa: S311  a simulation
        shares = {
            region: list(accumulate(1.0 / (rank + 1) for rank in range(count)))
            for region, count in _INSTITUTIONS.items()
        }
        banks = {region: self.institutions(region) for region in REGIONS}
        operations, op_shares = list(OPERATIONS), list(accumulate(OPERATIONS.values()))
        t_s = 0.0
        draw = rng.random
        while True:
            t_s += rng.expovariate(rate_per_s)
            if t_s >= until_s:
                return
            region = "US" if draw() < _US_SHARE else "MX"
            cumulative = shares[region]
            institution_id = banks[region][bisect_left(cumulative, draw() * cumulative[-1])]
            operation = operations[min(bisect_left(op_shares, draw()), len(operations) - 1)]
            candidates = REGIONS[region]
            fewer, left_out = draw() > _ALL_LINKED, int(draw() * len(candidates))
            if fewer and operation != "createLink" and len(candidates) > 2:
                candidates = candidates[:left_out] + candidates[left_out + 1 :]
            yield Request(
                at_s=t_s,
                operation=operation,
                region=region,
                institution_id=institution_id,
                candidates=candidates,
                lane="backfill" if draw() < _BACKFILL else "interactive",
                luck={name: draw() for name in REGIONS[region]},
                pace=math.exp(rng.gauss(0.0, _LATENCY_SD)),
                cause=draw(),
                user=draw(),
            )


def _failure(error_class: ErrorClass, scope: ErrorScope, after_s: float | None = None) -> Failure:
    code = f"GYM_{error_class.value.upper()}"
    return Failure(error_class, scope, code, "as the scenario has it", retry_after_s=after_s)


_BANK: Final = _failure(ErrorClass.PROVIDER_DOWN, ErrorScope.INSTITUTION)
_DOWN: Final = _failure(ErrorClass.PROVIDER_DOWN, ErrorScope.PROVIDER)
_LINE: Final = _failure(ErrorClass.NETWORK, ErrorScope.PROVIDER)
_USERS_OWN: Final = _failure(ErrorClass.AUTH, ErrorScope.CONNECTION)


def _failed(incident: Incident | None, cause: float, pace: float) -> Answer:
    """The failure and its time, as the incident makes them, or those of an ordinary day."""
    soon_s = 0.3 * pace
    if incident is None:
        if cause < 0.8:
            return Answer(soon_s, _BANK if cause < 0.5 else _DOWN)
        return Answer(min(_SILENCE_S, 10.0 * soon_s), _LINE)
    if incident.silent:
        return Answer(_SILENCE_S, _LINE)
    if incident.limited:
        limit = _failure(ErrorClass.RATE_LIMIT, ErrorScope.PROVIDER, incident.retry_after_s)
        return Answer(0.1 * pace, limit)
    if incident.institution_id is not None and cause > incident.mislabelled:
        return Answer(2.0 * soon_s, _BANK)
    return Answer(soon_s, _DOWN if cause < 0.6 or incident.institution_id else _LINE)
