"""The mission's story: what happens to requests when providers fail, and what is seen of it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.system import Answer, System, running_system

PLAID_DOWN = {"provider": "plaid", "operation": "*", "kind": "down"}
FAST_RETRY = """
[selection]
policy = "priority"
[requests]
retry_base_ms = 1
retry_cap_ms = 1
"""


@pytest_asyncio.fixture
async def system(tmp_path: Path) -> AsyncIterator[System]:
    """A system of the test's own."""
    async with running_system(tmp_path, config=FAST_RETRY) as running:
        yield running


async def _linked_twice(system: System, space: str = "space_1", *, read: bool = True) -> None:
    await system.link(space)
    await system.link(space, provider="mx", backup=True)
    if read:
        for provider in ("plaid", "mx"):
            await _accounts(system, space, provider)


async def _accounts(system: System, space: str = "space_1", provider: str = "plaid") -> Answer:
    return await system.call("getAccounts", {"spaceId": space}, preferredProvider=provider)


def _way(answer: Answer) -> list[tuple[str, str]]:
    return [(attempt["provider"], attempt["outcome"]) for attempt in answer.body["attempts"]]


def _state(stats: dict[str, Any], provider: str = "plaid") -> str:
    return str(stats["providers"][provider]["circuitState"])


async def test_outage_failover_breaker_and_recovery_are_all_visible(system: System) -> None:
    """Fail over while Plaid is down, skip it once open, probe it after a minute, and close it."""
    await _linked_twice(system)
    ids_before = {row["accountId"] for row in (await _accounts(system)).data["accounts"]}
    await system.sandbox.put_faults(PLAID_DOWN)
    asked_before = await system.calls("plaid", "getAccounts")

    down = [await _accounts(system) for _ in range(5)]

    assert all([("plaid", "provider_down"), ("mx", "success")] == _way(answer) for answer in down)
    assert all(answer.body["failoverUsed"] and "mx" == answer.body["provider"] for answer in down)
    assert ids_before == {row["accountId"] for row in down[0].data["accounts"]}
    assert asked_before + 5 == await system.calls("plaid", "getAccounts")
    assert "OPEN" == _state(await system.stats())

    skipped = [await _accounts(system) for _ in range(3)]
    candidates = skipped[0].body["decision"]["candidates"]

    assert all([("mx", "success")] == _way(answer) for answer in skipped)
    assert not any(answer.body["failoverUsed"] for answer in skipped)
    assert asked_before + 5 == await system.calls("plaid", "getAccounts")
    assert ("plaid", False, "circuit_open") == tuple(
        candidates[0][name] for name in ("provider", "eligible", "reason")
    )

    await system.sandbox.clear_faults()
    system.clock.jump(60.0)
    probes = [await _accounts(system) for _ in range(2)]
    stats = await system.stats()
    changes = [
        (change["provider"], change["scope"], change["from"], change["to"])
        for change in reversed(stats["circuitChanges"])
    ]

    assert all([("plaid", "success")] == _way(answer) for answer in probes)
    assert "CLOSED" == _state(stats)
    assert [
        ("plaid", "provider", "CLOSED", "OPEN"),
        ("plaid", "provider", "OPEN", "HALF_OPEN"),
        ("plaid", "provider", "HALF_OPEN", "CLOSED"),
    ] == changes
    assert "5 consecutive failures" == stats["circuitChanges"][-1]["reason"]
    assert 5 == stats["failover"]["failovers24h"]
    assert "provider_down" == stats["providers"]["plaid"]["lastError"]["type"]

    rows = await system.sql(
        "select provider, outcome, failover, attempt_number, circuit_state, count(*)::int as n "
        "from attempts where operation = 'getAccounts' and started_at >= "
        "(select min(started_at) from attempts where outcome <> 'success') "
        "group by all order by all"
    )
    assert [
        ("mx", "success", False, 1, "CLOSED", 3),
        ("mx", "success", True, 2, "CLOSED", 5),
        ("plaid", "provider_down", False, 1, "CLOSED", 5),
        ("plaid", "success", False, 1, "HALF_OPEN", 2),
    ] == [tuple(row.values()) for row in rows]
    assert [{"n": 3}] == await system.sql(
        "select count(*)::int as n from circuit_changes where provider = 'plaid'"
    )
    assert [{"n": 5}] == await system.sql("select count(*)::int as n from requests where failover")


async def test_circuit_stays_open_until_its_minute_is_over(system: System) -> None:
    """Let nothing through to an open provider before its timeout, though it has recovered."""
    await _linked_twice(system)
    await system.sandbox.put_faults(PLAID_DOWN)
    for _ in range(5):
        await _accounts(system)
    await system.sandbox.clear_faults()
    seen = await system.calls("plaid", "getAccounts")
    system.clock.jump(55.0)
    await _accounts(system)

    assert seen == await system.calls("plaid", "getAccounts")


async def test_failed_probe_opens_the_circuit_again(system: System) -> None:
    """Send one probe after the timeout, and keep the circuit open when it fails."""
    await _linked_twice(system)
    await system.sandbox.put_faults(PLAID_DOWN)
    for _ in range(5):
        await _accounts(system)
    system.clock.jump(60.0)
    probe = await _accounts(system)
    after = await _accounts(system)

    assert [("plaid", "provider_down"), ("mx", "success")] == _way(probe)
    assert [("mx", "success")] == _way(after)
    assert "OPEN" == _state(await system.stats())


async def test_movements_fail_over_too(system: System) -> None:
    """Answer syncTransactions from the other connection, under the same account id."""
    await _linked_twice(system)
    accounts = (await _accounts(system)).data["accounts"]
    await system.sandbox.put_faults(PLAID_DOWN)
    answer = await system.call(
        "syncTransactions",
        {"spaceId": "space_1", "accountId": accounts[0]["accountId"]},
        preferredProvider="plaid",
    )

    assert (True, "mx") == (answer.body["failoverUsed"], answer.body["provider"])
    assert {accounts[0]["accountId"]} == {row["accountId"] for row in answer.data["transactions"]}


async def test_link_fails_over(system: System) -> None:
    """Make a link session at the next provider when the first is down."""
    await system.sandbox.put_faults(PLAID_DOWN)
    answer = await system.call("createLink", {"spaceId": "s", "institutionId": "ins_chase"})

    assert [("plaid", "provider_down"), ("mx", "success")] == _way(answer)
    assert answer.body["failoverUsed"] is True


async def test_connection_that_was_never_read_can_answer(system: System) -> None:
    """Fail over to a connection whose accounts were never read, once it shows the same login."""
    await _linked_twice(system, read=False)
    first = await _accounts(system)
    await system.sandbox.put_faults(PLAID_DOWN)
    answer = await _accounts(system)

    assert "mx" == answer.body["provider"]
    assert {row["accountId"] for row in first.data["accounts"]} == {
        row["accountId"] for row in answer.data["accounts"]
    }


async def test_unread_connection_to_another_login_gives_no_answer(system: System) -> None:
    """Keep the accounts of another login back, and ask that connection no more."""
    await system.link("space_1", user="ana")
    await _accounts(system)
    await system.link("space_1", provider="mx", backup=True, user="bea")
    await system.sandbox.put_faults(PLAID_DOWN)
    first = await _accounts(system)
    second = await _accounts(system)

    assert 200 != first.status
    assert ("mx", "validation") == _way(first)[-1]
    assert "accounts" not in str(first.body.get("data"))
    assert {"plaid"} == {provider for provider, _ in _way(second)}


async def test_failover_stops_at_a_final_failure(system: System) -> None:
    """Ask nobody else after a failure that another provider would only repeat."""
    await _linked_twice(system)
    seen = await system.calls("mx", "getAccounts")
    await system.sandbox.put_faults({"provider": "plaid", "kind": "validation"})
    answer = await _accounts(system)

    assert (422, "validation") == (answer.status, answer.error["type"])
    assert [("plaid", "validation")] == _way(answer)
    assert seen == await system.calls("mx", "getAccounts")


@pytest.mark.parametrize(
    ("kind", "outcome", "scope"),
    [
        ("down", "provider_down", "provider"),
        ("institution_down", "provider_down", "institution"),
        ("reset", "network", "provider"),
        ("rate_limit", "rate_limit", "connection"),
        ("malformed", "provider_down", "provider"),
    ],
)
async def test_failover_goes_on_after_retryable_failures(
    system: System, kind: str, outcome: str, scope: str
) -> None:
    """Ask the next candidate after every failure that may be repeated, naming class and scope."""
    await _linked_twice(system)
    await system.sandbox.put_faults({"provider": "plaid", "kind": kind})
    answer = await _accounts(system)

    assert [("plaid", outcome), ("mx", "success")] == _way(answer)
    assert scope == answer.body["attempts"][0]["errorScope"]
    assert answer.body["failoverUsed"] is True


@pytest.mark.parametrize("operation", ["getAccounts", "syncTransactions"])
async def test_empty_answer_after_data_is_a_failure(system: System, operation: str) -> None:
    """Fail over from a provider that answers nothing where it showed data before."""
    await _linked_twice(system)
    await system.call(operation, {"spaceId": "space_1"}, preferredProvider="plaid")
    await system.sandbox.put_faults({"provider": "plaid", "kind": "empty"})
    answer = await system.call(operation, {"spaceId": "space_1"}, preferredProvider="plaid")

    assert [("plaid", "provider_down"), ("mx", "success")] == _way(answer)
    assert ("WRONG_SUCCESS_EMPTY", "institution") == tuple(
        answer.body["attempts"][0][name] for name in ("errorCode", "errorScope")
    )


async def test_bank_that_is_down_opens_only_its_own_circuit(system: System) -> None:
    """Skip Plaid for the bank that fails there, and go on asking it for the others."""
    await _linked_twice(system)
    await system.link("space_2", "ins_citi")
    await system.sandbox.put_faults(
        {"provider": "plaid", "kind": "institution_down", "institutionId": "ins_chase"}
    )
    for _ in range(5):
        await _accounts(system)
    chase, citi = await _accounts(system), await _accounts(system, "space_2")
    plaid = (await system.stats())["providers"]["plaid"]

    assert [("mx", "success")] == _way(chase)
    assert [("plaid", "success")] == _way(citi)
    assert "CLOSED" == plaid["circuitState"]
    assert [("institution:ins_chase", "OPEN")] == [
        (circuit["scope"], circuit["state"]) for circuit in plaid["circuits"]
    ]
    assert plaid["circuits"][0]["openedAt"] < plaid["circuits"][0]["retryAt"]


async def test_deadline_is_kept_when_providers_hang(system: System) -> None:
    """Answer 504 at the deadline when every candidate is silent, and open no circuit."""
    await _linked_twice(system)
    await system.sandbox.put_faults({"provider": "*", "kind": "timeout"})
    loop = asyncio.get_running_loop()
    started = loop.time()
    answer = await system.call(
        "getAccounts", {"spaceId": "space_1"}, preferredProvider="plaid", deadlineMs=400
    )
    took = loop.time() - started
    stats = await system.stats()

    assert (504, "deadline", True) == (
        answer.status,
        answer.error["type"],
        answer.error["retryable"],
    )
    assert 0.35 < took < 0.9
    assert ["plaid", "mx"] == [provider for provider, _ in _way(answer)]
    assert {"DEADLINE"} == {attempt["errorCode"] for attempt in answer.body["attempts"]}
    assert answer.body["attempts"][0]["latencyMs"] < 300
    assert ["CLOSED", "CLOSED"] == [_state(stats, "plaid"), _state(stats, "mx")]


async def test_hanging_provider_leaves_time_for_the_next(system: System) -> None:
    """Give a silent provider at most half of the time left, and answer from the next."""
    await _linked_twice(system)
    await system.sandbox.put_faults({"provider": "plaid", "kind": "timeout"})
    answer = await system.call(
        "getAccounts", {"spaceId": "space_1"}, preferredProvider="plaid", deadlineMs=600
    )

    assert [("plaid", "network"), ("mx", "success")] == _way(answer)


async def test_single_candidate_gets_one_retry(system: System) -> None:
    """Try a provider that is alone a second time, and then give its error."""
    await system.link("alone")
    await system.sandbox.put_faults(PLAID_DOWN)
    answer = await _accounts(system, "alone")

    assert [("plaid", "provider_down")] * 2 == _way(answer)
    assert [1, 2] == [attempt["attemptNumber"] for attempt in answer.body["attempts"]]
    assert (503, "provider_down") == (answer.status, answer.error["type"])
    assert int(answer.headers["retry-after"]) >= 1


async def test_single_candidate_with_an_open_circuit_is_refused_at_once(system: System) -> None:
    """Answer 503 with the time of the next try when the only candidate's circuit is open."""
    await system.link("alone")
    await system.sandbox.put_faults(PLAID_DOWN)
    for _ in range(3):
        await _accounts(system, "alone")
    seen = await system.calls("plaid", "getAccounts")
    answer = await _accounts(system, "alone")

    assert (503, "provider_down") == (answer.status, answer.error["type"])
    assert [] == answer.body["attempts"]
    assert 55 <= int(answer.headers["retry-after"]) <= 60
    assert seen == await system.calls("plaid", "getAccounts")


async def test_all_circuits_open_lets_one_attempt_through_in_panic(system: System) -> None:
    """Try the least bad of several candidates once when all are open by failures."""
    await _linked_twice(system)
    await system.sandbox.put_faults({"provider": "*", "kind": "down"})
    for _ in range(5):
        await _accounts(system)
    states = await system.stats()
    answer = await _accounts(system)

    assert ["OPEN", "OPEN"] == [_state(states, "plaid"), _state(states, "mx")]
    assert 1 == len(answer.body["attempts"])
    assert 503 == answer.status


async def test_rate_limit_is_told_with_its_wait(system: System) -> None:
    """Answer 429 with the vendor's own Retry-After, and keep quiet towards it meanwhile."""
    await system.link("alone")
    await system.sandbox.put_faults({"provider": "plaid", "kind": "rate_limit", "retryAfterS": 90})
    first = await _accounts(system, "alone")
    seen = await system.calls("plaid", "getAccounts")
    second = await _accounts(system, "alone")

    assert (429, "rate_limit", True) == (
        first.status,
        first.error["type"],
        first.error["retryable"],
    )
    assert 85 <= int(first.headers["retry-after"]) <= 90
    assert (429, "rate_limit") == (second.status, second.error["type"])
    assert seen == await system.calls("plaid", "getAccounts")
    assert "CLOSED" == _state(await system.stats())


async def test_user_trouble_is_told_with_what_to_do(system: System) -> None:
    """Answer 424 with the user's next step when the institution wants the user, and open nothing."""
    await system.link("alone")
    await system.sandbox.put_faults({"provider": "plaid", "kind": "auth"})
    answers = [await _accounts(system, "alone") for _ in range(6)]
    listed = await system.get("/v1/spaces/alone/connections")
    plaid = (await system.stats())["providers"]["plaid"]

    assert {(424, "auth", "connection", False)} == {
        (a.status, a.error["type"], a.error["scope"], a.error["retryable"]) for a in answers
    }
    assert answers[0].error["userAction"]
    assert "needs_user" == listed.body["connections"][0]["status"]
    assert ("CLOSED", []) == (plaid["circuitState"], plaid["circuits"])


async def test_connection_that_needs_its_user_stands_back_for_another(system: System) -> None:
    """Pass over a connection that waits for its user while another one can answer."""
    await _linked_twice(system)
    await system.sandbox.put_faults({"provider": "plaid", "kind": "auth"})
    first = await _accounts(system)
    second = await _accounts(system)
    reasons = {c["provider"]: c["reason"] for c in second.body["decision"]["candidates"]}

    assert [("plaid", "auth")] == _way(first)
    assert [("mx", "success")] == _way(second)
    assert "needs_user" == reasons["plaid"]


async def test_refused_keys_open_the_provider_at_once(system: System) -> None:
    """Fail over from a provider that refuses our keys, and leave it alone from then on."""
    await system.sandbox.put_faults({"provider": "plaid", "kind": "bad_keys"})
    first = await system.call("createLink", {"spaceId": "s", "institutionId": "ins_chase"})
    seen = await system.calls("plaid", "createLink")
    second = await system.call("createLink", {"spaceId": "s", "institutionId": "ins_chase"})
    stats = await system.stats()

    assert [("plaid", "auth"), ("mx", "success")] == _way(first)
    assert "client" == first.body["attempts"][0]["errorScope"]
    assert [("mx", "success")] == _way(second)
    assert seen == await system.calls("plaid", "createLink")
    assert "OPEN" == _state(stats)
    assert "our keys were refused" == stats["circuitChanges"][0]["reason"]


async def test_refused_keys_of_the_only_candidate_are_our_trouble(system: System) -> None:
    """Answer 503, not 424, when it is our own keys that a provider refuses."""
    await system.link("alone")
    await system.sandbox.put_faults({"provider": "plaid", "kind": "bad_keys"})
    answer = await _accounts(system, "alone")

    assert (503, "auth", "client") == (
        answer.status,
        answer.error["type"],
        answer.error["scope"],
    )


async def test_lost_answer_of_an_exchange_is_in_doubt_and_never_repeated(system: System) -> None:
    """Answer 409 in_doubt with what to do, and send no second exchange whoever asks again."""
    params = await system.played({"spaceId": "doubt", "institutionId": "ins_chase"})
    await system.sandbox.put_faults(
        {"provider": "plaid", "operation": "exchangeToken", "kind": "lost_answer"}
    )
    first = await system.exchange(params, key="doubt-1")
    await system.sandbox.clear_faults()
    seen = await system.calls("plaid", "exchangeToken")
    same_key = await system.exchange(params, key="doubt-1")
    other_key = await system.exchange(params, key="doubt-2")

    assert [(409, "in_doubt", False)] * 3 == [
        (answer.status, answer.error["type"], answer.error["retryable"])
        for answer in (first, same_key, other_key)
    ]
    assert "createLink" in first.error["message"]
    assert first.error["userAction"]
    assert "true" == same_key.headers["idempotent-replayed"]
    assert 1 == seen == await system.calls("plaid", "exchangeToken")


async def test_exchange_goes_to_no_other_provider(system: System) -> None:
    """Fail an exchange whose provider is down, and release its key for a later try."""
    params = await system.played({"spaceId": "exdown", "institutionId": "ins_chase"})
    await system.sandbox.put_faults(PLAID_DOWN)
    down = await system.exchange(params, key="exdown-1")
    await system.sandbox.clear_faults()
    again = await system.exchange(params, key="exdown-1")

    assert (503, [("plaid", "provider_down")]) == (down.status, _way(down))
    assert 200 == again.status
    assert "idempotent-replayed" not in again.headers


async def test_key_in_use_is_a_conflict(system: System) -> None:
    """Answer 409 to the second of two requests under one key while the first still runs."""
    await system.link("busy")
    await system.sandbox.put_faults({"provider": "plaid", "kind": "slow", "latencyMs": 150})
    headers = {"Idempotency-Key": "busy-1"}
    first, second = await asyncio.gather(
        system.call("getAccounts", {"spaceId": "busy"}, headers=headers),
        system.call("getAccounts", {"spaceId": "busy"}, headers=headers),
    )

    assert {200, 409} == {first.status, second.status}
    assert "conflict" == (second if second.status == 409 else first).error["type"]


async def test_connection_id_does_not_fail_over(system: System) -> None:
    """Give a pinned connection's own error though another connection could answer."""
    linked = await system.link("pin")
    await system.link("pin", provider="mx", backup=True)
    await system.sandbox.put_faults(PLAID_DOWN)
    answer = await system.call(
        "getAccounts", {"spaceId": "pin", "connectionId": linked.connection_id}
    )

    assert 503 == answer.status
    assert {"plaid"} == {provider for provider, _ in _way(answer)}


async def test_cursor_goes_on_at_another_provider(system: System) -> None:
    """Take a cursor of Plaid's connection to MX while Plaid is down."""
    await _linked_twice(system)
    first = await system.call("syncTransactions", {"spaceId": "space_1"}, preferredProvider="plaid")
    await system.sandbox.put_faults(PLAID_DOWN)
    second = await system.call(
        "syncTransactions",
        {"spaceId": "space_1", "cursor": first.data["nextCursor"]},
        preferredProvider="plaid",
    )

    assert "plaid" == first.body["provider"]
    assert "mx" == second.body["provider"]
    assert second.data["nextCursor"]


async def test_deleting_waits_for_a_provider_that_is_up(system: System) -> None:
    """Keep a connection whose provider could not be told, so that it can be deleted later."""
    linked = await system.link("keep")
    await system.sandbox.put_faults(PLAID_DOWN)
    refused = await system.delete(f"/v1/connections/{linked.connection_id}")
    await system.sandbox.clear_faults()
    done = await system.delete(f"/v1/connections/{linked.connection_id}")

    assert [503, 204] == [refused.status, done.status]
    assert "provider_down" == refused.error["type"]


async def test_forced_circuit_is_skipped_and_handed_back(system: System) -> None:
    """Skip a provider that the operator holds open, and ask it again after AUTO."""
    await _linked_twice(system)
    path = "/admin/providers/plaid/circuit"
    forced = await system.post(path, {"state": "FORCED_OPEN", "reason": "maintenance"})
    held = await _accounts(system)
    reasons = {c["provider"]: c["reason"] for c in held.body["decision"]["candidates"]}
    automatic = await system.post(path, {"state": "AUTO", "reason": "done"})
    back = await _accounts(system)

    assert "FORCED_OPEN" == forced.body["circuitState"]
    assert [("mx", "success")] == _way(held)
    assert "forced_open" == reasons["plaid"]
    assert "CLOSED" == automatic.body["circuitState"]
    assert [("plaid", "success")] == _way(back)
