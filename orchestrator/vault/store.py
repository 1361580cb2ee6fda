"""The vault: link sessions, connections and idempotency keys in one database. Ciphertext only."""

from pathlib import Path
from uuid import uuid4

from orchestrator.domain import StoreError

from .connections import Connections, keep_connection, record_of
from .idempotency import IdempotencyLedger
from .link_sessions import LinkSessions, mark_exchanged
from .schema import open_database
from .values import ConnectionRecord, NewConnection

__all__ = ["VAULT_FILE", "VaultStore", "vault_url"]

VAULT_FILE = "vault.sqlite"


def vault_url(data_dir: Path) -> str:
    """The database's URL under a data folder."""
    return f"sqlite:///{data_dir / VAULT_FILE}"


class VaultStore:
    """Opens the database; use it from one thread.

    Args:
        url: see `open_database`.

    Raises:
        StoreError: it cannot be opened.

    """

    def __init__(self, url: str) -> None:
        self._engine = open_database(url)
        self.link_sessions = LinkSessions(self._engine)
        self.connections = Connections(self._engine, lambda: f"acc_{uuid4().hex}")
        self.idempotency = IdempotencyLedger(self._engine)

    def finish_exchange(self, link_session_id: str, new: NewConnection) -> ConnectionRecord:
        """Keep what an exchange made, and the session's answer, in one transaction.

        Raises:
            StoreError: the connection vanished meanwhile.

        """
        with self._engine.begin() as transaction:
            keep_connection(transaction, new)
            mark_exchanged(transaction, link_session_id, new.connection_id)
            record = record_of(transaction, new.connection_id)
        if record is None:
            raise StoreError("the new connection could not be read back")
        return record

    def recover(self) -> None:
        """Settle what a crash left open; call it once at the start."""
        self.link_sessions.recover()
        self.idempotency.recover()

    def close(self) -> None:
        """Let the database go."""
        self._engine.dispose()
