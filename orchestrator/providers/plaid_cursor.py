"""Plaid's cursor feed in answers of a bounded size.

Plaid hands out its cursor only at the end of a loop over all pages. Where an answer was cut before
that, the loop is read again from its first cursor and goes on after a position; the cursor at the
first loop's end is kept, so that what changed between the answers is told by the next reading.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final, Self

from orchestrator.domain import CompleteListing, ProviderTransaction, SeenMovement

from .listing import Position, cut, packed, unpacked
from .payload import Payload, optional_text, rows, text
from .plaid_mapping import transaction_of
from .protocol import TransactionsRead, TransactionsRequest
from .wire_failures import malformed

__all__ = ["FeedLoop", "FeedReading", "FeedUpdate"]

_KIND: Final = "p2"
_FIELDS: Final = 7
_FIRST_BATCH_DAYS: Final = 30
_MOST_ROWS: Final = 200_000
"""More than any login moves in two years: beyond it, a feed is taken to have no end."""


@dataclass(frozen=True, slots=True)
class FeedUpdate:
    """What one whole loop over the feed told: the rows as they are at its end, and the lost ids.

    `modified` holds the ids of rows that had been told in an earlier loop. `status` is how far
    Plaid has come with gathering, in its words.
    """

    rows: tuple[ProviderTransaction, ...]
    modified: frozenset[str]
    removed: tuple[str, ...]
    end_cursor: str
    status: str | None = None

    @property
    def is_ready(self) -> bool:
        """Whether Plaid has gathered anything yet; an empty cursor is none to go on from."""
        return self.status != "NOT_READY" and bool(self.end_cursor)

    def reaches_back(self, days: int) -> bool:
        """Whether what happened within so many days can be in it."""
        if not self.is_ready:
            return False
        return self.status != "INITIAL_UPDATE_COMPLETE" or days <= _FIRST_BATCH_DAYS


class FeedLoop:
    """The pages of one loop, folded into what they say together.

    `account_id` narrows to one account; Plaid's own narrowing would make a feed of its own.
    """

    def __init__(self, account_id: str | None) -> None:
        self._account_id = account_id
        self._found: dict[str, ProviderTransaction] = {}
        self._modified: set[str] = set()
        self._removed: dict[str, None] = {}
        self._rows = 0
        self.pages = 0

    def take(self, page: Payload) -> None:
        """Add the next page.

        Raises:
            ProviderFailure: `MALFORMED`.

        """
        added, modified, removed = (rows(page, name) for name in ("added", "modified", "removed"))
        self.pages += 1
        self._rows += len(added) + len(modified) + len(removed)
        if self._rows > _MOST_ROWS:
            raise malformed("its pages have no end", http_status=200)
        self._take_rows(added)
        self._modified.update(self._take_rows(modified))
        for row in removed:
            gone = text(row, "transaction_id")
            if self._account_id is None or optional_text(row, "account_id") in (
                None,
                self._account_id,
            ):
                self._found.pop(gone, None)
                self._removed[gone] = None

    def ended(self, end_cursor: str, status: str | None) -> FeedUpdate:
        """What the whole loop told."""
        return FeedUpdate(
            rows=tuple(self._found.values()),
            modified=frozenset(self._modified),
            removed=tuple(self._removed),
            end_cursor=end_cursor,
            status=status,
        )

    def _take_rows(self, page_rows: tuple[Payload, ...]) -> list[str]:
        taken: list[str] = []
        for row in page_rows:
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
    after `end` are not told. `read_at` is when it began, `told_since` when the one before did.
    `begun_anew`: Plaid no longer takes the cursor of the one before, so that what is gone since
    shows only in the whole history.
    """

    base: str
    start: date
    end: date | None
    read_at: datetime
    end_cursor: str | None = None
    after: Position | None = None
    told_since: datetime | None = None
    begun_anew: bool = False

    @classmethod
    def of(cls, request: TransactionsRequest, now: datetime) -> Self:
        """The reading that a request asks for.

        Raises:
            ProviderFailure: `INVALID_CURSOR`.

        """
        if request.cursor is None:
            return cls(base="", start=request.start_date, end=request.end_date, read_at=now)
        fields = unpacked(request.cursor, kind=_KIND, fields=_FIELDS)
        base, start, end = fields.text(), fields.day(), fields.optional_day()
        end_cursor, read_at = fields.optional_text(), fields.instant()
        after = fields.optional_position()
        if after is not None:
            return cls(base, start, end, read_at, end_cursor, after)
        return cls(base, start, end, now, end_cursor, told_since=read_at)

    @property
    def goes_on(self) -> bool:
        """Whether a part of it has been told already."""
        return self.after is not None

    def from_the_beginning(self) -> Self:
        """The same, where Plaid no longer takes the cursor: all from `start` on is told again."""
        return replace(
            self,
            base="",
            end=None,
            end_cursor=None,
            after=None,
            told_since=self.told_since or self.read_at,
            begun_anew=True,
        )

    def answer(
        self,
        update: FeedUpdate,
        *,
        limit: int,
        stale: bool,
        today: date,
        provider_account_ids: tuple[str, ...] | None,
    ) -> TransactionsRead:
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
        shows_what_is_gone = self.begun_anew and not stale
        # The whole history starts from nothing, so nothing told before can be gone from it; and
        # the first answer of a reading names all that is gone.
        first_of_an_update = bool(self.base) and self.after is None
        return TransactionsRead(
            transactions=told,
            removed=update.removed if first_of_an_update else (),
            next_cursor=following.cursor(),
            has_more=going_on is not None,
            stale=stale,
            listing=(
                self._listing(update, today, provider_account_ids) if shows_what_is_gone else None
            ),
            told_since=self.told_since if shows_what_is_gone else None,
        )

    def cursor(self) -> str:
        """This reading as text."""
        return packed(
            _KIND,
            self.base,
            self.start,
            self.end,
            self.end_cursor,
            self.read_at,
            None if self.after is None else self.after.day,
            None if self.after is None else self.after.transaction_id,
        )

    def _listing(
        self, update: FeedUpdate, today: date, provider_account_ids: tuple[str, ...] | None
    ) -> CompleteListing:
        return CompleteListing(
            first_day=self.start,
            last_day=max(today, self.start),
            provider_account_ids=provider_account_ids,
            movements=tuple(
                SeenMovement(row.provider_transaction_id, row.provider_account_id, row.date)
                for row in update.rows
            ),
        )

    def _tells(self, row: ProviderTransaction, update: FeedUpdate) -> bool:
        if self.base and row.provider_transaction_id in update.modified:
            return True
        return row.date >= self.start and (self.end is None or row.date <= self.end)
