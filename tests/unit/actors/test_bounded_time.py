"""Time that is counted from now, whatever the event loop believes."""

import asyncio
import time

import uvloop

from actors.bounded_time import within


def test_a_bound_begins_now_even_after_a_turn_that_was_held_up() -> None:
    """On uvloop, what blocked the loop before takes nothing from the time that is given after."""

    async def held_up() -> float:
        threading_wait = asyncio.Event()
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            pass
        began = time.monotonic()
        try:
            async with within(0.2):
                await threading_wait.wait()
        except TimeoutError:
            pass
        return time.monotonic() - began

    assert uvloop.run(held_up()) >= 0.19
