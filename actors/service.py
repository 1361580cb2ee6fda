"""Everything behind the edges, in the process that hosts a router: requests, books, switches."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import structlog

from actors.attempt_failures import PART_LOST, STORE_FAILED
from actors.health_board import HealthBoard
from actors.idempotent import IdempotentRequests
from actors.model_trial import TrialFollowing
from actors.model_watch import ModelTakeUp
from actors.ports import ActorLost, AttemptLogPort, LogStanding, ProviderPort, VaultPort
from actors.stats import stats_document
from actors.webhook_intake import WebhookIntake
from models import ModelRegistry, ModelUnusable
from models.drift_file import DriftFile
from orchestrator.access import Access
from orchestrator.catalogue import Catalogue
from orchestrator.domain import (
    Clock,
    ConnectionStatus,
    ErrorType,
    Json,
    OperationError,
    OperationRequest,
    OperationResult,
    ProviderFailure,
    QueryRefused,
    RequestRefused,
    StoreError,
    from_unix,
    rfc3339,
    to_wire,
)
from orchestrator.intake import Intake
from orchestrator.spool import SpoolWriter
from orchestrator.vault import ConnectionRecord

if TYPE_CHECKING:
    from orchestrator.attempt_log import LogStats

__all__ = ["RouterService"]

_ASK_TIMEOUT_S: Final = 1.5
_RETRY_EVERY_S: Final = 1.0
_log = structlog.get_logger("service")


def _not_found(code: str, message: str) -> RequestRefused:
    return RequestRefused(OperationError(ErrorType.NOT_FOUND, code, message))


@contextmanager
def _refusing() -> Iterator[None]:
    """Turn what an edge cannot help into a refusal that says so."""
    try:
        yield
    except ActorLost:
        raise RequestRefused(PART_LOST) from None
    except QueryRefused as refused:
        raise RequestRefused(
            OperationError(ErrorType.VALIDATION, "INVALID_QUERY", f"sql: {refused}")
        ) from None
    except StoreError as error:
        _log.warning("store_failed", problem=str(error))
        raise RequestRefused(STORE_FAILED) from None


class RouterService:
    """The router with everything that an edge asks of it.

    Args:
        requests: serves operations.
        intake: validates them.
        access: who may call.
        providers: the configured providers' actors.
        known_providers: all of the registry, configured or not.
        board: health of the configured ones.
        vault: connections.
        log: the attempt log.
        spool: this process's rows for it.
        registry: trained models.
        models: takes up the active one.
        trials: follows a challenger's trial.
        recall: shows the policy what was before this process.
        webhooks: takes in what providers report.
        catalogue: institutions.
        jobs: tells how the backfill jobs stand.
        clock: wall time.

    """

    def __init__(
        self,
        *,
        requests: IdempotentRequests,
        intake: Intake,
        access: Access,
        providers: Mapping[str, ProviderPort],
        known_providers: tuple[str, ...],
        board: HealthBoard,
        vault: VaultPort,
        log: AttemptLogPort,
        spool: SpoolWriter,
        registry: ModelRegistry,
        models: ModelTakeUp,
        trials: TrialFollowing,
        recall: Callable[[], Awaitable[object]],
        webhooks: WebhookIntake,
        catalogue: Catalogue,
        jobs: Callable[[], list[Json]],
        clock: Clock,
    ) -> None:
        self.intake = intake
        self.access = access
        self._requests = requests
        self._providers = dict(providers)
        self._known_providers = known_providers
        self._board = board
        self._vault = vault
        self._log = log
        self._spool = spool
        self._registry = registry
        self._models = models
        self._trials = trials
        self._recall = recall
        self._webhooks = webhooks
        self._catalogue = catalogue
        self._jobs = jobs
        self._clock = clock
        self._retrying: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Learn how the providers stand and have stood, and keep learning."""
        await asyncio.gather(self._board.refresh(), self._recall())
        self._board.start()
        self._models.start()
        self._trials.start()
        self._retrying = asyncio.get_running_loop().create_task(self._retry_forever())

    async def close(self) -> None:
        """Flush what is waiting and let go."""
        await self._board.stop()
        await self._models.stop()
        await self._trials.stop()
        if self._retrying is not None:
            self._retrying.cancel()
            await asyncio.gather(self._retrying, return_exceptions=True)
            self._retrying = None
        self._spool.close()
        if self._spool.waiting:
            _log.error("rows_left_unwritten", rows=self._spool.waiting)

    async def execute(self, request: OperationRequest) -> OperationResult:
        """Serve one request; failures are results, not exceptions."""
        return await self._requests.execute(request)

    async def stats(self) -> dict[str, Json]:
        """The document of `GET /admin/stats`, asked afresh of everybody concerned."""
        log, standing, backlogs, jobs, _ = await asyncio.gather(
            self._log_stats(),
            self._log_standing(),
            asyncio.gather(*(self._backlog(port) for port in self._providers.values())),
            asyncio.to_thread(self._jobs),
            self._board.refresh(),
        )
        return stats_document(
            at=from_unix(self._clock.unix_s()),
            known_providers=self._known_providers,
            health={name: self._board.get(name) for name in self._providers},
            configured=frozenset(self._providers),
            log=log,
            pending=standing.pending + self._spool.waiting + sum(waits for waits, _ in backlogs),
            lost=standing.lost + self._spool.lost + sum(lost for _, lost in backlogs),
            problem=standing.problem,
            model={
                **self._models.describe(),
                "trial": self._trials.describe(),
                "driftAlarms": [
                    f"{alarm.what}: {alarm.detail}"
                    for alarm in DriftFile(self._registry.folder).alarms()
                ],
            },
            jobs=jobs,
        )

    async def story(self, request_id: str) -> dict[str, Json] | None:
        """Everything known about one request, None where there was none."""
        with _refusing():
            # Whoever was answered has all its rows written down already.
            await self._log.collect()
            return await self._log.story(request_id)

    async def attempts(self, sql: str) -> list[Json]:
        """Rows of the attempt log for one SELECT.

        Raises:
            RequestRefused: not one SELECT over the log's tables, or out of bounds.

        """
        with _refusing():
            return await self._log.query(sql)

    async def force_circuit(self, provider: str, control: str, reason: str) -> dict[str, Json]:
        """Hold a provider's circuits, or hand them back.

        Raises:
            RequestRefused: the provider is unknown or not configured.

        """
        port = self._providers.get(provider)
        if port is None:
            known = ", ".join(self._providers) or "none"
            raise _not_found(
                "UNKNOWN_PROVIDER", f"no such provider is configured; configured are {known}"
            )
        with _refusing():
            snapshot = await port.force(control, reason)
        self._board.update(snapshot)
        return {"provider": provider, "circuitState": snapshot.state.value}

    async def connections(self, space_id: str) -> list[Json] | None:
        """A space's connections without secrets, None where there is no such space."""
        with _refusing():
            records = await self._vault.connections(space_id)
            if not records and not await self._vault.space_exists(space_id):
                return None
        return [
            {
                "connectionId": record.connection_id,
                "provider": record.provider,
                "region": record.region,
                "institutionId": record.institution_id,
                "status": record.status.value,
                "accountIds": list(record.account_ids),
                "refreshDue": record.refresh_due_at is not None,
                "createdAt": rfc3339(from_unix(record.created_at)),
            }
            for record in records
        ]

    async def disconnect(self, connection_id: str, spaces: frozenset[str] | None) -> bool:
        """Revoke and erase a connection; False where there is none within these spaces.

        Raises:
            RequestRefused: the provider could not be told; nothing was erased.

        """
        with _refusing():
            record = await self._vault.connection(connection_id)
            if record is None or (spaces is not None and record.space_id not in spaces):
                return False
            port = self._providers.get(record.provider)
            if port is not None and record.status is not ConnectionStatus.DISCONNECTED:
                await self._revoke(port, record)
            return await self._vault.erase(connection_id)

    async def webhook(self, provider: str, headers: Mapping[str, str], body: bytes) -> None:
        """Take in what a provider reports.

        Raises:
            RequestRefused: it is not proven or cannot be taken in; see `WebhookIntake`.

        """
        await self._webhooks.receive(provider, headers, body)

    def institutions(
        self, region: str | None, text: str, *, offset: int, limit: int
    ) -> dict[str, Json]:
        """Institutions of the catalogue, `limit` of them from `offset` on."""
        found = self._catalogue.search(region, text)
        end = offset + limit
        return {
            "institutions": [
                {
                    "institutionId": one.institution_id,
                    "name": one.name,
                    "region": one.region,
                    "providers": [p for p in self._known_providers if p in one.provider_ids],
                }
                for one in found[offset:end]
            ],
            "nextOffset": end if end < len(found) else None,
        }

    def models(self) -> dict[str, Json]:
        """The model registry's content."""
        return {
            "active": self._registry.active(),
            "models": [
                {
                    "version": card.version,
                    "trainedAt": None
                    if card.trained_at is None
                    else rfc3339(from_unix(card.trained_at)),
                    "active": card.active,
                    "problem": card.problem,
                    "card": to_wire(dict(card.card)),
                }
                for card in self._registry.versions()
            ],
        }

    async def activate(self, version: str) -> dict[str, Json]:
        """Make a model the active one.

        Raises:
            RequestRefused: there is no such model, or it cannot be used.

        """
        try:
            await asyncio.to_thread(self._registry.activate, version)
        except ModelUnusable as error:
            raise _not_found("UNKNOWN_MODEL", str(error)) from None
        self._models.poll()
        return self.models()

    async def _revoke(self, port: ProviderPort, record: ConnectionRecord) -> None:
        try:
            await port.revoke(record.connection_id)
        except ProviderFailure as failed:
            error = OperationError.of(failed.failure, record.provider)
            raise RequestRefused(error) from None

    async def _retry_forever(self) -> None:
        while True:
            await asyncio.sleep(_RETRY_EVERY_S)
            self._spool.retry()

    async def _log_stats(self) -> "LogStats | None":
        try:
            await self._log.collect()
            return await self._log.stats()
        except (ActorLost, StoreError):
            # The standing says why.
            return None

    async def _log_standing(self) -> LogStanding:
        try:
            return await self._log.standing()
        except ActorLost:
            return LogStanding(0, 0, "the attempt log's actor is away; it comes back by itself")

    async def _backlog(self, port: ProviderPort) -> tuple[int, int]:
        try:
            async with asyncio.timeout(_ASK_TIMEOUT_S):
                return await port.backlog()
        except (ActorLost, TimeoutError):
            return 0, 0
