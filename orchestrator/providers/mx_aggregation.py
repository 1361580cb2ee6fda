"""How fresh MX's data of a member are, and the job that brings newer ones.

MX reads banks about once a day by itself and when asked to, but not within three hours of its last
job. It accepts a request also when it starts nothing, so only a newer time of success shows that
one has come.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final, Self

from orchestrator.domain import ErrorClass, ErrorScope, ProviderFailure

from .error_table import ErrorTable
from .mx_client import MemberGuids, MxClient
from .mx_errors import GATHERING, SETTLED
from .payload import Payload, optional_flag, optional_instant, optional_text
from .refresh_job import RefreshPatience, finished_in_time

__all__ = ["MemberState", "MxAggregation"]

_PAUSE: Final = timedelta(hours=3)
_FIRST_LOOK_S: Final = 3.0  # MX asks for no look sooner than that
_KEPT_DATA: Final = frozenset({ErrorScope.REQUEST, ErrorScope.INSTITUTION})
"""Scopes of a refused refresh that leave the stored data as good as they were."""


class _Asked(Enum):
    """What MX answered to being asked for an aggregation."""

    ACCEPTED = auto()
    ANOTHER_RUNS = auto()
    REFUSED = auto()


@dataclass(frozen=True, slots=True)
class MemberState:
    """How a member stands at MX.

    `started_at` is when its last job began, `succeeded_at` when one last ended well; None before
    the first.
    """

    status: str | None
    is_being_aggregated: bool
    started_at: datetime | None
    succeeded_at: datetime | None

    @classmethod
    def of(cls, row: Payload) -> Self:
        """The state that a member, or its status, tells.

        Raises:
            ProviderFailure: `MALFORMED`.

        """
        return cls(
            status=optional_text(row, "connection_status"),
            is_being_aggregated=optional_flag(row, "is_being_aggregated") is True,
            started_at=optional_instant(row, "aggregated_at"),
            succeeded_at=optional_instant(row, "successfully_aggregated_at"),
        )


class MxAggregation:
    """Brings members' data up to date within the time of an attempt.

    Args:
        client: calls MX.
        statuses: what a bad `connection_status` means.
        refresh_after: the age from which newer data are asked for.
        longest_wait_s: for how long a job is waited for.
        now: aware UTC.
        pause: waits.

    """

    def __init__(
        self,
        client: MxClient,
        statuses: ErrorTable,
        *,
        refresh_after: timedelta,
        longest_wait_s: float,
        now: Callable[[], datetime],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._statuses = statuses
        self._refresh_after = refresh_after
        self._patience = RefreshPatience(_FIRST_LOOK_S, longest_wait_s)
        self._now = now
        self._pause = pause

    async def brought_up(
        self, guids: MemberGuids, state: MemberState, *, allow_stale: bool
    ) -> MemberState:
        """The member once its data are fresh, or as fresh as they could get in time.

        Args:
            guids: the member's.
            state: how it was found.
            allow_stale: old data of a broken member will do.

        Raises:
            ProviderFailure: the member's status, as it was found or as a job left it; not so with
                `allow_stale`. What MX answers to being asked.

        """
        if self._is_due(state) and not self._waits_for_others(state):
            state = await self._refreshed(guids, state, allow_stale=allow_stale)
        self._refuse(state, allow_stale=allow_stale)
        return state

    async def linked(self, guids: MemberGuids, state: MemberState) -> None:
        """Wait a little for the job that follows a new login, as it may refuse that login.

        Raises:
            ProviderFailure: the member's status.

        """
        self._refuse(state, allow_stale=False)
        if not (state.is_being_aggregated and state.status in GATHERING):
            return

        async def look() -> bool:
            found = await self._look(guids)
            self._refuse(found, allow_stale=False)
            return not found.is_being_aggregated

        await finished_in_time(look, self._patience, pause=self._pause)

    def is_stale(self, state: MemberState) -> bool:
        """Whether the member's data are old, or still being gathered."""
        return state.status not in SETTLED or self._is_due(state)

    def _is_due(self, state: MemberState) -> bool:
        if state.status in GATHERING or state.succeeded_at is None:
            return True
        return self._now() - state.succeeded_at >= self._refresh_after

    def _waits_for_others(self, state: MemberState) -> bool:
        """Whether no job can help: the user has to act, or it is over, or it has no login."""
        if state.status is None:
            return True
        rule = self._statuses.codes.get(state.status)
        return rule is not None and rule.error_class is not ErrorClass.PROVIDER_DOWN

    async def _refreshed(
        self, guids: MemberGuids, state: MemberState, *, allow_stale: bool
    ) -> MemberState:
        asked = _Asked.ACCEPTED
        if not state.is_being_aggregated:
            if state.started_at is not None and self._now() - state.started_at < _PAUSE:
                return state
            asked = await self._ask(guids)
        if asked is _Asked.REFUSED:
            return state

        async def look() -> bool:
            nonlocal state, asked
            state = await self._look(guids)
            if self._waits_for_others(state):
                self._refuse(state, allow_stale=allow_stale)
                return True
            if asked is _Asked.ANOTHER_RUNS and not state.is_being_aggregated:
                asked = await self._ask(guids)
                return asked is _Asked.REFUSED
            return not state.is_being_aggregated

        await finished_in_time(look, self._patience, pause=self._pause)
        return state

    async def _ask(self, guids: MemberGuids) -> "_Asked":
        try:
            is_accepted = await self._client.aggregate(guids)
        except ProviderFailure as refused:
            if refused.failure.scope not in _KEPT_DATA:
                raise
            return _Asked.REFUSED
        return _Asked.ACCEPTED if is_accepted else _Asked.ANOTHER_RUNS

    async def _look(self, guids: MemberGuids) -> MemberState:
        return MemberState.of(await self._client.member_status(guids))

    def _refuse(self, state: MemberState, *, allow_stale: bool) -> None:
        if not allow_stale and state.status is not None and state.status in self._statuses.codes:
            raise self._statuses.failure(code=state.status, http_status=200)
