"""A limiter's memory as plain data, so that it survives a restart, and the way back.

Everything is ages and durations in seconds: no clock is shared by two processes. Taken up again, it
is conservative: calls that are told together count from the youngest, and whatever may have been
sent after the data were written is taken as sent.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NotRequired, TypedDict

from .learned_limit import LearnedLimit
from .limiter import RateLimiter
from .quota import Quota, Reach, ToldAllowance
from .shared_window import SharedMemory, SharedWindow
from .window import Ages, ConnectionWindows

__all__ = ["LimiterMemory", "SentSince", "limiter_memory", "restore_limiter"]

SentSince = int | Mapping[str | None, int] | None
"""How many calls may have been sent after a memory was told, at the very most.

By connection (None for calls that are nobody's) where each attempt was written down before it left:
whoever is not named sent none. As one number where only the whole is known, and then any connection
may have sent as many. 0 after an orderly stop. None where nobody knows: every window counts as full.
"""

_ENTRIES: Final = 64
_CONNECTION_ENTRIES: Final = 8
_CONNECTIONS: Final = 10_000


class LearnedMemory(TypedDict):
    """A learned limit, `age_s` seconds after it was."""

    calls: int
    ceiling: int
    age_s: float
    recovery_s: float


class WindowMemory(TypedDict):
    """One client-wide window, or one quota's windows of connections.

    `shared` is a client-wide window's; `connections` are the calls of each connection by age.
    `complete` is False where not all connections could be told.
    """

    endpoint: str | None
    window_s: float
    learned: LearnedMemory | None
    shared: NotRequired[SharedMemory]
    connections: NotRequired[dict[str, Ages]]
    complete: NotRequired[bool]


class PauseMemory(TypedDict):
    """A pause that the vendor has asked for."""

    reach: str
    name: str
    left_s: float


class AllowanceMemory(TypedDict):
    """What a vendor said was left."""

    endpoint: str
    connection_id: str | None
    remaining: int
    left_s: float


class LimiterMemory(TypedDict):
    """All that a limiter remembers; plain JSON data of bounded size."""

    client: list[WindowMemory]
    watched: list[WindowMemory]
    connection: list[WindowMemory]
    pauses: list[PauseMemory]
    allowances: list[AllowanceMemory]


def limiter_memory(limiter: RateLimiter, now: float) -> LimiterMemory:
    """What a limiter remembers at `now`."""
    limiter.observe(now)
    book = limiter.book
    return {
        "client": [_shared_memory(window, now) for window in book.client],
        "watched": [_shared_memory(window, now) for window in book.watched],
        "connection": [_connection_memory(windows, now) for windows in book.connection],
        "pauses": [
            {"reach": reach.name, "name": name, "left_s": left_s}
            for reach, name, left_s in limiter.pauses.running(now)
        ],
        "allowances": [
            {"endpoint": endpoint, "connection_id": whose, "remaining": left, "left_s": left_s}
            for endpoint, whose, left, left_s in limiter.allowances.running(now)
        ],
    }


def restore_limiter(
    limiter: RateLimiter,
    memory: LimiterMemory,
    now: float,
    elapsed_s: float,
    *,
    sent_since: SentSince = None,
) -> None:
    """Take up what another limiter remembered, so that a vendor sees no more than from that one.

    Windows are found by endpoint and length: where a limit has changed its number of calls, the new
    number holds. What no quota fits any more is passed over; a window that nothing is told of
    counts as full.

    Args:
        limiter: a fresh one.
        memory: from `limiter_memory`, also after a way through JSON.
        now: seconds of the fresh limiter's clock.
        elapsed_s: seconds since the memory was told, by a clock that went on meanwhile, at least 0.
        sent_since: calls that may have been sent after that.

    """
    book = limiter.book
    for window in book.client:
        _restore_shared(
            window, _told_of(window.quota, memory["client"]), now, elapsed_s, sent_since
        )
    for told in memory["watched"]:
        watched = book.watch(told["endpoint"])
        if watched is not None:
            _restore_shared(watched, told, now, elapsed_s, sent_since)
    for windows in book.connection:
        told_of_all = _told_of(windows.quota, memory["connection"])
        _restore_connections(windows, told_of_all, now, elapsed_s, sent_since)
    for pause in memory["pauses"]:
        left_s = pause["left_s"] - elapsed_s
        limiter.block(left_s, now, reach=Reach[pause["reach"]], name=pause["name"] or None)
    for allowance in memory["allowances"]:
        sent = _all_of(sent_since)
        left = 0 if sent is None else max(0, allowance["remaining"] - sent)
        limiter.allowances.told(
            (allowance["endpoint"], allowance["connection_id"]),
            ToldAllowance(left, allowance["left_s"] - elapsed_s),
            now,
        )


def _told_of(quota: Quota, memories: Sequence[WindowMemory]) -> WindowMemory | None:
    for told in memories:
        if told["endpoint"] == quota.endpoint and told["window_s"] == quota.window_s:
            return told
    return None


def _shared_memory(window: SharedWindow, now: float) -> WindowMemory:
    return {
        "endpoint": window.quota.endpoint,
        "window_s": window.quota.window_s,
        "learned": _learned_memory(window.learned, now),
        "shared": window.memory(now, _ENTRIES),
    }


def _connection_memory(windows: ConnectionWindows, now: float) -> WindowMemory:
    return {
        "endpoint": windows.quota.endpoint,
        "window_s": windows.quota.window_s,
        "learned": _learned_memory(windows.learned, now),
        "connections": windows.ages(now, _CONNECTIONS, _CONNECTION_ENTRIES),
        "complete": len(windows) <= _CONNECTIONS,
    }


def _restore_shared(
    window: SharedWindow,
    told: WindowMemory | None,
    now: float,
    elapsed_s: float,
    sent_since: SentSince,
) -> None:
    if told is not None:
        window.learned = _learned(told["learned"], now, elapsed_s)
        window.restore(told["shared"], now, elapsed_s)
    most, sent = window.limit(now) or 0, _all_of(sent_since)
    window.assume(most if told is None or sent is None else min(most, sent), now)


def _restore_connections(
    windows: ConnectionWindows,
    told: WindowMemory | None,
    now: float,
    elapsed_s: float,
    sent_since: SentSince,
) -> None:
    if told is not None:
        windows.learned = _learned(told["learned"], now, elapsed_s)
        windows.restore(told.get("connections", {}), now, elapsed_s)
    incomplete = told is None or not told.get("complete", False)
    if incomplete or sent_since is None:
        windows.assume(windows.quota.calls, now)
    elif isinstance(sent_since, int):
        windows.assume(sent_since, now)
    else:
        for connection_id, count in sent_since.items():
            if connection_id is not None:
                windows.assume_of(connection_id, count, now)


def _all_of(sent_since: SentSince) -> int | None:
    return sum(sent_since.values()) if isinstance(sent_since, Mapping) else sent_since


def _learned_memory(learned: LearnedLimit | None, now: float) -> LearnedMemory | None:
    if learned is None:
        return None
    return {
        "calls": learned.calls,
        "ceiling": learned.ceiling,
        "age_s": now - learned.since,
        "recovery_s": learned.recovery_s,
    }


def _learned(told: LearnedMemory | None, now: float, elapsed_s: float) -> LearnedLimit | None:
    if told is None:
        return None
    since = now - told["age_s"] - elapsed_s
    return LearnedLimit(told["calls"], told["ceiling"], since, told["recovery_s"])
