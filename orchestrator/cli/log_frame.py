"""The attempt log as a frame, from a running system or from its file."""

import datetime as dt
import re
from typing import TYPE_CHECKING

import typer

from orchestrator.runtime import RunningSystem
from orchestrator.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["attempts_since", "since_when"]

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
    """All columns of the attempts since then (all of them without), through the running system."""
    where = ""
    if since is not None:
        where = f" where started_at >= timestamptz '{since_when(since).isoformat()}'"
    sql = f"select * from attempts{where}"  # noqa: S608  the time is rendered from a datetime
    if RunningSystem.find(settings.data_dir) is not None:
        from orchestrator.client import Orchestrator  # noqa: PLC0415  heavy, and only for this

        with Orchestrator.connect_sync(start=False) as orchestrator:
            return orchestrator.attempts(sql)
    from actors.installation import ATTEMPTS_FILE  # noqa: PLC0415  as above
    from orchestrator.attempt_log import read_only  # noqa: PLC0415  as above

    bounds = settings.policies.attempt_log
    with read_only(settings.data_dir / ATTEMPTS_FILE) as log:
        return log.attempts_frame(sql, timeout_s=_TIMEOUT_S, max_rows=bounds.query_max_rows)
