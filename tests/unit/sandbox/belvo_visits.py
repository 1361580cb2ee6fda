"""Somebody who speaks Belvo and has links read at their banks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sandbox.options import SandboxOptions
from tests.support.sandbox import RunningSandbox, running_sandbox
from tests.support.vendor_callers import BelvoCaller, Reply

PERIOD = {"date_from": "2026-02-01", "date_to": "2026-03-18"}
ASYNC = {"X-Belvo-Request-Mode": "async"}


@asynccontextmanager
async def linked(**options: Any) -> AsyncIterator[tuple[RunningSandbox, BelvoCaller]]:
    """A sandbox with a link at Belvo."""
    async with running_sandbox(options=SandboxOptions(**options)) as running:
        belvo = BelvoCaller(running)
        await belvo.link()
        yield running, belvo


async def live(belvo: BelvoCaller, name: str = "transactions", **more: object) -> Reply:
    """Have something read at the bank."""
    body = {"link": belvo.link_id, **({} if name == "accounts" else PERIOD), **more}
    return await belvo.call("POST", f"/api/{name}/", body)


async def background(belvo: BelvoCaller, name: str = "transactions") -> Reply:
    """Have something read by a job."""
    body = {"link": belvo.link_id, **({} if name == "accounts" else PERIOD)}
    return await belvo.call("POST", f"/api/{name}/", body, headers=ASYNC)


async def resume(belvo: BelvoCaller, name: str, its_session: str, **more: object) -> Reply:
    """Go on with a session."""
    body = {"session": its_session, "link": belvo.link_id, "token": "1234", **more}
    return await belvo.call("PATCH", f"/api/{name}/", body)


async def link_of(belvo: BelvoCaller) -> dict[str, Any]:
    """The link as it is told."""
    found: dict[str, Any] = (await belvo.call("GET", f"/api/links/{belvo.link_id}/")).body
    return found


def code(reply: Reply) -> tuple[int, str]:
    """Status and code of an error."""
    return reply.status, reply.body[0]["code"]
