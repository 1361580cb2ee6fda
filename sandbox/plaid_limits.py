"""Plaid's published limits per minute, for those who want the sandbox to hold them.

Source: Plaid's page on rate limits, sandbox column.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from .wire import Call

__all__ = ["PlaidLimits", "limit_code"]

_MOST_WINDOWS: Final = 100_000


@dataclass(frozen=True, slots=True)
class _Limit:
    """Calls a minute, per Item and per client; None where there is no such limit."""

    per_item: int | None
    per_client: int
    code: str
    client_code: str | None = None


_LIMITS: Final = {
    "/accounts/get": _Limit(100, 5000, "ACCOUNTS_LIMIT"),
    "/accounts/balance/get": _Limit(25, 100, "BALANCE_LIMIT", "ACCOUNTS_BALANCE_GET_LIMIT"),
    "/institutions/get": _Limit(None, 10, "INSTITUTIONS_GET_LIMIT"),
    "/institutions/get_by_id": _Limit(None, 400, "INSTITUTIONS_GET_BY_ID_LIMIT"),
    "/item/get": _Limit(40, 5000, "ITEM_GET_LIMIT"),
    # The page names no code for these two.
    "/item/remove": _Limit(100, 500, "RATE_LIMIT_EXCEEDED"),
    "/sandbox/transactions/create": _Limit(2, 50, "RATE_LIMIT_EXCEEDED"),
    "/transactions/get": _Limit(80, 1000, "TRANSACTIONS_LIMIT"),
    "/transactions/refresh": _Limit(2, 100, "TRANSACTIONS_REFRESH_LIMIT"),
    "/transactions/sync": _Limit(50, 1000, "TRANSACTIONS_SYNC_LIMIT"),
}
_UNLISTED: Final = "RATE_LIMIT_EXCEEDED"


def limit_code(path: str) -> str:
    """The code with which an endpoint says that it is asked too often."""
    limit = _LIMITS.get(path)
    return _UNLISTED if limit is None else limit.code


class PlaidLimits:
    """Counts calls in fixed windows of a minute, per endpoint and Item and per endpoint."""

    def __init__(self) -> None:
        self._windows: OrderedDict[tuple[str, str, int], int] = OrderedDict()

    def exceeded(self, call: Call) -> str | None:
        """Count one call; the code of the limit that it is over, if it is over one."""
        limit = _LIMITS.get(call.path)
        if limit is None:
            return None
        minute = int(call.now.timestamp() // 60)
        item = str(call.body.get("access_token", ""))
        if item and limit.per_item and self._count((call.path, item, minute)) > limit.per_item:
            return limit.code
        if self._count((call.path, "", minute)) > limit.per_client:
            return limit.client_code or limit.code
        return None

    def _count(self, window: tuple[str, str, int]) -> int:
        used = self._windows.get(window, 0) + 1
        self._windows[window] = used
        if len(self._windows) > _MOST_WINDOWS:
            self._windows.popitem(last=False)
        return used
