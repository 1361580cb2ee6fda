"""Waiting for a vendor's job within the attempt's time."""

from itertools import count

import pytest

from orchestrator.providers.attempt_trace import AttemptTrace, current_attempt
from orchestrator.providers.refresh_job import RefreshPatience, finished_in_time

PATIENCE = RefreshPatience(
    first_pause_s=3.0, longest_wait_s=30.0, growth=2.0, longest_pause_s=8.0, reserve_s=2.0
)


class Job:
    """A vendor's job that ends at the look of that number, on a clock that pauses move."""

    def __init__(self, ends_at_look: int) -> None:
        self._ends_at_look = ends_at_look
        self._looks = count(1)
        self.pauses: list[float] = []

    async def look(self) -> bool:
        """Whether it has ended."""
        return next(self._looks) >= self._ends_at_look

    async def pause(self, seconds: float) -> None:
        """Let time pass."""
        self.pauses.append(seconds)

    async def watched(self, *, attempt_s: float = float("inf")) -> bool:
        """Wait for it in an attempt that has so much time."""
        trace = AttemptTrace("a", time_left_s=lambda: attempt_s - sum(self.pauses))
        token = current_attempt.set(trace)
        try:
            return await finished_in_time(self.look, PATIENCE, pause=self.pause)
        finally:
            current_attempt.reset(token)


@pytest.mark.parametrize(
    ("ends_at_look", "pauses"), [(1, [3.0]), (2, [3.0, 6.0]), (4, [3.0, 6.0, 8.0, 8.0])]
)
async def test_a_job_that_ends_is_noticed_at_the_next_look(
    ends_at_look: int, pauses: list[float]
) -> None:
    """Pauses grow up to their bound until the job has ended."""
    job = Job(ends_at_look)

    assert await job.watched()
    assert pauses == job.pauses


async def test_a_job_without_end_is_given_up_after_the_longest_wait() -> None:
    """All pauses together stay within the longest wait."""
    job = Job(99)

    assert not await job.watched()
    assert [3.0, 6.0, 8.0, 8.0] == job.pauses


@pytest.mark.parametrize(("attempt_s", "pauses"), [(4.9, []), (5.0, [3.0]), (11.0, [3.0, 6.0])])
async def test_an_attempt_keeps_time_for_reading(attempt_s: float, pauses: list[float]) -> None:
    """No pause is begun that would leave less than the reserve of the attempt's time."""
    job = Job(99)

    assert not await job.watched(attempt_s=attempt_s)
    assert pauses == job.pauses


async def test_outside_of_an_attempt_only_the_longest_wait_bounds() -> None:
    """Whoever has no deadline waits as long as patience lasts."""
    job = Job(3)

    assert await finished_in_time(job.look, PATIENCE, pause=job.pause)
    assert [3.0, 6.0, 8.0] == job.pauses
