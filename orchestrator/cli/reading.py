"""`stats`, `explain` and `attempts`: over HTTP from a running server, else from the file."""

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from orchestrator.domain import OrchestratorError
from orchestrator.runtime import RunningSystem
from orchestrator.settings import Settings, load_settings

from .console import output
from .explaining import Prior, choice_in_words
from .log_frame import collect_spools
from .server_access import ServerAccess

__all__ = ["register"]

_LATEST: Final = (
    "select started_at, request_id, operation, provider, attempt_number, outcome, error_code, "
    "round(latency_ms, 1) as latency_ms, failover, circuit_state "
    "from attempts order by started_at desc limit 20"
)
_JSON = Annotated[bool, typer.Option("--json", help="Print the document as JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(stats)
    app.command()(explain)
    app.command()(attempts)


def _serves(settings: Settings) -> bool:
    found = RunningSystem.find(settings.data_dir)
    return found is not None and found.url is not None


def _file_rows(settings: Settings, sql: str) -> Any:
    from actors.installation import ATTEMPTS_FILE, archive_folder  # noqa: PLC0415  heavy
    from orchestrator.attempt_log import read_only  # noqa: PLC0415  as above

    collect_spools(settings)
    bounds = settings.policies.attempt_log
    with read_only(settings.data_dir / ATTEMPTS_FILE, archive=archive_folder(settings)) as log:
        return log.attempts_frame(
            sql, timeout_s=bounds.query_timeout_s, max_rows=bounds.query_max_rows
        )


def _rows(settings: Settings, sql: str) -> list[dict[str, Any]]:
    if _serves(settings):
        server = ServerAccess(settings)
        try:
            rows: Any = server.post("/admin/attempts/query", {"sql": sql})["rows"]
        finally:
            server.close()
    else:
        rows = json.loads(
            _file_rows(settings, sql).to_json(orient="records", date_format="iso") or "[]"
        )
    return list(rows)


def _percent(ratio: Any) -> str:
    return "-" if ratio is None else f"{ratio * 100:.1f} %"


def _ms(value: Any) -> str:
    return "-" if value is None else f"{value:.0f} ms"


def stats(as_json: _JSON = False) -> None:
    """How every provider stands: circuit, success, latency, last error, failovers."""
    settings = load_settings()
    if not _serves(settings):
        _stats_from_file(settings)
        return
    server = ServerAccess(settings)
    document: Any = server.get("/admin/stats")
    server.close()
    if as_json:
        output.print_json(json.dumps(document))
        return
    table = Table(title="Providers, last 24 hours")
    for column in ("provider", "circuit", "success", "attempts", "average", "p95", "last error"):
        table.add_column(column)
    for name, provider in document["providers"].items():
        last = provider["lastError"]
        table.add_row(
            name,
            provider["circuitState"] if provider["configured"] else "not configured",
            _percent(provider["successRate24h"]),
            str(provider["attempts24h"]),
            _ms(provider["avgResponseTimeMs"]),
            _ms(provider["p95Ms"]),
            "-" if last is None else f"{last['type']} {last['code']}",
        )
    output.print(table)
    failover = document["failover"]
    output.print(
        f"failovers: {failover['failovers24h']} of {failover['requests24h']} requests "
        f"({_percent(failover['rate24h'])}); model {document['model']['version'] or 'none'}, "
        f"policy {document['model']['policy']}; attempt log {document['attemptLog']['rows']} rows",
        highlight=False,
    )
    for change in reversed(document["circuitChanges"][:5]):
        output.print(
            f"  {change['at']}  {change['provider']} {change['scope']}: "
            f"{change['from']} → {change['to']} ({change['reason']})",
            highlight=False,
        )


def _stats_from_file(settings: Settings) -> None:
    rows = _rows(
        settings,
        "select provider, count(*) as attempts, "
        "count(*) filter (outcome = 'success') / nullif(count(*) filter (outcome = 'success' or "
        "error_scope not in ('request', 'connection')), 0) as success_rate, "
        "avg(latency_ms) filter (outcome = 'success') as average_ms, "
        "count(*) filter (failover) as failovers from attempts "
        "where started_at > now() - interval 24 hour group by provider order by provider",
    )
    output.print("no server is running; from the attempt log's file:", highlight=False)
    _print_rows(rows)


def explain(
    request_id: Annotated[str, typer.Argument(help="As in the answer's requestId.")],
    as_json: _JSON = False,
) -> None:
    """The whole story of one request: why this provider, in words, and every attempt."""
    settings = load_settings()
    story = _story(settings, request_id)
    if as_json:
        output.print_json(json.dumps(story))
        return
    request = story["request"] or {}
    ended = "answered" if request.get("success") else "failed"
    output.print(
        f"[bold]{request_id}[/]: {request.get('operation', '?')} in {request.get('region', '?')} "
        f"{ended} after {_ms(request.get('totalMs'))}"
        + (f" by {request['provider']}" if request.get("provider") else ""),
        highlight=False,
    )
    decision = request.get("decision") or {"policy": "?", "candidates": []}
    output.print(f"policy {decision['policy']}, model {decision.get('modelVersion') or 'none'}")
    for line in choice_in_words(story, _prior_of(settings, request, story["attempts"])):
        output.print(line, highlight=False, markup=False)
    for attempt in story["attempts"]:
        failed = (
            f" {attempt['errorCode']} ({attempt['errorScope']})" if attempt["errorCode"] else ""
        )
        output.print(
            f"  attempt {attempt['attemptNumber']} at {attempt['provider']}: "
            f"{attempt['outcome']}{failed} in {_ms(attempt['latencyMs'])}, circuit "
            f"{attempt['circuitState']}",
            highlight=False,
        )
    if request.get("error"):
        output.print(f"  told the caller: {request['error']['message']}", highlight=False)


def _prior_of(settings: Settings, request: Any, attempts: Any) -> Prior:
    """What the decision's model expects in calm; nothing where it is not stored on this machine."""
    version = (request.get("decision") or {}).get("modelVersion")
    from actors.installation import models_folder  # noqa: PLC0415  heavy, and only for this
    from models import ModelRegistry, ModelUnusable  # noqa: PLC0415  as above

    try:
        model = None if version is None else ModelRegistry(models_folder(settings)).load(version)
    except ModelUnusable:
        model = None
    if model is None:
        return lambda _provider: None
    institution = next((a["institutionId"] for a in attempts if a.get("institutionId")), None)
    operation, region = str(request.get("operation")), str(request.get("region"))
    return lambda provider: model.reward(provider, operation, region, institution)


def _story(settings: Settings, request_id: str) -> Any:
    if _serves(settings):
        server = ServerAccess(settings)
        try:
            return server.get(f"/admin/requests/{request_id}")
        finally:
            server.close()
    from actors.attempt_log import told_story  # noqa: PLC0415  heavy, and only for this
    from actors.installation import ATTEMPTS_FILE  # noqa: PLC0415  as above
    from orchestrator.attempt_log import read_only  # noqa: PLC0415  as above

    collect_spools(settings)
    with read_only(settings.data_dir / ATTEMPTS_FILE) as log:
        found = log.request_story(request_id)
    if found is None:
        raise OrchestratorError("no request of that id is in the log")
    return told_story(request_id, found)


def attempts(
    sql: Annotated[
        str, typer.Option(help="One SELECT over attempts, circuit_changes and requests.")
    ] = _LATEST,
    export: Annotated[
        Path | None, typer.Option(help="Write the rows to this Parquet file instead.")
    ] = None,
) -> None:
    """Rows of the attempt log; the latest twenty when no SQL is given."""
    settings = load_settings()
    if export is None:
        _print_rows(_rows(settings, sql))
        return
    chosen = "select * from attempts" if sql == _LATEST else sql
    if _serves(settings):
        import pandas as pd  # noqa: PLC0415  heavy, and only for this

        frame = pd.DataFrame(_rows(settings, chosen))
        if "started_at" in frame:
            frame["started_at"] = pd.to_datetime(frame["started_at"])
    else:
        frame = _file_rows(settings, chosen)
    frame.to_parquet(export)
    output.print(f"{len(frame)} rows in {export}", highlight=False)


def _print_rows(rows: list[dict[str, Any]]) -> None:
    if not rows:
        output.print("no rows")
        return
    table = Table()
    for column in rows[0]:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("-" if value is None else str(value) for value in row.values()))
    output.print(table)
