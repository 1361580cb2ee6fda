"""Which of our accounts a provider's account is: exact match within a space's institution.

Two accounts are the same when institution, type, currency and mask are. A provider that hides the
mask gives no evidence, and neither do two accounts that look alike: both get an id of their own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.domain import AccountType, quick_init

__all__ = ["AccountKey", "KnownAccount", "match_accounts"]


@quick_init
@dataclass(frozen=True, slots=True)
class AccountKey:
    """What of a provider's account counts for matching."""

    provider_account_id: str
    type: AccountType
    currency: str
    mask: str | None


@dataclass(frozen=True, slots=True)
class KnownAccount:
    """An account of the space at this institution, as it was first seen."""

    account_id: str
    type: AccountType
    currency: str
    mask: str | None


def match_accounts(
    seen: Sequence[AccountKey],
    in_connection: Mapping[str, str],
    known: Sequence[KnownAccount],
    new_id: Callable[[], str],
) -> dict[str, str]:
    """Our account id for every account seen.

    Args:
        seen: the accounts a connection shows now; one listed twice is one account.
        in_connection: provider account id → our id, as known in this connection.
        known: the space's accounts at this institution, through all connections.
        new_id: makes an id for an account that matches none.

    """
    seen = list({key.provider_account_id: key for key in seen}.values())
    ids = {
        key.provider_account_id: in_connection[key.provider_account_id]
        for key in seen
        if key.provider_account_id in in_connection
    }
    taken = set(in_connection.values())
    unknown = [key for key in seen if key.provider_account_id not in ids]
    for key in unknown:
        alike_here = [
            other
            for other in seen
            if (other.type, other.currency, other.mask) == (key.type, key.currency, key.mask)
        ]
        matches = [
            account.account_id
            for account in known
            if key.mask is not None
            and account.account_id not in taken
            and (account.type, account.currency, account.mask) == (key.type, key.currency, key.mask)
        ]
        account_id = matches[0] if len(matches) == 1 and len(alike_here) == 1 else new_id()
        ids[key.provider_account_id] = account_id
        taken.add(account_id)
    return ids
