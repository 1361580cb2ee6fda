"""The retraining job's steps: train a challenger, put it on trial, see how the trial goes, watch.

Each step reads the log it is given and the folder of models, and writes that folder. Nothing here
waits, reads a clock or knows of Ray: whoever runs the job (the command line, a notebook, an actor)
brings `now`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd

from .blame import Verdict, verdict
from .context import SCOPES
from .drift import Alarm, PageTest, mix_alarms
from .errors import ModelUnusable
from .model import SelectionModel
from .promotion import Gate, GateVerdict, Trial, Trialled, TrialOptions, TrialStore, has_challenger
from .registry import ModelRegistry
from .training import train
from .training.attempts import read_attempts
from .training.judgement import judge_beside
from .training.mix import mix_of
from .training.outages import belief_up
from .training.rows import recency_weights, training_rows

__all__ = [
    "Registered",
    "active_model",
    "advance",
    "drift_alarms",
    "gates_of",
    "register",
    "retrain",
    "trialled",
]

_BY: Final = "retraining"
_FEWEST: Final = 200
_CALM: Final = 0.5


@dataclass(frozen=True, slots=True)
class Registered:
    """A stored model and what became of it: active at once, on trial, or neither; `why` says so."""

    version: str
    active: bool
    trial: Trial | None
    why: str


def retrain(
    attempts: pd.DataFrame | str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    now: float,
    by: str = _BY,
) -> Registered:
    """Train a challenger against the active model, and register it; see `register`.

    Raises:
        TrainingError: the log is not what can be learned from.
        OSError: the folder cannot be written.

    """
    model = train(attempts, now=now, champion=active_model(folder))
    return register(model, folder, now=now, by=by)


def register(
    model: SelectionModel, folder: str | os.PathLike[str], *, now: float, by: str = _BY
) -> Registered:
    """Store a model with its card and decide what follows from its gates.

    A gate that failed: it is stored and nothing else. No model is active: it becomes so, as there
    is only the cold start to be worse than. Otherwise its trial begins, in shadow; it takes the
    place of another that is still in shadow, but not of one that has requests already.

    Raises:
        OSError: the folder cannot be written.

    """
    registry, store = ModelRegistry(folder), TrialStore(folder)
    version = registry.save(model)
    failed = [gate for gate in gates_of(model) if gate.failed]
    champion = active_model(folder)
    if failed:
        why = "; ".join(f"failed its gate {gate.name}: {gate.detail}" for gate in failed)
        return Registered(version, active=False, trial=None, why=why)
    if champion is None:
        why = "the first model, through its gates"
        registry.activate(version, at=now, by=by, why=why)
        return Registered(version, active=True, trial=None, why=why)
    if version == champion.version:
        return Registered(version, active=True, trial=None, why="the active model, once more")
    under_way = _trial(store)
    if under_way is not None and under_way.share(TrialOptions()) > 0.0:
        why = f"{under_way.challenger} is on trial: train again when that has ended"
        return Registered(version, active=False, trial=under_way, why=why)
    if under_way is not None:
        store.write(under_way.stop("a newer challenger takes its place", now=now))
    trial = Trial.begin(version, champion.version, now=now)
    store.write(trial)
    return Registered(version, active=False, trial=trial, why="on trial, in shadow")


def advance(
    attempts: pd.DataFrame | str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    now: float,
    options: TrialOptions | None = None,
) -> Trial | None:
    """See how the trial goes, act on it, and answer where it is; None without one.

    `attempts` reaches back to the beginning of the trial's stage at least. The evidence is counted
    from the log each time, so a job that was killed loses nothing.

    Raises:
        AttemptsUnreadable: not an attempt log.
        OSError: the folder cannot be written.

    """
    registry, store = ModelRegistry(folder), TrialStore(folder)
    trial = _trial(store)
    if trial is None:
        return None
    chosen = options or TrialOptions()
    after = _advanced(trial, registry, attempts, now, chosen)
    if after.stage is not trial.stage:
        if after.share(chosen) == 1.0:
            registry.activate(after.challenger, at=now, by="trial", why=after.why)
        store.write(after)
    return after


def _advanced(
    trial: Trial,
    registry: ModelRegistry,
    attempts: pd.DataFrame | str | os.PathLike[str],
    now: float,
    options: TrialOptions,
) -> Trial:
    champion = active_model(registry.folder)
    if (None if champion is None else champion.version) != trial.champion:
        return trial.stop("another model became active", now=now)
    try:
        challenger = registry.load(trial.challenger)
    except ModelUnusable as error:
        return trial.stop(str(error), now=now)
    if trial.share(options) > 0.0:
        outcomes = trialled(read_attempts(attempts), trial, options)
        return trial.after(outcomes, now=now, options=options)
    rows = training_rows(read_attempts(attempts), now=now).frame
    rows = rows[rows["started_s"] >= trial.since]
    gates = judge_beside(challenger, champion, rows) if len(rows) else ()
    return trial.after_shadow(gates, len(rows), now=now, options=options)


def trialled(frame: pd.DataFrame, trial: Trial, options: TrialOptions) -> list[Trialled]:
    """The trial's requests in a log of `read_attempts`, in the order in which they ended.

    First attempts since the stage began, for which there was a choice, by the model that the
    request's hash names; those of a router that had not heard of the trial are no part of it, and
    users' own errors say nothing.
    """
    share = trial.share(options)
    columns = ["request_id", "attempt_number", "outcome", "error_scope", "eligible"]
    columns += ["model_version", "started_at", "latency_ms"]
    known = frame.reindex(columns=columns)
    known = known[(known["attempt_number"] == 1) & (known["started_at"] >= trial.since)]
    ended = known["started_at"] + known["latency_ms"].fillna(0.0) / 1000.0
    found = []
    for request_id, _, outcome, scope, eligible, version, _, _ in known.loc[
        ended.sort_values(kind="stable").index
    ].itertuples(index=False, name=None):
        if not isinstance(request_id, str) or not hasattr(eligible, "__len__") or len(eligible) < 2:
            continue
        by_challenger = has_challenger(request_id, trial.challenger, share)
        if version != (trial.challenger if by_challenger else trial.champion):
            continue  # a router that had not heard of the trial yet
        told = verdict(outcome, scope if scope in SCOPES else None)
        if told is not Verdict.SAYS_NOTHING:
            found.append(Trialled(by_challenger, told is Verdict.WORKED))
    return found


def drift_alarms(
    model: SelectionModel, attempts: pd.DataFrame | str | os.PathLike[str], *, now: float
) -> tuple[Alarm, ...]:
    """How attempts since the model's training differ from what it was trained on, if they do.

    Fewer than 200 attempts raise no alarm. Calibration is watched in calm.
    """
    rows = training_rows(read_attempts(attempts), now=now).frame
    recent = rows[rows["started_s"] >= model.trained_at].reset_index(drop=True)
    if len(recent) < _FEWEST:
        return ()
    alarms = mix_alarms(_mixes(model.card.get("mix")), mix_of(recent))
    recent = recent[belief_up(recent, recency_weights(recent)) >= _CALM]
    told = [
        model.prior(*key)
        for key in recent[["provider", "operation", "region", "institution"]].itertuples(
            index=False, name=None
        )
    ]
    residuals = [
        worked - prior
        for worked, prior in zip(recent["worked"].tolist(), told, strict=True)
        if prior is not None
    ]
    calibration = PageTest().after(residuals).alarm
    return alarms if calibration is None else (*alarms, calibration)


def gates_of(model: SelectionModel) -> tuple[Gate, ...]:
    """What the gates said when the model was trained, from its card."""
    listed = model.card.get("gates")
    if not isinstance(listed, list):
        return ()
    return tuple(
        Gate(str(entry["name"]), GateVerdict(entry["verdict"]), str(entry["detail"]))
        for entry in listed
        if isinstance(entry, dict)
    )


def active_model(folder: str | os.PathLike[str]) -> SelectionModel | None:
    """The champion; None where there is none or none that can be used."""
    registry = ModelRegistry(folder)
    try:
        version = registry.active()
        return None if version is None else registry.load(version)
    except ModelUnusable:
        return None


def _trial(store: TrialStore) -> Trial | None:
    try:
        return store.current()
    except ModelUnusable:
        return None  # damaged: as if there were none, and the next one mends the file


def _mixes(card: object) -> dict[str, dict[str, float]]:
    if not isinstance(card, Mapping):
        return {}
    return {
        str(what): {str(name): float(share) for name, share in mix.items()}
        for what, mix in card.items()
        if isinstance(mix, Mapping)
    }
