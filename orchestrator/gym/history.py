"""The log of the days before a run, from which the trained policy begins."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pandas as pd

from models import SelectionModel, train
from orchestrator.domain import ErrorScope

from .scenarios import SCENARIOS
from .simulation import BEGAN_AT
from .world import DAY_RATE_PER_S, Request, World

__all__ = ["HISTORY_DAYS", "ModelShelf", "model_of"]

HISTORY_DAYS: Final = 7.0
_EVEN_RATIO: Final = 0.06
"""Share of the log's first attempts that was drawn evenly: the even slice and curiosity."""

_DAY_S: Final = 86_400.0
_THRESHOLD: Final = 5
_GOLDEN: Final = 0.7548776662
"""Multiples of it, modulo 1, spread evenly."""


class ModelShelf:
    """Trained models by seed, made when first asked for; in a folder, kept from run to run."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._models: dict[tuple[int, str | None], SelectionModel] = {}

    def of(self, seed: int, newcomer: str | None) -> SelectionModel:
        """The model of a seed; see `model_of`."""
        key = seed, newcomer
        if key not in self._models:
            self._models[key] = self._kept(seed, newcomer) or self._made(seed, newcomer)
        return self._models[key]

    def _file(self, seed: int, newcomer: str | None) -> Path | None:
        name = f"{seed}.json" if newcomer is None else f"{seed}-without-{newcomer}.json"
        return None if self._folder is None else self._folder / name

    def _kept(self, seed: int, newcomer: str | None) -> SelectionModel | None:
        file = self._file(seed, newcomer)
        if file is None or not file.exists():
            return None
        rows = json.loads(file.read_text(encoding="utf-8"))
        table = {(str(p), str(o), str(r), i): float(score) for p, o, r, i, score in rows}
        return SelectionModel.of(trained_at=BEGAN_AT, table=table, card={})

    def _made(self, seed: int, newcomer: str | None) -> SelectionModel:
        model, file = model_of(seed, newcomer), self._file(seed, newcomer)
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            rows = [[*key, score] for key, score in model.table.items()]
            file.write_text(json.dumps(rows), encoding="utf-8")
        return model


def model_of(seed: int, newcomer: str | None = None) -> SelectionModel:
    """What `train` makes of a week of plain order with some even draws, with incidents in them.

    The incidents are those of scenario `mixed` under another seed; circuits cut most of their
    failures out of the log, as they do in life. `newcomer` is a provider that it does not know.
    """
    until_s = HISTORY_DAYS * _DAY_S
    world = SCENARIOS["mixed"].world(seed + 100_000, until_s)
    world.calm = World(seed).calm
    rows: list[tuple[object, ...]] = []
    circuits = _Circuits()
    for number, request in enumerate(world.requests(until_s, DAY_RATE_PER_S, stream="history")):
        able = [
            name
            for name in request.candidates
            if name != newcomer and not circuits.open(name, request)
        ]
        draw = (number * _GOLDEN) % 1.0
        if able and draw < _EVEN_RATIO:
            able.insert(0, able.pop(int(draw / _EVEN_RATIO * len(able))))
        rows += _attempts(world, request, able, circuits)
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

    def record(self, provider: str, request: Request, *, worked: bool) -> None:
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


def _attempts(
    world: World, request: Request, order: list[str], circuits: _Circuits
) -> Iterator[tuple[object, ...]]:
    """The rows of one request, in the order of the columns above."""
    t_s = request.at_s
    for attempt, name in enumerate(order, start=1):
        answer = world.answer(request, name, request.at_s, again=0)
        failure = answer.failure
        circuits.record(name, request, worked=failure is None)
        yield (
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
        t_s += answer.latency_s
        if failure is None or failure.scope is ErrorScope.CONNECTION:
            return
