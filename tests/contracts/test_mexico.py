"""The same story in Mexico: Belvo first, MX Technologies behind it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sandbox.options import SandboxOptions
from tests.support.configurations import NO_WAITING
from tests.support.system import Answer, System, by_provider, running_system

BANK = "ins_bbva_mx"
BELVO_DOWN = {"provider": "belvo", "operation": "*", "kind": "down"}
WHEN_STALE = f"""{NO_WAITING}
[providers.belvo.options]
retrieval = "when_stale"
refresh_after_hours = "0"
background = ""
"""


@pytest_asyncio.fixture
async def system(tmp_path: Path) -> AsyncIterator[System]:
    """A system of the test's own."""
    async with running_system(tmp_path, config=NO_WAITING) as running:
        yield running


async def linked_twice(system: System, space: str = "space_mx") -> None:
    """A customer who has linked the bank through both, and whose accounts were read."""
    await system.link(space, BANK, "belvo", "MX")
    await system.link(space, BANK, "mx", "MX", backup=True)
    for provider in ("belvo", "mx"):
        await accounts(system, space, provider)


async def accounts(system: System, space: str = "space_mx", provider: str = "belvo") -> Answer:
    """The space's accounts."""
    return await system.call("getAccounts", {"spaceId": space}, preferredProvider=provider)


def way(answer: Answer) -> list[tuple[str, str]]:
    """Who was tried, and what came of it."""
    return [(attempt["provider"], attempt["outcome"]) for attempt in answer.body["attempts"]]


def state(stats: dict[str, Any], provider: str = "belvo") -> str:
    """The provider's own circuit."""
    return str(stats["providers"][provider]["circuitState"])


async def test_belvo_comes_first_in_mexico_and_mx_next(system: System) -> None:
    """Providers without an id for the bank, or of another region, are no candidates."""
    made = await system.call(
        "createLink", {"spaceId": "space_mx", "institutionId": BANK}, region="MX"
    )
    candidates = made.body["decision"]["candidates"]

    assert (made.data["provider"], made.data["linkType"]) == ("belvo", "widget_token")
    assert [one["provider"] for one in candidates if one["eligible"]] == ["belvo", "mx"]


async def test_outage_failover_and_recovery(system: System) -> None:
    """MX answers while Belvo is down, alone once its circuit is open, until a probe has worked."""
    await linked_twice(system)
    before = (await accounts(system)).data["accounts"]
    await system.sandbox.put_faults(BELVO_DOWN)
    down = [await accounts(system) for _ in range(5)]
    opened = state(await system.stats())
    skipped = await accounts(system)
    await system.sandbox.clear_faults()
    system.clock.jump(60.0)
    probes = [await accounts(system) for _ in range(2)]
    closed = state(await system.stats())

    assert all(way(one) == [("belvo", "provider_down"), ("mx", "success")] for one in down)
    assert all(one.body["failoverUsed"] for one in down)
    assert {row["accountId"] for row in down[0].data["accounts"]} == {
        row["accountId"] for row in before
    }
    assert {row["currency"] for row in before} == {"MXN"}
    assert opened == "OPEN"
    assert way(skipped) == [("mx", "success")]
    assert by_provider(skipped.body["decision"]["candidates"])["belvo"]["reason"] == "circuit_open"
    assert [way(one) for one in probes] == [[("belvo", "success")]] * 2
    assert closed == "CLOSED"


async def test_balances_agree_through_both(system: System) -> None:
    """The same account has one id and one balance, whoever tells it."""
    await linked_twice(system)
    told = [
        {
            row["accountId"]: (row["mask"], row["type"], row["balances"]["current"])
            for row in (await accounts(system, provider=provider)).data["accounts"]
        }
        for provider in ("belvo", "mx")
    ]

    assert told[0] == told[1]


async def test_movements_fail_over_and_agree(system: System) -> None:
    """What Belvo told of an account MX tells too: the same amounts, with money out negative."""
    await linked_twice(system)
    account_id = (await accounts(system)).data["accounts"][0]["accountId"]
    params = {"spaceId": "space_mx", "accountId": account_id}
    through_belvo = await system.call("syncTransactions", params)
    await system.sandbox.put_faults(BELVO_DOWN)
    through_mx = await system.call("syncTransactions", params)

    def amounts(answer: Answer) -> list[tuple[str, str]]:
        return sorted(
            (row["date"], row["amount"])
            for row in answer.data["transactions"]
            if not row["pending"]
        )

    assert (through_belvo.body["provider"], through_mx.body["provider"]) == ("belvo", "mx")
    assert through_mx.body["failoverUsed"]
    assert {amount for _, amount in amounts(through_belvo)} & {
        amount for _, amount in amounts(through_mx)
    }
    assert {row["accountId"] for row in through_mx.data["transactions"]} == {account_id}
    assert any(row["amount"].startswith("-") for row in through_belvo.data["transactions"])


async def test_a_link_fails_over(system: System) -> None:
    """A customer who links while Belvo is down is led to MX's page."""
    await system.sandbox.put_faults(BELVO_DOWN)
    made = await system.call("createLink", {"spaceId": "s", "institutionId": BANK}, region="MX")

    assert way(made) == [("belvo", "provider_down"), ("mx", "success")]
    assert made.data["linkType"] == "hosted_url"


async def test_a_bank_that_is_down_at_belvo_opens_its_own_circuit_alone(system: System) -> None:
    """Other banks are asked at Belvo as before."""
    await linked_twice(system)
    await system.link("space_2", "ins_banorte_mx", "belvo", "MX")
    await system.sandbox.put_faults(
        {"provider": "belvo", "kind": "institution_down", "institutionId": BANK}
    )
    for _ in range(5):
        await accounts(system)
    here, there = await accounts(system), await accounts(system, "space_2")
    belvo = (await system.stats())["providers"]["belvo"]

    assert (way(here), way(there)) == ([("mx", "success")], [("belvo", "success")])
    assert belvo["circuitState"] == "CLOSED"
    assert [one["scope"] for one in belvo["circuits"]] == [f"institution:{BANK}"]


@pytest.mark.parametrize("code", ["token_required", "invalid_link", "unconfirmed_link"])
async def test_a_link_that_waits_for_its_user_says_what_to_do(system: System, code: str) -> None:
    """424 with the user's part, no circuit, old data where wanted, and a repair that ends it."""
    linked = await system.link("alone", BANK, "belvo", "MX")
    await accounts(system, "alone")
    await system.sandbox.put_faults({"provider": "belvo", "kind": "error", "errorCode": code})
    failed = await accounts(system, "alone")
    old = await system.call("getAccounts", {"spaceId": "alone", "allowStale": True})
    await system.sandbox.clear_faults()
    params = await system.played(
        {"spaceId": "alone", "institutionId": BANK, "connectionId": linked.connection_id},
        region="MX",
    )
    mended = (await system.exchange(params)).data
    after = await accounts(system, "alone")

    assert (failed.status, failed.error["type"], failed.error["code"]) == (424, "auth", code)
    assert "createLink with connectionId" in failed.error["userAction"]
    assert state(await system.stats()) == "CLOSED"
    assert (len(old.data["accounts"]) > 0, old.data["stale"]) == (True, True)
    assert mended["connectionId"] == linked.connection_id
    assert (way(after), after.data["stale"]) == ([("belvo", "success")], False)


def at_the_bank(system: System, **options: Any) -> None:
    """Have Belvo's banks behave like this from now on."""
    system.sandbox.sandbox.vendors["belvo"].options = SandboxOptions(**options)


async def test_a_code_that_the_bank_asks_for_stops_failover(tmp_path: Path) -> None:
    """Where the bank is read first, its question to the user is the answer, and nobody's fault."""
    async with running_system(tmp_path, config=WHEN_STALE) as system:
        await linked_twice(system)
        at_the_bank(system, belvo_asks_code=True)
        answer = await accounts(system)
        again = await accounts(system)
        stats = await system.stats()

    assert way(answer) == [("belvo", "auth")]
    assert (answer.status, answer.error["code"]) == (424, "token_required")
    assert "one-time code" in answer.error["userAction"]
    assert again.status != 500
    assert state(stats) == "CLOSED"
    assert stats["providers"]["belvo"]["circuits"] == []


async def test_a_bank_that_is_slow_at_belvo_is_read_through_mx(tmp_path: Path) -> None:
    """408 on half of the window, too, is the bank's, as seen from Belvo: MX may be quicker."""
    async with running_system(tmp_path, config=WHEN_STALE) as system:
        await linked_twice(system)
        at_the_bank(system, belvo_widest_days=5)
        answer = await system.call("syncTransactions", {"spaceId": "space_mx"})

    assert way(answer) == [("belvo", "provider_down"), ("mx", "success")]
    assert (
        answer.body["attempts"][0]["errorCode"],
        answer.body["attempts"][0]["errorScope"],
    ) == ("request_timeout", "institution")


async def test_a_connection_ends_at_belvo_too(system: System) -> None:
    """Deleting revokes the link there; what is gone already is no failure."""
    linked = await system.link("space_mx", BANK, "belvo", "MX")
    links = [one.connection_id for one in system.sandbox.sandbox.connections.of("belvo")]
    answer = await system.delete(f"/v1/connections/{linked.connection_id}")

    assert len(links) == 1
    assert answer.status in (200, 204)
    assert system.sandbox.sandbox.connections.of("belvo") == []
