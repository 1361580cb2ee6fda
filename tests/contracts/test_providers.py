"""The contract of providers' adapters, over every one in the registry."""

import pytest
from provider_contract import ProviderContract

from orchestrator.providers.registry import REGISTRY


class TestEveryProvider(ProviderContract):
    """One more adapter in `REGISTRY` brings one more run of all of these."""

    @pytest.fixture(params=[spec.name for spec in REGISTRY.values() if spec.module is not None])
    def provider(self, request: pytest.FixtureRequest) -> str:
        """The provider under test."""
        return str(request.param)
