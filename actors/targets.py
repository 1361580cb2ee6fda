"""What a request is about: its candidates, and the call that each of them would get."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from actors.known_connections import KnownConnections
from actors.messages import AccountsCall, Call, ExchangeCall, LinkCall, TransactionsCall
from actors.ports import VaultPort
from actors.resolved_reads import ResolvedReads
from actors.router_candidates import BlockOf, CandidateBook
from orchestrator.domain import (
    Clock,
    CreateLinkParams,
    ErrorType,
    ExchangeData,
    GetAccountsParams,
    OperationError,
    OperationRequest,
    RequestRefused,
    SealedExchange,
    SyncTransactionsParams,
    from_unix,
    quick_init,
)
from orchestrator.identity import Cursor
from orchestrator.routing import (
    Candidate,
    CandidateFacts,
    ReadTarget,
    Resolution,
)
from orchestrator.vault import ConnectionRecord, VaultCipher

__all__ = ["Target", "Targets"]

_DEFAULT_WINDOW: Final = dt.timedelta(days=90)
_OVERLAP: Final = dt.timedelta(days=14)
"""How far back another provider re-reads: pending rows live that long."""


@quick_init
@dataclass(frozen=True, slots=True)
class Target:
    """What one request is about.

    `answered` is set where it was answered before and nothing is to be sent. `needs_user`: ids of
    connections that are noted as waiting for their user.
    """

    region: str
    institution_id: str | None
    facts: tuple[CandidateFacts, ...]
    call_for: Callable[[Candidate], Call]
    pinned: bool = False
    answered: ExchangeData | None = None
    needs_user: frozenset[str] = frozenset()

    def holds(self, provider: str) -> bool:
        """Whether a provider is among the candidates."""
        return any(facts.candidate.provider == provider for facts in self.facts)


def _not_found(code: str, message: str) -> RequestRefused:
    return RequestRefused(OperationError(ErrorType.NOT_FOUND, code, message))


class Targets:
    """Resolves requests against vault and catalogue.

    Args:
        book: regions, configured providers, catalogue.
        vault: link sessions, and single connections.
        known: connections of spaces.
        cipher: proves cursors.
        clock: for today's date.

    """

    def __init__(
        self,
        book: CandidateBook,
        vault: VaultPort,
        known: KnownConnections,
        cipher: VaultCipher,
        clock: Clock,
    ) -> None:
        self._book = book
        self._vault = vault
        self._known = known
        self._resolved = ResolvedReads(book.regions)
        self._cipher = cipher
        self._clock = clock

    async def of(self, request: OperationRequest, block_of: BlockOf) -> Target:
        """What this request is about.

        Raises:
            RequestRefused: it names something that is not there, or too little.

        """
        params = request.params
        if request.spaces is not None and params.space_id not in request.spaces:
            raise _not_found("UNKNOWN_SPACE", "there is no such space")
        if isinstance(params, CreateLinkParams):
            target = await self._link(request, params, block_of)
        elif isinstance(params, SealedExchange):
            target = await self._exchange(params, block_of)
        else:
            target = await self._read(params, block_of)
        stranger = self._book.out_of_region(request.preferred_provider, target.region)
        if stranger is None or target.pinned or target.holds(stranger.candidate.provider):
            return target
        return replace(target, facts=(*target.facts, stranger))

    async def _link(
        self, request: OperationRequest, params: CreateLinkParams, block_of: BlockOf
    ) -> Target:
        def call(_candidate: Candidate) -> Call:
            return LinkCall(
                space_id=params.space_id,
                institution_id=institution_id,
                language=params.language,
                redirect_uri=params.redirect_uri,
                repairs=params.connection_id,
            )

        if params.connection_id is not None:
            record = await self._connection(params.space_id, params.connection_id)
            institution_id: str | None = record.institution_id
            candidate = Candidate(record.provider, record.connection_id, institution_id)
            facts = self._book.pinned(candidate, block_of)
            return Target(record.region, institution_id, facts, call, pinned=True)
        linked: tuple[ConnectionRecord, ...] = ()
        if params.backup:
            linked = await self._known.of_space(params.space_id)
        institution_id = params.institution_id
        facts = self._book.for_link(params, request.region, linked, block_of)
        return Target(request.region, institution_id, facts, call)

    async def _exchange(self, params: SealedExchange, block_of: BlockOf) -> Target:
        view = await self._vault.link_session(params.link_session_id)
        if view is None or view.session.space_id != params.space_id:
            raise _not_found("UNKNOWN_LINK_SESSION", "this space has no such link session")
        session = view.session
        made = view.connection
        return Target(
            session.region,
            session.institution_id,
            self._book.pinned(
                Candidate(session.provider, session.repairs_connection_id, session.institution_id),
                block_of,
            ),
            lambda _candidate: ExchangeCall(
                params.space_id, params.link_session_id, params.sealed_token
            ),
            pinned=True,
            answered=None
            if made is None
            else ExchangeData(made.connection_id, made.provider, made.institution_id, made.status),
        )

    async def _read(
        self, params: GetAccountsParams | SyncTransactionsParams, block_of: BlockOf
    ) -> Target:
        records = await self._known.of_space(params.space_id)
        if not records and not await self._vault.space_exists(params.space_id):
            raise _not_found("UNKNOWN_SPACE", "there is no such space: it begins with a createLink")
        cursor = None
        account_id = None
        connection_id = params.connection_id
        institution_id = params.institution_id
        if isinstance(params, SyncTransactionsParams):
            cursor = self._cursor(params)
            account_id = params.account_id
        if cursor is not None:
            account_id = account_id or cursor.account_id
            if account_id is None and institution_id is None and connection_id is None:
                institution_id = next(
                    (r.institution_id for r in records if r.connection_id == cursor.connection_id),
                    None,
                )
        found = self._resolved.of(
            params.space_id, records, ReadTarget(account_id, institution_id, connection_id)
        )
        versions = {record.connection_id: record.credential_version for record in records}
        due = {r.connection_id for r in records if r.refresh_due_at is not None}

        def call(candidate: Candidate) -> Call:
            linked = found.by_provider[candidate.provider]
            siblings = found.sibling_account_ids if linked.account_ids is None else None
            version = versions[linked.connection_id]
            if isinstance(params, GetAccountsParams):
                return AccountsCall(linked.connection_id, version, params.allow_stale, siblings)
            start, end = self._window(params, cursor, linked.connection_id)
            ours = cursor is not None and cursor.connection_id == linked.connection_id
            return TransactionsCall(
                space_id=params.space_id,
                connection_id=linked.connection_id,
                credential_version=version,
                allow_stale=params.allow_stale,
                sibling_account_ids=siblings,
                account_id=account_id,
                start_date=start,
                end_date=end,
                provider_cursor=cursor.provider_cursor if ours and cursor is not None else None,
                limit=params.limit,
                refresh_due=linked.connection_id in due,
            )

        return Target(
            found.region,
            found.institution_id,
            self._facts(found, block_of, pinned=connection_id),
            call,
            pinned=connection_id is not None,
            needs_user=frozenset(
                linked.connection_id for linked in found.by_provider.values() if linked.needs_user
            ),
        )

    def _facts(
        self, found: Resolution, block_of: BlockOf, *, pinned: str | None
    ) -> tuple[CandidateFacts, ...]:
        if pinned is None:
            return self._book.for_read(found, block_of)
        linked = next(iter(found.by_provider.values()))
        candidate = Candidate(linked.provider, linked.connection_id, linked.institution_id)
        return self._book.pinned(candidate, block_of)

    def _cursor(self, params: SyncTransactionsParams) -> Cursor | None:
        if params.cursor is None:
            return None
        try:
            cursor = Cursor.decode(params.cursor, params.space_id, self._cipher.mac)
        except ValueError:
            raise _bad_cursor("is not a nextCursor that this space was given") from None
        if params.account_id not in (None, cursor.account_id):
            raise _bad_cursor("belongs to another accountId")
        return cursor

    def _window(
        self, params: SyncTransactionsParams, cursor: Cursor | None, connection_id: str
    ) -> tuple[dt.date, dt.date]:
        today = from_unix(self._clock.unix_s()).date()
        if cursor is not None:
            overlap = dt.timedelta(0) if cursor.connection_id == connection_id else _OVERLAP
            return min(cursor.since - overlap, today), today
        end = params.end_date or max(today, params.start_date or today)
        return params.start_date or end - _DEFAULT_WINDOW, end

    async def _connection(self, space_id: str, connection_id: str) -> ConnectionRecord:
        record = await self._vault.connection(connection_id)
        if record is None or record.space_id != space_id:
            raise _not_found("UNKNOWN_CONNECTION", "this space has no such connection")
        return record


def _bad_cursor(what: str) -> RequestRefused:
    return RequestRefused(
        OperationError(ErrorType.VALIDATION, "INVALID_CURSOR", f"params.cursor: {what}")
    )
