"""Attempts of which only a router told, and whose provider may yet tell more."""

import datetime as dt
from collections.abc import Mapping
from typing import Final

import duckdb

from .batch import NODE_ID, STARTED_AT, Values, attempt_key

__all__ = ["Hearsay"]

_MOST: Final = 100_000
_SLACK: Final = dt.timedelta(minutes=1)
_LATEST_SQL: Final = (
    "select attempt_id from attempts where node_id is null "
    "and started_at > (select max(started_at) from attempts) - interval 1 hour "
    "order by started_at"
)


class Hearsay:
    """Keys of the rows that a better one may still replace, so that no batch searches for them.

    The latest 100,000: what is older stays as it is told.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        rows = connection.execute(_LATEST_SQL).fetchall()
        self._keys = dict.fromkeys(attempt_key(row[0]) for row in rows)

    def make_way(
        self, connection: duckdb.DuckDBPyConnection, attempts: Mapping[str, Values]
    ) -> None:
        """Delete the rows that better ones of a batch replace."""
        better = [
            row
            for key in self._keys.keys() & attempts.keys()
            if (row := attempts[key])[NODE_ID] is not None
        ]
        if not better:
            return
        ids = [str(row[0]) for row in better]
        connection.execute(
            "delete from attempts where node_id is null "
            "and started_at between ?::TIMESTAMPTZ - ?::INTERVAL and ?::TIMESTAMPTZ + ?::INTERVAL "
            "and list_contains(?::UUID[], attempt_id)",
            [
                min(row[STARTED_AT] for row in better),  # type: ignore[type-var]  # all text, or all times
                _SLACK,
                max(row[STARTED_AT] for row in better),  # type: ignore[type-var]  # as above
                _SLACK,
                ids,
            ],
        ).fetchall()

    def note(self, attempts: Mapping[str, Values]) -> None:
        """A batch is committed: know what of it is hearsay, and what is no longer."""
        for key in self._keys.keys() & attempts.keys():
            if attempts[key][NODE_ID] is not None:
                del self._keys[key]
        self._keys |= dict.fromkeys(key for key, row in attempts.items() if row[NODE_ID] is None)
        while len(self._keys) > _MOST:
            del self._keys[next(iter(self._keys))]
