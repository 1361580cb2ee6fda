"""Belvo: widget tokens, links instead of tokens, stored data (developers.belvo.com).

There is nothing secret to exchange: a connection is a link's id, good only with our own keys. That
is why an exchange has to prove that the link is the asking user's, by the external id that its
widget session carried. Only stored data are read: a live reading can last minutes and ask the user.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, TypeGuard
from urllib.parse import parse_qsl, urlsplit

import httpx

from orchestrator.domain import ConnectionStatus, Credential, LinkType, ProviderFailure
from orchestrator.resilience.quota import Quota, QuotaScope

from .belvo_errors import BELVO_ERRORS, BELVO_KNOWN_LINK_ERRORS, BROKEN_LINKS
from .belvo_mapping import account_of, listed_of
from .belvo_webhooks import BelvoWebhooks
from .error_table import ErrorTable
from .http import VendorHttp, VendorResponse, leads_elsewhere, note_request_id, retry_after_s
from .options import choice, options_with
from .payload import Payload, integer, optional_text, rows, text
from .protocol import (
    AccountsRead,
    AccountsRequest,
    Exchanged,
    ExchangeRequest,
    LinkMade,
    LinkRequest,
    TransactionsRead,
    TransactionsRequest,
)
from .refusals import (
    credential_part,
    during_exchange,
    invalid_token,
    not_this_users,
    temporary_part,
)
from .registry import Adapter, AdapterConfig
from .window_reading import WindowReading
from .wire_failures import WrongSuccess, foreign_redirect, malformed, wrong_success

__all__ = ["ADAPTER", "Belvo"]

_LINK_SHAPE: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TOKEN_LIFE: Final = timedelta(minutes=10)
_PAGE_SIZE: Final = 1000  # larger numbers are cut to this one
_MAX_PAGES: Final = 4000
_LISTINGS: Final = 2
_LINK: Final = "link_id"

_DEFAULT_OPTIONS: Final[Mapping[str, str]] = {
    "count": "filtered",
    "fetch_resources": "ACCOUNTS,TRANSACTIONS",
    "scopes": "read_institutions,write_links",
}


class Belvo:
    """The four operations at Belvo.

    Options: `scopes` of a widget token (older documents add `read_links`); `fetch_resources`, what
    Belvo reads as soon as a link is made, comma-separated, empty for its own choice; `count`, what
    a listing's `count` counts: `filtered`, the rows asked for, by which a lost page is noticed, or
    `everything`, as one sentence of the specification reads.
    """

    def __init__(
        self,
        http: VendorHttp,
        keys: Credential,
        options: Mapping[str, str],
        *,
        now: Callable[[], datetime],
    ) -> None:
        chosen = options_with(options, _DEFAULT_OPTIONS, provider="belvo")
        self._http = http
        self._keys = keys
        self._now = now
        self._scopes = chosen["scopes"]
        self._fetch = [
            name.strip() for name in chosen["fetch_resources"].split(",") if name.strip()
        ]
        self._checks_count = (
            choice(chosen, "count", ("filtered", "everything"), provider="belvo") == "filtered"
        )

    async def create_link(self, request: LinkRequest) -> LinkMade:
        """A token for Belvo's widget, good for ten minutes; our keys travel in the body there."""
        body: dict[str, object] = {
            "id": self._keys["BELVO_SECRET_ID"],
            "password": self._keys["BELVO_SECRET_PASSWORD"],
            "scopes": self._scopes,
            "external_id": request.end_user_id,
        }
        if self._fetch:
            body["fetch_resources"] = self._fetch
        if request.repair is not None:
            body["link_id"] = credential_part(request.repair, _LINK)
        if request.redirect_uri is not None:
            ends = dict.fromkeys(("success", "exit", "event"), request.redirect_uri)
            body["widget"] = {"callback_urls": ends}
        asked_at = self._now()
        response = await self._call("POST", "api/token/", json=body)
        return LinkMade(
            link_type=LinkType.WIDGET_TOKEN,
            link_token=text(_read(response, BELVO_ERRORS), "access"),
            link_url=None,
            expires_at=asked_at + _TOKEN_LIFE,
        )

    async def exchange_token(self, request: ExchangeRequest) -> Exchanged:
        """The connection behind a link id, once it is shown to be this user's.

        Raises:
            ProviderFailure: `NOT_THIS_USERS` for a link that is unknown or another user's.

        """
        link_id = temporary_part(request.temporary_token, "token")
        if not _LINK_SHAPE.fullmatch(link_id):
            raise invalid_token()
        response = await self._call("GET", f"api/links/{link_id}/")
        if response.status == 404:
            raise not_this_users()
        link = _read(response, BELVO_ERRORS)
        if link.get("id") != link_id.lower() or link.get("external_id") != request.end_user_id:
            raise not_this_users()
        try:
            _refuse_broken(link)
        except ProviderFailure as error:
            raise during_exchange(error) from None
        return Exchanged(
            credential=Credential({_LINK: link_id.lower()}),
            login_key=link_id.lower(),
            provider_institution_id=optional_text(link, "institution"),
            status=ConnectionStatus.ACTIVE,
        )

    async def get_accounts(self, request: AccountsRequest) -> AccountsRead:
        """All stored accounts of the link."""
        link_id = credential_part(request.credential, _LINK)
        stale = await self._stale(link_id, allow_stale=request.allow_stale)
        listed = await self._listing("api/accounts/", link_id, {})
        accounts = tuple(account_of(row) for row in listed)
        return AccountsRead(
            accounts=accounts,
            as_of=min((one.as_of for one in accounts if one.as_of is not None), default=None),
            stale=stale,
        )

    async def sync_transactions(self, request: TransactionsRequest) -> TransactionsRead:
        """Stored movements of a window, or those that Belvo wrote since a cursor.

        `removed` stays empty: Belvo tells deletions by webhook alone, and a row that is gone from a
        window can be missed only by whoever has stored it.
        """
        link_id = credential_part(request.credential, _LINK)
        reading = WindowReading.of(request, self._now())
        stale = await self._stale(link_id, allow_stale=request.allow_stale)
        query: dict[str, str] = {}
        if reading.changed_after is not None:
            query["created_at__gte"] = reading.changed_after.isoformat().replace("+00:00", "Z")
        else:
            query["value_date__gte"] = reading.first_day.isoformat()
        if reading.end is not None:
            query["value_date__lte"] = reading.end.isoformat()
        if request.provider_account_id is not None:
            query["account"] = request.provider_account_id
        listed = await self._listing("api/transactions/", link_id, query)
        movements = (listed_of(row) for row in listed)
        return reading.answer(
            (
                movement
                for movement in movements
                if movement is not None
                and request.provider_account_id in (None, movement.row.provider_account_id)
            ),
            limit=request.limit,
            stale=stale,
            provider_account_id=request.provider_account_id,
            whole=reading.changed_after is None,
        )

    async def revoke(self, credential: Credential) -> None:
        """Delete the link; quiet when it is already gone."""
        link_id = credential_part(credential, _LINK)
        response = await self._call("DELETE", f"api/links/{link_id}/")
        if response.status != 404 and not response.ok:
            raise _failure(response, BELVO_KNOWN_LINK_ERRORS)

    async def _stale(self, link_id: str, *, allow_stale: bool) -> bool:
        response = await self._call("GET", f"api/links/{link_id}/")
        link = _read(response, BELVO_KNOWN_LINK_ERRORS)
        if not allow_stale:
            _refuse_broken(link)
        return optional_text(link, "status") in BROKEN_LINKS

    async def _listing(
        self, path: str, link_id: str, query: Mapping[str, str]
    ) -> tuple[Payload, ...]:
        asked = {**query, "link": link_id, "page_size": str(_PAGE_SIZE)}
        for _ in range(_LISTINGS):
            found, count = await self._pages(path, asked)
            if len(found) >= count or not self._checks_count:
                return tuple(row for row in found.values() if _link_of(row) in (None, link_id))
        raise wrong_success(WrongSuccess.TRUNCATED, "fewer rows came than it counts")

    async def _pages(
        self, path: str, asked: Mapping[str, str]
    ) -> tuple[dict[object, Payload], int]:
        found: dict[object, Payload] = {}
        query, seen = dict(asked), set[str]()
        for _ in range(_MAX_PAGES):
            response = await self._call("GET", path, query=query)
            answer = _read(response, BELVO_KNOWN_LINK_ERRORS)
            for row in rows(answer, "results"):
                row_id = row.get("id")
                found[row_id if isinstance(row_id, str) else None] = row
            following = optional_text(answer, "next")
            if following is None:
                return found, integer(answer, "count")
            if following in seen:
                raise wrong_success(WrongSuccess.FROZEN, "its next page is one it gave before")
            seen.add(following)
            query = {**self._query_of(following), **asked}
        raise malformed("its pages have no end", http_status=200)

    def _query_of(self, following: str) -> dict[str, str]:
        # Only the query is taken over: path and host of the next call stay our own.
        if leads_elsewhere(following, self._http.base_url):
            raise foreign_redirect(200)
        return dict(parse_qsl(urlsplit(following).query))

    async def _call(
        self,
        method: str,
        path: str,
        *,
        json: object | None = None,
        query: Mapping[str, str] | None = None,
    ) -> VendorResponse:
        endpoint = "/".join(path.split("/")[:2])
        return await self._http.call(method, path, endpoint=endpoint, json=json, query=query)


def _link_of(row: Payload) -> object:
    account = row.get("account")
    return account.get("link") if isinstance(account, dict) else row.get("link")


def _refuse_broken(link: Payload) -> None:
    code = BROKEN_LINKS.get(optional_text(link, "status") or "")
    if code is not None:
        raise BELVO_KNOWN_LINK_ERRORS.failure(code=code, http_status=200)


def _read(response: VendorResponse, errors: ErrorTable) -> Payload:
    if not response.ok:
        raise _failure(response, errors)
    return response.json_object()


def _failure(response: VendorResponse, errors: ErrorTable) -> ProviderFailure:
    body = response.error_body()
    told = [entry for entry in (body if isinstance(body, list) else [body]) if _has_code(entry)]
    known = [entry for entry in told if entry["code"] in errors.codes]
    first = (known or told or [{}])[0]
    code = first.get("code")
    return errors.failure(
        code=code if isinstance(code, str) else None,
        http_status=response.status,
        retry_after_s=retry_after_s(response.headers),
        provider_request_id=note_request_id(first.get("request_id")),
    )


def _has_code(entry: object) -> TypeGuard[dict[str, object]]:
    return isinstance(entry, dict) and isinstance(entry.get("code"), str) and bool(entry["code"])


def _vendor_http(client: httpx.AsyncClient, config: AdapterConfig) -> VendorHttp:
    return VendorHttp(
        client, auth=(config.keys["BELVO_SECRET_ID"], config.keys["BELVO_SECRET_PASSWORD"])
    )


# Belvo publishes no numbers, a contract does: conservative, and scaled by `limits.scale`.
_QUOTAS: Final = (
    Quota(QuotaScope.CLIENT, 3000, 60.0),
    Quota(QuotaScope.CONNECTION, 120, 60.0),
)

ADAPTER: Final = Adapter(
    base_urls={"sandbox": "https://sandbox.belvo.com", "production": "https://api.belvo.com"},
    quotas={"sandbox": _QUOTAS, "production": _QUOTAS},
    vendor_http=_vendor_http,
    build=lambda http, config: Belvo(http, Credential(config.keys), config.options, now=config.now),
    webhooks=lambda _http, config: BelvoWebhooks.of(config),
    default_options=_DEFAULT_OPTIONS,
)
