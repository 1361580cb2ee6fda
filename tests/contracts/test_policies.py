"""The contract of selection policies, over every one in the registry."""

import pytest

pytest.register_assert_rewrite("policy_contract")

from policy_contract import PolicyContract  # noqa: E402  after its asserts are registered

from models import POLICIES  # noqa: E402  as above


class TestEveryPolicy(PolicyContract):
    """One more line in `POLICIES` brings one more run of all of these."""

    @pytest.fixture(params=sorted(POLICIES))
    def policy_name(self, request: pytest.FixtureRequest) -> str:
        """The policy under test."""
        return str(request.param)
