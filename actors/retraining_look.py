"""One look of the retraining job at the log: how the trial goes, drift, and a training when asked for.

Runs in a process that ends with it. pandas and scikit-learn are imported inside, so that whoever
asks for a look stays small.
"""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LookOrder", "Seen", "look", "look_apart"]

_NICE: Final = 15

_log = structlog.get_logger("retraining")


@dataclass(frozen=True, slots=True)
class LookOrder:
    """What to look at, and whether to train.

    Args:
        attempts: a Parquet file with the attempts of the window.
        folder: the folder of models.
        now: unix seconds.
        train: whether a training is due.
        train_after_drift: whether it is where there is an alarm.
        alarms: of drift, that have been told.

    """

    attempts: str
    folder: str
    now: float
    train: bool
    train_after_drift: bool
    alarms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look found: alarms of drift, whether it trained, and why that came to nothing."""

    alarms: tuple[str, ...]
    trained: bool = False
    problem: str | None = None


def look_apart(order: LookOrder) -> Seen:
    """Look, in a process that has nothing else to do; it gives way to all others.

    Raises:
        OSError: the folder cannot be read or written.

    """
    from orchestrator.telemetry import configure_logging  # noqa: PLC0415  only in this process

    os.nice(_NICE)
    configure_logging()
    return look(order)


def look(order: LookOrder) -> Seen:
    """See how the trial goes and whether the active model still fits, and train where it is due.

    Raises:
        OSError: the folder cannot be read or written.

    """
    from models import TrainingError  # noqa: PLC0415  see the module's docstring
    from models.retraining import retrain  # noqa: PLC0415  as above
    from models.training.attempts import read_attempts  # noqa: PLC0415  as above

    try:
        frame = read_attempts(order.attempts)
        alarms = _minded(frame, order)
        if not (order.train or (order.train_after_drift and alarms)):
            return Seen(alarms)
    except TrainingError as error:
        return Seen(order.alarms, problem=str(error))
    try:
        made = retrain(frame, order.folder, now=order.now)
    except TrainingError as error:
        return Seen(alarms, trained=True, problem=str(error))
    _log.info("model_trained", version=made.version, active=made.active, why=made.why)
    return Seen(alarms, trained=True)


def _minded(frame: "pd.DataFrame", order: LookOrder) -> tuple[str, ...]:
    """How the trial goes, and the alarms of whether the active model still fits."""
    from models.drift_file import DriftFile  # noqa: PLC0415  as above
    from models.retraining import active_model, advance, drift_alarms  # noqa: PLC0415

    if frame.empty:
        return order.alarms
    now = order.now
    trial = advance(frame, order.folder, now=now)
    if trial is not None and trial.since == now:
        _log.info("trial", challenger=trial.challenger, stage=trial.stage.value, why=trial.why)
    model = active_model(order.folder)
    alarms = () if model is None else drift_alarms(model, frame, now=now)
    told = tuple(f"{alarm.what}: {alarm.detail}" for alarm in alarms)
    if told != order.alarms:
        DriftFile(order.folder).write(alarms, at=now)
        for alarm in told:
            _log.warning("model_drift", alarm=alarm)
    return told
