"""What a router's process is put together from, out of its own settings."""

import asyncio
import random
from collections.abc import Mapping

from actors.health_board import HealthBoard
from actors.idempotent import IdempotentRequests
from actors.installation import (
    catalogue_of,
    cipher_of,
    configured_providers,
    intake_of,
    models_folder,
    spool_folder,
)
from actors.model_watch import ModelTakeUp
from actors.options import attempt_log_actor, provider_actor, vault_actor
from actors.policy_memory import recall
from actors.ports import AttemptLogPort, ProviderPort, VaultPort
from actors.remote import RemoteLog, RemoteProvider, RemoteVault
from actors.router import RouterDesk
from actors.router_candidates import CandidateBook
from actors.service import RouterService
from actors.targets import Targets
from actors.webhook_intake import WebhookIntake
from models import ActiveModelWatch, ModelRegistry, SelectionPolicy
from orchestrator.access import Access
from orchestrator.backfill import jobs
from orchestrator.domain import Clock, Json, OperationRequest, OperationResult, SystemClock
from orchestrator.providers.registry import REGISTRY
from orchestrator.routing import PlanOptions
from orchestrator.settings import Settings, load_settings
from orchestrator.spool import SpoolWriter
from orchestrator.telemetry import configure_logging

__all__ = ["RouterActor", "assemble_service", "open_service"]


async def open_service() -> RouterService:
    """A started router in this process, over the actors of the cluster it has joined."""
    configure_logging()
    settings = load_settings()
    service = assemble_service(
        settings,
        {name: RemoteProvider(provider_actor(name)) for name in configured_providers(settings)},
        RemoteVault(vault_actor()),
        RemoteLog(attempt_log_actor()),
    )
    await service.start()
    return service


class RouterActor:
    """The named router, for callers without HTTP. Starts with its first request."""

    def __init__(self) -> None:
        self._service: RouterService | None = None
        self._opening = asyncio.Lock()

    async def execute(self, request: OperationRequest) -> OperationResult:
        """Serve one request."""
        return await (await self._open()).execute(request)

    async def stats(self) -> dict[str, Json]:
        """The document of `GET /admin/stats`."""
        return await (await self._open()).stats()

    async def close(self) -> None:
        """Flush what is waiting and let go."""
        if self._service is not None:
            await self._service.close()
            self._service = None

    async def _open(self) -> RouterService:
        async with self._opening:
            if self._service is None:
                self._service = await open_service()
            return self._service


def assemble_service(
    settings: Settings,
    providers: Mapping[str, ProviderPort],
    vault: VaultPort,
    log: AttemptLogPort,
    *,
    clock: Clock | None = None,
) -> RouterService:
    """A router with everything behind its edges, by the machine's clock or the one given."""
    clock = clock or SystemClock()
    cipher = cipher_of(settings)
    catalogue = catalogue_of(settings)
    requests = settings.policies.requests
    selection = settings.policies.selection
    seed = settings.environment.seed
    spool = SpoolWriter(spool_folder(settings), "router")
    board = HealthBoard(providers, clock)
    registry = ModelRegistry(models_folder(settings))
    policy = SelectionPolicy(
        policy=selection.policy, seed=seed, exploration_ratio=selection.exploration_ratio
    )
    router = RouterDesk(
        targets=Targets(
            CandidateBook(
                regions=settings.policies.regions,
                configured=frozenset(providers),
                institution_bound=frozenset(
                    spec.name for spec in REGISTRY.values() if spec.institution_bound
                ),
                catalogue=catalogue,
            ),
            vault,
            cipher,
            clock,
        ),
        providers=providers,
        board=board,
        policy=policy,
        vault=vault,
        spool=spool,
        clock=clock,
        rng=random.Random(seed),  # noqa: S311  jitter, not a secret
        options=PlanOptions(
            attempt_timeout_s=requests.attempt_timeout_ms / 1000,
            retry_base_s=requests.retry_base_ms / 1000,
            retry_cap_s=requests.retry_cap_ms / 1000,
            panic=settings.policies.breaker.panic,
            hedge=requests.hedge,
        ),
        space_hash=lambda space_id: cipher.mac(f"space:{space_id}".encode())[:32],
    )
    return RouterService(
        requests=IdempotentRequests(router.execute, vault, cipher, clock),
        intake=intake_of(settings, cipher),
        access=Access(settings.api_key_texts(), settings.admin_key_texts()),
        providers=providers,
        known_providers=tuple(REGISTRY),
        board=board,
        vault=vault,
        log=log,
        spool=spool,
        registry=registry,
        models=ModelTakeUp(ActiveModelWatch(registry), policy),
        recall=lambda: recall(policy, log, clock),
        webhooks=WebhookIntake(providers, tuple(REGISTRY), cipher, clock),
        catalogue=catalogue,
        jobs=lambda: [job.to_wire() for job in jobs(settings.data_dir)],
        clock=clock,
    )
