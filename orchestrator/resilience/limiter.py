"""A vendor's limits, all at once: published, learned and told ones, and the pauses it asks for."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from .limit_book import LimitBook
from .pauses import Allowances, Pauses
from .quota import Quota, Reach, ToldAllowance, VendorCall
from .rolling_counter import RollingCounter

__all__ = ["Granted", "Limited", "LimiterSnapshot", "RateLimiter"]

_ROUNDING_S: Final = 1e-6  # over the rounding of any clock: who waits as told is never too early


@dataclass(frozen=True, slots=True)
class Granted:
    """The call was counted in every window and may be sent now."""


@dataclass(frozen=True, slots=True)
class Limited:
    """No call now, and nothing was counted.

    `retry_after_s` is over 0: the time until all windows and pauses let it through, if nobody else
    comes first. `quota` is the limit that takes longest, None where the vendor asked for a pause.
    `reach` is whom the widest limit in the way holds back with it, for `reach_s` seconds.
    """

    retry_after_s: float
    quota: Quota | None
    reach: Reach = Reach.EVERYONE
    reach_s: float = 0.0


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
_ANY_CALL: Final = VendorCall()


class RateLimiter:
    """Exact sliding windows over several quotas; a call fits into all that concern it, or none.

    `now` is seconds of any clock that the owner keeps to; one before the last seen is taken as the
    last seen. Not safe for threads: one event loop owns it. A call costs one look and one append a
    quota. Memory: a float or two a call of each client quota, and at most `max_connections` times
    `calls` of each connection quota.

    Args:
        quotas: the vendor's limits; none means that only its pauses and what they teach hold.
        enabled: False turns the local limits off. What the vendor asks for holds all the same.
        max_connections: windows and pauses of single connections kept at once, at least 1. A quota
            at this bound lets no further connection through until one of its windows is empty.

    Raises:
        ValueError: `max_connections` is out of its range.

    """

    __slots__ = ("_now", "_throttled", "allowances", "book", "pauses")

    def __init__(
        self,
        quotas: Sequence[Quota] = (),
        *,
        enabled: bool = True,
        max_connections: int = 100_000,
    ) -> None:
        if max_connections < 1:
            raise ValueError(f"max_connections is {max_connections}: it must be at least 1")
        self.book = LimitBook(quotas if enabled else (), max_connections, learns=enabled)
        self.pauses = Pauses(max_connections)
        self.allowances = Allowances()
        self._now = -math.inf
        self._throttled = RollingCounter()

    def try_acquire(self, call: VendorCall, now: float) -> Granted | Limited:
        """Count a call, if it fits into everything that concerns it."""
        self.want(call, now)
        limited = self.check(call, now)
        if limited is not None:
            return limited
        self.take(call, now)
        return _GRANTED

    def want(self, call: VendorCall, now: float) -> None:
        """Note a call that comes, once, whether there is room for it or not: backfill heeds it."""
        self._now = max(self._now, now)
        self.book.want(call, self._now)

    def take(self, call: VendorCall, now: float) -> None:
        """Count a call that `check` has let pass."""
        self._now = max(self._now, now)
        self.book.take(call, self._now)
        if len(self.allowances):
            for key in _allowances_of(call):
                self.allowances.take(key, self._now)

    def check(self, call: VendorCall, now: float) -> Limited | None:
        """What `try_acquire` would object to, or None; counts nothing."""
        self._now = max(self._now, now)
        longest_s, by = 0.0, None
        reach, reach_s = Reach.CONNECTION, 0.0
        for wait_s, held_together, quota in self._obstacles(call):
            if wait_s <= 0.0:
                continue
            if wait_s > longest_s:
                longest_s, by = wait_s, quota
            if held_together < reach or not reach_s:
                reach, reach_s = held_together, wait_s
            elif held_together is reach:
                reach_s = max(reach_s, wait_s)
        if longest_s <= 0.0:
            return None
        return Limited(longest_s + _ROUNDING_S, by, reach, reach_s + _ROUNDING_S)

    def block(
        self,
        retry_after_s: float,
        now: float,
        *,
        reach: Reach = Reach.EVERYONE,
        name: str | None = None,
    ) -> None:
        """Let nothing through for a while, as the vendor has asked.

        Args:
            retry_after_s: seconds, cut to 0 to 7 days. A pause under way is never made shorter.
            now: seconds.
            reach: whom it concerns; every call, unless said.
            name: which endpoint, institution or connection.

        """
        self._now = max(self._now, now)
        self.pauses.begin(reach, name, retry_after_s, self._now)

    def learn(self, call: VendorCall, reach: Reach, now: float) -> None:
        """Take a lesson from a call that the vendor has throttled; see `LimitBook.learn`."""
        self._now = max(self._now, now)
        self.book.learn(call, reach, self._now)

    def told(self, call: VendorCall, allowance: ToldAllowance, now: float) -> None:
        """Take what the vendor said of its own limit beside the answer to this call.

        It is held to the connection where all limits known for that endpoint are connections', else
        to the endpoint.
        """
        self._now = max(self._now, now)
        narrow = self.book.limits_connections_alone(call.endpoint)
        self.allowances.told(_allowances_of(call)[-1 if narrow else 0], allowance, self._now)

    def note_throttled(self, now: float) -> None:
        """Count a call that was given up or refused by the vendor for want of quota."""
        self._now = max(self._now, now)
        self._throttled.add(self._now)

    def paused_for_s(self, now: float) -> float:
        """Seconds left of the vendor's own pause of every call, 0 without one."""
        self._now = max(self._now, now)
        return self.pauses.left_s(Reach.EVERYONE, None, self._now)

    def remaining_ratio(self, now: float) -> float:
        """What is left of the fullest client-wide window, 0 to 1; 0 while paused."""
        if self.paused_for_s(now) > 0.0:
            return 0.0
        windows = (*self.book.client, *self.book.watched)
        return min((max(0.0, 1.0 - w.fullness(self._now)) for w in windows), default=1.0)

    def observe(self, now: float) -> None:
        """Let time pass: windows and pauses that are over are let go. About once a minute will do."""
        self._now = max(self._now, now)
        self.book.observe(self._now)
        self.pauses.drop_ended(self._now)

    def snapshot(self, now: float) -> LimiterSnapshot:
        """The limiter at `now`; changes nothing that a call would notice."""
        general = self.check(_ANY_CALL, now)
        retry_after_s = 0.0 if general is None else general.retry_after_s
        windows = (*self.book.client, *self.book.watched)
        endpoints = sorted({w.quota.endpoint for w in windows if w.quota.endpoint is not None})
        waits = ((name, self.check(VendorCall(name), now)) for name in endpoints)
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
            connection_windows=sum(len(windows) for windows in self.book.connection),
        )

    def _obstacles(self, call: VendorCall) -> Iterator[tuple[float, Reach, Quota | None]]:
        now, pauses = self._now, self.pauses
        if len(pauses):
            yield pauses.left_s(Reach.EVERYONE, None, now), Reach.EVERYONE, None
            for reach, name in (
                (Reach.ENDPOINT, call.endpoint),
                (Reach.INSTITUTION, call.institution_id),
                (Reach.CONNECTION, call.connection_id),
            ):
                if name is not None:
                    yield pauses.left_s(reach, name, now), reach, None
        if len(self.allowances):
            for key, reach in zip(
                _allowances_of(call), (Reach.ENDPOINT, Reach.CONNECTION), strict=False
            ):
                yield self.allowances.wait_s(key, now), reach, None
        yield from self.book.waits(call, now)

    def __repr__(self) -> str:
        limits = ", ".join(
            f"{w.quota.endpoint or '*'} {w.used(self._now)}/{w.limit(self._now)}"
            for w in (*self.book.client, *self.book.watched)
            if w.limit(self._now) is not None
        )
        paused_s = self.pauses.left_s(Reach.EVERYONE, None, self._now)
        paused = f"paused for {paused_s:.1f} s" if paused_s > 0.0 else ""
        return f"RateLimiter({'; '.join(part for part in (paused, limits) if part) or 'open'})"


def _allowances_of(call: VendorCall) -> tuple[tuple[str, str | None], ...]:
    """Under which names a vendor may have told what is left: the endpoint's, the connection's."""
    endpoint = call.endpoint or ""
    if call.connection_id is None:
        return ((endpoint, None),)
    return (endpoint, None), (endpoint, call.connection_id)
