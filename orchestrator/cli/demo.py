"""`demo`: the story in a minute, on a system of its own with sandbox providers."""

import asyncio
import os
import socket
import tempfile
from pathlib import Path
from typing import Final

import typer

from orchestrator.provider_registry import REGISTRY

from .demo_story import Story

__all__ = ["register"]

_BREAKER_TIMEOUT_MS: Final = 4000
_CONFIG: Final = f"""\
[breaker]
timeout_ms = {_BREAKER_TIMEOUT_MS}
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo() -> None:
    """Tell the story in a minute: link, accounts, sync; an outage, failover, recovery.

    First in the United States, then, shorter, in Mexico. Starts a system of its own with sandbox
    providers in a temporary folder, whatever else runs and whatever credentials are set, and stops
    it at the end. Its circuits stay open for 4 seconds instead of 60.
    """
    with tempfile.TemporaryDirectory(prefix="orchestrator-demo-") as folder:
        config = Path(folder) / "demo.toml"
        config.write_text(_CONFIG, encoding="utf-8")
        _private_environment(Path(folder), config)
        asyncio.run(Story().tell())


def _private_environment(folder: Path, config: Path) -> None:
    ours = ("ORCHESTRATOR_", *(f"{spec.env_prefix}_" for spec in REGISTRY.values()))
    for name in list(os.environ):
        if name.startswith(ours):
            del os.environ[name]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    os.environ |= {
        "ORCHESTRATOR_DATA_DIR": str(folder / "data"),
        "ORCHESTRATOR_CONFIG": str(config),
        "ORCHESTRATOR_SANDBOX_PORT": str(port),
    }
