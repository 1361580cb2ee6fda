"""What the demo's scenes are made of: the two markets, and what can happen in one."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
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
    Transaction,
    TransactionsData,
)

__all__ = ["Market", "Scenes", "markets"]

_LONGEST_WAIT_S: Final = 30.0
_FAILURES_THAT_OPEN: Final = 5
_EXCHANGE: Final = "ins_bitso"
D = TypeVar("D")


@dataclass(frozen=True, slots=True)
class Market:
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


def markets() -> tuple[Market, Market]:
    """The United States and Mexico, each with a customer of its own."""

    def space() -> str:
        return f"space_{uuid4().hex[:8]}"

    names = {"plaid": "Plaid", "mx": "MX", "belvo": "Belvo"}
    return (
        Market("United States", "US", "ins_chase", "Chase", "plaid", "mx", names, space()),
        Market("Mexico", "MX", "ins_bbva_mx", "BBVA México", "belvo", "mx", names, space()),
    )


class Scenes:
    """What can happen to a market.

    Args:
        orchestrator: the running system.
        control: the sandbox's `/_control/`.
        scene: prints the title of a scene.
        line: prints a line of it.

    """

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

    async def serve(self, *providers: str) -> bool:
        """Whether all of these providers are configured."""
        document: Any = await self._orchestrator.stats()
        return all(document["providers"][name]["configured"] for name in providers)

    async def link(self, market: Market) -> None:
        """Link the bank twice."""
        self._scene(
            f"{market.country}: a customer links {market.bank}, once through {market.first} and "
            "once more as a backup"
        )
        for preferred, backup in ((market.primary, False), (market.backup, True)):
            await self._link(market, market.institution_id, preferred, backup=backup)

    async def accounts(self, market: Market) -> str:
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

    async def sync(self, market: Market, account_id: str) -> None:
        """Read the movements of an account."""
        self._scene("Transactions of the last 90 days")
        result = await self._orchestrator.execute_with_failover(
            "syncTransactions",
            {"spaceId": market.space_id, "accountId": account_id},
            preferred_provider=market.primary,
        )
        rows = _data(result, TransactionsData).transactions
        self._line(f"syncTransactions → {len(rows)} through {result.provider}, the latest:")
        self._tell_latest(rows)

    async def outage(self, market: Market) -> None:
        """Let the primary provider fail as a whole."""
        self._scene(f"{market.first} goes down; its circuit opens after five failures in a row")
        await self._fault(market, "down", "*")
        for number in range(1, _FAILURES_THAT_OPEN + 3):
            await self._ask(market, number, "provider")

    async def bank_outage(self, market: Market) -> None:
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

    async def exchange_account(self, market: Market) -> None:
        """Link an exchange, whose user types in a key of the exchange's own, and read it."""
        self._scene(
            f"{market.country}: the customer adds Bitso, an exchange without a widget: our form asks "
            "for a key"
        )
        await self._link(market, _EXCHANGE, "bitso")
        where = {"spaceId": market.space_id, "institutionId": _EXCHANGE}
        read = await self._orchestrator.execute_with_failover("getAccounts", where)
        for account in _data(read, AccountsData).accounts:
            self._line(f"bitso  {account.balances.current:>20} {account.currency}")
        synced = await self._orchestrator.execute_with_failover("syncTransactions", where)
        rows = _data(synced, TransactionsData).transactions
        self._line(f"syncTransactions → {len(rows)} through {synced.provider}, the latest:")
        self._tell_latest(rows)

    async def recovery(self, market: Market, scope: str) -> None:
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

    async def _link(
        self, market: Market, institution_id: str, preferred: str, *, backup: bool = False
    ) -> None:
        link = await self._orchestrator.execute_with_failover(
            "createLink",
            {"spaceId": market.space_id, "institutionId": institution_id, "backup": backup},
            preferred_provider=preferred,
            region=market.region,
        )
        made = _data(link, LinkData)
        asked = f" of {', '.join(one.name for one in made.fields)}" if made.fields else ""
        self._line(f"createLink     → {made.provider}, {made.link_type.value}{asked}")
        played = {**_handle(made), "institutionId": institution_id}
        answer = await self._control.post("/_control/complete", json=played)
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

    def _tell_latest(self, rows: Iterable[Transaction]) -> None:
        for row in sorted(rows, key=lambda row: row.date)[-3:]:
            self._line(f"  {row.date}  {row.amount:>10} {row.currency}  {row.description}")

    async def _ask(self, market: Market, number: int, scope: str, *, shown: bool = True) -> None:
        result = await self._get_accounts(market, market.primary)
        if not shown:
            return
        tried = " → ".join(f"{a.provider} {a.outcome}" for a in result.attempts)
        whose = market.first if scope == "provider" else market.bank
        self._line(
            f"request {number}: {tried:42} failoverUsed {result.failover_used!s:5}  "
            f"{whose}'s circuit {await self._circuit(market, scope)}"
        )

    async def _fault(self, market: Market, kind: str, institution_id: str) -> None:
        fault = {
            "provider": market.primary,
            "operation": "*",
            "institutionId": institution_id,
            "kind": kind,
        }
        await self._control.put("/_control/faults", json={"faults": [fault]})

    async def _get_accounts(self, market: Market, preferred: str) -> OperationResult:
        return await self._orchestrator.execute_with_failover(
            "getAccounts",
            {"spaceId": market.space_id, "institutionId": market.institution_id},
            preferred_provider=preferred,
        )

    async def _circuit(self, market: Market, scope: str) -> str:
        document: Any = await self._orchestrator.stats()
        provider = document["providers"][market.primary]
        if scope == "provider":
            return str(provider["circuitState"])
        narrower = {circuit["scope"]: circuit["state"] for circuit in provider["circuits"]}
        return str(narrower.get(scope, "CLOSED"))


def _handle(made: LinkData) -> dict[str, str]:
    if made.link_token is not None:
        return {"linkToken": made.link_token}
    if made.link_url is not None:
        return {"linkUrl": made.link_url}
    return {"linkSessionId": made.link_session_id}


def _data(result: OperationResult, kind: type[D]) -> D:
    if not isinstance(result.data, kind):
        why = "no data" if result.error is None else result.error.message
        raise OrchestratorError(f"the demo stopped at {result.operation.value}: {why}")
    return result.data


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(_LONGEST_WAIT_S):
        while not await condition():  # noqa: ASYNC110  the condition is another process's
            await asyncio.sleep(0.2)
