"""Data that have to be asked for first: a vendor's job is watched while the attempt's time allows.

What is not ready by then is answered as it is, and said to be stale.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .attempt_trace import current_attempt

__all__ = ["RefreshPatience", "finished_in_time"]


@dataclass(frozen=True, slots=True)
class RefreshPatience:
    """How a job is waited for, in seconds.

    The pause before the first look is `first_pause_s`; each further one is `growth` times longer,
    up to `longest_pause_s`. All of them together stay within `longest_wait_s`, and `reserve_s` of
    the attempt's time is left for reading what the job has brought.
    """

    first_pause_s: float
    longest_wait_s: float
    growth: float = 1.5
    longest_pause_s: float = 10.0
    reserve_s: float = 2.0

    def next_pause_s(self, last_s: float | None, waited_s: float, left_s: float) -> float | None:
        """How long to pause before the next look; None where that would take too long.

        Args:
            last_s: the pause before, None before the first.
            waited_s: all pauses so far.
            left_s: what is left of the attempt's time.

        """
        pause_s = (
            self.first_pause_s
            if last_s is None
            else min(last_s * self.growth, self.longest_pause_s)
        )
        too_long = waited_s + pause_s > self.longest_wait_s or pause_s + self.reserve_s > left_s
        return None if too_long else pause_s


async def finished_in_time(
    look: Callable[[], Awaitable[bool]],
    patience: RefreshPatience,
    *,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> bool:
    """Whether a job that was started has ended while it could be waited for.

    Args:
        look: asks the vendor whether it has; its failures are the attempt's.
        patience: how long and how often.
        pause: waits.

    """
    trace = current_attempt.get()
    last_s: float | None = None
    waited_s = 0.0
    while True:
        left_s = float("inf") if trace is None else trace.time_left_s()
        last_s = patience.next_pause_s(last_s, waited_s, left_s)
        if last_s is None:
            return False
        await pause(last_s)
        waited_s += last_s
        if await look():
            return True
