"""Everything that a vendor shows of some days: what remains of it to tell later what has vanished."""

import datetime as dt
from dataclasses import dataclass

__all__ = ["CompleteListing", "SeenMovement"]


@dataclass(frozen=True, slots=True)
class SeenMovement:
    """A movement that a vendor lists, by the vendor's ids."""

    provider_transaction_id: str
    provider_account_id: str
    date: dt.date


@dataclass(frozen=True, slots=True)
class CompleteListing:
    """Every movement of a connection, or of its one account, dated within these days, as of now.

    `first_day` and `last_day` are inclusive; movements dated outside may be among the others.
    """

    first_day: dt.date
    last_day: dt.date
    provider_account_id: str | None
    movements: tuple[SeenMovement, ...]
