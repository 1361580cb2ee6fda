"""What a registered provider is made of, and where its adapter is found."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from typing import cast

from pydantic import SecretStr

from orchestrator.provider_registry import REGISTRY, ProviderSpec
from orchestrator.resilience.quota import Quota

from .http import VendorHttp
from .protocol import FinancialProvider
from .vendor_client import VendorClient
from .webhooks import WebhookReader

__all__ = ["REGISTRY", "Adapter", "AdapterConfig", "ProviderSpec", "adapter_of"]


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """What an adapter is built from.

    `keys` are our own credentials at the vendor by environment variable name; `options` are the
    settings of `[providers.<name>.options]`, texts, for points the vendor leaves unclear.
    `environment` is `sandbox` or `production`. `now` is the adapter's clock, aware UTC.
    `webhook_auth` is the Authorization value agreed with a vendor that signs no webhooks.
    """

    environment: str
    base_url: str
    keys: Mapping[str, str] = field(repr=False)
    options: Mapping[str, str] = field(default_factory=dict)
    now: Callable[[], datetime] = _utc_now
    webhook_auth: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class Adapter:
    """What a provider's module offers under the name `ADAPTER`.

    `build` makes the adapter; `vendor_http` wraps the client with our credentials for it.
    `base_urls` by environment. `quotas` by environment, as published. `exchange_consumes`: an
    exchange uses its temporary token up, so that a lost answer leaves it in doubt. `webhooks` makes
    the reader of the vendor's webhooks, None where it has none.
    """

    base_urls: Mapping[str, str]
    quotas: Mapping[str, tuple[Quota, ...]]
    vendor_http: Callable[[VendorClient, AdapterConfig], VendorHttp]
    build: Callable[[VendorHttp, AdapterConfig], FinancialProvider]
    default_options: Mapping[str, str] = field(default_factory=dict)
    exchange_consumes: bool = False
    webhooks: Callable[[VendorHttp, AdapterConfig], WebhookReader] | None = None


def adapter_of(spec: ProviderSpec) -> Adapter | None:
    """The provider's adapter, imported on first use; None where there is none yet."""
    if spec.module is None:
        return None
    module = import_module(f".{spec.module}", __package__)
    return cast(Adapter, module.ADAPTER)
