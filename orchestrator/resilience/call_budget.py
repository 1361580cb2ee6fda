"""How many attempts beyond the first of each request a provider may be sent: never a storm.

Retries multiply load exactly when there is least of it to spare. The budget ties them to the traffic
that there is: in any minute, attempts ≤ 1.2 x requests + 3 (after the retry budgets of Finagle and
of M. Brooker, "Fixing retries with token buckets and circuit breakers").
"""

import math
from collections import deque
from typing import Final

__all__ = ["CallBudget"]

_MINUTE_S: Final = 60.0
_FIRSTS_FOR_ONE_MORE: Final = 5
_ALWAYS: Final = 3


class CallBudget:
    """Extra attempts at one provider: further tries for the same request, and hedges.

    The first attempt of a request here is always allowed and earns a fifth of an extra one. Held is,
    for every stretch of up to a minute that ends now and so for any minute at all: extra attempts ≤
    a fifth of the first ones + 3. Exact, O(1) amortised; memory: at most 16 numbers.

    In units of a fifth, an extra attempt raises a balance by 5 and a first one lowers it by 1. What a
    stretch has used is the balance now less the balance before it; so the lowest balance of the last
    minute tells the worst stretch, and a monotone queue keeps that minimum.

    Args:
        minute_s: length of the minute, over 0. Default 60.

    """

    __slots__ = ("_balance", "_lowest", "_minute_s", "_now")

    def __init__(self, minute_s: float = _MINUTE_S) -> None:
        self._minute_s = minute_s
        self._balance = 0
        self._lowest: deque[tuple[float, int]] = deque()
        self._now = -math.inf

    def left(self, now: float) -> int:
        """Extra attempts that may be sent now, 0 to 3."""
        self._now = max(self._now, now)
        while self._lowest and self._now - self._lowest[0][0] > self._minute_s:
            self._lowest.popleft()
        lowest = min(self._balance, self._lowest[0][1]) if self._lowest else self._balance
        used = self._balance - lowest
        return (_ALWAYS * _FIRSTS_FOR_ONE_MORE - used) // _FIRSTS_FOR_ONE_MORE

    def count_first(self, now: float) -> None:
        """Count the first attempt of a request here."""
        self._count(now, -1)

    def take_extra(self, now: float) -> bool:
        """Count a further attempt, if there is room for it; False where there is none."""
        if self.left(now) < 1:
            return False
        self._count(now, _FIRSTS_FOR_ONE_MORE)
        return True

    def exhaust(self, now: float) -> None:
        """Take all that is left: what may have been sent by a process that died counts as sent."""
        while self.take_extra(now):
            pass

    def _count(self, now: float, weight: int) -> None:
        self._now = max(self._now, now)
        while self._lowest and self._lowest[-1][1] >= self._balance:
            self._lowest.pop()
        self._lowest.append((self._now, self._balance))
        self._balance += weight

    def __repr__(self) -> str:
        return f"CallBudget({self.left(self._now)} extra left)"
