"""Results as a table for people and as `results.json` for the next change."""

import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import psutil
from rich.table import Table

from benchmarks.results import Comparison, Figure, Json, Result

__all__ = ["described_machine", "table", "write_results"]

_PACKAGES: Final = ("ray", "httpx", "httpx-aiohttp", "aiohttp", "fastapi", "uvicorn", "duckdb")
_MET: Final = {True: "[green]met[/]", False: "[red]not met[/]", None: ""}


def table(name: str, result: Result) -> Table:
    """One benchmark's figures."""
    drawn = Table(title=name, title_justify="left", caption="\n".join(result.notes))
    drawn.add_column("what")
    drawn.add_column("median", justify="right")
    drawn.add_column("unit")
    drawn.add_column("floor")
    drawn.add_column("its median", justify="right")
    drawn.add_column("ratio", justify="right")
    drawn.add_column("reach", justify="right")
    drawn.add_column("")
    for figure in result.figures:
        drawn.add_row(*_cells(figure))
    return drawn


def _cells(figure: Figure) -> tuple[str, ...]:
    floor = figure.floor
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f} x"
    if figure.reach is not None and figure.reach.comparison is Comparison.DIFFERENCE:
        ratio = f"{figure.difference:+.2f}"
    return (
        figure.what,
        _shown(figure.median),
        figure.unit,
        "" if floor is None else floor.name,
        "" if floor is None else _shown(floor.median),
        ratio,
        "" if figure.reach is None else str(figure.reach),
        _MET[figure.is_met],
    )


def _shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def described_machine() -> dict[str, Json]:
    """What the figures were taken on."""
    return {
        "processors": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
    }


def write_results(
    path: Path,
    results: Mapping[str, Result],
    failures: Mapping[str, str],
    *,
    command: str,
    short: bool,
) -> None:
    """Write what was measured in one go; a benchmark that failed is there with its reason."""
    measured: dict[str, Json] = {name: result.to_json() for name, result in results.items()}
    document: dict[str, Json] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "short": short,
        "machine": described_machine(),
        "benchmarks": measured,
        "failed": dict(failures),
    }
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
