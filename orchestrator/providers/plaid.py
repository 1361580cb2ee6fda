"""Plaid: link tokens, one exchange, cached accounts, a cursor feed (plaid.com/docs/api).

Every call is a POST with a JSON body; our keys travel in headers. The connection's credential is
Plaid's access token.
"""

from collections.abc import Mapping
from typing import Final

import httpx

from orchestrator.domain import (
    ConnectionStatus,
    Credential,
    ErrorClass,
    LinkType,
    ProviderFailure,
)
from orchestrator.resilience.quota import Quota, QuotaScope

from .http import VendorHttp, note_request_id, retry_after_s
from .options import choice, options_with, whole_number
from .payload import (
    Payload,
    flag,
    optional_instant,
    optional_section,
    optional_text,
    rows,
    section,
    text,
)
from .plaid_cursor import FeedLoop, FeedReading, FeedUpdate
from .plaid_errors import GONE, MUTATION, PLAID_ERRORS
from .plaid_mapping import account_of
from .plaid_webhooks import PlaidWebhooks
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
from .refusals import credential_part, temporary_part
from .registry import Adapter, AdapterConfig
from .wire_failures import WrongSuccess, malformed, wrong_success

__all__ = ["ADAPTER", "Plaid"]

_PAGE_SIZE: Final = 500
_MAX_PAGES: Final = 2000
_LONGEST_CURSOR: Final = 512
_RESTARTS: Final = 3
_ITEM_GET_TIMEOUT_S: Final = 5.0
_FIRST_BATCH_DAYS: Final = 30
_ACCESS_TOKEN: Final = "access_token"  # noqa: S105  the name of a field, not its value

_DEFAULT_OPTIONS: Final[Mapping[str, str]] = {
    "client_name": "Provider Orchestrator",
    "days_requested": "730",
    "send_institution_id": "true",
}


class Plaid:
    """The four operations at Plaid."""

    def __init__(self, http: VendorHttp, options: Mapping[str, str]) -> None:
        chosen = options_with(options, _DEFAULT_OPTIONS, provider="plaid")
        self._http = http
        self._client_name = chosen["client_name"][:30]
        self._days_requested = whole_number(
            chosen, "days_requested", low=1, high=730, provider="plaid"
        )
        self._send_institution_id = (
            choice(chosen, "send_institution_id", ("true", "false"), provider="plaid") == "true"
        )

    async def create_link(self, request: LinkRequest) -> LinkMade:
        """A link token for Plaid's widget; with a connection to repair, in update mode."""
        body: dict[str, object] = {
            "client_name": self._client_name,
            "language": request.language,
            "country_codes": [request.region],
            "user": {"client_user_id": request.end_user_id},
        }
        if request.repair is not None:
            body[_ACCESS_TOKEN] = credential_part(request.repair, _ACCESS_TOKEN)
        else:
            body["products"] = ["transactions"]
            body["transactions"] = {"days_requested": self._days_requested}
            if self._send_institution_id and request.provider_institution_id is not None:
                body["institution_id"] = request.provider_institution_id
        if request.webhook_url is not None:
            body["webhook"] = request.webhook_url
        if request.redirect_uri is not None:
            body["redirect_uri"] = request.redirect_uri
        answer = await self._post("/link/token/create", body)
        expires_at = optional_instant(answer, "expiration")
        if expires_at is None:
            raise malformed("expiration is missing", http_status=200)
        return LinkMade(
            link_type=LinkType.WIDGET_TOKEN,
            link_token=text(answer, "link_token"),
            link_url=None,
            expires_at=expires_at,
        )

    async def exchange_token(self, request: ExchangeRequest) -> Exchanged:
        """The access token for a public token, sent once.

        Whether Plaid takes the same public token twice is not documented, so a failure whose
        `sent` is true leaves the outcome open.
        """
        answer = await self._post(
            "/item/public_token/exchange",
            {"public_token": temporary_part(request.temporary_token, "token")},
        )
        token, item_id = text(answer, _ACCESS_TOKEN), text(answer, "item_id")
        institution_id, status = await self._about(token)
        return Exchanged(
            credential=Credential({_ACCESS_TOKEN: token, "item_id": item_id}),
            login_key=item_id,
            provider_institution_id=institution_id,
            status=status,
        )

    async def get_accounts(self, request: AccountsRequest) -> AccountsRead:
        """All accounts as Plaid last cached them, in one call."""
        token = credential_part(request.credential, _ACCESS_TOKEN)
        answer = await self._post("/accounts/get", {_ACCESS_TOKEN: token})
        item = section(answer, "item")
        error = _item_failure(item)
        if error is not None and _needs_user(error) and not request.allow_stale:
            raise error
        accounts = tuple(account_of(row) for row in rows(answer, "accounts"))
        return AccountsRead(
            accounts=accounts,
            as_of=min((one.as_of for one in accounts if one.as_of is not None), default=None),
            stale=error is not None,
        )

    async def sync_transactions(self, request: TransactionsRequest) -> TransactionsRead:
        """Movements from the Item's cursor feed, whose loop is always read to its end."""
        token = credential_part(request.credential, _ACCESS_TOKEN)
        reading = FeedReading.of(request)
        restarts = 0
        while True:
            try:
                update, update_status = await self._loop(
                    token, reading.base, request.provider_account_id
                )
            except ProviderFailure as error:
                if error.failure.code != MUTATION or restarts == _RESTARTS:
                    raise
                restarts += 1
                continue
            first_batch_falls_short = (
                update_status == "INITIAL_UPDATE_COMPLETE"
                and not reading.base
                and (request.today - reading.start).days > _FIRST_BATCH_DAYS
            )
            return reading.answer(
                update,
                limit=request.limit,
                stale=update_status == "NOT_READY" or first_batch_falls_short,
            )

    async def revoke(self, credential: Credential) -> None:
        """Remove the Item; quiet when it is already gone."""
        token = credential_part(credential, _ACCESS_TOKEN)
        try:
            await self._post("/item/remove", {_ACCESS_TOKEN: token})
        except ProviderFailure as error:
            if error.failure.code not in GONE:
                raise

    async def _about(self, token: str) -> tuple[str | None, ConnectionStatus]:
        # The exchange has happened: not knowing its institution must not lose it.
        try:
            answer = await self._post(
                "/item/get", {_ACCESS_TOKEN: token}, timeout_s=_ITEM_GET_TIMEOUT_S
            )
            item = section(answer, "item")
            error = _item_failure(item)
            needs_user = error is not None and _needs_user(error)
            return (
                optional_text(item, "institution_id"),
                ConnectionStatus.NEEDS_USER if needs_user else ConnectionStatus.ACTIVE,
            )
        except ProviderFailure:
            return None, ConnectionStatus.ACTIVE

    async def _loop(
        self, token: str, base: str, account_id: str | None
    ) -> tuple[FeedUpdate, str | None]:
        loop = FeedLoop(account_id)
        cursor, seen = base, {base}
        for _ in range(_MAX_PAGES):
            body: dict[str, object] = {_ACCESS_TOKEN: token, "count": _PAGE_SIZE}
            if cursor:
                body["cursor"] = cursor
            page = await self._post("/transactions/sync", body)
            loop.take(page)
            cursor = _next_cursor(page)
            if not flag(page, "has_more"):
                return loop.ended(cursor), optional_text(page, "transactions_update_status")
            if not cursor or cursor in seen:
                raise wrong_success(WrongSuccess.FROZEN, "more is promised, its cursor stands")
            seen.add(cursor)
        raise malformed("its pages have no end", http_status=200)

    async def _post(
        self, path: str, body: Mapping[str, object], *, timeout_s: float = 60.0
    ) -> Payload:
        response = await self._http.call(
            "POST", path, endpoint=path, json=body, timeout_s=timeout_s
        )
        answer = response.json_object() if response.ok else response.error_body()
        told = answer if isinstance(answer, dict) else {}
        request_id = note_request_id(told.get("request_id"))
        if response.ok and "error_code" not in told:
            return told
        code, error_type = told.get("error_code"), told.get("error_type")
        raise PLAID_ERRORS.failure(
            code=code if isinstance(code, str) and code else None,
            error_type=error_type if isinstance(error_type, str) else None,
            http_status=response.status,
            retry_after_s=retry_after_s(response.headers),
            provider_request_id=request_id,
        )


def _next_cursor(page: Payload) -> str:
    cursor = optional_text(page, "next_cursor") or ""
    if len(cursor) > _LONGEST_CURSOR:
        raise malformed("next_cursor is too long", http_status=200)
    return cursor


def _item_failure(item: Payload) -> ProviderFailure | None:
    error = optional_section(item, "error")
    if error is None:
        return None
    return PLAID_ERRORS.failure(
        code=optional_text(error, "error_code"),
        error_type=optional_text(error, "error_type"),
        http_status=200,
    )


def _needs_user(error: ProviderFailure) -> bool:
    return error.failure.error_class is ErrorClass.AUTH


def _per_minute(endpoint: str, connection: int, client: int) -> tuple[Quota, Quota]:
    return (
        Quota(QuotaScope.CONNECTION, connection, 60.0, endpoint),
        Quota(QuotaScope.CLIENT, client, 60.0, endpoint),
    )


def _vendor_http(client: httpx.AsyncClient, config: AdapterConfig) -> VendorHttp:
    return VendorHttp(
        client,
        headers={
            "PLAID-CLIENT-ID": config.keys["PLAID_CLIENT_ID"],
            "PLAID-SECRET": config.keys["PLAID_SECRET"],
            "Plaid-Version": "2020-09-14",
        },
    )


ADAPTER: Final = Adapter(
    exchange_consumes=True,
    base_urls={
        "sandbox": "https://sandbox.plaid.com",
        "production": "https://production.plaid.com",
    },
    # plaid.com/docs/errors/rate-limit-exceeded; link and exchange are not in its table.
    quotas={
        "sandbox": (
            *_per_minute("/accounts/get", 100, 5000),
            *_per_minute("/item/get", 40, 5000),
            *_per_minute("/item/remove", 100, 500),
            *_per_minute("/transactions/sync", 50, 1000),
        ),
        "production": (
            *_per_minute("/accounts/get", 15, 15_000),
            *_per_minute("/item/get", 15, 5000),
            *_per_minute("/item/remove", 30, 2000),
            *_per_minute("/transactions/sync", 50, 2500),
        ),
    },
    vendor_http=_vendor_http,
    build=lambda http, config: Plaid(http, config.options),
    webhooks=lambda http, _config: PlaidWebhooks(http),
    default_options=_DEFAULT_OPTIONS,
)
