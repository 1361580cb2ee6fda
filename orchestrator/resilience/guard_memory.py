"""What a provider's guard must remember over a restart, as plain data, and the way back."""

from typing import TypedDict

from .board_snapshot import BoardMemory
from .guard import ProviderGuard
from .limiter_memory import LimiterMemory, limiter_memory, restore_limiter

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
    sent_since: int | None = None,
) -> None:
    """Take up what another guard remembered, so that it never lets through more than that one would.

    Open circuits stay open for the time that is left, forced ones forced; half-open ones are due.
    The call budget begins exhausted. What may have been sent since the memory was told counts as
    sent, see `restore_limiter`: with None every window begins full, and a provider takes no call
    for as long as its longest window, which for a window of a minute is a minute and for one of a
    month is a month. So tell a bound where there is one: 0 after an orderly stop; else the calls
    that one process can send in `elapsed_s` at the very most, or a count from what it wrote down.

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
