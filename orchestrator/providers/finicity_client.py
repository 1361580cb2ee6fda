"""Finicity's endpoints: customers, Connect, accounts by login, records read to the last one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from .finicity_connect import ConnectSession
from .finicity_errors import FINICITY_ERRORS, FINICITY_KNOWN_LOGIN_ERRORS, USERNAME_TAKEN
from .finicity_session import FinicitySession, code_of
from .finicity_values import Login, epoch_s, identifier, said_flag
from .payload import Payload, integer, optional_text, rows, text
from .wire_failures import WrongSuccess, malformed, wrong_success

__all__ = ["FinicityClient"]

_PAGE_SIZE: Final = 1000
_MAX_PAGES: Final = 4000
_LISTINGS: Final = 2
_REFRESH_ENDED: Final = frozenset({"COMPLETED", "FAILED"})
_NO_SUCH_LOGIN: Final = frozenset({"14001", "38003", "38007"})


class FinicityClient:
    """Finicity's endpoints, which answer what was asked for or raise a classified failure.

    Args:
        session: with our key and token.

    """

    def __init__(self, session: FinicitySession) -> None:
        self._session = session
        self._call = session.call
        self._read = session.read

    async def customer_id(self, username: str, kind: str) -> str:
        """The customer of this name, made if there is none yet.

        Args:
            username: of ours, unique.
            kind: `active` or `testing`.

        """
        made = await self._call(
            "POST",
            f"aggregation/v2/customers/{kind}",
            endpoint="customers",
            json={"username": username},
        )
        if made.ok or code_of(made) != USERNAME_TAKEN:
            return identifier(self._read(made), "id")
        found = await self._call(
            "GET", "aggregation/v1/customers", endpoint="customers", query={"username": username}
        )
        for customer in rows(self._read(found), "customers"):
            told_kind = optional_text(customer, "type")
            if customer.get("username") == username and told_kind in (None, kind):
                return identifier(customer, "id")
        # Another kind of customer has the name: what was made for tests is not for live banks.
        raise self._session.failure(made, FINICITY_ERRORS)

    async def connect_url(self, session: ConnectSession) -> str:
        """The address of a session of Connect."""
        response = await self._call(
            "POST",
            f"connect/v2/generate{session.variant}",
            endpoint="connect",
            json={"partnerId": self._session.partner_id, **session.settings},
        )
        return text(self._read(response), "link")

    async def new_login_accounts(self, login: Login) -> tuple[Payload, ...]:
        """The accounts of a login that a widget has just made; none where there is no such login."""
        response = await self._call("GET", f"{login.path}/accounts", endpoint="accounts")
        absent = response.status == 404 or code_of(response) in _NO_SUCH_LOGIN
        return () if absent else _of_login(rows(self._read(response), "accounts"), login)

    async def accounts(self, login: Login) -> tuple[Payload, ...]:
        """The accounts of a login that existed before."""
        response = await self._call("GET", f"{login.path}/accounts", endpoint="accounts")
        answer = self._read(response, FINICITY_KNOWN_LOGIN_ERRORS)
        return _of_login(rows(answer, "accounts"), login)

    async def transactions(
        self, login: Login, account_id: str, first: datetime, last: datetime
    ) -> tuple[Payload, ...]:
        """Every row of an account between two times, oldest first, each once.

        Rows that come or go meanwhile shift those behind them: where fewer came than are counted,
        all are read once more.

        Raises:
            ProviderFailure: `WRONG_SUCCESS_TRUNCATED` where rows are missing the second time too,
                `WRONG_SUCCESS_FROZEN` where more is promised and nothing new comes.

        """
        path = f"aggregation/v4/customers/{login.customer_id}/accounts/{account_id}/transactions"
        window = {
            "fromDate": epoch_s(first),
            "toDate": epoch_s(last),
            "sort": "asc",
            "includePending": "true",
            "limit": str(_PAGE_SIZE),
        }
        for _ in range(_LISTINGS):
            listed, found = await self._records(path, window)
            if len(listed) >= found:
                return tuple(
                    row for row in listed.values() if identifier(row, "accountId") == account_id
                )
        raise wrong_success(WrongSuccess.TRUNCATED, "fewer rows came than it counts")

    async def start_refresh(self, login: Login) -> str:
        """Ask for a reading of the bank; its id."""
        response = await self._call(
            "POST",
            f"aggregation/customers/{login.customer_id}/transactions/refreshes",
            endpoint="refreshes",
            json={"institutionLoginId": login.login_id, "mode": "standard"},
        )
        return identifier(self._read(response, FINICITY_KNOWN_LOGIN_ERRORS), "refreshId")

    async def refresh_ended(self, login: Login, refresh_id: str) -> bool:
        """Whether that reading is over, whatever became of it."""
        response = await self._call(
            "GET",
            f"aggregation/customers/{login.customer_id}/transactions/refreshes/{refresh_id}",
            endpoint="refreshes",
        )
        return optional_text(self._read(response), "status") in _REFRESH_ENDED

    async def forget(self, login: Login) -> None:
        """End our access to a login's accounts; quiet when it is gone."""
        response = await self._call("DELETE", login.path, endpoint="accounts")
        if response.ok or response.status == 404 or code_of(response) in _NO_SUCH_LOGIN:
            return
        raise self._session.failure(response, FINICITY_KNOWN_LOGIN_ERRORS)

    async def _records(
        self, path: str, window: Mapping[str, str]
    ) -> tuple[dict[str, Payload], int]:
        """All rows by id, and how many there should be. `start` counts records, from one."""
        listed: dict[str, Payload] = {}
        start = 1
        for _ in range(_MAX_PAGES):
            response = await self._call(
                "GET", path, endpoint="transactions", query={**window, "start": str(start)}
            )
            answer = self._read(response, FINICITY_KNOWN_LOGIN_ERRORS)
            page = rows(answer, "transactions")
            known = len(listed)
            listed |= {identifier(row, "id"): row for row in page}
            if not said_flag(answer, "moreAvailable"):
                return listed, integer(answer, "found")
            if len(listed) == known:
                raise wrong_success(WrongSuccess.FROZEN, "more is promised and nothing new comes")
            start += len(page)
        raise malformed("its pages have no end", http_status=200)


def _of_login(accounts: tuple[Payload, ...], login: Login) -> tuple[Payload, ...]:
    """The accounts that are this customer's and this login's, as their own fields say."""
    return tuple(
        account
        for account in accounts
        if identifier(account, "customerId") == login.customer_id
        and identifier(account, "institutionLoginId") == login.login_id
    )
