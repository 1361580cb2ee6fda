"""`config show`, `config check`, `config serve`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.settings import load_settings

from .console import output

__all__ = ["app"]

app = typer.Typer(help="Effective settings, their validation, and the Serve configuration.")


@app.command()
def show() -> None:
    """Print the effective settings; secrets only as set or not set."""
    from actors.installation import (  # noqa: PLC0415  heavy
        configured_providers,
        keys_of,
        vault_url_of,
    )
    from orchestrator.providers.registry import REGISTRY  # noqa: PLC0415  as above
    from orchestrator.vault import place_of  # noqa: PLC0415  as above

    settings = load_settings()
    configured = configured_providers(settings)
    environment = settings.environment
    shown = {
        "dataDir": str(settings.data_dir),
        "host": environment.host,
        "port": environment.port,
        "sandboxPort": environment.sandbox_port,
        "config": None if environment.config is None else str(environment.config),
        "catalogueFile": str(settings.catalogue_file or "the shipped sample"),
        "publicUrl": environment.public_url,
        "vaultKey": "set" if environment.vault_key else "file",
        "vault": place_of(vault_url_of(settings)),
        "apiKeys": len(settings.api_key_texts()),
        "adminKeys": len(settings.admin_key_texts()),
        "seed": environment.seed,
        "providers": {
            spec.name: {
                "configured": spec.name in configured,
                "environment": keys_of(settings, spec).environment,
                "baseUrl": keys_of(settings, spec).base_url,
                "missing": list(keys_of(settings, spec).missing),
            }
            for spec in REGISTRY.values()
        },
        "policies": settings.policies.model_dump(mode="json"),
    }
    output.print_json(json.dumps(shown))


@app.command()
def check() -> None:
    """Validate the settings; exits 1 with one sentence where something is wrong."""
    settings = load_settings()
    from actors.installation import configured_providers  # noqa: PLC0415  as above
    from actors.preflight import check_installation  # noqa: PLC0415  as above

    check_installation(settings, http=True)
    names = ", ".join(configured_providers(settings)) or "none, so the sandbox would be used"
    output.print(f"settings are valid; configured providers: {names}", highlight=False)


@app.command()
def serve(
    file: Annotated[Path, typer.Option(help="The cluster's file.")] = Path("cluster.yaml"),
) -> None:
    """Print the Ray Serve configuration that cluster.yaml carries, for `serve deploy`."""
    from orchestrator.serve_config import serve_config_text  # noqa: PLC0415  as above

    typer.echo(serve_config_text(file), nl=False)
