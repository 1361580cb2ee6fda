"""One provider's operations: our ids in, the vendor's words out, and back again.

Linking is done by `LinkCalls`, the reading here. It knows the vault and the adapter, and neither breaker nor limiter.
"""

from collections.abc import Iterable

import structlog

from actors.attempt_failures import wrongly_empty
from actors.link_calls import LinkCalls
from actors.messages import (
    AccountsCall,
    AttemptOrder,
    ExchangeCall,
    LinkCall,
    NotAttempted,
    TransactionsCall,
)
from actors.opened_connections import OpenedConnection, OpenedConnections
from actors.our_records import our_account, our_transaction, our_transaction_id
from actors.ports import ActorLost, VaultPort
from actors.vanished_rows import VanishedRows
from orchestrator.catalogue import Catalogue
from orchestrator.domain import (
    AccountsData,
    Clock,
    ExchangeData,
    LinkData,
    ProviderFailure,
    StoreError,
    TransactionsData,
    from_unix,
)
from orchestrator.identity import Cursor
from orchestrator.providers.protocol import (
    AccountsRead,
    AccountsRequest,
    FinancialProvider,
    KeepsKeysBack,
    TransactionsRead,
    TransactionsRequest,
)
from orchestrator.vault import VaultCipher

__all__ = ["ProviderCalls"]

_log = structlog.get_logger("provider")


class ProviderCalls:
    """Runs a provider's operations. Safe for concurrent use within one event loop.

    Args:
        provider: its name.
        adapter: its adapter.
        vault: connections and link sessions.
        cipher: opens what the vault holds.
        catalogue: our institution ids and the provider's.
        clock: for times that are stored.
        webhook_url: where the vendor may report; None without a public address.
        exchange_consumes: whether an exchange uses its temporary token up; where it does not, a
            doubt is cleared by asking once more.

    """

    def __init__(
        self,
        provider: str,
        adapter: FinancialProvider,
        *,
        vault: VaultPort,
        cipher: VaultCipher,
        catalogue: Catalogue,
        clock: Clock,
        webhook_url: str | None = None,
        exchange_consumes: bool = True,
    ) -> None:
        self._provider = provider
        self._adapter = adapter
        self._vault = vault
        self._cipher = cipher
        self._clock = clock
        self._opened = OpenedConnections(vault, cipher, clock)
        self._links = LinkCalls(
            provider,
            adapter,
            vault=vault,
            cipher=cipher,
            catalogue=catalogue,
            clock=clock,
            opened=self._opened,
            webhook_url=webhook_url,
            exchange_consumes=exchange_consumes,
        )
        self._vanished = VanishedRows(vault, clock)

    async def create_link(self, order: AttemptOrder, call: LinkCall) -> LinkData:
        """See `LinkCalls`."""
        return await self._links.create_link(order, call)

    async def exchange_token(
        self, order: AttemptOrder, call: ExchangeCall
    ) -> ExchangeData | NotAttempted:
        """See `LinkCalls`."""
        return await self._links.exchange_token(order, call)

    async def settle_exchange(self, link_session_id: str, *, in_doubt: bool) -> None:
        """See `LinkCalls`."""
        await self._links.settle_exchange(link_session_id, in_doubt=in_doubt)

    async def get_accounts(self, order: AttemptOrder, call: AccountsCall) -> AccountsData:
        """Read a connection's accounts under our ids.

        Raises:
            ProviderFailure: the vendor's, or `OTHER_LOGIN`.

        """
        opened = await self._opened.open(call.connection_id, call.credential_version)
        read = await self._read_accounts(call, opened)
        opened.check_login(call.sibling_account_ids)
        return AccountsData(
            accounts=tuple(
                our_account(
                    account,
                    opened.account_ids[account.provider_account_id],
                    provider=self._provider,
                    connection_id=call.connection_id,
                    institution_id=order.institution_id or "",
                )
                for account in read.accounts
            ),
            as_of=read.as_of or from_unix(self._clock.unix_s()),
            stale=read.stale,
        )

    async def sync_transactions(
        self, order: AttemptOrder, call: TransactionsCall
    ) -> TransactionsData:
        """Read a connection's movements under our ids.

        Raises:
            ProviderFailure: the vendor's, or `OTHER_LOGIN`.

        """
        opened = await self._opened.open(call.connection_id, call.credential_version)
        provider_account_id = None
        if call.account_id is not None or call.sibling_account_ids is not None:
            if not opened.account_ids:
                await self._read_accounts(call, opened)
            opened.check_login(call.sibling_account_ids)
        if call.account_id is not None:
            provider_account_id = opened.provider_account_id(call.account_id)
        read_began_at = self._clock.unix_s()
        read = await self._adapter.sync_transactions(
            TransactionsRequest(
                credential=opened.credential,
                provider_account_id=provider_account_id,
                start_date=call.start_date,
                end_date=call.end_date,
                cursor=call.provider_cursor,
                limit=call.limit,
                allow_stale=call.allow_stale,
                today=from_unix(self._clock.unix_s()).date(),
            )
        )
        self._check_movements(opened, call, read)
        removed = await self._vanished.removed(opened, read)
        named = {t.provider_account_id for t in read.transactions}
        if not named <= opened.account_ids.keys():
            await self._read_accounts(call, opened, named)
        unknown = sum(t.provider_account_id not in opened.account_ids for t in read.transactions)
        if unknown:
            # An account that the vendor no longer lists has no id of ours to tell them under.
            _log.warning("movements_of_unlisted_accounts", provider=self._provider, rows=unknown)
        await self._clear_refresh_due(call, read, read_began_at)
        cursor = Cursor(
            space_id=call.space_id,
            provider=self._provider,
            connection_id=call.connection_id,
            account_id=call.account_id,
            provider_cursor=read.next_cursor,
            since=call.start_date if read.has_more else call.end_date,
        )
        return TransactionsData(
            transactions=tuple(
                our_transaction(
                    row,
                    opened.account_ids[row.provider_account_id],
                    provider=self._provider,
                    space_hash=order.space_hash,
                )
                for row in read.transactions
                if row.provider_account_id in opened.account_ids
            ),
            removed=tuple(
                our_transaction_id(order.space_hash, self._provider, gone) for gone in removed
            ),
            next_cursor=cursor.encode(self._cipher.mac),
            has_more=read.has_more,
            stale=read.stale,
        )

    async def revoke(self, connection_id: str) -> None:
        """End a connection at the vendor.

        Raises:
            ProviderFailure: the vendor's.

        """
        opened = await self._opened.open(connection_id)
        await self._adapter.revoke(opened.credential)
        self._opened.forget(connection_id)

    def keys_trusted_again(self) -> None:
        """An operator vouches for our keys; for an adapter that holds them back once refused."""
        if isinstance(self._adapter, KeepsKeysBack):
            self._adapter.keys_trusted_again()

    async def _read_accounts(
        self,
        call: AccountsCall | TransactionsCall,
        opened: OpenedConnection,
        named: Iterable[str] = (),
    ) -> AccountsRead:
        """A connection's accounts, with our ids learnt; `named` are those that movements name."""
        read = await self._adapter.get_accounts(
            AccountsRequest(
                opened.credential,
                allow_stale=call.allow_stale,
                known_account_ids=frozenset((*opened.account_ids, *named)),
            )
        )
        self._check_accounts(opened, read)
        await self._opened.match(opened, read.accounts)
        return read

    async def _clear_refresh_due(
        self, call: TransactionsCall, read: TransactionsRead, began_at: float
    ) -> None:
        """Take the mark back that a reading has met, once it has come to its end."""
        if not call.refresh_due or read.stale or read.has_more:
            return
        try:
            await self._vault.clear_refresh_due(call.connection_id, began_at)
        except (ActorLost, StoreError) as error:
            # It is read once more; what this reading has brought is not lost for it.
            _log.warning("refresh_mark_left", provider=self._provider, error=type(error).__name__)

    def _check_accounts(self, opened: OpenedConnection, read: AccountsRead) -> None:
        if read.stale:
            return
        if opened.shown.doubts_accounts(
            seen=len(read.accounts), known=len(opened.account_ids), now=self._clock.now_s()
        ):
            raise ProviderFailure(wrongly_empty("accounts"))

    def _check_movements(
        self, opened: OpenedConnection, call: TransactionsCall, read: TransactionsRead
    ) -> None:
        # After a cursor, nothing new is what mostly happens; before the last part, nothing yet.
        nothing_yet = read.has_more and not read.transactions
        if read.stale or nothing_yet or call.provider_cursor is not None:
            return
        if opened.shown.doubts_movements(
            call.account_id,
            (row.date for row in read.transactions if not row.pending),
            start=call.start_date,
            end=call.end_date,
            now=self._clock.now_s(),
        ):
            raise ProviderFailure(wrongly_empty("movements"))
