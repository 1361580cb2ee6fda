"""Finicity's protocol: partner tokens, customers, Connect, institution logins, refreshes.

Its "testing" customers may link every bank here, where Finicity lets them link FinBank alone.
Source: Finicity's OpenAPI 1.42.0.
"""

from collections.abc import Callable, Sequence
from secrets import token_hex
from typing import ClassVar, Final

from .banks import BANKS, Bank, bank_at
from .connections import Connection
from .faults import FaultKind
from .finicity_access import Keys
from .finicity_errors import (
    AGGREGATION_IN_DATA,
    ERRORS,
    error_of,
    fault_refusal,
    no_such_path,
    refusal,
)
from .finicity_link import FinicityLink
from .finicity_pages import limit_of, whole
from .finicity_refreshes import FinicityRefreshes
from .finicity_shapes import epoch, institution_json
from .identifiers import number
from .vendor import AUTH, CREATE_LINK, EXCHANGE, GET_ACCOUNTS, SYNC, Route, Shared
from .wire import Answer, Call

__all__ = ["Finicity"]

_LOGIN_READ: Final = (GET_ACCOUNTS, SYNC, EXCHANGE)


class Finicity(FinicityLink, FinicityRefreshes):
    """Finicity, with `sandbox_partner`, `sandbox_secret` and `sandbox_app_key`."""

    name: ClassVar[str] = "finicity"

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self.keys = Keys()

    def routes(self) -> Sequence[Route]:  # noqa: D102  see Vendor
        v1, v2 = "/aggregation/v1/customers", "/aggregation/v2/customers"
        one = f"{v1}/{{customer}}"
        login = f"{one}/institutionLogins/{{login}}"
        account = f"{one}/accounts/{{account}}"
        refreshes = "/aggregation/customers/{customer}/transactions/refreshes"

        def route(
            method: str,
            path: str,
            operations: tuple[str, ...],
            handler: Callable[[Call], Answer],
            *,
            shapes_data: bool = False,
        ) -> Route:
            return Route(method, path, operations, self._with_keys(handler), shapes_data)

        def data(path: str, operations: tuple[str, ...], show: Callable[[Call], Answer]) -> Route:
            return route("GET", path, operations, show, shapes_data=True)

        authentication = "/aggregation/v2/partners/authentication"
        return (
            Route("POST", authentication, (AUTH,), self.keys.authenticate),
            route("POST", f"{v2}/{{kind:active|testing}}", (CREATE_LINK,), self._customer_create),
            route("GET", v1, (CREATE_LINK,), self._customer_list),
            route("GET", one, ("directory",), self._customer_read),
            route("DELETE", one, ("revoke",), self._customer_delete),
            route("POST", "/connect/v2/generate", (CREATE_LINK,), self._connect),
            route("POST", "/connect/v2/generate/lite", (CREATE_LINK,), self._connect_lite),
            route("POST", "/connect/v2/generate/fix", (CREATE_LINK,), self._connect_fix),
            data(f"{one}/accounts", (GET_ACCOUNTS,), self._account_list),
            route("POST", f"{one}/accounts", ("refresh",), self._refresh_now),
            route("POST", f"{v2}/{{customer}}/accounts", ("refresh",), self._refresh_quietly),
            data(f"{login}/accounts", _LOGIN_READ, self._account_list),
            route("POST", f"{login}/accounts", ("refresh",), self._refresh_now),
            route("DELETE", login, ("revoke",), self._login_delete),
            data(f"{v2}/{{customer}}/accounts/{{account}}", (GET_ACCOUNTS,), self._account_read),
            data(
                "/aggregation/v3/customers/{customer}/transactions",
                (SYNC,),
                self._customer_transactions,
            ),
            data(
                "/aggregation/v4/customers/{customer}/accounts/{account}/transactions",
                (SYNC,),
                self._account_transactions,
            ),
            route("POST", f"{account}/transactions/historic", ("refresh",), self._historic),
            route("POST", refreshes, _LOGIN_READ, self._refresh_begin),
            route("GET", f"{refreshes}/{{refresh}}", _LOGIN_READ, self._refresh_read),
            route("POST", f"{account}/txpush", ("sandbox",), self._subscribe),
            route(
                "PUT",
                f"{v2}/{{customer}}/institutionLogins/{{login}}/migration",
                ("sandbox",),
                self._account_list,
            ),
            route("GET", "/institution/v2/institutions", ("directory",), self._institution_list),
            route(
                "GET",
                "/institution/v2/institutions/{institution}",
                ("directory",),
                self._institution_read,
            ),
        )

    def _with_keys(self, handler: Callable[[Call], Answer]) -> Callable[[Call], Answer]:
        def guarded(call: Call) -> Answer:
            self.keys.check(call)
            return handler(call)

        return guarded

    def connection_of(self, call: Call) -> Connection | None:  # noqa: D102  see Vendor
        named = call.match.get("login") or call.body.get("institutionLoginId")
        if named:
            return self.connections.get(self.name, named)
        wanted, owner = call.match.get("account"), call.match.get("customer", "")
        for login in self.connections.of_owner(self.name, owner) if wanted else ():
            ids = self._ids(login)
            if any(str(ids.account(one.kind)) == wanted for one in self.login(login).accounts):
                return login
        return None

    def bank_of(self, call: Call) -> Bank | None:  # noqa: D102  see Vendor
        named = call.body.get("institutionId") or call.match.get("institution")
        return bank_at(self.name, str(named)) if named else None

    def refusal(self, kind: FaultKind, call: Call) -> Answer | None:  # noqa: D102  see Vendor
        if kind is FaultKind.AUTH and call.method == "GET" and "/accounts" in call.path:
            return None
        return fault_refusal(kind, authenticating=call.path.endswith("/authentication"))

    def error_codes(self) -> Sequence[str]:  # noqa: D102  see Vendor
        return tuple(ERRORS)

    def error_answer(self, code: str, call: Call) -> Answer | None:  # noqa: D102  see Vendor
        reads = call.method == "GET" and call.path.endswith("/accounts")
        return None if reads and code in AGGREGATION_IN_DATA else error_of(code)

    def unknown_path(self, call: Call) -> Answer:  # noqa: D102  see Vendor
        del call
        return no_such_path()

    def _subscribe(self, call: Call) -> Answer:
        login, account = self._account_at(call)
        callback = call.body.get("callbackUrl")
        if not isinstance(callback, str) or not callback:
            raise refusal(400, "10005", "Missing parameter (callbackUrl)")
        account_id = self._ids(login).account(account.kind)
        rows = [
            {
                "id": number(self.world.seed, account_id, kind, digits=8),
                "accountId": account_id,
                "type": kind,
                "callbackUrl": callback,
                "signingKey": token_hex(32),
            }
            for kind in ("account", "transaction")
        ]
        return Answer(201, {"subscriptions": rows})

    def _institution_list(self, call: Call) -> Answer:
        """Institutions; here `start` is the number of a page."""
        part = call.query.get("search", "").casefold()
        banks = [
            bank
            for bank in BANKS.values()
            if bank.id_at(self.name) and part in bank.name.casefold()
        ]
        limit, page = limit_of(call), max(1, whole(call, "start", 1))
        shown = banks[(page - 1) * limit : page * limit]
        return Answer(
            200,
            {
                "found": len(banks),
                "displaying": len(shown),
                "moreAvailable": page * limit < len(banks),
                "createdDate": epoch(call.now),
                "institutions": [institution_json(bank) for bank in shown],
            },
        )

    def _institution_read(self, call: Call) -> Answer:
        bank = self.bank_of(call)
        if bank is None:
            raise refusal(404, "14006", "Institution not found.")
        return Answer(200, {"institution": institution_json(bank)})
