"""Bitso: no aggregator but an exchange, whose users bring API keys of their own (docs.bitso.com).

There is no widget: the front end asks for a key and its secret, which are proven by asking whose
they are. Every call is signed with them. Each currency is an account, each change of a balance in
the ledger a movement. Nothing ends a key but its user, at Bitso.
"""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from orchestrator.domain import ConnectionStatus, Credential, LinkType, ProviderFailure
from orchestrator.resilience.quota import Quota, QuotaScope

from .bitso_client import REGISTERING, BitsoClient
from .bitso_errors import bitso_errors
from .bitso_key import KeyPermissions, key_fields, user_key
from .bitso_ledger import Ledger
from .bitso_lockout import Lockouts
from .bitso_mapping import account_of
from .bitso_pending import PendingMoney, settled_only
from .bitso_reading import LedgerReading
from .bitso_webhooks import BitsoWebhooks
from .http import VendorHttp
from .listing import Position
from .options import choice, matching, options_with, whole_number
from .payload import rows, section, text
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
from .refusals import credential_part, during_exchange, not_this_users
from .registry import Adapter, AdapterConfig
from .vendor_client import VendorClient

__all__ = ["ADAPTER", "Bitso"]

_CLIENT_ID: Final = "client_id"
_PATH_SHAPE: Final = re.compile(r"[A-Za-z0-9_\-./]*")
_FORM_LIFE: Final = timedelta(hours=1)
"""Long enough to set up a second factor at Bitso and make a key there."""

_DEFAULT_OPTIONS: Final[Mapping[str, str]] = {
    "address_scope": "connection",
    "lockout_s": "60",
    "missing_eid": "skip",
    "path_prefix": "/api/v3",
    "pending": "true",
    "permission_check": "warn",
    "permission_field": "permissions",
    "throttle_scope": "connection",
}


class Bitso:
    """The four operations at Bitso.

    Options: `path_prefix`, the API's path below the host, which is signed; `permission_check`, what
    happens with a key that may do more than read (`warn`, `refuse`, `off`), as far as the field
    `permission_field` of the account's status tells; `missing_eid`, whether ledger entries without
    an id are passed over (`skip`) or told under a made one (`make`); `pending`, whether money under
    way is looked for in the lists of fundings and withdrawals; `lockout_s`, how long the first
    lock-out is waited out; `throttle_scope`, whose lock-out throttling is, and `address_scope`,
    whose trouble a refused address is (`connection` or `client`).
    """

    def __init__(
        self,
        http: VendorHttp,
        options: Mapping[str, str],
        *,
        now: Callable[[], datetime],
        rng: random.Random,
    ) -> None:
        chosen = options_with(options, _DEFAULT_OPTIONS, provider="bitso")

        def one_of(name: str, *allowed: str) -> str:
            return choice(chosen, name, allowed, provider="bitso")

        self._now = now
        self._names_the_nameless = one_of("missing_eid", "skip", "make") == "make"
        self._reads_pending = one_of("pending", "true", "false") == "true"
        self._permissions = KeyPermissions(
            one_of("permission_check", "warn", "refuse", "off"), chosen["permission_field"]
        )
        self._client = BitsoClient(
            http,
            prefix=matching(chosen, "path_prefix", _PATH_SHAPE, "a path", provider="bitso"),
            errors=bitso_errors(
                throttle_scope=one_of("throttle_scope", "connection", "client"),
                address_scope=one_of("address_scope", "connection", "client"),
            ),
            lockouts=Lockouts(
                float(whole_number(chosen, "lockout_s", low=1, high=86_400, provider="bitso"))
            ),
            now=now,
            rng=rng,
        )

    async def create_link(self, request: LinkRequest) -> LinkMade:
        """The fields to ask the user for; nothing is sent to Bitso, which knows no link sessions."""
        repairs = request.repair
        return LinkMade(
            link_type=LinkType.API_KEY_FORM,
            link_token=None,
            link_url=None,
            expires_at=self._now() + _FORM_LIFE,
            fields=key_fields(request.language),
            state={} if repairs is None else {_CLIENT_ID: credential_part(repairs, _CLIENT_ID)},
        )

    async def exchange_token(self, request: ExchangeRequest) -> Exchanged:
        """The user's key, once Bitso has told whose it is. It only reads, so it may be repeated."""
        key = user_key(request.temporary_token)
        try:
            status = section(await self._client.get(key, REGISTERING), "payload")
        except ProviderFailure as error:
            raise during_exchange(error) from None
        client_id = text(status, _CLIENT_ID)
        if request.state.get(_CLIENT_ID) not in (None, client_id):
            raise not_this_users()
        return Exchanged(
            credential=Credential({**key.reveal(), _CLIENT_ID: client_id}),
            login_key=client_id,
            provider_institution_id=request.provider_institution_id,
            status=ConnectionStatus.ACTIVE,
            warnings=self._permissions.warnings(status),
        )

    async def get_accounts(self, request: AccountsRequest) -> AccountsRead:
        """Every currency with money in it, and those that had some as far as is known.

        Bitso lists all that it trades; the answer is as of now.
        """
        client_id = credential_part(request.credential, _CLIENT_ID)
        asked_at = self._now()
        answer = await self._client.get(request.credential, "balance")
        accounts = tuple(
            account_of(row, client_id=client_id, as_of=asked_at)
            for row in rows(section(answer, "payload"), "balances")
        )
        return AccountsRead(
            accounts=tuple(
                account
                for account in accounts
                if account.balances.current
                or account.provider_account_id in request.known_account_ids
            ),
            as_of=asked_at,
            stale=False,
        )

    async def sync_transactions(self, request: TransactionsRequest) -> TransactionsRead:
        """Movements out of the ledger, and those under way that it does not have yet."""
        client_id = credential_part(request.credential, _CLIENT_ID)
        ledger = Ledger(
            self._client,
            request.credential,
            client_id=client_id,
            names_the_nameless=self._names_the_nameless,
        )
        asked, account_id = LedgerReading.of(request), request.provider_account_id
        following, walk = await ledger.read(asked, limit=request.limit, account_id=account_id)
        settled = frozenset(walk.settled)
        if walk.is_over and self._reads_pending:
            under_way = await PendingMoney(
                self._client,
                request.credential,
                ledger,
                client_id=client_id,
                account_id=account_id,
                now=self._now(),
            ).update(asked, settled=settled, room=request.limit - len(walk.rows))
        else:
            under_way = settled_only(asked.told, settled)
        return TransactionsRead(
            transactions=tuple(sorted((*walk.rows, *under_way.rows), key=Position.of)),
            removed=under_way.removed,
            next_cursor=replace(following, told=under_way.told).cursor(),
            has_more=not (walk.is_over and under_way.is_over),
            stale=False,
        )

    async def revoke(self, credential: Credential) -> None:
        """Nothing: Bitso has no call that ends a key. Its user deletes it, in Bitso's settings."""


def _vendor_http(client: VendorClient, _config: AdapterConfig) -> VendorHttp:
    return VendorHttp(client)


_QUOTAS: Final = (
    # docs.bitso.com: a user may make 300 calls in a minute, and repeated lock-outs end in a day's.
    # The 60 left are for exchanges, which come before there is a connection to count them by.
    Quota(QuotaScope.CONNECTION, 240, 60.0),
    # An address may make 60 calls without a key; one that Bitso does not know may count as none.
    Quota(QuotaScope.CLIENT, 60, 60.0, REGISTERING),
)

ADAPTER: Final = Adapter(
    base_urls={"sandbox": "https://stage.bitso.com", "production": "https://bitso.com"},
    quotas={"sandbox": _QUOTAS, "production": _QUOTAS},
    vendor_http=_vendor_http,
    build=lambda http, config: Bitso(
        http, config.options, now=config.now, rng=random.SystemRandom()
    ),
    webhooks=lambda _http, _config: BitsoWebhooks(),
    default_options=_DEFAULT_OPTIONS,
)
