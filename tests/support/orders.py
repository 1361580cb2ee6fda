"""Orders, rows and doubles for tests of the actors' desks."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from actors.attempt_writer import Measured, attempt_row
from actors.messages import AccountsCall, AttemptOrder, AttemptReply, ExchangeCall
from actors.ports import LogStanding
from orchestrator.attempt_log import LogStats
from orchestrator.domain import (
    AccountsData,
    ConnectionAttempt,
    Json,
    Lane,
    Operation,
    SyncTransactionsParams,
)
from orchestrator.resilience import (
    CircuitBoard,
    HealthSnapshot,
    ProviderGuard,
    RateLimiter,
)
from orchestrator.spool import Row, SpoolWriter
from orchestrator.spool.records import Kind, kind_of
from tests.support.log_rows import row_in

__all__ = [
    "AT",
    "NO_ACCOUNTS",
    "EmptyLog",
    "RecordingSpool",
    "ScriptedProvider",
    "attempt",
    "exchange_order",
    "order_of",
    "params_of",
    "snapshot_of",
]

AT = datetime(2026, 3, 18, 15, 30, tzinfo=UTC)
NO_ACCOUNTS = AccountsData(accounts=(), as_of=AT, stale=False)


def order_of(
    number: int = 1,
    *,
    timeout_s: float = 5.0,
    time_left_s: float = 60.0,
    wait_s: float = 0.0,
    connection_id: str = "conn_1",
    extra: bool = False,
    hedge: bool = False,
) -> AttemptOrder:
    """An order to read the accounts of one connection."""
    return AttemptOrder(
        attempt_id=str(UUID(int=number)),
        request_id=f"req_{number}",
        job_id=None,
        operation=Operation.GET_ACCOUNTS,
        region="US",
        institution_id="ins_chase",
        space_hash="0" * 32,
        call=AccountsCall(connection_id, 1, allow_stale=False, sibling_account_ids=None),
        connection_id=connection_id,
        attempt_number=1,
        lane=Lane.INTERACTIVE,
        timeout_s=timeout_s,
        time_left_s=time_left_s,
        wait_s=wait_s,
        waited_s=0.0,
        panic=False,
        extra=extra,
        hedge=hedge,
        failover=False,
        candidates=("plaid", "mx"),
        eligible=("plaid",),
        propensity=1.0,
        score=0.9,
        policy="priority",
        model_version=None,
    )


def exchange_order(number: int = 1, *, timeout_s: float = 5.0) -> AttemptOrder:
    """An order to exchange link session `ls_1`."""
    plain = order_of(number, timeout_s=timeout_s)
    return AttemptOrder(
        **{
            **{name: getattr(plain, name) for name in plain.__slots__},
            "operation": Operation.EXCHANGE_TOKEN,
            "connection_id": None,
            "call": ExchangeCall("space_1", "ls_1", b"sealed"),
        }
    )


def params_of(space_id: str = "space_1") -> SyncTransactionsParams:
    """Parameters that name a space and nothing else."""
    return SyncTransactionsParams(space_id=space_id)


def attempt(number: int) -> ConnectionAttempt:
    """A row of the log."""
    measured = Measured(AT, 1.0, 0.0, 1, 200, None, "CLOSED")
    return attempt_row(
        order_of(number), "plaid", NO_ACCOUNTS, measured, connection_id="conn_1", node_id=None
    )


def snapshot_of(
    provider: str = "plaid", *, at_unix_s: float = 0.0, guard: ProviderGuard | None = None
) -> HealthSnapshot:
    """How a fresh provider stands, or the one behind a guard."""
    chosen = guard or ProviderGuard(provider, CircuitBoard(), RateLimiter())
    return chosen.snapshot(0.0, at_unix_s)


class EmptyLog:
    """An `AttemptLogPort` in which nothing has happened."""

    async def collect(self) -> None:
        """See `AttemptLogPort`."""

    async def standing(self) -> LogStanding:
        """All is well."""
        return LogStanding(0, 0, None)

    async def stats(self) -> LogStats:
        """Nothing has happened."""
        return LogStats({}, 0, 0, None, (), 0)

    async def story(self, request_id: str) -> dict[str, Json] | None:
        """Nothing is known."""
        return None

    async def query(self, sql: str) -> list[Json]:
        """No rows."""
        return []


class RecordingSpool(SpoolWriter):
    """A spool in memory. While `full` is set, the disk takes nothing."""

    def __init__(self) -> None:
        super().__init__(Path(), "test")
        self.full = False
        self.lines: list[bytes] = []

    def _written(self, line: bytes) -> bool:
        if not self.full:
            self.lines.append(line)
        return not self.full

    @property
    def intents(self) -> list[ConnectionAttempt]:
        """Attempts that were about to be sent, in order."""
        found = [row_in(line) for line in self.lines if kind_of(line[:-1]) is Kind.INTENT]
        return [row for row in found if isinstance(row, ConnectionAttempt)]

    @property
    def rows(self) -> list[Row]:
        """Rows for the log, in order."""
        return [row_in(line) for line in self.lines if kind_of(line[:-1]) is not Kind.INTENT]


class ScriptedProvider:
    """A `ProviderPort` whose attempts do what `act` does."""

    def __init__(
        self, act: Callable[[AttemptOrder], Awaitable[AttemptReply]], name: str = "plaid"
    ) -> None:
        self.orders: list[AttemptOrder] = []
        self.abandoned: list[str] = []
        self.name = name
        self._act = act

    async def execute(self, order: AttemptOrder) -> AttemptReply:
        """See `ProviderPort`."""
        self.orders.append(order)
        return await self._act(order)

    async def abandon(self, attempt_id: str) -> None:
        """Remember."""
        self.abandoned.append(attempt_id)

    async def health(self) -> HealthSnapshot:
        """All is well."""
        return snapshot_of(self.name)

    async def force(self, control: str, reason: str) -> HealthSnapshot:
        """Nothing changes."""
        return snapshot_of(self.name)

    async def revoke(self, connection_id: str) -> None:
        """Done."""

    async def webhook(self, sealed: bytes) -> None:
        """Done."""

    async def backlog(self) -> tuple[int, int]:
        """Nothing waits."""
        return 0, 0
