"""MX's Connect widget: the URL that opens it, and what the user's part in it leads to.

Source: MX's OpenAPI v20250224 (WidgetRequest, DataRequest) and v20111101 (ConnectWidgetRequest).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Final

from .banks import BANKS, Bank, bank_at
from .connections import Connection, EndUser, LinkSession
from .mx_book import PROVIDER, MxBook
from .mx_errors import bad_request, error, is_legacy, not_found
from .mx_institutions import bank_of_guid
from .mx_jobs import JobKind, MemberLife
from .mx_requests import BOOLEAN, OBJECT, TEXT, TEXTS, WHOLE, Kind, part_of
from .vendor import CREATE_LINK, Route
from .wire import Answer, Call, JsonObject

__all__ = ["MxWidget"]

_LIFETIME: Final = timedelta(minutes=10)
_COUNTRIES: Final = {"US", "CA", "MX"}
_PRODUCTS: Final = {
    "account_verification",
    "identity_verification",
    "transactions",
    "transaction_history",
    "statements",
    "investments",
    "rewards",
}
_FIELDS: Final[Mapping[str, Kind]] = {
    "widget_type": TEXT,
    "mode": TEXT,
    "data_request": OBJECT,
    "current_institution_code": TEXT,
    "current_institution_guid": TEXT,
    "current_member_guid": TEXT,
    "update_credentials": BOOLEAN,
    "client_redirect_url": TEXT,
    "iso_country_code": TEXTS,
    "ui_message_version": WHOLE,
    "include_transactions": BOOLEAN,
    "include_identity": BOOLEAN,
    "is_mobile_webview": BOOLEAN,
    "disable_background_agg": BOOLEAN,
    "disable_institution_search": BOOLEAN,
    "use_cases": TEXTS,
    "color_scheme": TEXT,
}


class MxWidget:
    """The endpoints that give out the widget's URL, and the end of the widget.

    Args:
        book: users and members.
        default_user: the user in the world behind an id of the client's.

    """

    def __init__(self, book: MxBook, default_user: Callable[[str], str]) -> None:
        self._book = book
        self._default_user = default_user

    def routes(self) -> Sequence[Route]:
        """The endpoints."""
        user = "/users/{user}"
        return (
            Route("POST", f"{user}/widget_urls", (CREATE_LINK,), self._widget_url),
            Route("POST", f"{user}/connect_widget_url", (CREATE_LINK,), self._connect_widget_url),
        )

    def _widget_url(self, call: Call) -> Answer:
        user = self._book.user(call)
        wanted = part_of(call, "widget_url", _FIELDS, required=("widget_type",))
        if wanted["widget_type"] != "connect_widget":
            raise bad_request(call, "widget_type must be connect_widget")
        session = self._session(call, user, wanted)
        row = {"type": "connect_widget", "url": session.url, "user_id": user.own_id or None}
        return Answer(200, {"widget_url": row})

    def _connect_widget_url(self, call: Call) -> Answer:
        """The predecessor, which the newer version no longer has."""
        if not is_legacy(call):
            return error(call, 404, "not_found", "Not found")
        user = self._book.user(call)
        session = self._session(call, user, part_of(call, "config", _FIELDS))
        row = {"connect_widget_url": session.url, "guid": user.guid}
        return Answer(200, {"user": row})

    def _session(self, call: Call, user: EndUser, wanted: JsonObject) -> LinkSession:
        _check(call, wanted)
        bank = bank_at(PROVIDER, wanted.get("current_institution_code")) or bank_of_guid(
            wanted.get("current_institution_guid")
        )
        if bank is None and _names_bank(wanted):
            raise bad_request(call, "The institution is not known")
        repaired: Connection | None = None
        if "current_member_guid" in wanted:
            repaired = self._book.find(call)
            if repaired is None or repaired.removed or repaired.owner != user.guid:
                raise not_found(call, "Member")
            bank = BANKS[repaired.bank_key]
        if wanted.get("disable_institution_search") is True and bank is None:
            raise bad_request(call, "disable_institution_search goes with an institution")
        token = token_hex(64)
        url = f"https://int-widgets.moneydesktop.com/md/connect/{token}"
        session = LinkSession(
            provider=PROVIDER,
            token=token,
            owner=user.guid,
            default_user=(
                repaired.user if repaired else self._default_user(user.own_id or user.guid)
            ),
            bank_key=bank.key if bank else None,
            created_at=call.now,
            expires_at=call.now + _LIFETIME,
            single_use=True,
            repairs=repaired.connection_id if repaired else None,
            url=url,
            attributes={"sleeps": "yes"} if wanted.get("disable_background_agg") is True else {},
        )
        self._book.sessions.add(session, url, *call.link_session_ids)
        return session

    def complete(self, session: LinkSession, user: str, bank: Bank, now: datetime) -> str:
        """Play the widget to its end; answers the member that it reports.

        That is once the member is connected, its first aggregation over, unless that is set to
        run on.
        """
        repaired = self._book.connections.get(PROVIDER, session.repairs)
        member = repaired or self._book.member_of(session.owner, user, bank, now)
        member.awaits_exchange = True
        first_job_s = self._book.options.mx_first_job_s
        is_new = self._book.connections.get(PROVIDER, member.connection_id) is None
        if is_new and first_job_s:
            life = MemberLife("CREATED", self._book.options.mx_history_days).started(
                JobKind.AGGREGATE, now, "CONNECTED", first_job_s
            )
        else:
            known = (
                MemberLife("CREATED", self._book.options.mx_history_days)
                if is_new
                else self._book.life(member, now)
            )
            life = replace(known, scenario="").gathered_at(now, began_at=now)
        sleeps = life.sleeps_at_night or "sleeps" in session.attributes
        self._book.keep(member, replace(life, sleeps_at_night=sleeps))
        return member.connection_id


def _check(call: Call, wanted: JsonObject) -> None:
    countries, products = wanted.get("iso_country_code", []), wanted.get("data_request")
    if not isinstance(countries, list) or not _COUNTRIES.issuperset(countries):
        raise bad_request(call, "iso_country_code holds an unknown country")
    if isinstance(products, dict):
        named = products.get("products")
        if not isinstance(named, list) or not named or not _PRODUCTS.issuperset(named):
            raise bad_request(call, "data_request.products must name products")
    if wanted.get("mode", "aggregation") not in ("aggregation", "verification"):
        raise bad_request(call, "mode must be aggregation or verification")


def _names_bank(wanted: JsonObject) -> bool:
    return "current_institution_code" in wanted or "current_institution_guid" in wanted
