"""How many requests may be under way at once."""

import asyncio
from typing import cast

import httpx
import pytest

from orchestrator.domain import OperationRequest, OperationResult
from orchestrator.web.app import create_app
from orchestrator.web.service import Service
from tests.unit.web.test_web_app import Stub

BODY = {"params": {"spaceId": "well"}}


class Held(Stub):
    """A service whose answers wait until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.arrived = asyncio.Event()
        self.cancelled = 0

    async def execute(self, request: OperationRequest) -> OperationResult:
        """Wait, then answer."""
        self.arrived.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return await super().execute(request)


@pytest.fixture
def held() -> Held:
    """A service that waits."""
    return Held()


def client_of(service: Held, most: int) -> httpx.AsyncClient:
    """A client of an application over this service that takes so many requests."""

    async def open_service() -> Service:
        return cast(Service, service)

    app = create_app(open_service, most_requests=most)
    app.state.service = service
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1")


async def test_requests_over_the_bound_are_told_to_come_again(held: Held) -> None:
    """The one over the bound is told 429 overloaded at once; the one under way gets its answer."""
    async with client_of(held, 1) as client:
        first = asyncio.create_task(client.post("/v1/operations/getAccounts", json=BODY))
        await held.arrived.wait()
        over = await client.post(
            "/v1/operations/getAccounts", json=BODY, headers={"X-Request-Id": "mine"}
        )
        probe = await client.get("/healthz")
        held.go.set()
        answered = await first
        again = await client.post("/v1/operations/getAccounts", json=BODY)

    assert (429, "application/problem+json", "1") == (
        over.status_code,
        over.headers["content-type"],
        over.headers["retry-after"],
    )
    assert ("overloaded", True) == (over.json()["error"]["type"], over.json()["error"]["retryable"])
    assert "mine" == over.headers["x-request-id"] == over.json()["requestId"]
    assert 200 == probe.status_code == answered.status_code == again.status_code


async def test_a_caller_that_went_away_leaves_its_place(held: Held) -> None:
    """Cancelling a request, as Serve does when its caller goes, reaches the service and frees a place."""
    async with client_of(held, 1) as client:
        first = asyncio.create_task(client.post("/v1/operations/getAccounts", json=BODY))
        await held.arrived.wait()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        held.go.set()
        next_one = await client.post("/v1/operations/getAccounts", json=BODY)

    assert 1 == held.cancelled
    assert 200 == next_one.status_code
