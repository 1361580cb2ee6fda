"""Windows of dates at vendors that know no cursor: what to read, what to keep, how to go on.

Such a vendor lists the movements of a window and says of each row when it last wrote it. The first
reading is that window. A later one reads again from shortly before its end, and keeps the rows that
were written since. Rows that vanished cannot be told from one listing: it is handed on whole, to
whoever keeps what was seen.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Self

from orchestrator.domain import CompleteListing, ProviderTransaction, SeenMovement

from .listing import Position, cut, packed, shifted, unpacked
from .protocol import TransactionsRead, TransactionsRequest

__all__ = ["Found", "Listed", "WindowReading"]

_KIND: Final = "w1"
_FIELDS: Final = 7
_OVERLAP_DAYS: Final = 14
"""How long a pending row may live, and so how far back an update can rewrite history."""
_SLACK: Final = timedelta(hours=1)
"""Between the vendor's clock and ours, and between its write and the row's being readable."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A movement with the time at which the vendor last wrote it, where it says so."""

    row: ProviderTransaction
    changed_at: datetime | None

    @property
    def provider_account_id(self) -> str:
        """Whose movement it is."""
        return self.row.provider_account_id

    @property
    def seen(self) -> SeenMovement:
        """As far as its absence later would matter."""
        row = self.row
        return SeenMovement(row.provider_transaction_id, row.provider_account_id, row.date)


Found = Listed | SeenMovement
"""What a vendor lists: a movement, or one that it has too little of to be told yet."""


@dataclass(frozen=True, slots=True)
class WindowReading:
    """One reading of a connection's movements, which may take several answers.

    `first_day` to `last_day` is what to ask of the vendor; `last_day` None means up to now and
    what it already announces. `changed_after`, with its slack, is when a row must have been
    written to be told; None means that all are. `start` and `end` bound what is told.
    `told_since` is when the reading before this one began.
    """

    start: date
    end: date | None
    changed_after: datetime | None
    read_at: datetime
    seen_until: date
    first_day: date
    after: Position | None = None
    told_since: datetime | None = None

    @classmethod
    def of(
        cls, request: TransactionsRequest, now: datetime, *, overlap_days: int = _OVERLAP_DAYS
    ) -> Self:
        """The reading that a request asks for.

        Args:
            request: what is asked for.
            now: when this reading begins.
            overlap_days: how far back a reading since a cursor looks again.

        Raises:
            ProviderFailure: `INVALID_CURSOR`.

        """
        if request.cursor is None:
            return cls(
                start=request.start_date,
                end=request.end_date,
                changed_after=None,
                read_at=now,
                seen_until=min(request.end_date, request.today),
                first_day=request.start_date,
            )
        fields = unpacked(request.cursor, kind=_KIND, fields=_FIELDS)
        start, end = fields.day(), fields.optional_day()
        changed_after, read_at = fields.optional_instant(), fields.instant()
        seen_until, after = fields.day(), fields.optional_position()
        if after is not None:
            return cls(start, end, changed_after, read_at, seen_until, after.day, after)
        return cls(
            start=start,
            end=None,
            changed_after=read_at - _SLACK,
            read_at=now,
            seen_until=request.today,
            first_day=max(start, shifted(min(seen_until, request.today), -overlap_days)),
            told_since=read_at,
        )

    def answer(
        self,
        listed: Iterable[Found],
        *,
        limit: int,
        stale: bool,
        provider_account_ids: tuple[str, ...] | None = None,
        whole: bool = True,
    ) -> TransactionsRead:
        """The next `limit` movements of this reading, out of all that the vendor listed.

        Args:
            listed: movements dated from `first_day` on, to `end` or the vendor's last; one that is
                only seen cannot be told yet, and is not gone.
            limit: how many are told at most.
            stale: the vendor awaits fresher data; its listing then proves nothing.
            provider_account_ids: the accounts that were read, None for all; rows of others are
                left out.
            whole: all of those movements are listed, so that what is not there is gone.

        """
        found = tuple(
            one
            for one in listed
            if provider_account_ids is None or one.provider_account_id in provider_account_ids
        )
        told, going_on = cut(
            (one.row for one in found if isinstance(one, Listed) and self._tells(one)),
            after=self.after,
            limit=limit,
        )
        is_whole = whole and not stale and self.after is None
        return TransactionsRead(
            transactions=told,
            removed=(),
            next_cursor=self._cursor(going_on),
            has_more=going_on is not None,
            stale=stale,
            listing=self._listing(found, provider_account_ids) if is_whole else None,
            listed_at=self.read_at if is_whole else None,
            told_since=self.told_since if is_whole else None,
        )

    def _listing(
        self,
        found: Iterable[Found],
        provider_account_ids: tuple[str, ...] | None,
    ) -> CompleteListing:
        return CompleteListing(
            first_day=self.first_day,
            last_day=self.seen_until if self.end is None else self.end,
            provider_account_ids=provider_account_ids,
            movements=tuple(one.seen if isinstance(one, Listed) else one for one in found),
        )

    def _tells(self, entry: Listed) -> bool:
        if entry.row.date < self.start or (self.end is not None and entry.row.date > self.end):
            return False
        if self.changed_after is None or entry.changed_at is None:
            return True
        return entry.changed_at >= self.changed_after

    def _cursor(self, going_on: Position | None) -> str:
        return packed(
            _KIND,
            self.start,
            self.end,
            self.changed_after,
            self.read_at,
            self.seen_until,
            None if going_on is None else going_on.day,
            None if going_on is None else going_on.transaction_id,
        )
