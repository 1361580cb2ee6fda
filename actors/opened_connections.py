"""Connections as a provider's actor holds them: the credential in clear, the accounts behind it.

The only place that opens a credential. Nothing of it leaves this process.
"""

import json
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from actors.ports import VaultPort
from actors.shown_before import ShownBefore
from orchestrator.domain import (
    Clock,
    Credential,
    ErrorClass,
    ErrorScope,
    Failure,
    ProviderAccount,
    ProviderFailure,
)
from orchestrator.identity import AccountKey
from orchestrator.routing import OTHER_LOGIN
from orchestrator.vault import VaultCipher

__all__ = ["OpenedConnection", "OpenedConnections"]

_MOST_KEPT: Final = 10_000


def _other_login() -> ProviderFailure:
    return ProviderFailure(
        Failure(
            error_class=ErrorClass.VALIDATION,
            scope=ErrorScope.REQUEST,
            code=OTHER_LOGIN,
            message="this connection shows another login than the one asked for",
            elsewhere=True,
        )
    )


@dataclass(slots=True)
class OpenedConnection:
    """A connection's credential in clear. `account_ids` maps the provider's id to ours."""

    connection_id: str
    version: int
    credential: Credential
    account_ids: dict[str, str]
    shown: ShownBefore = field(default_factory=ShownBefore)

    def check_login(self, siblings: frozenset[str] | None) -> None:
        """Refuse a connection that shows none of the accounts it is to stand in for.

        Raises:
            ProviderFailure: `OTHER_LOGIN`.

        """
        if siblings is not None and siblings.isdisjoint(self.account_ids.values()):
            raise _other_login()

    def provider_account_id(self, account_id: str) -> str:
        """What the provider calls our account.

        Raises:
            ProviderFailure: `OTHER_LOGIN`, where it is not among the connection's.

        """
        for provider_account_id, ours in self.account_ids.items():
            if ours == account_id:
                return provider_account_id
        raise _other_login()


class OpenedConnections:
    """Opens connections and keeps the last ten thousand of them.

    Args:
        vault: holds them sealed.
        cipher: opens them.
        clock: for when accounts were seen.

    """

    def __init__(self, vault: VaultPort, cipher: VaultCipher, clock: Clock) -> None:
        self._vault = vault
        self._cipher = cipher
        self._clock = clock
        self._kept: OrderedDict[str, OpenedConnection] = OrderedDict()

    async def open(self, connection_id: str, version: int | None = None) -> OpenedConnection:
        """A connection; one that is kept serves only for the version of its credential.

        Raises:
            ProviderFailure: `CONNECTION_GONE`.

        """
        kept = self._kept.get(connection_id)
        if kept is not None and kept.version == version:
            self._kept.move_to_end(connection_id)
            return kept
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
        opened = OpenedConnection(
            connection_id, sealed.version, Credential(clear), dict(sealed.account_ids)
        )
        self._kept[connection_id] = opened
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return opened

    def forget(self, connection_id: str) -> None:
        """Let a connection go, as its credential has changed or ended."""
        self._kept.pop(connection_id, None)

    async def match(self, opened: OpenedConnection, accounts: Collection[ProviderAccount]) -> None:
        """Learn our ids of the accounts that a connection shows."""
        if all(a.provider_account_id in opened.account_ids for a in accounts):
            return
        keys = tuple(
            AccountKey(a.provider_account_id, a.type, a.currency, a.mask) for a in accounts
        )
        opened.account_ids.update(
            await self._vault.match_accounts(opened.connection_id, keys, self._clock.unix_s())
        )
