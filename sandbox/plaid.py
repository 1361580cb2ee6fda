"""Plaid's protocol: every call a POST with a JSON body, nearly every error a 400.

Source: Plaid's OpenAPI 2020-09-14 and its documentation pages.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_hex
from typing import ClassVar, Final
from uuid import uuid4

from .banks import BANKS, Bank, bank_at, banks_of
from .connections import Connection, LinkSession
from .faults import FaultKind
from .identifiers import base62, uuid_text
from .plaid_data import PlaidData
from .plaid_errors import (
    body_fields,
    check_keys,
    error,
    fault_refusal,
    limit_refusal,
    refuse,
    text,
)
from .plaid_limits import PlaidLimits
from .plaid_link import check_link_request, link_metadata, link_session_json
from .plaid_shapes import (
    PRODUCTS,
    institution_json,
)
from .vendor import CREATE_LINK, EXCHANGE, GET_ACCOUNTS, SYNC, Route, Shared
from .wire import Answer, Call, JsonObject, rfc3339

__all__ = ["Plaid"]

_LINK_LIFETIME: Final = timedelta(hours=4)
_REPAIR_LIFETIME: Final = timedelta(minutes=30)
_PUBLIC_LIFETIME: Final = timedelta(minutes=30)
_DATA: Final = (GET_ACCOUNTS, SYNC)


@dataclass(frozen=True, slots=True)
class _Minted:
    """What a public token stands for."""

    session: LinkSession
    user: str
    bank: Bank
    expires_at: datetime


class Plaid(PlaidData):
    """Plaid, with the keys `sandbox_client` and `sandbox_secret`."""

    name: ClassVar[str] = "plaid"

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self._public_tokens: OrderedDict[str, _Minted] = OrderedDict()
        self._limits = PlaidLimits() if shared.options.enforce_limits else None

    def routes(self) -> Sequence[Route]:  # noqa: D102  see Vendor
        def post(
            path: str,
            operations: tuple[str, ...],
            handler: Callable[[Call], Answer],
            *,
            shapes_data: bool = False,
        ) -> Route:
            return Route("POST", path, operations, self._with_keys(handler), shapes_data)

        return (
            post("/link/token/create", (CREATE_LINK,), self._link_create),
            post("/link/token/get", ("directory",), self._link_get),
            post("/item/public_token/exchange", (EXCHANGE,), self._exchange),
            post("/item/get", (*_DATA, EXCHANGE), self._item_get, shapes_data=True),
            post("/item/remove", ("revoke",), self._item_remove),
            post("/accounts/get", (GET_ACCOUNTS,), self._accounts, shapes_data=True),
            post("/accounts/balance/get", (GET_ACCOUNTS,), self._accounts, shapes_data=True),
            post("/transactions/sync", (SYNC,), self._sync, shapes_data=True),
            post("/transactions/get", (SYNC,), self._window, shapes_data=True),
            post("/transactions/refresh", (SYNC,), self._refresh, shapes_data=True),
            post("/institutions/get_by_id", ("directory",), self._institution),
            post("/institutions/search", ("directory",), self._search),
            post("/sandbox/public_token/create", ("sandbox",), self._sandbox_token),
            post("/sandbox/item/reset_login", ("sandbox",), self._reset_login),
        )

    def _with_keys(self, handler: Callable[[Call], Answer]) -> Callable[[Call], Answer]:
        def guarded(call: Call) -> Answer:
            check_keys(call)
            if self._limits is not None and not self._limits.admit(call):
                return limit_refusal(call)
            return handler(call)

        return guarded

    def bank_of(self, call: Call) -> Bank | None:  # noqa: D102  see Vendor
        pending = self._public_tokens.get(str(call.body.get("public_token")))
        return pending.bank if pending else bank_at(self.name, call.body.get("institution_id"))

    def refusal(self, kind: FaultKind, call: Call) -> Answer | None:  # noqa: D102  see Vendor
        if kind is FaultKind.AUTH and call.path == "/item/get":
            return None
        return fault_refusal(kind, call)

    def unknown_path(self, call: Call) -> Answer:  # noqa: D102  see Vendor
        return error(call, "INVALID_REQUEST", "NOT_FOUND", "no such endpoint", status=404)

    # Linking.

    def _link_create(self, call: Call) -> Answer:
        check_link_request(call)
        repaired: Connection | None = None
        if call.body.get("access_token"):
            repaired = self._item(call, may_be_broken=True)
        bank = bank_at(self.name, call.body.get("institution_id"))
        if call.body.get("institution_id") and bank is None:
            raise refuse(call, "INVALID_INPUT", "INVALID_INSTITUTION", "unknown institution_id")
        if repaired is not None:
            bank = BANKS[repaired.bank_key]
        owner = text(call, call.part("user"), "client_user_id")
        lifetime = _REPAIR_LIFETIME if repaired else _LINK_LIFETIME
        session = LinkSession(
            provider=self.name,
            token=f"link-sandbox-{uuid4()}",
            owner=owner,
            default_user=repaired.user if repaired else self.default_user(owner),
            bank_key=bank.key if bank else None,
            created_at=call.now,
            expires_at=call.now + lifetime,
            single_use=False,
            repairs=repaired.connection_id if repaired else None,
            attributes=link_metadata(call) | {"link_session_id": str(uuid4())},
        )
        answer: JsonObject = {
            "expiration": rfc3339(session.expires_at),
            "link_token": session.token,
            "request_id": call.request_id,
        }
        if call.body.get("hosted_link") is not None:
            session.url = f"https://secure.plaid.com/hl/{token_hex(16)}"
            answer["hosted_link_url"] = session.url
        aliases = [session.attributes["link_session_id"], *call.link_session_ids]
        self.sessions.add(session, *aliases, *([session.url] if session.url else []))
        return Answer(200, answer)

    def _link_get(self, call: Call) -> Answer:
        body_fields(call, required=("link_token",))
        session = self.sessions.get(self.name, call.body["link_token"])
        if session is None:
            raise refuse(call, "INVALID_INPUT", "INVALID_LINK_TOKEN", "unknown link_token")
        return Answer(200, link_session_json(session, call.request_id))

    def complete(  # noqa: D102  see Vendor
        self, session: LinkSession, user: str, bank: Bank, now: datetime
    ) -> str:
        token = f"public-sandbox-{uuid4()}"
        self._public_tokens[token] = _Minted(session, user, bank, now + _PUBLIC_LIFETIME)
        while next(iter(self._public_tokens.values())).expires_at < now:
            self._public_tokens.popitem(last=False)
        repaired = self.connections.get(self.name, session.repairs)
        if repaired is not None:
            repaired.broken = ""
            self.connections.save(repaired)
        session.attributes |= {"public_token": token, "finished_at": rfc3339(now)}
        return token

    def _exchange(self, call: Call) -> Answer:
        body_fields(call, required=("public_token",))
        held = self._public_tokens.pop(text(call, call.body, "public_token"), None)
        if held is None or held.expires_at < call.now:
            raise refuse(
                call, "INVALID_INPUT", "INVALID_PUBLIC_TOKEN", "the public token is not usable"
            )
        connection = self.connections.get(self.name, held.session.repairs)
        if connection is None:
            connection = self._new_item(held, call.now)
        return Answer(
            200,
            {
                "access_token": connection.secret,
                "item_id": connection.connection_id,
                "request_id": call.request_id,
            },
        )

    def _new_item(self, minted: _Minted, now: datetime) -> Connection:
        session, user, bank = minted.session, minted.user, minted.bank
        ordinal = self.connections.ordinal(self.name, user, bank.key)
        origin = (self.world.seed, "plaid-item", user, bank.key, ordinal)
        connection = Connection(
            provider=self.name,
            connection_id=base62(*origin),
            owner=session.owner,
            user=user,
            bank_key=bank.key,
            linked_at=now,
            secret=f"access-sandbox-{uuid_text(*origin)}",
            attributes={
                name: session.attributes[name]
                for name in ("products", "webhook", "days_requested")
                if name in session.attributes
            },
        )
        self.connections.save(connection)
        return connection

    def _sandbox_token(self, call: Call) -> Answer:
        body_fields(
            call,
            required=("institution_id", "initial_products"),
            allowed=("options", "user_token", "user_id"),
        )
        bank = self._known_bank(call)
        options = call.part("options")
        user = text(call, options, "override_username", "user_good")
        session = LinkSession(
            provider=self.name,
            token=f"link-sandbox-{uuid4()}",
            owner=user,
            default_user=user,
            bank_key=bank.key,
            created_at=call.now,
            expires_at=call.now + _LINK_LIFETIME,
            single_use=False,
            attributes={"products": "transactions", "webhook": text(call, options, "webhook")},
        )
        token = self.complete(session, user, bank, call.now)
        return Answer(200, {"public_token": token, "request_id": call.request_id})

    # Items.

    def _item_remove(self, call: Call) -> Answer:
        body_fields(call, required=("access_token",), allowed=("reason_code", "reason_note"))
        connection = self._item(call, may_be_broken=True)
        connection.removed = True
        self.connections.save(connection)
        return Answer(200, {"request_id": call.request_id})

    def _reset_login(self, call: Call) -> Answer:
        body_fields(call, required=("access_token",))
        connection = self._item(call, may_be_broken=True)
        connection.broken = "ITEM_LOGIN_REQUIRED"
        self.connections.save(connection)
        return Answer(200, {"reset_login": True, "request_id": call.request_id})

    # Data.

    # Institutions.

    def _known_bank(self, call: Call) -> Bank:
        bank = bank_at(self.name, text(call, call.body, "institution_id"))
        if bank is None:
            raise refuse(call, "INVALID_INPUT", "INVALID_INSTITUTION", "unknown institution_id")
        return bank

    def _institution(self, call: Call) -> Answer:
        body_fields(call, required=("institution_id", "country_codes"), allowed=("options",))
        bank = self._known_bank(call)
        with_status = call.part("options").get("include_status") is True
        row = institution_json(bank, status_at=call.now if with_status else None)
        return Answer(200, {"institution": row, "request_id": call.request_id})

    def _search(self, call: Call) -> Answer:
        body_fields(call, required=("query", "country_codes"), allowed=("products", "options"))
        query = text(call, call.body, "query").casefold()
        codes = call.body["country_codes"]
        products = call.body.get("products") or []
        found = [
            institution_json(bank, status_at=None)
            for bank in banks_of(self.name)
            if query in bank.name.casefold()
            and isinstance(codes, list)
            and bank.region in codes
            and isinstance(products, list)
            and all(product in PRODUCTS for product in products)
        ]
        return Answer(200, {"institutions": found, "request_id": call.request_id})
