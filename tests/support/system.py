"""A whole system in this process, without Ray: real stores, real adapters, the sandbox, and HTTP.

The desks stand where the actors' handles do: they satisfy the ports themselves.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from actors.attempt_log import AttemptLogDesk
from actors.change_marks import ChangeMarks
from actors.installation import spool_folder, vault_marks_file
from actors.provider import ProviderDesk
from actors.provider_actor import assemble_provider
from actors.router_actor import assemble_service
from actors.service import RouterService
from actors.vault import VaultDesk
from orchestrator.attempt_log import AttemptLogStore
from orchestrator.sandbox_process import sandbox_environment
from orchestrator.settings import load_settings
from orchestrator.vault import VaultStore, vault_url
from orchestrator.web.app import create_app
from sandbox.options import SandboxOptions
from tests.support.clock import SteppedClock
from tests.support.sandbox import RunningSandbox, running_sandbox

__all__ = ["PROVIDERS", "Answer", "Linked", "System", "by_provider", "running_system"]

PROVIDERS = ("plaid", "mx", "finicity", "belvo", "bitso")
"""The configured ones, unless a test names others."""

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: its status, its headers and its JSON, or its bytes where it has none."""

    status: int
    headers: httpx.Headers
    body: Any

    @property
    def data(self) -> Any:
        """The `data` member of a success; fails the test on anything else."""
        assert 200 == self.status, self.body
        return self.body["data"]

    @property
    def error(self) -> Any:
        """The `error` member of a failure; fails the test on a success."""
        assert self.status >= 400, self.body
        return self.body["error"]


@dataclass(frozen=True, slots=True)
class Linked:
    """A connection that a test has made."""

    connection_id: str
    provider: str
    institution_id: str
    link_session_id: str


@dataclass(slots=True)
class System:
    """A running system: HTTP in front, the sandbox behind, and the parts in between."""

    sandbox: RunningSandbox
    clock: SteppedClock
    http: httpx.AsyncClient
    service: RouterService
    desks: dict[str, ProviderDesk]
    log: AttemptLogDesk
    vault: VaultDesk
    _keys: int = field(default=0)

    async def call(
        self,
        operation: str,
        params: Body,
        *,
        headers: Mapping[str, str] | None = None,
        **envelope: object,
    ) -> Answer:
        """`POST /v1/operations/{operation}`; `envelope` in wire names."""
        return await self.post(
            f"/v1/operations/{operation}", {"params": params, **envelope}, headers=headers
        )

    async def post(
        self, path: str, body: object, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send JSON."""
        return _answer(await self.http.post(path, json=body, headers=dict(headers or {})))

    async def get(self, path: str, *, headers: Mapping[str, str] | None = None) -> Answer:
        """Ask."""
        return _answer(await self.http.get(path, headers=dict(headers or {})))

    async def delete(self, path: str, *, headers: Mapping[str, str] | None = None) -> Answer:
        """Delete."""
        return _answer(await self.http.delete(path, headers=dict(headers or {})))

    async def played(
        self, params: Body, *, user: str | None = None, **envelope: object
    ) -> dict[str, Any]:
        """Make a link session and play its widget: the params of the exchange."""
        made = (await self.call("createLink", params, **envelope)).data
        token = await self.sandbox.complete(
            token=made["linkToken"],
            url=made["linkUrl"],
            # Of a form the vendor hears nothing, so that only our own name for it is left.
            link_session_id=made["linkSessionId"] if "fields" in made else None,
            institution_id=params.get("institutionId"),
            user=user,
        )
        return {
            "spaceId": params["spaceId"],
            "linkSessionId": made["linkSessionId"],
            "temporaryToken": token,
        }

    async def exchange(self, params: Body, *, key: str | None = None, **envelope: object) -> Answer:
        """Exchange, under a key of its own unless one is given."""
        self._keys += 1
        headers = {"Idempotency-Key": key or f"key-{self._keys}"}
        return await self.call("exchangeToken", params, headers=headers, **envelope)

    async def link(
        self,
        space_id: str,
        institution_id: str = "ins_chase",
        provider: str = "plaid",
        region: str = "US",
        user: str | None = None,
        *,
        backup: bool = False,
    ) -> Linked:
        """Link a space to an institution through a provider, and check that it was that one."""
        params = await self.played(
            {"spaceId": space_id, "institutionId": institution_id, "backup": backup},
            user=user,
            region=region,
            preferredProvider=provider,
        )
        data = (await self.exchange(params)).data
        assert provider == data["provider"]
        return Linked(
            data["connectionId"], provider, data["institutionId"], params["linkSessionId"]
        )

    async def calls(self, provider: str, operation: str) -> int:
        """Attempts of an operation that the sandbox's vendor has seen."""
        found = (await self.sandbox.calls()).get((provider, operation))
        return int(str(found["count"])) if found else 0

    async def settled(self) -> None:
        """Have every row in the log."""
        await self.log.collect()

    async def sql(self, sql: str) -> list[dict[str, Any]]:
        """Rows of the settled log for one SELECT."""
        await self.settled()
        return [dict(row) for row in (await self.log.frame(sql)).to_dict(orient="records")]

    async def stats(self) -> dict[str, Any]:
        """`GET /admin/stats` once every row has reached the log."""
        await self.settled()
        answer = await self.get("/admin/stats")
        assert 200 == answer.status
        return dict(answer.body)


def _answer(response: httpx.Response) -> Answer:
    told = response.headers.get("content-type", "")
    body = response.json() if "json" in told else response.content
    return Answer(response.status_code, response.headers, body)


def _environment(sandbox_url: str, data_dir: Path, config: str) -> dict[str, str]:
    """The environment of a system, with its configuration file written beside its data."""
    data_dir.mkdir(parents=True, exist_ok=True)
    path = data_dir / "orchestrator.toml"
    path.write_text(config, encoding="utf-8")
    return {
        **sandbox_environment(sandbox_url),
        "ORCHESTRATOR_DATA_DIR": str(data_dir),
        "ORCHESTRATOR_CONFIG": str(path),
    }


@asynccontextmanager
async def running_system(
    data_dir: Path,
    *,
    config: str = '[selection]\npolicy = "priority"\n',
    environment: Mapping[str, str] | None = None,
    providers: Sequence[str] = PROVIDERS,
    options: SandboxOptions | None = None,
) -> AsyncIterator[System]:
    """Start everything, and let everything go at the end, whatever happened.

    Args:
        data_dir: of the stores.
        config: TOML over the shipped defaults; the plain priority order unless told otherwise.
        environment: further variables.
        providers: the configured ones.
        options: of the sandbox.

    """
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(running_sandbox(options=options))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        given = {**_environment(sandbox.base_url, data_dir, config), **(environment or {})}
        for name, value in given.items():
            patch.setenv(name, value)
        settings = load_settings()
        clock = SteppedClock()
        marks = ChangeMarks(vault_marks_file(settings))
        stack.callback(marks.close)
        vault = VaultDesk(lambda: VaultStore(vault_url(data_dir)), marks=marks, clock=clock)
        stack.push_async_callback(vault.close)
        log = AttemptLogDesk(
            lambda: AttemptLogStore(data_dir / "attempts.duckdb", memory_limit_mb=256),
            spool_folder(settings),
            clock,
            query_timeout_s=5.0,
            query_max_rows=10_000,
            collect_every_s=None,
        )
        stack.push_async_callback(log.close)
        desks = {name: assemble_provider(settings, name, vault, clock=clock) for name in providers}
        for desk in desks.values():
            stack.push_async_callback(desk.close)
        service = assemble_service(settings, desks, vault, log, marks=marks, clock=clock)

        async def open_service() -> RouterService:
            await service.start()
            return service

        app = create_app(open_service)
        await stack.enter_async_context(app.router.lifespan_context(app))
        http = await stack.enter_async_context(
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app, raise_app_exceptions=False),
                base_url="http://127.0.0.1:8000",
                timeout=20.0,
            )
        )
        yield System(sandbox, clock, http, service, desks, log, vault)


def by_provider(rows: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Rows or candidates by the provider that each names."""
    return {str(row["provider"]): row for row in rows}
