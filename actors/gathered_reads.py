"""Many reads in one: what is asked for while a read is under way is read together after it."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from typing import Final, Generic, TypeVar

from orchestrator.domain import StoreError

__all__ = ["GatheredReads"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
_MOST_TOGETHER: Final = 400


class GatheredReads(Generic[K, V]):
    """Reads by key. An answer tells how things were at some time after its question.

    Belongs to one event loop.

    Args:
        read: reads these keys, each once; what it does not answer for gets `missing`.
        missing: the answer for a key without one.

    """

    def __init__(self, read: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]], missing: V) -> None:
        self._read = read
        self._missing = missing
        self._asked: dict[K, asyncio.Future[V]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V:
        """What there is under a key.

        Raises:
            StoreError: the read failed.

        """
        loop = asyncio.get_running_loop()
        future = self._asked.get(key)
        if future is None:
            future = self._asked[key] = loop.create_future()
        if self._reading is None or self._reading.done():
            self._reading = loop.create_task(self._read_all())
        # Others may wait for the same answer: one of them going must not take it from the rest.
        return await asyncio.shield(future)

    async def _read_all(self) -> None:
        while self._asked:
            asked = dict(list(self._asked.items())[:_MOST_TOGETHER])
            for key in asked:
                del self._asked[key]
            try:
                found = await self._read(tuple(asked))
            except Exception as error:  # noqa: BLE001  told to everybody who asked
                _fail(asked.values(), error)
                continue
            except asyncio.CancelledError:
                _fail(asked.values(), StoreError("the vault is being closed"))
                raise
            for key, future in asked.items():
                if not future.done():
                    future.set_result(found.get(key, self._missing))


def _fail(futures: Iterable[asyncio.Future[V]], error: Exception) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)
            # Marked as seen: whoever asked may have gone.
            future.exception()
