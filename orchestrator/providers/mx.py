"""MX Technologies: widget URLs, members instead of tokens, stored data (docs.mx.com).

There is nothing secret to exchange: a connection is a user guid with a member guid, good only with
our own keys. That is why an exchange has to prove that the member is the asking user's. Old data
stay readable while a member is broken, so its status is looked at before its data.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from orchestrator.domain import (
    ConfigurationError,
    ConnectionStatus,
    Credential,
    LinkType,
    ProviderFailure,
)
from orchestrator.resilience.quota import Quota, QuotaScope

from .error_table import ErrorTable
from .http import VendorHttp
from .listing import shifted
from .mx_aggregation import MemberState, MxAggregation
from .mx_client import MemberGuids, MxClient, version_headers
from .mx_errors import DISABLED_RULES, MEMBER_STATUSES
from .mx_mapping import account_of, is_shown, movement_of
from .mx_webhooks import MxWebhooks
from .options import choice, options_with, whole_number
from .payload import optional_text, text
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
from .wire_failures import malformed

__all__ = ["ADAPTER", "Mx"]

_USER_SHAPE: Final = re.compile(r"USR-[A-Za-z0-9\-]{1,64}")
_MEMBER_SHAPE: Final = re.compile(r"MBR-[A-Za-z0-9\-]{1,64}")
_URL_LIFE: Final = timedelta(minutes=10)
_ANNOUNCED_DAYS: Final = 5
_USER: Final = "user_guid"
_MEMBER: Final = "member_guid"

_DEFAULT_OPTIONS: Final[Mapping[str, str]] = {
    "api_version": "v20250224",
    "date_format": "iso",
    "disabled_scope": "connection",
    "refresh_after_hours": "24",
    "refresh_wait_s": "15",
    "merchants": "false",
    "use_cases": "",
}
_VERSIONS: Final = ("v20250224", "v20111101")
_USE_CASES: Final = ("PFM", "MONEY_MOVEMENT")


class Mx:
    """The four operations at MX.

    Options: `api_version` (`v20250224`, `v20111101`), `date_format` of the window (`iso` or `unix`;
    MX's specifications differ), `disabled_scope` (`connection` or `client`; what a member's status
    `DISABLED` is about), `refresh_after_hours` (the age from which newer data are asked for),
    `refresh_wait_s` (for how long they are waited for), `merchants` (`true` asks for merchants'
    names), `use_cases` (for contracts that want members marked by them).

    Args:
        client: calls MX.
        options: all of the above.
        now: aware UTC.
        pause: waits.

    """

    def __init__(
        self,
        client: MxClient,
        options: Mapping[str, str],
        *,
        now: Callable[[], datetime],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._now = now
        self._widget_settings = _widget_settings(options)
        self._unix_dates = choice(options, "date_format", ("iso", "unix"), provider="mx") == "unix"
        wants_merchants = choice(options, "merchants", ("true", "false"), provider="mx") == "true"
        self._enhancements = {"includes": "merchants"} if wants_merchants else {}
        disabled = choice(options, "disabled_scope", DISABLED_RULES, provider="mx")
        hours = whole_number(options, "refresh_after_hours", low=3, high=8760, provider="mx")
        self._aggregation = MxAggregation(
            client,
            ErrorTable(codes={**MEMBER_STATUSES, "DISABLED": DISABLED_RULES[disabled]}),
            refresh_after=timedelta(hours=hours),
            longest_wait_s=whole_number(options, "refresh_wait_s", low=0, high=300, provider="mx"),
            now=now,
            pause=pause,
        )

    async def create_link(self, request: LinkRequest) -> LinkMade:
        """A widget's URL for the user, who is made at MX if need be; for one use, ten minutes."""
        settings: dict[str, object] = {
            **self._widget_settings,
            "iso_country_code": [request.region],
        }
        if request.repair is not None:
            guids = _guids(request.repair)
            user_guid = guids.user
            settings["current_member_guid"] = guids.member
            settings["update_credentials"] = True
        else:
            user_guid = _shaped(await self._client.user_guid(request.end_user_id))
            if request.provider_institution_id is not None:
                settings["current_institution_code"] = request.provider_institution_id
        if "current_institution_code" in settings or "current_member_guid" in settings:
            # What is linked in the end is what was asked for.
            settings["disable_institution_search"] = True
        if request.redirect_uri is not None:
            settings["client_redirect_url"] = request.redirect_uri
        asked_at = self._now()
        repairs = request.repair is not None
        widget = await self._client.widget(user_guid, settings, request.language, repairs=repairs)
        return LinkMade(
            link_type=LinkType.HOSTED_URL,
            link_token=None,
            link_url=text(widget, "url"),
            expires_at=asked_at + _URL_LIFE,
            state={_USER: user_guid},
        )

    async def exchange_token(self, request: ExchangeRequest) -> Exchanged:
        """The connection behind a member guid, once it is shown to be this user's.

        Raises:
            ProviderFailure: `NOT_THIS_USERS` for a member that is unknown or another user's.

        """
        member_guid = temporary_part(request.temporary_token, "token")
        user_guid = request.state.get(_USER, "")
        if not _MEMBER_SHAPE.fullmatch(member_guid) or not _USER_SHAPE.fullmatch(user_guid):
            raise invalid_token()
        guids = MemberGuids(user_guid, member_guid)
        member = await self._client.new_member(guids)
        if member is None or member.get("guid") != member_guid or member.get(_USER) != user_guid:
            raise not_this_users()
        try:
            await self._aggregation.linked(guids, MemberState.of(member))
        except ProviderFailure as error:
            raise during_exchange(error) from None
        return Exchanged(
            credential=Credential({_USER: user_guid, _MEMBER: member_guid}),
            login_key=member_guid,
            provider_institution_id=optional_text(member, "institution_code"),
            status=ConnectionStatus.ACTIVE,
        )

    async def get_accounts(self, request: AccountsRequest) -> AccountsRead:
        """The open accounts of the member, as of its last successful aggregation."""
        guids = _guids(request.credential)
        state = await self._brought_up(guids, allow_stale=request.allow_stale)
        listing = await self._client.listing(guids, "accounts")
        return AccountsRead(
            accounts=tuple(
                account_of(row, as_of=state.succeeded_at) for row in listing.rows if is_shown(row)
            ),
            as_of=state.succeeded_at,
            stale=self._aggregation.is_stale(state) or not listing.is_steady,
        )

    async def sync_transactions(self, request: TransactionsRequest) -> TransactionsRead:
        """Movements of a window, or those written since a cursor.

        `removed` stays empty: MX tells deletions by webhook alone, and a row that is gone from a
        window shows by the whole listing only. A pending row lives 14 days at most, which is how
        far a reading since a cursor looks back.
        """
        guids = _guids(request.credential)
        reading = WindowReading.of(request, self._now())
        state = await self._brought_up(guids, allow_stale=request.allow_stale)
        until = reading.end or shifted(request.today, _ANNOUNCED_DAYS)
        # A day more on each side: MX cuts at midnight, of a time zone that it does not name.
        listing = await self._client.listing(
            guids,
            "transactions",
            {
                "from_date": self._date(shifted(reading.first_day, -1)),
                "to_date": self._date(shifted(until, 1)),
                **self._enhancements,
            },
        )
        return reading.answer(
            (movement_of(row, undated=reading.first_day) for row in listing.rows),
            limit=request.limit,
            stale=self._aggregation.is_stale(state) or not listing.is_steady,
            provider_account_ids=request.provider_account_ids,
        )

    async def revoke(self, credential: Credential) -> None:
        """Delete the member; quiet when it is already gone."""
        await self._client.forget(_guids(credential))

    async def _brought_up(self, guids: MemberGuids, *, allow_stale: bool) -> MemberState:
        state = MemberState.of(await self._client.member(guids))
        return await self._aggregation.brought_up(guids, state, allow_stale=allow_stale)

    def _date(self, day: date) -> str:
        if self._unix_dates:
            return str(int(datetime.combine(day, time(), UTC).timestamp()))
        return day.isoformat()


def _widget_settings(options: Mapping[str, str]) -> Mapping[str, object]:
    """What every widget is asked for with; the two versions name the data in ways of their own."""
    settings: dict[str, object] = {"widget_type": "connect_widget", "ui_message_version": 4}
    if choice(options, "api_version", _VERSIONS, provider="mx") == "v20111101":
        settings |= {"mode": "aggregation", "include_transactions": True}
    else:
        settings["data_request"] = {"products": ["transactions"]}
    cases = [case.strip() for case in options["use_cases"].split(",") if case.strip()]
    if not set(cases) <= set(_USE_CASES):
        raise ConfigurationError(
            f"providers.mx.options.use_cases is {options['use_cases']!r}: "
            f"set it to names out of {', '.join(_USE_CASES)}, with commas, or leave it empty"
        )
    return {**settings, "use_cases": cases} if cases else settings


def _shaped(guid: object) -> str:
    if not isinstance(guid, str) or not _USER_SHAPE.fullmatch(guid):
        raise malformed("the user has no guid", http_status=200)
    return guid


def _guids(credential: Credential) -> MemberGuids:
    return MemberGuids(credential_part(credential, _USER), credential_part(credential, _MEMBER))


def _options(config: AdapterConfig) -> Mapping[str, str]:
    options = options_with(config.options, _DEFAULT_OPTIONS, provider="mx")
    choice(options, "api_version", _VERSIONS, provider="mx")
    return options


def _vendor_http(client: VendorClient, config: AdapterConfig) -> VendorHttp:
    return VendorHttp(
        client,
        auth=(config.keys["MX_CLIENT_ID"], config.keys["MX_API_KEY"]),
        headers=version_headers(_options(config)["api_version"]),
    )


def _build(http: VendorHttp, config: AdapterConfig) -> Mx:
    options = _options(config)
    client = MxClient(http, looks_up_by_id=options["api_version"] == "v20250224")
    return Mx(client, options, now=config.now)


# Per second and HTTP method; from a secondary source, MX itself names no numbers.
_QUOTAS: Final = (
    Quota(QuotaScope.CLIENT, 2000, 1.0, "GET"),
    Quota(QuotaScope.CLIENT, 750, 1.0, "POST"),
    Quota(QuotaScope.CLIENT, 150, 1.0, "DELETE"),
)

ADAPTER: Final = Adapter(
    base_urls={"sandbox": "https://int-api.mx.com", "production": "https://api.mx.com"},
    quotas={"sandbox": _QUOTAS, "production": _QUOTAS},
    vendor_http=_vendor_http,
    build=_build,
    webhooks=lambda _http, config: MxWebhooks.of(config),
    default_options=_DEFAULT_OPTIONS,
)
