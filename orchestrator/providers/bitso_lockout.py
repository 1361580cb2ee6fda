"""How long a key of Bitso's is left alone after it was locked out. Pure: `now` is seconds.

Bitso locks a key out for a minute, and one that goes on regardless for a day. So each lock-out that
follows another without an answered call in between is waited out twice as long.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

__all__ = ["Lockouts"]

_LONGEST_S: Final = 86_400.0
_MOST_DOUBLINGS: Final = 12
_MOST_KEYS: Final = 10_000
_ROUNDING_S: Final = 0.5
"""Who waited as told is never too early, whichever clock told the time."""


@dataclass(frozen=True, slots=True)
class _Lockout:
    until: float
    strikes: int


class Lockouts:
    """Lock-outs by key, the last ten thousand of them.

    Args:
        first_s: seconds of the first one, where Bitso names none.

    """

    def __init__(self, first_s: float) -> None:
        self._first_s = first_s
        self._by_key: OrderedDict[str, _Lockout] = OrderedDict()

    def left_s(self, key: str, now: float) -> float:
        """Seconds for which the key must not be used, 0 where it may."""
        lockout = self._by_key.get(key)
        left_s = 0.0 if lockout is None else lockout.until - now
        return left_s if left_s > _ROUNDING_S else 0.0

    def locked(
        self, key: str, now: float, *, asked_s: float | None = None, jitter_ratio: float = 0.0
    ) -> float:
        """Note a lock-out; answers how many seconds it is waited out.

        Calls that were under way together are locked out together and count once.

        Args:
            key: whose.
            now: seconds.
            asked_s: the pause that Bitso named, if it did.
            jitter_ratio: share, from 0, by which a pause of ours is longer.

        """
        before = self._by_key.get(key)
        left_s = self.left_s(key, now)
        strikes = 1 if before is None else before.strikes + (left_s == 0.0)
        if asked_s:
            pause_s = asked_s
        elif left_s:
            pause_s = left_s
        else:
            doublings = min(strikes - 1, _MOST_DOUBLINGS)
            pause_s = min(_LONGEST_S, self._first_s * 2.0**doublings) * (1.0 + jitter_ratio)
        self._by_key[key] = _Lockout(now + max(pause_s, left_s), strikes)
        self._by_key.move_to_end(key)
        if len(self._by_key) > _MOST_KEYS:
            self._by_key.popitem(last=False)
        return pause_s

    def worked(self, key: str, now: float) -> None:
        """Note an answered call, after which a lock-out is a first one again."""
        if self.left_s(key, now) == 0.0:
            self._by_key.pop(key, None)
