"""Reads that are asked for together are read together."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from actors.gathered_reads import GatheredReads
from orchestrator.domain import StoreError


class Store:
    """Doubles numbers below 100; `gate` holds reads back while it is closed."""

    def __init__(self) -> None:
        self.reads: list[tuple[int, ...]] = []
        self.reading = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.broken = False

    async def read(self, keys: Sequence[int]) -> Mapping[int, int]:
        """What there is."""
        self.reads.append(tuple(keys))
        self.reading.set()
        await self.gate.wait()
        if self.broken:
            raise StoreError("away")
        return {key: key * 2 for key in keys if key < 100}


@pytest.fixture
async def store() -> Store:
    """An open store."""
    return Store()


async def test_what_is_asked_during_a_read_is_read_together(store: Store) -> None:
    """One read for the first, one for all that came meanwhile, each key once."""
    store.gate.clear()
    reads: GatheredReads[int, int] = GatheredReads(store.read, -1)
    first = asyncio.create_task(reads.get(1))
    await store.reading.wait()
    others = [asyncio.create_task(reads.get(number)) for number in (2, 3, 2, 1)]
    await asyncio.sleep(0)
    store.gate.set()

    assert 2 == await first
    assert [4, 6, 4, 2] == await asyncio.gather(*others)
    assert [(1,), (2, 3, 1)] == store.reads


async def test_a_key_without_an_answer_is_missing(store: Store) -> None:
    """It is told apart from the rest of the same read."""
    reads: GatheredReads[int, int] = GatheredReads(store.read, -1)

    assert [-1, 10] == await asyncio.gather(reads.get(500), reads.get(5))


async def test_a_read_that_fails_fails_for_those_who_asked(store: Store) -> None:
    """The next read is a new one."""
    reads: GatheredReads[int, int] = GatheredReads(store.read, -1)
    store.broken = True
    ends = await asyncio.gather(reads.get(1), reads.get(2), return_exceptions=True)
    store.broken = False

    assert [StoreError, StoreError] == [type(end) for end in ends]
    assert 2 == await reads.get(1)


async def test_somebody_who_goes_takes_nothing_from_the_others(store: Store) -> None:
    """An answer that several wait for comes to those who stay."""
    store.gate.clear()
    reads: GatheredReads[int, int] = GatheredReads(store.read, -1)
    one, other = asyncio.create_task(reads.get(1)), asyncio.create_task(reads.get(1))
    await store.reading.wait()
    one.cancel()
    store.gate.set()

    assert 2 == await other
