"""The registry of providers: each line is whole, and what it names is there."""

import re

import pytest

from orchestrator.provider_registry import REGISTRY, ProviderSpec
from orchestrator.providers.registry import Adapter, adapter_of
from orchestrator.sandbox_process import sandbox_environment
from sandbox.server import VENDORS

each_provider = pytest.mark.parametrize("spec", REGISTRY.values(), ids=list(REGISTRY))


@each_provider
def test_a_line_names_its_credentials_after_its_provider(spec: ProviderSpec) -> None:
    """Every variable begins with the provider's prefix and has a value for the sandbox."""
    assert re.fullmatch(r"[a-z][a-z0-9]*", spec.name)
    assert all(name.startswith(f"{spec.env_prefix}_") for name in spec.credentials)
    assert len(spec.credentials) == len(spec.sandbox_credentials)
    assert all(value.startswith("sandbox_") for value in spec.sandbox_credentials)


def test_no_two_providers_read_the_same_variables() -> None:
    """Prefixes are distinct, and none is the beginning of another or of our own."""
    prefixes = [f"{spec.env_prefix}_" for spec in REGISTRY.values()] + ["ORCHESTRATOR_"]

    assert [] == [(a, b) for a in prefixes for b in prefixes if a is not b and a.startswith(b)]


@each_provider
def test_a_named_module_offers_an_adapter_for_both_stages(spec: ProviderSpec) -> None:
    """An adapter knows the vendor's addresses and limits in its sandbox and in production."""
    adapter = adapter_of(spec)

    assert (spec.module is None) == (adapter is None)
    if adapter is not None:
        assert isinstance(adapter, Adapter)
        assert {"sandbox", "production"} == set(adapter.base_urls) == set(adapter.quotas)
        assert all(url.startswith("https://") for url in adapter.base_urls.values())


def test_every_provider_with_an_adapter_has_a_sandbox() -> None:
    """What cannot be tried without a contract at the vendor is not shipped."""
    served = {vendor.name for vendor in VENDORS}

    assert {spec.name for spec in REGISTRY.values() if spec.module is not None} <= served
    assert served <= set(REGISTRY)


def test_the_sandbox_stands_in_for_every_provider() -> None:
    """Address, stage and all credentials of each provider point to the sandbox, and nowhere else."""
    environment = sandbox_environment("http://127.0.0.1:8200")

    for spec in REGISTRY.values():
        assert f"http://127.0.0.1:8200/{spec.name}" == environment[f"{spec.env_prefix}_BASE_URL"]
        assert "sandbox" == environment[f"{spec.env_prefix}_ENV"]
        assert set(spec.credentials) <= set(environment)
