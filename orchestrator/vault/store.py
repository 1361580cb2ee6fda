"""The vault: everything that one database keeps. Ciphertext only, where there is a secret."""

from collections.abc import Callable
from uuid import uuid4

from sqlalchemy import URL

from orchestrator.domain import StoreError

from .cipher import VaultCipher
from .connections import Connections, connection_of_login, keep_connection, record_of
from .database import Database
from .idempotency import IdempotencyLedger
from .key_check import check_keys
from .link_sessions import LinkSessions, mark_exchanged, repaired_by
from .migrating import migrate
from .resealing import Resealed, reseal, sealed_rows
from .seen_movements import SeenMovements
from .values import ConnectionRecord, LoginLinked, NewConnection
from .webhook_events import WebhookEvents

__all__ = ["VaultStore"]


class VaultStore:
    """Opens the database and brings it to this program's schema.

    Args:
        url: from `vault_url`; `threads_for` tells how many threads may use the store at once.

    Raises:
        StoreError: it cannot be opened, or belongs to a newer program.

    """

    def __init__(self, url: URL) -> None:
        self._database = Database(url)
        try:
            migrate(self._database)
        except BaseException:
            self._database.close()
            raise
        self.link_sessions = LinkSessions(self._database)
        self.connections = Connections(self._database, lambda: f"acc_{uuid4().hex}")
        self.seen_movements = SeenMovements(self._database)
        self.idempotency = IdempotencyLedger(self._database)
        self.webhook_events = WebhookEvents(self._database)

    def check_keys(self, cipher: VaultCipher) -> None:
        """Refuse keys under which this vault's logins would not be recognised.

        Raises:
            ConfigurationError: the vault was made under other keys.

        """
        with self._database.writing() as transaction:
            check_keys(transaction, cipher)

    def finish_exchange(
        self, link_session_id: str, new: NewConnection
    ) -> ConnectionRecord | LoginLinked:
        """Keep what an exchange made, and the session's answer, in one transaction.

        A login has one connection in a space, whoever else links it at the same moment: where
        there is one already, it is told and nothing is kept. A repair keeps to its own connection.
        The same once more changes nothing but the credential's version.

        Raises:
            StoreError: the connection vanished meanwhile.

        """
        with self._database.writing() as transaction:
            if repaired_by(transaction, link_session_id) != new.connection_id:
                linked = connection_of_login(transaction, new)
                if linked not in (None, new.connection_id):
                    return LoginLinked(linked)
            keep_connection(transaction, new)
            mark_exchanged(transaction, link_session_id, new.connection_id)
            record = record_of(transaction, new.connection_id)
        if record is None:
            raise StoreError("the new connection could not be read back")
        return record

    def sealed_rows(self) -> int:
        """How many rows `reseal` has to look at."""
        return sealed_rows(self._database)

    def reseal(
        self, cipher: VaultCipher, progress: Callable[[int], None] = lambda _rows: None
    ) -> Resealed:
        """Seal everything under the cipher's first key; see `resealing.reseal`."""
        return reseal(self._database, cipher, progress)

    def recover(self) -> None:
        """Settle what a crash left open; call it once at the start."""
        self.link_sessions.recover()
        self.idempotency.recover()

    def purge(self, now: float) -> None:
        """Forget what is over: old keys and events, the state of expired link sessions."""
        self.idempotency.purge(now)
        self.webhook_events.purge(now)
        self.link_sessions.purge(now)

    def close(self) -> None:
        """Let the database go."""
        self._database.close()
