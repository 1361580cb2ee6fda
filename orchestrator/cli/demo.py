"""`demo`: the story in a minute, on a system of its own with sandbox providers."""

import asyncio
import os
import socket
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import uuid4

import httpx
import typer

from orchestrator.client import Orchestrator
from orchestrator.domain import (
    AccountsData,
    ExchangeData,
    LinkData,
    OperationResult,
    OrchestratorError,
    TransactionsData,
)
from orchestrator.provider_registry import REGISTRY

from .console import output

__all__ = ["register"]

_BREAKER_TIMEOUT_MS: Final = 4000
_LONGEST_WAIT_S: Final = 30.0
D = TypeVar("D")
_CONFIG: Final = f"""\
[breaker]
timeout_ms = {_BREAKER_TIMEOUT_MS}
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo() -> None:
    """Tell the story in a minute: link, accounts, sync; an outage, failover, recovery.

    Starts a system of its own with sandbox providers in a temporary folder, whatever else runs and
    whatever credentials are set, and stops it at the end. Its circuits stay open for 4 seconds
    instead of 60.
    """
    with tempfile.TemporaryDirectory(prefix="orchestrator-demo-") as folder:
        config = Path(folder) / "demo.toml"
        config.write_text(_CONFIG, encoding="utf-8")
        _private_environment(Path(folder), config)
        asyncio.run(_Story().tell())


def _private_environment(folder: Path, config: Path) -> None:
    ours = ("ORCHESTRATOR_", *(f"{spec.env_prefix}_" for spec in REGISTRY.values()))
    for name in list(os.environ):
        if name.startswith(ours):
            del os.environ[name]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    os.environ |= {
        "ORCHESTRATOR_DATA_DIR": str(folder / "data"),
        "ORCHESTRATOR_CONFIG": str(config),
        "ORCHESTRATOR_SANDBOX_PORT": str(port),
    }


class _Story:
    """The scenes, in order."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._space = f"space_{uuid4().hex[:8]}"

    async def tell(self) -> None:
        """Start a system, play every scene, stop it."""
        self._scene("Starting: Ray, the actors and the sandbox providers (this takes a moment)")
        async with Orchestrator.connect() as orchestrator:
            if orchestrator.sandbox_url is None:
                raise OrchestratorError("the demo runs on the sandbox only")
            async with httpx.AsyncClient(base_url=orchestrator.sandbox_url, timeout=30) as control:
                await self._link(orchestrator, control)
                account_id = await self._accounts(orchestrator)
                await self._sync(orchestrator, account_id)
                await self._outage(orchestrator, control)
                await self._recovery(orchestrator, control)
            await self._books(orchestrator)
        self._scene("Stopped. 'make serve' starts a system that stays.")

    async def _link(self, orchestrator: Orchestrator, control: httpx.AsyncClient) -> None:
        self._scene("A customer links Chase, once through Plaid and once more as a backup")
        for preferred, backup in (("plaid", False), ("mx", True)):
            link = await orchestrator.execute_with_failover(
                "createLink",
                {"spaceId": self._space, "institutionId": "ins_chase", "backup": backup},
                preferred_provider=preferred,
            )
            made = _data(link, LinkData)
            self._line(f"createLink     → {made.provider}, {made.link_type.value}")
            answer = await control.post("/_control/complete", json=_handle(made))
            exchange = await orchestrator.execute_with_failover(
                "exchangeToken",
                {
                    "spaceId": self._space,
                    "linkSessionId": made.link_session_id,
                    "temporaryToken": answer.json()["temporaryToken"],
                },
                idempotency_key=made.link_session_id,
            )
            connected = _data(exchange, ExchangeData)
            self._line(f"exchangeToken  → {connected.provider}, {connected.status.value}")

    async def _accounts(self, orchestrator: Orchestrator) -> str:
        self._scene("Accounts: the same account has one id through both providers")
        ids: list[set[str]] = []
        for preferred in ("plaid", "mx"):
            result = await self._get_accounts(orchestrator, preferred)
            accounts = _data(result, AccountsData).accounts
            ids.append({account.account_id for account in accounts})
            for account in accounts:
                self._line(
                    f"{result.provider:5}  {account.name} ·{account.mask}  "
                    f"{account.balances.current} {account.currency}  {account.account_id[:12]}…"
                )
        self._line(f"{len(ids[0] & ids[1])} of {len(ids[0])} accounts matched")
        return min(ids[0] & ids[1])

    async def _sync(self, orchestrator: Orchestrator, account_id: str) -> None:
        self._scene("Transactions of the last 90 days")
        result = await orchestrator.execute_with_failover(
            "syncTransactions",
            {"spaceId": self._space, "accountId": account_id},
            preferred_provider="plaid",
        )
        rows = _data(result, TransactionsData).transactions
        self._line(f"syncTransactions → {len(rows)} through {result.provider}, the latest:")
        for row in sorted(rows, key=lambda row: row.date)[-3:]:
            self._line(f"  {row.date}  {row.amount:>10} {row.currency}  {row.description}")

    async def _outage(self, orchestrator: Orchestrator, control: httpx.AsyncClient) -> None:
        self._scene("Plaid goes down; its circuit opens after five failures in a row")
        fault = {"provider": "plaid", "operation": "*", "institutionId": "*", "kind": "down"}
        await control.put("/_control/faults", json={"faults": [fault]})
        for number in range(1, 8):
            result = await self._get_accounts(orchestrator, "plaid")
            tried = " → ".join(f"{a.provider} {a.outcome}" for a in result.attempts)
            state = await _circuit(orchestrator)
            self._line(
                f"request {number}: {tried:42} failoverUsed {result.failover_used!s:5}  "
                f"Plaid's circuit {state}"
            )

    async def _recovery(self, orchestrator: Orchestrator, control: httpx.AsyncClient) -> None:
        self._scene("Plaid is back; after the open interval two probes close the circuit")
        await control.delete("/_control/faults")

        async def state_is(wanted: str) -> bool:
            return await _circuit(orchestrator) == wanted

        await _until(lambda: state_is("HALF_OPEN"))
        self._line("the open interval is over: HALF_OPEN")
        for number in (1, 2):
            result = await self._get_accounts(orchestrator, "plaid")
            self._line(
                f"probe {number}: answered by {result.provider}, circuit "
                f"{await _circuit(orchestrator)}"
            )

    async def _books(self, orchestrator: Orchestrator) -> None:
        self._scene("What the books say")
        document: Any = await orchestrator.stats()
        for change in reversed(document["circuitChanges"]):
            self._line(
                f"{change['at'][11:19]}  {change['provider']} {change['scope']}: {change['from']} → "
                f"{change['to']} ({change['reason']})"
            )
        failover = document["failover"]
        self._line(f"{failover['failovers24h']} failovers in {failover['requests24h']} requests")

    async def _get_accounts(self, orchestrator: Orchestrator, preferred: str) -> OperationResult:
        return await orchestrator.execute_with_failover(
            "getAccounts",
            {"spaceId": self._space, "institutionId": "ins_chase"},
            preferred_provider=preferred,
        )

    def _scene(self, title: str) -> None:
        output.print(
            f"\n[bold]{time.monotonic() - self._began:5.1f} s  {title}[/]", highlight=False
        )

    def _line(self, text: str) -> None:
        output.print(f"         {text}", highlight=False, markup=False)


def _handle(made: LinkData) -> dict[str, str]:
    if made.link_token is not None:
        return {"linkToken": made.link_token}
    return {"linkUrl": made.link_url or ""}


def _data(result: OperationResult, kind: type[D]) -> D:
    if not isinstance(result.data, kind):
        why = "no data" if result.error is None else result.error.message
        raise OrchestratorError(f"the demo stopped at {result.operation.value}: {why}")
    return result.data


async def _circuit(orchestrator: Orchestrator) -> str:
    document: Any = await orchestrator.stats()
    return str(document["providers"]["plaid"]["circuitState"])


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(_LONGEST_WAIT_S):
        while not await condition():  # noqa: ASYNC110  the condition is another process's
            await asyncio.sleep(0.2)
