"""The retraining job of a running system: trains challengers, minds their trial, watches drift.

It lives in a process of its own that only keeps the schedule. Each look at the log is a Ray task,
whose process ends with it: what pandas and scikit-learn take of memory goes back to the machine,
and no router ever waits for it. All it does to the others is to write into the folder of models,
which routers look at anyway. Killed in between, it goes on from the log.
"""

import asyncio
import datetime as dt
import os
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Protocol, cast

import structlog

from actors.ports import ActorLost
from actors.retraining_look import LookOrder, Seen
from orchestrator.domain import Clock, Json, OrchestratorError, from_unix, rfc3339
from orchestrator.settings import LearningSection

__all__ = ["Looking", "RetrainingActor", "RetrainingJob", "WindowPort"]

_FEWEST_ROWS: Final = 1_000
_WORTH_A_LOOK: Final = 200
"""New attempts; fewer tell nothing that is not told by the next look, and a look costs a process."""
_AFTER_DRIFT_S: Final = 3_600.0
_MOST_ROWS: Final = 500_000
_NICE: Final = 15
_WINDOW_FILE: Final = ".window.parquet"
_COLUMNS: Final = (
    "request_id, provider, operation, region, institution_id, space_hash, attempt_number, "
    "started_at, latency_ms, outcome, error_scope, candidates, eligible, propensity, model_version"
)

_log = structlog.get_logger("retraining")

Looking = Callable[[LookOrder], Awaitable[Seen]]
"""Carries out a look, elsewhere.

Raises `ActorLost` where its process is lost, `OSError` where the folder cannot be written.
"""


class WindowPort(Protocol):
    """The attempt log, as far as it is read here."""

    async def query(self, sql: str) -> list[Json]:
        """Rows for one SELECT, as JSON data.

        Raises:
            OrchestratorError: the log cannot be read.
            ActorLost: its actor is away.

        """
        ...

    async def export(self, sql: str, path: str) -> int:
        """Write the rows for one SELECT to a Parquet file; how many they are.

        Raises:
            OrchestratorError: the log cannot be read, or the file not written.
            ActorLost: its actor is away.

        """
        ...


class RetrainingJob:
    """Has the trial and drift looked at as the log grows, and a model trained when it is due.

    Args:
        log: where attempts are read.
        looking: carries out a look.
        folder: the folder of models.
        clock: wall time.
        options: how often, and on how much.

    """

    def __init__(
        self,
        log: WindowPort,
        looking: Looking,
        folder: str,
        clock: Clock,
        options: LearningSection,
    ) -> None:
        self._log = log
        self._looking = looking
        self._folder = folder
        self._clock = clock
        self._options = options
        self._trained_at: float | None = None
        self._looked_at: float | None = None
        self._read_to: float | None = None
        self._problem: str | None = None
        self._alarms: tuple[str, ...] = ()

    async def step(self) -> None:
        """One look; what goes wrong is told by `standing`, and tried again at the next."""
        try:
            problem = await self._look()
        except (OrchestratorError, ActorLost, OSError) as error:
            problem = f"{type(error).__name__}: {error}"
        if problem is not None and problem != self._problem:
            _log.warning("retraining_problem", problem=problem)
        self._problem = problem

    def standing(self) -> dict[str, Json]:
        """When it last looked and trained, what it found, what is wrong; for statistics."""
        return {
            "lookedAt": _told(self._looked_at),
            "trainedAt": _told(self._trained_at),
            "driftAlarms": list(self._alarms),
            "problem": self._problem,
        }

    async def _look(self) -> str | None:
        now = self._clock.unix_s()
        if self._trained_at is None or self._trained_at > now:
            self._trained_at = now  # a restart, or a clock set back, is no reason to train
        if self._read_to is not None and self._read_to > now:
            self._read_to = None
        since = now - self._options.window_days * 86_400.0
        rows, fresh = await self._counted(since)
        enough = rows >= _FEWEST_ROWS
        drifted = bool(self._alarms) and self._due(now, _AFTER_DRIFT_S)
        due = enough and (drifted or self._due(now, self._options.retrain_every_s))
        self._looked_at = now
        if not due and not (self._is_anything_to_mind() and fresh >= _WORTH_A_LOOK):
            return None
        return await self._seen(since, now, train=due, enough=enough)

    async def _counted(self, since: float) -> tuple[int, int]:
        """Attempts of the window, and those among them that no look has seen."""
        new = since if self._read_to is None else max(since, self._read_to)
        (counted,) = await self._log.query(
            f"select count(*) as n, count(*) filter (where started_at >= {_rendered(new)}) as fresh "  # noqa: S608  rendered times
            f"from attempts where started_at >= {_rendered(since)}"
        )
        told = cast("dict[str, int]", counted)
        return told["n"], told["fresh"]

    async def _seen(self, since: float, now: float, *, train: bool, enough: bool) -> str | None:
        window = Path(self._folder) / _WINDOW_FILE
        try:
            await asyncio.to_thread(window.parent.mkdir, parents=True, exist_ok=True)
            await self._log.export(
                f"select {_COLUMNS} from attempts where started_at >= {_rendered(since)} "  # noqa: S608  as above
                f"order by started_at desc limit {_MOST_ROWS}",
                str(window),
            )
            seen = await self._looking(
                LookOrder(
                    str(window),
                    self._folder,
                    now,
                    train=train,
                    train_after_drift=enough and self._due(now, _AFTER_DRIFT_S),
                    alarms=self._alarms,
                )
            )
        finally:
            window.unlink(missing_ok=True)
        self._read_to = now
        self._alarms = seen.alarms
        if seen.trained:
            self._trained_at = now
        return seen.problem

    def _is_anything_to_mind(self) -> bool:
        """Whether there is a model that may drift, or a trial."""
        folder = Path(self._folder)
        if not folder.is_dir() or not any(folder.iterdir()):
            return False  # without what it takes to read models
        from models import ModelRegistry, ModelUnusable  # noqa: PLC0415  only where the job runs
        from models.promotion import TrialStore  # noqa: PLC0415  as above

        try:
            return (
                ModelRegistry(self._folder).active() is not None
                or TrialStore(self._folder).current() is not None
            )
        except ModelUnusable:
            return True  # the look itself says what is wrong, and mends it

    def _due(self, now: float, every_s: float) -> bool:
        """Whether the last training is so long ago; never, where none is wanted."""
        if not self._options.retrain_every_s or self._trained_at is None:
            return False
        return now - self._trained_at >= every_s


class RetrainingActor:
    """The job by the settings of this process; it looks from its making on, after a restart too."""

    def __init__(self) -> None:
        from actors.installation import models_folder  # noqa: PLC0415  only in this process
        from actors.options import attempt_log_actor  # noqa: PLC0415  as above
        from actors.remote_ports import RemoteLog, looked_apart  # noqa: PLC0415  as above
        from orchestrator.domain import SystemClock  # noqa: PLC0415  as above
        from orchestrator.settings import load_settings  # noqa: PLC0415  as above
        from orchestrator.telemetry import configure_logging  # noqa: PLC0415  as above

        os.nice(_NICE)
        configure_logging()
        settings = load_settings()
        self._every_s = settings.policies.learning.look_every_s
        self._job = RetrainingJob(
            RemoteLog(attempt_log_actor()),
            looked_apart,
            str(models_folder(settings)),
            SystemClock(),
            settings.policies.learning,
        )
        # A thread, as an actor that Ray has restarted has no event loop yet when it is made.
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


def _rendered(at: float) -> str:
    return f"timestamptz '{dt.datetime.fromtimestamp(at, tz=dt.UTC).isoformat()}'"


def _told(at: float | None) -> str | None:
    return None if at is None else rfc3339(from_unix(at))
