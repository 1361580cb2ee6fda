"""`serve` and `sandbox`: what runs until it is stopped."""

import os
import signal
import threading
import time
from typing import Annotated

import typer

from orchestrator.bootstrap import System
from orchestrator.settings import load_settings
from sandbox.__main__ import main as serve_sandbox
from sandbox.option_flags import options_help

from .console import output

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(serve)
    told = "\n\n".join(("What --option takes:", *options_help()))
    app.command(epilog=told)(sandbox)


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on [env ORCHESTRATOR_HOST, 127.0.0.1].")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on [env ORCHESTRATOR_PORT, 8000].")
    ] = None,
    sandbox: Annotated[
        bool | None,
        typer.Option(
            "--sandbox/--no-sandbox",
            help="Use the sandbox providers and no real credentials, or never start them. "
            "Left out: the sandbox when no provider credentials are set.",
        ),
    ] = None,
) -> None:
    """Start Ray, the actors and Ray Serve, and serve until SIGTERM or Ctrl-C."""
    if host is not None:
        os.environ["ORCHESTRATOR_HOST"] = host
    if port is not None:
        os.environ["ORCHESTRATOR_PORT"] = str(port)
    began = time.monotonic()
    stop = threading.Event()

    def step(text: str) -> None:
        # Ray installs a handler of its own that ends the process; ours goes over it again.
        _stop_on_signals(stop)
        output.print(f"[dim]{time.monotonic() - began:5.1f} s[/]  {text}", highlight=False)

    settings = load_settings()
    _stop_on_signals(stop)
    output.print(f"data in {settings.data_dir}", highlight=False)
    system = System(settings, step, use_sandbox=sandbox, cancelled=stop)
    try:
        running = system.start()
        output.print(
            f"[bold green]ready[/] at {running.url}  (docs at {running.url}/docs, "
            f"statistics at {running.url}/admin/stats; Ctrl-C stops)",
            highlight=False,
        )
        system.take_up_backfills()
        stop.wait()
        output.print("stopping: requests under way are finished first", highlight=False)
    finally:
        system.stop()
        output.print("stopped", highlight=False)


def _stop_on_signals(stop: threading.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())


def sandbox(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.")] = 8200,
    seed: Annotated[int, typer.Option(help="Of the generated world.")] = 0,
    enforce_limits: Annotated[
        bool, typer.Option("--enforce-limits", help="Hold the vendors' published rate limits.")
    ] = False,
    option: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Switch a point that vendors leave open; may be repeated. See below.",
        ),
    ] = None,
) -> None:
    """Serve the sandbox providers alone, until SIGTERM or Ctrl-C."""
    arguments = ["--port", str(port), "--seed", str(seed)]
    if enforce_limits:
        arguments.append("--enforce-limits")
    for word in option or ():
        arguments += ["--option", word]
    raise typer.Exit(serve_sandbox(arguments))
