"""The log of the days before a run, from which the trained policy begins."""

from functools import lru_cache
from typing import Final

import pandas as pd

from models import SelectionModel, train
from orchestrator.domain import ErrorScope

from .scenarios import SCENARIOS
from .simulation import BEGAN_AT
from .world import DAY_RATE_PER_S, Request, World

__all__ = ["HISTORY_DAYS", "model_of"]

HISTORY_DAYS: Final = 2.0
_EVEN_RATIO: Final = 0.06
"""Share of the log's first attempts that was drawn evenly: the even slice and curiosity."""

_DAY_S: Final = 86_400.0
_THRESHOLD: Final = 5
_GOLDEN: Final = 0.7548776662
"""Multiples of it, modulo 1, spread evenly."""


@lru_cache(maxsize=4)
def model_of(seed: int, newcomer: str | None = None) -> SelectionModel:
    """What `train` makes of two days of plain order with some even draws, with incidents in them.

    The incidents are those of scenario `mixed` under another seed; circuits cut most of their
    failures out of the log, as they do in life. `newcomer` is a provider that it does not know.
    """
    until_s = HISTORY_DAYS * _DAY_S
    world = SCENARIOS["mixed"].world(seed + 100_000, until_s)
    world.calm = World(seed).calm
    rows: list[tuple[object, ...]] = []
    circuits = _Circuits()
    for number, request in enumerate(world.requests(until_s, DAY_RATE_PER_S, stream="history")):
        _serve(world, request, number, newcomer, circuits, rows)
    frame = pd.DataFrame(
        rows,
        columns=pd.Index(
            [
                "provider",
                "operation",
                "region",
                "institution_id",
                "started_at",
                "latency_ms",
                "outcome",
                "error_scope",
                "attempt_number",
            ]
        ),
    )
    frame["started_at"] = pd.to_datetime(frame["started_at"], unit="s", utc=True)
    return train(frame, now=BEGAN_AT)


class _Circuits:
    """Enough of the breakers for a log: five failures in a row shut a minute, then two, then four."""

    def __init__(self) -> None:
        self._failures: dict[tuple[str, str], int] = {}
        self._until_s: dict[tuple[str, str], float] = {}

    def open(self, provider: str, request: Request) -> bool:
        """Whether one of the circuits concerned is open."""
        return any(request.at_s < self._until_s.get(key, 0.0) for key in _keys(provider, request))

    def record(self, provider: str, request: Request, worked: bool) -> None:
        """Count how a call went."""
        for key in _keys(provider, request):
            count = self._failures[key] = 0 if worked else self._failures.get(key, 0) + 1
            if count >= _THRESHOLD:
                pause_s = min(600.0, 60.0 * 2.0 ** (count - _THRESHOLD))
                self._until_s[key] = request.at_s + pause_s


def _keys(provider: str, request: Request) -> tuple[tuple[str, str], ...]:
    return (
        (provider, ""),
        (provider, request.operation),
        (provider, request.institution_id),
    )


def _serve(
    world: World,
    request: Request,
    number: int,
    newcomer: str | None,
    circuits: "_Circuits",
    rows: list[tuple[object, ...]],
) -> None:
    candidates = tuple(name for name in request.candidates if name != newcomer)
    eligible = tuple(name for name in candidates if not circuits.open(name, request))
    if not eligible:
        return
    order = list(eligible)
    draw = (number * _GOLDEN) % 1.0
    if draw < _EVEN_RATIO:
        order.insert(0, order.pop(int(draw / _EVEN_RATIO * len(order))))
    t_s = request.at_s
    for attempt, name in enumerate(order, start=1):
        answer = world.answer(request, name, request.at_s, again=0)
        failure = answer.failure
        circuits.record(name, request, failure is None)
        rows.append(
            (
                name,
                request.operation,
                request.region,
                request.institution_id,
                BEGAN_AT - HISTORY_DAYS * _DAY_S + t_s,
                answer.latency_s * 1000.0,
                "success" if failure is None else failure.error_class.value,
                None if failure is None else failure.scope.value,
                attempt,
            )
        )
        t_s += answer.latency_s
        if failure is None or failure.scope is ErrorScope.CONNECTION:
            return
