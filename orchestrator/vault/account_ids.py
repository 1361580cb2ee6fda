"""Our ids of the accounts behind connections, one for the same account through several."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, insert, select

from orchestrator.domain import AccountType
from orchestrator.identity import AccountKey, KnownAccount, match_accounts

from .schema import account_refs, accounts, connections

__all__ = ["ids_of_accounts", "refs_of"]


def refs_of(connection: Connection, connection_id: str) -> dict[str, str]:
    """Our account ids by the provider's, as known in a connection."""
    rows = connection.execute(
        select(account_refs.c.provider_account_id, account_refs.c.account_id).where(
            account_refs.c.connection_id == connection_id
        )
    )
    return {row.provider_account_id: row.account_id for row in rows}


def ids_of_accounts(
    transaction: Connection,
    connection_id: str,
    seen: Sequence[AccountKey],
    new_id: Callable[[], str],
) -> dict[str, str] | None:
    """Our id for each account seen, by the provider's id; None where there is no such connection.

    Connections of the same space and institution wait for each other, as they may show one account.
    """
    owner = transaction.execute(
        select(connections.c.space_id, connections.c.institution_id).where(
            connections.c.connection_id == connection_id
        )
    ).first()
    if owner is None:
        return None
    space_id, institution_id = owner
    siblings = transaction.execute(
        select(connections.c.connection_id)
        .where(connections.c.space_id == space_id, connections.c.institution_id == institution_id)
        .order_by(connections.c.connection_id)
        .with_for_update()
    ).scalars()
    if connection_id not in siblings.all():
        return None
    known = _known_accounts(transaction, space_id, institution_id)
    refs = refs_of(transaction, connection_id)
    ids = match_accounts(seen, refs, known, new_id)
    there = {account.account_id for account in known} | set(refs.values())
    made = {ids[key.provider_account_id]: key for key in seen}
    _insert_accounts(transaction, space_id, institution_id, made, there)
    _insert_refs(transaction, connection_id, {p: ours for p, ours in ids.items() if p not in refs})
    return ids


def _known_accounts(
    transaction: Connection, space_id: str, institution_id: str
) -> list[KnownAccount]:
    rows = transaction.execute(
        select(accounts).where(
            accounts.c.space_id == space_id, accounts.c.institution_id == institution_id
        )
    )
    return [
        KnownAccount(row.account_id, AccountType(row.type), row.currency, row.mask) for row in rows
    ]


def _insert_accounts(
    transaction: Connection,
    space_id: str,
    institution_id: str,
    made: dict[str, AccountKey],
    there: set[str],
) -> None:
    rows = [
        {
            "account_id": account_id,
            "space_id": space_id,
            "institution_id": institution_id,
            "type": key.type.value,
            "currency": key.currency,
            "mask": key.mask,
        }
        for account_id, key in made.items()
        if account_id not in there
    ]
    if rows:
        transaction.execute(insert(accounts), rows)


def _insert_refs(transaction: Connection, connection_id: str, fresh: dict[str, str]) -> None:
    rows = [
        {
            "connection_id": connection_id,
            "provider_account_id": provider_account_id,
            "account_id": account_id,
        }
        for provider_account_id, account_id in fresh.items()
    ]
    if rows:
        transaction.execute(insert(account_refs), rows)
