"""Complete listings of movements, from which it shows what is gone at vendors that tell no removals."""

import datetime as dt
from dataclasses import dataclass

__all__ = ["CompleteListing", "SeenMovement"]


@dataclass(frozen=True, slots=True)
class SeenMovement:
    """A movement that a vendor lists, as far as its absence later would matter."""

    provider_transaction_id: str
    provider_account_id: str
    date: dt.date


@dataclass(frozen=True, slots=True)
class CompleteListing:
    """Every movement of a connection dated within these days.

    `provider_account_ids` are the accounts whose movements are listed, None where it is all of them.
    `movements` may hold some that are dated outside; what is dated inside and not among them is
    gone at the vendor.
    """

    first_day: dt.date
    last_day: dt.date
    provider_account_ids: tuple[str, ...] | None
    movements: tuple[SeenMovement, ...]
