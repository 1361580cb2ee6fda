"""Finicity (Mastercard Open Finance US): customers, Connect, logins instead of tokens, stored data.

There is nothing secret to exchange: a connection is a customer's id with that of an institution
login, good only with our own keys. That is why an exchange has to prove that the login is the
asking user's. Old data stay readable while a login is broken, and every account says so itself.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Final

from orchestrator.domain import ConnectionStatus, Credential, LinkType
from orchestrator.resilience.quota import Quota, QuotaScope

from .finicity_aggregation import as_of, awaits_aggregation, trouble_of, was_never_read
from .finicity_client import FinicityClient
from .finicity_connect import expiry_of, linking, repairing, username_of
from .finicity_mapping import (
    ACCOUNT_STATUS_PENDING,
    Signs,
    account_of,
    is_deleted,
    movement_of,
    transaction_id_of,
)
from .finicity_refresh import REFRESHES, Refresh
from .finicity_session import FinicitySession
from .finicity_values import Login, identifier
from .finicity_webhooks import FinicityWebhooks
from .http import VendorHttp
from .listing import shifted
from .options import choice, options_with, whole_number
from .payload import Payload, optional_text
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
from .remembered_pending import RememberingReading
from .vendor_client import VendorClient

__all__ = ["ADAPTER", "Finicity"]

_CUSTOMER: Final = "customer_id"
_LOGIN: Final = "institution_login_id"
_LOGIN_SHAPE: Final = re.compile(r"[0-9]{1,19}")
_LATE_DAYS: Final = 7
"""How long after it happened a movement may be posted, by which the vendor may file it."""

_DEFAULT_OPTIONS: Final[Mapping[str, str]] = {
    "card_sign": "as_is",
    "customers": "by_environment",
    "debt_balance": "magnitude",
    "experience": "",
    "investment_sign": "as_is",
    "overlap_days": "15",
    "refresh": "first",
    "refresh_after_hours": "24",
    "signature_encoding": "hex",
}


class Finicity:
    """The four operations at Finicity.

    Args:
        session: our key and token.
        options: `card_sign`, `investment_sign` and `debt_balance`, see `Signs`; `customers`
            (`active`, `testing`, or `by_environment`); `experience` of Connect; `overlap_days`,
            how far back a reading since a cursor looks again; `refresh` and `refresh_after_hours`,
            see `Refresh`.
        environment: `sandbox` or `production`.
        now: aware UTC.
        pause: waits between two looks at a refresh.

    """

    def __init__(
        self,
        session: FinicitySession,
        options: Mapping[str, str],
        *,
        environment: str,
        now: Callable[[], datetime],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        chosen = options_with(options, _DEFAULT_OPTIONS, provider="finicity")
        kinds = ("active", "testing", "by_environment")
        kind = choice(chosen, "customers", kinds, provider="finicity")
        self._session = session
        self._client = FinicityClient(session)
        self._now = now
        self._signs = Signs.of(chosen)
        self._experience = chosen["experience"]
        self._overlap_days = whole_number(
            chosen, "overlap_days", low=15, high=180, provider="finicity"
        )
        hours = whole_number(chosen, "refresh_after_hours", low=1, high=720, provider="finicity")
        self._refresh = Refresh(
            self._client,
            choice(chosen, "refresh", REFRESHES, provider="finicity"),
            timedelta(hours=hours),
            now=now,
            pause=pause,
        )
        by_environment = "active" if environment == "production" else "testing"
        self._customers = by_environment if kind == "by_environment" else kind

    async def create_link(self, request: LinkRequest) -> LinkMade:
        """A Connect address for the user, who is made a customer if need be; for one session."""
        if request.repair is not None:
            login = _login(request.repair)
            customer_id = login.customer_id
            session = repairing(login, request, self._experience)
        else:
            username = username_of(request.end_user_id)
            customer_id = await self._client.customer_id(username, self._customers)
            session = linking(customer_id, request, self._experience)
        link_url = await self._client.connect_url(session)
        return LinkMade(
            link_type=LinkType.HOSTED_URL,
            link_token=None,
            link_url=link_url,
            expires_at=expiry_of(link_url),
            state={_CUSTOMER: customer_id},
        )

    async def exchange_token(self, request: ExchangeRequest) -> Exchanged:
        """The connection behind an institution login, once it is shown to be this user's.

        Raises:
            ProviderFailure: `NOT_THIS_USERS` for a login that is unknown or another user's.

        """
        login_id = temporary_part(request.temporary_token, "token")
        customer_id = request.state.get(_CUSTOMER, "")
        if not _LOGIN_SHAPE.fullmatch(login_id) or not _LOGIN_SHAPE.fullmatch(customer_id):
            raise invalid_token()
        login = Login(customer_id, login_id)
        accounts = await self._client.new_login_accounts(login)
        if not accounts:
            raise not_this_users()
        trouble = trouble_of(accounts)
        if trouble is not None:
            raise during_exchange(trouble)
        if was_never_read(accounts):
            await self._refresh.begin_first(login)
        return Exchanged(
            credential=Credential({_CUSTOMER: customer_id, _LOGIN: login_id}),
            login_key=f"{customer_id}/{login_id}",
            provider_institution_id=identifier(accounts[0], "institutionId"),
            status=ConnectionStatus.ACTIVE,
        )

    async def get_accounts(self, request: AccountsRequest) -> AccountsRead:
        """All stored accounts of the login that the user shares."""
        login = _login(request.credential)
        accounts, stale = await self._accounts(login, allow_stale=request.allow_stale)
        return AccountsRead(
            accounts=tuple(account_of(account, self._signs) for account in accounts),
            as_of=as_of(accounts),
            stale=stale,
        )

    async def sync_transactions(self, request: TransactionsRequest) -> TransactionsRead:
        """Movements of a window, or those added or changed since a cursor.

        Rows that another one has taken the place of are `removed`; rows that are gone from a window
        show by the whole listing only.
        """
        login = _login(request.credential)
        reading = RememberingReading.of(request, self._now(), overlap_days=self._overlap_days)
        accounts, stale = await self._accounts(login, allow_stale=request.allow_stale)
        wanted = [one for one in accounts if request.provider_account_id in (None, _id(one))]
        window = reading.window
        # A day more before: the vendor cuts by a time of day that it does not name. More after, as
        # it may file a row under the day on which it was posted.
        first = datetime.combine(shifted(window.first_day, -1), time(), UTC)
        last = datetime.combine(shifted(window.end or request.today, _LATE_DAYS), time.max, UTC)
        movements, gone = [], []
        for account in wanted:
            for row in await self._client.transactions(login, _id(account), first, last):
                if is_deleted(row):
                    gone.append(transaction_id_of(row))
                    continue
                movements.append(movement_of(row, account, self._signs, undated=window.first_day))
        answer = reading.answer(
            movements,
            limit=request.limit,
            stale=stale,
            # An account that is not listed now may come back: nothing is known of its movements.
            provider_account_ids=tuple(map(_id, wanted)),
            whole=bool(wanted),
        )
        # Only whoever has read before can have seen them.
        return answer if window.told_since is None else replace(answer, removed=tuple(sorted(gone)))

    async def revoke(self, credential: Credential) -> None:
        """End our access to the login's accounts; quiet when it has ended already."""
        await self._client.forget(_login(credential))

    def keys_trusted_again(self) -> None:
        """See `KeepsKeysBack`."""
        self._session.keys_trusted_again()

    async def _accounts(self, login: Login, *, allow_stale: bool) -> tuple[Sequence[Payload], bool]:
        """The accounts that the user shares, and whether they await fresher data."""
        accounts = await self._client.accounts(login)
        late = False
        if self._refresh.is_wanted(accounts):
            late = not await self._refresh.done_in_time(login)
            accounts = await self._client.accounts(login)
        shared = [one for one in accounts if optional_text(one, "status") != ACCOUNT_STATUS_PENDING]
        trouble = trouble_of(shared)
        if trouble is not None and not allow_stale:
            raise trouble
        return shared, late or trouble is not None or awaits_aggregation(shared or accounts)


def _id(account: Payload) -> str:
    return identifier(account, "id")


def _login(credential: Credential) -> Login:
    return Login(credential_part(credential, _CUSTOMER), credential_part(credential, _LOGIN))


def _vendor_http(client: VendorClient, config: AdapterConfig) -> VendorHttp:
    return VendorHttp(
        client,
        headers={
            "Finicity-App-Key": config.keys["FINICITY_APP_KEY"],
            "Accept": "application/json",
            "Content-Type": "application/json",
        },
    )


def _build(http: VendorHttp, config: AdapterConfig) -> Finicity:
    return Finicity(
        FinicitySession(http, Credential(config.keys), now=config.now),
        config.options,
        environment=config.environment,
        now=config.now,
    )


# Finicity publishes no numbers: conservative, and scaled by `limits.scale`. A token lasts for two
# hours; more than a few authentications in a minute are a mistake of ours.
_QUOTAS: Final = (
    Quota(QuotaScope.CLIENT, 1200, 60.0),
    Quota(QuotaScope.CONNECTION, 120, 60.0),
    Quota(QuotaScope.CLIENT, 6, 60.0, "authentication"),
)

ADAPTER: Final = Adapter(
    # One host: what is a test is chosen by credentials and by the kind of customer.
    base_urls={"sandbox": "https://api.finicity.com", "production": "https://api.finicity.com"},
    quotas={"sandbox": _QUOTAS, "production": _QUOTAS},
    vendor_http=_vendor_http,
    build=_build,
    webhooks=lambda _http, config: FinicityWebhooks.of(config),
    default_options=_DEFAULT_OPTIONS,
)
