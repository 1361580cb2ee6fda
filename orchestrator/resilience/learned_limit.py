"""What being throttled teaches: a limit below the published one, or one where none is published.

Multiplicative decrease, cubic increase (as CUBIC does for TCP, RFC 9438): a 429 takes the limit to 80 %
of what was in the window then, at most to half, and time brings it back, slowly at first where it was
refused. Each further one within reach of the last makes the way back twice as long, so that a limit
that really is lower is run against less and less often. A 429 among few calls says nothing about
their number: then the pause alone has to do.
"""

import math
from dataclasses import dataclass
from typing import Final, Self

__all__ = ["LearnedLimit"]

_DECREASE: Final = 0.8
_MOST_DECREASE: Final = 0.5
_FLOOR_RATIO: Final = 0.05
_EVIDENCE_RATIO: Final = 0.1
_EVIDENCE_CALLS: Final = 2
_EVIDENCE_UNPUBLISHED: Final = 10
_FIRST_RECOVERY_S: Final = 600.0
_LONGEST_RECOVERY_S: Final = 3600.0
_UNPUBLISHED_GROWTH: Final = 2


@dataclass(frozen=True, slots=True)
class LearnedLimit:
    """A limit on a window, learned at `since`.

    It begins at `calls` and grows to `ceiling` over `recovery_s` seconds, with the cube of the time;
    from then on it says nothing any more.
    """

    calls: int
    ceiling: int
    since: float
    recovery_s: float

    def effective(self, now: float) -> int | None:
        """Calls that the window takes now; None once it has recovered."""
        way = (now - self.since) / self.recovery_s
        return None if way >= 1.0 else self.calls + int(way**3 * (self.ceiling - self.calls))

    @classmethod
    def after(
        cls, known: Self | None, *, used: int, published: int | None, now: float
    ) -> Self | None:
        """What is known after a call was throttled: `known` itself where that teaches nothing.

        Args:
            known: what was learned of this window before.
            used: calls in the window, the throttled one included.
            published: the vendor's own word, None without one.
            now: seconds.

        """
        held = (None if known is None else known.effective(now)) or published
        if held is None:
            if used < _EVIDENCE_UNPUBLISHED:
                return known
            calls = max(1, int(_DECREASE * used))
        else:
            if used < max(_EVIDENCE_CALLS, _EVIDENCE_RATIO * held):
                return known
            floor = 1 if published is None else math.ceil(_FLOOR_RATIO * published)
            calls = max(1, floor, int(_MOST_DECREASE * held), int(_DECREASE * min(used, held)))
        recovery_s = _FIRST_RECOVERY_S
        if known is not None and now - known.since < 2 * known.recovery_s:
            recovery_s = min(2 * known.recovery_s, _LONGEST_RECOVERY_S)
        ceiling = _UNPUBLISHED_GROWTH * calls if published is None else published
        return cls(calls, ceiling, now, recovery_s)
