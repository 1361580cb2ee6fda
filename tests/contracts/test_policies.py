"""The contract of selection policies, over every one in the registry."""

import pytest
from policy_contract import PolicyContract

from models import POLICIES


class TestEveryPolicy(PolicyContract):
    """One more line in `POLICIES` brings one more run of all of these."""

    @pytest.fixture(params=sorted(POLICIES))
    def policy_name(self, request: pytest.FixtureRequest) -> str:
        """The policy under test."""
        return str(request.param)
