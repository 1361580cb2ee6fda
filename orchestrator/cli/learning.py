"""`train`, `models` and `backtest`: challengers out of the attempt log, and who is the champion."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from orchestrator.domain import OrchestratorError, from_unix
from orchestrator.settings import load_settings

from .console import errors, output
from .log_frame import attempts_since

if TYPE_CHECKING:
    from models.backtest import Backtest
    from models.evaluation import Estimate

__all__ = ["register"]

_SINCE = Annotated[
    str | None, typer.Option(help="Use attempts from this date (2026-11-01) or age (7d) on.")
]
_BAR = 40


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(train)
    app.command()(models)
    app.command()(backtest)


def train(
    since: _SINCE = None,
    activate: Annotated[
        bool | None,
        typer.Option(
            "--activate/--no-activate",
            help="Make it active at once whatever its gates say, or only store it; left out, its "
            "gates decide: the first model becomes active, a later one goes on trial.",
        ),
    ] = None,
) -> None:
    """Train a challenger on the attempt log, judge it, and put it on trial beside the active model.

    Running routers take up what becomes active without a restart.
    """
    from actors.installation import models_folder  # noqa: PLC0415  heavy, and only for this
    from models import ModelRegistry, TrainingError  # noqa: PLC0415  as above
    from models import train as fit  # noqa: PLC0415  as above
    from models.retraining import active_model, gates_of, register  # noqa: PLC0415  as above

    settings = load_settings()
    folder = models_folder(settings)
    frame = attempts_since(settings, since)
    errors.print(f"training on {len(frame)} attempts", highlight=False)
    now = time.time()
    try:
        model = fit(frame, champion=active_model(folder))
    except TrainingError as error:
        raise OrchestratorError(str(error)) from None
    if activate is None:
        registered = register(model, folder, now=now, by="orchestrator train")
        what = "active" if registered.active else "not active"
        why = registered.why
    else:
        registry = ModelRegistry(folder)
        registry.save(model)
        if activate:
            registry.activate(model.version, at=now, by="orchestrator train", why="--activate")
        what, why = ("active" if activate else "not active"), "as asked"
    output.print(
        f"model {model.version}: {len(model.table)} scores, {what} ({why})"
        + ("; running routers take it up within seconds" if what == "active" else ""),
        highlight=False,
        markup=False,
    )
    for gate in gates_of(model):
        output.print(
            f"  {gate.name}: {gate.verdict.value.replace('_', ' ')}, {gate.detail}",
            highlight=False,
            markup=False,
        )
    output.print(f"  card: {folder / model.version / 'card.md'}", highlight=False, markup=False)


def models(
    roll_back: Annotated[
        bool, typer.Option("--roll-back", help="Go back to the model that was active before.")
    ] = False,
    stop_trial: Annotated[
        bool, typer.Option("--stop-trial", help="End the trial; the active model decides alone.")
    ] = False,
) -> None:
    """List the trained models, the trial under way, what was activated when, and alarms."""
    from actors.installation import models_folder  # noqa: PLC0415  as above
    from models import ModelRegistry  # noqa: PLC0415  as above
    from models.promotion import TrialStore  # noqa: PLC0415  as above

    folder = models_folder(load_settings())
    registry, store = ModelRegistry(folder), TrialStore(folder)
    if roll_back:
        back = registry.roll_back(at=time.time())
        output.print(f"active: {back or 'none'}", highlight=False)
    trial = store.current()
    if stop_trial and trial is not None:
        store.write(trial.stop("stopped by the operator", now=time.time()))
        trial = None
    cards = registry.versions()
    if not cards:
        output.print("no models yet: 'orchestrator train' makes one")
        return
    table = Table()
    for column in ("version", "trained", "stands", "attempts", "gates failed", "problem"):
        table.add_column(column)
    for card in cards:
        stands = "active" if card.active else ""
        if trial is not None and trial.challenger == card.version:
            stands = f"on trial: {trial.stage.value.replace('_', ' ')}"
        gates = card.card.get("gates")
        failed = [
            str(gate["name"])
            for gate in (gates if isinstance(gates, list) else [])
            if gate["verdict"] == "failed"
        ]
        rows = card.card.get("rows")
        table.add_row(
            card.version,
            "-" if card.trained_at is None else f"{from_unix(card.trained_at):%Y-%m-%d %H:%M} UTC",
            stands,
            str(rows.get("used", "-")) if isinstance(rows, dict) else "-",
            ", ".join(failed),
            card.problem or "",
        )
    output.print(table)
    _print_history(registry.history(), store.history())
    from models.drift_file import DriftFile  # noqa: PLC0415  as above

    for alarm in DriftFile(folder).alarms():
        output.print(f"drift of {alarm.what}: {alarm.detail}", style="red", highlight=False)


def _print_history(*histories: object) -> None:
    entries = [entry for history in histories if isinstance(history, list) for entry in history]
    for entry in sorted(entries, key=lambda one: float(one["at"]))[-10:]:
        when = f"{from_unix(float(entry['at'])):%Y-%m-%d %H:%M} UTC"
        if "challenger" in entry:
            told = f"{entry['challenger']} → {str(entry['stage']).replace('_', ' ')}"
        else:
            told = f"{entry['version'] or 'no model'} active, by {entry.get('by', 'operator')}"
        output.print(f"  {when}  {told} ({entry.get('why', '')})", highlight=False, markup=False)


def backtest(
    policy: Annotated[
        list[str] | None, typer.Option(help="A policy to judge; again for more. All without.")
    ] = None,
    since: _SINCE = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the estimates into this SVG file, too.")
    ] = None,
) -> None:
    """Compare policies on the attempt log: how often had their first choices worked?"""
    from models import TrainingError  # noqa: PLC0415  heavy, and only for this
    from models.backtest import backtest as judge  # noqa: PLC0415  as above
    from models.charts import Interval, intervals_svg  # noqa: PLC0415  as above

    settings = load_settings()
    frame = attempts_since(settings, since)
    ratio = settings.policies.selection.exploration_ratio
    try:
        found = judge(frame, policy, exploration_ratio=ratio)
    except TrainingError as error:
        raise OrchestratorError(str(error)) from None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    _print_backtest(found)
    if plot is not None:
        logged = found.as_logged
        intervals = [Interval("as logged", logged.value, logged.low, logged.high)]
        for one in found.policies:
            snips = one.value.snips
            intervals.append(Interval(one.policy, snips.value, snips.low, snips.high, one.can_tell))
        plot.write_text(intervals_svg("First-attempt success, 95 % intervals", intervals))
        output.print(f"plot: {plot}", highlight=False, markup=False)


def _print_backtest(found: "Backtest") -> None:
    output.print(
        f"first attempts of the later half: {found.rows} drawn, {found.certain} certain, "
        f"{found.unusable} without a choice or a propensity; policies use a model of "
        f"{found.trained_rows} earlier attempts",
        highlight=False,
    )
    for warning in found.warnings:
        errors.print(f"warning: {warning}", style="yellow", highlight=False, markup=False)
    if not found.rows:
        return
    table = Table(title="First-attempt success, 95 % intervals")
    for column in ("policy", "SNIPS", "doubly robust", "IPS", "over priority", "effective rows"):
        table.add_column(column)
    logged = _told(found.as_logged)
    table.add_row("as logged", logged, "", "", "", str(found.rows))
    for one in found.policies:
        by = one.value.estimates
        table.add_row(
            one.policy + ("" if one.can_tell else " (cannot tell)"),
            *(_told(by[name]) for name in ("snips", "dr", "ips")),
            _told(one.gain.snips, sign="+"),
            f"{one.value.effective_rows:.0f}",
        )
    output.print(table)
    shown = [("as logged", found.as_logged)]
    shown += [(one.policy, one.value.snips) for one in found.policies]
    for line in _bars(shown):
        output.print(line, highlight=False, markup=False)
    output.print(
        "Each policy chose beside the log, in the world as it was; what its own traffic would have "
        "changed, only a simulation shows.",
        highlight=False,
    )


def _told(estimate: "Estimate", sign: str = "") -> str:
    value, low, high = (100.0 * x for x in (estimate.value, estimate.low, estimate.high))
    if not estimate.known:
        return "-"
    return f"{value:{sign}.2f} % ({low:{sign}.2f} to {high:{sign}.2f})"


def _bars(shown: "list[tuple[str, Estimate]]") -> list[str]:
    """The intervals as text, on one scale."""
    known = [(name, one) for name, one in shown if one.known]
    if not known:
        return []
    least, most = min(one.low for _, one in known), max(one.high for _, one in known)
    span = max(1e-9, most - least)

    def place(ratio: float) -> int:
        return round(min(1.0, max(0.0, (ratio - least) / span)) * (_BAR - 1))

    lines = []
    for name, one in known:
        cells = [" "] * _BAR
        for cell in range(place(one.low), place(one.high) + 1):
            cells[cell] = "─"
        cells[place(one.value)] = "●"
        lines.append(f"{name:>14} {''.join(cells)}")
    scale = f"{100 * least:.1f} %"
    return [*lines, f"{'':>14} {scale}{100 * most:>{_BAR - len(scale) - 2}.1f} %"]
