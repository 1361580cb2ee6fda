"""Actors' handles behind the ports of providers, the attempt log and the router."""

from typing import TYPE_CHECKING, Any, cast

from actors.messages import AttemptOrder, AttemptReply
from actors.options import look_task
from actors.ports import LogStanding
from actors.remote import MailedRemote, Remote, run_apart
from actors.retraining_look import LookOrder, Seen
from orchestrator.domain import (
    Json,
    OperationRequest,
    OperationResult,
    typed_result,
)
from orchestrator.resilience import HealthSnapshot

if TYPE_CHECKING:
    from orchestrator.attempt_log import LogStats

__all__ = ["RemoteLog", "RemoteProvider", "RemoteRouter", "looked_apart"]


class RemoteProvider(MailedRemote):
    """A `ProviderPort` over an actor, whose attempts share messages."""

    async def execute(self, order: AttemptOrder) -> AttemptReply:
        """See `ProviderPort`."""
        return cast(AttemptReply, await self._ask("execute", order))

    async def abandon(self, attempt_id: str) -> None:
        """See `ProviderPort`."""
        await self._call("abandon", attempt_id)

    async def health(self) -> HealthSnapshot:
        """See `ProviderPort`."""
        return cast(HealthSnapshot, await self._call("health"))

    async def force(self, control: str, reason: str) -> HealthSnapshot:
        """See `ProviderPort`."""
        return cast(HealthSnapshot, await self._call("force", control, reason))

    async def revoke(self, connection_id: str) -> None:
        """See `ProviderPort`."""
        await self._call("revoke", connection_id)

    async def webhook(self, sealed: bytes) -> None:
        """See `ProviderPort`."""
        await self._call("webhook", sealed)

    async def backlog(self) -> tuple[int, int]:
        """See `ProviderPort`."""
        return cast(tuple[int, int], await self._call("backlog"))

    async def drain(self) -> bool:
        """Hand what waits in memory to the disk; False where it takes nothing."""
        return bool(await self._call("drain"))


class RemoteLog(Remote):
    """An `AttemptLogPort` over an actor."""

    async def collect(self) -> None:
        """See `AttemptLogPort`."""
        await self._call("collect")

    async def standing(self) -> LogStanding:
        """See `AttemptLogPort`."""
        return cast(LogStanding, await self._call("standing"))

    async def stats(self) -> "LogStats":
        """See `AttemptLogPort`."""
        return cast("LogStats", await self._call("stats"))

    async def story(self, request_id: str) -> dict[str, Json] | None:
        """See `AttemptLogPort`."""
        return cast(dict[str, Json] | None, await self._call("story", request_id))

    async def query(self, sql: str) -> list[Json]:
        """See `AttemptLogPort`."""
        return cast(list[Json], await self._call("query", sql))

    async def frame(self, sql: str) -> Any:
        """Rows for one SELECT, as a pandas frame."""
        return await self._call("frame", sql)

    async def export(self, sql: str, path: str) -> int:
        """Write the rows for one SELECT to a Parquet file; how many they are."""
        return int(await self._call("export", sql, path))

    async def close(self) -> None:
        """Commit and close the file."""
        await self._call("close")


class RemoteRouter(MailedRemote):
    """The named router actor, for callers without HTTP."""

    async def execute(self, request: OperationRequest) -> OperationResult:
        """Serve one request; the answer's data is typed."""
        return typed_result(cast(OperationResult, await self._ask("execute", request)))

    async def stats(self) -> dict[str, Json]:
        """The document of `GET /admin/stats`."""
        return cast(dict[str, Json], await self._call("stats"))

    async def close(self) -> None:
        """Flush what is waiting and let go."""
        await self._call("close")


async def looked_apart(order: LookOrder) -> Seen:
    """A look of the retraining job, in a process that ends with it."""
    return cast(Seen, await run_apart(look_task(), order))
