"""The sandbox as one aiohttp application, and how it is served."""

import asyncio
import ipaddress
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final

from aiohttp import web

from .belvo import Belvo
from .bitso import Bitso
from .calls import CallBook
from .connections import Connections, LinkSessions
from .control import Control
from .faults import FaultBook
from .finicity import Finicity
from .gateway import Gateway
from .journal import Journal
from .mx import Mx
from .options import SandboxOptions
from .plaid import Plaid
from .vendor import Shared, Vendor
from .webhook_sender import WebhookSender
from .webhooks import WebhookBook
from .world import World

__all__ = ["SANDBOX", "VENDORS", "Sandbox", "make_app", "serve"]

VENDORS: Final[tuple[type[Vendor], ...]] = (
    Plaid,
    Mx,
    Finicity,
    Belvo,
    Bitso,
    # A further vendor is a line here.
)
"""The vendors served, each below a path of its name."""

_SHUTDOWN_S: Final = 0.3


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The parts of a running sandbox, for tests and for those who embed it."""

    world: World
    vendors: Mapping[str, Vendor]
    connections: Connections
    sessions: LinkSessions
    faults: FaultBook
    calls: CallBook
    gateway: Gateway
    webhooks: WebhookBook


SANDBOX: Final = web.AppKey("sandbox", Sandbox)


def _utc_now() -> datetime:
    return datetime.now(UTC)


def make_app(
    seed: int,
    *,
    clock: Callable[[], datetime] = _utc_now,
    state_file: Path | None = None,
    options: SandboxOptions | None = None,
) -> web.Application:
    """The application: every vendor below its name, `/_control/` and `/healthz`.

    Args:
        seed: of the world, of ids and of which calls a fault with a rate strikes.
        clock: UTC now; the data are of its day.
        state_file: where what was linked is kept; None keeps it in memory only.
        options: points that vendors leave open.

    Raises:
        WrongSeed: `state_file` was written under another seed.

    """
    journal = Journal(state_file, seed=seed) if state_file else None
    shared = Shared(
        world=World(seed),
        connections=Connections(journal),
        sessions=LinkSessions(),
        options=options or SandboxOptions(),
        webhooks=WebhookBook(),
    )
    faults, calls = FaultBook(), CallBook()
    gateway = Gateway(faults, calls, clock, Random(seed))
    vendors = {vendor.name: vendor(shared) for vendor in VENDORS}
    sender = WebhookSender(shared.webhooks, clock)

    @web.middleware
    async def send_what_is_due(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            return await handler(request)
        finally:
            sender.poke()

    app = web.Application(client_max_size=1024 * 1024, middlewares=[send_what_is_due])
    for name, vendor in vendors.items():
        for route in vendor.routes():
            app.router.add_route(
                route.method, f"/{name}{route.path}", gateway.endpoint(vendor, route)
            )
        app.router.add_route("*", f"/{name}/{{tail:.*}}", gateway.stray(vendor))
    app.add_routes(Control(vendors, shared, faults, calls, clock).routes())
    app.router.add_get("/healthz", _healthz)
    app[SANDBOX] = Sandbox(
        shared.world,
        vendors,
        shared.connections,
        shared.sessions,
        faults,
        calls,
        gateway,
        shared.webhooks,
    )

    async def life(_app: web.Application) -> AsyncIterator[None]:
        yield
        await sender.close()
        if journal is not None:
            journal.close()

    async def let_go(_app: web.Application) -> None:
        gateway.stop()

    app.cleanup_ctx.append(life)
    app.on_shutdown.append(let_go)
    return app


async def _healthz(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def serve(
    host: str = "127.0.0.1",
    port: int = 8200,
    *,
    seed: int = 0,
    ready: Callable[[str], None] | None = None,
    state_file: Path | None = None,
    options: SandboxOptions | None = None,
    stop_with: int | None = None,
) -> None:
    """Serve the sandbox until SIGTERM, SIGINT or cancellation; then stop within a second.

    Args:
        host: a loopback address or `localhost`.
        port: 0 takes a free one.
        seed: see `make_app`.
        ready: called with the base URL once requests are answered.
        state_file: see `make_app`.
        options: see `make_app`.
        stop_with: a file descriptor whose end stops the sandbox, too.

    Raises:
        ValueError: `host` is not loopback.
        OSError: the port is taken.
        WrongSeed: see `make_app`.

    """
    if not _is_loopback(host):
        raise ValueError(f"{host!r} is not loopback: the sandbox serves this machine only")
    app = make_app(seed, state_file=state_file, options=options)
    runner = web.AppRunner(
        app, access_log=None, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_S
    )
    await runner.setup()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    watched: list[signal.Signals] = []
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        # Off the main thread nobody sends signals here: the owner cancels instead.
        with suppress(RuntimeError, ValueError, NotImplementedError):
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, stop.set)
                watched.append(number)
        if stop_with is not None:
            loop.add_reader(stop_with, _set_at_end, stop_with, stop)
        if ready is not None:
            ready(_base_url(runner))
        await stop.wait()
    finally:
        if stop_with is not None:
            loop.remove_reader(stop_with)
        for number in watched:
            loop.remove_signal_handler(number)
        await runner.cleanup()


def _set_at_end(descriptor: int, stop: asyncio.Event) -> None:
    if not os.read(descriptor, 4096):
        stop.set()


def _base_url(runner: web.AppRunner) -> str:
    address = runner.addresses[0]
    host, port = address[0], address[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
