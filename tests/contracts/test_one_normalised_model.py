"""The same movement of a bank has one meaning, whichever provider tells it."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from orchestrator.domain import TransactionCategory
from tests.support.system import System, running_system

SAID_ALIKE = ("accountId", "amount", "direction", "currency", "category")
OUTER = {"startDate": "2025-12-01", "endDate": "2026-03-10"}
INNER = ("2025-12-20", "2026-02-20")
"""Vendors may file a movement under days that are some apart, so the edges are not compared."""
HOMES = [
    ("ins_chase", "US", ("plaid", "mx", "finicity")),
    ("ins_citi", "US", ("plaid", "mx", "finicity")),
    ("ins_capital_one", "US", ("plaid", "mx", "finicity")),
    ("ins_bbva_mx", "MX", ("belvo", "mx")),
    ("ins_banorte_mx", "MX", ("belvo", "mx")),
]


async def told(system: System, provider: str) -> list[Any]:
    """All posted movements of the space, through one provider."""
    answer = await system.call(
        "syncTransactions", {"spaceId": "space_1", **OUTER}, preferredProvider=provider
    )

    assert provider == answer.body["provider"]
    assert not answer.data["hasMore"]

    return [row for row in answer.data["transactions"] if not row["pending"]]


def meanings(rows: list[Any]) -> Counter[tuple[str, ...]]:
    """What each says, apart from names and days."""
    return Counter(tuple(row[name] for name in SAID_ALIKE) for row in rows)


def inner(rows: list[Any]) -> list[Any]:
    """Those that no provider can have filed outside of what was asked for."""
    return [row for row in rows if INNER[0] <= row["date"] <= INNER[1]]


@pytest.mark.parametrize(("bank", "region", "providers"), HOMES)
async def test_a_movement_means_the_same_through_every_provider(
    bank: str, region: str, providers: tuple[str, ...], tmp_path: Path
) -> None:
    """Account, amount, direction, currency and category of each row are found at the others too."""
    async with running_system(tmp_path, providers=providers) as system:
        for number, provider in enumerate(providers):
            await system.link("space_1", bank, provider, region, "user-1", backup=number > 0)
        for provider in providers:
            await system.call("getAccounts", {"spaceId": "space_1"}, preferredProvider=provider)
        rows = {provider: await told(system, provider) for provider in providers}

    for one in providers:
        assert len(inner(rows[one])) > 60
        for other in providers:
            assert Counter() == meanings(inner(rows[one])) - meanings(rows[other]), (one, other)
    assert {TransactionCategory.FOOD_AND_DRINK, TransactionCategory.TRANSFER} < {
        row["category"] for row in rows[providers[0]]
    }
