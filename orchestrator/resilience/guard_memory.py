"""What a provider's guard must remember over a restart, as plain data, and the way back."""

from typing import TypedDict

from .board_snapshot import BoardMemory
from .guard import ProviderGuard
from .limiter_memory import LimiterMemory, SentSince, limiter_memory, restore_limiter

__all__ = ["GuardMemory", "guard_memory", "restore_guard"]


class GuardMemory(TypedDict):
    """Circuits and limits. Attempts under way and those that wait die with their process."""

    circuits: BoardMemory
    limiter: LimiterMemory


def guard_memory(guard: ProviderGuard, now: float) -> GuardMemory:
    """Everything that must survive, at `now`: JSON data of bounded size, worth writing each second.

    All times in it are ages and durations. Whoever writes it down writes beside it when that was,
    by a clock that goes on while nothing runs.
    """
    return {
        "circuits": guard.board.memory(now),
        "limiter": limiter_memory(guard.limiter, now),
    }


def restore_guard(
    guard: ProviderGuard,
    memory: GuardMemory,
    now: float,
    elapsed_s: float,
    *,
    sent_since: SentSince = None,
) -> None:
    """Take up what another guard remembered, so that it never lets through more than that one would.

    Open circuits stay open for the time that is left, forced ones forced; half-open ones are due.
    The call budget begins exhausted. What may have been sent since the memory was told counts as
    sent. Where that is not known, every window begins full, and a provider takes no call for as
    long as its longest window: for a minute, or a month. So tell what is known: each attempt is in
    the spool before its first byte leaves, so its intents since then name every connection that may
    have sent anything, and how many calls it made where it ended (see `SentSince`).

    Args:
        guard: a fresh one.
        memory: from `guard_memory`, also after a way through JSON.
        now: seconds of the fresh guard's clock.
        elapsed_s: seconds since the memory was told, at least 0; a clock that went back counts as 0.
        sent_since: HTTP calls that may have been sent after that, at most.

    Raises:
        KeyError: the memory is not one, or from another version.
        ValueError: likewise.

    """
    guard.board.restore(memory["circuits"], now, max(0.0, elapsed_s))
    restore_limiter(
        guard.limiter, memory["limiter"], now, max(0.0, elapsed_s), sent_since=sent_since
    )
    guard.budget.exhaust(now)
