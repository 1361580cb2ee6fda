"""Plaid's webhooks as the sandbox sends them: their proof, their occasions, their refusals."""

from hashlib import sha256
from json import dumps, loads
from typing import Any

import jwt
import pytest
from test_sandbox_webhooks import receiving

from sandbox.options import SandboxOptions
from tests.support.sandbox import START, RunningSandbox, running_sandbox
from tests.support.vendor_callers import PlaidCaller, Reply

HOOK = "https://app.test/hooks"


def code(reply: Reply) -> tuple[int, str]:
    """Status and code of an error."""
    return reply.status, reply.body["error_code"]


async def sent(running: RunningSandbox) -> list[dict[str, Any]]:
    """What was reported so far."""
    return [loads(webhook["body"]) for webhook in await running.webhooks()]


async def test_a_webhook_is_proven_as_plaid_documents() -> None:
    """Its JWT names a key that Plaid hands out, and holds the hash of the raw, indented body."""
    async with running_sandbox() as running, receiving() as receiver:
        plaid = PlaidCaller(running)
        await plaid.link(webhook=receiver.url)
        fired = await plaid.read(
            "/sandbox/item/fire_webhook", webhook_code="SYNC_UPDATES_AVAILABLE"
        )
        headers, body = await receiver.next()
        proof = headers["plaid-verification"]
        header = jwt.get_unverified_header(proof)
        key = (await plaid.post("/webhook_verification_key/get", key_id=header["kid"])).body["key"]
        item = await plaid.read("/item/get")

    assert fired.body["webhook_fired"] is True
    assert header["alg"] == "ES256"
    assert (key["alg"], key["crv"], key["use"], key["expired_at"]) == (
        "ES256",
        "P-256",
        "sig",
        None,
    )
    claims = jwt.decode(
        proof,
        jwt.PyJWK(key).key,
        algorithms=["ES256"],
        options={"verify_iat": False},
    )
    assert sha256(body).hexdigest() == claims["request_body_sha256"]
    assert int(START.timestamp()) == claims["iat"]
    payload = loads(body)
    assert dumps(payload, indent=2).encode() == body
    assert (payload["webhook_type"], payload["webhook_code"], payload["environment"]) == (
        "TRANSACTIONS",
        "SYNC_UPDATES_AVAILABLE",
        "sandbox",
    )
    assert payload["item_id"] == item.body["item"]["item_id"]
    assert item.body["status"]["last_webhook"] == {
        "sent_at": "2026-03-18T15:30:00Z",
        "code_sent": "SYNC_UPDATES_AVAILABLE",
    }


async def test_a_tampered_webhook_does_not_prove() -> None:
    """Another seed's sandbox has another key, whose signature does not hold."""
    async with running_sandbox(seed=1) as one, running_sandbox(seed=2) as other:
        plaid = PlaidCaller(one)
        await plaid.link(webhook=HOOK)
        await plaid.read("/sandbox/item/fire_webhook", webhook_code="LOGIN_REPAIRED")
        proof = (await one.webhooks())[0]["headers"]["Plaid-Verification"]
        foreign = other.sandbox.vendors["plaid"].reports.public_key_json()

    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(proof, jwt.PyJWK(foreign).key, algorithms=["ES256"])


async def test_an_unknown_key_is_refused() -> None:
    """Only keys that sign are handed out."""
    async with running_sandbox() as running:
        reply = await PlaidCaller(running).post("/webhook_verification_key/get", key_id="x")

    assert code(reply) == (400, "INVALID_WEBHOOK_VERIFICATION_KEY_ID")


@pytest.mark.parametrize(
    ("body", "error_code"),
    [
        ({"webhook_code": "PRODUCT_READY"}, "SANDBOX_PRODUCT_NOT_ENABLED"),
        ({"webhook_code": "DEFAULT_UPDATE", "webhook_type": "AUTH"}, "SANDBOX_PRODUCT_NOT_ENABLED"),
        ({"webhook_code": "SYNC_UPDATES_AVAILABLE"}, "SANDBOX_WEBHOOK_INVALID"),
    ],
)
async def test_what_cannot_be_fired_is_refused(body: dict[str, str], error_code: str) -> None:
    """An Item without the product, or without an address, reports nothing."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await plaid.link()
        reply = await plaid.read("/sandbox/item/fire_webhook", **body)

    assert code(reply) == (400, error_code)


async def test_the_phases_of_a_new_item_are_reported_once_it_was_read() -> None:
    """The first batch and the older history each announce themselves when they are there."""
    options = SandboxOptions(plaid_not_ready_s=10, plaid_initial_s=20)
    async with running_sandbox(options=options) as running:
        plaid = PlaidCaller(running)
        await plaid.link(webhook=HOOK)
        await plaid.read("/transactions/sync", count=1)
        early = await sent(running)
        running.clock.move(seconds=10)
        await plaid.read("/transactions/sync", count=1)
        first = await sent(running)
        running.clock.move(seconds=20)
        await plaid.read("/transactions/sync", count=1)
        whole = await sent(running)

    assert [] == early
    assert [(True, False)] == [
        (one["initial_update_complete"], one["historical_update_complete"]) for one in first
    ]
    assert [(True, False), (True, True)] == [
        (one["initial_update_complete"], one["historical_update_complete"]) for one in whole
    ]


async def test_an_item_that_was_never_read_reports_no_updates() -> None:
    """Plaid announces changes to those alone who have begun to follow them."""
    options = SandboxOptions(plaid_not_ready_s=10)
    async with running_sandbox(options=options) as running:
        plaid = PlaidCaller(running)
        await plaid.link(webhook=HOOK)
        running.clock.move(seconds=60)
        await plaid.read("/accounts/get")
        reported = await sent(running)

    assert [] == reported


async def test_a_refresh_that_brings_something_announces_it() -> None:
    """When it is done, and only if there is anything new."""
    options = SandboxOptions(plaid_pulls_itself=False, plaid_refresh_s=20)
    async with running_sandbox(options=options) as running:
        plaid = PlaidCaller(running)
        await plaid.link(webhook=HOOK)
        await plaid.read("/transactions/sync", count=1)
        await plaid.read("/transactions/refresh")
        running.clock.move(days=4)
        nothing = await sent(running)
        await plaid.read("/transactions/refresh")
        early = await sent(running)
        running.clock.move(seconds=20)
        await plaid.read("/item/get")
        late = await sent(running)

    assert ([], []) == (nothing, early)
    assert ["SYNC_UPDATES_AVAILABLE"] == [one["webhook_code"] for one in late]


async def test_a_broken_login_and_a_new_address_report_themselves() -> None:
    """The Item's error comes without a request id, the new address gets its acknowledgement."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await plaid.link(webhook=HOOK)
        await plaid.read("/sandbox/item/reset_login")
        await plaid.read("/item/webhook/update", webhook="https://app.test/new")
        reported = await running.webhooks()
        silenced = await plaid.read("/item/webhook/update", webhook=None)
        after = await running.webhooks()

    broken, moved = (loads(one["body"]) for one in reported)
    assert (broken["webhook_type"], broken["webhook_code"]) == ("ITEM", "ERROR")
    assert broken["error"]["error_code"] == "ITEM_LOGIN_REQUIRED"
    assert (broken["error"]["status"], "request_id" in broken["error"]) == (400, False)
    assert (moved["webhook_code"], moved["new_webhook_url"]) == (
        "WEBHOOK_UPDATE_ACKNOWLEDGED",
        "https://app.test/new",
    )
    assert ["https://app.test/hooks", "https://app.test/new"] == [one["url"] for one in reported]
    assert silenced.body["item"]["webhook"] is None
    assert len(reported) == len(after)


async def test_update_mode_keeps_an_items_address() -> None:
    """A webhook named for a repair has no effect on the Item."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        access = await plaid.link(webhook=HOOK)
        token = await plaid.link_token(
            products=None, access_token=access, webhook="https://app.test/other"
        )
        public = await running.complete(token=token)
        await plaid.post("/item/public_token/exchange", public_token=public)
        item = await plaid.read("/item/get")

    assert HOOK == item.body["item"]["webhook"]


async def test_a_hosted_session_reports_its_public_token() -> None:
    """No front end gets it, so that the session's address does."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        token = await plaid.link_token(hosted_link={}, webhook=HOOK)
        public = await running.complete(token=token)
        reported = await sent(running)

    assert [("LINK", "SESSION_FINISHED", [public])] == [
        (one["webhook_type"], one["webhook_code"], one["public_tokens"]) for one in reported
    ]


async def test_the_record_of_webhooks_can_be_cleared() -> None:
    """A test begins with an empty record."""
    async with running_sandbox() as running:
        plaid = PlaidCaller(running)
        await plaid.link(webhook=HOOK)
        await plaid.read("/sandbox/item/fire_webhook", webhook_code="LOGIN_REPAIRED")
        before = await running.webhooks()
        async with running.http.delete(f"{running.base_url}/_control/webhooks") as response:
            status = response.status
        after = await running.webhooks()

    assert (1, 204, []) == (len(before), status, after)
