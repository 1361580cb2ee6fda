"""Concurrent operations from a router to a provider's actor, against as many no-op actor calls."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import ray

from actors.installation import configured_providers
from actors.options import Handle, named_actor, provider_actor, provider_actor_name
from actors.router_actor import open_service
from actors.service import RouterService
from benchmarks.results import BenchmarkFailed, Figure, Floor, Reach, Result
from benchmarks.setting import Setting
from orchestrator.bootstrap import System
from orchestrator.domain import (
    ExchangeData,
    LinkData,
    Operation,
    OperationRequest,
    typed_result,
)
from orchestrator.intake import new_request_id
from orchestrator.settings import load_settings

_CONCURRENT: Final = 2_000
_PROVIDER: Final = "plaid"
_INSTITUTION: Final = "ins_chase"
_SPACES: Final = 16
_DEADLINE_MS: Final = 120_000
_REACH: Final = 6.0
# Places for all of them: what is measured is the way, not the queue before a vendor's door.
_CONFIG: Final = """\
[requests]
attempt_timeout_ms = 120000
max_in_flight = 4000
max_in_flight_per_institution = 4000
max_waiting = 1500
[providers.plaid.limits]
enabled = false
"""


class NoOp:
    """An actor that hands back what it is given."""

    async def noop(self, operation: dict[str, str]) -> dict[str, str]:
        """Hand it back."""
        return operation


def run(setting: Setting) -> Result:
    """Measure; see the module."""
    concurrent = setting.sized(_CONCURRENT, 200)
    _environment(setting.folder)
    setting.progress("starting Ray, vault and log")
    system = System(load_settings(), setting.progress, http=False, use_sandbox=False)
    system.start()
    try:
        # From here on this process has a provider, whose actor is there before anybody asks.
        os.environ |= {"PLAID_CLIENT_ID": "benchmark", "PLAID_SECRET": "benchmark"}
        named_actor(
            provider_actor_name(_PROVIDER),
            "benchmarks.in_process_vendor",
            "InProcessProviderActor",
            _PROVIDER,
        )
        noop = named_actor("benchmark-noop", "benchmarks.routed_ops", "NoOp")
        started = [noop, *(provider_actor(name) for name in configured_providers(load_settings()))]
        ray.get([handle.__ray_ready__.remote() for handle in started], timeout=60)
        return asyncio.run(_measure(setting, noop, concurrent))
    finally:
        system.stop()


def _environment(folder: Path) -> None:
    config = folder / "orchestrator.toml"
    config.write_text(_CONFIG, encoding="utf-8")
    os.environ |= {
        "ORCHESTRATOR_DATA_DIR": str(folder / "data"),
        "ORCHESTRATOR_CONFIG": str(config),
    }


async def _measure(setting: Setting, noop: Handle, concurrent: int) -> Result:
    service = await open_service()
    try:
        setting.progress(f"linking {_SPACES} spaces")
        spaces = [await _linked(service, f"space_{number}") for number in range(_SPACES)]
        body = {"operation": "getAccounts", "spaceId": spaces[0], "requestId": new_request_id()}

        async def call(number: int) -> None:
            await noop.noop.remote({**body, "number": str(number)})

        async def route(number: int) -> None:
            request = _reading(service, spaces[number % len(spaces)])
            result = await service.execute(request)
            if not result.success:
                raise BenchmarkFailed(f"getAccounts failed: {result.error}")

        setting.progress("warming")
        for each in (call, route):
            await _per_s(each, concurrent // 4)
        calls: list[float] = []
        routed: list[float] = []
        for number in range(setting.runs):
            setting.progress(f"run {number + 1} of {setting.runs}")
            calls.append(await _per_s(call, concurrent))
            routed.append(await _per_s(route, concurrent))
    finally:
        await service.close()
    figure = Figure(
        f"{concurrent:,} concurrent operations",
        "1/s",
        tuple(routed),
        Floor(f"{concurrent:,} no-op calls", tuple(calls)),
        Reach.ratio_at_least(_REACH),
    )
    return Result(
        (figure,),
        notes=("the whole router in this process: validation, vault, decision, plan, story",),
    )


async def _per_s(work: Callable[[int], Awaitable[None]], concurrent: int) -> float:
    began = time.perf_counter()
    await asyncio.gather(*(work(number) for number in range(concurrent)))
    return concurrent / (time.perf_counter() - began)


def _reading(service: RouterService, space_id: str) -> OperationRequest:
    return _request(service, Operation.GET_ACCOUNTS, {"spaceId": space_id})


async def _linked(service: RouterService, space_id: str) -> str:
    params: dict[str, object] = {"spaceId": space_id, "institutionId": _INSTITUTION}
    made = typed_result(await service.execute(_request(service, Operation.CREATE_LINK, params)))
    if not isinstance(made.data, LinkData):
        raise BenchmarkFailed(f"createLink failed: {made.error}")
    exchange: dict[str, object] = {
        "spaceId": space_id,
        "linkSessionId": made.data.link_session_id,
        "temporaryToken": "public-benchmark-token",
    }
    done = typed_result(
        await service.execute(
            _request(service, Operation.EXCHANGE_TOKEN, exchange, key=f"benchmark-{space_id}")
        )
    )
    if not isinstance(done.data, ExchangeData):
        raise BenchmarkFailed(f"exchangeToken failed: {done.error}")
    return space_id


def _request(
    service: RouterService, operation: Operation, params: dict[str, object], key: str | None = None
) -> OperationRequest:
    return service.intake.request(
        operation,
        params,
        request_id=new_request_id(),
        preferred_provider=None,
        region="US",
        deadline_ms=_DEADLINE_MS,
        priority="interactive",
        idempotency_key=key,
        caller_id="benchmark",
        spaces=None,
    )
