"""Belvo's protocol: links to banks, and what is stored of them (GET) or read live (POST).

Source: Belvo's OpenAPI 1.35.0; the widget's token from its guides and its Python client.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from secrets import token_urlsafe
from typing import ClassVar, Final
from urllib.parse import parse_qs, urlsplit

from .banks import BANKS, Bank, bank_at, banks_of
from .belvo_errors import (
    ERROR_CODES,
    LINK_STATUSES,
    SECRET_ID,
    SECRET_PASSWORD,
    check_keys,
    coded,
    error,
    fault_refusal,
    not_found,
    ordered_error,
    required,
)
from .belvo_links import BelvoLinks
from .connections import Connection, LinkSession
from .faults import FaultKind
from .vendor import CREATE_LINK, EXCHANGE, GET_ACCOUNTS, SYNC, Route
from .wire import Answer, Call, Refusal

__all__ = ["Belvo"]

_TOKEN_LIFETIME: Final = timedelta(minutes=10)
_LINK_READ: Final = (GET_ACCOUNTS, SYNC, EXCHANGE)
_PRESELECTS: Final = ("institution", "institutions")
_TOKEN_FIELDS: Final = frozenset(
    {"id", "password", "scopes", "link_id", "fetch_resources", "credentials_storage", "stale_in"}
    | {"external_id", "widget"}
)
_WIDGET_FIELDS: Final = frozenset({"callback_urls", "branding"})


class Belvo(BelvoLinks):
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

        def resource(
            name: str,
            operation: str,
            listing: Callable[[Call], Answer],
            reading: Callable[[Call], Answer],
        ) -> tuple[Route, ...]:
            path = f"/api/{name}/"
            return (
                route("GET", path, (operation,), listing, shapes_data=True),
                route("GET", f"{path}{{id}}/", (operation,), reading),
                route("POST", path, (operation,), self._live, shapes_data=True),
                route("PATCH", path, ("directory",), self._resume),
            )

        links, institutions = "/api/links/", "/api/institutions/"
        return (
            Route("POST", "/api/token/", (CREATE_LINK,), self._token),
            route("GET", "/api/", ("directory",), lambda _call: Answer(200, {})),
            route("GET", links, _LINK_READ, self._link_list),
            route("POST", links, ("directory",), self._link_make),
            route("PATCH", links, ("directory",), self._link_resume),
            route("GET", f"{links}{{id}}/", _LINK_READ, self._link_read),
            route("PATCH", f"{links}{{id}}/", ("directory",), self._link_change),
            route("PUT", f"{links}{{id}}/", ("directory",), self._link_renew),
            route("DELETE", f"{links}{{id}}/", ("revoke",), self._link_delete),
            route("GET", institutions, ("directory",), self._institution_list),
            route("GET", f"{institutions}{{id}}/", ("directory",), self._institution_read),
            *resource("accounts", GET_ACCOUNTS, self._account_list, self._account_read),
            *resource("transactions", SYNC, self._transaction_list, self._transaction_read),
            *resource("balances", "directory", self._balance_list, self._balance_read),
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

    def error_codes(self) -> Collection[str]:  # noqa: D102  see Vendor
        return ERROR_CODES

    def error_answer(self, code: str, call: Call) -> Answer | None:  # noqa: D102  see Vendor
        if code in LINK_STATUSES and call.method == "GET":
            return None  # a link's status shows it, and listings go on as they were
        return self.live_refusal(code, call) or ordered_error(call, code)

    def unknown_path(self, call: Call) -> Answer:  # noqa: D102  see Vendor
        known = any(_fits(route.path, call.path) for route in self.routes())
        return coded(call, "method_not_allowed" if known else "not_found")

    def _token(self, call: Call) -> Answer:
        body = call.body
        for field in ("id", "password", "scopes"):
            if not body.get(field):
                raise required(call, field)
        if (body["id"], body["password"]) != (SECRET_ID, SECRET_PASSWORD):
            raise Refusal(coded(call, "authentication_failed"))
        unknown = {*set(body) - _TOKEN_FIELDS, *set(call.part("widget")) - _WIDGET_FIELDS}
        if unknown and self.options.belvo_token_fields == "documented":
            raise Refusal(coded(call, "invalid", min(unknown)))
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
                attributes={
                    "external_id": external_id or "",
                    "access_mode": str(call.part("widget").get("access_mode") or "recurrent"),
                    "credentials_storage": str(body.get("credentials_storage") or ""),
                },
            ),
            *call.link_session_ids,
        )
        return Answer(200, {"access": access, "refresh": token_urlsafe(48)})

    def complete(  # noqa: D102  see Vendor
        self, session: LinkSession, user: str, bank: Bank, now: datetime
    ) -> str:
        link = self.connections.get(self.name, session.repairs)
        if link is None:
            link = self._new_link(
                user, bank, now, owner=session.owner, attributes=dict(session.attributes)
            )
        else:
            self._mend(link, now)
        link.awaits_exchange = True
        self.connections.save(link)
        return link.connection_id


def _fits(template: str, path: str) -> bool:
    names, parts = template.split("/"), path.split("/")
    return len(names) == len(parts) and all(
        name in ("{id}", part) for name, part in zip(names, parts, strict=True)
    )


def _with_keys(handler: Callable[[Call], Answer]) -> Callable[[Call], Answer]:
    def guarded(call: Call) -> Answer:
        check_keys(call)
        return handler(call)

    return guarded
