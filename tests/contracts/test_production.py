"""Production takes environment variables and nothing else, at every provider."""

from pathlib import Path

import pytest

from actors.installation import configured_providers
from actors.provider_actor import reach_vendor
from orchestrator.domain import SystemClock
from orchestrator.provider_registry import REGISTRY
from orchestrator.providers.registry import adapter_of
from orchestrator.settings import load_settings
from tests.support.system import running_system

PROVIDERS = [spec.name for spec in REGISTRY.values() if spec.module is not None]
HOSTS = {
    "plaid": ("https://sandbox.plaid.com/", "https://production.plaid.com/"),
    "mx": ("https://int-api.mx.com/", "https://api.mx.com/"),
    "finicity": ("https://api.finicity.com/", "https://api.finicity.com/"),
    "belvo": ("https://sandbox.belvo.com/", "https://api.belvo.com/"),
    "bitso": ("https://stage.bitso.com/", "https://bitso.com/"),
}
"""The vendors' hosts for tests and for production, as they document them."""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All keys of ours, and a folder for data."""
    monkeypatch.setenv("ORCHESTRATOR_DATA_DIR", str(tmp_path))
    for spec in REGISTRY.values():
        for name in spec.credentials:
            monkeypatch.setenv(name, "ours")


@pytest.mark.parametrize("provider", HOSTS)
@pytest.mark.parametrize("stage", ["sandbox", "production", None])
async def test_keys_and_a_stage_choose_the_vendors_own_host(
    provider: str, stage: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`*_ENV` is the vendor's sandbox unless it says production; nothing else is to be set."""
    if stage is not None:
        monkeypatch.setenv(f"{REGISTRY[provider].env_prefix}_ENV", stage)
    vendor = reach_vendor(load_settings(), provider, SystemClock())
    await vendor.client.aclose()

    assert HOSTS[provider][stage == "production"] == str(vendor.client.base_url)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_the_limits_are_those_of_production(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a vendor grants there is what is held."""
    monkeypatch.setenv(f"{REGISTRY[provider].env_prefix}_ENV", "production")
    adapter = adapter_of(REGISTRY[provider])
    vendor = reach_vendor(load_settings(), provider, SystemClock())
    await vendor.client.aclose()

    assert adapter is not None
    assert adapter.quotas["production"] == vendor.quotas
    assert vendor.quotas


def test_every_provider_is_in_use_with_its_keys_alone() -> None:
    """No file and no option has to be written."""
    assert tuple(PROVIDERS) == configured_providers(load_settings())


async def test_a_system_stands_on_environment_variables_alone(tmp_path: Path) -> None:
    """Without a configuration file a bank is linked, and read."""
    async with running_system(tmp_path, config="") as system:
        await system.link("space_1")
        answer = await system.call("getAccounts", {"spaceId": "space_1"})

    assert answer.data["accounts"]
