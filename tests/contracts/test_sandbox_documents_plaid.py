"""What the sandbox answers and reports as Plaid, held against Plaid's own OpenAPI document."""

from json import loads
from typing import Any

import pytest

from sandbox.options import SandboxOptions
from sandbox.plaid_errors import ERROR_CODES
from tests.support.judged_replies import judge, plainly
from tests.support.openapi_documents import document
from tests.support.sandbox import RunningSandbox, running_sandbox
from tests.support.vendor_callers import SPACE, PlaidCaller, Reply

USERS = ["user-1", "user-3"]  # at one bank or another with every kind of account
BANKS = ["ins_56", "ins_128026"]
HOOK = "https://app.test/hooks"
LINK: dict[str, Any] = {
    "client_name": "Test",
    "language": "en",
    "country_codes": ["US"],
    "products": ["transactions"],
    "user": {"client_user_id": SPACE},
    "webhook": HOOK,
}
COUNTRY = {"country_codes": ["US"]}
OLDEST = {"min_last_updated_datetime": "2026-03-01T00:00:00Z"}
YOUNGER = "'connection_availability' was unexpected"
"""A field of institutions that Plaid's client wants and the document does not know yet."""
STATUSES = {
    "INTERNAL_SERVER_ERROR": 500,
    "PLANNED_MAINTENANCE": 503,
    "API_ERROR": 500,
    "NOT_FOUND": 404,
}


async def link(plaid: PlaidCaller, user: str, bank: str) -> dict[str, list[Reply]]:
    """Link a login, its page hosted; every answer on the way by its path."""
    made = await plaid.post("/link/token/create", **LINK, institution_id=bank, hosted_link={})
    token = made.body["link_token"]
    early = await plaid.post("/link/token/get", link_token=token)
    public = await plaid.running.complete(token=token, user=user)
    late = await plaid.post("/link/token/get", link_token=token)
    exchanged = await plaid.post("/item/public_token/exchange", public_token=public)
    plaid.access_token = exchanged.body["access_token"]
    repair = {**LINK, "products": None, "access_token": plaid.access_token}
    mending = await plaid.post("/link/token/create", **repair)
    return {
        "/link/token/create": [made, mending],
        "/link/token/get": [early, late],
        "/item/public_token/exchange": [exchanged],
    }


async def update(plaid: PlaidCaller, cursor: str) -> list[Reply]:
    """Every page of an update."""
    replies = []
    while True:
        reply = await plaid.read("/transactions/sync", cursor=cursor, count=100)
        replies.append(reply)
        if not reply.body["has_more"]:
            return replies
        cursor = reply.body["next_cursor"]


async def every_endpoint(plaid: PlaidCaller, user: str, bank: str) -> dict[str, list[Reply]]:
    """At least one answer of every endpoint, through the phases of an Item's life."""
    replies = await link(plaid, user, bank)
    gathering = await plaid.read("/transactions/sync")
    unread = await plaid.read("/item/get")
    plaid.running.clock.move(seconds=60)
    first = await plaid.read("/transactions/sync", count=500)
    plaid.running.clock.move(seconds=60)
    whole = await update(plaid, first.body["next_cursor"])
    plaid.running.clock.move(days=3)
    later = await update(plaid, whole[-1].body["next_cursor"])
    assert {"NOT_READY", "INITIAL_UPDATE_COMPLETE", "HISTORICAL_UPDATE_COMPLETE"} == {
        reply.body["transactions_update_status"] for reply in (gathering, first, *whole)
    }
    window = {"start_date": "2026-01-01", "end_date": "2026-03-18"}
    original = {"include_original_description": True}
    directory = {"count": 2, "offset": 1, **COUNTRY}
    shortcut = {"institution_id": bank, "initial_products": ["transactions"]}
    key_id = plaid.running.sandbox.vendors["plaid"].reports.key_id
    replies |= {
        "/accounts/get": [await plaid.read("/accounts/get")],
        "/accounts/balance/get": [await plaid.read("/accounts/balance/get", options=OLDEST)],
        "/transactions/sync": [gathering, first, *whole, *later],
        "/transactions/get": [await plaid.read("/transactions/get", **window, options=original)],
        "/transactions/refresh": [await plaid.read("/transactions/refresh")],
        "/institutions/get": [await plaid.post("/institutions/get", **directory)],
        "/institutions/get_by_id": [
            await plaid.post(
                "/institutions/get_by_id",
                institution_id=bank,
                **COUNTRY,
                options={"include_status": True},
            )
        ],
        "/institutions/search": [await plaid.post("/institutions/search", query="c", **COUNTRY)],
        "/webhook_verification_key/get": [
            await plaid.post("/webhook_verification_key/get", key_id=key_id)
        ],
        "/item/webhook/update": [await plaid.read("/item/webhook/update", webhook=HOOK)],
        "/sandbox/item/fire_webhook": [
            await plaid.read("/sandbox/item/fire_webhook", webhook_code="SYNC_UPDATES_AVAILABLE")
        ],
        "/item/get": [unread, await plaid.read("/item/get")],
        "/sandbox/item/reset_login": [await plaid.read("/sandbox/item/reset_login")],
    }
    replies["/item/get"].append(await plaid.read("/item/get"))
    replies["/item/access_token/invalidate"] = [await plaid.read("/item/access_token/invalidate")]
    plaid.access_token = replies["/item/access_token/invalidate"][0].body["new_access_token"]
    replies["/item/remove"] = [await plaid.read("/item/remove")]
    replies["/sandbox/public_token/create"] = [
        await plaid.post("/sandbox/public_token/create", **shortcut)
    ]
    replies["/sandbox/transactions/create"] = [await made_up(plaid, shortcut)]
    return replies


async def made_up(plaid: PlaidCaller, shortcut: dict[str, Any]) -> Reply:
    """Transactions that the client makes up, for an Item that takes them."""
    user = {"override_username": "user_transactions_dynamic"}
    public = await plaid.post("/sandbox/public_token/create", **shortcut, options=user)
    exchanged = await plaid.post(
        "/item/public_token/exchange", public_token=public.body["public_token"]
    )
    plaid.access_token = exchanged.body["access_token"]
    today = plaid.running.clock().date().isoformat()
    row = {"date_transacted": today, "date_posted": today, "amount": 1.5, "description": "X"}
    return await plaid.read("/sandbox/transactions/create", transactions=[row])


@pytest.mark.parametrize("bank", BANKS)
@pytest.mark.parametrize("user", USERS)
async def test_plaid_answers_as_documented(user: str, bank: str) -> None:
    """Every endpoint of Plaid's that the sandbox has answers in the documented shape."""
    spec = document("plaid")
    options = SandboxOptions(plaid_not_ready_s=60, plaid_initial_s=60)
    async with running_sandbox(options=options) as running:
        replies = await every_endpoint(PlaidCaller(running), user, bank)

    for path, answers in replies.items():
        for reply in answers:
            problems = judge(spec, "POST", path, reply)
            assert [] == [problem for problem in problems if YOUNGER not in problem], path


async def test_every_endpoint_is_looked_at() -> None:
    """An endpoint that is added to the sandbox is added to these tests."""
    options = SandboxOptions(plaid_not_ready_s=60, plaid_initial_s=60)
    async with running_sandbox(options=options) as running:
        replies = await every_endpoint(PlaidCaller(running), "user-1", "ins_56")
        served = {route.path for route in running.sandbox.vendors["plaid"].routes()}

    assert served == set(replies)


@pytest.mark.parametrize(
    "kind", ["down", "rate_limit", "auth", "validation", "institution_down", "bad_keys"]
)
async def test_plaid_refuses_as_documented(kind: str) -> None:
    """Plaid's errors are PlaidErrors."""
    spec = document("plaid")
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await plaid.link()
        await running.put_faults({"provider": "plaid", "kind": kind})
        reply = await plaid.read("/accounts/get")

    assert reply.status >= 400
    assert [] == spec.problems("POST", "/accounts/get", reply.status, plainly(reply))


async def test_every_error_code_has_plaids_body_and_status() -> None:
    """Whatever code is ordered, the answer is a PlaidError with its type and its own status."""
    spec = document("plaid")
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await plaid.link()
        replies = {code: await ordered(running, plaid, code) for code in ERROR_CODES}

    for code, reply in replies.items():
        by_type = {"RATE_LIMIT_EXCEEDED": 429, "USER_ERROR": 403}.get(ERROR_CODES[code], 400)

        assert [] == judge(
            spec, "POST", "/accounts/get", reply, status=STATUSES.get(code, by_type)
        ), code
        assert (ERROR_CODES[code], code) == (reply.body["error_type"], reply.body["error_code"])


async def ordered(running: RunningSandbox, plaid: PlaidCaller, code: str) -> Reply:
    """The answer with an error that was ordered."""
    await running.put_faults({"provider": "plaid", "kind": "error", "errorCode": code})
    return await plaid.read("/accounts/get")


async def test_every_item_error_shows_on_the_item_as_documented() -> None:
    """An Item that is asked about itself tells its error in an answer of status 200."""
    spec = document("plaid")
    shown = 0
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await plaid.link()
        for code in ERROR_CODES:
            await ordered(running, plaid, code)
            reply = await plaid.read("/item/get")
            if reply.status == 200:
                shown += 1

                assert code == reply.body["item"]["error"]["error_code"]
                assert [] == judge(spec, "POST", "/item/get", reply), code
    assert shown > 20


SCHEMAS = {
    "SYNC_UPDATES_AVAILABLE": "SyncUpdatesAvailableWebhook",
    "DEFAULT_UPDATE": "DefaultUpdateWebhook",
    "RECURRING_TRANSACTIONS_UPDATE": "RecurringTransactionsUpdateWebhook",
    "NEW_ACCOUNTS_AVAILABLE": "NewAccountsAvailableWebhook",
    "LOGIN_REPAIRED": "ItemLoginRepairedWebhook",
    "PENDING_DISCONNECT": "PendingDisconnectWebhook",
    "USER_PERMISSION_REVOKED": "UserPermissionRevokedWebhook",
    "USER_ACCOUNT_REVOKED": "UserAccountRevokedWebhook",
    "ERROR": "ItemErrorWebhook",
    "WEBHOOK_UPDATE_ACKNOWLEDGED": "WebhookUpdateAcknowledgedWebhook",
    "SESSION_FINISHED": "LinkSessionFinishedWebhook",
}
FIRED = list(SCHEMAS)[:8]


async def test_plaid_reports_as_documented() -> None:
    """Every webhook that the sandbox sends has the documented fields and no others."""
    spec = document("plaid.2020-09-14")
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await link(plaid, "user-1", "ins_56")
        for code in FIRED:
            fired = await plaid.read("/sandbox/item/fire_webhook", webhook_code=code)
            assert fired.status == 200, fired.raw
        await plaid.read("/sandbox/item/reset_login")
        await plaid.read("/item/webhook/update", webhook=HOOK)
        sent = [loads(webhook["body"]) for webhook in await running.webhooks()]

    assert set(SCHEMAS) == {payload["webhook_code"] for payload in sent}
    for payload in sent:
        code = payload["webhook_code"]

        assert [] == spec.problems_of(SCHEMAS[code], payload), code
