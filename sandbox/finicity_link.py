"""Finicity's customers, and Connect from its address to the login that it leaves behind.

Source: Finicity's OpenAPI 1.42.0.
"""

from datetime import datetime, timedelta
from secrets import token_hex
from typing import Final
from urllib.parse import urlencode

from .banks import BANKS, Bank
from .connections import Connection, EndUser, LinkSession
from .finicity_access import PARTNER_ID
from .finicity_data import FinicityData
from .finicity_errors import refusal
from .finicity_pages import page_of
from .finicity_shapes import customer_json, epoch
from .identifiers import number
from .wire import Answer, Call, JsonObject

__all__ = ["FinicityLink"]

_LINK_LIFETIME: Final = timedelta(hours=2)
_USERNAME_LENGTHS: Final = range(6, 256)
_DETAILS: Final = ("firstName", "lastName", "phone", "email", "applicationId")


class FinicityLink(FinicityData):
    """The linking half of Finicity."""

    def _customer_create(self, call: Call) -> Answer:
        username = call.body.get("username")
        if not username:
            raise refusal(400, "10005", "Missing parameter (username)")
        if not isinstance(username, str) or len(username) not in _USERNAME_LENGTHS:
            raise refusal(400, "110039", "The username is not as the policy wants it.")
        if self._customer_of(username) is not None:
            raise refusal(409, "110002", "The username is not available.")
        attributes = {
            "type": call.match["kind"],
            "created_at": str(epoch(call.now)),
            **{name: str(call.body[name]) for name in _DETAILS if call.body.get(name)},
        }
        customer_id = str(number(self.world.seed, "finicity-customer", username))
        user = EndUser(self.name, customer_id, username, attributes)
        self.connections.save_end_user(user)
        return Answer(201, customer_json(user, created=True))

    def _customer_of(self, username: str) -> EndUser | None:
        found = self.connections.end_user(self.name, username)
        return found if found is not None and found.own_id == username else None

    def _customer_list(self, call: Call) -> Answer:
        username, kind = call.query.get("username"), call.query.get("type", "")
        if kind not in ("", "active", "testing"):
            raise refusal(400, "14016", "Invalid customer type.")
        if username is None:
            part = call.query.get("search", "").casefold()
            users = [
                user
                for user in self.connections.end_users(self.name)
                if part in user.own_id.casefold()
            ]
        else:
            exact = self._customer_of(username)
            users = [] if exact is None else [exact]
        wanted = [user for user in users if kind in ("", user.attributes["type"])]
        shown, around = page_of(call, wanted, None, flag_as_text=False)
        return Answer(200, around | {"customers": [_listed_customer(user) for user in shown]})

    def _customer_read(self, call: Call) -> Answer:
        return Answer(200, customer_json(self._customer(call)))

    def _customer_delete(self, call: Call) -> Answer:
        customer = self._customer(call)
        customer.removed = True
        self.connections.save_end_user(customer)
        for login in self.connections.of_owner(self.name, customer.guid):
            login.removed = True
            self.connections.save(login)
        return Answer(204)

    # Connect.

    def _connect(self, call: Call) -> Answer:
        return self._session(call, "default", None, None)

    def _connect_lite(self, call: Call) -> Answer:
        bank = self.bank_of(call)
        if "institutionId" not in call.body:
            raise refusal(400, "10005", "Missing parameter (institutionId)")
        if bank is None or not isinstance(call.body["institutionId"], int):
            raise refusal(400, "10010", "institutionId is not valid")
        return self._session(call, "lite", bank, None)

    def _connect_fix(self, call: Call) -> Answer:
        if not call.body.get("institutionLoginId"):
            raise refusal(400, "10005", "Missing parameter (institutionLoginId)")
        login = self.connection_of(call)
        if login is None or login.removed or login.owner != call.body.get("customerId"):
            raise refusal(404, "38007", "Customer does not have accounts of this login.")
        return self._session(call, "fix", BANKS[login.bank_key], login)

    def _session(
        self, call: Call, kind: str, bank: Bank | None, repaired: Connection | None
    ) -> Answer:
        for name in ("partnerId", "customerId"):
            if not call.body.get(name):
                raise refusal(400, "10005", f"Missing parameter ({name})")
        customer = self.connections.end_user(self.name, str(call.body["customerId"]), own_ids=False)
        if call.body["partnerId"] != PARTNER_ID or customer is None:
            raise refusal(400, "10010", "Customer ID does not exist or is not this partner's")
        signature, expires_at = token_hex(32), call.now + _LINK_LIFETIME
        query: dict[str, object] = {
            "customerId": customer.guid,
            "origin": "url",
            "partnerId": PARTNER_ID,
            "signature": signature,
            "timestamp": int(call.now.timestamp() * 1000),
            "ttl": int(expires_at.timestamp() * 1000),
            "type": kind,
        }
        if bank is not None:
            query["institutionId"] = bank.id_at(self.name)
        url = f"https://connect2.finicity.com?{urlencode(query)}"
        self.sessions.add(
            LinkSession(
                provider=self.name,
                token=signature,
                owner=customer.guid,
                default_user=repaired.user if repaired else self.default_user(customer.own_id),
                bank_key=bank.key if bank else None,
                created_at=call.now,
                expires_at=expires_at,
                single_use=call.body.get("singleUseUrl") is True,
                repairs=repaired.connection_id if repaired else None,
                url=url,
            ),
            url,
            *call.link_session_ids,
        )
        return Answer(200, {"link": url})

    def complete(  # noqa: D102  see Vendor
        self, session: LinkSession, user: str, bank: Bank, now: datetime
    ) -> str:
        repaired = self.connections.get(self.name, session.repairs)
        login = repaired or self._login_of(session.owner, user, bank, now)
        login.broken = ""
        login.awaits_exchange = True
        if repaired is not None or self.options.finicity_first_reading == "connect":
            login.attributes["aggregated_at"] = now.isoformat()
        self.connections.save(login)
        return login.connection_id

    def _login_of(self, owner: str, user: str, bank: Bank, now: datetime) -> Connection:
        """The customer's login with these credentials: linking again makes no second one."""
        for login in self.connections.of_owner(self.name, owner):
            if (login.user, login.bank_key) == (user, bank.key):
                return login
        ordinal = self.connections.ordinal(self.name, user, bank.key)
        parts = (self.world.seed, "finicity-login", owner, user, bank.key, ordinal)
        return Connection(
            provider=self.name,
            connection_id=str(number(*parts)),
            owner=owner,
            user=user,
            bank_key=bank.key,
            linked_at=now,
        )

    def _login_delete(self, call: Call) -> Answer:
        for login in self._logins(call):
            login.removed = True
            self.connections.save(login)
        return Answer(204)


def _listed_customer(user: EndUser) -> JsonObject:
    """A customer of a list, which does not tell its application."""
    return {name: part for name, part in customer_json(user).items() if name != "applicationId"}
