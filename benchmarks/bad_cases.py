"""What a system does under what should not happen: who is answered, how it grows, how its health is told.

A vendor that never answers while thousands of operations wait for it, callers who leave in the middle,
a batch of which every item fails. All over HTTP, on a system as it ships.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Final

import aiohttp
import uvloop

from benchmarks.batch_ops import batch_body
from benchmarks.crowd import ask_at_once
from benchmarks.health_probe import probed
from benchmarks.resident import residents, total_mb
from benchmarks.results import BenchmarkFailed, Figure, Reach, Result
from benchmarks.served import accounts_bodies, served
from benchmarks.setting import Setting
from benchmarks.upstream import upstream

_OPERATIONS: Final = 10_000
_LEAVING: Final = 500
_ITEMS: Final = 1_000
_SPACES: Final = 64
_DEADLINE_MS: Final = 5_000
_GRACE_MS: Final = 2_000.0
"""How long after its deadline an answer may be on its way through everything that is busy."""
_WITHIN_S: Final = 120.0
_MOST_HEALTH_MS: Final = 100.0
_MOST_GROWTH_MB: Final = 300.0
_CONFIG: Final = """\
[breaker]
failure_threshold = 1000
"""
"""What is measured is the queue, which open circuits would spare the system."""
_GET_ACCOUNTS: Final = "/v1/operations/getAccounts"


@dataclass(slots=True)
class _Seen:
    """What callers and probes have seen; times in milliseconds."""

    statuses: Counter[int] = field(default_factory=Counter)
    slowest_ms: float = 0.0
    health_ms: list[float] = field(default_factory=list)


def run(setting: Setting) -> Result:
    """Measure; see the module."""
    operations = setting.sized(_OPERATIONS, 500)
    with ExitStack() as stack:
        vendor = stack.enter_context(upstream(setting.folder / "upstream", own=True))
        setting.progress("starting the system")
        system = stack.enter_context(served(setting.folder / "system", vendor, _CONFIG))
        spaces = system.link(setting.sized(_SPACES, 4))
        silent: list[_Seen] = []
        failing: list[_Seen] = []
        grown: list[float] = []
        for number in range(setting.runs):
            setting.progress(f"run {number + 1} of {setting.runs}")
            before = total_mb(residents(system.data_dir))
            silent.append(uvloop.run(_silent(system.url, vendor, spaces, operations)))
            uvloop.run(_leaving(system.url, vendor, spaces, setting.sized(_LEAVING, 50)))
            failing.append(
                uvloop.run(_failing(system.url, vendor, spaces, setting.sized(_ITEMS, 100)))
            )
            grown.append(total_mb(residents(system.data_dir)) - before)
    healthy = Reach.value_at_most(_MOST_HEALTH_MS)
    return Result(
        (
            Figure(
                "operations of a silent vendor without an answer",
                "",
                tuple(float(operations - seen.statuses.total()) for seen in silent),
                reach=Reach.value_at_most(0),
            ),
            Figure(
                "the slowest answer of them",
                "ms",
                tuple(seen.slowest_ms for seen in silent),
                reach=Reach.value_at_most(_DEADLINE_MS + _GRACE_MS),
            ),
            Figure("/healthz meanwhile, p99", "ms", _p99s(silent), reach=healthy),
            Figure("/healthz beside batches that fail, p99", "ms", _p99s(failing), reach=healthy),
            Figure(
                "growth of all processes",
                "MB",
                tuple(grown),
                reach=Reach.value_at_most(_MOST_GROWTH_MB),
            ),
        ),
        notes=(
            f"{operations:,} getAccounts at once, deadline {_DEADLINE_MS} ms; answered with "
            + _told(silent),
            f"batches whose every item fails, answered with {_told(failing)}",
        ),
    )


async def _silent(url: str, vendor: str, spaces: Sequence[str], operations: int) -> _Seen:
    """All at once, at a vendor that never answers."""
    seen = _Seen()
    bodies = [
        json.dumps({**json.loads(body), "deadlineMs": _DEADLINE_MS}).encode()
        for body in accounts_bodies(tuple(spaces))
    ]
    async with _session() as session:
        await _hand_back(session, url)
        await _set_mode(session, vendor, "silent")

        asked = [bodies[number % len(bodies)] for number in range(operations)]
        with probed(f"{url}/healthz", seen.health_ms):
            answered = await ask_at_once(f"{url}{_GET_ACCOUNTS}", asked, within_s=_WITHIN_S)
        seen.statuses.update(answer.status for answer in answered)
        seen.slowest_ms = max(answer.took_ms for answer in answered)
        await _set_mode(session, vendor, "answering")
    return seen


async def _leaving(url: str, vendor: str, spaces: Sequence[str], callers: int) -> None:
    """Callers who leave while the vendor is silent; afterwards there is room for everybody again.

    Raises:
        BenchmarkFailed: what they left behind holds others up.

    """
    bodies = [body.encode() for body in accounts_bodies(tuple(spaces))]
    async with _session() as session:
        await _set_mode(session, vendor, "silent")
        asking = [
            asyncio.create_task(
                _post(session, f"{url}{_GET_ACCOUNTS}", bodies[number % len(bodies)])
            )
            for number in range(callers)
        ]
        await asyncio.wait(asking, timeout=1.0)
        for each in asking:
            each.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await _set_mode(session, vendor, "answering")
        await _hand_back(session, url)
        ended = await asyncio.gather(
            *(_post(session, f"{url}{_GET_ACCOUNTS}", body) for body in bodies)
        )
    if any(status != 200 for status, _ in ended):
        raise BenchmarkFailed(f"after callers had left: {ended[0][0]} {ended[0][1][:300]!r}")


async def _failing(url: str, vendor: str, spaces: Sequence[str], items: int) -> _Seen:
    """A batch of which every item fails."""
    seen = _Seen()
    async with _session() as session:
        await _set_mode(session, vendor, "failing")
        with probed(f"{url}/healthz", seen.health_ms):
            _, answer = await _post(session, f"{url}/v1/batch", batch_body(spaces, items))
        await _set_mode(session, vendor, "answering")
    results = json.loads(answer)["results"]
    seen.statuses.update(result["status"] for result in results)
    if len(results) != items or seen.statuses[200]:
        raise BenchmarkFailed(f"a batch that fails was answered with {dict(seen.statuses)}")
    return seen


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=120)
    )


async def _post(session: aiohttp.ClientSession, url: str, body: bytes) -> tuple[int, bytes]:
    headers = {"Content-Type": "application/json"}
    async with session.post(url, data=body, headers=headers) as response:
        return response.status, await response.read()


async def _set_mode(session: aiohttp.ClientSession, vendor: str, mode: str) -> None:
    async with session.post(f"{vendor}/_mode/{mode}") as response:
        response.raise_for_status()


async def _hand_back(session: aiohttp.ClientSession, url: str) -> None:
    """Close the circuits, whatever was counted before."""
    held = {"state": "AUTO", "reason": "another round of the benchmark"}
    async with session.post(f"{url}/admin/providers/plaid/circuit", json=held) as response:
        response.raise_for_status()


def _p99s(several: Sequence[_Seen]) -> tuple[float, ...]:
    return tuple(quantiles([*seen.health_ms, *seen.health_ms], n=100)[98] for seen in several)


def _told(several: Sequence[_Seen]) -> str:
    statuses: Counter[int] = Counter()
    for seen in several:
        statuses += seen.statuses
    return ", ".join(f"{status}: {count:,}" for status, count in sorted(statuses.items()))
