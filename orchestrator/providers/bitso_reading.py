"""Readings of Bitso's ledger that take several answers: where each stands, and what it tells.

The ledger is only ever appended to, so the id of an entry is all that a later reading needs to go
on from. It cannot be asked for a date: the first reading of a window looks back from the newest
entry until it finds the window's beginning. Within a day, movements come in the ledger's order.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Self

from orchestrator.domain import ProviderTransaction

from .bitso_mapping import LedgerEntry
from .listing import invalid_cursor, packed, unpacked
from .protocol import TransactionsRequest

__all__ = ["LedgerPlace", "LedgerReading", "LedgerWalk"]

_KIND: Final = "b1"
_FIELDS: Final = 7
_SLACK: Final = timedelta(hours=1)
"""By how much entries may be written out of the order of their times."""


@dataclass(frozen=True, slots=True)
class LedgerPlace:
    """Between two legs of the ledger: `legs` of those after entry `eid` have been passed.

    `eid` None is the ledger's beginning.
    """

    eid: str | None
    legs: int = 0


@dataclass(frozen=True, slots=True)
class LedgerReading:
    """One reading, which may take several answers.

    What is told is dated from `start` to `end`, None for no end. `place` is where the next answer
    goes on, None while the window's beginning is looked for: `sought` is then the entry down to
    which it was. `head` is the newest entry when a window's first answer was given, at which later
    readings begin; None when the reading goes to the ledger's end. `told` are the pending movements
    that were told and are still under way, each as `list/id:currency`.
    """

    start: date
    end: date | None
    place: LedgerPlace | None = None
    head: str | None = None
    sought: str | None = None
    told: tuple[str, ...] = ()

    @classmethod
    def of(cls, request: TransactionsRequest) -> Self:
        """The reading that a request asks for.

        Raises:
            ProviderFailure: `INVALID_CURSOR`.

        """
        if request.cursor is None:
            return cls(start=request.start_date, end=request.end_date)
        fields = unpacked(request.cursor, kind=_KIND, fields=_FIELDS)
        start, end = fields.day(), fields.optional_day()
        eid, legs = fields.optional_text(), fields.optional_text()
        head, sought, told = fields.optional_text(), fields.optional_text(), fields.text()
        if legs is not None and not (legs.isascii() and legs.isdecimal() and len(legs) < 10):
            raise invalid_cursor()
        return cls(
            start=start,
            end=end,
            place=None if legs is None else LedgerPlace(eid, int(legs)),
            head=head,
            sought=sought,
            told=tuple(told.split()),
        )

    def cursor(self) -> str:
        """This reading as text.

        Raises:
            ProviderFailure: `MALFORMED`, where an id of Bitso's is too long to be kept.

        """
        return packed(
            _KIND,
            self.start,
            self.end,
            None if self.place is None else self.place.eid,
            None if self.place is None else str(self.place.legs),
            self.head,
            self.sought,
            " ".join(self.told),
        )

    def is_before_window(self, at: datetime) -> bool:
        """Whether nothing written before this can belong to the window."""
        return at < datetime.combine(self.start, time.min, UTC) - _SLACK

    def is_after_window(self, at: datetime) -> bool:
        """Whether nothing written after this can belong to the window."""
        return self.end is not None and at > datetime.combine(self.end, time.max, UTC) + _SLACK

    def tells(self, on: date) -> bool:
        """Whether a movement of that day belongs to the window."""
        return self.start <= on and (self.end is None or on <= self.end)

    def after(self, walk: "LedgerWalk") -> "LedgerReading":
        """The reading that goes on after a walk through the ledger."""
        if not walk.is_over:
            return replace(self, place=walk.place)
        place = walk.place if self.head is None else LedgerPlace(self.head)
        return replace(self, end=None, place=place, head=None, sought=None)


class LedgerWalk:
    """Entries taken in the ledger's order, from a place on, until an answer is full.

    Args:
        reading: what is told.
        place: where the walk begins.
        limit: how many movements are told at most.
        account_id: the account to which it is narrowed, None for all.

    """

    def __init__(
        self, reading: LedgerReading, place: LedgerPlace, *, limit: int, account_id: str | None
    ) -> None:
        self.place = place
        self.rows: list[ProviderTransaction] = []
        self.settled: set[str] = set()
        self.is_full = False
        self.is_over = False
        self._reading = reading
        self._limit = limit
        self._account_id = account_id
        self._to_pass = place.legs

    def take(self, entries: Iterable[LedgerEntry]) -> bool:
        """Go on through these; False where no further ones are wanted."""
        return all(self._take(entry) for entry in entries)

    def end(self) -> None:
        """Note that the ledger has no further entries."""
        self.is_over = not self.is_full

    def _take(self, entry: LedgerEntry) -> bool:
        if self._reading.is_after_window(entry.at):
            self.is_over = True
            return False
        for leg in entry.legs:
            if self._to_pass:
                self._to_pass -= 1
                continue
            if self._wants(leg):
                if len(self.rows) == self._limit:
                    self.is_full = True
                    return False
                self.rows.append(leg)
            self.place = LedgerPlace(self.place.eid, self.place.legs + 1)
        if entry.settles is not None:
            self.settled.add(entry.settles)
        if entry.eid is None:
            return True
        self.place, self._to_pass = LedgerPlace(entry.eid), 0
        self.is_over = entry.eid == self._reading.head
        return not self.is_over

    def _wants(self, leg: ProviderTransaction) -> bool:
        return self._account_id in (None, leg.provider_account_id) and self._reading.tells(leg.date)
