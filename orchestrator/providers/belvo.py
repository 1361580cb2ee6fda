"""Belvo: widget tokens, links instead of tokens, stored data (developers.belvo.com).

There is nothing secret to exchange: a connection is a link's id, good only with our own keys. That
is why an exchange has to prove that the link is the asking user's, by the external id that its
widget session carried. Stored data are read; where an option says so, Belvo reads the bank first
once they are old.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, TypeVar

from orchestrator.domain import (
    ConnectionStatus,
    Credential,
    ErrorScope,
    LinkType,
    ProviderFailure,
)
from orchestrator.resilience.quota import Quota, QuotaScope

from .belvo_client import BelvoClient
from .belvo_duplicates import latest_of
from .belvo_link import BelvoLink
from .belvo_mapping import account_of, movement_of
from .belvo_options import BELVO_DEFAULTS, BelvoOptions
from .belvo_retrieval import LiveRetrieval
from .belvo_wanted import Resource, Wanted
from .belvo_webhooks import BelvoWebhooks
from .belvo_widget import address_of, token_body
from .http import VendorHttp
from .listing import shifted
from .payload import Payload, optional_instant, text
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
from .vendor_client import VendorClient
from .window_reading import WindowReading

__all__ = ["ADAPTER", "Belvo"]

_LINK_SHAPE: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TOKEN_LIFE: Final = timedelta(minutes=10)
_NO_STORED_CREDENTIALS: Final = "invalid_access_mode_switch"
_LINK: Final = "link_id"

T = TypeVar("T")


class Belvo:
    """The four operations at Belvo; its options are those of `BelvoOptions`."""

    def __init__(
        self,
        http: VendorHttp,
        keys: Credential,
        options: Mapping[str, str],
        *,
        now: Callable[[], datetime],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        chosen = BelvoOptions.of(options)
        self._keys = keys
        self._now = now
        self._options = chosen
        self._client = BelvoClient(http, checks_count=chosen.checks_count)
        self._retrieval: LiveRetrieval | None = None
        if chosen.refresh_after is not None:
            self._retrieval = LiveRetrieval(
                self._client,
                refresh_after=chosen.refresh_after,
                in_background=chosen.in_background,
                now=now,
                pause=pause,
            )

    async def create_link(self, request: LinkRequest) -> LinkMade:
        """A token for Belvo's widget, good for ten minutes or until the user has connected.

        Our keys travel in the body of this one call. With a repair the widget asks for what the
        bank wants anew, a password or a one-time code, and the link stays the same.
        """
        repaired = None if request.repair is None else credential_part(request.repair, _LINK)
        asked_at = self._now()
        told = await self._client.token(
            token_body(request, self._keys, self._options, link_id=repaired),
            of_known_link=repaired is not None,
        )
        token = text(told, "access")
        hosted = self._options.hosted_widget
        return LinkMade(
            link_type=LinkType.HOSTED_URL if hosted else LinkType.WIDGET_TOKEN,
            link_token=None if hosted else token,
            link_url=address_of(request, token, self._options) if hosted else None,
            expires_at=asked_at + _TOKEN_LIFE,
        )

    async def exchange_token(self, request: ExchangeRequest) -> Exchanged:
        """The connection behind a link id, once it is shown to be this user's.

        Raises:
            ProviderFailure: `NOT_THIS_USERS` for a link that is unknown or another user's.

        """
        link_id = temporary_part(request.temporary_token, "token").lower()
        if not _LINK_SHAPE.fullmatch(link_id):
            raise invalid_token()
        link = await self._client.new_link(link_id)
        if link is None or (link.link_id, link.external_id) != (link_id, request.end_user_id):
            raise not_this_users()
        try:
            link.refuse_broken()
            await self._keep_access_mode(link)
        except ProviderFailure as error:
            raise during_exchange(error) from None
        return Exchanged(
            credential=Credential({_LINK: link_id}),
            login_key=link_id,
            provider_institution_id=link.institution,
            status=ConnectionStatus.ACTIVE,
        )

    async def get_accounts(self, request: AccountsRequest) -> AccountsRead:
        """All accounts of the link, as of the oldest among them."""
        link_id = credential_part(request.credential, _LINK)
        link = await self._link(link_id, allow_stale=request.allow_stale)

        async def read() -> AccountsRead:
            listed = await self._client.listing(Resource.ACCOUNTS, link_id)
            accounts = tuple(account_of(row) for row in listed.values())
            told = (one.as_of for one in accounts if one.as_of is not None)
            return AccountsRead(accounts=accounts, as_of=min(told, default=None), stale=False)

        found, stale = await self._current(
            link,
            Wanted(Resource.ACCOUNTS),
            read,
            lambda found: found.as_of,
            allow_stale=request.allow_stale,
        )
        return AccountsRead(accounts=found.accounts, as_of=found.as_of, stale=stale)

    async def sync_transactions(self, request: TransactionsRequest) -> TransactionsRead:
        """Movements of a window, or those that Belvo wrote since a cursor.

        `removed` stays empty: Belvo tells deletions by webhook alone. What is listed is whole, so
        whoever has stored an earlier listing sees what is gone.
        """
        link_id = credential_part(request.credential, _LINK)
        reading = WindowReading.of(request, self._now())
        link = await self._link(link_id, allow_stale=request.allow_stale)

        async def read() -> tuple[Payload, ...]:
            return await self._window(link_id, reading, request.provider_account_id)

        last_day = min(reading.end or request.today, request.today)
        goes_on = reading.after is not None
        wanted = Wanted(Resource.TRANSACTIONS, (reading.first_day, last_day))
        listed, stale = await self._current(
            link,
            None if goes_on or reading.first_day > last_day else wanted,
            read,
            _collected_at,
            allow_stale=request.allow_stale,
        )
        rows = listed if self._options.ids_last else latest_of(listed)
        return reading.answer(
            (movement_of(row, undated=reading.first_day) for row in rows),
            limit=request.limit,
            stale=stale,
            provider_account_ids=request.provider_account_ids,
        )

    async def revoke(self, credential: Credential) -> None:
        """Delete the link; quiet when it is already gone."""
        await self._client.forget(credential_part(credential, _LINK))

    async def _keep_access_mode(self, link: BelvoLink) -> None:
        """Have the link read by Belvo itself, or not, as is wanted of links.

        A link whose credentials are not stored stays as it is: what was read of it is still good.
        """
        if link.access_mode in (None, self._options.access_mode):
            return
        try:
            await self._client.change_access_mode(link.link_id, self._options.access_mode)
        except ProviderFailure as error:
            if error.failure.code != _NO_STORED_CREDENTIALS:
                raise

    async def _link(self, link_id: str, *, allow_stale: bool) -> BelvoLink:
        link = await self._client.link(link_id)
        if not allow_stale:
            link.refuse_broken()
        return link

    async def _current(
        self,
        link: BelvoLink,
        wanted: Wanted | None,
        read: Callable[[], Awaitable[T]],
        collected_at: Callable[[T], datetime | None],
        *,
        allow_stale: bool,
    ) -> tuple[T, bool]:
        """What is stored, read anew where that is wanted; and whether fresher data are awaited."""
        stored = await read()
        if link.is_broken:
            return stored, True
        is_gathering = link.last_accessed_at is None
        if wanted is None or self._retrieval is None:
            return stored, is_gathering
        try:
            brought = await self._retrieval.bring(link, wanted, collected_at(stored))
        except ProviderFailure as failed:
            if not allow_stale or failed.failure.scope is ErrorScope.CLIENT:
                raise
            return stored, True
        if brought.is_new:
            return await read(), brought.is_short
        return stored, brought.is_short or is_gathering

    async def _window(
        self, link_id: str, reading: WindowReading, account_id: str | None
    ) -> tuple[Payload, ...]:
        """Every row of a reading, each once.

        They are asked for by the day they happened on, by the day of booking for those that tell no
        other, and, after a cursor, by when Belvo wrote them, however long ago they happened.
        """
        first, end = reading.first_day, reading.end
        happened = {"value_date__gte": first.isoformat()}
        # Booking times are points in time, so a day more on each side holds for any time zone.
        booked = {"accounting_date__gte": shifted(first, -1).isoformat()}
        if end is not None:
            happened["value_date__lte"] = end.isoformat()
            booked["accounting_date__lt"] = shifted(end, 2).isoformat()
        queries = [happened, booked]
        if reading.changed_after is not None and reading.after is None:
            since = reading.changed_after.isoformat().replace("+00:00", "Z")
            queries.append({"created_at__gte": since})
        of_account = {} if account_id is None else {"account": account_id}
        found: dict[object, Payload] = {}
        for query in queries:
            found |= await self._client.listing(
                Resource.TRANSACTIONS, link_id, {**query, **of_account}
            )
        return tuple(found.values())


def _collected_at(rows: tuple[Payload, ...]) -> datetime | None:
    told = (optional_instant(row, "collected_at") for row in rows)
    return max((at for at in told if at is not None), default=None)


def _vendor_http(client: VendorClient, config: AdapterConfig) -> VendorHttp:
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
    default_options=BELVO_DEFAULTS,
)
