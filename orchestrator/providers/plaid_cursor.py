"""Plaid's cursor feed in answers of a bounded size.

Plaid hands out its cursor only at the end of a loop over all pages. Where an answer was cut before
that, the loop is read again from its first cursor and goes on after a position; the cursor at the
first loop's end is kept, so that what changed between the answers is told by the next reading.
"""

from dataclasses import dataclass, replace
from datetime import date
from typing import Final, Self

from orchestrator.domain import ProviderTransaction

from .listing import Position, cut, packed, unpacked
from .payload import Payload, optional_text, rows, text
from .plaid_mapping import transaction_of
from .protocol import TransactionsRead, TransactionsRequest

__all__ = ["FeedLoop", "FeedReading", "FeedUpdate"]

_KIND: Final = "p1"
_FIELDS: Final = 6


@dataclass(frozen=True, slots=True)
class FeedUpdate:
    """What one whole loop over the feed told: the rows as they are at its end, and the lost ids.

    `modified` holds the ids of rows that had been told in an earlier loop.
    """

    rows: tuple[ProviderTransaction, ...]
    modified: frozenset[str]
    removed: tuple[str, ...]
    end_cursor: str


class FeedLoop:
    """The pages of one loop, folded into what they say together.

    `account_id` narrows to one account; Plaid's own narrowing would make a feed of its own.
    """

    def __init__(self, account_id: str | None) -> None:
        self._account_id = account_id
        self._found: dict[str, ProviderTransaction] = {}
        self._modified: set[str] = set()
        self._removed: dict[str, None] = {}

    def take(self, page: Payload) -> None:
        """Add the next page.

        Raises:
            ProviderFailure: `MALFORMED`.

        """
        self._take_rows(page, "added")
        self._modified.update(self._take_rows(page, "modified"))
        for row in rows(page, "removed"):
            gone = text(row, "transaction_id")
            if self._account_id is None or optional_text(row, "account_id") in (
                None,
                self._account_id,
            ):
                self._found.pop(gone, None)
                self._removed[gone] = None

    def ended(self, end_cursor: str) -> FeedUpdate:
        """What the whole loop told."""
        return FeedUpdate(
            rows=tuple(self._found.values()),
            modified=frozenset(self._modified),
            removed=tuple(self._removed),
            end_cursor=end_cursor,
        )

    def _take_rows(self, page: Payload, name: str) -> list[str]:
        taken: list[str] = []
        for row in rows(page, name):
            movement = transaction_of(row)
            if self._account_id in (None, movement.provider_account_id):
                found = movement.provider_transaction_id
                self._found[found] = movement
                self._removed.pop(found, None)
                taken.append(found)
        return taken


@dataclass(frozen=True, slots=True)
class FeedReading:
    """One reading of the feed, which may take several answers.

    `base` is Plaid's cursor at which its loop starts, empty for the whole history. `end_cursor` is
    the one at which the first loop ended, None before. Rows added with a date before `start` or
    after `end` are not told.
    """

    base: str
    start: date
    end: date | None
    end_cursor: str | None = None
    after: Position | None = None

    @classmethod
    def of(cls, request: TransactionsRequest) -> Self:
        """The reading that a request asks for.

        Raises:
            ProviderFailure: `INVALID_CURSOR`.

        """
        if request.cursor is None:
            return cls(base="", start=request.start_date, end=request.end_date)
        fields = unpacked(request.cursor, kind=_KIND, fields=_FIELDS)
        return cls(
            base=fields.text(),
            start=fields.day(),
            end=fields.optional_day(),
            end_cursor=fields.optional_text(),
            after=fields.optional_position(),
        )

    def answer(self, update: FeedUpdate, *, limit: int, stale: bool) -> TransactionsRead:
        """The next `limit` movements, out of what a whole loop from `base` told."""
        told, going_on = cut(
            (row for row in update.rows if self._tells(row, update)), after=self.after, limit=limit
        )
        end_cursor = update.end_cursor if self.end_cursor is None else self.end_cursor
        following = (
            replace(self, base=end_cursor, end=None, end_cursor=None, after=None)
            if going_on is None
            else replace(self, end_cursor=end_cursor, after=going_on)
        )
        # The whole history starts from nothing, so nothing told before can be gone from it; and
        # the first answer of a reading names all that is gone.
        first_of_an_update = bool(self.base) and self.after is None
        return TransactionsRead(
            transactions=told,
            removed=update.removed if first_of_an_update else (),
            next_cursor=following.cursor(),
            has_more=going_on is not None,
            stale=stale,
        )

    def cursor(self) -> str:
        """This reading as text."""
        return packed(
            _KIND,
            self.base,
            self.start,
            self.end,
            self.end_cursor,
            None if self.after is None else self.after.day,
            None if self.after is None else self.after.transaction_id,
        )

    def _tells(self, row: ProviderTransaction, update: FeedUpdate) -> bool:
        if self.base and row.provider_transaction_id in update.modified:
            return True
        return row.date >= self.start and (self.end is None or row.date <= self.end)
