"""Limits, places, the call budget and hedges, as callers and vendors see them."""

import asyncio
import time
from pathlib import Path
from typing import Any

from tests.support.system import Answer, System, running_system

PRIORITY = '[selection]\npolicy = "priority"\n'


async def accounts(system: System, space: str = "space_1", **envelope: object) -> Answer:
    """Read a space's accounts."""
    return await system.call("getAccounts", {"spaceId": space}, **envelope)


def shown(answer: Answer) -> list[dict[str, Any]]:
    """The attempts that an answer tells of."""
    attempts: list[dict[str, Any]] = answer.body["attempts"]
    return attempts


async def test_reads_beyond_a_limit_wait_their_turn_and_no_vendor_is_hammered(
    tmp_path: Path,
) -> None:
    """All are answered, each with the wait that it had, and MX is sent two calls a second."""
    config = f"{PRIORITY}[providers.mx.limits]\nscale = 0.001\n"
    async with running_system(tmp_path, config=config, providers=("mx",)) as system:
        for number in range(2):
            await system.link(f"space_{number}", provider="mx")
        began = time.monotonic()
        answers = await asyncio.gather(
            *(accounts(system, f"space_{number % 2}", deadlineMs=30_000) for number in range(4))
        )
        took_s = time.monotonic() - began
        rows = await system.sql(
            "select outcome, http_calls from attempts where operation = 'getAccounts'"
        )

    assert [200] * 4 == [answer.status for answer in answers]
    waits = sorted(shown(answer)[0]["waitedMs"] for answer in answers)
    assert waits[0] < waits[-1] <= took_s * 1000
    assert {"success"} == {row["outcome"] for row in rows}
    assert took_s >= sum(row["http_calls"] for row in rows) / 2 - 1.5


async def test_a_bank_that_never_answers_leaves_places_for_other_banks(tmp_path: Path) -> None:
    """Its own callers fill its share, and another bank's customer is served at once."""
    config = (
        f"{PRIORITY}[requests]\nmax_in_flight = 8\ncall_timeout_ms = 3000\n"
        "attempt_timeout_ms = 3000\n"
    )
    async with running_system(tmp_path, config=config, providers=("plaid",)) as system:
        await system.link("chase")
        await system.link("citi", "ins_citi")
        await system.sandbox.put_faults(
            {
                "provider": "plaid",
                "operation": "getAccounts",
                "institutionId": "ins_chase",
                "kind": "timeout",
            }
        )
        hung = [asyncio.create_task(accounts(system, "chase", deadlineMs=1500)) for _ in range(12)]
        await asyncio.sleep(0.3)
        began = time.monotonic()
        other = await accounts(system, "citi", deadlineMs=1000)
        took_s = time.monotonic() - began
        answers = await asyncio.gather(*hung)

    assert 200 == other.status
    assert took_s < 0.9
    assert {429, 504} >= {answer.status for answer in answers}
    assert sum(len(shown(answer)) for answer in answers) <= 4


async def test_a_failing_provider_is_not_sent_a_storm_of_retries(tmp_path: Path) -> None:
    """In any minute attempts ≤ 1.2 x requests + 3, though each request would like a second one."""
    config = (
        f"{PRIORITY}[breaker]\nfailure_threshold = 1000\n"
        "[requests]\nretry_base_ms = 1\nretry_cap_ms = 1\n"
    )
    async with running_system(tmp_path, config=config, providers=("plaid",)) as system:
        await system.link("space_1")
        await system.sandbox.put_faults({"provider": "plaid", "kind": "down"})
        before = await system.calls("plaid", "getAccounts")
        answers = [await accounts(system) for _ in range(30)]
        sent = await system.calls("plaid", "getAccounts") - before

    assert {503} == {answer.status for answer in answers}
    assert 30 < sent <= 1.2 * 30 + 3
    assert {1, 2} == {len(shown(answer)) for answer in answers}


async def test_a_slow_read_is_answered_by_the_next_provider(tmp_path: Path) -> None:
    """Once a provider's usual time is over; what was given up is told, and blamed on nobody."""
    config = f"{PRIORITY}[requests]\nhedge = true\n"
    async with running_system(tmp_path, config=config) as system:
        await system.link("space_1")
        await system.link("space_1", provider="mx", backup=True)
        for provider in ("plaid", "mx"):
            await accounts(system, preferredProvider=provider)
        for _ in range(20):
            await accounts(system)
        await system.sandbox.put_faults(
            {"provider": "plaid", "operation": "getAccounts", "kind": "slow", "latencyMs": 5000}
        )
        began = time.monotonic()
        answer = await accounts(system)
        took_s = time.monotonic() - began
        await asyncio.sleep(0.1)
        request_id = answer.body["requestId"]
        rows = await system.sql(
            "select provider, hedge, failover, coalesce(error_code, outcome) as told, "
            "http_calls > 0 as sent, "
            f"node_id is not null as own from attempts where request_id = '{request_id}' "
            "order by attempt_number"
        )
        states = await system.stats()

    assert (200, "mx", True) == (
        answer.status,
        answer.body["provider"],
        answer.body["failoverUsed"],
    )
    assert took_s < 3.0
    assert [
        ("plaid", "network", "OUTRUN", "request", False),
        ("mx", "success", None, None, True),
    ] == [
        (each["provider"], each["outcome"], each["errorCode"], each["errorScope"], each["hedge"])
        for each in shown(answer)
    ]
    assert [
        ("plaid", False, False, "OUTRUN", True, True),
        ("mx", True, True, "success", True, True),
    ] == [
        (row["provider"], row["hedge"], row["failover"], row["told"], row["sent"], row["own"])
        for row in rows
    ]
    assert ("CLOSED", 1.0) == (
        states["providers"]["plaid"]["circuitState"],
        states["providers"]["plaid"]["successRate24h"],
    )


async def test_a_full_queue_is_told_as_our_own(tmp_path: Path) -> None:
    """429 `overloaded` with a time to come back, where the request was never sent."""
    config = (
        f"{PRIORITY}[requests]\nmax_in_flight = 1\nmax_waiting = 1\ncall_timeout_ms = 2000\n"
        "attempt_timeout_ms = 2000\n"
    )
    async with running_system(tmp_path, config=config, providers=("plaid",)) as system:
        await system.link("space_1")
        await system.sandbox.put_faults(
            {"provider": "plaid", "operation": "getAccounts", "kind": "timeout"}
        )
        others = [asyncio.create_task(accounts(system, deadlineMs=1500)) for _ in range(2)]
        await asyncio.sleep(0.3)
        answer = await accounts(system, deadlineMs=500)
        await asyncio.gather(*others)

    assert (429, "overloaded", "QUEUE_FULL") == (
        answer.status,
        answer.error["type"],
        answer.error["code"],
    )
    assert "retry-after" in answer.headers
    assert [] == answer.body["attempts"]
