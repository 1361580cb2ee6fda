"""Plaid in production: what it takes is in the environment, and nowhere else."""

import pytest

from actors.provider_actor import Vendor, reach_vendor
from orchestrator.domain import SystemClock
from orchestrator.providers.plaid_quotas import QUOTAS
from orchestrator.resilience.quota import QuotaScope
from orchestrator.settings import load_settings

KEYS = {"PLAID_CLIENT_ID": "our-client", "PLAID_SECRET": "our-secret"}
SHEET = {
    "/accounts/balance/get": (5, 1200),
    "/accounts/get": (15, 15_000),
    "/item/get": (15, 5000),
    "/item/remove": (30, 2000),
    "/transactions/refresh": (2, 100),
    "/transactions/sync": (50, 2500),
}
"""Calls a minute in production, per Item and per client, as published."""


async def reached(monkeypatch: pytest.MonkeyPatch, **environ: str) -> Vendor:
    """Plaid, as these environment variables reach it."""
    for name, value in {**KEYS, **environ}.items():
        monkeypatch.setenv(name, value)
    vendor = reach_vendor(load_settings(), "plaid", SystemClock())
    await vendor.client.aclose()
    return vendor


@pytest.mark.parametrize(
    ("environ", "address", "environment"),
    [
        ({"PLAID_ENV": "production"}, "https://production.plaid.com/", "production"),
        ({"PLAID_ENV": "sandbox"}, "https://sandbox.plaid.com/", "sandbox"),
        ({}, "https://sandbox.plaid.com/", "sandbox"),
    ],
)
async def test_the_environment_chooses_host_and_limits(
    environ: dict[str, str], address: str, environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys and `PLAID_ENV` are all that production takes."""
    vendor = await reached(monkeypatch, **environ)

    assert address == str(vendor.client.base_url)
    assert QUOTAS[environment] == vendor.quotas


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
