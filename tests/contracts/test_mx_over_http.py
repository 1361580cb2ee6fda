"""MX within the whole system: what callers see of its members, its refusals and its settings."""

from pathlib import Path

import pytest

from tests.support.configurations import NO_WAITING
from tests.support.system import Answer, System, running_system

NO_WAIT_AT_MX = f"""{NO_WAITING}
[providers.mx.options]
refresh_wait_s = "0"
"""
OURS_IS_DISABLED = NO_WAIT_AT_MX + 'disabled_scope = "client"\n'


async def fault(system: System, code: str, operation: str) -> None:
    """Let MX answer one operation with one of its codes."""
    row = {"provider": "mx", "operation": operation, "kind": "error", "errorCode": code}
    await system.sandbox.put_faults(row)


def way(answer: Answer) -> list[tuple[str, str, str | None, str | None]]:
    """Provider, outcome, scope and code of each attempt."""
    return [
        (row["provider"], row["outcome"], row["errorScope"], row["errorCode"])
        for row in answer.body["attempts"]
    ]


@pytest.mark.parametrize(
    ("config", "scope", "status", "state"),
    [(NO_WAIT_AT_MX, "connection", 424, "CLOSED"), (OURS_IS_DISABLED, "client", 503, "OPEN")],
)
async def test_disabled_is_the_users_or_ours_as_it_is_set(
    tmp_path: Path, config: str, scope: str, status: int, state: str
) -> None:
    """One reading asks the user, the other takes MX out at once."""
    async with running_system(tmp_path, config=config, providers=("mx",)) as system:
        await system.link("space_1", provider="mx")
        await fault(system, "DISABLED", "getAccounts")
        answer = await system.call("getAccounts", {"spaceId": "space_1"})
        circuit = (await system.get("/admin/stats")).body["providers"]["mx"]["circuitState"]

    assert [("mx", "auth", scope, "DISABLED")] == way(answer)
    assert (status, state) == (answer.status, circuit)


async def test_old_data_of_a_broken_login_come_to_who_takes_them(tmp_path: Path) -> None:
    """DENIED is 424 with what the user must do; with `allowStale` it is the old data."""
    async with running_system(tmp_path, config=NO_WAIT_AT_MX, providers=("mx",)) as system:
        await system.link("space_1", provider="mx")
        await fault(system, "DENIED", "*")
        refused = [
            await system.call(operation, {"spaceId": "space_1"})
            for operation in ("getAccounts", "syncTransactions")
        ]
        taken = [
            (await system.call(operation, {"spaceId": "space_1", "allowStale": True})).data
            for operation in ("getAccounts", "syncTransactions")
        ]

    assert [424, 424] == [answer.status for answer in refused]
    assert all("createLink" in answer.error["userAction"] for answer in refused)
    assert [True, True] == [data["stale"] for data in taken]
    assert taken[0]["accounts"]
    assert taken[1]["transactions"]


async def test_a_job_that_is_not_ready_in_time_is_a_stale_success(tmp_path: Path) -> None:
    """Data of the day before yesterday are asked for; without time to wait they are told as old."""
    async with running_system(tmp_path, config=NO_WAIT_AT_MX, providers=("mx",)) as system:
        await system.link("space_1", provider="mx")
        fresh = (await system.call("getAccounts", {"spaceId": "space_1"})).data
        system.clock.jump(2 * 86_400.0)
        old = await system.call("getAccounts", {"spaceId": "space_1"})
        calls = (await system.sandbox.calls())["mx", "getAccounts"]

    assert (False, True) == (fresh["stale"], old.data["stale"])
    assert [("mx", "success", None, None)] == way(old)
    assert (2, 2 + 3) == (calls["count"], calls["httpCalls"])  # the second asks, too
