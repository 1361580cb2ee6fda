"""Plaid in production: its published limits, and none of its sandbox's shortcuts."""

from orchestrator.providers.plaid_quotas import QUOTAS
from orchestrator.resilience.quota import QuotaScope

SHEET = {
    "/accounts/balance/get": (5, 1200),
    "/accounts/get": (15, 15_000),
    "/item/get": (15, 5000),
    "/item/remove": (30, 2000),
    "/transactions/refresh": (2, 100),
    "/transactions/sync": (50, 2500),
}
"""Calls a minute in production, per Item and per client, as published."""


async def test_published_limits_of_production_are_held() -> None:
    """Each call that is published is bounded per Item and per client by the published number."""
    held = {
        (quota.endpoint, quota.scope): quota.calls
        for quota in QUOTAS["production"]
        if quota.window_s == 60.0
    }

    for endpoint, (per_item, per_client) in SHEET.items():
        assert per_item == held[endpoint, QuotaScope.CONNECTION]
        assert per_client == held[endpoint, QuotaScope.CLIENT]


async def test_nothing_of_the_sandbox_is_called_in_production() -> None:
    """The limits name every call that the adapter makes, and none of them is a shortcut."""
    endpoints = {quota.endpoint for quotas in QUOTAS.values() for quota in quotas}

    assert not [endpoint for endpoint in endpoints if endpoint and "/sandbox/" in endpoint]
    assert {*SHEET, "/link/token/create", "/link/token/get", "/item/public_token/exchange"} == (
        endpoints
    )
