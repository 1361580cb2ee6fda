"""The suites that are inherited explain their failures like any test."""

import pytest

pytest.register_assert_rewrite("provider_contract", "policy_contract")
