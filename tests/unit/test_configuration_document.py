"""`docs/configuration.md` is complete, and says what the code says."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from orchestrator.providers.registry import REGISTRY, adapter_of
from orchestrator.settings import Environment, Policies, ProviderSection

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
SHIPPED: dict[str, Any] = tomllib.loads(
    (ROOT / "orchestrator" / "defaults.toml").read_text(encoding="utf-8")
)


def rows() -> dict[str, tuple[str, str]]:
    """Default and range by each name that stands in the first column of a row."""
    found = {}
    for line in DOCUMENT.splitlines():
        if line.startswith("| `"):
            names, default, bounds, _meaning = re.split(r"(?<!\\)\|", line.strip("|"))
            for name in re.findall(r"`([^`]+)`", names):
                found[name] = (default.strip(), bounds.strip())
    return found


def sections() -> dict[str, type[BaseModel]]:
    """The models of the TOML's sections; providers' sections once for all."""
    found: dict[str, Any] = {
        name: field.annotation for name, field in Policies.model_fields.items()
    }
    del found["regions"], found["providers"]
    found["providers.NAME.limits"] = ProviderSection.model_fields["limits"].annotation
    return found


def bounds_of(field: FieldInfo) -> list[str]:
    """The numbers, or the words, that bound a field's values."""
    words = [str(word) for word in get_args(field.annotation) if isinstance(word, str)]
    limits = [
        getattr(rule, name)
        for rule in field.metadata
        for name in ("ge", "gt", "le", "lt")
        if hasattr(rule, name)
    ]
    return words + [str(limit) for limit in limits]


def missing_bounds(told: str, field: FieldInfo) -> list[str]:
    """Those bounds that a range does not name as a word of its own."""
    return [
        b for b in bounds_of(field) if not re.search(rf"(?<![\w.]){re.escape(b)}(?![\w.])", told)
    ]


def test_every_environment_variable_is_documented() -> None:
    """Each variable that the settings or a provider reads stands in the document."""
    wanted = {f"ORCHESTRATOR_{name.upper()}" for name in Environment.model_fields}
    for spec in REGISTRY.values():
        wanted |= {*spec.credentials, f"{spec.env_prefix}_BASE_URL", f"{spec.env_prefix}_ENV"}

    assert set() == wanted - set(rows())


def test_every_variable_is_told_with_its_default_and_range() -> None:
    """What a variable is when it is not set, and what it may be, are the settings' own."""
    for name, field in Environment.model_fields.items():
        default, told = rows()[f"ORCHESTRATOR_{name.upper()}"]

        assert [] == missing_bounds(told, field), name
        if field.default is not None:
            assert str(field.default) == default.strip("`").removeprefix("./"), name


def test_every_key_is_told_with_its_default_and_range() -> None:
    """Each key of the TOML stands in the document with the shipped value and the settings' bounds."""
    for section, model in sections().items():
        shipped = SHIPPED.get(section, ProviderSection().limits.model_dump())
        for key, field in model.model_fields.items():
            default, told = rows()[f"{section}.{key}"]

            assert f"`{json.dumps(shipped[key])}`" == default, f"{section}.{key}"
            assert [] == missing_bounds(told, field), f"{section}.{key}"


def test_every_region_is_told_with_its_shipped_order() -> None:
    """The priority order of each shipped region stands in the document."""
    for region, order in SHIPPED["regions"].items():
        assert f"`{json.dumps(order)}`" == rows()[f"regions.{region}"][0]


def test_every_option_of_an_adapter_is_told_with_its_default() -> None:
    """Each option of a provider's adapter has a row, with what the adapter takes without it."""
    for spec in REGISTRY.values():
        adapter = adapter_of(spec)
        for option, default in () if adapter is None else adapter.default_options.items():
            told, _range = rows()[f"providers.{spec.name}.options.{option}"]

            assert f"`{json.dumps(default)}`" == told, f"{spec.name}.{option}"


def test_no_key_is_told_that_does_not_exist() -> None:
    """A row of a key that was renamed or dropped does not stay behind."""
    known = {
        f"{section}.{key}" for section, model in sections().items() for key in model.model_fields
    }
    known |= {f"regions.{region}" for region in SHIPPED["regions"]}
    for spec in REGISTRY.values():
        adapter = adapter_of(spec)
        options = () if adapter is None else adapter.default_options
        known |= {f"providers.{spec.name}.options.{option}" for option in options}

    assert set() == {name for name in rows() if "." in name} - known
