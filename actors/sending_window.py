"""How long a message waits for company: not at all when there is little to send, longer under load.

Pure. Each message costs its sender and its receiver about the same whatever is inside, so at high
load fewer and fuller ones serve everybody better; at low load waiting only adds to the latency.
"""

from dataclasses import dataclass, field
from typing import Final

__all__ = ["SendingWindow"]

_WEIGHT_OF_LAST: Final = 0.2


@dataclass(slots=True)
class SendingWindow:
    """Follows the load.

    Args:
        longest_s: the wait at `full_at` letters a message and above.
        alone: up to so many letters a message, nothing is waited for.
        full_at: letters a message at which the wait is longest.

    """

    longest_s: float = 0.004
    alone: float = 2.0
    full_at: float = 48.0
    _letters: float = field(default=0.0)

    def next_s(self, waiting: int) -> float:
        """How long to wait before the next message, with so many letters waiting already."""
        self._letters += _WEIGHT_OF_LAST * (waiting - self._letters)
        share = (self._letters - self.alone) / (self.full_at - self.alone)
        return self.longest_s * min(1.0, max(0.0, share))
