"""What an adapter read, under our ids. Pure."""

import hashlib

from orchestrator.domain import Account, ProviderAccount, ProviderTransaction, Transaction

__all__ = ["our_account", "our_transaction", "our_transaction_id"]


def our_transaction_id(space_hash: str, provider: str, provider_transaction_id: str) -> str:
    """A movement's id: stable within a space for the same provider."""
    text = f"{space_hash}\n{provider}\n{provider_transaction_id}"
    return f"txn_{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def our_account(
    account: ProviderAccount,
    account_id: str,
    *,
    provider: str,
    connection_id: str,
    institution_id: str,
) -> Account:
    """An account under our id."""
    return Account(
        account_id=account_id,
        institution_id=institution_id,
        name=account.name,
        official_name=account.official_name,
        mask=account.mask,
        type=account.type,
        subtype=account.subtype,
        currency=account.currency,
        balances=account.balances,
        as_of=account.as_of,
        provider=provider,
        connection_id=connection_id,
        provider_account_id=account.provider_account_id,
    )


def our_transaction(
    row: ProviderTransaction, account_id: str, *, provider: str, space_hash: str
) -> Transaction:
    """A movement under our ids."""
    replaced = row.replaces_provider_transaction_id
    return Transaction(
        transaction_id=our_transaction_id(space_hash, provider, row.provider_transaction_id),
        account_id=account_id,
        provider=provider,
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
        if replaced is None
        else our_transaction_id(space_hash, provider, replaced),
    )
