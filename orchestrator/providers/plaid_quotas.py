"""Plaid's published limits per minute, by environment (plaid.com/docs/errors/rate-limit-exceeded)."""

from collections.abc import Mapping
from typing import Final

from orchestrator.resilience.quota import Quota, QuotaScope

__all__ = ["QUOTAS"]

_UNPUBLISHED: Final = 5000
"""Per client, for calls that the page does not list: that of /item/get, which goes with them."""


def _per_item(endpoint: str, connection: int, client: int) -> tuple[Quota, Quota]:
    return (
        Quota(QuotaScope.CONNECTION, connection, 60.0, endpoint),
        Quota(QuotaScope.CLIENT, client, 60.0, endpoint),
    )


_UNLISTED: Final = tuple(
    Quota(QuotaScope.CLIENT, _UNPUBLISHED, 60.0, endpoint)
    for endpoint in ("/link/token/create", "/link/token/get", "/item/public_token/exchange")
)

QUOTAS: Final[Mapping[str, tuple[Quota, ...]]] = {
    "sandbox": (
        *_per_item("/accounts/balance/get", 25, 100),
        *_per_item("/accounts/get", 100, 5000),
        *_per_item("/item/get", 40, 5000),
        *_per_item("/item/remove", 100, 500),
        *_per_item("/transactions/refresh", 2, 100),
        *_per_item("/transactions/sync", 50, 1000),
        *_UNLISTED,
    ),
    "production": (
        *_per_item("/accounts/balance/get", 5, 1200),
        *_per_item("/accounts/get", 15, 15_000),
        *_per_item("/item/get", 15, 5000),
        *_per_item("/item/remove", 30, 2000),
        *_per_item("/transactions/refresh", 2, 100),
        *_per_item("/transactions/sync", 50, 2500),
        *_UNLISTED,
    ),
}
