"""What the accounts of one login tell about its last aggregation: well, broken, or under way.

Finicity answers 200 with what it has stored, whatever became of the last reading of the bank; how
that went stands in each account.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from orchestrator.domain import ErrorClass, ProviderFailure

from .finicity_errors import ACCOUNTS_OWN, FINICITY_AGGREGATION, WAITING
from .finicity_values import optional_code, optional_epoch
from .payload import Payload

__all__ = ["as_of", "attempted_at", "awaits_aggregation", "trouble_of", "was_never_read"]

_WELL: Final = "0"
_URGENCY: Final[Mapping[ErrorClass, int]] = {
    ErrorClass.AUTH: 0,
    ErrorClass.VALIDATION: 1,
    ErrorClass.RATE_LIMIT: 2,
    ErrorClass.PROVIDER_DOWN: 3,
    ErrorClass.NETWORK: 4,
}


def trouble_of(accounts: Sequence[Payload]) -> ProviderFailure | None:
    """The failure that keeps a login's data old, None where nothing does.

    What is said of one account counts only where no account of the login is well. Of several
    troubles the user's comes first: nothing else mends before it.
    """
    codes = [_code(account) for account in accounts]
    some_are_well = _WELL in codes
    telling = [
        code
        for code in codes
        if code not in (None, _WELL)
        and code not in WAITING
        and not (some_are_well and code in ACCOUNTS_OWN)
    ]
    failures = [FINICITY_AGGREGATION.failure(code=code, http_status=200) for code in telling]
    return min(failures, key=lambda failed: _URGENCY[failed.failure.error_class], default=None)


def awaits_aggregation(accounts: Sequence[Payload]) -> bool:
    """Whether the vendor is reading the bank for the first time, or again, at this moment.

    Raises:
        ProviderFailure: `MALFORMED`.

    """
    for account in accounts:
        code = _code(account)
        tried_at, succeeded_at = attempted_at(account), _succeeded_at(account)
        behind = tried_at is not None and succeeded_at is not None and tried_at > succeeded_at
        if code is None or code in WAITING or (code == _WELL and behind):
            return True
    return False


def was_never_read(accounts: Sequence[Payload]) -> bool:
    """Whether no account of the login has ever been read at the bank."""
    return all(_code(account) is None for account in accounts)


def as_of(accounts: Sequence[Payload]) -> datetime | None:
    """When the login's data were read at the bank: the oldest of the accounts that are well.

    Raises:
        ProviderFailure: `MALFORMED`.

    """
    well = [account for account in accounts if _code(account) == _WELL] or accounts
    return min((at for account in well if (at := _succeeded_at(account))), default=None)


def attempted_at(account: Payload) -> datetime | None:
    """When the bank was last asked about this account.

    Raises:
        ProviderFailure: `MALFORMED`.

    """
    return optional_epoch(account, "aggregationAttemptDate")


def _succeeded_at(account: Payload) -> datetime | None:
    return optional_epoch(account, "aggregationSuccessDate")


def _code(account: Payload) -> str | None:
    return optional_code(account, "aggregationStatusCode")
