"""Linking at one provider: a session for its widget, and the connection that comes of it, once."""

import json
from typing import Final
from uuid import uuid4

import structlog

from actors.exchange_start import not_started
from actors.login_key_hash import login_key_hash
from actors.messages import AttemptOrder, ExchangeCall, LinkCall, NotAttempted
from actors.opened_connections import OpenedConnections
from actors.ports import VaultPort
from orchestrator.catalogue import Catalogue
from orchestrator.domain import Clock, Credential, ExchangeData, LinkData
from orchestrator.providers.attempt_trace import current_attempt
from orchestrator.providers.protocol import (
    Exchanged,
    ExchangeRequest,
    FinancialProvider,
    LinkRequest,
)
from orchestrator.vault import (
    ConnectionRecord,
    ExchangeStarted,
    LinkSession,
    NewConnection,
    VaultCipher,
)

__all__ = ["LinkCalls"]

_log = structlog.get_logger("provider")

_TO_SETTLE_S: Final = 5.0
"""How long after its time an exchange's end may still reach the vault."""


class LinkCalls:
    """Makes link sessions and exchanges them. Safe for concurrent use within one event loop.

    Args:
        provider: its name.
        adapter: its adapter.
        vault: connections and link sessions.
        cipher: seals what goes into the vault.
        catalogue: our institution ids and the provider's.
        clock: for times that are stored.
        opened: connections that are open, one of which a repair begins with.
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
        opened: OpenedConnections,
        webhook_url: str | None,
        exchange_consumes: bool,
    ) -> None:
        self._provider = provider
        self._adapter = adapter
        self._vault = vault
        self._cipher = cipher
        self._catalogue = catalogue
        self._clock = clock
        self._opened = opened
        self._webhook_url = webhook_url
        self._exchange_consumes = exchange_consumes

    async def create_link(self, order: AttemptOrder, call: LinkCall) -> LinkData:
        """Make a link session and keep it.

        Raises:
            ProviderFailure: the vendor's.

        """
        repair = None
        if call.repairs is not None:
            repair = (await self._opened.open(call.repairs)).credential
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

    async def exchange_token(
        self, order: AttemptOrder, call: ExchangeCall
    ) -> ExchangeData | NotAttempted:
        """Finish a link session, at most once.

        The intent is on disk before the first byte leaves; whoever awaits this must tell the vault
        how it ended (`settle_exchange`) when it raises or is cut.

        Raises:
            ProviderFailure: the vendor's.

        """
        now = self._clock.unix_s()
        start = await self._vault.begin_exchange(
            call.link_session_id,
            call.space_id,
            now,
            again=not self._exchange_consumes,
            ends_at=now + order.time_left_s + _TO_SETTLE_S,
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
        record = await self._keep(call, session, exchanged)
        self._opened.forget(record.connection_id)
        return ExchangeData(
            connection_id=record.connection_id,
            provider=self._provider,
            institution_id=record.institution_id,
            status=record.status,
            warnings=exchanged.warnings,
        )

    async def settle_exchange(self, link_session_id: str, *, in_doubt: bool) -> None:
        """Tell the vault how an exchange without success ended."""
        if in_doubt:
            await self._vault.doubt_exchange(link_session_id)
        else:
            await self._vault.release_exchange(link_session_id)

    async def _keep(
        self, call: ExchangeCall, session: LinkSession, exchanged: Exchanged
    ) -> ConnectionRecord:
        """Keep a connection under its id: the repaired one's, that of the same login, or a new one.

        What is sealed is bound to that id, so that the vault, which alone can say whether the login
        has been linked, is asked again once it has told of such a connection.
        """
        login_hash = login_key_hash(self._cipher, exchanged.login_key)
        credential = json.dumps(exchanged.credential.reveal()).encode()
        connection_id = session.repairs_connection_id or f"conn_{uuid4().hex}"
        while True:
            kept = await self._vault.finish_exchange(
                call.link_session_id,
                NewConnection(
                    connection_id=connection_id,
                    space_id=call.space_id,
                    provider=self._provider,
                    region=session.region,
                    institution_id=self._institution_of(session, exchanged),
                    login_key_hash=login_hash,
                    sealed_credential=self._cipher.seal(credential, associated=connection_id),
                    status=exchanged.status,
                    created_at=self._clock.unix_s(),
                ),
            )
            if isinstance(kept, ConnectionRecord):
                return kept
            connection_id = kept.connection_id

    def _end_user_id(self, space_id: str) -> str:
        return f"user_{self._cipher.mac(f'end-user:{space_id}'.encode())[:32]}"

    def _vendor_institution(self, institution_id: str | None) -> str | None:
        if institution_id is None:
            return None
        return self._catalogue.provider_id(institution_id, self._provider)

    def _institution_of(self, session: LinkSession, exchanged: Exchanged) -> str:
        """Our id of where the user has linked: what the vendor names, where we know it.

        A user can choose another bank in some widgets than the one that was asked for. A name that
        the catalogue does not hold may be the same bank's under another of its ids.
        """
        named = exchanged.provider_institution_id
        known = self._catalogue.institution_of(self._provider, named or "")
        if known is None:
            return session.institution_id or f"{self._provider}:{named or 'unknown'}"
        if session.institution_id not in (None, known.institution_id):
            _log.warning(
                "linked_at_another_institution",
                provider=self._provider,
                asked=session.institution_id,
                linked=known.institution_id,
            )
        return known.institution_id
