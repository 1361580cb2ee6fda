"""MX's protocol: users, their members (logins), and listings of what MX has stored of them.

Source: MX's OpenAPI v20250224 and v20111101, docs.mx.com.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from secrets import token_hex
from typing import ClassVar, Final

from .banks import BANKS, Bank, bank_at, banks_of
from .connections import Connection, EndUser, LinkSession
from .faults import FaultKind
from .identifiers import guid
from .mx_data import MxData
from .mx_errors import (
    check_access,
    content_type,
    error,
    fault_refusal,
    is_legacy,
    not_found,
    page_of,
)
from .mx_shapes import (
    institution_guid,
    institution_json,
    user_json,
)
from .vendor import CREATE_LINK, EXCHANGE, GET_ACCOUNTS, SYNC, Route
from .wire import Answer, Call, Refusal

__all__ = ["Mx"]

_WIDGET_LIFETIME: Final = timedelta(minutes=10)
_MEMBER_READ: Final = (GET_ACCOUNTS, SYNC, EXCHANGE)
_SCENARIOS: Final = {
    "challenge": "CHALLENGED",
    "options": "CHALLENGED",
    "image": "CHALLENGED",
    "UNAUTHORIZED": "DENIED",
    "INVALID": "DENIED",
    "DISABLED": "DENIED",
    "LOCKED": "LOCKED",
    "BAD_REQUEST": "FAILED",
    "SERVER_ERROR": "FAILED",
    "UNAVAILABLE": "FAILED",
}
_TEST_USER: Final = "mxuser"


class Mx(MxData):
    """MX, with the keys `sandbox_client` and `sandbox_key`."""

    name: ClassVar[str] = "mx"

    def routes(self) -> Sequence[Route]:  # noqa: D102  see Vendor
        user = "/users/{user}"
        member = f"{user}/members/{{member}}"

        def route(
            method: str,
            path: str,
            operations: tuple[str, ...],
            handler: Callable[[Call], Answer],
            *,
            shapes_data: bool = False,
        ) -> Route:
            return Route(method, path, operations, self._with_access(handler), shapes_data)

        return (
            route("POST", "/users", (CREATE_LINK,), self._user_create),
            route("GET", "/users", (CREATE_LINK,), self._user_list),
            route("GET", user, (CREATE_LINK,), self._user_read),
            route("DELETE", user, ("revoke",), self._user_delete),
            route("POST", f"{user}/widget_urls", (CREATE_LINK,), self._widget_url),
            route("GET", f"{user}/members", _MEMBER_READ, self._member_list),
            route("POST", f"{user}/members", ("sandbox",), self._member_create),
            route("GET", member, _MEMBER_READ, self._member_read),
            route("DELETE", member, ("revoke",), self._member_delete),
            route("GET", f"{member}/status", _MEMBER_READ, self._member_status),
            route("POST", f"{member}/aggregate", (GET_ACCOUNTS, SYNC), self._aggregate),
            route("GET", f"{member}/accounts", (GET_ACCOUNTS,), self._accounts, shapes_data=True),
            route("GET", f"{member}/transactions", (SYNC,), self._transactions, shapes_data=True),
            route("GET", "/institutions", ("directory",), self._institution_list),
            route("GET", "/institutions/{code}", ("directory",), self._institution_read),
        )

    def _with_access(self, handler: Callable[[Call], Answer]) -> Callable[[Call], Answer]:
        def guarded(call: Call) -> Answer:
            check_access(call)
            answer = handler(call)
            return Answer(answer.status, answer.payload, answer.headers, content_type(call))

        return guarded

    def connection_of(self, call: Call) -> Connection | None:  # noqa: D102  see Vendor
        named = call.match.get("member") or call.part("widget_url").get("current_member_guid")
        return self.connections.get(self.name, named) if named else None

    def bank_of(self, call: Call) -> Bank | None:  # noqa: D102  see Vendor
        wanted = call.part("widget_url")
        return bank_at(
            self.name, wanted.get("current_institution_code") or call.match.get("code")
        ) or next(
            (
                bank
                for bank in banks_of(self.name)
                if institution_guid(bank) == wanted.get("current_institution_guid")
            ),
            None,
        )

    def refusal(self, kind: FaultKind, call: Call) -> Answer | None:  # noqa: D102  see Vendor
        if kind is FaultKind.AUTH and "/members" in call.path:
            return None
        return fault_refusal(kind, call)

    def unknown_path(self, call: Call) -> Answer:  # noqa: D102  see Vendor
        return error(call, 404, "not_found", "Not found")

    # Users and the widget.

    def _user_create(self, call: Call) -> Answer:
        wanted = call.part("user")
        if not wanted:
            raise Refusal(error(call, 400, "bad_request", "user must not be empty"))
        for name in ("id", "email", "metadata"):
            if not isinstance(wanted.get(name, ""), str):
                raise Refusal(error(call, 400, "bad_request", f"{name} must be a string"))
        own_id = str(wanted.get("id", ""))
        if own_id and self.connections.end_user(self.name, own_id) is not None:
            raise Refusal(error(call, 409, "conflict", "A user with this id exists already"))
        attributes: dict[str, str] = {}
        for name in ("email", "metadata"):
            if name in wanted:
                attributes[name] = str(wanted[name])
        if wanted.get("is_disabled") is True:
            attributes["is_disabled"] = "yes"
        new = EndUser(self.name, guid("USR", token_hex(16)), own_id, attributes)
        self.connections.save_end_user(new)
        return Answer(200, {"user": user_json(new)})

    def _user_list(self, call: Call) -> Answer:
        own_id, email = call.query.get("id"), call.query.get("email")
        if own_id is not None:
            one = self.connections.end_user(self.name, own_id)
            users = [one] if one is not None and one.own_id == own_id else []
        else:
            users = self.connections.end_users(self.name)
        if email is not None:
            users = [user for user in users if user.attributes.get("email") == email]
        shown, pagination = page_of(call, users, None)
        return Answer(200, {"users": [user_json(u) for u in shown], "pagination": pagination})

    def _user_read(self, call: Call) -> Answer:
        return Answer(200, {"user": user_json(self._user(call))})

    def _user_delete(self, call: Call) -> Answer:
        user = self._user(call)
        user.removed = True
        self.connections.save_end_user(user)
        for member in self.connections.of_owner(self.name, user.guid):
            member.removed = True
            self.connections.save(member)
        return Answer(204)

    def _widget_url(self, call: Call) -> Answer:
        user, wanted = self._user(call), call.part("widget_url")
        if wanted.get("widget_type") != "connect_widget":
            raise Refusal(error(call, 400, "bad_request", "widget_type must be connect_widget"))
        bank = self.bank_of(call)
        if bank is None and (
            wanted.get("current_institution_code") or wanted.get("current_institution_guid")
        ):
            raise Refusal(error(call, 400, "bad_request", "The institution is not known"))
        repaired: Connection | None = None
        if wanted.get("current_member_guid"):
            repaired = self.connection_of(call)
            if repaired is None or repaired.removed or repaired.owner != user.guid:
                raise not_found(call, "Member")
            bank = BANKS[repaired.bank_key]
        token = token_hex(64)
        session = LinkSession(
            provider=self.name,
            token=token,
            owner=user.guid,
            default_user=(
                repaired.user if repaired else self.default_user(user.own_id or user.guid)
            ),
            bank_key=bank.key if bank else None,
            created_at=call.now,
            expires_at=call.now + _WIDGET_LIFETIME,
            single_use=True,
            repairs=repaired.connection_id if repaired else None,
            url=f"https://int-widgets.moneydesktop.com/md/connect/{token}",
        )
        aliases = [session.url] if session.url else []
        self.sessions.add(session, *aliases, *call.link_session_ids)
        return Answer(
            200,
            {
                "widget_url": {
                    "type": "connect_widget",
                    "url": session.url,
                    "user_id": user.own_id or None,
                }
            },
        )

    def complete(  # noqa: D102  see Vendor
        self, session: LinkSession, user: str, bank: Bank, now: datetime
    ) -> str:
        repaired = self.connections.get(self.name, session.repairs)
        member = repaired or self._member_of(session.owner, user, bank, now)
        member.broken = ""
        member.awaits_exchange = True
        member.attributes["aggregated_at"] = now.isoformat()
        self.connections.save(member)
        return member.connection_id

    def _member_of(self, owner: str, user: str, bank: Bank, now: datetime) -> Connection:
        """The owner's member for this login: MX makes none twice."""
        for member in self.connections.of_owner(self.name, owner):
            if (member.user, member.bank_key) == (user, bank.key):
                return member
        return Connection(
            provider=self.name,
            connection_id=guid(
                "MBR",
                self.world.seed,
                owner,
                user,
                bank.key,
                self.connections.ordinal(self.name, user, bank.key),
            ),
            owner=owner,
            user=user,
            bank_key=bank.key,
            linked_at=now,
        )

    # Members.

    def _member_create(self, call: Call) -> Answer:
        """Only at MX's own test bank, where the password chooses what happens."""
        user, wanted = self._user(call), call.part("member")
        bank = bank_at(self.name, wanted.get("institution_code"))
        credentials = wanted.get("credentials")
        if bank is None or not bank.test_only or not isinstance(credentials, list):
            raise Refusal(error(call, 400, "bad_request", "The member cannot be created"))
        values = [row.get("value") for row in credentials if isinstance(row, dict)]
        broken = "" if _TEST_USER in values else "DENIED"
        for value in values:
            broken = _SCENARIOS.get(str(value), broken)
        existing = len(self.connections.of_owner(self.name, user.guid))
        member = self._member_of(user.guid, _TEST_USER, bank, call.now)
        member.broken = broken
        member.attributes["aggregated_at"] = call.now.isoformat()
        self.connections.save(member)
        is_new = len(self.connections.of_owner(self.name, user.guid)) > existing
        return Answer(202 if is_new else 200, {"member": self._member_row(call, user, member)})

    def _member_delete(self, call: Call) -> Answer:
        _, member = self._member(call)
        member.removed = True
        self.connections.save(member)
        return Answer(204)

    # Data.

    # Institutions.

    def _institution_list(self, call: Call) -> Answer:
        part = call.query.get("name", "").casefold()
        country = call.query.get("iso_country_code")
        banks = [
            bank
            for bank in banks_of(self.name)
            if (part in bank.name.casefold() or part in bank.ids[self.name])
            and country in (None, bank.region)
        ]
        shown, pagination = page_of(call, banks, None)
        rows = [institution_json(bank, legacy=is_legacy(call)) for bank in shown]
        return Answer(200, {"institutions": rows, "pagination": pagination})

    def _institution_read(self, call: Call) -> Answer:
        bank = bank_at(self.name, call.match["code"])
        if bank is None:
            raise not_found(call, "Institution")
        return Answer(200, {"institution": institution_json(bank, legacy=is_legacy(call))})
