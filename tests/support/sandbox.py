"""An in-process sandbox on a free loopback port, for tests of whatever talks to the vendors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from sandbox.options import SandboxOptions
from sandbox.server import SANDBOX, Sandbox, make_app

__all__ = ["START", "MovableClock", "RunningSandbox", "running_sandbox"]

START = datetime(2026, 3, 18, 15, 30, tzinfo=UTC)
"""The instant at which a test's sandbox lives unless told otherwise."""


class MovableClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """UTC now."""
        return self.now

    def move(self, *, days: float = 0, seconds: float = 0) -> None:
        """Go forward."""
        self.now += timedelta(days=days, seconds=seconds)


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """A served sandbox: its base URL, its insides, its clock, and a client for `/_control/`."""

    base_url: str
    sandbox: Sandbox
    clock: MovableClock
    http: aiohttp.ClientSession

    def url_of(self, provider: str) -> str:
        """The base URL that stands for a vendor's host."""
        return f"{self.base_url}/{provider}"

    async def complete(
        self,
        *,
        token: str | None = None,
        url: str | None = None,
        link_session_id: str | None = None,
        institution_id: str | None = None,
        user: str | None = None,
    ) -> str | dict[str, str]:
        """Play the widget to its end; answers the temporary token, or what was typed into a form."""
        body = {
            "linkToken": token,
            "linkUrl": url,
            "linkSessionId": link_session_id,
            "institutionId": institution_id,
            "user": user,
        }
        said = {name: value for name, value in body.items() if value is not None}
        async with self.http.post(f"{self.base_url}/_control/complete", json=said) as response:
            response.raise_for_status()
            given: str | dict[str, str] = (await response.json())["temporaryToken"]
            return given

    async def put_faults(self, *faults: dict[str, object]) -> None:
        """Put these faults in force, in place of all others."""
        url = f"{self.base_url}/_control/faults"
        async with self.http.put(url, json={"faults": list(faults)}) as response:
            response.raise_for_status()

    async def clear_faults(self) -> None:
        """End all faults."""
        async with self.http.delete(f"{self.base_url}/_control/faults") as response:
            response.raise_for_status()

    async def calls(self) -> dict[tuple[str, str], dict[str, object]]:
        """The counts, by provider and operation."""
        async with self.http.get(f"{self.base_url}/_control/calls") as response:
            response.raise_for_status()
            rows = (await response.json())["calls"]
        return {(row["provider"], row["operation"]): row for row in rows}

    async def webhooks(self) -> list[dict[str, Any]]:
        """The webhooks that were dealt with, oldest first."""
        async with self.http.get(f"{self.base_url}/_control/webhooks") as response:
            response.raise_for_status()
            found: list[dict[str, Any]] = (await response.json())["webhooks"]
            return found


@asynccontextmanager
async def running_sandbox(
    seed: int = 7,
    *,
    clock: MovableClock | None = None,
    state_file: Path | None = None,
    options: SandboxOptions | None = None,
) -> AsyncIterator[RunningSandbox]:
    """Serve a sandbox in this process on a free loopback port, and stop it at the end."""
    moved = clock or MovableClock()
    app = make_app(seed, clock=moved, state_file=state_file, options=options)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        async with aiohttp.ClientSession() as http:
            yield RunningSandbox(f"http://127.0.0.1:{port}", app[SANDBOX], moved, http)
    finally:
        await runner.cleanup()
