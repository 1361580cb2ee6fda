"""`train` and `models`: a selection model out of the attempt log, and which one is active."""

import datetime as dt
import re
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from orchestrator.domain import OrchestratorError, from_unix
from orchestrator.runtime import RunningSystem
from orchestrator.settings import Settings, load_settings

from .console import errors, output

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["register"]

_AGE = re.compile(r"(\d+)([dh])")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(train)
    app.command()(models)


def _since(text: str) -> dt.datetime:
    """A date, or an age such as 7d or 12h."""
    age = _AGE.fullmatch(text)
    if age is not None:
        hours = int(age[1]) * (24 if age[2] == "d" else 1)
        return dt.datetime.now(dt.UTC) - dt.timedelta(hours=hours)
    try:
        return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)
    except ValueError:
        raise typer.BadParameter("give a date (2026-11-01) or an age (7d, 12h)") from None


def _attempts(settings: Settings, since: dt.datetime | None) -> "pd.DataFrame":
    where = "" if since is None else f" where started_at >= timestamptz '{since.isoformat()}'"
    sql = f"select * from attempts{where}"  # noqa: S608  the time is rendered from a datetime
    if RunningSystem.find(settings.data_dir) is not None:
        from orchestrator.client import Orchestrator  # noqa: PLC0415  heavy, and only for this

        with Orchestrator.connect_sync(start=False) as orchestrator:
            return orchestrator.attempts(sql)
    from actors.installation import ATTEMPTS_FILE  # noqa: PLC0415  as above
    from orchestrator.attempt_log import read_only  # noqa: PLC0415  as above

    bounds = settings.policies.attempt_log
    with read_only(settings.data_dir / ATTEMPTS_FILE) as log:
        return log.attempts_frame(sql, timeout_s=600, max_rows=bounds.query_max_rows)


def train(
    since: Annotated[
        str | None, typer.Option(help="Use attempts from this date (2026-11-01) or age (7d) on.")
    ] = None,
    activate: Annotated[
        bool, typer.Option("--activate/--no-activate", help="Make it the active model at once.")
    ] = True,
) -> None:
    """Fit a selection model on the attempt log; running routers take it up without a restart."""
    from actors.installation import models_folder  # noqa: PLC0415  heavy, and only for this
    from models import ModelRegistry, TrainingError  # noqa: PLC0415  as above
    from models import train as fit  # noqa: PLC0415  as above

    settings = load_settings()
    frame = _attempts(settings, None if since is None else _since(since))
    errors.print(f"training on {len(frame)} attempts", highlight=False)
    try:
        model = fit(frame)
    except TrainingError as error:
        raise OrchestratorError(str(error)) from None
    registry = ModelRegistry(models_folder(settings))
    version = registry.save(model)
    if activate:
        registry.activate(version)
    output.print(
        f"model {version}: {len(model.table)} scores"
        + (", active; running routers take it up within seconds" if activate else ", not active"),
        highlight=False,
    )


def models() -> None:
    """List the trained models, the active one marked."""
    from actors.installation import models_folder  # noqa: PLC0415  as above
    from models import ModelRegistry  # noqa: PLC0415  as above

    cards = ModelRegistry(models_folder(load_settings())).versions()
    if not cards:
        output.print("no models yet: 'orchestrator train' makes one")
        return
    table = Table()
    for column in ("version", "trained", "active", "rows", "problem"):
        table.add_column(column)
    for card in cards:
        table.add_row(
            card.version,
            "-" if card.trained_at is None else f"{from_unix(card.trained_at):%Y-%m-%d %H:%M} UTC",
            "yes" if card.active else "",
            str(card.card.get("rows", "-")),
            card.problem or "",
        )
    output.print(table)
