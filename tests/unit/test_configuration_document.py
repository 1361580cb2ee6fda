"""`docs/configuration.md` is complete."""

import tomllib
from pathlib import Path

from orchestrator.providers.registry import REGISTRY, adapter_of
from orchestrator.settings import Environment

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")


def test_every_environment_variable_is_documented() -> None:
    """Each variable that the settings or a provider reads stands in the document."""
    wanted = {f"`ORCHESTRATOR_{name.upper()}`" for name in Environment.model_fields}
    wanted |= {f"`{name}`" for spec in REGISTRY.values() for name in spec.credentials}
    wanted |= {f"`{spec.env_prefix}_BASE_URL`" for spec in REGISTRY.values()}

    assert set() == {name for name in wanted if name not in DOCUMENT}


def test_every_key_of_the_shipped_file_is_documented() -> None:
    """Each key of the shipped TOML stands in the document, providers' keys once for all."""
    shipped = tomllib.loads((ROOT / "orchestrator" / "defaults.toml").read_text(encoding="utf-8"))
    providers = shipped.pop("providers")
    wanted = {f"`{section}.{key}`" for section, keys in shipped.items() for key in keys}
    wanted |= {f"`providers.NAME.limits.{key}`" for key in providers["plaid"]["limits"]}

    assert set() == {name for name in wanted if name not in DOCUMENT}


def test_every_option_of_an_adapter_is_documented() -> None:
    """Each option of a provider's adapter is named in its row."""
    for spec in REGISTRY.values():
        adapter = adapter_of(spec)
        if adapter is None:
            continue
        (row,) = (r for r in DOCUMENT.splitlines() if f"`providers.{spec.name}.options`" in r)

        assert [] == [option for option in adapter.default_options if option not in row]
