"""Finicity's app token: good for two hours, renewed in time, by one call at a time.

Five refused authentications lock a partner until its support unlocks it. So a refusal is final: no
further authentication is sent before somebody says that the keys are in order again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from pydantic import SecretStr

from orchestrator.domain import ErrorClass, Failure, ProviderFailure

__all__ = ["AppToken", "TokenState"]

_RENEWED_AFTER: Final = timedelta(minutes=90)
_GOOD_FOR: Final = timedelta(minutes=118)  # two hours, less what is on its way meanwhile
_PAUSE: Final = timedelta(minutes=1)


class TokenState:
    """What is known of the token and of our keys. Synchronous; owns no clock.

    Every `now` and `at` is a point in time of one clock.
    """

    __slots__ = ("_at", "_not_before", "_refusal", "_token")

    def __init__(self) -> None:
        self._token: SecretStr | None = None
        self._at: datetime | None = None
        self._not_before: datetime | None = None
        self._refusal: Failure | None = None

    @property
    def refusal(self) -> Failure | None:
        """How our keys were refused; while it is there, no authentication may be sent."""
        return self._refusal

    def usable(self, now: datetime) -> str | None:
        """The token, None where it has to be renewed first."""
        if self._token is None or self._at is None:
            return None
        age = now - self._at
        postponed = self._not_before is not None and now < self._not_before
        is_good = age < (_GOOD_FOR if postponed else _RENEWED_AFTER)
        return self._token.get_secret_value() if is_good else None

    def renewed(self, token: str, at: datetime) -> None:
        """A new token, asked for at this time."""
        self._token, self._at, self._not_before = SecretStr(token), at, None

    def rejected(self, token: str) -> None:
        """The vendor no longer takes this token; another one that came meanwhile stays."""
        if self._token == SecretStr(token):
            self._token = self._at = self._not_before = None

    def postponed(self, now: datetime) -> bool:
        """A renewal had no verdict; whether the old token can be used on until the next try."""
        if self._at is None or now - self._at >= _GOOD_FOR:
            return False
        self._not_before = now + _PAUSE
        return True

    def refused(self, failure: Failure) -> None:
        """Our keys were refused, in this way."""
        self._refusal = failure

    def trusted_again(self) -> None:
        """Somebody has mended the keys: one more authentication may be tried."""
        self._refusal = None

    def __repr__(self) -> str:
        told = "refused" if self._refusal else "held" if self._token else "none"
        return f"TokenState({told})"


class AppToken:
    """The token for whoever calls. Belongs to one event loop.

    Args:
        authenticate: asks the vendor for a token; a failure of class `auth` is a refusal.
        now: aware UTC.
        state: what is known already.

    """

    def __init__(
        self,
        authenticate: Callable[[], Awaitable[str]],
        now: Callable[[], datetime],
        state: TokenState | None = None,
    ) -> None:
        self.state = state or TokenState()
        self._authenticate = authenticate
        self._now = now
        self._renewal: asyncio.Task[None] | None = None

    async def get(self) -> str:
        """A token that can be used now.

        Whoever comes while it is being renewed waits for that renewal, which goes on when any of
        them, its beginner too, is cancelled.

        Raises:
            ProviderFailure: our keys were refused, now or before; or there is no new token.

        """
        while True:
            token = self.state.usable(self._now())
            if token is not None:
                return token
            if self.state.refusal is not None:
                raise ProviderFailure(self.state.refusal)
            begins = self._renewal is None
            renewal = self._renewal or self._begin()
            try:
                await asyncio.shield(renewal)
            except ProviderFailure as failed:
                if begins or not _never_sent(failed.failure):
                    raise ProviderFailure(failed.failure) from None
            except Exception:
                # The beginner's own attempt had no room for the call: theirs may have.
                if begins:
                    raise

    def _begin(self) -> asyncio.Task[None]:
        # In the beginner's context, so that the call is counted for its attempt.
        renewal = asyncio.get_running_loop().create_task(self._renew())
        renewal.add_done_callback(_looked_at)
        self._renewal = renewal
        return renewal

    async def _renew(self) -> None:
        asked_at = self._now()
        try:
            token = await self._authenticate()
        except ProviderFailure as failed:
            if failed.failure.error_class is ErrorClass.AUTH:
                self.state.refused(failed.failure)
            elif self.state.postponed(self._now()):
                return
            raise
        else:
            self.state.renewed(token, asked_at)
        finally:
            self._renewal = None


def _looked_at(renewal: asyncio.Task[None]) -> None:
    """Take the result of a renewal for which nobody waits any more."""
    if not renewal.cancelled():
        renewal.exception()


def _never_sent(failure: Failure) -> bool:
    """Whether it was our own limiter that said no."""
    return failure.error_class is ErrorClass.RATE_LIMIT and failure.http_status is None
