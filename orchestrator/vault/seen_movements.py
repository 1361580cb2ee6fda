"""Movements that vendors without tombstones have shown, so that vanished ones are noticed.

Such a vendor lists what there is and is silent about what is gone. Whoever has a complete listing
of some days notes it here: what was known of those days and is not in it has gone, and is told to
everybody whose cursor is older than that.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, and_, bindparam, delete, insert, or_, select, update

from orchestrator.domain import CompleteListing, SeenMovement

from .database import Database
from .schema import connections, seen_movements
from .values import ListingDoubted, ListingNoted

__all__ = ["SeenMovements"]

_LIVING_DAYS: Final = 120
"""How long before a listing's last day a movement is worth watching: no vendor rewrites more."""
_TOMBSTONE_S: Final = 400 * 86_400.0
"""How long one can still be told of a gone movement."""
_SETTLED_DAYS: Final = 3
_LEAST_SETTLED: Final = 3
"""Fewer settled movements may well vanish at once; pending ones do every day."""


class _Known:
    """What is known of a connection, in memory."""

    def __init__(self, transaction: Connection, connection_id: str) -> None:
        self.living: dict[str, SeenMovement] = {}
        self.gone: dict[str, tuple[SeenMovement, float]] = {}
        rows = transaction.execute(
            select(
                seen_movements.c.provider_transaction_id,
                seen_movements.c.provider_account_id,
                seen_movements.c.date,
                seen_movements.c.gone_at,
            ).where(seen_movements.c.connection_id == connection_id)
        )
        for transaction_id, account_id, date, gone_at in rows:
            movement = SeenMovement(transaction_id, account_id, date)
            if gone_at is None:
                self.living[transaction_id] = movement
            else:
                self.gone[transaction_id] = (movement, gone_at)


class SeenMovements:
    """The table of movements seen, a bounded part of every connection's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note_listing(
        self,
        connection_id: str,
        listing: CompleteListing,
        *,
        told_since: float | None,
        now: float,
        believed: bool = False,
    ) -> ListingNoted | ListingDoubted:
        """Note a complete listing, and tell what has gone.

        Args:
            connection_id: whose; one that is not there has nothing gone.
            listing: the vendor's.
            told_since: unix seconds of the last listing that the asker has been told of; None when
                it has been told of nothing, and so of nothing that could be gone.
            now: unix seconds.
            believed: note it even where it shows nothing of what was known.

        """
        with self._database.writing() as transaction:
            there = transaction.execute(
                select(connections.c.connection_id)
                .where(connections.c.connection_id == connection_id)
                .with_for_update()
            ).first()
            if there is None:
                return ListingNoted(())
            known = _Known(transaction, connection_id)
            listed = {movement.provider_transaction_id: movement for movement in listing.movements}
            expected = [m for m in known.living.values() if _is_within(m, listing)]
            if not believed and _is_doubtful(expected, listed, listing.last_day):
                return ListingDoubted(len(expected))
            vanished = [m for m in expected if m.provider_transaction_id not in listed]
            oldest = listing.last_day - dt.timedelta(days=_LIVING_DAYS)
            _see(transaction, connection_id, known, listed, oldest)
            _bury(transaction, connection_id, vanished, now)
            _prune(transaction, connection_id, known, oldest=oldest, before=now - _TOMBSTONE_S)
        return ListingNoted(_to_tell(known, listed, vanished, listing, told_since))


def _is_of(movement: SeenMovement, listing: CompleteListing) -> bool:
    listed = listing.provider_account_ids
    return listed is None or movement.provider_account_id in listed


def _is_within(movement: SeenMovement, listing: CompleteListing) -> bool:
    return listing.first_day <= movement.date <= listing.last_day and _is_of(movement, listing)


def _is_doubtful(
    expected: Sequence[SeenMovement], listed: Mapping[str, SeenMovement], last_day: dt.date
) -> bool:
    settled_until = last_day - dt.timedelta(days=_SETTLED_DAYS)
    settled = sum(movement.date < settled_until for movement in expected)
    if settled < _LEAST_SETTLED:
        return False
    return all(movement.provider_transaction_id not in listed for movement in expected)


def _to_tell(
    known: _Known,
    listed: Mapping[str, SeenMovement],
    vanished: Sequence[SeenMovement],
    listing: CompleteListing,
    told_since: float | None,
) -> tuple[str, ...]:
    if told_since is None:
        return ()
    untold = {movement.provider_transaction_id for movement in vanished}
    untold |= {
        transaction_id
        for transaction_id, (movement, gone_at) in known.gone.items()
        if gone_at > told_since and transaction_id not in listed and _is_of(movement, listing)
    }
    return tuple(sorted(untold))


_ROW: Final = and_(
    seen_movements.c.connection_id == bindparam("of_connection"),
    seen_movements.c.provider_transaction_id == bindparam("of_transaction"),
)


def _see(
    transaction: Connection,
    connection_id: str,
    known: _Known,
    listed: Mapping[str, SeenMovement],
    oldest: dt.date,
) -> None:
    fresh, changed = [], []
    for transaction_id, movement in listed.items():
        if known.living.get(transaction_id) == movement:
            continue
        if transaction_id in known.living or transaction_id in known.gone:
            changed.append(movement)
        elif movement.date >= oldest:
            fresh.append(movement)
    if fresh:
        transaction.execute(
            insert(seen_movements),
            [
                {
                    "connection_id": connection_id,
                    "provider_transaction_id": movement.provider_transaction_id,
                    "provider_account_id": movement.provider_account_id,
                    "date": movement.date,
                }
                for movement in fresh
            ],
        )
    if changed:
        transaction.execute(
            update(seen_movements).where(_ROW).values(gone_at=None),
            [
                {
                    "of_connection": connection_id,
                    "of_transaction": movement.provider_transaction_id,
                    "provider_account_id": movement.provider_account_id,
                    "date": movement.date,
                }
                for movement in changed
            ],
        )


def _bury(
    transaction: Connection, connection_id: str, vanished: Sequence[SeenMovement], now: float
) -> None:
    if vanished:
        transaction.execute(
            update(seen_movements).where(_ROW).values(gone_at=now),
            [
                {
                    "of_connection": connection_id,
                    "of_transaction": movement.provider_transaction_id,
                }
                for movement in vanished
            ],
        )


def _prune(
    transaction: Connection, connection_id: str, known: _Known, *, oldest: dt.date, before: float
) -> None:
    outlived = any(movement.date < oldest for movement in known.living.values())
    if outlived or any(gone_at < before for _, gone_at in known.gone.values()):
        transaction.execute(
            delete(seen_movements).where(
                seen_movements.c.connection_id == connection_id,
                or_(
                    and_(seen_movements.c.gone_at.is_(None), seen_movements.c.date < oldest),
                    seen_movements.c.gone_at < before,
                ),
            )
        )
