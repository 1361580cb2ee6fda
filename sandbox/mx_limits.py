"""MX's limits of calls per second, for those who want the sandbox to hold them.

The numbers, by HTTP method, come from a secondary source: MX itself names none.
"""

from collections import OrderedDict
from typing import Final

from .wire import Call

__all__ = ["MxLimits"]

_PER_SECOND: Final = {"GET": 2000, "POST": 750, "PUT": 750, "DELETE": 150}
_MOST_WINDOWS: Final = 100


class MxLimits:
    """Counts calls in fixed windows of a second, per method."""

    def __init__(self) -> None:
        self._windows: OrderedDict[tuple[str, int], int] = OrderedDict()

    def admit(self, call: Call) -> bool:
        """Count one call; False when it is over the limit of its method."""
        window = (call.method, int(call.now.timestamp()))
        used = self._windows[window] = self._windows.get(window, 0) + 1
        if len(self._windows) > _MOST_WINDOWS:
            self._windows.popitem(last=False)
        return used <= _PER_SECOND.get(call.method, used)
