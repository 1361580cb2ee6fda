"""Finicity's refreshes: asked for and looked after, or waited for on the line.

Source: Finicity's OpenAPI 1.42.0.
"""

from datetime import timedelta
from typing import Final

from .banks import BANKS
from .connections import Connection
from .finicity_data import FinicityData
from .finicity_errors import refusal
from .finicity_pages import whole
from .identifiers import uuid_text
from .wire import Answer, Call, JsonObject, rfc3339

__all__ = ["FinicityRefreshes"]

_MODES: Final = ("standard", "historic", "custom")


class FinicityRefreshes(FinicityData):
    """Whatever makes Finicity ask a bank."""

    def _historic(self, call: Call) -> Answer:
        self._account_at(call)
        return Answer(204)

    def _refresh_begin(self, call: Call) -> Answer:
        customer = self._customer(call)
        mode, wanted = call.body.get("mode", "standard"), call.body.get("accountIds")
        if mode not in _MODES:
            raise refusal(400, "10100", "Invalid parameter (mode)")
        if mode == "custom" and not call.body.get("fromDate"):
            raise refusal(400, "10005", "Missing parameter (fromDate)")
        logins = [
            login
            for login in self.connections.of_owner(self.name, customer.guid)
            if login.connection_id == call.body.get("institutionLoginId")
            or (isinstance(wanted, list) and set(wanted) & self._account_ids(login))
        ]
        if not logins:
            raise refusal(404, "38007", "Customer does not have accounts of this login.")
        refresh_id = uuid_text(self.world.seed, call.request_id)
        for login in logins:
            self._begin_refresh(call, login, refresh_id)
        row: JsonObject = {
            "refreshId": refresh_id,
            "customerId": customer.guid,
            "mode": mode,
            "status": "NEW",
            "createdAt": rfc3339(call.now),
        }
        if wanted:
            return Answer(202, row | {"accountIds": wanted})
        return Answer(202, row | {"institutionLoginId": logins[0].connection_id})

    def _account_ids(self, login: Connection) -> set[str]:
        ids = self._ids(login)
        return {str(ids.account(account.kind)) for account in self.login(login).accounts}

    def _refresh_read(self, call: Call) -> Answer:
        customer = self._customer(call)
        logins = [
            login
            for login in self.connections.of_owner(self.name, customer.guid)
            if login.attributes.get("refresh_id") == call.match["refresh"]
        ]
        started = self._refresh_started(logins[0]) if logins else None
        if started is None:
            raise refusal(404, "10008", "data not found")
        ended = call.now >= started + timedelta(seconds=self.options.finicity_refresh_s)
        failed = any(login.broken for login in logins)
        accounts: list[JsonObject] = [
            {
                "accountId": account_id,
                "institutionLoginId": login.connection_id,
                "institutionId": BANKS[login.bank_key].id_at(self.name),
                **({"aggregationStatusCode": int(login.broken or 0)} if ended else {}),
            }
            for login in logins
            for account_id in sorted(self._account_ids(login))
        ]
        worked = len(accounts) if ended and not failed else 0
        return Answer(
            200,
            {
                "refreshId": call.match["refresh"],
                "customerId": customer.guid,
                "accounts": accounts,
                "mode": "standard",
                "status": ("FAILED" if failed else "COMPLETED") if ended else "IN_PROGRESS",
                "totalCount": len(accounts),
                "successCount": worked,
                "failedCount": len(accounts) - worked if ended else 0,
            },
        )

    def _begin_refresh(self, call: Call, login: Connection, refresh_id: str) -> None:
        login.attributes |= {
            "refresh_id": refresh_id,
            "refresh_started_at": call.now.isoformat(),
        }
        self.connections.save(login)

    def _refresh_now(self, call: Call) -> Answer:
        """The older refreshes: they answer when the bank has been read, here at once."""
        for name in ("fromDate", "toDate"):
            if name in call.query:
                whole(call, name, 0)
        for login in self._logins(call):
            if not login.broken:
                login.attributes["aggregated_at"] = call.now.isoformat()
                self.connections.save(login)
        return self._account_list(call)

    def _refresh_quietly(self, call: Call) -> Answer:
        self._refresh_now(call)
        return Answer(204)
