"""The Python interface: joins the running system, or starts an embedded one."""

import asyncio
import datetime as dt
import logging
import threading
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypedDict, TypeVar, Unpack, cast

from orchestrator.backfill_calls import BackfillCalls, SyncBackfillCalls
from orchestrator.bootstrap import System, prepare_environment
from orchestrator.domain import (
    DecisionSummary,
    Json,
    NotRunning,
    Operation,
    OperationResult,
    RequestRefused,
)
from orchestrator.intake import Intake, new_request_id, operation_named
from orchestrator.runtime import RunningSystem
from orchestrator.settings import Settings, load_settings

if TYPE_CHECKING:
    import pandas as pd

    from actors.remote_ports import RemoteLog, RemoteRouter

__all__ = ["ExecuteOptions", "Orchestrator", "SyncOrchestrator"]

T = TypeVar("T")
_CLOSE_TIMEOUT_S: Final = 10.0


class ExecuteOptions(TypedDict, total=False):
    """Options of one request.

    `preferred_provider` is tried first when it is eligible. `region` (ISO 3166-1 alpha-2, default
    `US`) chooses candidates for `createLink`. `deadline_ms` bounds the whole request. `priority` is
    `interactive` or `backfill`. `idempotency_key` is required for `exchangeToken`. `job_id` marks
    the attempts of a bulk job in the log.
    """

    preferred_provider: str | None
    region: str
    deadline_ms: int
    priority: str
    idempotency_key: str | None
    job_id: str | None


def _quiet(_step: str) -> None:
    """Tell nobody."""


class Orchestrator(BackfillCalls):
    """All operations over all providers, awaited.

    Make it with `connect` and use it as an asynchronous context manager:

        async with Orchestrator.connect() as orchestrator:
            result = await orchestrator.execute_with_failover("getAccounts", {"spaceId": "space_1"})

    Without a running system in the data folder it starts one in this process, as `serve` does but
    without HTTP, and stops it on leaving.
    """

    def __init__(self, settings: Settings, *, start: bool = True) -> None:
        super().__init__(settings)
        self._settings = settings
        self._may_start = start
        self._system: System | None = None
        self._intake: Intake | None = None
        self._router: RemoteRouter | None = None
        self._log: RemoteLog | None = None
        self._joined = False
        self._sandbox_url: str | None = None

    @classmethod
    def connect(cls, *, start: bool = True) -> Self:
        """An interface to the system of `ORCHESTRATOR_DATA_DIR`; joins it when it is entered.

        Args:
            start: whether to start an embedded system where none is running.

        Raises:
            ConfigurationError: the settings are wrong.

        """
        return cls(load_settings(), start=start)

    @classmethod
    def connect_sync(cls, *, start: bool = True) -> "SyncOrchestrator":
        """The same without `await`, for notebooks and scripts. Joined on return; `close` it.

        Raises:
            ConfigurationError: the settings are wrong.
            NotRunning: no system runs, and `start` is False.

        """
        return SyncOrchestrator(cls.connect(start=start))

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._join)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Leave the system; an embedded one is stopped."""
        if self._system is not None and self._router is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                    await self._router.close()
        self._router = self._log = None
        await asyncio.to_thread(self._leave)

    async def execute_with_failover(
        self,
        operation: str,
        params: Mapping[str, object],
        **options: Unpack[ExecuteOptions],
    ) -> OperationResult:
        """Run one operation, moving to another provider where one fails.

        Args:
            operation: `createLink`, `exchangeToken`, `getAccounts` or `syncTransactions`.
            params: the operation's, named as on the wire; dates may be `datetime.date`.
            options: see `ExecuteOptions`.

        Returns:
            The result; a refused or failed request is a result with `success` False, too.

        """
        try:
            request = self._joined_intake().request(
                operation_named(operation),
                {name: _plain(value) for name, value in params.items()},
                **options,
            )
        except RequestRefused as refusal:
            return _refused(operation, refusal)
        return await self._joined_router().execute(request)

    async def attempts(self, sql: str) -> "pd.DataFrame":
        """The answer of one SELECT over the attempt log's tables, as a pandas frame.

        Raises:
            QueryRefused: anything but one SELECT, or one out of bounds.

        """
        log = self._log
        if log is None:
            raise NotRunning("enter the context manager first: async with Orchestrator.connect()")
        frame: pd.DataFrame = await log.frame(sql)
        return frame

    async def stats(self) -> dict[str, Json]:
        """The document of `GET /admin/stats`."""
        return await self._joined_router().stats()

    @property
    def sandbox_url(self) -> str | None:
        """Where the sandbox is, whose `/_control` plays the user; None with real providers."""
        return self._sandbox_url

    def _joined_router(self) -> "RemoteRouter":
        if self._router is None:
            raise NotRunning("enter the context manager first: async with Orchestrator.connect()")
        return self._router

    def _check_joined(self) -> None:
        self._joined_router()

    def _joined_intake(self) -> Intake:
        if self._intake is None:
            raise NotRunning("enter the context manager first: async with Orchestrator.connect()")
        return self._intake

    def _join(self) -> None:
        prepare_environment(self._settings)
        import ray  # noqa: PLC0415  only once the environment is prepared

        from actors.options import (  # noqa: PLC0415  as above
            NAMESPACE,
            attempt_log_actor,
            router_actor,
        )

        if not ray.is_initialized():
            found = RunningSystem.find(self._settings.data_dir)
            if found is not None:
                ray.init(
                    address=found.ray_address,
                    namespace=NAMESPACE,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                )
                self._joined = True
                self._sandbox_url = found.sandbox_url
            elif self._may_start:
                self._system = System(self._settings, _quiet, http=False)
                self._sandbox_url = self._system.start().sandbox_url
                self._system.take_up_backfills()
            else:
                raise NotRunning(
                    f"no system runs out of {self._settings.data_dir}: start one with 'make serve'"
                )
        from actors.installation import cipher_of, intake_of  # noqa: PLC0415  as above
        from actors.remote_ports import RemoteLog, RemoteRouter  # noqa: PLC0415  as above

        self._intake = intake_of(self._settings, cipher_of(self._settings))
        self._router = RemoteRouter(router_actor())
        self._log = RemoteLog(attempt_log_actor())

    def _leave(self) -> None:
        import ray  # noqa: PLC0415  as above

        if self._system is not None:
            self._system.stop()
            self._system = None
        elif self._joined:
            ray.shutdown()
        self._joined = False


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, dt.date) else value


def _refused(operation: str, refusal: RequestRefused) -> OperationResult:
    return OperationResult(
        success=False,
        request_id=new_request_id(),
        operation=cast("Operation", operation),  # whatever was asked for, known or not
        provider=None,
        failover_used=False,
        data=None,
        error=refusal.error,
        attempts=(),
        decision=DecisionSummary("none", None, ()),
    )


class SyncOrchestrator(SyncBackfillCalls):
    """`Orchestrator` without `await`; its event loop runs in a thread of its own."""

    def __init__(self, inner: Orchestrator) -> None:
        self._inner = inner
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="orchestrator-client", daemon=True
        )
        self._thread.start()
        try:
            self._run(inner.__aenter__())
        except BaseException:
            self._end_loop()
            raise

    @property
    def _calls(self) -> Orchestrator:
        return self._inner

    @property
    def sandbox_url(self) -> str | None:
        """See `Orchestrator.sandbox_url`."""
        return self._inner.sandbox_url

    def execute_with_failover(
        self, operation: str, params: Mapping[str, object], **options: Unpack[ExecuteOptions]
    ) -> OperationResult:
        """See `Orchestrator.execute_with_failover`; the same keyword arguments."""
        return self._run(self._inner.execute_with_failover(operation, params, **options))

    def attempts(self, sql: str) -> "pd.DataFrame":
        """See `Orchestrator.attempts`."""
        return self._run(self._inner.attempts(sql))

    def stats(self) -> dict[str, Json]:
        """See `Orchestrator.stats`."""
        return self._run(self._inner.stats())

    def close(self) -> None:
        """Leave the system; an embedded one is stopped."""
        if not self._loop.is_closed():
            self._run(self._inner.close())
            self._end_loop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CLOSE_TIMEOUT_S)
        self._loop.close()
