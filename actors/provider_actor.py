"""What a provider's actor is put together from, out of its own process's settings."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from actors.installation import (
    catalogue_of,
    cipher_of,
    keys_of,
    spool_folder,
    state_folder,
    webhook_url,
)
from actors.mail import Mailed
from actors.mailbox import Returned
from actors.messages import AttemptOrder, AttemptReply, NotAttempted
from actors.options import vault_actor
from actors.ports import VaultPort
from actors.provider import ProviderDesk
from actors.provider_calls import ProviderCalls
from actors.provider_memory import ProviderMemory
from actors.remote_vault import RemoteVault
from actors.webhook_desk import WebhookDesk
from orchestrator.domain import (
    Clock,
    ConfigurationError,
    EncodedData,
    Failure,
    SystemClock,
    encoded_data,
    from_unix,
)
from orchestrator.garbage import collect_seldom
from orchestrator.providers.protocol import FinancialProvider
from orchestrator.providers.registry import REGISTRY, AdapterConfig, adapter_of
from orchestrator.providers.vendor_client import VendorClient, client_for
from orchestrator.providers.webhooks import WebhookReader
from orchestrator.resilience import (
    BreakerOptions,
    Bulkheads,
    CircuitBoard,
    HealthSnapshot,
    Lanes,
    Latencies,
    ProviderGuard,
    Quota,
    RateLimiter,
)
from orchestrator.routing import Rejected
from orchestrator.settings import Settings, load_settings
from orchestrator.spool import SpoolWriter
from orchestrator.telemetry import configure_logging

__all__ = ["ProviderActor", "Vendor", "assemble_provider", "reach_vendor"]


@dataclass(frozen=True, slots=True)
class Vendor:
    """One vendor as these settings reach it. Nothing is connected before the first call."""

    provider: FinancialProvider
    client: VendorClient
    quotas: tuple[Quota, ...]
    exchange_consumes: bool
    webhooks: WebhookReader | None


class ProviderActor(Mailed):
    """One provider's desk, by name. What it has read leaves it encoded.

    Args:
        name: the provider's.
        vendor: made in this process; as these settings reach it when left out.

    Raises:
        ConfigurationError: its settings are not usable.

    """

    def __init__(self, name: str, vendor: Vendor | None = None) -> None:
        configure_logging()
        self._desk = assemble_provider(
            load_settings(), name, RemoteVault(vault_actor()), vendor=vendor
        )
        super().__init__(("execute",), cancels=True)
        collect_seldom()

    async def execute(self, order: AttemptOrder) -> AttemptReply:
        """See `ProviderPort`; the health is told as the reply is handed over."""
        reply = await self._desk.attempt(order)
        outcome = reply.outcome
        if isinstance(outcome, Failure | Rejected | NotAttempted | EncodedData):
            return reply
        return reply.with_outcome(encoded_data(order.operation, outcome))

    def handed_over(self, ended: Sequence[Returned[object]]) -> Sequence[Returned[object]]:
        """Tell the provider's health with the replies, alike for all of a message."""
        health = self._desk.snapshot()
        return [
            Returned(one.number, one.reply.with_health(health))
            if isinstance(one.reply, AttemptReply)
            else one
            for one in ended
        ]

    async def abandon(self, attempt_id: str) -> None:
        """See `ProviderPort`."""
        await self._desk.abandon(attempt_id)

    async def health(self) -> HealthSnapshot:
        """See `ProviderPort`."""
        return await self._desk.health()

    async def force(self, control: str, reason: str) -> HealthSnapshot:
        """See `ProviderPort`."""
        return await self._desk.force(control, reason)

    async def revoke(self, connection_id: str) -> None:
        """See `ProviderPort`."""
        await self._desk.revoke(connection_id)

    async def webhook(self, sealed: bytes) -> None:
        """See `ProviderPort`."""
        await self._desk.webhook(sealed)

    async def backlog(self) -> tuple[int, int]:
        """See `ProviderPort`."""
        return await self._desk.backlog()

    async def drain(self) -> bool:
        """See `ProviderDesk.drain`."""
        return await self._desk.drain()


def reach_vendor(settings: Settings, name: str, clock: Clock) -> Vendor:
    """A provider's adapter over an HTTP client of its own.

    Raises:
        ConfigurationError: it has no adapter, or its address or an option is not usable.

    """
    spec = REGISTRY[name]
    adapter = adapter_of(spec)
    if adapter is None:
        raise ConfigurationError(f"{spec.title} has no adapter yet")
    keys = keys_of(settings, spec)
    config = AdapterConfig(
        environment=keys.environment,
        base_url=keys.base_url or adapter.base_urls[keys.environment],
        keys=keys.reveal(),
        options=settings.policies.providers[name].options,
        now=lambda: from_unix(clock.unix_s()),
        webhook_auth=keys.webhook_auth,
    )
    client = client_for(config.base_url, max_connections=settings.policies.requests.max_in_flight)
    http = adapter.vendor_http(client, config)
    return Vendor(
        adapter.build(http, config),
        client,
        adapter.quotas[keys.environment],
        adapter.exchange_consumes,
        None if adapter.webhooks is None else adapter.webhooks(http, config),
    )


def assemble_provider(
    settings: Settings,
    name: str,
    vault: VaultPort,
    *,
    clock: Clock | None = None,
    vendor: Vendor | None = None,
) -> ProviderDesk:
    """One provider's desk: adapter, HTTP client, and a guard that knows what the last one knew.

    Args:
        settings: of this process.
        name: the provider's.
        vault: connections and link sessions.
        clock: the machine's when left out.
        vendor: as these settings reach it when left out.

    Raises:
        ConfigurationError: it is unknown, has no adapter, or its address is not usable.

    """
    clock = clock or SystemClock()
    vendor = vendor or reach_vendor(settings, name, clock)
    section = settings.policies.providers[name]
    requests = settings.policies.requests
    breaker = settings.policies.breaker
    cipher = cipher_of(settings)
    guard = ProviderGuard(
        name,
        CircuitBoard(
            BreakerOptions(
                failure_threshold=breaker.failure_threshold,
                success_threshold=breaker.success_threshold,
                timeout_s=breaker.timeout_ms / 1000,
            ),
            probes_refused_keys=REGISTRY[name].probes_refused_keys,
        ),
        RateLimiter(_scaled(vendor.quotas, section.limits.scale), enabled=section.limits.enabled),
        bulkheads=Bulkheads(
            requests.max_in_flight,
            most_per_institution=requests.max_in_flight_per_institution,
            most_backfill=requests.max_in_flight_backfill,
        ),
        lanes=Lanes(requests.max_waiting),
        latencies=Latencies(requests.hedge_quantile),
    )
    memory = ProviderMemory(state_folder(settings), guard, clock)
    memory.restore()
    return ProviderDesk(
        ProviderCalls(
            name,
            vendor.provider,
            vault=vault,
            cipher=cipher,
            catalogue=catalogue_of(settings),
            clock=clock,
            webhook_url=None if vendor.webhooks is None else webhook_url(settings, name),
            exchange_consumes=vendor.exchange_consumes,
        ),
        guard,
        SpoolWriter(spool_folder(settings), f"provider-{name}"),
        memory,
        clock=clock,
        rng=random.Random(settings.environment.seed),  # noqa: S311  jitter, not a secret
        exchange_consumes=vendor.exchange_consumes,
        call_timeout_s=requests.call_timeout_ms / 1000,
        close_client=vendor.client.aclose,
        webhooks=WebhookDesk(name, vendor.webhooks, vault=vault, cipher=cipher, clock=clock),
    )


def _scaled(quotas: tuple[Quota, ...], scale: float) -> tuple[Quota, ...]:
    return tuple(
        Quota(quota.scope, max(1, int(quota.calls * scale)), quota.window_s, quota.endpoint)
        for quota in quotas
    )
