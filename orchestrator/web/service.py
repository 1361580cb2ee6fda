"""What the web layer asks of the router behind it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from orchestrator.access import Access
from orchestrator.domain import Json, OperationRequest, OperationResult
from orchestrator.intake import Intake

__all__ = ["OpenService", "Service"]


class Service(Protocol):
    """The router, in this process or behind an actor handle."""

    intake: Intake
    access: Access

    async def execute(self, request: OperationRequest) -> OperationResult:
        """Serve one request; failures are results, not exceptions."""
        ...

    async def stats(self) -> dict[str, Json]:
        """The document of `GET /admin/stats`."""
        ...

    async def story(self, request_id: str) -> dict[str, Json] | None:
        """Everything known about one request, None where there was none."""
        ...

    async def force_circuit(self, provider: str, control: str, reason: str) -> dict[str, Json]:
        """Hold a provider's circuits, or hand them back."""
        ...

    async def connections(self, space_id: str) -> list[Json] | None:
        """A space's connections without secrets, None where there is no such space."""
        ...

    async def disconnect(self, connection_id: str, spaces: frozenset[str] | None) -> bool:
        """Revoke and erase a connection; False where there is none within these spaces."""
        ...

    async def webhook(self, provider: str, headers: Mapping[str, str], body: bytes) -> None:
        """Take in what a provider reports; header names in lower case, the body raw."""
        ...

    def institutions(
        self, region: str | None, text: str, *, offset: int, limit: int
    ) -> dict[str, Json]:
        """Institutions of the catalogue, `limit` of them from `offset` on."""
        ...

    async def attempts(self, sql: str) -> list[Json]:
        """Rows of the attempt log."""
        ...

    def models(self) -> dict[str, Json]:
        """The model registry's content."""
        ...

    async def activate(self, version: str) -> dict[str, Json]:
        """Make a model the active one."""
        ...

    async def close(self) -> None:
        """Flush what is waiting and let go."""
        ...


OpenService = Callable[[], Awaitable[Service]]
