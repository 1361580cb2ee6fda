"""Every registered provider behind the whole system: linked, read and let go, over HTTP."""

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
        ended = await system.delete(f"/v1/connections/{linked.connection_id}")
        after = await system.call("getAccounts", {"spaceId": "space_1"})

    assert institution.institution_id == linked.institution_id
    assert {institution.institution_id} == {
        row["institutionId"] for row in accounts.data["accounts"]
    }
    assert synced.data["transactions"]
    assert {row["accountId"] for row in synced.data["transactions"]} <= {
        row["accountId"] for row in accounts.data["accounts"]
    }
    assert stats["providers"][provider]["configured"]
    assert [204, 404] == [ended.status, after.status]
