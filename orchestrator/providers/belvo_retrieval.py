"""Data that Belvo has to read at the bank first: when to ask, whom to let wait, how long to look.

A bank lets one session of a login in at a time, each may end with a question to the user, and none
is quick. So one link is read by one attempt at a time, seldom, and what does not come within the
attempt's time is left to the next one: the data stored so far are told as old meanwhile.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final
from weakref import WeakValueDictionary

from orchestrator.domain import ErrorClass, ProviderFailure

from .attempt_trace import current_attempt
from .belvo_client import BelvoClient, failure_of
from .belvo_errors import BELVO_KNOWN_LINK_ERRORS
from .belvo_link import BelvoLink
from .belvo_wanted import Resource, Wanted
from .http import note_request_id
from .refresh_job import RefreshPatience, finished_in_time

__all__ = ["Brought", "LiveRetrieval"]

_RESERVE_S: Final = 3.0
"""What is kept of the attempt's time for reading what was brought."""
_LEAST_SPARE_S: Final = 1.0
_LONGEST_POST_S: Final = 180.0
_JOB_LIFE: Final = timedelta(minutes=10)
"""How long a job may be under way before it is taken for lost and asked for again."""
_CLOCKS_APART: Final = timedelta(minutes=1)
_MOST_JOBS: Final = 10_000
_PATIENCE: Final = RefreshPatience(first_pause_s=1.0, longest_wait_s=300.0, reserve_s=_RESERVE_S)
_SESSION_OPEN: Final = "too_many_sessions"
_SESSION_OVER: Final = "session_expired"


class Brought(Enum):
    """What came of it: whether to read the stored data again, and whether to call them old."""

    NOTHING = auto()
    ALL = auto()
    SOME = auto()
    LATE = auto()

    @property
    def is_new(self) -> bool:
        """Whether there are data that were not there before."""
        return self in (Brought.ALL, Brought.SOME)

    @property
    def is_short(self) -> bool:
        """Whether data are still awaited."""
        return self in (Brought.SOME, Brought.LATE)


class _Begun(Enum):
    DONE = auto()
    PARTLY = auto()
    UNDER_WAY = auto()
    BUSY = auto()


@dataclass(slots=True)
class _Job:
    """A reading that was asked for. `accessed_before` is how the link's own time stood then."""

    asked_at: datetime
    accessed_before: datetime | None
    ended_at: datetime | None = None

    def explains(self, accessed_at: datetime) -> bool:
        """Whether that access to the bank was this job's."""
        ends = accessed_at if self.ended_at is None else self.ended_at + _CLOCKS_APART
        return self.asked_at - _CLOCKS_APART <= accessed_at <= ends


class LiveRetrieval:
    """Has links' data read at the bank once they are old. Belongs to one event loop.

    Args:
        client: Belvo's calls.
        refresh_after: age at which stored data are old.
        in_background: what is asked for as a job, where Belvo allows it.
        now: UTC now.
        pause: waits.

    """

    def __init__(
        self,
        client: BelvoClient,
        *,
        refresh_after: timedelta,
        in_background: Collection[Resource],
        now: Callable[[], datetime],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._refresh_after = refresh_after
        self._in_background = frozenset(in_background)
        self._now = now
        self._pause = pause
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._jobs: OrderedDict[tuple[str, Resource], _Job] = OrderedDict()

    async def bring(
        self, link: BelvoLink, wanted: Wanted, collected_at: datetime | None
    ) -> Brought:
        """Have data read at the bank where what is stored is old, as far as the time allows.

        Args:
            link: just read, and whole.
            wanted: what to read.
            collected_at: when what is stored was read, as far as it tells.

        Raises:
            ProviderFailure: the bank's or Belvo's; what the user must do after `token_required`.

        """
        if self._is_fresh(link, wanted.resource, collected_at):
            return Brought.NOTHING
        spare_s = _spare_s()
        if spare_s == 0.0:
            return Brought.LATE
        lock = self._locks.setdefault(link.link_id, asyncio.Lock())
        had_to_wait = lock.locked()
        try:
            async with asyncio.timeout(spare_s):
                await lock.acquire()
        except TimeoutError:
            return Brought.LATE
        try:
            if had_to_wait:
                link = await self._looked_at_again(link)
                job = self._jobs.get((link.link_id, wanted.resource))
                if job is not None and self._is_recent(job.ended_at):
                    return Brought.ALL  # whoever held the link has just brought it
            return await self._brought(link, wanted)
        finally:
            lock.release()

    async def _looked_at_again(self, link: BelvoLink) -> BelvoLink:
        fresh = await self._client.link(link.link_id)
        fresh.refuse_broken()
        return fresh

    def _is_fresh(self, link: BelvoLink, resource: Resource, collected_at: datetime | None) -> bool:
        """Whether anything shows that this was read at the bank lately.

        An access that was our own reading of the other resource shows nothing.
        """
        accessed_at = link.last_accessed_at
        for other in Resource:
            job = self._jobs.get((link.link_id, other))
            if other is not resource and job is not None and accessed_at is not None:
                accessed_at = None if job.explains(accessed_at) else accessed_at
        mine = self._jobs.get((link.link_id, resource))
        ended_at = None if mine is None else mine.ended_at
        return any(self._is_recent(at) for at in (collected_at, accessed_at, ended_at))

    def _is_recent(self, at: datetime | None) -> bool:
        return at is not None and at >= self._now() - self._refresh_after

    async def _brought(self, link: BelvoLink, wanted: Wanted) -> Brought:
        key = (link.link_id, wanted.resource)
        job = self._jobs.get(key)
        begun = _Begun.UNDER_WAY
        if job is None or job.ended_at is not None or self._now() - job.asked_at > _JOB_LIFE:
            asked_at = self._now()
            begun = await self._begin(link.link_id, wanted)
            if begun is _Begun.BUSY:
                begun = await self._begin_after_others(link.link_id, wanted)
                link = await self._looked_at_again(link)
            if begun is _Begun.BUSY:
                return Brought.LATE
            job = self._remember(key, _Job(asked_at, link.last_accessed_at))
        if begun is _Begun.UNDER_WAY and not await self._ends_in_time(link, key, job):
            return Brought.LATE
        job.ended_at = self._now()
        return Brought.SOME if begun is _Begun.PARTLY else Brought.ALL

    def _remember(self, key: tuple[str, Resource], job: _Job) -> _Job:
        self._jobs[key] = job
        self._jobs.move_to_end(key)
        if len(self._jobs) > _MOST_JOBS:
            self._jobs.popitem(last=False)
        return job

    async def _begin_after_others(self, link_id: str, wanted: Wanted) -> _Begun:
        """Ask again until no other session of the login is open."""
        begun = _Begun.BUSY

        async def is_let_in() -> bool:
            nonlocal begun
            begun = await self._begin(link_id, wanted)
            return begun is not _Begun.BUSY

        await finished_in_time(is_let_in, _PATIENCE, pause=self._pause)
        return begun

    async def _begin(self, link_id: str, wanted: Wanted) -> _Begun:
        """Ask; where the bank is too slow for all of it, ask for its halves, the later one first."""
        try:
            return await self._ask(link_id, wanted)
        except ProviderFailure as failed:
            halves = wanted.halves
            if failed.failure.http_status != 408 or halves is None or _spare_s() == 0.0:
                raise
        later, earlier = halves
        begun = await self._ask(link_id, later)
        if begun is not _Begun.DONE:
            return begun
        try:
            done = _spare_s() != 0.0 and await self._ask(link_id, earlier) is _Begun.DONE
        except ProviderFailure as failed:
            if failed.failure.http_status != 408:
                raise
            done = False
        return _Begun.DONE if done else _Begun.PARTLY

    async def _ask(self, link_id: str, wanted: Wanted, *, again: bool = True) -> _Begun:
        spare_s = _spare_s()
        try:
            response = await self._client.retrieve(
                wanted.resource,
                wanted.body(link_id),
                in_background=wanted.resource in self._in_background,
                timeout_s=_LONGEST_POST_S if spare_s is None else min(spare_s, _LONGEST_POST_S),
            )
        except ProviderFailure as failed:
            # Belvo keeps what it reads though nobody has waited for it.
            if (
                failed.failure.error_class is ErrorClass.NETWORK
                and failed.failure.code == "TIMEOUT"
            ):
                return _Begun.UNDER_WAY
            raise
        if response.status == 202:
            accepted = response.error_body()
            if isinstance(accepted, dict):
                note_request_id(accepted.get("request_id"))
            return _Begun.UNDER_WAY
        if response.ok:
            return _Begun.DONE
        error = failure_of(response, BELVO_KNOWN_LINK_ERRORS)
        if error.failure.code == _SESSION_OPEN:
            return _Begun.BUSY
        if error.failure.code == _SESSION_OVER and again:
            return await self._ask(link_id, wanted, again=False)
        raise error

    async def _ends_in_time(self, link: BelvoLink, key: tuple[str, Resource], job: _Job) -> bool:
        """Whether Belvo was let in at the bank since; that it cannot be is told by the link."""

        async def is_there() -> bool:
            seen = await self._looked_at_again(link)
            return seen.last_accessed_at not in (None, job.accessed_before)

        try:
            return await finished_in_time(is_there, _PATIENCE, pause=self._pause)
        except ProviderFailure:
            self._jobs.pop(key, None)
            raise


def _spare_s() -> float | None:
    """What the attempt can spare for waiting, in seconds, 0 for nothing; None without bound."""
    trace = current_attempt.get()
    left_s = float("inf") if trace is None else trace.time_left_s()
    if left_s == float("inf"):
        return None
    return left_s - _RESERVE_S if left_s - _RESERVE_S >= _LEAST_SPARE_S else 0.0
