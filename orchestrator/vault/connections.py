"""Connections and their sealed credentials, what they are good for, and when to read them again."""

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, Row, delete, or_, select, update

from orchestrator.domain import ConnectionStatus
from orchestrator.identity import AccountKey

from .account_ids import ids_of_accounts, refs_of
from .database import Database, hold_name, insert_if_absent
from .schema import account_refs, connections
from .values import ConnectionRecord, NewConnection, SealedCredential

__all__ = ["Connections", "connection_of_login", "keep_connection", "record_of"]

_SHOWN = tuple(column for column in connections.c if column.name != "sealed_credential")


def _record(row: Row[tuple[object, ...]], account_ids: Sequence[str]) -> ConnectionRecord:
    found = row._mapping  # noqa: SLF001  SQLAlchemy's public accessor, underscore and all
    return ConnectionRecord(
        connection_id=found["connection_id"],
        space_id=found["space_id"],
        provider=found["provider"],
        region=found["region"],
        institution_id=found["institution_id"],
        status=ConnectionStatus(found["status"]),
        credential_version=found["credential_version"],
        account_ids=tuple(account_ids),
        created_at=found["created_at"],
        read_at=found["read_at"],
        refresh_due_at=found["refresh_due_at"],
    )


def _records(connection: Connection, *wanted: ColumnElement[bool]) -> tuple[ConnectionRecord, ...]:
    """Connections that meet a condition, oldest first."""
    rows = connection.execute(
        select(*_SHOWN)
        .where(*wanted)
        .order_by(connections.c.created_at, connections.c.connection_id)
    ).all()
    refs = connection.execute(
        select(account_refs.c.connection_id, account_refs.c.account_id)
        .join(connections, connections.c.connection_id == account_refs.c.connection_id)
        .where(*wanted)
    ).all()
    by_connection: dict[str, list[str]] = {}
    for ref in refs:
        by_connection.setdefault(ref.connection_id, []).append(ref.account_id)
    return tuple(_record(row, by_connection.get(row.connection_id, [])) for row in rows)


def record_of(connection: Connection, connection_id: str) -> ConnectionRecord | None:
    """One connection, read within a transaction of the caller's."""
    return next(iter(_records(connection, connections.c.connection_id == connection_id)), None)


def connection_of_login(transaction: Connection, new: NewConnection) -> str | None:
    """The id of the connection through which the space has linked this login already.

    Until the transaction ends, no other one asks the same.
    """
    hold_name(transaction, f"{new.space_id} {new.provider} {new.login_key_hash}")
    return transaction.execute(
        select(connections.c.connection_id)
        .where(
            connections.c.space_id == new.space_id,
            connections.c.provider == new.provider,
            connections.c.login_key_hash == new.login_key_hash,
        )
        .order_by(connections.c.created_at, connections.c.connection_id)
    ).scalar()


def keep_connection(transaction: Connection, new: NewConnection) -> None:
    """Keep a connection within a transaction; one of the same id gets the new credential."""
    renewed: Mapping[str, object] = {
        "login_key_hash": new.login_key_hash,
        "sealed_credential": new.sealed_credential,
        "status": new.status.value,
    }
    inserted = insert_if_absent(
        transaction,
        connections,
        connection_id=new.connection_id,
        space_id=new.space_id,
        provider=new.provider,
        region=new.region,
        institution_id=new.institution_id,
        credential_version=1,
        created_at=new.created_at,
        **renewed,
    )
    if not inserted:
        transaction.execute(
            update(connections)
            .where(connections.c.connection_id == new.connection_id)
            .values(credential_version=connections.c.credential_version + 1, **renewed)
        )


class Connections:
    """The table of connections. `new_account_id` makes ids of accounts."""

    def __init__(self, database: Database, new_account_id: Callable[[], str]) -> None:
        self._database = database
        self._new_account_id = new_account_id

    def of_space(self, space_id: str) -> tuple[ConnectionRecord, ...]:
        """A space's connections, oldest first."""
        with self._database.reading() as connection:
            return _records(connection, connections.c.space_id == space_id)

    def of_spaces(self, space_ids: Sequence[str]) -> dict[str, tuple[ConnectionRecord, ...]]:
        """The connections of each of these spaces that has any, oldest first."""
        with self._database.reading() as connection:
            records = _records(connection, connections.c.space_id.in_(space_ids))
        found: dict[str, list[ConnectionRecord]] = {}
        for record in records:
            found.setdefault(record.space_id, []).append(record)
        return {space_id: tuple(of_it) for space_id, of_it in found.items()}

    def of_login_hash(self, provider: str, login_key_hash: str) -> tuple[ConnectionRecord, ...]:
        """Every space's connections through which it has linked this login, oldest first."""
        with self._database.reading() as connection:
            return _records(
                connection,
                connections.c.provider == provider,
                connections.c.login_key_hash == login_key_hash,
            )

    def get(self, connection_id: str) -> ConnectionRecord | None:
        """One connection."""
        with self._database.reading() as connection:
            return record_of(connection, connection_id)

    def credential(self, connection_id: str) -> SealedCredential | None:
        """A connection's sealed credential; None once it is erased."""
        with self._database.reading() as connection:
            row = connection.execute(
                select(connections.c.sealed_credential, connections.c.credential_version).where(
                    connections.c.connection_id == connection_id
                )
            ).first()
            if row is None:
                return None
            return SealedCredential(
                row.sealed_credential, row.credential_version, refs_of(connection, connection_id)
            )

    def set_status(
        self, connection_id: str, status: ConnectionStatus, *, as_of: float | None = None
    ) -> bool:
        """Note what a connection is good for; tells whether it was.

        Args:
            connection_id: the connection's.
            status: from now on.
            as_of: the vendor's time of a status that it reported by itself. Reports may come out
                of order: one that is older than the last is passed over. None always counts.

        """
        wanted = [connections.c.connection_id == connection_id]
        values: dict[str, object] = {"status": status.value}
        if as_of is not None:
            last = connections.c.status_at
            wanted.append(or_(last.is_(None), last <= as_of))
            values["status_at"] = as_of
        return self._update(*wanted, **values) == 1

    def mark_refresh_due(self, connection_id: str, at: float) -> None:
        """Note that the vendor has something new to read since then; the newest such time stays."""
        last = connections.c.refresh_due_at
        self._update(
            connections.c.connection_id == connection_id,
            or_(last.is_(None), last < at),
            refresh_due_at=at,
        )

    def mark_all_refresh_due(self, provider: str, at: float) -> None:
        """Note the same of every connection of a provider that does not say whose news it has."""
        last = connections.c.refresh_due_at
        self._update(
            connections.c.provider == provider,
            or_(last.is_(None), last < at),
            refresh_due_at=at,
        )

    def clear_refresh_due(self, connection_id: str, read_began_at: float) -> None:
        """Take the mark back that a reading has met; one from after its beginning stays."""
        self._update(
            connections.c.connection_id == connection_id,
            connections.c.refresh_due_at <= read_began_at,
            refresh_due_at=None,
        )

    def erase(self, connection_id: str) -> bool:
        """Forget a connection and its credential; False where there is none."""
        with self._database.writing() as transaction:
            erased = transaction.execute(
                delete(connections).where(connections.c.connection_id == connection_id)
            )
            return erased.rowcount == 1

    def match_accounts(
        self, connection_id: str, seen: tuple[AccountKey, ...], now: float
    ) -> dict[str, str]:
        """Our id for each account seen, by the provider's id; marks the connection as read."""
        with self._database.writing() as transaction:
            ids = ids_of_accounts(transaction, connection_id, seen, self._new_account_id)
            if ids is None:
                return {}
            transaction.execute(
                update(connections)
                .where(connections.c.connection_id == connection_id)
                .values(read_at=now)
            )
            return ids

    def _update(self, *wanted: ColumnElement[bool], **values: object) -> int:
        with self._database.writing() as transaction:
            return transaction.execute(update(connections).where(*wanted).values(**values)).rowcount
