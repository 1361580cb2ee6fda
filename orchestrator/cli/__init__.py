"""The `orchestrator` command. Exit codes: 0 done, 1 failed, 2 usage."""

import sys

import typer

from orchestrator.domain import OrchestratorError

from . import bulk, config, demo, doctor, learning, reading, serving, vault
from .console import errors

__all__ = ["app", "main"]

app = typer.Typer(
    name="orchestrator",
    help="Bank data through several providers behind one interface.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
serving.register(app)
demo.register(app)
doctor.register(app)
reading.register(app)
bulk.register(app)
learning.register(app)
app.add_typer(config.app, name="config")
app.add_typer(vault.app, name="vault")


def main() -> None:
    """Run the command line; failures of ours are one sentence, not a traceback."""
    try:
        app()
    except OrchestratorError as error:
        errors.print(f"orchestrator: {error}", style="red", markup=False, highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
