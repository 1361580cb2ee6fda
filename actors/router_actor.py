"""What a router's process is put together from, out of its own settings."""

import asyncio
import random
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from actors.change_marks import ChangeMarks
from actors.health_board import HealthBoard
from actors.idempotent import IdempotentRequests
from actors.installation import (
    catalogue_of,
    cipher_of,
    configured_providers,
    intake_of,
    models_folder,
    spool_folder,
    vault_marks_file,
)
from actors.known_connections import KnownConnections
from actors.mail import Mailed
from actors.model_trial import TrialFollowing
from actors.model_watch import ModelTakeUp
from actors.options import attempt_log_actor, provider_actor, vault_actor
from actors.policy_memory import recall
from actors.ports import AttemptLogPort, ProviderPort, VaultPort
from actors.remote_ports import RemoteLog, RemoteProvider
from actors.remote_vault import RemoteVault
from actors.router import RouterDesk
from actors.router_candidates import CandidateBook
from actors.service import RouterService
from actors.targets import Targets
from actors.webhook_intake import WebhookIntake
from models import ActiveModelWatch, ModelRegistry, Preference, SelectionPolicy
from models.promotion import TrialPolicy, TrialStore, TrialWatch
from orchestrator.access import Access
from orchestrator.backfill import jobs
from orchestrator.domain import Clock, Json, OperationRequest, OperationResult, SystemClock
from orchestrator.garbage import collect_seldom
from orchestrator.provider_registry import REGISTRY
from orchestrator.routing import PlanOptions
from orchestrator.settings import Settings, load_settings
from orchestrator.spool import SpoolWriter
from orchestrator.telemetry import configure_logging

__all__ = ["RouterActor", "assemble_service", "open_service"]

_HASHES_KEPT: Final = 20_000


async def open_service() -> RouterService:
    """A started router in this process, over the actors of the cluster it has joined."""
    configure_logging()
    settings = load_settings()
    service = assemble_service(
        settings,
        {name: RemoteProvider(provider_actor(name)) for name in configured_providers(settings)},
        RemoteVault(vault_actor()),
        RemoteLog(attempt_log_actor()),
        marks=ChangeMarks(vault_marks_file(settings)),
    )
    await service.start()
    collect_seldom()
    return service


class RouterActor(Mailed):
    """The named router, for callers without HTTP. Starts with its first request."""

    def __init__(self) -> None:
        super().__init__(("execute",), cancels=True)
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
    marks: ChangeMarks | None = None,
    clock: Clock | None = None,
) -> RouterService:
    """A router with everything behind its edges, by the machine's clock or the one given.

    With the vault's `marks` it remembers connections until they change.
    """
    clock = clock or SystemClock()
    cipher = cipher_of(settings)
    catalogue = catalogue_of(settings)
    requests = settings.policies.requests
    selection = settings.policies.selection
    seed = settings.environment.seed
    spool = SpoolWriter(spool_folder(settings), "router")
    board = HealthBoard(providers, clock)
    registry = ModelRegistry(models_folder(settings))
    policy = TrialPolicy(
        SelectionPolicy(
            policy=selection.policy,
            seed=seed,
            exploration_ratio=selection.exploration_ratio,
            keyed_by=selection.keyed_by,
            preference=Preference(
                latency_weight=selection.latency_weight,
                cost_weight=selection.cost_weight,
                quota_weight=selection.quota_weight,
                costs=selection.costs,
            ),
        )
    )

    @lru_cache(maxsize=_HASHES_KEPT)
    def space_hash(space_id: str) -> str:
        return cipher.mac(f"space:{space_id}".encode())[:32]

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
            KnownConnections(vault, marks),
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
        space_hash=space_hash,
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
        trials=TrialFollowing(registry, TrialWatch(TrialStore(models_folder(settings))), policy),
        recall=lambda: recall(policy, log, clock),
        webhooks=WebhookIntake(providers, tuple(REGISTRY), cipher, clock),
        catalogue=catalogue,
        jobs=lambda: [job.to_wire() for job in jobs(settings.data_dir)],
        clock=clock,
    )
