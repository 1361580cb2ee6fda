"""Plaid: link tokens, one exchange, cached accounts, a cursor feed (plaid.com/docs/api).

Every call is a POST with a JSON body; our keys travel in headers. The connection's credential is
Plaid's access token.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from orchestrator.domain import ConnectionStatus, Credential, ProviderFailure

from .http import VendorHttp
from .payload import optional_text, rows, section, text
from .plaid_client import PlaidClient, aside
from .plaid_cursor import FeedReading
from .plaid_errors import GONE
from .plaid_feed import PlaidFeed
from .plaid_item import needs_user, trouble_of, updated_at
from .plaid_link import WEBHOOK, link_body, link_made, link_token_behind, public_token_of
from .plaid_mapping import account_of
from .plaid_options import DEFAULT_OPTIONS, PlaidOptions
from .plaid_quotas import QUOTAS
from .plaid_refresh import PlaidRefresh
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
from .vendor_client import VendorClient

__all__ = ["ADAPTER", "Plaid"]

_ABOUT_S: Final = 5.0
"""How long an exchange that has happened waits to learn more of its Item."""
_AGE_S: Final = 2.0
_OLDEST_LIVE_BALANCE: Final = timedelta(days=30)
"""Capital One gives no live balance of cards: what it has is taken, whose age is told."""
_ACCESS_TOKEN: Final = "access_token"  # noqa: S105  the name of a field, not its value


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Plaid:
    """The four operations at Plaid.

    Args:
        http: to Plaid.
        options: `[providers.plaid.options]`.
        now: aware UTC.
        pause: waits so many seconds.
        draw: uniform on [0, 1), for jitter.

    Raises:
        ConfigurationError: an option is unknown or cannot be meant.

    """

    def __init__(
        self,
        http: VendorHttp,
        options: Mapping[str, str],
        *,
        now: Callable[[], datetime] = _utc_now,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._options = PlaidOptions.of(options)
        self._client = PlaidClient(http)
        self._feed = PlaidFeed(self._client, pause=pause, draw=draw)
        self._refresh = PlaidRefresh(self._client, self._options, now=now, pause=pause)
        self._now = now

    async def create_link(self, request: LinkRequest) -> LinkMade:
        """A link token for Plaid's widget, or its hosted page; with a credential, in update mode."""
        answer = await self._client.post("/link/token/create", link_body(request, self._options))
        return link_made(answer, request, self._options, self._now())

    async def exchange_token(self, request: ExchangeRequest) -> Exchanged:
        """The access token for a public token, sent once.

        Whether Plaid takes the same public token twice is not documented, so a failure whose
        `sent` is true leaves the outcome open. In place of the public token of a hosted session
        its address is taken.
        """
        public_token = await self._public_token(request)
        answer = await self._client.post(
            "/item/public_token/exchange", {"public_token": public_token}
        )
        token, item_id = text(answer, _ACCESS_TOKEN), text(answer, "item_id")
        # The exchange has happened: not knowing more must not lose it.
        about, _ = await asyncio.gather(
            aside(self._about(token), within_s=_ABOUT_S),
            aside(self._begin_reports(token, request), within_s=_ABOUT_S),
        )
        institution_id, status = about or (None, ConnectionStatus.ACTIVE)
        return Exchanged(
            credential=Credential({_ACCESS_TOKEN: token, "item_id": item_id}),
            login_key=item_id,
            provider_institution_id=institution_id,
            status=status,
        )

    async def get_accounts(self, request: AccountsRequest) -> AccountsRead:
        """All accounts in one call, with balances as Plaid last cached them or live."""
        token = credential_part(request.credential, _ACCESS_TOKEN)
        body: dict[str, object] = {_ACCESS_TOKEN: token}
        path = "/accounts/get"
        # Whoever takes old data need not be billed for new ones.
        if self._options.reads_live and not request.allow_stale:
            path = "/accounts/balance/get"
            oldest = self._now() - _OLDEST_LIVE_BALANCE
            body["options"] = {"min_last_updated_datetime": f"{oldest:%Y-%m-%dT%H:%M:%SZ}"}
        answer = await self._client.post(path, body)
        trouble = trouble_of(section(answer, "item"), self._now())
        if trouble is not None and needs_user(trouble) and not request.allow_stale:
            raise trouble
        accounts = tuple(account_of(row) for row in rows(answer, "accounts"))
        as_of = min((one.as_of for one in accounts if one.as_of is not None), default=None)
        asks_age = self._options.asks_age and path == "/accounts/get"
        if accounts and as_of is None and asks_age:
            as_of = await aside(self._updated_at(token), within_s=_AGE_S)
        return AccountsRead(accounts=accounts, as_of=as_of, stale=trouble is not None)

    async def sync_transactions(self, request: TransactionsRequest) -> TransactionsRead:
        """Movements from the Item's cursor feed, whose loop is always read to its end."""
        token = credential_part(request.credential, _ACCESS_TOKEN)
        reading = FeedReading.of(request, self._now())
        refreshes = self._options.refreshes and not reading.goes_on and not request.allow_stale
        is_fresh = await self._refresh.is_fresh(token) if refreshes else True
        reading, update = await self._feed.read_once_ready(
            token,
            reading,
            request.provider_account_id,
            longest_wait_s=self._options.not_ready_wait_s,
        )
        reaches_back = update.reaches_back((request.today - reading.start).days)
        return reading.answer(
            update,
            limit=request.limit,
            stale=not (is_fresh and reaches_back),
            today=request.today,
            provider_account_ids=request.provider_account_ids,
        )

    async def revoke(self, credential: Credential) -> None:
        """Remove the Item; quiet when it is already gone."""
        token = credential_part(credential, _ACCESS_TOKEN)
        try:
            await self._client.post("/item/remove", {_ACCESS_TOKEN: token})
        except ProviderFailure as error:
            if error.failure.code not in GONE:
                raise

    async def _public_token(self, request: ExchangeRequest) -> str:
        given = temporary_part(request.temporary_token, "token")
        link_token = link_token_behind(given, request.state)
        if link_token is None:
            return given
        try:
            return public_token_of(
                await self._client.post("/link/token/get", {"link_token": link_token})
            )
        except ProviderFailure as error:
            # A look, lost or not, exchanges nothing.
            raise ProviderFailure(replace(error.failure, sent=False)) from None

    async def _about(self, token: str) -> tuple[str | None, ConnectionStatus]:
        item = section(await self._client.post("/item/get", {_ACCESS_TOKEN: token}), "item")
        broken = needs_user(trouble_of(item, self._now()))
        return (
            optional_text(item, "institution_id"),
            ConnectionStatus.NEEDS_USER if broken else ConnectionStatus.ACTIVE,
        )

    async def _begin_reports(self, token: str, request: ExchangeRequest) -> None:
        if WEBHOOK in request.state:
            await self._feed.begin(token)

    async def _updated_at(self, token: str) -> datetime | None:
        return updated_at(await self._client.post("/item/get", {_ACCESS_TOKEN: token}))


def _vendor_http(client: VendorClient, config: AdapterConfig) -> VendorHttp:
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
    quotas=QUOTAS,
    vendor_http=_vendor_http,
    build=lambda http, config: Plaid(http, config.options, now=config.now),
    webhooks=lambda http, _config: PlaidWebhooks(http),
    default_options=DEFAULT_OPTIONS,
)
