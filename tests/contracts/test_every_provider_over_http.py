"""Every registered provider behind the whole system: linked, read and let go, over HTTP."""

import asyncio
from pathlib import Path

import pytest
from provider_contract import institution_at

from orchestrator.provider_registry import REGISTRY
from tests.support.system import running_system

PROVIDERS = [spec.name for spec in REGISTRY.values() if spec.module is not None]


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_provider_serves_all_operations_over_http(provider: str, tmp_path: Path) -> None:
    """Link, exchange, accounts, movements and the end, at a bank that the provider covers."""
    institution = institution_at(provider)
    config = f'[regions]\n{institution.region} = ["{provider}"]\n'
    async with running_system(tmp_path, config=config, providers=(provider,)) as system:
        linked = await system.link(
            "space_1", institution.institution_id, provider, institution.region
        )
        accounts = await system.call("getAccounts", {"spaceId": "space_1"})
        synced = await system.call("syncTransactions", {"spaceId": "space_1"})
        stats = await system.stats()
        listed = await system.get("/v1/spaces/space_1/connections")
        ended = await system.delete(f"/v1/connections/{linked.connection_id}")
        after = await system.call("getAccounts", {"spaceId": "space_1"})
        left = await system.get("/v1/spaces/space_1/connections")
        kept = await system.vault.credential(linked.connection_id)

    assert institution.institution_id == linked.institution_id
    assert {institution.institution_id} == {
        row["institutionId"] for row in accounts.data["accounts"]
    }
    assert synced.data["transactions"]
    assert {row["accountId"] for row in synced.data["transactions"]} <= {
        row["accountId"] for row in accounts.data["accounts"]
    }
    assert stats["providers"][provider]["configured"]
    assert [(linked.connection_id, provider, "active")] == [
        (one["connectionId"], one["provider"], one["status"]) for one in listed.body["connections"]
    ]
    assert {row["accountId"] for row in accounts.data["accounts"]} == set(
        listed.body["connections"][0]["accountIds"]
    )
    assert [204, 404] == [ended.status, after.status]
    assert [] == left.body["connections"]
    assert kept is None


@pytest.mark.parametrize("provider", ["mx", "finicity", "bitso"])
async def test_one_login_linked_twice_at_one_moment_is_one_connection(
    provider: str, tmp_path: Path
) -> None:
    """Two sessions that end at the same login answer with one connection, which works."""
    institution = institution_at(provider)
    asked = {"spaceId": "space_1", "institutionId": institution.institution_id}
    async with running_system(tmp_path, providers=(provider,)) as system:
        both = [await system.played(asked, region=institution.region) for _ in range(2)]
        if provider == "bitso":
            both[1]["temporaryToken"] = both[0]["temporaryToken"]
        ends = await asyncio.gather(*(system.exchange(params) for params in both))
        listed = await system.get("/v1/spaces/space_1/connections")
        read = await system.call("getAccounts", {"spaceId": "space_1"})

    assert len({one.data["connectionId"] for one in ends}) == 1
    assert len(listed.body["connections"]) == 1
    assert read.data["accounts"]


@pytest.mark.parametrize("provider", ["plaid", "finicity"])
async def test_a_connection_is_where_its_user_has_linked(provider: str, tmp_path: Path) -> None:
    """The bank that the vendor names counts, where the widget lets the user choose another one."""
    async with running_system(tmp_path, providers=(provider,)) as system:
        made = (
            await system.call("createLink", {"spaceId": "space_1", "institutionId": "ins_chase"})
        ).data
        token = await system.sandbox.complete(
            token=made["linkToken"], url=made["linkUrl"], institution_id="ins_citi"
        )
        exchanged = await system.exchange(
            {
                "spaceId": "space_1",
                "linkSessionId": made["linkSessionId"],
                "temporaryToken": token,
            }
        )
        read = await system.call("getAccounts", {"spaceId": "space_1"})

    assert "ins_citi" == exchanged.data["institutionId"]
    assert {"ins_citi"} == {row["institutionId"] for row in read.data["accounts"]}
