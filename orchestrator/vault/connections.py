"""Connections, their sealed credentials, and the accounts seen through them."""

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection, Engine, Row, delete, insert, select, update

from orchestrator.domain import AccountType, ConnectionStatus
from orchestrator.identity import AccountKey, KnownAccount, match_accounts

from .schema import account_refs, accounts, connections
from .values import ConnectionRecord, NewConnection, SealedCredential

__all__ = ["Connections", "keep_connection", "record_of"]


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
    )


def _refs(connection: Connection, connection_id: str) -> dict[str, str]:
    rows = connection.execute(
        select(account_refs.c.provider_account_id, account_refs.c.account_id).where(
            account_refs.c.connection_id == connection_id
        )
    )
    return {row.provider_account_id: row.account_id for row in rows}


def record_of(connection: Connection, connection_id: str) -> ConnectionRecord | None:
    """One connection, read within a transaction of the caller's."""
    row = connection.execute(
        select(connections).where(connections.c.connection_id == connection_id)
    ).first()
    return None if row is None else _record(row, list(_refs(connection, connection_id).values()))


def keep_connection(transaction: Connection, new: NewConnection) -> None:
    """Keep a connection within a transaction; one of the same id gets the new credential."""
    known = transaction.execute(
        select(connections.c.credential_version).where(
            connections.c.connection_id == new.connection_id
        )
    ).scalar()
    if known is None:
        transaction.execute(
            insert(connections).values(
                connection_id=new.connection_id,
                space_id=new.space_id,
                provider=new.provider,
                region=new.region,
                institution_id=new.institution_id,
                login_key_hash=new.login_key_hash,
                sealed_credential=new.sealed_credential,
                credential_version=1,
                status=new.status.value,
                created_at=new.created_at,
            )
        )
        return
    transaction.execute(
        update(connections)
        .where(connections.c.connection_id == new.connection_id)
        .values(
            login_key_hash=new.login_key_hash,
            sealed_credential=new.sealed_credential,
            credential_version=known + 1,
            status=new.status.value,
        )
    )


def _keep_refs(transaction: Connection, connection_id: str, refs: Mapping[str, str]) -> None:
    if refs:
        transaction.execute(
            insert(account_refs),
            [
                {
                    "connection_id": connection_id,
                    "provider_account_id": provider_account_id,
                    "account_id": account_id,
                }
                for provider_account_id, account_id in refs.items()
            ],
        )


def _forget(transaction: Connection, connection_id: str) -> int:
    transaction.execute(delete(account_refs).where(account_refs.c.connection_id == connection_id))
    return transaction.execute(
        delete(connections).where(connections.c.connection_id == connection_id)
    ).rowcount


class Connections:
    """The tables of connections and accounts. `new_account_id` makes ids of accounts."""

    def __init__(self, engine: Engine, new_account_id: Callable[[], str]) -> None:
        self._engine = engine
        self._new_account_id = new_account_id

    def of_space(self, space_id: str) -> tuple[ConnectionRecord, ...]:
        """A space's connections, oldest first."""
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(connections)
                .where(connections.c.space_id == space_id)
                .order_by(connections.c.created_at, connections.c.connection_id)
            ).all()
            refs = connection.execute(
                select(account_refs.c.connection_id, account_refs.c.account_id)
                .join(connections, connections.c.connection_id == account_refs.c.connection_id)
                .where(connections.c.space_id == space_id)
            ).all()
        by_connection: dict[str, list[str]] = {}
        for ref in refs:
            by_connection.setdefault(ref.connection_id, []).append(ref.account_id)
        return tuple(_record(row, by_connection.get(row.connection_id, [])) for row in rows)

    def get(self, connection_id: str) -> ConnectionRecord | None:
        """One connection."""
        with self._engine.connect() as connection:
            return record_of(connection, connection_id)

    def of_login(self, space_id: str, provider: str, login_key_hash: str) -> str | None:
        """The id of the connection through which a space has linked this login already."""
        with self._engine.connect() as connection:
            return connection.execute(
                select(connections.c.connection_id).where(
                    connections.c.space_id == space_id,
                    connections.c.provider == provider,
                    connections.c.login_key_hash == login_key_hash,
                )
            ).scalar()

    def credential(self, connection_id: str) -> SealedCredential | None:
        """A connection's sealed credential; None once it is erased."""
        with self._engine.connect() as connection:
            row = connection.execute(
                select(connections.c.sealed_credential, connections.c.credential_version).where(
                    connections.c.connection_id == connection_id
                )
            ).first()
            if row is None:
                return None
            return SealedCredential(
                row.sealed_credential, row.credential_version, _refs(connection, connection_id)
            )

    def set_status(self, connection_id: str, status: ConnectionStatus) -> None:
        """Note what a connection is good for."""
        with self._engine.begin() as transaction:
            transaction.execute(
                update(connections)
                .where(connections.c.connection_id == connection_id)
                .values(status=status.value)
            )

    def erase(self, connection_id: str) -> bool:
        """Forget a connection and its credential; False where there is none."""
        with self._engine.begin() as transaction:
            return _forget(transaction, connection_id) == 1

    def match_accounts(
        self, connection_id: str, seen: tuple[AccountKey, ...], now: float
    ) -> dict[str, str]:
        """Our id for each account seen, by the provider's id; marks the connection as read."""
        with self._engine.begin() as transaction:
            record = record_of(transaction, connection_id)
            if record is None:
                return {}
            known = _known_accounts(transaction, record)
            refs = _refs(transaction, connection_id)
            made: list[str] = []

            def new_id() -> str:
                made.append(self._new_account_id())
                return made[-1]

            ids = match_accounts(seen, refs, known, new_id)
            for key in {key.provider_account_id: key for key in seen}.values():
                if ids[key.provider_account_id] in made:
                    transaction.execute(
                        insert(accounts).values(
                            account_id=ids[key.provider_account_id],
                            space_id=record.space_id,
                            institution_id=record.institution_id,
                            type=key.type.value,
                            currency=key.currency,
                            mask=key.mask,
                        )
                    )
            fresh = {ours: account for ours, account in ids.items() if ours not in refs}
            _keep_refs(transaction, connection_id, fresh)
            transaction.execute(
                update(connections)
                .where(connections.c.connection_id == connection_id)
                .values(read_at=now)
            )
            return ids


def _known_accounts(transaction: Connection, record: ConnectionRecord) -> list[KnownAccount]:
    rows = transaction.execute(
        select(accounts).where(
            accounts.c.space_id == record.space_id,
            accounts.c.institution_id == record.institution_id,
        )
    )
    return [
        KnownAccount(row.account_id, AccountType(row.type), row.currency, row.mask) for row in rows
    ]
