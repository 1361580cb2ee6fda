"""MX Technologies: widget URLs, members instead of tokens, stored data (docs.mx.com).

There is nothing secret to exchange: a connection is a user guid with a member guid, good only with
our own keys. That is why an exchange has to prove that the member is the asking user's. Old data
stay readable while a member is broken, so its status is looked at before its data.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import httpx

from orchestrator.domain import ConnectionStatus, Credential, LinkType, ProviderFailure
from orchestrator.resilience.quota import Quota, QuotaScope

from .error_table import ErrorTable
from .http import VendorHttp
from .listing import shifted
from .mx_client import MxClient, version_headers
from .mx_errors import DISABLED_RULES, MEMBER_STATUSES, SETTLED
from .mx_mapping import account_of, listed_of
from .mx_webhooks import MxWebhooks
from .options import choice, options_with
from .payload import Payload, optional_flag, optional_instant, optional_text, text
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
}


class Mx:
    """The four operations at MX.

    Options: `api_version` (`v20250224`, `v20111101`), `date_format` of the window (`iso` or `unix`;
    MX's specifications differ), `disabled_scope` (`connection` or `client`; what a member's status
    `DISABLED` is about).
    """

    def __init__(
        self,
        client: MxClient,
        options: Mapping[str, str],
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._now = now
        # The newer version asks for data by name, the older one knows a mode only.
        self._purpose: Mapping[str, object] = (
            {"mode": "aggregation"}
            if options["api_version"] == "v20111101"
            else {"data_request": {"products": ["transactions"]}}
        )
        self._unix_dates = choice(options, "date_format", ("iso", "unix"), provider="mx") == "unix"
        disabled = choice(options, "disabled_scope", DISABLED_RULES, provider="mx")
        self._statuses = ErrorTable(codes={**MEMBER_STATUSES, "DISABLED": DISABLED_RULES[disabled]})

    async def create_link(self, request: LinkRequest) -> LinkMade:
        """A widget's URL for the user, who is made at MX if need be; for one use, ten minutes."""
        settings: dict[str, object] = {
            "widget_type": "connect_widget",
            **self._purpose,
            "include_transactions": True,
            "iso_country_code": [request.region],
            "ui_message_version": 4,
        }
        if request.repair is not None:
            user_guid = credential_part(request.repair, _USER)
            settings["current_member_guid"] = credential_part(request.repair, _MEMBER)
            settings["update_credentials"] = True
        else:
            user_guid = _shaped(await self._client.user_guid(request.end_user_id))
            if request.provider_institution_id is not None:
                settings["current_institution_code"] = request.provider_institution_id
        if request.redirect_uri is not None:
            settings["client_redirect_url"] = request.redirect_uri
        asked_at = self._now()
        widget = await self._client.widget(user_guid, settings, request.language)
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
        member = await self._client.new_member(user_guid, member_guid)
        if member is None or member.get("guid") != member_guid or member.get(_USER) != user_guid:
            raise not_this_users()
        try:
            self._refuse_broken(member)
        except ProviderFailure as error:
            raise during_exchange(error) from None
        return Exchanged(
            credential=Credential({_USER: user_guid, _MEMBER: member_guid}),
            login_key=member_guid,
            provider_institution_id=optional_text(member, "institution_code"),
            status=ConnectionStatus.ACTIVE,
        )

    async def get_accounts(self, request: AccountsRequest) -> AccountsRead:
        """All stored accounts of the member, as of its last successful aggregation."""
        user_guid, member_guid = _guids(request.credential)
        member = await self._client.member(user_guid, member_guid)
        stale = self._stale(member, allow_stale=request.allow_stale)
        as_of = optional_instant(member, "successfully_aggregated_at")
        listed = await self._client.listing(user_guid, member_guid, "accounts")
        return AccountsRead(
            accounts=tuple(account_of(row, as_of=as_of) for row in listed),
            as_of=as_of,
            stale=stale,
        )

    async def sync_transactions(self, request: TransactionsRequest) -> TransactionsRead:
        """Movements of a window, or those written since a cursor.

        `removed` stays empty: MX tells deletions by webhook alone, and a row that is gone from a
        window shows by the whole listing only. A pending row lives 14 days at most, which is how
        far a reading since a cursor looks back.
        """
        user_guid, member_guid = _guids(request.credential)
        reading = WindowReading.of(request, self._now())
        member = await self._client.member(user_guid, member_guid)
        stale = self._stale(member, allow_stale=request.allow_stale)
        until = reading.end or shifted(request.today, _ANNOUNCED_DAYS)
        # A day more on each side: MX cuts at midnight, of a time zone that it does not name.
        listed = await self._client.listing(
            user_guid,
            member_guid,
            "transactions",
            {
                "from_date": self._date(shifted(reading.first_day, -1)),
                "to_date": self._date(shifted(until, 1)),
            },
        )
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
        )

    async def revoke(self, credential: Credential) -> None:
        """Delete the member; quiet when it is already gone."""
        await self._client.forget(*_guids(credential))

    def _date(self, day: date) -> str:
        if self._unix_dates:
            return str(int(datetime.combine(day, time(), UTC).timestamp()))
        return day.isoformat()

    def _refuse_broken(self, member: Payload) -> None:
        status = optional_text(member, "connection_status")
        if status is not None and status in self._statuses.codes:
            raise self._statuses.failure(code=status, http_status=200)

    def _stale(self, member: Payload, *, allow_stale: bool) -> bool:
        if not allow_stale:
            self._refuse_broken(member)
        if optional_text(member, "connection_status") not in SETTLED:
            return True
        first_job_runs = optional_flag(member, "is_being_aggregated") is True
        return first_job_runs and optional_text(member, "successfully_aggregated_at") is None


def _shaped(guid: object) -> str:
    if not isinstance(guid, str) or not _USER_SHAPE.fullmatch(guid):
        raise malformed("the user has no guid", http_status=200)
    return guid


def _guids(credential: Credential) -> tuple[str, str]:
    return credential_part(credential, _USER), credential_part(credential, _MEMBER)


def _options(config: AdapterConfig) -> Mapping[str, str]:
    options = options_with(config.options, _DEFAULT_OPTIONS, provider="mx")
    choice(options, "api_version", ("v20250224", "v20111101"), provider="mx")
    return options


def _vendor_http(client: httpx.AsyncClient, config: AdapterConfig) -> VendorHttp:
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
