"""Linking at Plaid: link tokens, the end of the widget, public tokens and their exchange.

Source: Plaid's OpenAPI 2020-09-14.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Final
from uuid import uuid4

from .banks import BANKS, Bank, bank_at
from .connections import Connection, LinkSession
from .identifiers import base62, uuid_text
from .plaid_bodies import PRODUCTS, body_fields, choices, day, integer, options_of, section, text
from .plaid_errors import refuse
from .plaid_institutions import known_bank
from .plaid_items import checked_url
from .plaid_link import check_link_request, hosted_lifetime, link_metadata, link_session_json
from .plaid_transactions import PlaidTransactions
from .vendor import Shared
from .wire import Answer, Call, JsonObject, rfc3339

__all__ = ["PlaidLinking"]

_LINK_LIFETIME: Final = timedelta(hours=4)
_REPAIR_LIFETIME: Final = timedelta(minutes=30)
_PUBLIC_LIFETIME: Final = timedelta(minutes=30)
_KEPT: Final = ("products", "webhook", "days_requested")


@dataclass(slots=True)
class _Minted:
    """What a public token stands for; `item_id` once it was exchanged."""

    session: LinkSession
    user: str
    bank: Bank
    expires_at: datetime
    item_id: str | None = None


class PlaidLinking(PlaidTransactions):
    """From a link token to an Item."""

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self._public_tokens: OrderedDict[str, _Minted] = OrderedDict()

    def bank_of(self, call: Call) -> Bank | None:  # noqa: D102  see Vendor
        pending = self._public_tokens.get(str(call.body.get("public_token")))
        return pending.bank if pending else bank_at(self.name, call.body.get("institution_id"))

    def _link_create(self, call: Call) -> Answer:
        check_link_request(call)
        repaired: Connection | None = None
        if call.body.get("access_token"):
            repaired = self._item(call, may_be_broken=True)
        bank = known_bank(call) if call.body.get("institution_id") else None
        if repaired is not None:
            bank = BANKS[repaired.bank_key]
        owner = text(call, call.part("user"), "client_user_id") or text(call, call.body, "user_id")
        expires_at = call.now + (_REPAIR_LIFETIME if repaired else _LINK_LIFETIME)
        session = LinkSession(
            provider=self.name,
            token=f"link-sandbox-{uuid4()}",
            owner=owner,
            default_user=repaired.user if repaired else self.default_user(owner),
            bank_key=bank.key if bank else None,
            created_at=call.now,
            expires_at=expires_at,
            single_use=False,
            repairs=repaired.connection_id if repaired else None,
            attributes=link_metadata(call) | {"link_session_id": str(uuid4())},
        )
        answer: JsonObject = {
            "expiration": rfc3339(expires_at),
            "link_token": session.token,
            "request_id": call.request_id,
        }
        if call.body.get("hosted_link") is not None:
            session.url = f"https://secure.plaid.com/hl/{token_hex(16)}"
            session.expires_at = min(expires_at, call.now + hosted_lifetime(call))
            answer["hosted_link_url"] = session.url
        aliases = [session.attributes["link_session_id"], *call.link_session_ids]
        self.sessions.add(session, *aliases, *([session.url] if session.url else []))
        return Answer(200, answer)

    def _link_get(self, call: Call) -> Answer:
        body_fields(call, required=("link_token",))
        session = self.sessions.get(self.name, text(call, call.body, "link_token"))
        if session is None:
            raise refuse(call, "INVALID_LINK_TOKEN", "unknown link_token")
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
        if session.url is not None:
            self.reports.session_finished(session, token, now)
        return token

    def _exchange(self, call: Call) -> Answer:
        body_fields(call, required=("public_token",))
        token = text(call, call.body, "public_token")
        held = self._public_tokens.get(token)
        if held is None or held.expires_at < call.now:
            raise refuse(call, "INVALID_PUBLIC_TOKEN", "the public token is not usable")
        connection = self.connections.get(self.name, held.item_id or held.session.repairs)
        if connection is None:
            connection = self._new_item(held, call.now)
        held.item_id = connection.connection_id
        # Whether a token works twice is not documented.
        if not self.options.plaid_public_token_reuse:
            del self._public_tokens[token]
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
                name: session.attributes[name] for name in _KEPT if name in session.attributes
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
        bank = known_bank(call)
        products = choices(call, call.body, "initial_products", PRODUCTS)
        options = options_of(
            call,
            (
                "webhook",
                "override_username",
                "override_password",
                "transactions",
                "statements",
                "income_verification",
            ),
        )
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
            attributes={
                "products": ",".join(products),
                "webhook": checked_url(call, options, "webhook"),
                **self._asked_history(call, options),
            },
        )
        token = self.complete(session, user, bank, call.now)
        return Answer(200, {"public_token": token, "request_id": call.request_id})

    @staticmethod
    def _asked_history(call: Call, options: JsonObject) -> dict[str, str]:
        wanted = section(
            call, options, "transactions", ("start_date", "end_date", "days_requested")
        )
        days = integer(call, wanted, "days_requested", default=0, low=1, high=730)
        if wanted.get("start_date") is not None:
            days = max(1, (call.now.date() - day(call, wanted, "start_date")).days)
        return {"days_requested": str(days)} if days else {}
