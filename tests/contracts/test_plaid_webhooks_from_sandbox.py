"""The sandbox's Plaid reports, with its own key, to the whole system: from firing to the mark."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from sandbox.plaid_items import PlaidItems
from sandbox.plaid_webhooks import PlaidWebhooks
from tests.support.loopback import receiving_posts
from tests.support.system import Linked, System, running_system

# No name of this machine: the sandbox keeps what it would send there for the test to deliver.
PUBLIC = "https://bank-data.example.com"
SPACE = "space_1"
WAIT_S = 10.0


@pytest_asyncio.fixture
async def system(tmp_path: Path) -> AsyncIterator[System]:
    """A system that vendors know by a public address."""
    async with running_system(tmp_path, environment={"ORCHESTRATOR_PUBLIC_URL": PUBLIC}) as running:
        yield running


async def fired(system: System, kind: str, code: str) -> dict[str, Any]:
    """Have the sandbox's Plaid report, and answer what it sent."""
    item = system.sandbox.sandbox.connections.of("plaid")[-1]
    control = f"{system.sandbox.base_url}/_control/webhooks"
    async with system.sandbox.http.delete(control) as cleared:
        cleared.raise_for_status()
    asked = {"webhook_type": kind, "webhook_code": code}
    path = "fire_webhook"
    if code == "ERROR":
        asked, path = {}, "reset_login"
    async with system.sandbox.http.post(
        f"{system.sandbox.url_of('plaid')}/sandbox/item/{path}",
        json={"access_token": item.secret, **asked},
        headers={"PLAID-CLIENT-ID": "sandbox_client", "PLAID-SECRET": "sandbox_secret"},
    ) as response:
        response.raise_for_status()
    async with system.sandbox.http.get(control) as response:
        (sent,) = [row for row in (await response.json())["webhooks"] if f'"{code}"' in row["body"]]
    return dict(sent)


async def deliver(system: System, sent: dict[str, Any]) -> int:
    """Deliver what the sandbox sent; answers the status."""
    path = sent["url"].removeprefix(PUBLIC)
    answer = await system.http.post(path, content=sent["body"].encode(), headers=sent["headers"])
    return answer.status_code


async def standing(system: System, linked: Linked) -> tuple[str, bool]:
    """A connection's status, and whether it is due for a re-read."""
    listed = (await system.get(f"/v1/spaces/{SPACE}/connections")).body["connections"]
    (row,) = [row for row in listed if row["connectionId"] == linked.connection_id]
    return row["status"], row["refreshDue"]


@pytest.mark.parametrize(
    ("kind", "code", "after"),
    [
        ("TRANSACTIONS", "SYNC_UPDATES_AVAILABLE", ("active", True)),
        ("ITEM", "NEW_ACCOUNTS_AVAILABLE", ("active", True)),
        ("ITEM", "ERROR", ("needs_user", False)),
        ("ITEM", "PENDING_DISCONNECT", ("needs_user", False)),
        ("ITEM", "USER_PERMISSION_REVOKED", ("disconnected", False)),
        ("TRANSACTIONS", "DEFAULT_UPDATE", ("active", False)),
    ],
)
async def test_what_plaid_reports_shows_on_the_connection(
    system: System, kind: str, code: str, after: tuple[str, bool]
) -> None:
    """Take what the sandbox signed for the address that its link session was told."""
    linked = await system.link(SPACE)
    sent = await fired(system, kind, code)

    assert f"{PUBLIC}/v1/webhooks/plaid" == sent["url"]
    assert 202 == await deliver(system, sent)
    assert after == await standing(system, linked)


async def test_what_plaid_reports_is_taken_once_and_unchanged(system: System) -> None:
    """Refuse the same report again, and one of which a byte was changed."""
    await system.link(SPACE)
    sent = await fired(system, "TRANSACTIONS", "SYNC_UPDATES_AVAILABLE")
    changed = {**sent, "body": sent["body"] + " "}

    assert [401, 202, 401] == [await deliver(system, row) for row in (changed, sent, sent)]


async def test_what_plaid_reported_long_ago_is_refused(system: System) -> None:
    """Refuse a report that reaches us more than five minutes after it was signed."""
    linked = await system.link(SPACE)
    sent = await fired(system, "ITEM", "USER_PERMISSION_REVOKED")
    system.clock.jump(301)

    assert 401 == await deliver(system, sent)
    assert ("active", False) == await standing(system, linked)


async def test_plaid_delivers_by_itself_where_it_can_reach_us(tmp_path: Path) -> None:
    """From the sandbox's own call to a public address on this machine, to the mark."""
    answers: asyncio.Queue[int] = asyncio.Queue()
    running: list[System] = []

    async def handed_on(request: web.Request) -> web.Response:
        answer = await running[0].http.post(
            request.path, content=await request.read(), headers=dict(request.headers)
        )
        await answers.put(answer.status_code)
        return web.Response(status=answer.status_code)

    async with (
        receiving_posts(handed_on) as address,
        running_system(tmp_path, environment={"ORCHESTRATOR_PUBLIC_URL": address}) as system,
    ):
        running.append(system)
        linked = await system.link(SPACE)
        async with system.sandbox.http.post(
            f"{system.sandbox.url_of('plaid')}/sandbox/item/reset_login",
            json={"access_token": system.sandbox.sandbox.connections.of("plaid")[-1].secret},
            headers={"PLAID-CLIENT-ID": "sandbox_client", "PLAID-SECRET": "sandbox_secret"},
        ) as response:
            response.raise_for_status()

        assert 202 == await asyncio.wait_for(answers.get(), WAIT_S)
        assert ("needs_user", False) == await standing(system, linked)


async def test_reading_meets_what_plaid_reported(system: System) -> None:
    """Take the mark back once the movements have been read."""
    linked = await system.link(SPACE)
    await deliver(system, await fired(system, "TRANSACTIONS", "SYNC_UPDATES_AVAILABLE"))
    system.clock.jump(1)
    read = await system.call(
        "syncTransactions", {"spaceId": SPACE, "connectionId": linked.connection_id}
    )

    assert 200 == read.status
    assert ("active", False) == await standing(system, linked)


async def test_plaid_may_rotate_its_keys(system: System) -> None:
    """Take a report under a new key at once, and none that the old key signed any more."""
    await system.link(SPACE)
    plaid = system.sandbox.sandbox.vendors["plaid"]
    assert isinstance(plaid, PlaidItems)
    first, held_up = [
        await fired(system, "TRANSACTIONS", "SYNC_UPDATES_AVAILABLE"),
        await fired(system, "ITEM", "NEW_ACCOUNTS_AVAILABLE"),
    ]
    before = await deliver(system, first)
    plaid.reports = PlaidWebhooks(seed=8, book=plaid.reports._book)
    by_new = await deliver(system, await fired(system, "ITEM", "LOGIN_REPAIRED"))
    by_old = await deliver(system, held_up)

    assert [202, 202, 401] == [before, by_new, by_old]
