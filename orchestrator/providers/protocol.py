"""What every provider adapter implements: the four operations, and the data about it.

An adapter is stateless between calls but for what its vendor's protocol demands (a token, say).
It raises `ProviderFailure` and nothing else on purpose. It gets a `VendorHttp` that already knows
the base URL, bounds answers in size and time, and counts calls; it never sees breaker or limiter.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol, runtime_checkable

from orchestrator.domain import (
    CompleteListing,
    ConnectionStatus,
    Credential,
    LinkField,
    LinkType,
    ProviderAccount,
    ProviderTransaction,
)

__all__ = [
    "AccountsRead",
    "AccountsRequest",
    "ExchangeRequest",
    "Exchanged",
    "FinancialProvider",
    "KeepsKeysBack",
    "LinkMade",
    "LinkRequest",
    "TransactionsRead",
    "TransactionsRequest",
]


@dataclass(frozen=True, slots=True)
class LinkRequest:
    """Make a link session.

    `end_user_id` is opaque, the same for one space at every provider, and at least 16 characters.
    `provider_institution_id` is the vendor's own id. `repair` is the credential of the connection
    to mend. `webhook_url` is where the vendor may report, if we have a public address.
    """

    end_user_id: str
    region: str
    language: str
    provider_institution_id: str | None
    redirect_uri: str | None
    webhook_url: str | None
    repair: Credential | None


@dataclass(frozen=True, slots=True)
class LinkMade:
    """A link session at the vendor.

    `state` is what the exchange will need again (an MX user guid, say); it is sealed into the vault
    with the link session and handed back in `ExchangeRequest.state`.
    """

    link_type: LinkType
    link_token: str | None
    link_url: str | None
    expires_at: datetime | None
    fields: tuple[LinkField, ...] | None = None
    state: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExchangeRequest:
    """Turn what the widget gave into a connection.

    `temporary_token` holds one part, `token`, or for an `api_key_form` one part per field.
    """

    end_user_id: str
    temporary_token: Credential
    state: Mapping[str, str]
    provider_institution_id: str | None


@dataclass(frozen=True, slots=True)
class Exchanged:
    """A connection that now exists at the vendor.

    `login_key` identifies the institution login at the vendor without granting anything, so that a
    repaired or repeated link of the same login is recognised (Plaid's item id, an MX member guid).
    `warnings` are sentences of ours for the caller: the connection works, but something about it
    should be looked at.
    """

    credential: Credential
    login_key: str
    provider_institution_id: str | None
    status: ConnectionStatus
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AccountsRequest:
    """Read a connection's accounts; `allow_stale` takes old data of a broken connection.

    `known_account_ids` are the vendor's ids of accounts that this connection has shown before or
    has told movements of: a vendor whose accounts come and go with their money keeps these listed.
    """

    credential: Credential
    allow_stale: bool
    known_account_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AccountsRead:
    """All accounts of a connection. `stale` where the vendor awaits fresher data."""

    accounts: tuple[ProviderAccount, ...]
    as_of: datetime | None
    stale: bool


@dataclass(frozen=True, slots=True)
class TransactionsRequest:
    """Read movements of a connection.

    Without `cursor`: all with `start_date <= date <= end_date`. With the adapter's own `cursor`
    (from `TransactionsRead.next_cursor`): what changed since; the dates are then only a hint that
    bounds a re-reading. `provider_account_id` narrows to one account. `today` is the caller's UTC
    date. At most `limit` transactions come back, the rest by the next cursor.
    """

    credential: Credential
    provider_account_id: str | None
    start_date: date
    end_date: date
    cursor: str | None
    limit: int
    allow_stale: bool
    today: date

    @property
    def provider_account_ids(self) -> tuple[str, ...] | None:
        """The accounts to which it is narrowed, None for all."""
        one = self.provider_account_id
        return None if one is None else (one,)


@dataclass(frozen=True, slots=True)
class TransactionsRead:
    """Movements, ordered by (date, provider_transaction_id). `removed` holds vendor ids.

    `next_cursor` is the adapter's own text, non-secret, at most 1,500 characters, and always there:
    with `has_more` it continues this answer, without it asks what changed afterwards.
    `listing` is set by vendors that tell no removals, with `listed_at`, when its reading began:
    whoever keeps what was seen compares, and what is gone since `told_since` (the reading before,
    None where there was none) is removed too.
    """

    transactions: tuple[ProviderTransaction, ...]
    removed: tuple[str, ...]
    next_cursor: str
    has_more: bool
    stale: bool
    listing: CompleteListing | None = None
    listed_at: datetime | None = None
    told_since: datetime | None = None


@runtime_checkable
class FinancialProvider(Protocol):
    """The four operations at one vendor.

    Every method raises `ProviderFailure` with a classified failure, and may be cancelled at any
    await when the attempt's time is up.
    """

    async def create_link(self, request: LinkRequest) -> LinkMade:
        """Make (or, with `repair`, re-open) a link session."""
        ...

    async def exchange_token(self, request: ExchangeRequest) -> Exchanged:
        """Turn the widget's result into a credential, having checked that it is this user's."""
        ...

    async def get_accounts(self, request: AccountsRequest) -> AccountsRead:
        """Read every account of the connection, all pages."""
        ...

    async def sync_transactions(self, request: TransactionsRequest) -> TransactionsRead:
        """Read movements, all pages of the vendor's, cut at `limit`."""
        ...

    async def revoke(self, credential: Credential) -> None:
        """End the connection at the vendor; quiet when it is already gone."""
        ...


@runtime_checkable
class KeepsKeysBack(Protocol):
    """An adapter that does not send our keys again once its vendor has refused them.

    For vendors at which trying again does harm. The circuit alone does not hold everything back:
    an operator can force it, and a revocation does not ask it.
    """

    def keys_trusted_again(self) -> None:
        """Try the keys once more when they are next needed: an operator has said so."""
        ...
