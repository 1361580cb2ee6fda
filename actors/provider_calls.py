"""One provider's four operations: our ids in, the vendor's words out, and back again.

The only place that opens a credential. It knows the vault and the adapter, and neither breaker nor
limiter.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

from actors.attempt_failures import wrongly_empty
from actors.exchange_start import not_started
from actors.messages import (
    AccountsCall,
    AttemptOrder,
    ExchangeCall,
    LinkCall,
    NotAttempted,
    TransactionsCall,
)
from actors.ports import VaultPort
from actors.shown_before import ShownBefore
from orchestrator.catalogue import Catalogue
from orchestrator.domain import (
    Account,
    AccountsData,
    Clock,
    Credential,
    ErrorClass,
    ErrorScope,
    ExchangeData,
    Failure,
    LinkData,
    ProviderAccount,
    ProviderFailure,
    Transaction,
    TransactionsData,
    from_unix,
)
from orchestrator.identity import AccountKey, Cursor
from orchestrator.providers.attempt_trace import current_attempt
from orchestrator.providers.protocol import (
    AccountsRead,
    AccountsRequest,
    ExchangeRequest,
    FinancialProvider,
    LinkRequest,
    TransactionsRead,
    TransactionsRequest,
)
from orchestrator.vault import ExchangeStarted, LinkSession, NewConnection, VaultCipher

__all__ = ["ProviderCalls"]

_CACHED_CONNECTIONS: Final = 10_000


@dataclass(slots=True)
class _Opened:
    """A connection's credential in clear and the accounts known behind it."""

    version: int
    credential: Credential
    account_ids: dict[str, str]
    shown: ShownBefore = field(default_factory=ShownBefore)


def _other_login() -> ProviderFailure:
    return ProviderFailure(
        Failure(
            error_class=ErrorClass.VALIDATION,
            scope=ErrorScope.REQUEST,
            code="OTHER_LOGIN",
            message="this connection shows another login than the one asked for",
            elsewhere=True,
        )
    )


def _transaction_id(space_hash: str, provider: str, provider_transaction_id: str) -> str:
    text = f"{space_hash}\n{provider}\n{provider_transaction_id}"
    return f"txn_{hashlib.sha256(text.encode()).hexdigest()[:32]}"


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
    ) -> None:
        self._provider = provider
        self._adapter = adapter
        self._vault = vault
        self._cipher = cipher
        self._catalogue = catalogue
        self._clock = clock
        self._webhook_url = webhook_url
        self._opened: OrderedDict[str, _Opened] = OrderedDict()

    async def create_link(self, order: AttemptOrder, call: LinkCall) -> LinkData:
        """Make a link session and keep it.

        Raises:
            ProviderFailure: the vendor's.

        """
        repair = None
        if call.repairs is not None:
            repair = (await self._open(call.repairs, version=None)).credential
        link_session_id = f"ls_{uuid4().hex}"
        provider_institution_id = self._vendor_institution(call.institution_id)
        trace = current_attempt.get()
        if trace is not None:
            trace.link_session_id = link_session_id
            trace.provider_institution_id = provider_institution_id
        made = await self._adapter.create_link(
            LinkRequest(
                end_user_id=self._end_user_id(call.space_id),
                region=order.region,
                language=call.language,
                provider_institution_id=provider_institution_id,
                redirect_uri=call.redirect_uri,
                webhook_url=self._webhook_url,
                repair=repair,
            )
        )
        await self._vault.add_link_session(
            LinkSession(
                link_session_id=link_session_id,
                space_id=call.space_id,
                provider=self._provider,
                region=order.region,
                institution_id=call.institution_id,
                repairs_connection_id=call.repairs,
                sealed_state=self._cipher.seal(
                    json.dumps(dict(made.state)).encode(), associated=link_session_id
                ),
                created_at=self._clock.unix_s(),
                expires_at=None if made.expires_at is None else made.expires_at.timestamp(),
            )
        )
        return LinkData(
            link_session_id=link_session_id,
            provider=self._provider,
            link_token=made.link_token,
            link_url=made.link_url,
            expires_at=made.expires_at,
            link_type=made.link_type,
            fields=made.fields,
        )

    async def exchange_token(self, call: ExchangeCall) -> ExchangeData | NotAttempted:
        """Finish a link session, at most once.

        The intent is on disk before the first byte leaves; whoever awaits this must tell the vault
        how it ended (`settle_exchange`) when it raises or is cut.

        Raises:
            ProviderFailure: the vendor's.

        """
        start = await self._vault.begin_exchange(
            call.link_session_id, call.space_id, self._clock.unix_s()
        )
        session = start.session if isinstance(start, ExchangeStarted) else None
        if session is None:
            return not_started(start)
        token = json.loads(self._cipher.open(call.sealed_token, associated=call.link_session_id))
        state = json.loads(self._cipher.open(session.sealed_state, associated=call.link_session_id))
        exchanged = await self._adapter.exchange_token(
            ExchangeRequest(
                end_user_id=self._end_user_id(call.space_id),
                temporary_token=Credential(token),
                state=state,
                provider_institution_id=self._vendor_institution(session.institution_id),
            )
        )
        login_key_hash = self._cipher.mac(f"login:{exchanged.login_key}".encode())
        connection_id = (
            session.repairs_connection_id
            or await self._vault.connection_of_login(call.space_id, self._provider, login_key_hash)
            or f"conn_{uuid4().hex}"
        )
        record = await self._vault.finish_exchange(
            call.link_session_id,
            NewConnection(
                connection_id=connection_id,
                space_id=call.space_id,
                provider=self._provider,
                region=session.region,
                institution_id=session.institution_id
                or self._our_institution(exchanged.provider_institution_id),
                login_key_hash=login_key_hash,
                sealed_credential=self._cipher.seal(
                    json.dumps(exchanged.credential.reveal()).encode(), associated=connection_id
                ),
                status=exchanged.status,
                created_at=self._clock.unix_s(),
            ),
        )
        self._opened.pop(record.connection_id, None)
        return ExchangeData(
            connection_id=record.connection_id,
            provider=self._provider,
            institution_id=record.institution_id,
            status=record.status,
        )

    async def settle_exchange(self, link_session_id: str, *, in_doubt: bool) -> None:
        """Tell the vault how an exchange without success ended."""
        if in_doubt:
            await self._vault.doubt_exchange(link_session_id)
        else:
            await self._vault.release_exchange(link_session_id)

    async def get_accounts(self, order: AttemptOrder, call: AccountsCall) -> AccountsData:
        """Read a connection's accounts under our ids.

        Raises:
            ProviderFailure: the vendor's, or `OTHER_LOGIN`.

        """
        opened = await self._open(call.connection_id, call.credential_version)
        read = await self._adapter.get_accounts(
            AccountsRequest(opened.credential, allow_stale=call.allow_stale)
        )
        self._check_accounts(opened, read)
        await self._match(call.connection_id, opened, read.accounts)
        _check_login(opened, call.sibling_account_ids)
        return AccountsData(
            accounts=tuple(
                self._account(order, call.connection_id, opened, account)
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
        opened = await self._open(call.connection_id, call.credential_version)
        provider_account_id = None
        if call.account_id is not None or call.sibling_account_ids is not None:
            if not opened.account_ids:
                await self._read_accounts(call, opened)
            _check_login(opened, call.sibling_account_ids)
        if call.account_id is not None:
            provider_account_id = _vendor_account(opened, call.account_id)
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
        if any(t.provider_account_id not in opened.account_ids for t in read.transactions):
            await self._read_accounts(call, opened)

        def our_id(provider_transaction_id: str) -> str:
            return _transaction_id(order.space_hash, self._provider, provider_transaction_id)

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
                Transaction(
                    transaction_id=our_id(row.provider_transaction_id),
                    account_id=opened.account_ids[row.provider_account_id],
                    provider=self._provider,
                    provider_transaction_id=row.provider_transaction_id,
                    date=row.date,
                    posted_at=row.posted_at,
                    authorized_date=row.authorized_date,
                    amount=row.amount,
                    direction=row.direction,
                    currency=row.currency,
                    description=row.description,
                    merchant_name=row.merchant_name,
                    category=row.category,
                    pending=row.pending,
                    replaces_transaction_id=None
                    if row.replaces_provider_transaction_id is None
                    else our_id(row.replaces_provider_transaction_id),
                )
                for row in read.transactions
                if row.provider_account_id in opened.account_ids
            ),
            removed=tuple(our_id(gone) for gone in read.removed),
            next_cursor=cursor.encode(self._cipher.mac),
            has_more=read.has_more,
            stale=read.stale,
        )

    async def revoke(self, connection_id: str) -> None:
        """End a connection at the vendor.

        Raises:
            ProviderFailure: the vendor's.

        """
        opened = await self._open(connection_id, version=None)
        await self._adapter.revoke(opened.credential)
        self._opened.pop(connection_id, None)

    async def _open(self, connection_id: str, version: int | None) -> _Opened:
        known = self._opened.get(connection_id)
        if known is not None and known.version == version:
            self._opened.move_to_end(connection_id)
            return known
        sealed = await self._vault.credential(connection_id)
        if sealed is None:
            raise ProviderFailure(
                Failure(
                    error_class=ErrorClass.VALIDATION,
                    scope=ErrorScope.CONNECTION,
                    code="CONNECTION_GONE",
                    message="this connection was deleted while it was being read",
                    sent=False,
                )
            )
        clear = json.loads(self._cipher.open(sealed.sealed, associated=connection_id))
        opened = _Opened(sealed.version, Credential(clear), dict(sealed.account_ids))
        self._opened[connection_id] = opened
        while len(self._opened) > _CACHED_CONNECTIONS:
            self._opened.popitem(last=False)
        return opened

    async def _read_accounts(self, call: TransactionsCall, opened: _Opened) -> None:
        read = await self._adapter.get_accounts(
            AccountsRequest(opened.credential, allow_stale=call.allow_stale)
        )
        self._check_accounts(opened, read)
        await self._match(call.connection_id, opened, read.accounts)

    def _check_accounts(self, opened: _Opened, read: AccountsRead) -> None:
        if read.stale:
            return
        if opened.shown.doubts_accounts(
            seen=len(read.accounts), known=len(opened.account_ids), now=self._clock.now_s()
        ):
            raise ProviderFailure(wrongly_empty("accounts"))

    def _check_movements(
        self, opened: _Opened, call: TransactionsCall, read: TransactionsRead
    ) -> None:
        # After a cursor, nothing new is what mostly happens.
        if read.stale or call.provider_cursor is not None:
            return
        if opened.shown.doubts_movements(
            call.account_id,
            (row.date for row in read.transactions if not row.pending),
            start=call.start_date,
            end=call.end_date,
            now=self._clock.now_s(),
        ):
            raise ProviderFailure(wrongly_empty("movements"))

    async def _match(
        self, connection_id: str, opened: _Opened, accounts: Iterable[ProviderAccount]
    ) -> None:
        keys = tuple(
            AccountKey(a.provider_account_id, a.type, a.currency, a.mask) for a in accounts
        )
        if any(key.provider_account_id not in opened.account_ids for key in keys):
            opened.account_ids.update(
                await self._vault.match_accounts(connection_id, keys, self._clock.unix_s())
            )

    def _account(
        self, order: AttemptOrder, connection_id: str, opened: _Opened, account: ProviderAccount
    ) -> Account:
        return Account(
            account_id=opened.account_ids[account.provider_account_id],
            institution_id=order.institution_id or "",
            name=account.name,
            official_name=account.official_name,
            mask=account.mask,
            type=account.type,
            subtype=account.subtype,
            currency=account.currency,
            balances=account.balances,
            as_of=account.as_of,
            provider=self._provider,
            connection_id=connection_id,
            provider_account_id=account.provider_account_id,
        )

    def _end_user_id(self, space_id: str) -> str:
        return f"user_{self._cipher.mac(f'end-user:{space_id}'.encode())[:32]}"

    def _vendor_institution(self, institution_id: str | None) -> str | None:
        if institution_id is None:
            return None
        return self._catalogue.provider_id(institution_id, self._provider)

    def _our_institution(self, provider_institution_id: str | None) -> str:
        known = self._catalogue.institution_of(self._provider, provider_institution_id or "")
        if known is not None:
            return known.institution_id
        return f"{self._provider}:{provider_institution_id or 'unknown'}"


def _check_login(opened: _Opened, siblings: frozenset[str] | None) -> None:
    if siblings is not None and siblings.isdisjoint(opened.account_ids.values()):
        raise _other_login()


def _vendor_account(opened: _Opened, account_id: str) -> str:
    for provider_account_id, ours in opened.account_ids.items():
        if ours == account_id:
            return provider_account_id
    raise _other_login()
