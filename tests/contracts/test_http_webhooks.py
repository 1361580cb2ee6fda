"""`POST /v1/webhooks/{provider}`: each takes the genuine, and refuses the forged, old and replayed."""

import hmac
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio
import structlog.testing

from orchestrator.domain import ConnectionStatus, StoreError
from orchestrator.providers.http import VendorHttp, client_for
from orchestrator.providers.plaid_webhooks import PlaidWebhooks
from tests.support.httpx_wire import HttpxWire
from tests.support.system import Answer, Linked, System, running_system
from tests.support.webhook_bench import failing
from tests.support.webhook_builders import PlaidKeyServer, SigningKey

pytestmark = pytest.mark.asyncio(loop_scope="module")

MX_AGREED = "Basic bXg6YWdyZWVk"
BELVO_AGREED = "Bearer belvo-agreed"
FINICITY_SECRET = b"sandbox_secret"
BANKS = {
    "plaid": ("ins_chase", "US"),
    "mx": ("ins_chase", "US"),
    "finicity": ("ins_chase", "US"),
    "belvo": ("ins_bbva_mx", "MX"),
    "bitso": ("ins_bitso", "MX"),
}
EVERY = pytest.mark.parametrize("provider", ["plaid", "mx", "finicity", "belvo"])
"""All that prove their webhooks."""
TELLS_TROUBLE = pytest.mark.parametrize("provider", ["plaid", "mx", "belvo"])
WINDOW = {"startDate": "2026-03-01", "endDate": "2026-03-18"}


def finicity_proof(body: bytes) -> dict[str, str]:
    """Finicity's signature of a body."""
    return {"X-Finicity-Signature": hmac.new(FINICITY_SECRET, body, "sha256").hexdigest()}


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a vendor posts."""

    provider: str
    body: bytes
    headers: Mapping[str, str]


class Vendors:
    """The vendors' side of webhooks, towards one running system."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.key = SigningKey("kid-1")
        self.keys = PlaidKeyServer(self.key)
        client = client_for("https://plaid.test", wire=HttpxWire(httpx.MockTransport(self._plaid)))
        desk = system.desks["plaid"]
        desk._webhooks._reader = PlaidWebhooks(VendorHttp(client))
        self._spaces = 0

    def _plaid(self, request: httpx.Request) -> httpx.Response:
        answer = self.keys(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def link(self, provider: str) -> tuple[Linked, str, str]:
        """A new connection, its space, and what the vendor calls its login."""
        self._spaces += 1
        space = f"space_{self._spaces}"
        bank, region = BANKS[provider]
        linked = await self.system.link(space, bank, provider, region)
        if provider == "bitso":
            return linked, space, ""
        there = self.system.sandbox.sandbox.connections.of(provider)[-1]
        if provider == "finicity":
            return linked, space, f"{there.owner}/{there.connection_id}"
        return linked, space, there.connection_id

    def signed(self, body: bytes, *, key: SigningKey | None = None, age_s: int = 0) -> Delivery:
        """A body of Plaid's."""
        at = self.system.clock.unix_s() - age_s
        token = (key or self.key).token(body, signed_at=at)
        return Delivery("plaid", body, {"Plaid-Verification": token})

    def proven(self, provider: str, payload: object) -> Delivery:
        """A genuine delivery."""
        body = json.dumps(payload, indent=2).encode()
        if provider == "plaid":
            return self.signed(body)
        if provider == "finicity":
            return Delivery(provider, body, finicity_proof(body))
        agreed = {"mx": MX_AGREED, "belvo": BELVO_AGREED}[provider]
        return Delivery(provider, body, {"Authorization": agreed})

    def fresh(self, provider: str, login: str) -> Delivery:
        """News of fresh data."""
        payloads: dict[str, object] = {
            "plaid": {
                "webhook_type": "TRANSACTIONS",
                "webhook_code": "SYNC_UPDATES_AVAILABLE",
                "item_id": login,
            },
            "mx": {
                "type": "AGGREGATION",
                "action": "member_data_updated",
                "completed_at": 1_773_847_000,
                "member_guid": login,
            },
            "belvo": {
                "webhook_type": "TRANSACTIONS",
                "webhook_code": "new_transactions_available",
                "link_id": login,
                "request_id": f"request-{login}",
            },
            "finicity": {
                "eventType": "added",
                "eventId": f"1773847800000-{login}",
                "customerId": login.partition("/")[0],
                "payload": {"accounts": [{"institutionLoginId": login.partition("/")[2]}]},
            },
        }
        return self.proven(provider, payloads[provider])

    def broken(self, provider: str, login: str) -> Delivery:
        """News of a login that waits for its user."""
        error = {"error_type": "ITEM_ERROR", "error_code": "ITEM_LOGIN_REQUIRED"}
        payloads: dict[str, object] = {
            "plaid": {
                "webhook_type": "ITEM",
                "webhook_code": "ERROR",
                "item_id": login,
                "error": error,
            },
            "mx": {
                "type": "CONNECTION_STATUS",
                "action": "CHANGED",
                "connection_status": "DENIED",
                "member_guid": login,
            },
            "belvo": {
                "webhook_type": "LINK",
                "webhook_code": "token_required",
                "link_id": login,
            },
        }
        return self.proven(provider, payloads[provider])

    async def post(self, delivery: Delivery, **headers: str) -> Answer:
        """Deliver."""
        response = await self.system.http.post(
            f"/v1/webhooks/{delivery.provider}",
            content=delivery.body,
            headers={**delivery.headers, **headers},
        )
        return Answer(response.status_code, response.headers, response.json())

    async def standing(self, linked: Linked, space: str) -> tuple[str, bool]:
        """A connection's status, and whether it is due for a re-read."""
        listed = (await self.system.get(f"/v1/spaces/{space}/connections")).body["connections"]
        (row,) = [row for row in listed if row["connectionId"] == linked.connection_id]
        return row["status"], row["refreshDue"]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def vendors(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Vendors]:
    """A system with agreed values, and its vendors."""
    agreed = {"MX_WEBHOOK_AUTH": MX_AGREED, "BELVO_WEBHOOK_AUTH": BELVO_AGREED}
    # Both systems of this module live in one environment, so that each says what it has not.
    environment = {**agreed, "ORCHESTRATOR_API_KEYS": "", "ORCHESTRATOR_PUBLIC_URL": ""}
    folder = tmp_path_factory.mktemp("webhooks")
    async with running_system(folder, environment=environment) as running:
        yield Vendors(running)


def problem(answer: Answer) -> tuple[int, str]:
    """Status and code of a refusal, which is a problem document."""
    assert "application/problem+json" == answer.headers["content-type"]
    return answer.status, answer.error["code"]


@EVERY
async def test_genuine_news_marks_the_connection(vendors: Vendors, provider: str) -> None:
    """Take a proven report, show the connection as due, and take that back with the next reading."""
    linked, space, login = await vendors.link(provider)
    before = await vendors.standing(linked, space)
    answer = await vendors.post(vendors.fresh(provider, login))
    marked = await vendors.standing(linked, space)
    vendors.system.clock.jump(1)
    read = await vendors.system.call(
        "syncTransactions", {"spaceId": space, "connectionId": linked.connection_id, **WINDOW}
    )
    after = await vendors.standing(linked, space)

    assert (202, {"accepted": True}) == (answer.status, answer.body)
    assert 200 == read.status
    assert [("active", False), ("active", True), ("active", False)] == [before, marked, after]


@EVERY
async def test_reading_in_part_leaves_the_mark(vendors: Vendors, provider: str) -> None:
    """Take the mark back only when a reading has come to its end."""
    linked, space, login = await vendors.link(provider)
    await vendors.post(vendors.fresh(provider, login))
    vendors.system.clock.jump(1)
    ask = {"spaceId": space, "connectionId": linked.connection_id}
    first = await vendors.system.call("syncTransactions", {**ask, **WINDOW, "limit": 1})
    between = await vendors.standing(linked, space)
    rest = await vendors.system.call(
        "syncTransactions", {**ask, "cursor": first.data["nextCursor"]}
    )
    after = await vendors.standing(linked, space)

    assert [True, False] == [first.data["hasMore"], rest.data["hasMore"]]
    assert [("active", True), ("active", False)] == [between, after]


async def test_stale_reading_leaves_the_mark(vendors: Vendors) -> None:
    """Leave a connection due for a re-read that has shown old data only."""
    linked, space, login = await vendors.link("mx")
    await vendors.post(vendors.fresh("mx", login))
    vendors.system.clock.jump(1)
    await vendors.system.sandbox.put_faults(
        {"provider": "mx", "operation": "*", "institutionId": "*", "kind": "auth"}
    )
    ask = {"spaceId": space, "connectionId": linked.connection_id, "allowStale": True}
    read = await vendors.system.call("syncTransactions", {**ask, **WINDOW})
    await vendors.system.sandbox.clear_faults()

    assert (200, True) == (read.status, read.data["stale"])
    assert (await vendors.standing(linked, space))[1]


async def test_mark_that_cannot_be_taken_back_costs_no_reading(vendors: Vendors) -> None:
    """Answer what was read although the vault cannot take the mark back, which then stays."""
    linked, space, login = await vendors.link("plaid")
    await vendors.post(vendors.fresh("plaid", login))
    vendors.system.clock.jump(1)
    ask = {"spaceId": space, "connectionId": linked.connection_id, **WINDOW}
    with failing(vendors.system.vault, "clear_refresh_due", StoreError("away")):
        read = await vendors.system.call("syncTransactions", ask)

    assert 200 == read.status
    assert ("active", True) == await vendors.standing(linked, space)


@TELLS_TROUBLE
async def test_genuine_trouble_marks_the_connection(vendors: Vendors, provider: str) -> None:
    """Show a connection as waiting for its user once the vendor has reported it."""
    linked, space, login = await vendors.link(provider)
    answer = await vendors.post(vendors.broken(provider, login))

    assert 202 == answer.status
    assert ("needs_user", False) == await vendors.standing(linked, space)


@EVERY
async def test_forged_webhook_is_refused(vendors: Vendors, provider: str) -> None:
    """Refuse news without its proof, or with another's, and do nothing about it."""
    linked, space, login = await vendors.link(provider)
    genuine = vendors.fresh(provider, login)
    forged = {
        "plaid": vendors.signed(genuine.body, key=SigningKey("kid-1")).headers,
        "mx": {"Authorization": BELVO_AGREED},
        "belvo": {"Authorization": MX_AGREED},
        "finicity": finicity_proof(genuine.body + b" "),
    }[provider]
    unproven = await vendors.post(Delivery(provider, genuine.body, {}))
    refused = await vendors.post(Delivery(provider, genuine.body, forged))

    assert [(401, "WEBHOOK_UNPROVEN")] * 2 == [problem(unproven), problem(refused)]
    assert ("active", False) == await vendors.standing(linked, space)


async def test_body_of_another_webhook_is_refused(vendors: Vendors) -> None:
    """Refuse a genuine token with a body that it was not made for."""
    linked, space, login = await vendors.link("plaid")
    genuine = vendors.fresh("plaid", login)
    other = vendors.broken("plaid", login)
    answer = await vendors.post(Delivery("plaid", other.body, genuine.headers))

    assert (401, "WEBHOOK_UNPROVEN") == problem(answer)
    assert ("active", False) == await vendors.standing(linked, space)


async def test_old_webhook_is_refused(vendors: Vendors) -> None:
    """Refuse a token of Plaid's that is more than five minutes old."""
    linked, space, login = await vendors.link("plaid")
    genuine = vendors.broken("plaid", login)
    vendors.system.clock.jump(301)
    answer = await vendors.post(genuine)

    assert (401, "WEBHOOK_TOO_OLD") == problem(answer)
    assert ("active", False) == await vendors.standing(linked, space)


async def test_replayed_webhook_is_refused(vendors: Vendors) -> None:
    """Refuse a token of Plaid's that was used before, and do nothing about it."""
    linked, space, login = await vendors.link("plaid")
    genuine = vendors.broken("plaid", login)
    first = await vendors.post(genuine)
    await vendors.system.vault.set_status(linked.connection_id, ConnectionStatus.ACTIVE)
    second = await vendors.post(genuine)

    assert 202 == first.status
    assert (401, "WEBHOOK_REPLAYED") == problem(second)
    assert ("active", False) == await vendors.standing(linked, space)


@pytest.mark.parametrize("provider", ["mx", "belvo"])
async def test_repeated_delivery_is_without_effect(vendors: Vendors, provider: str) -> None:
    """Take what a vendor repeats, and let it undo nothing that has happened since."""
    linked, space, login = await vendors.link(provider)
    genuine = vendors.broken(provider, login)
    first = await vendors.post(genuine)
    await vendors.system.vault.set_status(linked.connection_id, ConnectionStatus.ACTIVE)
    second = await vendors.post(genuine)

    assert [202, 202] == [first.status, second.status]
    assert ("active", False) == await vendors.standing(linked, space)


async def test_reports_out_of_order_end_as_the_newest(vendors: Vendors) -> None:
    """Let a report that was held up on its way not overrule a newer one."""
    linked, space, login = await vendors.link("mx")
    at = int(vendors.system.clock.unix_s()) - 60

    def member(status: str, revision: int) -> Delivery:
        told = {"guid": login, "connection_status": status, "revision": revision, "updated_at": at}
        return vendors.proven("mx", {"action": "updated", "member": told})

    for delivery in (member("CONNECTED", 8), member("CHALLENGED", 7)):
        assert 202 == (await vendors.post(delivery)).status

    assert ("active", True) == await vendors.standing(linked, space)


async def test_plaid_may_rotate_its_keys(vendors: Vendors) -> None:
    """Take a token of a new key at once, and none of the old key any more."""
    linked, space, login = await vendors.link("plaid")
    payload = {"webhook_type": "TRANSACTIONS", "webhook_code": "SYNC_UPDATES_AVAILABLE"}
    old, new = vendors.key, SigningKey("kid-2")
    body = json.dumps({**payload, "item_id": login}).encode()
    before = await vendors.post(vendors.signed(body))
    vendors.keys.keys = {
        "kid-1": SigningKey("kid-1", expired_at=int(vendors.system.clock.unix_s())),
        "kid-2": new,
    }
    vendors.key = new
    by_new = await vendors.post(vendors.signed(body))
    by_old = await vendors.post(vendors.signed(body + b" ", key=old))

    assert [202, 202] == [before.status, by_new.status]
    assert (401, "WEBHOOK_UNPROVEN") == problem(by_old)
    assert ("active", True) == await vendors.standing(linked, space)


async def test_plaid_that_does_not_answer_delays_its_own_webhooks(vendors: Vendors) -> None:
    """Ask for another delivery while Plaid cannot be asked for the key that would prove this one."""
    linked, space, login = await vendors.link("plaid")
    vendors.key = SigningKey("kid-3")
    vendors.keys.keys["kid-3"] = vendors.key
    genuine = vendors.fresh("plaid", login)
    vendors.keys.instead = httpx.ConnectError("down")
    refused = await vendors.post(genuine)
    vendors.keys.instead = None
    taken = await vendors.post(genuine)

    assert (503, "WEBHOOK_NOT_TAKEN") == problem(refused)
    assert int(refused.headers["retry-after"]) > 0
    assert 202 == taken.status
    assert ("active", True) == await vendors.standing(linked, space)


@EVERY
@pytest.mark.parametrize("step", ["webhook_seen", "mark_refresh_due", "first_time"])
async def test_trouble_of_ours_loses_nothing(vendors: Vendors, provider: str, step: str) -> None:
    """Answer 503 where the vault fails at any step, and act on the same delivery when it comes again."""
    linked, space, login = await vendors.link(provider)
    genuine = vendors.fresh(provider, login)
    with failing(vendors.system.vault, step, StoreError("away")):
        refused = await vendors.post(genuine)
    taken = await vendors.post(genuine)

    assert (503, "WEBHOOK_NOT_TAKEN") == problem(refused)
    assert 202 == taken.status
    assert ("active", True) == await vendors.standing(linked, space)


@pytest.mark.parametrize(
    ("provider", "refusal"),
    [
        ("nobody", (404, "UNKNOWN_PROVIDER")),
        ("finicity", (401, "WEBHOOK_NOT_CONFIGURED")),
        ("bitso", (401, "WEBHOOK_NOT_CONFIGURED")),
        ("belvo", (401, "WEBHOOK_NOT_CONFIGURED")),
    ],
)
async def test_nobody_elses_webhooks_are_taken(
    keyed: System, provider: str, refusal: tuple[int, str]
) -> None:
    """Tell an unknown provider from one that is not configured, or has no value agreed."""
    response = await keyed.http.post(
        f"/v1/webhooks/{provider}", content=b"{}", headers={"Authorization": BELVO_AGREED}
    )

    assert refusal == (response.status_code, response.json()["error"]["code"])


@EVERY
@pytest.mark.parametrize("body", [b"", b"garbage", b"[]", b"\xff\x00", b"[" * 200_000])
async def test_garbage_is_judged_after_its_proof(
    vendors: Vendors, provider: str, body: bytes
) -> None:
    """Call garbage unproven while it is, and malformed where a vendor has sent it."""
    genuine = {
        "plaid": vendors.signed(body).headers,
        "finicity": finicity_proof(body),
        "mx": {"Authorization": MX_AGREED},
        "belvo": {"Authorization": BELVO_AGREED},
    }[provider]
    forged = await vendors.post(Delivery(provider, body, {}))
    proven = await vendors.post(Delivery(provider, body, genuine))

    assert (401, "WEBHOOK_UNPROVEN") == problem(forged)
    assert (422, "WEBHOOK_MALFORMED") == problem(proven)


@EVERY
async def test_body_is_bounded(vendors: Vendors, provider: str) -> None:
    """Refuse a body of more than 256 KiB, and take one that just fits."""
    _, _, login = await vendors.link(provider)
    payload = json.loads(vendors.fresh(provider, login).body)
    fitting = vendors.proven(provider, {**payload, "more": "x" * (250 * 1024)})
    larger = vendors.proven(provider, {**payload, "more": "x" * (256 * 1024)})

    assert 202 == (await vendors.post(fitting)).status
    assert (413, "BODY_TOO_LARGE") == problem(await vendors.post(larger))


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "x/y", ""])
async def test_media_type_does_not_matter(vendors: Vendors, content_type: str) -> None:
    """Take a proven body whatever its Content-Type says."""
    _, _, login = await vendors.link("mx")
    answer = await vendors.post(vendors.fresh("mx", login), **{"Content-Type": content_type})

    assert 202 == answer.status


async def test_any_host_may_deliver(vendors: Vendors) -> None:
    """Take a webhook under the name that the world knows us by, without keys too."""
    _, _, login = await vendors.link("mx")
    foreign = {"Host": "bank-data.example.com", "Origin": "https://mx.example.com"}
    answer = await vendors.post(vendors.fresh("mx", login), **foreign)
    elsewhere = await vendors.system.get("/v1/institutions", headers=foreign)

    assert 202 == answer.status
    assert (403, "LOOPBACK_ONLY") == problem(elsewhere)


async def test_nothing_of_a_webhook_is_told_or_logged(vendors: Vendors) -> None:
    """Keep headers and body out of every answer and log."""
    _, _, login = await vendors.link("mx")
    payload = {"type": "AGGREGATION", "member_guid": login, "name": "Jane Roe"}
    proven = vendors.proven("mx", payload)
    deliveries = (
        proven,
        proven,
        Delivery("mx", proven.body, {"Authorization": "Basic forged-value"}),
        Delivery("mx", b"Jane Roe", {"Authorization": MX_AGREED}),
        Delivery("nobody", proven.body, proven.headers),
    )
    with structlog.testing.capture_logs() as logs:
        answers = [await vendors.post(delivery) for delivery in deliveries]
    told = repr(logs) + repr([(answer.body, dict(answer.headers)) for answer in answers])

    assert [202, 202, 401, 422, 404] == [answer.status for answer in answers]
    for secret in ("Jane Roe", login, MX_AGREED, "forged-value"):
        assert secret not in told


async def test_hints_of_bitso_mark_everybody_once_a_minute(vendors: Vendors) -> None:
    """Mark all of Bitso's connections at a hint, and nobody else's; refuse the next for a minute."""
    ours = [(await vendors.link("bitso"))[:2] for _ in range(2)]
    other = (await vendors.link("mx"))[:2]
    vendors.system.clock.jump(60)
    hint = Delivery("bitso", b'{"event": "funding", "payload": {"fid": "f"}}', {})
    first = await vendors.post(hint)
    marked = [await vendors.standing(*one) for one in (*ours, other)]
    second = await vendors.post(hint)
    vendors.system.clock.jump(60)
    third = await vendors.post(hint)

    assert [202, 202] == [first.status, third.status]
    assert [("active", True), ("active", True), ("active", False)] == marked
    assert (429, "WEBHOOK_TOO_SOON") == problem(second)
    assert 1 <= int(second.headers["retry-after"]) <= 60


async def test_garbage_is_no_hint_of_bitso(vendors: Vendors) -> None:
    """Refuse what Bitso would not send, without taking it for the minute's hint."""
    vendors.system.clock.jump(60)
    garbage = await vendors.post(Delivery("bitso", b"garbage", {}))
    hint = await vendors.post(Delivery("bitso", b'{"event": "withdrawal"}', {}))

    assert (422, "WEBHOOK_MALFORMED") == problem(garbage)
    assert 202 == hint.status


async def test_ping_of_finicity_is_answered(vendors: Vendors) -> None:
    """Take the ping without which Finicity makes no link, as often as it comes."""
    ping = vendors.proven("finicity", {"eventType": "ping", "payload": {}})

    assert [202, 202] == [(await vendors.post(ping)).status for _ in range(2)]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def keyed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """A system with API keys and a public address, with a value agreed with MX alone."""
    environment = {
        "ORCHESTRATOR_API_KEYS": "api-key",
        "ORCHESTRATOR_PUBLIC_URL": "https://bank-data.example.com/base/",
        "MX_WEBHOOK_AUTH": MX_AGREED,
        "BELVO_WEBHOOK_AUTH": "",
    }
    async with running_system(
        tmp_path_factory.mktemp("keyed"),
        environment=environment,
        providers=("plaid", "mx", "belvo"),
    ) as running:
        yield running


async def test_api_keys_are_not_asked_for(keyed: System) -> None:
    """Take a proven webhook without an API key where keys are set."""
    taken = await keyed.http.post(
        "/v1/webhooks/mx", json={"type": "NEWS"}, headers={"Authorization": MX_AGREED}
    )
    closed = await keyed.http.get("/v1/institutions", headers={"Authorization": MX_AGREED})

    assert [202, 401] == [taken.status_code, closed.status_code]


async def test_vendors_are_told_where_to_report(keyed: System) -> None:
    """Name the vendor's own address below the public one when a link session is made."""
    named = await keyed.call(
        "createLink",
        {"spaceId": "space_1", "institutionId": "ins_chase"},
        headers={"Authorization": "Bearer api-key"},
        preferredProvider="plaid",
    )
    session = keyed.sandbox.sandbox.sessions.find(named.data["linkToken"])

    assert session is not None
    assert "https://bank-data.example.com/base/v1/webhooks/plaid" == session.attributes["webhook"]
