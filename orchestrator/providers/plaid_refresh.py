"""Asking Plaid to look at the bank now, where what it holds has grown old (a billed add-on)."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from orchestrator.domain import ErrorClass, ProviderFailure

from .plaid_client import PlaidClient
from .plaid_item import updated_at
from .plaid_options import PlaidOptions
from .refresh_job import RefreshPatience, finished_in_time

__all__ = ["PlaidRefresh"]

_FIRST_PAUSE_S: Final = 2.0


class PlaidRefresh:
    """Refreshes of any Item's movements.

    Args:
        client: asks Plaid.
        options: after how long, and how long to wait.
        now: aware UTC.
        pause: waits so many seconds.

    """

    def __init__(
        self,
        client: PlaidClient,
        options: PlaidOptions,
        *,
        now: Callable[[], datetime],
        pause: Callable[[float], Awaitable[None]],
    ) -> None:
        self._client = client
        self._old_after = timedelta(hours=options.refresh_after_h)
        self._patience = RefreshPatience(_FIRST_PAUSE_S, float(options.refresh_wait_s))
        self._now = now
        self._pause = pause

    async def is_fresh(self, token: str) -> bool:
        """Whether what Plaid holds is recent, after a refresh where it was not.

        False where a refresh could not be had or does not end in time: what Plaid holds can be
        read all the same, and whoever needs the user meets the Item's own error there.
        """
        try:
            before = await self._updated_at(token)
            if before is None:
                # The first data are still being gathered, which no refresh hastens.
                return False
            if self._now() - before < self._old_after:
                return True
            await self._ask(token)

            async def look() -> bool:
                last = await self._updated_at(token)
                return last is not None and last > before

            return await finished_in_time(look, self._patience, pause=self._pause)
        except ProviderFailure:
            return False

    async def _updated_at(self, token: str) -> datetime | None:
        return updated_at(await self._client.post("/item/get", {"access_token": token}))

    async def _ask(self, token: str) -> None:
        try:
            await self._client.post("/transactions/refresh", {"access_token": token})
        except ProviderFailure as error:
            # Its answer can take as long as the bank does: a lost one leaves the job running.
            lost = error.failure.error_class is ErrorClass.NETWORK and error.failure.sent
            if not lost:
                raise
