"""The attempt log as a frame, from a running system or from its file."""

import datetime as dt
import re
from typing import TYPE_CHECKING

import typer

from orchestrator.runtime import RunningSystem
from orchestrator.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["attempts_since", "collect_spools", "since_when"]

_AGE = re.compile(r"(\d+)([dh])")
_TIMEOUT_S = 600.0


def since_when(text: str) -> dt.datetime:
    """A date, or an age such as 7d or 12h.

    Raises:
        typer.BadParameter: neither of them.

    """
    age = _AGE.fullmatch(text)
    try:
        if age is not None:
            hours = int(age[1]) * (24 if age[2] == "d" else 1)
            return dt.datetime.now(dt.UTC) - dt.timedelta(hours=hours)
        return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter("give a date (2026-11-01) or an age (7d, 12h)") from None


def attempts_since(settings: Settings, since: str | None) -> "pd.DataFrame":
    """All columns of the attempts since then; the newest, where a query may not have them all."""
    where = ""
    if since is not None:
        where = f" where started_at >= timestamptz '{since_when(since).isoformat()}'"
    most = settings.policies.attempt_log.query_max_rows
    sql = f"select * from attempts{where} order by started_at desc limit {most}"  # noqa: S608  rendered
    if RunningSystem.find(settings.data_dir) is not None:
        from orchestrator.client import Orchestrator  # noqa: PLC0415  heavy, and only for this

        with Orchestrator.connect_sync(start=False) as orchestrator:
            return orchestrator.attempts(sql)
    from actors.installation import ATTEMPTS_FILE  # noqa: PLC0415  as above
    from orchestrator.attempt_log import read_only  # noqa: PLC0415  as above

    collect_spools(settings)
    with read_only(settings.data_dir / ATTEMPTS_FILE) as log:
        return log.attempts_frame(sql, timeout_s=_TIMEOUT_S, max_rows=most)


def collect_spools(settings: Settings) -> None:
    """Take in what a system that was killed had written down and not committed any more."""
    from actors.installation import ATTEMPTS_FILE, spool_folder  # noqa: PLC0415  heavy
    from actors.log_collector import LogCollector  # noqa: PLC0415  as above
    from orchestrator.attempt_log import AttemptLogStore  # noqa: PLC0415  as above

    path, folder = settings.data_dir / ATTEMPTS_FILE, spool_folder(settings)
    if not path.exists() or not folder.is_dir() or not any(folder.iterdir()):
        return
    memory_limit_mb = settings.policies.attempt_log.memory_limit_mb
    collector = LogCollector(lambda: AttemptLogStore(path, memory_limit_mb=memory_limit_mb), folder)
    try:
        collector.collect()
    finally:
        collector.close()
