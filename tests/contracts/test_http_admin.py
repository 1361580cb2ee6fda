"""The operator's side of the HTTP interface."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from models import ModelRegistry, SelectionModel
from orchestrator.domain import Provider
from orchestrator.provider_registry import REGISTRY
from tests.support.system import System, by_provider, running_system

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROVIDER = {
    "configured",
    "circuitState",
    "circuits",
    "successRate24h",
    "attempts24h",
    "avgResponseTimeMs",
    "p50Ms",
    "p95Ms",
    "p99Ms",
    "lastError",
    "rateLimit",
}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """One system for the whole module."""
    async with running_system(tmp_path_factory.mktemp("admin")) as running:
        yield running


async def test_stats_have_the_members_of_the_contract(system: System) -> None:
    """List all five providers with every figure, and failovers, changes, model and log beside."""
    await system.link("stats")
    stats = await system.stats()

    assert {
        "generatedAt",
        "providers",
        "failover",
        "circuitChanges",
        "model",
        "attemptLog",
        "jobs",
    } == set(stats)
    assert list(REGISTRY) == list(stats["providers"])
    assert set(Provider) <= set(stats["providers"])
    assert all(PROVIDER == set(shown) for shown in stats["providers"].values())
    assert {"remainingRatio", "throttled24h"} == set(stats["providers"]["plaid"]["rateLimit"])
    assert {"requests24h", "failovers24h", "rate24h"} == set(stats["failover"])
    assert {"version", "policy", "trainedAt", "trial", "driftAlarms"} == set(stats["model"])
    assert {"rows", "pending", "lost"} == set(stats["attemptLog"])


async def test_stats_count_what_has_happened(system: System) -> None:
    """Count attempts and requests, and give null where nothing was measured."""
    before = await system.stats()
    await system.call("createLink", {"spaceId": "count"})
    after = await system.stats()
    unused = after["providers"]["bitso"]

    assert 1 == (
        after["providers"]["plaid"]["attempts24h"] - before["providers"]["plaid"]["attempts24h"]
    )
    assert 1 == after["failover"]["requests24h"] - before["failover"]["requests24h"]
    assert 1 == after["attemptLog"]["rows"] - before["attemptLog"]["rows"]
    assert (0, None, None, True) == (
        unused["attempts24h"],
        unused["successRate24h"],
        unused["p50Ms"],
        unused["configured"],
    )


async def test_request_story_is_whole(system: System) -> None:
    """Tell of one request every candidate with its reason and every attempt with its row."""
    await system.link("story")
    await system.link("story", provider="mx", backup=True)
    await system.sandbox.put_faults({"provider": "plaid", "kind": "institution_down"})
    answer = await system.call(
        "getAccounts",
        {"spaceId": "story"},
        preferredProvider="plaid",
        headers={"X-Request-Id": "story-1"},
    )
    await system.sandbox.clear_faults()
    story = (await system.get("/admin/requests/story-1")).body
    request = story["request"]
    candidates = by_provider(request["decision"]["candidates"])

    assert "mx" == answer.body["provider"] == request["provider"]
    assert request["failoverUsed"] is True
    assert {"plaid", "mx", "finicity"} == set(candidates)
    assert "not_linked" == candidates["finicity"]["reason"]
    assert 1.0 == candidates["plaid"]["propensity"]
    assert answer.body["attempts"] == request["attempts"]
    assert [attempt["attemptId"] for attempt in answer.body["attempts"]] == [
        row["attemptId"] for row in story["attempts"]
    ]
    assert ["INSTITUTION_DOWN", None] == [row["errorCode"] for row in story["attempts"]]


async def test_unknown_request_is_not_found(system: System) -> None:
    """Answer 404 for a request that the log does not know."""
    answer = await system.get("/admin/requests/req_unknown")

    assert (404, "not_found") == (answer.status, answer.error["type"])


async def test_circuit_can_be_forced_and_handed_back(system: System) -> None:
    """Take each state that the operator may set, and note its reason as a change."""
    states = []
    for state in ("FORCED_OPEN", "FORCED_CLOSED", "AUTO"):
        answer = await system.post(
            "/admin/providers/belvo/circuit", {"state": state, "reason": f"drill {state}"}
        )
        states.append(answer.body["circuitState"])
    changes = (await system.stats())["circuitChanges"]

    assert ["FORCED_OPEN", "FORCED_CLOSED", "CLOSED"] == states
    assert [
        "operator: drill AUTO",
        "operator: drill FORCED_CLOSED",
        "operator: drill FORCED_OPEN",
    ] == [change["reason"] for change in changes if change["provider"] == "belvo"]


@pytest.mark.parametrize(
    ("provider", "body", "status"),
    [
        ("plaid", {"state": "OPEN", "reason": "x"}, 422),
        ("plaid", {"state": "AUTO"}, 422),
        ("plaid", {"state": "AUTO", "reason": "x", "more": 1}, 422),
        ("acme", {"state": "AUTO", "reason": "x"}, 404),
    ],
)
async def test_wrong_circuit_orders_are_refused(
    system: System, provider: str, body: dict[str, object], status: int
) -> None:
    """Refuse states that there are not, missing reasons, and providers that are not configured."""
    answer = await system.post(f"/admin/providers/{provider}/circuit", body)

    assert status == answer.status


async def test_attempts_are_read_with_sql(system: System) -> None:
    """Answer one SELECT over the log."""
    await system.call("createLink", {"spaceId": "sql"})
    await system.settled()
    answer = await system.post(
        "/admin/attempts/query",
        {"sql": "select operation, outcome from attempts order by started_at desc limit 1"},
    )

    assert [{"operation": "createLink", "outcome": "success"}] == answer.body["rows"]


@pytest.mark.parametrize(
    "sql",
    [
        "delete from attempts",
        "select * from read_csv('/etc/passwd')",
        "select 1; select 2",
        "select nothing from nowhere",
        "",
        7,
    ],
)
async def test_queries_beyond_one_select_are_refused(system: System, sql: object) -> None:
    """Answer 422 to a query that is not one SELECT over the log's tables."""
    answer = await system.post("/admin/attempts/query", {"sql": sql})

    assert (422, "validation") == (answer.status, answer.error["type"])


async def test_model_is_listed_activated_and_taken_up(system: System) -> None:
    """Take up a trained model when it is activated, and tell of it in the stats and decisions."""
    registry: ModelRegistry = system.service._registry
    version = registry.save(
        SelectionModel.of(
            trained_at=1_750_000_000.0,
            card={},
            table={("plaid", "createLink", "US", None): 0.9},
        )
    )
    before = await system.get("/admin/models")
    activated = await system.post(f"/admin/models/{version}/activate", {})
    stats = await system.stats()

    assert (None, [False]) == (
        before.body["active"],
        [model["active"] for model in before.body["models"]],
    )
    assert version == activated.body["active"] == stats["model"]["version"]
    assert "2025-06-15T15:06:40.000Z" == stats["model"]["trainedAt"]


async def test_unknown_model_is_not_found(system: System) -> None:
    """Answer 404 to the activation of a model that there is not."""
    answer = await system.post("/admin/models/m-unknown/activate", {})

    assert (404, "not_found") == (answer.status, answer.error["type"])


async def test_a_provider_without_credentials_has_no_circuit_to_hold(tmp_path: Path) -> None:
    """What is known and not configured is no more to be switched than what is not known."""
    async with running_system(tmp_path, providers=("plaid",)) as system:
        answer = await system.post("/admin/providers/mx/circuit", {"state": "AUTO", "reason": "x"})

    assert 404 == answer.status
