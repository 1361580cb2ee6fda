"""Keys that Finicity refuses: one authentication, an open circuit, and an operator who mends it."""

import asyncio
from pathlib import Path

from tests.support.configurations import NO_WAITING
from tests.support.system import System, running_system

READ = {"spaceId": "space_1"}
LINK = {"spaceId": "space_1", "institutionId": "ins_chase"}
BAD_KEYS = {"provider": "finicity", "operation": "auth", "kind": "bad_keys"}
A_DAY_S = 86_400.0


async def authentications(system: System) -> int:
    """How many authentications the vendor has seen."""
    return await system.calls("finicity", "auth")


async def hand_back(system: System, state: str = "AUTO") -> None:
    """The operator's switch."""
    body = {"state": state, "reason": "keys mended"}
    await system.post("/admin/providers/finicity/circuit", body)


async def test_wrong_keys_cost_one_authentication_until_an_operator_says_so(
    tmp_path: Path,
) -> None:
    """No request, no waiting, no forcing of the circuit sends another; each AUTO allows one."""
    wrong = {"FINICITY_PARTNER_SECRET": "wrong"}
    async with running_system(
        tmp_path, config=NO_WAITING, providers=("finicity",), environment=wrong
    ) as system:
        first = await system.call("createLink", LINK)
        at_first = await authentications(system)
        for _ in range(3):
            await asyncio.gather(*(system.call("createLink", LINK) for _ in range(5)))
            system.clock.jump(A_DAY_S)
        await hand_back(system, "FORCED_CLOSED")
        forced = await system.call("createLink", LINK)
        unchanged = await authentications(system)
        state = (await system.get("/admin/stats")).body["providers"]["finicity"]["circuitState"]
        counts = []
        for _ in range(2):
            await hand_back(system)
            await system.call("createLink", LINK)
            await system.call("createLink", LINK)
            counts.append(await authentications(system))
        reopened = (await system.get("/admin/stats")).body["providers"]["finicity"]["circuitState"]

    assert (503, "auth", "10001") == (first.status, first.error["type"], first.error["code"])
    assert (1, 1) == (at_first, unchanged)
    assert (503, "auth", "FORCED_CLOSED") == (forced.status, forced.error["type"], state)
    assert ([2, 3], "OPEN") == (counts, reopened)


async def test_mended_keys_work_after_the_operators_word(tmp_path: Path) -> None:
    """And not before, however long it takes."""
    async with running_system(tmp_path, config=NO_WAITING, providers=("finicity",)) as system:
        await system.link("space_1", provider="finicity")
        await system.sandbox.put_faults(BAD_KEYS)
        system.clock.jump(A_DAY_S)
        refused = await system.call("getAccounts", READ)
        await system.sandbox.clear_faults()
        system.clock.jump(A_DAY_S)
        skipped = await system.call("getAccounts", READ)
        await hand_back(system)
        read = await system.call("getAccounts", READ)

    assert (503, 503) == (refused.status, skipped.status)
    assert ("10001", []) == (refused.error["code"], skipped.body["attempts"])
    assert read.data["accounts"]


async def test_refused_keys_move_link_sessions_elsewhere(tmp_path: Path) -> None:
    """Our trouble at one provider is not the caller's; the others serve on."""
    async with running_system(tmp_path, config=NO_WAITING) as system:
        await system.sandbox.put_faults(BAD_KEYS)
        answers = [
            await system.call("createLink", LINK, preferredProvider="finicity") for _ in range(8)
        ]
        seen = await authentications(system)

    assert {200} == {answer.status for answer in answers}
    assert [("finicity", "auth"), ("plaid", "success")] == [
        (attempt["provider"], attempt["outcome"]) for attempt in answers[0].body["attempts"]
    ]
    assert 1 == seen


async def test_a_revocation_sends_no_refused_keys(tmp_path: Path) -> None:
    """It does not ask the circuit, so the adapter itself holds back."""
    async with running_system(tmp_path, config=NO_WAITING, providers=("finicity",)) as system:
        linked = await system.link("space_1", provider="finicity")
        await system.sandbox.put_faults(BAD_KEYS)
        system.clock.jump(A_DAY_S)
        await system.call("getAccounts", READ)
        before = await authentications(system)
        answers = [await system.delete(f"/v1/connections/{linked.connection_id}") for _ in range(3)]
        after = await authentications(system)

    assert before == after == 2
    assert all(answer.status >= 400 for answer in answers)


async def test_many_requests_at_once_share_one_authentication(tmp_path: Path) -> None:
    """A fresh start under load asks for one token; each attempt has its row."""
    async with running_system(tmp_path, config=NO_WAITING, providers=("finicity",)) as system:
        answers = await asyncio.gather(
            *(
                system.call("createLink", {**LINK, "spaceId": f"space_{number}"})
                for number in range(40)
            )
        )
        seen = await authentications(system)
        rows = await system.sql("select http_calls from attempts order by http_calls desc")

    assert {200} == {answer.status for answer in answers}
    assert 1 == seen
    assert [3] + [2] * 39 == [row["http_calls"] for row in rows]


async def test_an_outage_of_authentication_heals_by_itself(tmp_path: Path) -> None:
    """A 503 says nothing of our keys: the circuit probes, and the provider is back."""
    async with running_system(tmp_path, config=NO_WAITING, providers=("finicity",)) as system:
        await system.sandbox.put_faults({**BAD_KEYS, "kind": "down"})
        down = [(await system.call("createLink", LINK)).status for _ in range(6)]
        await system.sandbox.clear_faults()
        system.clock.jump(61.0)
        back = [(await system.call("createLink", LINK)).status for _ in range(2)]

    assert ([503] * 6, [200, 200]) == (down, back)
