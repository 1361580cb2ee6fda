"""The attempt log's actor, by name.

What it is made of is imported in its own process: whoever makes the actor has no use for DuckDB.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from actors.installation import ATTEMPTS_FILE, archive_folder, spool_folder
from orchestrator.domain import SystemClock, from_unix
from orchestrator.settings import load_settings
from orchestrator.telemetry import configure_logging

if TYPE_CHECKING:
    import pandas as pd

    from actors.ports import LogStanding
    from orchestrator.attempt_log import LogStats
    from orchestrator.domain import Json

__all__ = ["AttemptLogActor"]


class AttemptLogActor:
    """The attempt log over its file in the data folder of this process's settings.

    It comes up whatever the file is like; what is wrong with it shows in `standing`.
    """

    def __init__(self) -> None:
        from actors.attempt_log import AttemptLogDesk  # noqa: PLC0415  see the module's docstring
        from actors.log_collector import Retention  # noqa: PLC0415  as above
        from orchestrator.attempt_log import AttemptLogStore  # noqa: PLC0415  as above

        configure_logging()
        settings = load_settings()
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        path = settings.data_dir / ATTEMPTS_FILE
        clock = SystemClock()
        bounds = settings.policies.attempt_log
        archive = archive_folder(settings)
        self._desk = AttemptLogDesk(
            lambda: AttemptLogStore(path, memory_limit_mb=bounds.memory_limit_mb, archive=archive),
            spool_folder(settings),
            clock,
            query_timeout_s=bounds.query_timeout_s,
            query_max_rows=bounds.query_max_rows,
            retention=Retention(
                bounds.retention_days,
                archive,
                lambda: from_unix(clock.unix_s()).date(),
            ),
        )

    async def collect(self) -> None:
        """See `AttemptLogPort`."""
        await self._desk.collect()

    async def standing(self) -> "LogStanding":
        """See `AttemptLogPort`."""
        return await self._desk.standing()

    async def stats(self) -> "LogStats":
        """See `AttemptLogPort`."""
        return await self._desk.stats()

    async def story(self, request_id: str) -> "dict[str, Json] | None":
        """See `AttemptLogPort`."""
        return await self._desk.story(request_id)

    async def query(self, sql: str) -> "list[Json]":
        """See `AttemptLogPort`."""
        return await self._desk.query(sql)

    async def frame(self, sql: str) -> "pd.DataFrame":
        """Rows for one SELECT, as a frame."""
        return await self._desk.frame(sql)

    async def export(self, sql: str, path: str) -> int:
        """Write the rows for one SELECT to a Parquet file; how many they are."""
        return await self._desk.export(sql, Path(path))

    async def close(self) -> None:
        """Commit and close the file."""
        await self._desk.close()
