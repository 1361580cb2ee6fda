"""Vendors' webhooks from one end to the other: the sandbox's own, and those that only a key proves."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio
from aiohttp import web

from sandbox.connections import Connection
from tests.support.loopback import receiving_posts
from tests.support.system import System, running_system

WAIT_S = 10.0


@dataclass
class PublicAddress:
    """Where the world reaches a system: a real socket, which hands on what comes in.

    It keeps each delivery with the answer to it.
    """

    system: System | None = None
    url: str = ""
    dealt_with: asyncio.Queue[tuple[httpx.Request, httpx.Response]] = field(
        default_factory=asyncio.Queue
    )

    async def handle(self, request: web.Request) -> web.Response:
        """Take one delivery."""
        assert self.system is not None
        answer = await self.system.http.post(
            request.path, content=await request.read(), headers=dict(request.headers)
        )
        await self.dealt_with.put((answer.request, answer))
        return web.Response(status=answer.status_code, body=answer.content)

    async def next(self) -> tuple[httpx.Request, httpx.Response]:
        """The next delivery and its answer."""
        return await asyncio.wait_for(self.dealt_with.get(), WAIT_S)


@asynccontextmanager
async def public_address() -> AsyncIterator[PublicAddress]:
    """A free port of this machine."""
    address = PublicAddress()
    async with receiving_posts(address.handle) as address.url:
        yield address


@dataclass(frozen=True)
class World:
    """A system with a public address, and what the vendors and the callers do with it."""

    system: System
    address: PublicAddress

    async def link(self, provider: str) -> Connection:
        """Link a space of the provider's name to Chase; answers the vendor's connection."""
        await self.system.link(f"space_{provider}", "ins_chase", provider)
        return self.system.sandbox.sandbox.connections.of(provider)[-1]

    async def fire(self, item: Connection, code: str) -> tuple[httpx.Request, httpx.Response]:
        """Have Plaid's sandbox report, and wait for it; answers the delivery and our answer."""
        url = self.system.sandbox.url_of("plaid")
        headers = {"PLAID-CLIENT-ID": "sandbox_client", "PLAID-SECRET": "sandbox_secret"}
        body = {"access_token": item.secret, "webhook_code": code}
        fired = await self.system.sandbox.http.post(
            f"{url}/sandbox/item/fire_webhook", json=body, headers=headers
        )

        assert 200 == fired.status

        return await self.address.next()

    async def post(self, provider: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        """Deliver; answers the status and the error's code, if there is one."""
        response = await self.system.http.post(
            f"/v1/webhooks/{provider}", content=body, headers=dict(headers)
        )
        told = response.json()
        return response.status_code, told["error"]["code"] if "error" in told else ""

    async def standing(self, provider: str) -> tuple[str, bool]:
        """Status and due refresh of the space's one connection."""
        told = await self.system.get(f"/v1/spaces/space_{provider}/connections")
        (row,) = told.body["connections"]
        return row["status"], row["refreshDue"]


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A system whose clock runs with the sandbox's."""
    async with public_address() as address:
        environment = {"ORCHESTRATOR_PUBLIC_URL": address.url}
        async with running_system(tmp_path, environment=environment) as system:
            address.system = system
            yield World(system, address)


async def test_plaids_own_report_is_taken_once(world: World) -> None:
    """Fired by the sandbox with its key, proven by the key that it shows, taken, and not again."""
    item = await world.link("plaid")
    before = await world.standing("plaid")
    request, answer = await world.fire(item, "SYNC_UPDATES_AVAILABLE")
    proof = {"Plaid-Verification": request.headers["Plaid-Verification"]}
    changed = request.content.replace(b"SYNC_UPDATES_AVAILABLE", b"DEFAULT_UPDATE")
    forged = await world.post("plaid", changed, proof)
    replayed = await world.post("plaid", request.content, proof)

    assert 202 == answer.status_code
    assert [("active", False), ("active", True)] == [before, await world.standing("plaid")]
    assert (401, "WEBHOOK_UNPROVEN") == forged
    assert (401, "WEBHOOK_REPLAYED") == replayed


async def test_plaids_old_report_is_refused(world: World) -> None:
    """What reaches us more than five minutes after it was signed is nobody's news."""
    item = await world.link("plaid")
    world.system.clock.jump(301)
    _, answer = await world.fire(item, "USER_PERMISSION_REVOKED")

    assert (401, "WEBHOOK_TOO_OLD") == (answer.status_code, answer.json()["error"]["code"])
    assert ("active", False) == await world.standing("plaid")


async def test_a_login_that_breaks_at_plaid_is_shown_as_its_users(world: World) -> None:
    """The sandbox's reset of a login reports by itself, and the connection waits for its user."""
    item = await world.link("plaid")
    url = world.system.sandbox.url_of("plaid")
    headers = {"PLAID-CLIENT-ID": "sandbox_client", "PLAID-SECRET": "sandbox_secret"}
    reset = await world.system.sandbox.http.post(
        f"{url}/sandbox/item/reset_login", json={"access_token": item.secret}, headers=headers
    )
    _, answer = await world.address.next()

    assert [200, 202] == [reset.status, answer.status_code]
    assert ("needs_user", False) == await world.standing("plaid")


def signed(payload: object, secret: str = "sandbox_secret") -> tuple[bytes, dict[str, str]]:
    """A body of Finicity's with its signature."""
    body = json.dumps(payload).encode()
    mac = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return body, {"X-Finicity-Signature": mac}


def added(login: Connection, event_id: str = "event-1") -> dict[str, Any]:
    """News of a login at Finicity."""
    return {
        "customerId": login.owner,
        "eventType": "added",
        "eventId": event_id,
        "payload": {"accounts": [{"id": "1", "institutionLoginId": login.connection_id}]},
    }


async def test_finicitys_report_is_taken_by_its_signature(world: World) -> None:
    """Signed with our partner secret it marks its login; otherwise, or changed, it is refused."""
    login = await world.link("finicity")
    body, proof = signed(added(login))
    forged = [
        await world.post("finicity", body, {}),
        await world.post("finicity", *signed(added(login), secret="another")),
        await world.post("finicity", body + b" ", proof),
    ]
    before = await world.standing("finicity")
    taken = await world.post("finicity", body, proof)
    after = await world.standing("finicity")

    assert [(401, "WEBHOOK_UNPROVEN")] * 3 == forged
    assert (202, "") == taken
    assert [("active", False), ("active", True)] == [before, after]


async def test_what_finicity_repeats_is_without_effect(world: World) -> None:
    """It is answered well, for it repeats for days otherwise, and undoes no reading since."""
    login = await world.link("finicity")
    first = await world.post("finicity", *signed(added(login)))
    world.system.clock.jump(1)
    read = await world.system.call("syncTransactions", {"spaceId": "space_finicity"})
    again = await world.post("finicity", *signed(added(login)))
    ping = await world.post("finicity", *signed({"eventType": "ping", "payload": {}}))

    assert [(202, "")] * 3 == [first, again, ping]
    assert 200 == read.status
    assert ("active", False) == await world.standing("finicity")


async def test_bitsos_hint_asks_for_a_re_read_and_for_no_more(world: World) -> None:
    """Nothing proves it, so that it marks connections, changes none, and is taken rarely."""
    await world.system.link("space_bitso", "ins_bitso", "bitso", "MX")
    hint = json.dumps({"event": "trade", "payload": {"status": "revoked"}}).encode()
    taken = await world.post("bitso", hint, {})
    marked = await world.standing("bitso")
    response = await world.system.http.post("/v1/webhooks/bitso", content=hint)
    garbage = await world.post("bitso", b"garbage", {})

    assert ((202, ""), ("active", True)) == (taken, marked)
    assert (429, "WEBHOOK_TOO_SOON") == (response.status_code, response.json()["error"]["code"])
    assert int(response.headers["retry-after"]) > 0
    assert (422, "WEBHOOK_MALFORMED") == garbage
