"""The pauses that a vendor asks for, and what it said was left: of a client, a bank, a connection."""

from collections import OrderedDict
from typing import Final

from .quota import Reach, ToldAllowance

__all__ = ["LONGEST_PAUSE_S", "Allowances", "Pauses"]

LONGEST_PAUSE_S: Final = 7 * 86_400.0
_LONGEST_ALLOWANCE_S: Final = 86_400.0
_MOST_ALLOWANCES: Final = 1000
_EVERYONE: Final = ""


class Pauses:
    """Until when nothing is sent, by whom it concerns. A pause is never made shorter.

    Args:
        maximum: pauses kept at once; over it those that have ended go, then those begun longest ago.

    """

    __slots__ = ("_maximum", "_until")

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._until: OrderedDict[tuple[Reach, str], float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def begin(self, reach: Reach, name: str | None, pause_s: float, now: float) -> None:
        """Pause for 0 to 7 days; `name` is the endpoint's, institution's or connection's."""
        key = (reach, name or _EVERYONE)
        until = now + min(max(0.0, pause_s), LONGEST_PAUSE_S)
        self._until[key] = max(self._until.get(key, until), until)
        self._until.move_to_end(key)
        if len(self._until) > self._maximum:
            self.drop_ended(now)
        while len(self._until) > self._maximum:
            self._until.popitem(last=False)

    def left_s(self, reach: Reach, name: str | None, now: float) -> float:
        """Seconds left, 0 without a pause."""
        until = self._until.get((reach, name or _EVERYONE))
        return 0.0 if until is None else max(0.0, until - now)

    def drop_ended(self, now: float) -> None:
        """Let go of those that are over."""
        for key in [key for key, until in self._until.items() if until <= now]:
            del self._until[key]

    def running(self, now: float) -> list[tuple[Reach, str, float]]:
        """All that are not over, with the seconds left."""
        return [(*key, until - now) for key, until in self._until.items() if until > now]


class Allowances:
    """How many calls a vendor said it would still take, until its limit resets.

    Where it tells none left, that is a pause. Answers may overtake each other, so within one period
    what is left only goes down: by what is told, and by every call that is sent.
    """

    __slots__ = ("_by_key",)

    def __init__(self) -> None:
        self._by_key: OrderedDict[tuple[str, str | None], tuple[int, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_key)

    def told(self, key: tuple[str, str | None], allowance: ToldAllowance, now: float) -> None:
        """Take what was told beside an answer; `key` is an endpoint, and a connection or None."""
        left = allowance.remaining
        known = self._by_key.get(key)
        if known is not None and now < known[1]:
            left = min(left, known[0])
        ends_at = now + min(max(0.0, allowance.reset_s), _LONGEST_ALLOWANCE_S)
        self._by_key[key] = (left, ends_at)
        self._by_key.move_to_end(key)
        while len(self._by_key) > _MOST_ALLOWANCES:
            self._by_key.popitem(last=False)

    def wait_s(self, key: tuple[str, str | None], now: float) -> float:
        """Seconds until a call may be sent, 0 when it may now."""
        left, ends_at = self._by_key.get(key, (1, now))
        return max(0.0, ends_at - now) if left < 1 else 0.0

    def take(self, key: tuple[str, str | None], now: float) -> None:
        """Count a call."""
        known = self._by_key.get(key)
        if known is None:
            return
        left, ends_at = known
        if ends_at <= now:
            del self._by_key[key]
        else:
            self._by_key[key] = (left - 1, ends_at)

    def running(self, now: float) -> list[tuple[str, str | None, int, float]]:
        """All that have not reset, with what is left and the seconds to go."""
        return [(*key, left, end - now) for key, (left, end) in self._by_key.items() if end > now]
