"""`vault reseal`: what the vault holds, sealed anew under the first key."""

from contextlib import closing
from typing import Final

import typer
from rich.progress import Progress

from orchestrator.domain import ConfigurationError
from orchestrator.runtime import RunningSystem
from orchestrator.settings import load_settings

from .console import errors, output

__all__ = ["app"]

_MOST_NAMED: Final = 20

app = typer.Typer(help="The vault, where connections are kept.", no_args_is_help=True)


@app.callback()
def _vault() -> None:
    """The vault, where connections are kept."""


@app.command()
def reseal() -> None:
    """Seal everything in the vault under the first key of ORCHESTRATOR_VAULT_KEY.

    First start the system with the new key in front of the old one. On SQLite stop it again for
    this. Afterwards no older key opens anything; the last one named stays, as digests hang on it.
    """
    from actors.installation import cipher_of, open_vault, vault_url_of  # noqa: PLC0415  heavy
    from orchestrator.vault import is_sqlite  # noqa: PLC0415  as above

    settings = load_settings()
    running = RunningSystem.find(settings.data_dir)
    if running is not None and is_sqlite(vault_url_of(settings)):
        raise ConfigurationError(
            f"a system runs out of {settings.data_dir} (process {running.pid}): stop it first"
        )
    with closing(open_vault(settings)) as store, Progress(console=errors) as bar:
        task = bar.add_task("sealing", total=store.sealed_rows())
        done = store.reseal(cipher_of(settings), lambda rows: bar.advance(task, rows))
    output.print(
        f"{done.sealed} sealed anew, {done.already} were under the first key already",
        highlight=False,
    )
    if done.unreadable:
        for name in done.unreadable[:_MOST_NAMED]:
            errors.print(f"no key opens {name}", markup=False, highlight=False)
        errors.print(
            f"{len(done.unreadable)} left as they were: name their key, too, in "
            "ORCHESTRATOR_VAULT_KEY",
            highlight=False,
        )
        raise typer.Exit(1)
