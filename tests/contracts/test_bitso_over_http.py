"""Bitso from the form to the movements, as a caller in Mexico sees it."""

from collections import defaultdict
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sandbox.options import SandboxOptions
from tests.support.system import Answer, System, by_provider, running_system

KEY, SECRET = "sandbox_key", "sandbox_secret"
FORM = {"apiKey": KEY, "apiSecret": SECRET}
BITSO = {"spaceId": "mx_1", "institutionId": "ins_bitso"}


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[System]:
    """A system of its own, as rate limits and circuits are part of what is looked at."""
    async with running_system(tmp_path) as running:
        yield running


async def form_of(system: System, **params: object) -> dict[str, Any]:
    """A link session at Bitso."""
    answer = await system.call("createLink", {**BITSO, **params}, region="MX")
    return dict(answer.data)


async def linked(system: System, space_id: str = "mx_1") -> str:
    """A connection of the space to Bitso."""
    return (await system.link(space_id, "ins_bitso", "bitso", "MX")).connection_id


async def filled(system: System, token: object, **params: object) -> Answer:
    """The exchange of a fresh form filled with this."""
    made = await form_of(system, **params)
    return await system.exchange(
        {"spaceId": "mx_1", "linkSessionId": made["linkSessionId"], "temporaryToken": token}
    )


async def movements(system: System, **params: object) -> list[dict[str, Any]]:
    """All movements of a reading, however many answers it takes."""
    told: list[dict[str, Any]] = []
    asked: dict[str, object] = params
    while True:
        data = (await system.call("syncTransactions", {"spaceId": "mx_1", **asked})).data
        told += data["transactions"]
        if not data["hasMore"]:
            return told
        asked = {"cursor": data["nextCursor"]}
        if "limit" in params:
            asked["limit"] = params["limit"]


async def test_the_form_is_asked_for_without_a_call(system: System) -> None:
    """Tell which fields to ask for; nothing is sent, and the attempt says so."""
    made = await form_of(system, language="es")

    (row,) = await system.sql("select provider, outcome, http_calls, http_status from attempts")
    assert "api_key_form" == made["linkType"]
    assert (None, None) == (made["linkToken"], made["linkUrl"])
    assert [("apiKey", False), ("apiSecret", True)] == [
        (field["name"], field["secret"]) for field in made["fields"]
    ]
    assert "retiros" in made["fields"][0]["label"]
    assert ("bitso", "success", 0) == (row["provider"], row["outcome"], row["http_calls"])
    assert {} == await system.sandbox.calls()


async def test_only_its_own_institution_in_mexico_leads_to_bitso(system: System) -> None:
    """It is a candidate for ins_bitso alone, and for that nobody else is."""
    bitso = await system.call("createLink", BITSO, region="MX")
    bank = await system.call(
        "createLink", {"spaceId": "mx_1", "institutionId": "ins_bbva_mx"}, region="MX"
    )
    anywhere = await system.call("createLink", {"spaceId": "mx_1"}, region="MX")
    abroad = await system.call("createLink", BITSO, region="US")

    def reasons(answer: Answer) -> dict[str, str | None]:
        return {c["provider"]: c["reason"] for c in answer.body["decision"]["candidates"]}

    elsewhere = {"belvo": None, "mx": None, "bitso": "institution"}
    assert {"belvo": "institution", "mx": "institution", "bitso": None} == reasons(bitso)
    assert elsewhere == reasons(bank) == reasons(anywhere)
    assert (422, "NO_CANDIDATE") == (abroad.status, abroad.error["code"])


async def test_a_filled_form_becomes_a_connection_with_a_warning(system: System) -> None:
    """What a key may do cannot be read there, so the caller is told to make sure of it."""
    made = (await filled(system, FORM)).data

    shown = (await system.get("/v1/spaces/mx_1/connections")).body["connections"]
    assert ("bitso", "ins_bitso", "active") == (
        made["provider"],
        made["institutionId"],
        made["status"],
    )
    assert 1 == len(made["warnings"])
    assert [made["connectionId"]] == [one["connectionId"] for one in shown]


async def test_an_exchange_is_answered_again_without_a_call(system: System) -> None:
    """The same connection comes back for the same link session, whatever the key."""
    made = await form_of(system)
    params = {
        "spaceId": "mx_1",
        "linkSessionId": made["linkSessionId"],
        "temporaryToken": FORM,
    }
    first = await system.exchange(params)
    second = await system.exchange(params)

    assert first.data["connectionId"] == second.data["connectionId"]
    assert 1 == await system.calls("bitso", "exchangeToken")


@pytest.mark.parametrize(
    "token",
    [
        "sandbox_key",
        {"apiKey": KEY},
        {"key": KEY, "secret": SECRET},
        {**FORM, "pin": "1234"},
        {**FORM, "apiKey": "a:b"},
        {**FORM, "apiSecret": "line\nbreak"},
    ],
)
async def test_a_form_filled_otherwise_is_refused_unsent(system: System, token: object) -> None:
    """Other fields than those asked for, or what no key holds, never leave this machine."""
    answer = await filled(system, token)

    assert (422, "INVALID_TEMPORARY_TOKEN") == (answer.status, answer.error["code"])
    assert "createLink" in answer.error["userAction"]
    assert {} == await system.sandbox.calls()
    assert SECRET not in str(answer.body)


async def test_a_wrong_key_asks_for_another_and_the_form_stays_open(system: System) -> None:
    """An exchange that only read may be repeated with the right key."""
    made = await form_of(system)
    params = {"spaceId": "mx_1", "linkSessionId": made["linkSessionId"]}
    wrong = await system.exchange({**params, "temporaryToken": {**FORM, "apiKey": "mistyped"}})
    right = await system.exchange({**params, "temporaryToken": FORM})

    assert (424, "0201", "connection") == (wrong.status, wrong.error["code"], wrong.error["scope"])
    assert "createLink" in wrong.error["userAction"]
    assert 200 == right.status


async def test_a_lost_answer_may_be_asked_for_again(system: System) -> None:
    """Nothing is in doubt after a call that only read."""
    made = await form_of(system)
    params = {"spaceId": "mx_1", "linkSessionId": made["linkSessionId"], "temporaryToken": FORM}
    await system.sandbox.put_faults({"provider": "bitso", "kind": "lost_answer"})
    lost = await system.exchange(params)
    await system.sandbox.clear_faults()

    assert (502, "network") == (lost.status, lost.error["type"])
    assert 200 == (await system.exchange(params)).status


async def test_each_currency_with_money_is_an_account(system: System) -> None:
    """Pesos are a wallet and coins are crypto, in their own currency and as of now."""
    await linked(system)

    data = (await system.call("getAccounts", {"spaceId": "mx_1"})).data

    kinds = {one["currency"]: one["type"] for one in data["accounts"]}
    assert {"MXN": "wallet", "BTC": "crypto", "XRP": "crypto"} == kinds
    assert not data["stale"]
    for one in data["accounts"]:
        assert Decimal(one["balances"]["available"]) <= Decimal(one["balances"]["current"])


async def test_the_movements_add_up_to_the_balances(system: System) -> None:
    """Posted movements since the account was opened sum to every balance, to the last digit."""
    await linked(system)
    accounts = (await system.call("getAccounts", {"spaceId": "mx_1"})).data["accounts"]

    told = await movements(system, startDate="2024-01-01")

    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in told:
        if not row["pending"]:
            sums[row["currency"]] += Decimal(row["amount"])
    balances = {one["currency"]: Decimal(one["balances"]["current"]) for one in accounts}
    assert {"ETH": Decimal(0), **balances} == sums
    assert len({row["transactionId"] for row in told}) == len(told)
    assert {row["pending"] for row in told} == {True, False}


async def test_a_currency_that_was_emptied_keeps_its_account(system: System) -> None:
    """Once its movements were told, it stays listed, with nothing in it."""
    await linked(system)
    before = (await system.call("getAccounts", {"spaceId": "mx_1"})).data["accounts"]
    told = await movements(system, startDate="2025-01-01")
    after = (await system.call("getAccounts", {"spaceId": "mx_1"})).data["accounts"]

    balances = {one["currency"]: Decimal(one["balances"]["current"]) for one in after}
    assert "ETH" not in {one["currency"] for one in before}
    assert "ETH" in {row["currency"] for row in told}
    assert Decimal(0) == balances["ETH"]


async def test_one_account_is_read_alone_and_in_parts(system: System) -> None:
    """Narrowed to pesos and cut into small answers, it tells what the whole tells of pesos."""
    await linked(system)
    accounts = (await system.call("getAccounts", {"spaceId": "mx_1"})).data["accounts"]
    pesos = next(one["accountId"] for one in accounts if one["currency"] == "MXN")

    whole = await movements(system)
    parts = await movements(system, accountId=pesos, limit=20)

    of_pesos = {row["transactionId"] for row in whole if row["accountId"] == pesos}
    assert of_pesos == {row["transactionId"] for row in parts}
    assert len(parts) == len(of_pesos) > 40


async def test_money_under_way_is_told_once(system: System) -> None:
    """A pending deposit gives way to what the ledger has of it, or is taken back when it failed."""
    await linked(system)
    data = (await system.call("syncTransactions", {"spaceId": "mx_1"})).data
    known = {row["transactionId"]: row for row in data["transactions"]}
    pending = {row["transactionId"] for row in data["transactions"] if row["pending"]}
    replaced: set[str] = set()

    for _ in range(12):
        system.sandbox.clock.move(days=1)
        system.clock.jump(86_400)
        asked = {"spaceId": "mx_1", "cursor": data["nextCursor"]}
        data = (await system.call("syncTransactions", asked)).data
        known |= {row["transactionId"]: row for row in data["transactions"]}
        pending |= {row["transactionId"] for row in data["transactions"] if row["pending"]}
        replaced |= {row["replacesTransactionId"] for row in data["transactions"]} & pending
        for gone in data["removed"]:
            assert known.pop(gone)["pending"]

    still = {row["transactionId"] for row in known.values() if row["pending"]}
    fresh = (await system.call("syncTransactions", {"spaceId": "mx_1"})).data["transactions"]
    assert len(pending) >= 6
    assert replaced
    assert 1 <= len(still) <= 3
    assert {row["transactionId"] for row in fresh} <= set(known)


async def test_a_lock_out_is_waited_out_by_everybody_with_that_key(system: System) -> None:
    """After a 420 no call of that key leaves for a minute, in whichever space it is used."""
    await linked(system)
    await linked(system, "mx_2")
    await system.sandbox.put_faults({"provider": "bitso", "kind": "rate_limit"})
    first = await system.call("getAccounts", {"spaceId": "mx_1"})
    await system.sandbox.clear_faults()
    seen = await system.calls("bitso", "getAccounts")
    again = await system.call("getAccounts", {"spaceId": "mx_1"})
    other = await system.call("getAccounts", {"spaceId": "mx_2"})
    within = await system.calls("bitso", "getAccounts")
    system.clock.jump(70)
    later = await system.call("getAccounts", {"spaceId": "mx_1"})
    stats = await system.stats()

    assert [429, 429, 429] == [first.status, again.status, other.status]
    assert 60 <= first.error["retryAfterS"] <= 66
    assert "LOCKED_OUT" == other.error["code"]
    assert seen == within
    assert 200 == later.status
    assert "CLOSED" == stats["providers"]["bitso"]["circuitState"]


async def test_a_broken_key_needs_its_user_and_is_mended_by_a_repair(system: System) -> None:
    """The repair asks for a key of the same login and keeps the connection."""
    connection_id = await linked(system)
    await system.sandbox.put_faults({"provider": "bitso", "kind": "error", "errorCode": "0326"})
    broken = await system.call("getAccounts", {"spaceId": "mx_1"})
    await system.sandbox.clear_faults()
    made = await system.call(
        "createLink", {"spaceId": "mx_1", "connectionId": connection_id}, region="MX"
    )
    mended = await system.exchange(
        {
            "spaceId": "mx_1",
            "linkSessionId": made.data["linkSessionId"],
            "temporaryToken": FORM,
        }
    )

    assert (424, "0326") == (broken.status, broken.error["code"])
    assert "api_key_form" == made.data["linkType"]
    assert connection_id == mended.data["connectionId"]
    assert "active" == mended.data["status"]


async def test_a_connection_is_forgotten_without_a_call(system: System) -> None:
    """Bitso cannot be told; what we hold of the key is erased."""
    connection_id = await linked(system)
    before = await system.sandbox.calls()
    answer = await system.delete(f"/v1/connections/{connection_id}")
    after = await system.sandbox.calls()

    assert answer.status < 300
    assert before == after
    assert 404 == (await system.call("getAccounts", {"spaceId": "mx_1"})).status


async def test_the_key_is_in_no_answer_and_no_row(system: System) -> None:
    """Neither the key nor its secret is told or logged anywhere."""
    connection_id = await linked(system)
    accounts = await system.call("getAccounts", {"spaceId": "mx_1"})
    told = await system.call("syncTransactions", {"spaceId": "mx_1"})
    connections = await system.get("/v1/spaces/mx_1/connections")
    rows = await system.sql("select * from attempts")

    shown = str([connection_id, accounts.body, told.body, connections.body, rows])
    assert KEY not in shown
    assert SECRET not in shown


async def test_bitso_stands_in_for_nobody(system: System) -> None:
    """A bank that is down in Mexico is not answered for out of a Bitso account."""
    await linked(system)
    await system.link("mx_1", "ins_bbva_mx", "belvo", "MX")
    await system.sandbox.put_faults({"provider": "belvo", "kind": "down"})
    answer = await system.call("getAccounts", {"spaceId": "mx_1", "institutionId": "ins_bbva_mx"})
    candidates = by_provider(answer.body["decision"]["candidates"])

    assert 503 == answer.status
    assert {"belvo"} == {attempt["provider"] for attempt in answer.body["attempts"]}
    assert not candidates["bitso"]["eligible"]


@pytest.mark.parametrize(
    ("told", "check", "status", "warned"),
    [
        ("read_only", "warn", 200, False),
        ("may_withdraw", "warn", 200, True),
        ("may_withdraw", "refuse", 422, False),
        ("may_withdraw", "off", 200, False),
        ("untold", "refuse", 200, True),
    ],
)
async def test_a_key_that_may_do_more_is_warned_of_or_refused(
    tmp_path: Path, *, told: Any, check: str, status: int, warned: bool
) -> None:
    """As far as Bitso tells what a key may do, and as the setting says."""
    config = f'[providers.bitso.options]\npermission_check = "{check}"\n'
    options = SandboxOptions(bitso_permissions=told)
    async with running_system(tmp_path, config=config, options=options) as system:
        answer = await filled(system, FORM)

    assert status == answer.status
    assert warned == bool((answer.body.get("data") or {}).get("warnings"))
    if status == 422:
        assert "KEY_MAY_DO_MORE" == answer.error["code"]


async def test_a_long_window_is_walked_under_a_short_deadline(tmp_path: Path) -> None:
    """A first part that tells nothing yet promises more, and is not taken for an empty answer."""
    config = '[providers.bitso.options]\npending = "false"\n'
    asked: dict[str, object] = {"startDate": "2025-07-01"}
    parts: list[dict[str, Any]] = []
    answers: list[tuple[int, bool]] = []
    async with running_system(tmp_path, config=config) as system:
        await linked(system)
        whole = await movements(system, **asked)
        await system.sandbox.put_faults({"provider": "bitso", "kind": "slow", "latencyMs": 250})
        while not answers or answers[-1][1]:
            params = {"spaceId": "mx_1", **asked}
            data = (await system.call("syncTransactions", params, deadlineMs=1500)).data
            parts += data["transactions"]
            answers.append((len(data["transactions"]), data["hasMore"]))
            asked = {"cursor": data["nextCursor"]}

    assert (0, True) == answers[0]
    assert sorted(row["transactionId"] for row in parts) == sorted(
        row["transactionId"] for row in whole
    )
