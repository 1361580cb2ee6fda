"""`doctor`: configuration, credentials, reachability, data folder; and what to mend."""

import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import httpx
import typer

from orchestrator.domain import ConfigurationError, OrchestratorError
from orchestrator.runtime import RunningSystem
from orchestrator.settings import Settings, load_settings

from .console import output

__all__ = ["Finding", "findings", "register"]

_LEAST_FREE_BYTES: Final = 1024**3
_REACH_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `ok` None: worth knowing, and nothing to mend."""

    ok: bool | None
    what: str


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor() -> None:
    """Check configuration, credentials, reachability and data folder; say what to mend."""
    failed = 0
    for finding in findings():
        mark = {True: "[green]ok  [/]", False: "[red]mend[/]", None: "[dim]note[/]"}[finding.ok]
        output.print(f"{mark} {finding.what}", highlight=False)
        failed += finding.ok is False
    if failed:
        output.print(f"{failed} to mend", highlight=False)
        raise typer.Exit(1)
    output.print("all is well", highlight=False)


def findings(reach: Callable[[str], bool] | None = None) -> Iterator[Finding]:
    """Look at everything in turn; `reach` tells whether an address answers."""
    yield Finding(
        (3, 11) <= sys.version_info[:2] <= (3, 13),
        f"Python {sys.version_info.major}.{sys.version_info.minor} (3.11 to 3.13 are supported)",
    )
    try:
        from actors.folders import check_same_folder  # noqa: PLC0415  what is looked at

        check_same_folder()
        yield Finding(True, "all packages come from one folder")
    except ConfigurationError as error:
        yield Finding(False, str(error))
    try:
        settings = load_settings()
    except ConfigurationError as error:
        yield Finding(False, str(error))
        return
    yield Finding(True, "settings are valid")
    yield from _data_folder(settings)
    yield from _catalogue(settings)
    yield from _vault(settings)
    yield from _providers(settings, reach or _reaches)
    found = RunningSystem.find(settings.data_dir)
    yield Finding(
        None,
        "no system is running" if found is None else f"a system runs at {found.url or 'no HTTP'}",
    )


def _data_folder(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        yield Finding(
            False, f"{folder} cannot be made ({error.strerror}): set ORCHESTRATOR_DATA_DIR"
        )
        return
    if not os.access(folder, os.W_OK):
        yield Finding(False, f"{folder} cannot be written: set ORCHESTRATOR_DATA_DIR")
        return
    free = shutil.disk_usage(folder).free
    yield Finding(
        free >= _LEAST_FREE_BYTES,
        f"data folder {folder} can be written; {free / 1024**3:.1f} GiB free (1 GiB is wanted)",
    )
    from actors.installation import cipher_of  # noqa: PLC0415  heavy

    try:
        cipher_of(settings)
        yield Finding(True, "the vault's key is usable")
    except OrchestratorError as error:
        yield Finding(False, str(error))


def _catalogue(settings: Settings) -> Iterator[Finding]:
    from actors.installation import catalogue_of, configured_providers  # noqa: PLC0415  heavy

    try:
        catalogue = catalogue_of(settings)
    except ConfigurationError as error:
        yield Finding(False, str(error))
        return
    regions = Counter(one.region for one in catalogue)
    counts = ", ".join(f"{region} {count}" for region, count in sorted(regions.items()))
    source = settings.catalogue_file or "the shipped sample"
    yield Finding(True, f"{len(catalogue)} institutions from {source}: {counts}")
    if settings.catalogue_file is None and configured_providers(settings):
        yield Finding(
            None, "the shipped institutions are a sample: name your own in catalogue.file"
        )
    for region in sorted(set(regions) - set(settings.policies.regions)):
        yield Finding(
            None,
            f"no provider serves the {regions[region]} institutions of {region}: "
            f"add regions.{region}",
        )
    for provider in configured_providers(settings):
        if not any(provider in one.provider_ids for one in catalogue):
            yield Finding(None, f"{provider}: no institution of the catalogue has an id there")


def _vault(settings: Settings) -> Iterator[Finding]:
    from actors.installation import cipher_of, vault_url_of  # noqa: PLC0415  heavy
    from orchestrator.vault import look_at_vault  # noqa: PLC0415  as above

    try:
        found = look_at_vault(vault_url_of(settings), cipher_of(settings))
    except OrchestratorError as error:
        yield Finding(False, str(error))
        return
    if found.revision is None:
        yield Finding(None, f"vault: {found.place}, made at the first start")
    elif not found.up_to_date:
        yield Finding(
            None, f"vault: {found.place}, of an earlier program: brought up to date at the start"
        )
    else:
        yield Finding(
            found.keys_fit,
            f"vault: {found.place}, schema {found.revision}, up to date"
            if found.keys_fit
            else f"vault: {found.place}, was made under another key: name that one last in "
            "ORCHESTRATOR_VAULT_KEY, or bring its file vault.key back",
        )


def _providers(settings: Settings, reach: Callable[[str], bool]) -> Iterator[Finding]:
    from actors.installation import configured_providers, keys_of  # noqa: PLC0415  heavy
    from orchestrator.providers.registry import REGISTRY, adapter_of  # noqa: PLC0415  as above

    configured = configured_providers(settings)
    if not configured:
        yield Finding(None, "no provider credentials are set: 'serve' uses the sandbox")
    for spec in REGISTRY.values():
        keys = keys_of(settings, spec)
        adapter = adapter_of(spec)
        if adapter is None:
            yield Finding(None, f"{spec.name}: has no adapter yet")
        elif spec.name in configured:
            url = keys.base_url or adapter.base_urls[keys.environment]
            answers = reach(url)
            yield Finding(
                answers,
                f"{spec.name}: {url} answers"
                if answers
                else f"{spec.name}: {url} does not answer: check the network, or "
                f"{spec.env_prefix}_BASE_URL",
            )
        elif not spec.credentials:
            yield Finding(
                None,
                f"{spec.name}: not configured (it needs no keys of ours: {spec.env_prefix}_BASE_URL "
                "or another provider's credentials bring it in)",
            )
        elif len(keys.missing) < len(spec.credentials):
            yield Finding(False, f"{spec.name}: {', '.join(keys.missing)} is missing: set it, too")
        else:
            yield Finding(None, f"{spec.name}: not configured ({', '.join(keys.missing)})")


def _reaches(url: str) -> bool:
    try:
        httpx.get(url, timeout=_REACH_TIMEOUT_S)
    except httpx.HTTPError:
        return False
    return True
