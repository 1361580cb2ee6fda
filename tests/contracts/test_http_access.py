"""Who may call: API keys, admin keys, and keys that are bound to spaces."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.system import System, running_system

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADMIN = {"Authorization": "Bearer admin-key"}
CALLER = {"Authorization": "Bearer api-key"}
BOUND = {"Authorization": "Bearer bound-key"}
V1 = (
    ("POST", "/v1/operations/getAccounts"),
    ("POST", "/v1/operations/unknown"),
    ("POST", "/v1/batch"),
    ("GET", "/v1/spaces/space_1/connections"),
    ("DELETE", "/v1/connections/conn_1"),
    ("GET", "/v1/institutions"),
)
ADMIN_PATHS = (
    ("GET", "/admin/stats"),
    ("GET", "/admin/requests/req_1"),
    ("POST", "/admin/providers/plaid/circuit"),
    ("POST", "/admin/attempts/query"),
    ("GET", "/admin/models"),
    ("POST", "/admin/models/m1/activate"),
)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """A system with keys of every kind."""
    keys = {
        "ORCHESTRATOR_API_KEYS": "api-key, bound-key:space_1|space_2",
        "ORCHESTRATOR_ADMIN_KEYS": "admin-key",
    }
    async with running_system(tmp_path_factory.mktemp("access"), environment=keys) as running:
        yield running


@pytest.mark.parametrize(("method", "path"), V1 + ADMIN_PATHS)
@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic api-key"}]
)
async def test_calls_without_a_known_key_are_unauthorized(
    system: System, method: str, path: str, headers: dict[str, str]
) -> None:
    """Answer 401 to a call without a known key, before anything else is looked at."""
    answer = await system.http.request(method, path, headers=headers)

    assert (401, "unauthorized") == (answer.status_code, answer.json()["error"]["type"])
    assert "Bearer" == answer.headers["www-authenticate"]


@pytest.mark.parametrize(("method", "path"), ADMIN_PATHS)
@pytest.mark.parametrize("headers", [CALLER, BOUND])
async def test_v1_keys_are_forbidden_on_admin_paths(
    system: System, method: str, path: str, headers: dict[str, str]
) -> None:
    """Answer 403 to a `/v1` key under `/admin`."""
    answer = await system.http.request(method, path, headers=headers)

    assert (403, "forbidden") == (answer.status_code, answer.json()["error"]["type"])


async def test_admin_key_works_everywhere(system: System) -> None:
    """Take the admin key under `/v1` and under `/admin`."""
    answers = [
        await system.get("/admin/stats", headers=ADMIN),
        await system.get("/v1/institutions", headers=ADMIN),
        await system.call("createLink", {"spaceId": "anyone"}, headers=ADMIN),
    ]

    assert [200, 200, 200] == [answer.status for answer in answers]


async def test_probes_are_free(system: System) -> None:
    """Answer probes without a key."""
    answers = [await system.get(path) for path in ("/healthz", "/readyz")]

    assert [200, 200] == [answer.status for answer in answers]


async def test_bound_key_sees_its_own_spaces_only(system: System) -> None:
    """Answer 404 for another space's objects, as if there were none."""
    made = await system.call("createLink", {"spaceId": "space_3"}, headers=CALLER)
    own = await system.call("createLink", {"spaceId": "space_1"}, headers=BOUND)
    others = [
        await system.call("createLink", {"spaceId": "space_3"}, headers=BOUND),
        await system.call("getAccounts", {"spaceId": "space_3"}, headers=BOUND),
        await system.get("/v1/spaces/space_3/connections", headers=BOUND),
    ]
    listed = await system.get("/v1/spaces/space_1/connections", headers=BOUND)

    assert [200, 200, 200] == [made.status, own.status, listed.status]
    assert [404, 404, 404] == [answer.status for answer in others]


async def test_bound_key_cannot_delete_what_is_not_its_own(system: System) -> None:
    """Know another space's connection neither for deleting nor for reading."""
    made = await system.call(
        "createLink",
        {"spaceId": "space_4", "institutionId": "ins_chase"},
        headers=CALLER,
    )
    token = await system.sandbox.complete(token=made.data["linkToken"])
    linked = await system.call(
        "exchangeToken",
        {
            "spaceId": "space_4",
            "linkSessionId": made.data["linkSessionId"],
            "temporaryToken": token,
        },
        headers={**CALLER, "Idempotency-Key": "k1"},
    )
    path = f"/v1/connections/{linked.data['connectionId']}"
    refused = await system.delete(path, headers=BOUND)
    done = await system.delete(path, headers=CALLER)

    assert [404, 204] == [refused.status, done.status]


async def test_idempotency_keys_count_within_an_api_key(system: System) -> None:
    """Take the same idempotency key of two callers as two keys."""
    first, second = [
        await system.call(
            "createLink", {"spaceId": "space_2"}, headers={**key, "Idempotency-Key": "shared"}
        )
        for key in (CALLER, BOUND)
    ]

    assert [200, 200] == [first.status, second.status]
    assert "idempotent-replayed" not in second.headers
    assert first.data["linkSessionId"] != second.data["linkSessionId"]


async def test_keys_take_the_place_of_loopback_names(system: System) -> None:
    """Take a foreign Host and Origin from a caller who holds a key."""
    foreign = {"Host": "api.example.com", "Origin": "https://app.example.com"}
    answer = await system.get("/v1/institutions", headers={**CALLER, **foreign})

    assert 200 == answer.status
