"""Rows on their way into the log, as Arrow: which of them come once, and which may be there already."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from .schema import ATTEMPTS, Table

__all__ = ["NODE_ID", "STARTED_AT", "Batch", "Given", "Values", "attempt_key"]

Values = Sequence[object]
"""A row's values in the order of the fields of its class."""

Given = Sequence[tuple[Table, Sequence[Values]]]

NODE_ID: Final = ATTEMPTS.place_of("node_id")
STARTED_AT: Final = ATTEMPTS.place_of("started_at")
_HTTP_CALLS: Final = ATTEMPTS.place_of("http_calls")


def attempt_key(attempt_id: object) -> str:
    """What tells an attempt from others, however its UUID is spelled."""
    return str(attempt_id).replace("-", "").lower()


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows to commit together.

    `new` are those that come once, `told` those of which the log may hold another already.
    `attempts` are those of table `attempts`, by `attempt_key`. `given` is how many rows there were,
    `unfit` how many of them no table takes.
    """

    new: tuple[tuple[Table, pa.Table], ...]
    told: tuple[tuple[Table, pa.Table], ...]
    attempts: dict[str, Values]
    given: int
    unfit: int = 0

    @classmethod
    def of(cls, given: Given) -> "Batch":
        """Rows from anywhere: any of them may be in the log.

        Raises:
            pyarrow.ArrowException: a row does not fit its table.
            TypeError: likewise.
            ValueError: likewise.

        """
        kept = [(table, _by_key(table, rows)) for table, rows in given]
        return cls(
            new=(),
            told=tuple((table, table.batch(rows.values())) for table, rows in kept if rows),
            attempts=_attempts(kept),
            given=_count(given),
        )

    @classmethod
    def spooled(cls, given: Given) -> "Batch":
        """Rows from spools, each of which comes once, but for attempts that nobody lived to count."""
        try:
            return cls._spooled(given, 0)
        except (pa.ArrowException, LookupError, TypeError, ValueError):
            fitting = [(table, [row for row in rows if table.fits(row)]) for table, rows in given]
            return cls._spooled(fitting, _count(given) - _count(fitting))

    @classmethod
    def _spooled(cls, given: Given, unfit: int) -> "Batch":
        new, told = [], []
        attempts: dict[str, Values] = {}
        for table, rows in given:
            if not rows:
                continue
            if table is not ATTEMPTS:
                new.append((table, table.batch(rows)))
                continue
            attempts = _by_key(table, rows)
            counted = [row for row in attempts.values() if row[_HTTP_CALLS] is not None]
            if counted:
                new.append((table, table.batch(counted)))
            if len(counted) < len(attempts):
                rest = (row for row in attempts.values() if row[_HTTP_CALLS] is None)
                told.append((table, table.batch(rest)))
        return cls(tuple(new), tuple(told), attempts, _count(given) + unfit, unfit)


def _by_key(table: Table, rows: Iterable[Values]) -> dict[str, Values]:
    """Rows without copies: the first of several, but an attempt's own before what is hearsay."""
    place = table.place_of(table.id_column)
    if table is not ATTEMPTS:
        kept: dict[str, Values] = {}
        for row in rows:
            kept.setdefault(str(row[place]), row)
        return kept
    attempts: dict[str, Values] = {}
    for row in rows:
        earlier = attempts.setdefault(attempt_key(row[place]), row)
        if earlier[NODE_ID] is None and row[NODE_ID] is not None:
            attempts[attempt_key(row[place])] = row
    return attempts


def _attempts(kept: Iterable[tuple[Table, dict[str, Values]]]) -> dict[str, Values]:
    return next((rows for table, rows in kept if table is ATTEMPTS), {})


def _count(given: Given) -> int:
    return sum(len(rows) for _, rows in given)
