"""How long something may take, counted from now and not from when the event loop last looked.

uvloop, which Ray's actors run on, keeps the time of its last turn: after a turn that was held up for
seconds, `asyncio.timeout` would begin to count those seconds ago, and be over at once.
"""

import asyncio
import time

__all__ = ["ends_in", "within"]


def ends_in(seconds: float) -> float:
    """When so many seconds will be over, by the event loop's clock, which is the monotonic one."""
    return time.monotonic() + seconds


def within(seconds: float) -> asyncio.Timeout:
    """`asyncio.timeout`, counted from now."""
    return asyncio.timeout_at(ends_in(seconds))
