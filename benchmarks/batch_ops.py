"""`POST /v1/batch`, some in parallel, against a bare loop over the same upstream."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

import aiohttp

from benchmarks.programs import root
from benchmarks.results import BenchmarkFailed, Figure, Floor, Reach, Result
from benchmarks.served import clean_environment, served
from benchmarks.setting import Setting
from benchmarks.upstream import upstream

_ITEMS: Final = 1_000
_IN_PARALLEL: Final = 2
_IN_FLIGHT: Final = 512
_SPACES: Final = 64
_DEADLINE_MS: Final = 120_000
_REACH: Final = 0.7
# As many under way at the vendor as the bare loop has, and room for the rest of two batches.
_CONFIG: Final = f"""\
[requests]
attempt_timeout_ms = {_DEADLINE_MS}
max_in_flight = {_IN_FLIGHT}
max_in_flight_per_institution = {_IN_FLIGHT}
max_waiting = 1500
"""


def run(setting: Setting) -> Result:
    """Measure; see the module."""
    items = setting.sized(_ITEMS, 100)
    rounds = setting.sized(2, 1)
    operations = items * _IN_PARALLEL * rounds
    batched: list[float] = []
    bare: list[float] = []
    with ExitStack() as stack:
        vendor = stack.enter_context(upstream(setting.folder / "upstream"))
        setting.progress("starting the system")
        system = stack.enter_context(served(setting.folder / "system", vendor, _CONFIG))
        setting.progress(f"linking {_SPACES} spaces")
        body = batch_body(system.link(_SPACES), items)
        url = f"{system.url}/v1/batch"
        setting.progress("warming")
        asyncio.run(batches_per_s(url, body, items, in_parallel=_IN_PARALLEL, rounds=1))
        for number in range(setting.runs):
            setting.progress(f"run {number + 1} of {setting.runs}")
            bare.append(bare_per_s(f"{vendor}/accounts/get", operations))
            batched.append(
                asyncio.run(
                    batches_per_s(url, body, items, in_parallel=_IN_PARALLEL, rounds=rounds)
                )
            )
    figure = Figure(
        f"operations in batches of {items:,}, {_IN_PARALLEL} in parallel",
        "1/s",
        tuple(batched),
        Floor("bare httpx loop", tuple(bare)),
        Reach.ratio_at_least(_REACH),
    )
    return Result(
        (figure,),
        notes=(f"at most {_IN_FLIGHT} calls under way at the upstream on both sides",),
    )


def batch_body(spaces: Sequence[str], items: int) -> bytes:
    """A body of `POST /v1/batch`: `getAccounts` of the spaces in turn."""
    operations = [
        {
            "operation": "getAccounts",
            "params": {"spaceId": spaces[number % len(spaces)]},
            "deadlineMs": _DEADLINE_MS,
        }
        for number in range(items)
    ]
    return json.dumps({"operations": operations}).encode()


async def batches_per_s(
    url: str, body: bytes, items: int, *, in_parallel: int, rounds: int
) -> float:
    """Operations a second of batches that are sent in parallel, each after the one before.

    Raises:
        BenchmarkFailed: a batch or an item of it failed.

    """
    timeout = aiohttp.ClientTimeout(total=_DEADLINE_MS / 1000 + 30)
    async with aiohttp.ClientSession(timeout=timeout) as session:

        async def send() -> list[bytes]:
            return [await _sent(session, url, body) for _ in range(rounds)]

        began = time.perf_counter()
        answers = await asyncio.gather(*(send() for _ in range(in_parallel)))
        took_s = time.perf_counter() - began
    for answer in (each for several in answers for each in several):
        results = json.loads(answer)["results"]
        failed = [result for result in results if result["status"] != 200]
        if failed or len(results) != items:
            raise BenchmarkFailed(f"{len(failed)} of {len(results)} items failed: {failed[:1]}")
    return items * in_parallel * rounds / took_s


async def _sent(session: aiohttp.ClientSession, url: str, body: bytes) -> bytes:
    headers = {"Content-Type": "application/json"}
    async with session.post(url, data=body, headers=headers) as response:
        answer = await response.read()
        if response.status != 200:
            raise BenchmarkFailed(f"a batch was answered with {response.status}: {answer[:500]!r}")
        return answer


def bare_per_s(url: str, operations: int) -> float:
    """Operations a second of the bare loop, in a process of its own.

    Raises:
        BenchmarkFailed: it failed.

    """
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.bare_loop", "--url", url),
            *("--concurrent", str(_IN_FLIGHT), "--operations", str(operations)),
        ],
        env=clean_environment(),
        cwd=root,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode != 0:
        raise BenchmarkFailed(f"the bare loop failed: {done.stderr[-1000:]}")
    return float(done.stdout)
