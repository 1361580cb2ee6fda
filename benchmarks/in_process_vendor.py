"""A vendor within the provider's actor: it links, and tells the same accounts at once."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import httpx

from actors.provider_actor import ProviderActor, Vendor
from orchestrator.domain import (
    AccountType,
    Balances,
    ConnectionStatus,
    Credential,
    LinkType,
    ProviderAccount,
)
from orchestrator.providers.protocol import (
    AccountsRead,
    AccountsRequest,
    Exchanged,
    ExchangeRequest,
    LinkMade,
    LinkRequest,
    TransactionsRead,
    TransactionsRequest,
)

__all__ = ["InProcessProviderActor"]

_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
_ACCOUNTS: Final = tuple(
    ProviderAccount(
        provider_account_id=f"benchmark-account-{number}",
        name=f"Everyday Checking {number}",
        official_name=None,
        mask=f"{number:04}",
        type=AccountType.DEPOSITORY,
        subtype="checking",
        currency="USD",
        balances=Balances(available=Decimal("100.25"), current=Decimal("110.50"), limit=None),
        as_of=_AT,
    )
    for number in range(4)
)


class _InProcess:
    """A `FinancialProvider` that asks nobody."""

    async def create_link(self, request: LinkRequest) -> LinkMade:  # noqa: ARG002  the protocol's
        """A link session without an end."""
        return LinkMade(
            link_type=LinkType.WIDGET_TOKEN,
            link_token="link-benchmark-token",
            link_url=None,
            expires_at=None,
        )

    async def exchange_token(self, request: ExchangeRequest) -> Exchanged:
        """A credential of nothing."""
        return Exchanged(
            credential=Credential({"access_token": "access-benchmark-token"}),
            login_key="benchmark-item",
            provider_institution_id=request.provider_institution_id,
            status=ConnectionStatus.ACTIVE,
        )

    async def get_accounts(self, request: AccountsRequest) -> AccountsRead:  # noqa: ARG002  the protocol's
        """The same four."""
        return AccountsRead(accounts=_ACCOUNTS, as_of=_AT, stale=False)

    async def sync_transactions(self, request: TransactionsRequest) -> TransactionsRead:  # noqa: ARG002  the protocol's
        """None."""
        return TransactionsRead(
            transactions=(), removed=(), next_cursor="benchmark", has_more=False, stale=False
        )

    async def revoke(self, credential: Credential) -> None:
        """Nothing to end."""


class InProcessProviderActor(ProviderActor):
    """A provider's actor as it ships, over a vendor that answers without a network."""

    def __init__(self, name: str) -> None:
        vendor = Vendor(
            provider=_InProcess(),
            client=httpx.AsyncClient(trust_env=False),
            quotas=(),
            exchange_consumes=True,
            webhooks=None,
        )
        super().__init__(name, vendor)
