"""What a throttled answer does to the limiter: whom it pauses, for how long, and what it teaches."""

from typing import Final

from orchestrator.domain import ErrorClass, ErrorScope, Failure

from .limiter import RateLimiter
from .quota import Reach, VendorCall

__all__ = ["Throttling"]

_CLIENT_PAUSE_S: Final = 1.0
_CLIENT_PAUSE_CAP_S: Final = 60.0
_NARROW_PAUSE_S: Final = 60.0
_MAX_DOUBLINGS: Final = 10
_CLIENT_WIDE: Final = (ErrorScope.CLIENT, ErrorScope.PROVIDER)


class Throttling:
    """Turns failures of class `rate_limit` into pauses.

    Asked for, a pause is as long as asked. Else the client's begins at a second and doubles with
    each repetition up to a minute, and a bank's or a connection's is a minute. Calls that were under
    way together are throttled together: while a pause lasts, it neither grows nor teaches again.
    """

    __slots__ = ("_limiter", "_strikes")

    def __init__(self, limiter: RateLimiter) -> None:
        self._limiter = limiter
        self._strikes = 0

    def succeeded(self, now: float) -> None:
        """A call worked: unless it is one from before a pause, the next row begins anew."""
        if self._limiter.paused_for_s(now) == 0.0:
            self._strikes = 0

    def throttled(
        self, call: VendorCall, failure: Failure, now: float, jitter_ratio: float
    ) -> float | None:
        """Begin the pause that a throttled call asks for, and tell its length in seconds.

        Args:
            call: the one that was refused.
            failure: how. One that never left this machine is our own doing and pauses nobody.
            now: seconds.
            jitter_ratio: random share, 0 to 1, that lengthens pauses of ours.

        """
        if failure.error_class is not ErrorClass.RATE_LIMIT or not failure.sent:
            return None
        reach, name = _concerned(call, failure.scope)
        limiter = self._limiter
        limiter.note_throttled(now)
        together = limiter.pauses.left_s(reach, name, now) > 0.0
        if not together:
            limiter.learn(call, reach, now)
        pause_s = failure.retry_after_s or 0.0
        if pause_s <= 0.0 and reach is not Reach.EVERYONE:
            pause_s = _NARROW_PAUSE_S
        elif pause_s <= 0.0:
            self._strikes += not together
            doublings = min(max(0, self._strikes - 1), _MAX_DOUBLINGS)
            grown_s = min(_CLIENT_PAUSE_CAP_S, _CLIENT_PAUSE_S * 2.0**doublings)
            pause_s = grown_s * (1.0 + jitter_ratio)
        limiter.block(pause_s, now, reach=reach, name=name)
        return pause_s


def _concerned(call: VendorCall, scope: ErrorScope) -> tuple[Reach, str | None]:
    """Whom a throttled answer concerns; where it names nobody we know, somebody has to wait: all."""
    if scope is ErrorScope.INSTITUTION and call.institution_id is not None:
        return Reach.INSTITUTION, call.institution_id
    if scope not in _CLIENT_WIDE and call.connection_id is not None:
        return Reach.CONNECTION, call.connection_id
    return Reach.EVERYONE, None
