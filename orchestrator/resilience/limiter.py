"""A vendor's published limits, all at once and exactly, and the pauses it asks for."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from .quota import Quota, QuotaScope
from .rolling_counter import RollingCounter
from .window import ConnectionWindows, SlidingWindow

__all__ = ["Granted", "Limited", "LimiterSnapshot", "RateLimiter"]

_ROUNDING_S: Final = 1e-6  # over the rounding of any clock: who waits as told is never too early
_LONGEST_BLOCK_S: Final = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Granted:
    """The call was counted in every window and may be sent now."""


@dataclass(frozen=True, slots=True)
class Limited:
    """No call now, and nothing was counted.

    `retry_after_s` is over 0: the time until all windows and pauses let it through, if nobody else
    comes first. `quota` is the limit that takes longest, None where the vendor asked for a pause.
    """

    retry_after_s: float
    quota: Quota | None


@dataclass(frozen=True, slots=True)
class LimiterSnapshot:
    """A limiter as it stood, in durations only.

    `remaining_ratio` is what is left of the fullest client-wide window, 0 to 1. `retry_after_s` is
    the wait of a call that only the client-wide limits on all endpoints concern; `endpoint_waits_s`
    are the longer waits of endpoints that have limits of their own. `paused_for_s` is what is left
    of the vendor's own pause. `throttled_24h` counts calls that were held back or refused.
    """

    remaining_ratio: float
    retry_after_s: float
    endpoint_waits_s: tuple[tuple[str, float], ...]
    paused_for_s: float
    throttled_24h: int
    connection_windows: int


_GRANTED: Final = Granted()
_ClientLimit = tuple[Quota, SlidingWindow]


class RateLimiter:
    """Exact sliding windows over several quotas; a call fits into all that concern it, or none.

    `now` is seconds of any clock that the owner keeps to; one before the last seen is taken as the
    last seen. Not safe for threads: one event loop owns it. A call costs one look and one append a
    quota. Memory: a float a call of each client quota, and at most `max_connections` times `calls`
    of each connection quota.

    Args:
        quotas: the vendor's limits; none means that only its pauses hold.
        enabled: False turns the local limits off. Pauses (`block`) hold all the same.
        max_connections: windows and pauses of single connections kept at once, at least 1. A quota
            at this bound lets no further connection through until one of its windows is empty.

    Raises:
        ValueError: `max_connections` is out of its range.

    """

    __slots__ = (
        "_client",
        "_client_by_endpoint",
        "_connection",
        "_connection_by_endpoint",
        "_connection_paused_until",
        "_max_connections",
        "_now",
        "_paused_until",
        "_throttled",
    )

    def __init__(
        self,
        quotas: Sequence[Quota] = (),
        *,
        enabled: bool = True,
        max_connections: int = 100_000,
    ) -> None:
        if max_connections < 1:
            raise ValueError(f"max_connections is {max_connections}: it must be at least 1")
        held = tuple(quotas) if enabled else ()
        self._client = tuple(
            (quota, SlidingWindow(quota.calls, quota.window_s))
            for quota in held
            if quota.scope is QuotaScope.CLIENT
        )
        self._connection = tuple(
            ConnectionWindows(quota, max_connections)
            for quota in held
            if quota.scope is QuotaScope.CONNECTION
        )
        endpoints = {None, *(quota.endpoint for quota in held)}
        self._client_by_endpoint: dict[str | None, tuple[_ClientLimit, ...]] = {
            endpoint: tuple(
                limit for limit in self._client if limit[0].endpoint in (None, endpoint)
            )
            for endpoint in endpoints
        }
        self._connection_by_endpoint: dict[str | None, tuple[ConnectionWindows, ...]] = {
            endpoint: tuple(w for w in self._connection if w.quota.endpoint in (None, endpoint))
            for endpoint in endpoints
        }
        self._max_connections = max_connections
        self._now = float("-inf")
        self._paused_until = float("-inf")
        self._connection_paused_until: OrderedDict[str, float] = OrderedDict()
        self._throttled = RollingCounter()

    def try_acquire(
        self, endpoint: str | None, connection_id: str | None, now: float
    ) -> Granted | Limited:
        """Count a call, if it fits.

        Args:
            endpoint: the name under which the vendor's limits know it; None where unknown, and then
                only the limits over all endpoints hold.
            connection_id: whose call; None where it is nobody's, and then only the client's limits
                hold.
            now: seconds.

        """
        limited = self.check(endpoint, connection_id, now)
        if limited is not None:
            self._throttled.add(self._now)
            return limited
        for _, window in self._client_limits(endpoint):
            window.take(self._now)
        if connection_id is not None:
            for windows in self._connection_limits(endpoint):
                windows.take(connection_id, self._now)
        return _GRANTED

    def check(self, endpoint: str | None, connection_id: str | None, now: float) -> Limited | None:
        """What `try_acquire` would object to, or None; counts nothing."""
        self._now = max(self._now, now)
        longest_s, by = 0.0, None
        for wait_s, quota in self._waits(endpoint, connection_id):
            if wait_s > longest_s:
                longest_s, by = wait_s, quota
        return Limited(longest_s + _ROUNDING_S, by) if longest_s > 0.0 else None

    def block(self, retry_after_s: float, now: float, *, connection_id: str | None = None) -> None:
        """Let nothing through for a while, as the vendor has asked.

        Args:
            retry_after_s: seconds, cut to 0 to 7 days. A pause under way is never made shorter.
            now: seconds.
            connection_id: pause this connection alone; None pauses every call.

        """
        self._now = max(self._now, now)
        until = self._now + min(max(0.0, retry_after_s), _LONGEST_BLOCK_S)
        if connection_id is None:
            self._paused_until = max(self._paused_until, until)
            return
        paused = self._connection_paused_until
        paused[connection_id] = max(paused.get(connection_id, until), until)
        paused.move_to_end(connection_id)
        if len(paused) > self._max_connections:
            self._drop_ended_pauses()
        while len(paused) > self._max_connections:
            paused.popitem(last=False)

    def note_throttled(self, now: float) -> None:
        """Count a call that was given up or refused by the vendor for want of quota."""
        self._now = max(self._now, now)
        self._throttled.add(self._now)

    def paused_for_s(self, now: float) -> float:
        """Seconds left of the vendor's own pause of every call, 0 without one."""
        self._now = max(self._now, now)
        return max(0.0, self._paused_until - self._now)

    def remaining_ratio(self, now: float) -> float:
        """What is left of the fullest client-wide window, 0 to 1; 0 while paused."""
        if self.paused_for_s(now) > 0.0:
            return 0.0
        free = (1.0 - window.used(self._now) / window.calls for _, window in self._client)
        return min(free, default=1.0)

    def observe(self, now: float) -> None:
        """Let time pass: windows and pauses that are over are let go. About once a minute will do."""
        self._now = max(self._now, now)
        for windows in self._connection:
            windows.evict(self._now)
        self._drop_ended_pauses()

    def snapshot(self, now: float) -> LimiterSnapshot:
        """The limiter at `now`; changes nothing that a call would notice."""
        general = self.check(None, None, now)
        retry_after_s = 0.0 if general is None else general.retry_after_s
        endpoints = {q.endpoint for q, _ in self._client if q.endpoint is not None}
        waits = ((name, self.check(name, None, now)) for name in sorted(endpoints))
        return LimiterSnapshot(
            remaining_ratio=self.remaining_ratio(now),
            retry_after_s=retry_after_s,
            endpoint_waits_s=tuple(
                (name, limited.retry_after_s)
                for name, limited in waits
                if limited is not None and limited.retry_after_s > retry_after_s
            ),
            paused_for_s=self.paused_for_s(now),
            throttled_24h=self._throttled.total(self._now),
            connection_windows=sum(len(windows) for windows in self._connection),
        )

    def _waits(
        self, endpoint: str | None, connection_id: str | None
    ) -> Iterator[tuple[float, Quota | None]]:
        yield self._paused_until - self._now, None
        for quota, window in self._client_limits(endpoint):
            yield window.wait_s(self._now), quota
        if connection_id is None:
            return
        yield self._connection_paused_until.get(connection_id, self._now) - self._now, None
        for windows in self._connection_limits(endpoint):
            yield windows.wait_s(connection_id, self._now), windows.quota

    def _client_limits(self, endpoint: str | None) -> tuple[_ClientLimit, ...]:
        return self._client_by_endpoint.get(endpoint, self._client_by_endpoint[None])

    def _connection_limits(self, endpoint: str | None) -> tuple[ConnectionWindows, ...]:
        return self._connection_by_endpoint.get(endpoint, self._connection_by_endpoint[None])

    def _drop_ended_pauses(self) -> None:
        paused = self._connection_paused_until
        for connection_id in [c for c, until in paused.items() if until <= self._now]:
            del paused[connection_id]

    def __repr__(self) -> str:
        limits = ", ".join(
            f"{quota.endpoint or '*'} {window.used(self._now)}/{window.calls}"
            for quota, window in self._client
        )
        paused_s = max(0.0, self._paused_until - self._now)
        paused = f"paused for {paused_s:.1f} s" if paused_s > 0.0 else ""
        return f"RateLimiter({'; '.join(part for part in (paused, limits) if part) or 'open'})"
