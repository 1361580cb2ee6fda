"""Belvo's protocol: links to banks, and what is stored of them (GET) or read live (POST).

Source: Belvo's OpenAPI 1.35.0; the widget's token from its guides and its Python client.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from secrets import token_urlsafe
from typing import ClassVar, Final
from urllib.parse import parse_qs, urlsplit

from .banks import BANKS, Bank, bank_at, banks_of
from .belvo_data import BelvoData
from .belvo_errors import (
    SECRET_ID,
    SECRET_PASSWORD,
    bad_keys,
    check_keys,
    error,
    fault_refusal,
    not_found,
    page_of,
    required,
)
from .belvo_shapes import (
    institution_json,
    link_json,
)
from .connections import Connection, LinkSession
from .faults import FaultKind
from .identifiers import uuid_text
from .vendor import CREATE_LINK, EXCHANGE, GET_ACCOUNTS, SYNC, Route
from .wire import Answer, Call, JsonObject, Refusal

__all__ = ["Belvo"]

_TOKEN_LIFETIME: Final = timedelta(minutes=10)
_LINK_READ: Final = (GET_ACCOUNTS, SYNC, EXCHANGE)
_PRESELECTS: Final = ("institution", "institutions")


class Belvo(BelvoData):
    """Belvo, with the keys `sandbox_id` and `sandbox_password`."""

    name: ClassVar[str] = "belvo"

    def routes(self) -> Sequence[Route]:  # noqa: D102  see Vendor
        def route(
            method: str,
            path: str,
            operations: tuple[str, ...],
            handler: Callable[[Call], Answer],
            *,
            shapes_data: bool = False,
        ) -> Route:
            return Route(method, path, operations, _with_keys(handler), shapes_data)

        accounts, transactions = "/api/accounts/", "/api/transactions/"
        return (
            Route("POST", "/api/token/", (CREATE_LINK,), self._token),
            route("GET", "/api/", ("directory",), lambda _call: Answer(200, {})),
            route("GET", "/api/links/", _LINK_READ, self._link_list),
            route("GET", "/api/links/{id}/", _LINK_READ, self._link_read),
            route("PATCH", "/api/links/{id}/", ("directory",), self._link_change),
            route("DELETE", "/api/links/{id}/", ("revoke",), self._link_delete),
            route("GET", "/api/institutions/", ("directory",), self._institutions),
            route("GET", accounts, (GET_ACCOUNTS,), self._account_list, shapes_data=True),
            route("POST", accounts, (GET_ACCOUNTS,), self._account_live, shapes_data=True),
            route("GET", f"{accounts}{{id}}/", (GET_ACCOUNTS,), self._account_read),
            route("GET", transactions, (SYNC,), self._transaction_list, shapes_data=True),
            route("POST", transactions, (SYNC,), self._transaction_live, shapes_data=True),
        )

    def connection_of(self, call: Call) -> Connection | None:  # noqa: D102  see Vendor
        named = call.query.get("link") or call.body.get("link") or call.body.get("link_id")
        if named is None and call.path.startswith("/api/links/"):
            named = call.match.get("id")
        return self.connections.get(self.name, named) if named else None

    def bank_of(self, call: Call) -> Bank | None:  # noqa: D102  see Vendor
        # Belvo's call names no bank; a caller that wants one anyway says so beside the protocol.
        told = {"institution": call.headers.get("x-institution-id")}
        for place in (call.body, call.part("widget"), told):
            for name in _PRESELECTS:
                value = place.get(name)
                first = value[0] if isinstance(value, list) and value else value
                bank = bank_at(self.name, first)
                if bank is not None:
                    return bank
        return None

    def bank_of_widget(self, url: str) -> Bank | None:
        """The bank that the widget's URL preselects; without any, the first that Belvo serves.

        Belvo's widget token knows no institution: it is chosen inside the widget.
        """
        query = parse_qs(urlsplit(url).query)
        for name in _PRESELECTS:
            for value in query.get(name, ()):
                bank = bank_at(self.name, value.split(",")[0])
                if bank is not None:
                    return bank
        return banks_of(self.name)[0]

    def refusal(self, kind: FaultKind, call: Call) -> Answer | None:  # noqa: D102  see Vendor
        if kind is FaultKind.AUTH and call.method == "GET":
            return None
        return fault_refusal(kind, call)

    def unknown_path(self, call: Call) -> Answer:  # noqa: D102  see Vendor
        return error(call, 404, "not_found", "Not found")

    # The widget and links.

    def _token(self, call: Call) -> Answer:
        body = call.body
        for field in ("id", "password", "scopes"):
            if not body.get(field):
                raise required(call, field)
        if (body["id"], body["password"]) != (SECRET_ID, SECRET_PASSWORD):
            raise Refusal(bad_keys(call))
        external_id = body.get("external_id")
        if external_id is not None and (not isinstance(external_id, str) or len(external_id) < 3):
            raise Refusal(error(call, 400, "invalid", "At least 3 characters.", "external_id"))
        repaired: Connection | None = None
        if body.get("link_id"):
            repaired = self.connections.get(self.name, body["link_id"])
            if repaired is None or repaired.removed:
                raise not_found(call)
        bank = BANKS[repaired.bank_key] if repaired else self.bank_of(call)
        access = token_urlsafe(48)
        self.sessions.add(
            LinkSession(
                provider=self.name,
                token=access,
                owner=external_id or "",
                default_user=(
                    repaired.user if repaired else self.default_user(external_id or access)
                ),
                bank_key=bank.key if bank else None,
                created_at=call.now,
                expires_at=call.now + _TOKEN_LIFETIME,
                single_use=True,
                repairs=repaired.connection_id if repaired else None,
                attributes={"external_id": external_id or ""},
            ),
            *call.link_session_ids,
        )
        return Answer(200, {"access": access, "refresh": token_urlsafe(48)})

    def complete(  # noqa: D102  see Vendor
        self, session: LinkSession, user: str, bank: Bank, now: datetime
    ) -> str:
        link = self.connections.get(self.name, session.repairs)
        if link is None:
            ordinal = self.connections.ordinal(self.name, user, bank.key)
            link = Connection(
                provider=self.name,
                connection_id=uuid_text(self.world.seed, "belvo-link", user, bank.key, ordinal),
                owner=session.owner,
                user=user,
                bank_key=bank.key,
                linked_at=now,
                attributes={"external_id": session.attributes.get("external_id", "")},
            )
        link.broken = ""
        link.awaits_exchange = True
        self.connections.save(link)
        return link.connection_id

    def _link(self, call: Call) -> Connection:
        link = self.connections.get(self.name, call.match["id"])
        if link is None or link.removed:
            raise not_found(call)
        return link

    def _link_row(self, call: Call, link: Connection) -> JsonObject:
        broken = link.broken or call.kind is FaultKind.AUTH
        return link_json(link, "invalid" if broken else "valid", self._collected_at(call, link))

    def _link_list(self, call: Call) -> Answer:
        links = [
            link
            for link in self.connections.of(self.name)
            if call.query.get("institution") in (None, BANKS[link.bank_key].id_at(self.name))
            and call.query.get("external_id") in (None, link.attributes.get("external_id"))
            and call.query.get("id") in (None, link.connection_id)
        ]
        shown, around = page_of(call, links, None)
        return Answer(200, around | {"results": [self._link_row(call, link) for link in shown]})

    def _link_read(self, call: Call) -> Answer:
        return Answer(200, self._link_row(call, self._link(call)))

    def _link_change(self, call: Call) -> Answer:
        link, mode = self._link(call), call.body.get("access_mode")
        if mode is None:
            raise required(call, "access_mode")
        if mode not in ("single", "recurrent"):
            raise Refusal(error(call, 400, "invalid_choice", "Not a choice.", "access_mode"))
        link.attributes["access_mode"] = str(mode)
        self.connections.save(link)
        return Answer(200, self._link_row(call, link))

    def _link_delete(self, call: Call) -> Answer:
        link = self._link(call)
        link.removed = True
        self.connections.save(link)
        return Answer(204)

    def _institutions(self, call: Call) -> Answer:
        name, country = call.query.get("name"), call.query.get("country_code")
        banks = [
            (number, bank)
            for number, bank in enumerate(banks_of(self.name))
            if name in (None, bank.id_at(self.name)) and country in (None, bank.region)
        ]
        shown, around = page_of(call, banks, None)
        rows = [institution_json(number, bank, down=False) for number, bank in shown]
        return Answer(200, around | {"results": rows})

    # Data.


def _with_keys(handler: Callable[[Call], Answer]) -> Callable[[Call], Answer]:
    def guarded(call: Call) -> Answer:
        check_keys(call)
        return handler(call)

    return guarded
