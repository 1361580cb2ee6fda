"""Plaid's published limits per minute, for those who want the sandbox to hold them.

Source: Plaid's page on rate limits, sandbox column.
"""

from collections import OrderedDict
from typing import Final

from .wire import Call

__all__ = ["PlaidLimits"]

_PER_ITEM: Final = {
    "/accounts/get": 100,
    "/accounts/balance/get": 25,
    "/item/get": 40,
    "/item/remove": 100,
    "/transactions/get": 80,
    "/transactions/refresh": 2,
    "/transactions/sync": 50,
}
_PER_CLIENT: Final = {
    "/accounts/get": 5000,
    "/accounts/balance/get": 100,
    "/item/get": 5000,
    "/item/remove": 500,
    "/institutions/get_by_id": 400,
    "/transactions/get": 1000,
    "/transactions/refresh": 100,
    "/transactions/sync": 1000,
}
_MOST_WINDOWS: Final = 100_000


class PlaidLimits:
    """Counts calls in fixed windows of a minute, per endpoint and Item and per endpoint."""

    def __init__(self) -> None:
        self._windows: OrderedDict[tuple[str, str, int], int] = OrderedDict()

    def admit(self, call: Call) -> bool:
        """Count one call; False when it is over a limit."""
        minute = int(call.now.timestamp() // 60)
        item = str(call.body.get("access_token", ""))
        within_client = self._count((call.path, "", minute), _PER_CLIENT.get(call.path))
        within_item = not item or self._count((call.path, item, minute), _PER_ITEM.get(call.path))
        return within_client and within_item

    def _count(self, window: tuple[str, str, int], limit: int | None) -> bool:
        if limit is None:
            return True
        used = self._windows.get(window, 0) + 1
        self._windows[window] = used
        if len(self._windows) > _MOST_WINDOWS:
            self._windows.popitem(last=False)
        return used <= limit
