"""The HTTP interface of the whole system: operations, their data, keys and identities."""

import re
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from tests.support.system import System, by_provider, running_system

pytestmark = pytest.mark.asyncio(loop_scope="module")

RFC3339_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
DATE = re.compile(r"\d{4}-\d\d-\d\d")
MONEY = re.compile(r"-?\d+(\.\d+)?")
RESULT = {
    "success",
    "requestId",
    "operation",
    "provider",
    "failoverUsed",
    "data",
    "attempts",
    "decision",
}
ATTEMPT = {
    "attemptId",
    "attemptNumber",
    "provider",
    "outcome",
    "errorCode",
    "errorScope",
    "latencyMs",
    "waitedMs",
    "hedge",
}
ACCOUNT = {
    "accountId",
    "institutionId",
    "name",
    "officialName",
    "mask",
    "type",
    "subtype",
    "currency",
    "balances",
    "asOf",
    "provider",
    "connectionId",
    "providerAccountId",
}
TRANSACTION = {
    "transactionId",
    "accountId",
    "provider",
    "providerTransactionId",
    "date",
    "postedAt",
    "authorizedDate",
    "amount",
    "direction",
    "currency",
    "description",
    "merchantName",
    "category",
    "pending",
    "replacesTransactionId",
}
ERROR = {"type", "code", "message", "retryable", "provider", "scope", "retryAfterS", "userAction"}
PROBLEM = {
    "type",
    "title",
    "status",
    "detail",
    "success",
    "requestId",
    "operation",
    "error",
    "attempts",
    "decision",
}
ROUTES = (
    ("plaid", "US", "ins_chase"),
    ("mx", "US", "ins_chase"),
    ("mx", "MX", "ins_bbva_mx"),
    ("belvo", "MX", "ins_bbva_mx"),
)
each_route = pytest.mark.parametrize(("provider", "region", "institution"), ROUTES)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """One system for the whole module; every test has spaces of its own."""
    async with running_system(tmp_path_factory.mktemp("http")) as running:
        yield running


def _space(provider: str, region: str, what: str) -> str:
    return f"{what}_{provider}_{region}"


@each_route
async def test_link_session_has_the_members_of_the_contract(
    system: System, provider: str, region: str, institution: str
) -> None:
    """Answer createLink with a session, and with the token or the URL of its widget."""
    answer = await system.call(
        "createLink",
        {"spaceId": _space(provider, region, "shape"), "institutionId": institution},
        region=region,
        preferredProvider=provider,
    )
    data = answer.data

    assert {
        "linkSessionId",
        "provider",
        "linkToken",
        "linkUrl",
        "expiresAt",
        "linkType",
    } == set(data)
    assert provider == data["provider"] == answer.body["provider"]
    assert data["linkType"] in {"widget_token", "hosted_url"}
    assert 1 == len([given for given in (data["linkToken"], data["linkUrl"]) if given])
    assert RFC3339_UTC.fullmatch(data["expiresAt"])


@each_route
async def test_exchange_makes_an_active_connection(
    system: System, provider: str, region: str, institution: str
) -> None:
    """Turn a completed widget into an active connection to the institution that was named."""
    params = await system.played(
        {"spaceId": _space(provider, region, "made"), "institutionId": institution},
        region=region,
        preferredProvider=provider,
    )
    answer = await system.exchange(params)

    assert {"connectionId", "provider", "institutionId", "status"} == set(answer.data)
    assert provider == answer.data["provider"]
    assert institution == answer.data["institutionId"]
    assert "active" == answer.data["status"]


@each_route
async def test_accounts_have_the_members_of_the_contract(
    system: System, provider: str, region: str, institution: str
) -> None:
    """Read accounts with money as decimal text and times in RFC 3339 UTC, whoever serves them."""
    space = _space(provider, region, "accounts")
    linked = await system.link(space, institution, provider, region)
    answer = await system.call("getAccounts", {"spaceId": space})

    assert {"accounts", "asOf", "stale"} == set(answer.data)
    assert answer.data["accounts"]
    assert answer.data["stale"] is False
    assert RFC3339_UTC.fullmatch(answer.data["asOf"])
    for account in answer.data["accounts"]:
        assert ACCOUNT == set(account)
        assert linked.connection_id == account["connectionId"]
        assert (provider, institution) == (account["provider"], account["institutionId"])
        assert {"available", "current", "limit"} == set(account["balances"])
        assert all(v is None or MONEY.fullmatch(v) for v in account["balances"].values())
        assert account["asOf"] is None or RFC3339_UTC.fullmatch(account["asOf"])
        assert account["type"] in {
            "depository",
            "credit",
            "loan",
            "investment",
            "crypto",
            "wallet",
            "other",
        }


@each_route
async def test_transactions_have_the_members_of_the_contract(
    system: System, provider: str, region: str, institution: str
) -> None:
    """Read movements with signed decimal text, a direction that fits the sign, and plain dates."""
    space = _space(provider, region, "movements")
    await system.link(space, institution, provider, region)
    answer = await system.call("syncTransactions", {"spaceId": space})

    assert {"transactions", "removed", "nextCursor", "hasMore", "stale"} == set(answer.data)
    assert answer.data["transactions"]
    for row in answer.data["transactions"]:
        assert TRANSACTION == set(row)
        assert MONEY.fullmatch(row["amount"])
        assert DATE.fullmatch(row["date"])
        assert row["postedAt"] is None or RFC3339_UTC.fullmatch(row["postedAt"])
        assert row["authorizedDate"] is None or DATE.fullmatch(row["authorizedDate"])
        assert row["direction"] in {"in", "out"}
        assert (Decimal(row["amount"]) < 0) is (row["direction"] == "out")
        assert isinstance(row["pending"], bool)


async def test_window_of_dates_is_inclusive(system: System) -> None:
    """Keep movements of the first and the last day that was asked for, and none outside."""
    await system.link("window")
    everything = await system.call("syncTransactions", {"spaceId": "window"})
    days = sorted({row["date"] for row in everything.data["transactions"]})
    start, end = days[2], days[-3]
    answer = await system.call(
        "syncTransactions", {"spaceId": "window", "startDate": start, "endDate": end}
    )
    got = {row["date"] for row in answer.data["transactions"]}

    assert {day for day in days if start <= day <= end} == got


async def test_default_window_is_the_last_ninety_days(system: System) -> None:
    """Without dates, read what happened within ninety days of today."""
    await system.link("ninety")
    answer = await system.call("syncTransactions", {"spaceId": "ninety"})
    days = [row["date"] for row in answer.data["transactions"]]

    assert "2025-12-18" <= min(days)
    assert max(days) <= "2026-03-18"


@pytest.mark.parametrize(("provider", "limit"), [("plaid", 30), ("mx", 7)])
async def test_pages_join_into_the_whole(system: System, provider: str, limit: int) -> None:
    """Follow nextCursor while hasMore, and get each movement once and none left out."""
    space = f"pages_{provider}"
    await system.link(space, provider=provider)
    window = {"startDate": "2026-02-01", "endDate": "2026-03-18"}
    whole = await system.call("syncTransactions", {"spaceId": space, **window})
    page = await system.call("syncTransactions", {"spaceId": space, "limit": limit, **window})
    ids = [row["transactionId"] for row in page.data["transactions"]]
    while page.data["hasMore"]:
        page = await system.call(
            "syncTransactions",
            {"spaceId": space, "limit": limit, "cursor": page.data["nextCursor"]},
        )
        ids += [row["transactionId"] for row in page.data["transactions"]]

    assert len(ids) > limit
    assert [row["transactionId"] for row in whole.data["transactions"]] == ids


async def test_account_narrows_the_movements(system: System) -> None:
    """With an accountId, answer movements of that account alone."""
    await system.link("narrow")
    accounts = (await system.call("getAccounts", {"spaceId": "narrow"})).data["accounts"]
    wanted = accounts[-1]["accountId"]
    answer = await system.call("syncTransactions", {"spaceId": "narrow", "accountId": wanted})

    assert {wanted} == {row["accountId"] for row in answer.data["transactions"]}


async def test_result_has_the_members_of_the_contract(system: System) -> None:
    """Tell of every success who answered, the attempts made, and how the order came about."""
    await system.link("result")
    answer = await system.call("getAccounts", {"spaceId": "result"})
    body = answer.body
    candidate = body["decision"]["candidates"][0]

    assert RESULT == set(body)
    assert body["success"] is True
    assert "getAccounts" == body["operation"]
    assert body["failoverUsed"] is False
    assert [ATTEMPT] == [set(attempt) for attempt in body["attempts"]]
    assert (1, "success", None, None, False) == tuple(
        body["attempts"][0][name]
        for name in ("attemptNumber", "outcome", "errorCode", "errorScope", "hedge")
    )
    assert {"policy", "modelVersion", "candidates"} == set(body["decision"])
    assert {"provider", "score", "propensity", "eligible", "reason"} == set(candidate)


async def test_request_id_is_taken_when_given(system: System) -> None:
    """Answer under the caller's own request id, in the header and in the body."""
    answer = await system.call(
        "createLink", {"spaceId": "req"}, headers={"X-Request-Id": "my-request.1"}
    )

    assert "my-request.1" == answer.headers["x-request-id"] == answer.body["requestId"]


@pytest.mark.parametrize("given", ["", "x" * 129, "two words", "tab\there"])
async def test_request_id_is_made_when_unusable(system: System, given: str) -> None:
    """Make a request id where none of 1 to 128 visible ASCII characters was given."""
    answer = await system.call("createLink", {"spaceId": "req"}, headers={"X-Request-Id": given})

    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.headers["x-request-id"] == answer.body["requestId"]


async def test_request_id_is_on_every_answer(system: System) -> None:
    """Tell a request id on probes and on unknown paths, too."""
    answers = [await system.get(path) for path in ("/healthz", "/readyz", "/nowhere")]

    assert [200, 200, 404] == [answer.status for answer in answers]
    assert all(answer.headers["x-request-id"] for answer in answers)


async def test_exchange_wants_an_idempotency_key(system: System) -> None:
    """Refuse an exchange without Idempotency-Key, naming the header."""
    params = await system.played({"spaceId": "nokey", "institutionId": "ins_chase"})
    answer = await system.call("exchangeToken", params)

    assert 422 == answer.status
    assert "validation" == answer.error["type"]
    assert "Idempotency-Key" in answer.error["message"]


async def test_key_replays_the_first_answer(system: System) -> None:
    """Answer a repeated exchange with the first answer, marked as replayed, without a call."""
    params = await system.played({"spaceId": "replay", "institutionId": "ins_chase"})
    first = await system.exchange(params, key="replay-1")
    before = await system.calls("plaid", "exchangeToken")
    second = await system.exchange(params, key="replay-1")

    assert "idempotent-replayed" not in first.headers
    assert "true" == second.headers["idempotent-replayed"]
    assert first.body == second.body
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert before == await system.calls("plaid", "exchangeToken")


async def test_another_key_for_the_same_session_gets_the_same_connection(system: System) -> None:
    """Exchange a link session once whatever the key, and answer the same connection."""
    params = await system.played({"spaceId": "once", "institutionId": "ins_chase"})
    first = await system.exchange(params)
    before = await system.calls("plaid", "exchangeToken")
    second = await system.exchange(params)

    assert first.data == second.data
    assert before == await system.calls("plaid", "exchangeToken")


async def test_key_with_another_body_is_refused(system: System) -> None:
    """Refuse a key that was used for another body."""
    headers = {"Idempotency-Key": "mismatch-1"}
    first = await system.call("createLink", {"spaceId": "mismatch"}, headers=headers)
    second = await system.call(
        "createLink", {"spaceId": "mismatch", "language": "es"}, headers=headers
    )

    assert 200 == first.status
    assert 422 == second.status
    assert "validation" == second.error["type"]


async def test_key_counts_within_its_operation(system: System) -> None:
    """Take the same key for another operation as another key."""
    await system.link("perop")
    headers = {"Idempotency-Key": "perop-1"}
    first = await system.call("createLink", {"spaceId": "perop"}, headers=headers)
    second = await system.call("getAccounts", {"spaceId": "perop"}, headers=headers)

    assert [200, 200] == [first.status, second.status]
    assert "idempotent-replayed" not in second.headers


async def test_final_failures_are_replayed(system: System) -> None:
    """Answer a non-retryable failure again under its key."""
    headers = {"Idempotency-Key": "final-1"}
    first = await system.call("getAccounts", {"spaceId": "nobody"}, headers=headers)
    second = await system.call("getAccounts", {"spaceId": "nobody"}, headers=headers)

    assert 404 == first.status
    assert first.body == second.body
    assert "true" == second.headers["idempotent-replayed"]


@pytest.mark.parametrize("provider", ["plaid", "mx"])
async def test_preferred_provider_is_tried_first(system: System, provider: str) -> None:
    """Try the preferred provider first whatever the order, and say so with certainty."""
    answer = await system.call(
        "createLink",
        {"spaceId": "prefer", "institutionId": "ins_citi"},
        preferredProvider=provider,
    )
    candidates = by_provider(answer.body["decision"]["candidates"])

    assert provider == answer.body["provider"]
    assert 1.0 == candidates[provider]["propensity"]


async def test_preferred_provider_that_is_not_eligible_is_passed_over(system: System) -> None:
    """Go by the order where the preferred provider cannot serve the region, and say why not."""
    answer = await system.call(
        "createLink", {"spaceId": "stranger"}, preferredProvider="belvo", region="US"
    )
    candidates = by_provider(answer.body["decision"]["candidates"])

    assert "plaid" == answer.body["provider"]
    assert "region" == candidates["belvo"]["reason"]
    assert candidates["belvo"]["eligible"] is False


async def test_reasons_tell_why_a_candidate_was_not_asked(system: System) -> None:
    """Name a reason for every candidate that is not eligible, and none for the others."""
    await system.link("reasons")
    link = await system.call(
        "createLink", {"spaceId": "reasons", "institutionId": "ins_bbva_mx"}, region="MX"
    )
    read = await system.call("getAccounts", {"spaceId": "reasons"})
    at_link = {c["provider"]: c["reason"] for c in link.body["decision"]["candidates"]}
    at_read = {c["provider"]: c["reason"] for c in read.body["decision"]["candidates"]}

    assert {"belvo": None, "mx": None} == {k: v for k, v in at_link.items() if k != "bitso"}
    assert at_link["bitso"] in {"not_configured", "institution"}
    assert {"plaid": None, "mx": "not_linked", "finicity": "not_linked"} == at_read


async def test_backup_leaves_out_providers_that_are_linked(system: System) -> None:
    """Make a backup link at a provider through which the institution is not linked yet."""
    await system.link("backup")
    answer = await system.call(
        "createLink",
        {"spaceId": "backup", "institutionId": "ins_chase", "backup": True},
        preferredProvider="plaid",
    )

    assert "mx" == answer.body["provider"]
    assert "plaid" not in by_provider(answer.body["decision"]["candidates"])


async def test_one_account_has_one_id_through_both_providers(system: System) -> None:
    """See the same bank account through two connections as one account."""
    await system.link("same")
    await system.link("same", provider="mx", backup=True)
    answers = [
        await system.call("getAccounts", {"spaceId": "same"}, preferredProvider=provider)
        for provider in ("plaid", "mx")
    ]
    seen = [{row["accountId"] for row in answer.data["accounts"]} for answer in answers]

    assert ["plaid", "mx"] == [answer.body["provider"] for answer in answers]
    assert seen[0] == seen[1]


async def test_connection_id_pins(system: System) -> None:
    """Read the named connection and no other, whatever is preferred."""
    await system.link("pin")
    pinned = await system.link("pin", provider="mx", backup=True)
    answer = await system.call(
        "getAccounts",
        {"spaceId": "pin", "connectionId": pinned.connection_id},
        preferredProvider="plaid",
    )

    assert "mx" == answer.body["provider"]
    assert ["mx"] == [c["provider"] for c in answer.body["decision"]["candidates"]]


async def test_several_institutions_want_a_name(system: System) -> None:
    """Refuse a read that names too little where the space has several institutions."""
    await system.link("several", "ins_chase")
    await system.link("several", "ins_citi")
    vague = await system.call("getAccounts", {"spaceId": "several"})
    named = await system.call("getAccounts", {"spaceId": "several", "institutionId": "ins_citi"})

    assert 422 == vague.status
    assert {"ins_citi"} == {row["institutionId"] for row in named.data["accounts"]}


async def test_repair_keeps_the_connection(system: System) -> None:
    """Repair a connection through a link session of its own, and keep its id and accounts."""
    linked = await system.link("repair")
    before = await system.call("getAccounts", {"spaceId": "repair"})
    params = await system.played({"spaceId": "repair", "connectionId": linked.connection_id})
    repaired = await system.exchange(params)
    after = await system.call("getAccounts", {"spaceId": "repair"})

    assert linked.connection_id == repaired.data["connectionId"]
    assert [row["accountId"] for row in before.data["accounts"]] == [
        row["accountId"] for row in after.data["accounts"]
    ]


async def test_linking_the_same_login_again_keeps_the_connection(system: System) -> None:
    """Recognise a login that the space has linked already at MX, and keep its connection."""
    first = await system.link("again", provider="mx")
    second = await system.link("again", provider="mx")

    assert first.connection_id == second.connection_id


async def test_cursor_tells_what_changed_since(system: System) -> None:
    """Continue from a cursor without telling again what has not changed."""
    await system.link("since")
    first = await system.call("syncTransactions", {"spaceId": "since"})
    second = await system.call(
        "syncTransactions", {"spaceId": "since", "cursor": first.data["nextCursor"]}
    )
    told = {row["transactionId"] for row in first.data["transactions"]}

    assert first.data["hasMore"] is False
    assert told.isdisjoint(row["transactionId"] for row in second.data["transactions"])


async def test_batch_answers_in_order_each_for_itself(system: System) -> None:
    """Serve a batch's items in order, each with its own status, failures included."""
    await system.link("batch")
    answer = await system.post(
        "/v1/batch",
        {
            "operations": [
                {"operation": "getAccounts", "params": {"spaceId": "batch"}},
                {"operation": "getAccounts", "params": {"spaceId": "batch", "colour": "red"}},
                {"operation": "transferMoney", "params": {}},
                {"params": {"spaceId": "batch"}},
                "not an object",
                {
                    "operation": "createLink",
                    "params": {"spaceId": "batch"},
                    "preferredProvider": "mx",
                    "idempotencyKey": "batch-1",
                },
            ]
        },
    )
    results = answer.body["results"]

    assert 200 == answer.status
    assert [200, 422, 404, 422, 422, 200] == [item["status"] for item in results]
    assert RESULT | {"status"} == set(results[0])
    assert "params.colour" in results[1]["error"]["message"]
    assert "mx" == results[5]["provider"]
    assert 6 == len({item["requestId"] for item in results})


async def test_batch_item_needs_its_key_for_an_exchange(system: System) -> None:
    """Ask of an exchange in a batch what it would be asked by itself."""
    params = await system.played({"spaceId": "batchex", "institutionId": "ins_chase"})
    item = {"operation": "exchangeToken", "params": params}
    answer = await system.post(
        "/v1/batch", {"operations": [item, {**item, "idempotencyKey": "batchex-1"}]}
    )

    assert [422, 200] == [result["status"] for result in answer.body["results"]]


async def test_connections_are_listed_without_secrets(system: System) -> None:
    """List a space's connections with their accounts and nothing that grants access."""
    linked = await system.link("listed")
    accounts = (await system.call("getAccounts", {"spaceId": "listed"})).data["accounts"]
    answer = await system.get("/v1/spaces/listed/connections")
    (shown,) = answer.body["connections"]

    assert linked.connection_id == shown["connectionId"]
    assert {row["accountId"] for row in accounts} == set(shown["accountIds"])
    assert {
        "connectionId",
        "provider",
        "region",
        "institutionId",
        "status",
        "accountIds",
        "refreshDue",
        "createdAt",
    } == set(shown)
    assert "access-" not in str(answer.body)


async def test_a_connection_says_whether_its_provider_has_something_new(system: System) -> None:
    """Tell that a refresh is due from the vendor's report until a reading has met it."""
    linked = await system.link("reported")

    async def refresh_due() -> object:
        (shown,) = (await system.get("/v1/spaces/reported/connections")).body["connections"]
        return shown["refreshDue"]

    now = system.clock.unix_s()
    told = [await refresh_due()]
    await system.vault.mark_refresh_due(linked.connection_id, now)
    told.append(await refresh_due())
    await system.vault.clear_refresh_due(linked.connection_id, now + 1)
    told.append(await refresh_due())

    assert [False, True, False] == told


@pytest.mark.parametrize("name", ["no%00where", "%0A", "a%20b", "x" * 200])
async def test_what_cannot_be_an_id_names_nothing(system: System, name: str) -> None:
    """Answer 404 for a space or a connection that could not have been made."""
    listed = await system.get(f"/v1/spaces/{name}/connections")
    deleted = await system.delete(f"/v1/connections/{name}")

    assert [404, 404] == [listed.status, deleted.status]


async def test_deleting_a_connection_revokes_and_forgets_it(system: System) -> None:
    """End a connection at its provider, and know it no more."""
    linked = await system.link("deleted")
    at_vendor = system.sandbox.sandbox.connections.of("plaid")
    first = await system.delete(f"/v1/connections/{linked.connection_id}")
    left_at_vendor = system.sandbox.sandbox.connections.of("plaid")
    second = await system.delete(f"/v1/connections/{linked.connection_id}")
    listed = await system.get("/v1/spaces/deleted/connections")
    read = await system.call("getAccounts", {"spaceId": "deleted"})

    assert [204, 404] == [first.status, second.status]
    assert len(at_vendor) - 1 == len(left_at_vendor)
    assert [] == listed.body["connections"]
    assert (404, "not_found") == (read.status, read.error["type"])


async def test_failure_is_a_problem_document(system: System) -> None:
    """Tell a failure as application/problem+json with the contract's own members beside."""
    answer = await system.call("getAccounts", {"spaceId": "nobody_here"})
    body: dict[str, Any] = answer.body

    assert 404 == answer.status
    assert "application/problem+json" == answer.headers["content-type"]
    assert PROBLEM == set(body)
    assert ERROR == set(body["error"])
    assert (404, False, []) == (body["status"], body["success"], body["attempts"])
    assert answer.headers["x-request-id"] == body["requestId"]


async def test_openapi_tells_of_every_operation(system: System) -> None:
    """Describe each operation with its own parameters at /openapi.json."""
    document = (await system.get("/openapi.json")).body
    docs = await system.get("/docs")

    assert {
        f"/v1/operations/{name}"
        for name in ("createLink", "exchangeToken", "getAccounts", "syncTransactions")
    } <= set(document["paths"])
    assert 200 == docs.status
