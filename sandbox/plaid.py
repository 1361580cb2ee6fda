"""Plaid's protocol: every call a POST with a JSON body, nearly every error a 400.

Source: Plaid's OpenAPI 2020-09-14 and its documentation pages.
"""

from collections.abc import Callable, Collection, Sequence
from typing import ClassVar, Final

from . import plaid_institutions
from .faults import FaultKind
from .plaid_bodies import check_keys
from .plaid_errors import (
    ERROR_CODES,
    MUTATION,
    NOT_READY,
    error,
    fault_refusal,
    shows_on_the_item,
)
from .plaid_limits import PlaidLimits, limit_code
from .plaid_linking import PlaidLinking
from .vendor import CREATE_LINK, EXCHANGE, GET_ACCOUNTS, SYNC, Route, Shared
from .wire import Answer, Call

__all__ = ["Plaid"]

_ITEM_GET: Final = "/item/get"
_SYNC: Final = "/transactions/sync"
_BARE_STATUSES: Final = {
    f"HTTP_{status}": status for status in (400, 401, 403, 404, 429, 500, 502, 503, 504)
}
"""Answers of something in front of Plaid: a status, and no body that says more."""


class Plaid(PlaidLinking):
    """Plaid, with the keys `sandbox_client` and `sandbox_secret`."""

    name: ClassVar[str] = "plaid"

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self._limits = PlaidLimits() if shared.options.enforce_limits else None

    def routes(self) -> Sequence[Route]:  # noqa: D102  see Vendor
        def post(
            path: str,
            handler: Callable[[Call], Answer],
            *operations: str,
            shapes_data: bool = False,
        ) -> Route:
            return Route("POST", path, operations, self._with_keys(handler), shapes_data)

        def read(path: str, handler: Callable[[Call], Answer], *operations: str) -> Route:
            return post(path, handler, *operations, shapes_data=True)

        return (
            post("/link/token/create", self._link_create, CREATE_LINK),
            post("/link/token/get", self._link_get, EXCHANGE),
            post("/item/public_token/exchange", self._exchange, EXCHANGE),
            read(_ITEM_GET, self._item_get, GET_ACCOUNTS, SYNC, EXCHANGE),
            post("/item/remove", self._item_remove, "revoke"),
            post("/item/webhook/update", self._webhook_update, "item"),
            post("/item/access_token/invalidate", self._invalidate, "item"),
            read("/accounts/get", self._accounts, GET_ACCOUNTS),
            read("/accounts/balance/get", self._balance, GET_ACCOUNTS),
            read(_SYNC, self._sync, SYNC),
            read("/transactions/get", self._window, SYNC),
            read("/transactions/refresh", self._refresh, SYNC),
            post("/institutions/get", plaid_institutions.get, "directory"),
            post("/institutions/get_by_id", plaid_institutions.get_by_id, "directory"),
            post("/institutions/search", plaid_institutions.search, "directory"),
            post("/webhook_verification_key/get", self._webhook_key, "directory"),
            post("/sandbox/public_token/create", self._sandbox_token, "sandbox"),
            post("/sandbox/item/reset_login", self._reset_login, "sandbox"),
            post("/sandbox/item/fire_webhook", self._fire_webhook, "sandbox"),
            post("/sandbox/transactions/create", self._add_transactions, "sandbox"),
        )

    def _with_keys(self, handler: Callable[[Call], Answer]) -> Callable[[Call], Answer]:
        def guarded(call: Call) -> Answer:
            check_keys(call)
            over = None if self._limits is None else self._limits.exceeded(call)
            return handler(call) if over is None else error(call, over, "rate limit exceeded")

        return guarded

    def refusal(self, kind: FaultKind, call: Call) -> Answer | None:  # noqa: D102  see Vendor
        if kind is FaultKind.RATE_LIMIT:
            return error(call, limit_code(call.path), "rate limit exceeded")
        if kind is FaultKind.AUTH and call.path == _ITEM_GET:
            return None
        return fault_refusal(kind, call)

    def error_codes(self) -> Collection[str]:  # noqa: D102  see Vendor
        return (*ERROR_CODES, *_BARE_STATUSES)

    def error_answer(self, code: str, call: Call) -> Answer | None:  # noqa: D102  see Vendor
        if code in _BARE_STATUSES:
            return Answer(_BARE_STATUSES[code])
        # A sync never says that it is not ready, and meets mutations on later pages alone.
        on_sync = call.path == _SYNC and code in (MUTATION, NOT_READY)
        on_item = call.path == _ITEM_GET and shows_on_the_item(code)
        return None if on_sync or on_item else error(call, code)

    def unknown_path(self, call: Call) -> Answer:  # noqa: D102  see Vendor
        return error(call, "NOT_FOUND", "no such endpoint")
