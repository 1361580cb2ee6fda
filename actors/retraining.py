"""The retraining job of a running system: trains challengers, minds their trial, watches drift.

It lives in a process of its own at low priority and reads the log through the log's actor, so no
router ever waits for it. All it does to the others is to write into the folder of models, which
routers look at anyway. Killed in between, it goes on from the log.
"""

import asyncio
import datetime as dt
import os
import threading
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from actors.ports import ActorLost
from orchestrator.domain import Clock, Json, OrchestratorError, from_unix, rfc3339
from orchestrator.settings import LearningSection

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FramePort", "RetrainingActor", "RetrainingJob"]

_FEWEST_ROWS: Final = 1_000
_AFTER_DRIFT_S: Final = 3_600.0
_MOST_ROWS: Final = 500_000
_NICE: Final = 15
_COLUMNS: Final = (
    "request_id, provider, operation, region, institution_id, space_hash, attempt_number, "
    "started_at, latency_ms, outcome, error_scope, candidates, eligible, propensity, model_version"
)

_log = structlog.get_logger("retraining")


class FramePort(Protocol):
    """The attempt log, as far as it is read here."""

    async def frame(self, sql: str) -> "pd.DataFrame":
        """Rows for one SELECT.

        Raises:
            OrchestratorError: the log cannot be read.
            ActorLost: its actor is away.

        """
        ...


class RetrainingJob:
    """Looks at the trial and at drift each time it is asked, and trains when it is due.

    Args:
        log: where attempts are read.
        folder: the folder of models.
        clock: wall time.
        options: how often, and on how much.

    """

    def __init__(self, log: FramePort, folder: str, clock: Clock, options: LearningSection) -> None:
        self._log = log
        self._folder = folder
        self._clock = clock
        self._options = options
        self._trained_at: float | None = None
        self._looked_at: float | None = None
        self._problem: str | None = None
        self._alarms: tuple[str, ...] = ()

    async def step(self) -> None:
        """One look; what goes wrong is told by `standing`, and tried again at the next."""
        try:
            await self._look()
            self._problem = None
        except (OrchestratorError, ActorLost, OSError) as error:
            self._report(f"{type(error).__name__}: {error}")

    def standing(self) -> dict[str, Json]:
        """When it last looked and trained, what it found, what is wrong; for statistics."""
        return {
            "lookedAt": _told(self._looked_at),
            "trainedAt": _told(self._trained_at),
            "driftAlarms": list(self._alarms),
            "problem": self._problem,
        }

    async def _look(self) -> None:
        from models import TrainingError  # noqa: PLC0415  heavy, and only in this process
        from models.retraining import retrain  # noqa: PLC0415  as above

        now = self._clock.unix_s()
        if self._trained_at is None or self._trained_at > now:
            self._trained_at = now  # a restart, or a clock set back, is no reason to train
        since = now - self._options.window_days * 86_400.0
        frame = await self._log.frame(
            f"select {_COLUMNS} from attempts where started_at >= "  # noqa: S608  rendered times
            f"timestamptz '{dt.datetime.fromtimestamp(since, tz=dt.UTC).isoformat()}' "
            f"order by started_at desc limit {_MOST_ROWS}"
        )
        await asyncio.to_thread(self._mind, frame, now)
        self._looked_at = now
        if not self._due(now) or len(frame) < _FEWEST_ROWS:
            return
        self._trained_at = now
        try:
            made = await asyncio.to_thread(retrain, frame, self._folder, now=now)
        except TrainingError as error:
            self._report(str(error))
            return
        _log.info("model_trained", version=made.version, active=made.active, why=made.why)

    def _mind(self, frame: "pd.DataFrame", now: float) -> None:
        """How the trial goes, and whether the active model still fits."""
        from models.drift_file import DriftFile  # noqa: PLC0415  as above
        from models.retraining import active_model, advance, drift_alarms  # noqa: PLC0415

        if frame.empty:
            return
        trial = advance(frame, self._folder, now=now)
        if trial is not None and trial.since == now:
            _log.info("trial", challenger=trial.challenger, stage=trial.stage.value, why=trial.why)
        model = active_model(self._folder)
        alarms = () if model is None else drift_alarms(model, frame, now=now)
        told = tuple(f"{alarm.what}: {alarm.detail}" for alarm in alarms)
        if told != self._alarms:
            self._alarms = told
            DriftFile(self._folder).write(alarms, at=now)
            for alarm in told:
                _log.warning("model_drift", alarm=alarm)

    def _due(self, now: float) -> bool:
        every_s = self._options.retrain_every_s
        if not every_s or self._trained_at is None:
            return False
        waited_s = now - self._trained_at
        return waited_s >= every_s or (bool(self._alarms) and waited_s >= _AFTER_DRIFT_S)

    def _report(self, problem: str) -> None:
        if problem != self._problem:
            _log.warning("retraining_problem", problem=problem)
        self._problem = problem


class RetrainingActor:
    """The job by the settings of this process; it looks from its making on, after a restart too."""

    def __init__(self) -> None:
        from actors.installation import models_folder  # noqa: PLC0415  only in this process
        from actors.options import attempt_log_actor  # noqa: PLC0415  as above
        from actors.remote_ports import RemoteLog  # noqa: PLC0415  as above
        from orchestrator.domain import SystemClock  # noqa: PLC0415  as above
        from orchestrator.settings import load_settings  # noqa: PLC0415  as above
        from orchestrator.telemetry import configure_logging  # noqa: PLC0415  as above

        os.nice(_NICE)
        configure_logging()
        settings = load_settings()
        self._every_s = settings.policies.learning.look_every_s
        self._job = RetrainingJob(
            RemoteLog(attempt_log_actor()),
            str(models_folder(settings)),
            SystemClock(),
            settings.policies.learning,
        )
        # A loop of its own: the actor's has to answer `standing` while a training takes its time.
        threading.Thread(target=self._run, name="retraining", daemon=True).start()

    async def standing(self) -> dict[str, Json]:
        """See `RetrainingJob`."""
        return self._job.standing()

    def _run(self) -> None:
        asyncio.run(self._look_forever())

    async def _look_forever(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self._job.step()
            except Exception:  # noqa: BLE001  told in full, and the next look comes all the same
                _log.exception("retraining_failed")


def _told(at: float | None) -> str | None:
    return None if at is None else rfc3339(from_unix(at))
