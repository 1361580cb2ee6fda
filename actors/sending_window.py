"""How long a message waits for company: not at all when little is under way, longer under load.

Pure. Each message costs its sender and its receiver about the same whatever is inside, so at high
load fewer and fuller ones serve everybody better; at low load waiting only adds to the latency. What
is under way tells how much company is to come: each of it is a caller who will be back.
"""

from dataclasses import dataclass

__all__ = ["SendingWindow"]


@dataclass(frozen=True, slots=True)
class SendingWindow:
    """Follows the load.

    Args:
        longest_s: the wait with `full_at` calls under way and more.
        alone: with so many under way, nothing is waited for.
        full_at: calls under way at which the wait is longest.

    """

    longest_s: float = 0.004
    alone: int = 4
    full_at: int = 48

    def wait_s(self, under_way: int) -> float:
        """How long to wait before the next message."""
        share = (under_way - self.alone) / (self.full_at - self.alone)
        return self.longest_s * min(1.0, max(0.0, share))
