"""Reading Plaid's feed in whole loops, with the rule that any failure inside one starts it anew."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, Self

from orchestrator.domain import ErrorClass, ErrorScope, Failure, ProviderFailure

from .payload import Payload, flag, optional_text
from .plaid_client import PlaidClient, time_left_s
from .plaid_cursor import FeedLoop, FeedReading, FeedUpdate
from .plaid_errors import MUTATION
from .refresh_job import RefreshPatience, finished_in_time
from .wire_failures import WrongSuccess, malformed, wrong_success

__all__ = ["PlaidFeed", "Restarts"]

_PAGE_SIZE: Final = 500
_MAX_PAGES: Final = 2000
_LONGEST_CURSOR: Final = 512
_MOST_MUTATIONS: Final = 3
_MOST_HICCUPS: Final = 2
_FIRST_PAUSE_S: Final = 0.25
_READING_S: Final = 2.0
"""The attempt's time that a further loop needs at least."""
_REFUSED_CURSOR: Final = "INVALID_FIELD"
"""Plaid's code for a cursor it does not take; of a sync call's fields no other one varies."""
_WILL_NOT_PASS: Final = frozenset({"PLANNED_MAINTENANCE", "FOREIGN_REDIRECT", "MALFORMED"})


@dataclass(frozen=True, slots=True)
class Restarts:
    """How often a loop was begun anew within one attempt, and whether it is worth it once more.

    Data that change meanwhile come to rest: three times. A line or a server that failed on a later
    page may have hiccupped: twice. Whose first page fails has lost nothing, so that who asked
    decides where to ask next; and refused keys, limits and banks in trouble do not pass in seconds.
    """

    mutations: int = 0
    hiccups: int = 0

    def one_more(self, failure: Failure, *, pages: int) -> Self | None:
        """The next restart after a loop of so many pages failed; None where it is given up."""
        if failure.code == MUTATION:
            more = replace(self, mutations=self.mutations + 1)
            return more if more.mutations <= _MOST_MUTATIONS else None
        if pages == 0 or not _may_pass(failure):
            return None
        more = replace(self, hiccups=self.hiccups + 1)
        return more if more.hiccups <= _MOST_HICCUPS else None

    def pause_s(self, jitter_ratio: float) -> float:
        """How long to pause before this restart: doubling from 0.25 s, less up to half of it."""
        doubled: float = _FIRST_PAUSE_S * 2 ** (self.mutations + self.hiccups - 1)
        return doubled * (1 - jitter_ratio / 2)


def _may_pass(failure: Failure) -> bool:
    if failure.error_class is ErrorClass.NETWORK:
        return True
    by_provider = (
        failure.error_class is ErrorClass.PROVIDER_DOWN and failure.scope is ErrorScope.PROVIDER
    )
    return by_provider and failure.code not in _WILL_NOT_PASS


class PlaidFeed:
    """The feed of any Item.

    Args:
        client: asks Plaid.
        pause: waits so many seconds.
        draw: uniform on [0, 1), for jitter.

    """

    def __init__(
        self,
        client: PlaidClient,
        *,
        pause: Callable[[float], Awaitable[None]],
        draw: Callable[[], float],
    ) -> None:
        self._client = client
        self._pause = pause
        self._draw = draw

    async def read(
        self, token: str, reading: FeedReading, account_id: str | None
    ) -> tuple[FeedReading, FeedUpdate]:
        """A whole loop from the reading's first cursor.

        Where Plaid does not take that cursor (it has expired, or the connection was linked anew as
        another Item), the whole history is read instead, and the reading begins anew.

        Raises:
            ProviderFailure: of the loop that was not worth another restart.

        """
        restarts = Restarts()
        while True:
            loop = FeedLoop(account_id)
            try:
                return reading, await self._whole(token, reading.base, loop)
            except ProviderFailure as error:
                if reading.base and _cursor_is_lost(error.failure, loop, restarts):
                    reading = reading.from_the_beginning()
                    continue
                more = restarts.one_more(error.failure, pages=loop.pages)
                if more is None:
                    raise
                pause_s = more.pause_s(self._draw())
                if pause_s + _READING_S > time_left_s():
                    raise
                restarts = more
                await self._pause(pause_s)

    async def read_once_ready(
        self, token: str, reading: FeedReading, account_id: str | None, *, longest_wait_s: float
    ) -> tuple[FeedReading, FeedUpdate]:
        """The same, read again for a while where Plaid has not gathered anything yet.

        Raises:
            ProviderFailure: see `read`.

        """
        found = await self.read(token, reading, account_id)

        async def look() -> bool:
            nonlocal found
            found = await self.read(token, reading, account_id)
            return found[1].is_ready

        if not found[1].is_ready:
            patience = RefreshPatience(first_pause_s=1.0, longest_wait_s=longest_wait_s)
            await finished_in_time(look, patience, pause=self._pause)
        return found

    async def begin(self, token: str) -> None:
        """Read one row and forget it: Plaid reports changes of those Items alone that were read.

        Raises:
            ProviderFailure: the vendor's.

        """
        await self._client.post("/transactions/sync", {"access_token": token, "count": 1})

    async def _whole(self, token: str, base: str, loop: FeedLoop) -> FeedUpdate:
        cursor, seen = base, {base}
        for _ in range(_MAX_PAGES):
            body: dict[str, object] = {"access_token": token, "count": _PAGE_SIZE}
            if cursor:
                body["cursor"] = cursor
            page = await self._client.post("/transactions/sync", body)
            loop.take(page)
            cursor = _next_cursor(page)
            if not flag(page, "has_more"):
                return loop.ended(cursor, optional_text(page, "transactions_update_status"))
            if not cursor or cursor in seen:
                raise wrong_success(WrongSuccess.FROZEN, "more is promised, its cursor stands")
            seen.add(cursor)
        raise malformed("its pages have no end", http_status=200)


def _cursor_is_lost(failure: Failure, loop: FeedLoop, restarts: Restarts) -> bool:
    if loop.pages:
        return False
    # A mutation told on a first page, again, is no change under way: the cursor itself is behind.
    return failure.code == _REFUSED_CURSOR or (failure.code == MUTATION and restarts.mutations > 0)


def _next_cursor(page: Payload) -> str:
    cursor = optional_text(page, "next_cursor") or ""
    if len(cursor) > _LONGEST_CURSOR:
        raise malformed("next_cursor is too long", http_status=200)
    return cursor
