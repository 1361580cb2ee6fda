"""The scenes of the demo: one story for each region, as far as its providers are there."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from uuid import uuid4

import httpx

from orchestrator.client import Orchestrator
from orchestrator.domain import (
    AccountsData,
    ExchangeData,
    LinkData,
    OperationResult,
    OrchestratorError,
    TransactionsData,
)

from .console import output

__all__ = ["Story"]

_LONGEST_WAIT_S: Final = 30.0
_FAILURES_THAT_OPEN: Final = 5
D = TypeVar("D")


@dataclass(frozen=True, slots=True)
class _Market:
    """A region's bank, the two providers through which a customer links it, and its customer."""

    country: str
    region: str
    institution_id: str
    bank: str
    primary: str
    backup: str
    names: dict[str, str]
    space_id: str

    @property
    def first(self) -> str:
        """The primary provider's name, for people."""
        return self.names[self.primary]

    @property
    def second(self) -> str:
        """The backup's name."""
        return self.names[self.backup]


def _markets() -> tuple[_Market, _Market]:
    def space() -> str:
        return f"space_{uuid4().hex[:8]}"

    names = {"plaid": "Plaid", "mx": "MX", "belvo": "Belvo"}
    return (
        _Market("United States", "US", "ins_chase", "Chase", "plaid", "mx", names, space()),
        _Market("Mexico", "MX", "ins_bbva_mx", "BBVA México", "belvo", "mx", names, space()),
    )


class Story:
    """Starts a system, plays every scene, stops it."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    async def tell(self) -> None:
        """From beginning to end.

        Raises:
            OrchestratorError: an operation failed that should not have.

        """
        self._scene("Starting: Ray, the actors and the sandbox providers (this takes a moment)")
        async with Orchestrator.connect() as orchestrator:
            if orchestrator.sandbox_url is None:
                raise OrchestratorError("the demo runs on the sandbox only")
            async with httpx.AsyncClient(base_url=orchestrator.sandbox_url, timeout=30) as control:
                scenes = _Scenes(orchestrator, control, self._scene, self._line)
                american, mexican = _markets()
                await scenes.link(american)
                account_id = await scenes.accounts(american)
                await scenes.sync(american, account_id)
                await scenes.outage(american)
                await scenes.recovery(american, "provider")
                if await scenes.serves(mexican):
                    await scenes.link(mexican)
                    await scenes.accounts(mexican)
                    await scenes.bank_outage(mexican)
                    await scenes.recovery(mexican, f"institution:{mexican.institution_id}")
                await scenes.books()
        self._scene("Stopped. 'make serve' starts a system that stays.")

    def _scene(self, title: str) -> None:
        output.print(
            f"\n[bold]{time.monotonic() - self._began:5.1f} s  {title}[/]", highlight=False
        )

    def _line(self, text: str) -> None:
        output.print(f"         {text}", highlight=False, markup=False)


class _Scenes:
    """What can happen to a market."""

    def __init__(
        self,
        orchestrator: Orchestrator,
        control: httpx.AsyncClient,
        scene: Callable[[str], None],
        line: Callable[[str], None],
    ) -> None:
        self._orchestrator = orchestrator
        self._control = control
        self._scene = scene
        self._line = line

    async def serves(self, market: _Market) -> bool:
        """Whether both of the market's providers are configured."""
        document: Any = await self._orchestrator.stats()
        told = (document["providers"][name] for name in (market.primary, market.backup))
        return all(provider["configured"] for provider in told)

    async def link(self, market: _Market) -> None:
        """Link the bank twice."""
        self._scene(
            f"{market.country}: a customer links {market.bank}, once through {market.first} and "
            "once more as a backup"
        )
        for preferred, backup in ((market.primary, False), (market.backup, True)):
            link = await self._orchestrator.execute_with_failover(
                "createLink",
                {
                    "spaceId": market.space_id,
                    "institutionId": market.institution_id,
                    "backup": backup,
                },
                preferred_provider=preferred,
                region=market.region,
            )
            made = _data(link, LinkData)
            self._line(f"createLink     → {made.provider}, {made.link_type.value}")
            answer = await self._control.post("/_control/complete", json=_handle(made, market))
            exchange = await self._orchestrator.execute_with_failover(
                "exchangeToken",
                {
                    "spaceId": market.space_id,
                    "linkSessionId": made.link_session_id,
                    "temporaryToken": answer.json()["temporaryToken"],
                },
                idempotency_key=made.link_session_id,
            )
            connected = _data(exchange, ExchangeData)
            self._line(f"exchangeToken  → {connected.provider}, {connected.status.value}")

    async def accounts(self, market: _Market) -> str:
        """Read the accounts through both; answers the id of one that matched."""
        self._scene("Accounts: the same account has one id through both providers")
        ids: list[set[str]] = []
        for preferred in (market.primary, market.backup):
            result = await self._get_accounts(market, preferred)
            accounts = _data(result, AccountsData).accounts
            ids.append({account.account_id for account in accounts})
            for account in accounts:
                self._line(
                    f"{result.provider:5}  {account.name} ·{account.mask}  "
                    f"{account.balances.current} {account.currency}  {account.account_id[:12]}…"
                )
        self._line(f"{len(ids[0] & ids[1])} of {len(ids[0])} accounts matched")
        return min(ids[0] & ids[1])

    async def sync(self, market: _Market, account_id: str) -> None:
        """Read the movements of an account."""
        self._scene("Transactions of the last 90 days")
        result = await self._orchestrator.execute_with_failover(
            "syncTransactions",
            {"spaceId": market.space_id, "accountId": account_id},
            preferred_provider=market.primary,
        )
        rows = _data(result, TransactionsData).transactions
        self._line(f"syncTransactions → {len(rows)} through {result.provider}, the latest:")
        for row in sorted(rows, key=lambda row: row.date)[-3:]:
            self._line(f"  {row.date}  {row.amount:>10} {row.currency}  {row.description}")

    async def outage(self, market: _Market) -> None:
        """Let the primary provider fail as a whole."""
        self._scene(f"{market.first} goes down; its circuit opens after five failures in a row")
        await self._fault(market, "down", "*")
        for number in range(1, _FAILURES_THAT_OPEN + 3):
            await self._ask(market, number, "provider")

    async def bank_outage(self, market: _Market) -> None:
        """Let the primary provider lose the bank, and no other."""
        self._scene(
            f"{market.bank} cannot be reached through {market.first}: {market.second} answers, "
            "and only the bank's circuit opens"
        )
        await self._fault(market, "institution_down", market.institution_id)
        scope = f"institution:{market.institution_id}"
        for number in range(1, _FAILURES_THAT_OPEN + 2):
            await self._ask(market, number, scope, shown=number in (1, 5, 6))
        self._line(f"{market.first} itself: {await self._circuit(market, 'provider')}")

    async def recovery(self, market: _Market, scope: str) -> None:
        """End the outage and probe."""
        who = market.first if scope == "provider" else f"{market.bank} at {market.first}"
        self._scene(f"{who} is back; after the open interval two probes close the circuit")
        await self._control.delete("/_control/faults")

        async def is_half_open() -> bool:
            return await self._circuit(market, scope) == "HALF_OPEN"

        await _until(is_half_open)
        self._line("the open interval is over: HALF_OPEN")
        for number in (1, 2):
            result = await self._get_accounts(market, market.primary)
            self._line(
                f"probe {number}: answered by {result.provider}, circuit "
                f"{await self._circuit(market, scope)}"
            )

    async def books(self) -> None:
        """Tell what was written down."""
        self._scene("What the books say")
        document: Any = await self._orchestrator.stats()
        for change in reversed(document["circuitChanges"]):
            self._line(
                f"{change['at'][11:19]}  {change['provider']} {change['scope']}: {change['from']} → "
                f"{change['to']} ({change['reason']})"
            )
        failover = document["failover"]
        self._line(f"{failover['failovers24h']} failovers in {failover['requests24h']} requests")

    async def _ask(self, market: _Market, number: int, scope: str, *, shown: bool = True) -> None:
        result = await self._get_accounts(market, market.primary)
        if not shown:
            return
        tried = " → ".join(f"{a.provider} {a.outcome}" for a in result.attempts)
        whose = market.first if scope == "provider" else market.bank
        self._line(
            f"request {number}: {tried:42} failoverUsed {result.failover_used!s:5}  "
            f"{whose}'s circuit {await self._circuit(market, scope)}"
        )

    async def _fault(self, market: _Market, kind: str, institution_id: str) -> None:
        fault = {
            "provider": market.primary,
            "operation": "*",
            "institutionId": institution_id,
            "kind": kind,
        }
        await self._control.put("/_control/faults", json={"faults": [fault]})

    async def _get_accounts(self, market: _Market, preferred: str) -> OperationResult:
        return await self._orchestrator.execute_with_failover(
            "getAccounts",
            {"spaceId": market.space_id, "institutionId": market.institution_id},
            preferred_provider=preferred,
        )

    async def _circuit(self, market: _Market, scope: str) -> str:
        document: Any = await self._orchestrator.stats()
        provider = document["providers"][market.primary]
        if scope == "provider":
            return str(provider["circuitState"])
        narrower = {circuit["scope"]: circuit["state"] for circuit in provider["circuits"]}
        return str(narrower.get(scope, "CLOSED"))


def _handle(made: LinkData, market: _Market) -> dict[str, str]:
    bank = {"institutionId": market.institution_id}
    if made.link_token is not None:
        return {"linkToken": made.link_token, **bank}
    return {"linkUrl": made.link_url or "", **bank}


def _data(result: OperationResult, kind: type[D]) -> D:
    if not isinstance(result.data, kind):
        why = "no data" if result.error is None else result.error.message
        raise OrchestratorError(f"the demo stopped at {result.operation.value}: {why}")
    return result.data


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(_LONGEST_WAIT_S):
        while not await condition():  # noqa: ASYNC110  the condition is another process's
            await asyncio.sleep(0.2)
