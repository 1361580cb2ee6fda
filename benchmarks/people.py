"""People who come at random, whether those before them have been answered or not."""

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from random import Random
from types import TracebackType
from typing import Final, Self

import aiohttp

from benchmarks.results import BenchmarkFailed

__all__ = ["People"]

_LONGEST_S: Final = 60.0
_MOST_FAILED_RATIO: Final = 0.001
_LEAST: Final = 20


class People:
    """Ask for accounts over HTTP from another thread, `per_s` times a second on average.

    A context manager: they come from its beginning to its end. Times between them are exponential,
    as those of a crowd whose members know nothing of each other.

    Args:
        url: of the system.
        spaces: theirs, one drawn for each request.
        per_s: requests a second.
        seed: of when they come.

    """

    def __init__(self, url: str, spaces: Sequence[str], per_s: float, *, seed: int) -> None:
        self._url = f"{url}/v1/operations/getAccounts"
        self._bodies = [json.dumps({"params": {"spaceId": one}}).encode() for one in spaces]
        self._per_s = per_s
        self._rng = Random(seed)
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._come()), daemon=True)
        self._statuses: Counter[int] = Counter()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leaving.set()
        self._thread.join()

    def check(self) -> None:
        """Refuse what was measured where they were not answered.

        Raises:
            BenchmarkFailed: too many failed, or too few came.

        """
        came = self._statuses.total()
        failed = came - self._statuses[200]
        if came < _LEAST or failed > _MOST_FAILED_RATIO * came:
            raise BenchmarkFailed(f"people were answered {dict(self._statuses)}")

    async def _come(self) -> None:
        timeout = aiohttp.ClientTimeout(total=_LONGEST_S)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as group:
            at = time.monotonic()
            while not self._leaving.is_set():
                at += self._rng.expovariate(self._per_s)
                await asyncio.sleep(max(0.0, at - time.monotonic()))
                group.create_task(self._ask(session, self._rng.choice(self._bodies)))

    async def _ask(self, session: aiohttp.ClientSession, body: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        try:
            async with session.post(self._url, data=body, headers=headers) as response:
                await response.read()
                self._statuses[response.status] += 1
        except (aiohttp.ClientError, TimeoutError):
            self._statuses[0] += 1
