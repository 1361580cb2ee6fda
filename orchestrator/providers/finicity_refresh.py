"""When Finicity is asked to read a bank anew, and how long that is waited for.

Finicity reads every account about daily by itself, and forbids refreshes that a timer drives: one
is for a person who has just linked the bank, or who waits for data that are old.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from orchestrator.domain import ErrorClass, ProviderFailure

from .attempt_trace import current_attempt
from .finicity_aggregation import attempted_at, trouble_of
from .finicity_client import FinicityClient
from .finicity_values import Login
from .payload import Payload
from .refresh_job import RefreshPatience, finished_in_time

__all__ = ["REFRESHES", "Refresh"]

REFRESHES: Final = ("never", "first", "interactive")
_PATIENCE: Final = RefreshPatience(first_pause_s=1.0, longest_wait_s=120.0)
_log = structlog.get_logger("provider")


class Refresh:
    """Asks for fresher data, as far as the option `refresh` lets it.

    `never`; `first`: when a bank has just been linked and was not read yet; `interactive`: also
    where a person waits, and the bank was not asked for `after`. A refresh only ever makes data
    fresher: one that fails leaves them as they were, and is noted.

    Args:
        client: Finicity's endpoints.
        when: one of `REFRESHES`.
        after: how old the last try must be.
        now: aware UTC.
        pause: waits between two looks.

    """

    def __init__(
        self,
        client: FinicityClient,
        when: str,
        after: timedelta,
        *,
        now: Callable[[], datetime],
        pause: Callable[[float], Awaitable[None]],
    ) -> None:
        self._client = client
        self._when = when
        self._after = after
        self._now = now
        self._pause = pause

    async def begin_first(self, login: Login) -> None:
        """Have a bank that was just linked read for the first time; nobody waits for it here."""
        if self._when != "never":
            await self._started(login)

    def is_wanted(self, accounts: Sequence[Payload]) -> bool:
        """Whether a reading of these accounts should ask for fresher data first.

        Raises:
            ProviderFailure: `MALFORMED`.

        """
        trace = current_attempt.get()
        if self._when != "interactive" or trace is None or not trace.interactive or not accounts:
            return False
        trouble = trouble_of(accounts)
        if trouble is not None and trouble.failure.error_class is ErrorClass.AUTH:
            return False
        tried_at = max((at for account in accounts if (at := attempted_at(account))), default=None)
        return tried_at is None or self._now() - tried_at >= self._after

    async def done_in_time(self, login: Login) -> bool:
        """Ask for a reading of the bank; whether it ended within the attempt's time."""
        refresh_id = await self._started(login)
        if refresh_id is None:
            return False

        async def look() -> bool:
            return await self._client.refresh_ended(login, refresh_id)

        try:
            return await finished_in_time(look, _PATIENCE, pause=self._pause)
        except ProviderFailure as failed:
            _note(failed)
            return False

    async def _started(self, login: Login) -> str | None:
        try:
            return await self._client.start_refresh(login)
        except ProviderFailure as failed:
            _note(failed)
            return None


def _note(failed: ProviderFailure) -> None:
    _log.warning("refresh_failed", provider="finicity", code=failed.failure.code)
