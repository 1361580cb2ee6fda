"""When the log commits, and what its readers get."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from actors.attempt_log import AttemptLogDesk, window_s
from orchestrator.attempt_log import AttemptLogStore
from orchestrator.spool import SpoolWriter
from tests.support.clock import SteppedClock
from tests.support.log_rows import attempt


@pytest.mark.parametrize(
    ("took_s", "pause_s"), [(0.0, 0.05), (0.005, 0.05), (0.008, 0.072), (0.02, 0.1), (3.0, 0.1)]
)
def test_rows_gather_longer_where_commits_take_longer(took_s: float, pause_s: float) -> None:
    """So that commits are a tenth of the time, and no row waits longer than a tenth of a second."""
    assert pytest.approx(pause_s) == window_s(0.05, took_s)


def test_a_window_is_never_shorter_than_it_was_asked_to_be() -> None:
    """Who wants rows to gather for a second has it."""
    assert 1.0 == window_s(1.0, 5.0)


@contextmanager
def desk_over(folder: Path) -> Iterator[AttemptLogDesk]:
    """A desk that commits when it is asked to."""
    yield AttemptLogDesk(
        lambda: AttemptLogStore(folder / "attempts.duckdb", memory_limit_mb=64),
        folder / "spool",
        SteppedClock(),
        query_timeout_s=5,
        query_max_rows=10_000,
        collect_every_s=None,
    )


async def test_who_asks_for_rows_has_those_that_stood_there(tmp_path: Path) -> None:
    """Of many who ask at once, each has what was spooled before it asked."""
    spool = SpoolWriter(tmp_path / "spool", "router")
    with desk_over(tmp_path) as desk:

        async def put_and_count(number: int) -> bool:
            spool.put(attempt(number))
            await desk.collect()
            rows = await desk.query(
                f"select 1 as found from attempts where request_id = 'req_{number}'"
            )
            return rows == [{"found": 1}]

        found = await asyncio.gather(*(put_and_count(number) for number in range(1, 40)))
        await desk.close()
    spool.close()

    assert [True] * 39 == found


async def test_a_long_answer_comes_whole_and_in_order(tmp_path: Path) -> None:
    """More rows than are turned into JSON at once."""
    spool = SpoolWriter(tmp_path / "spool", "router")
    for number in range(1, 2_503):
        spool.put(attempt(number, items=number))
    with desk_over(tmp_path) as desk:
        await desk.collect()
        rows = await desk.query("select items, candidates from attempts order by items")
        none = await desk.query("select items from attempts where items < 0")
        await desk.close()
    spool.close()

    assert [{"items": n, "candidates": ["plaid", "mx"]} for n in range(1, 2_503)] == rows
    assert [] == none
