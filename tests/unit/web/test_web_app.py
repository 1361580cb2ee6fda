"""The application's own answers: faults of ours, batches, and its life span."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import httpx

from orchestrator.access import Access
from orchestrator.domain import (
    AccountsData,
    DecisionSummary,
    Json,
    OperationRequest,
    OperationResult,
)
from orchestrator.intake import Intake
from orchestrator.vault import VaultCipher
from orchestrator.web.app import create_app
from orchestrator.web.operations import ANSWERS
from orchestrator.web.service import Service
from tests.support.orders import NO_ACCOUNTS

SECRET = "access-secret"


class Stub:
    """A service that answers every request but those of space `broken`."""

    def __init__(self) -> None:
        self.intake = Intake(
            VaultCipher({"test": bytes(32)}, "test"),
            providers=frozenset({"plaid"}),
            regions=frozenset({"US"}),
        )
        self.access = Access((), ())
        self.closed = False

    async def execute(self, request: OperationRequest) -> OperationResult:
        """Answer, or break."""
        if request.params.space_id == "broken":
            raise RuntimeError(SECRET)
        data: AccountsData = NO_ACCOUNTS
        return OperationResult(
            success=True,
            request_id=request.request_id,
            operation=request.operation,
            provider="plaid",
            failover_used=False,
            data=data,
            error=None,
            attempts=(),
            decision=DecisionSummary("priority", None, ()),
        )

    async def stats(self) -> dict[str, Json]:
        """Break."""
        raise RuntimeError(SECRET)

    async def close(self) -> None:
        """Remember."""
        self.closed = True


@asynccontextmanager
async def _client(stub: Stub) -> AsyncIterator[httpx.AsyncClient]:
    async def open_service() -> Service:
        return cast(Service, stub)

    app = create_app(open_service)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False),
            base_url="http://127.0.0.1",
        ) as client,
    ):
        yield client


async def test_own_fault_is_a_problem_that_tells_nothing() -> None:
    """Answer 500 as a problem document with the request's id, and without what broke."""
    async with _client(Stub()) as client:
        answer = await client.get("/admin/stats", headers={"X-Request-Id": "mine"})

    assert 500 == answer.status_code == answer.json()["status"]
    assert "application/problem+json" == answer.headers["content-type"]
    assert "mine" == answer.headers["x-request-id"] == answer.json()["requestId"]
    assert SECRET not in answer.text


async def test_own_fault_of_one_batch_item_is_its_own() -> None:
    """Answer the other items of a batch although one has met a fault of ours."""
    items = [
        {"operation": "getAccounts", "params": {"spaceId": space}}
        for space in ("well", "broken", "well")
    ]
    async with _client(Stub()) as client:
        answer = await client.post("/v1/batch", json={"operations": items})

    assert 200 == answer.status_code
    assert [200, 500, 200] == [item["status"] for item in answer.json()["results"]]
    assert SECRET not in answer.text


async def test_service_is_closed_with_the_application() -> None:
    """Close the service when the application ends."""
    stub = Stub()
    async with _client(stub) as client:
        ready = await client.get("/readyz")
        open_meanwhile = not stub.closed

    assert {"status": "ready"} == ready.json()
    assert (True, True) == (open_meanwhile, stub.closed)


async def test_documented_operations_and_those_that_answer_are_the_same() -> None:
    """Every operation that OpenAPI shows is answered past FastAPI's routing, and no other path."""
    app = create_app(_never)
    shown = {p for p in app.openapi()["paths"] if p.startswith("/v1/operations/")}

    assert shown == set(ANSWERS)


async def test_another_method_on_an_operation_is_refused_by_the_application() -> None:
    """Answer 405 to a GET of an operation: only its POST is answered directly."""
    async with _client(Stub()) as client:
        answer = await client.get("/v1/operations/getAccounts")

    assert 405 == answer.status_code
    assert "application/problem+json" == answer.headers["content-type"]


async def _never() -> Service:
    raise AssertionError("nothing is opened")
