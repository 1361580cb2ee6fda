"""Windows of dates at vendors that change a pending row in place and do not say when they did.

Such a vendor tells when it first had a row. A row that was pending when it was told may since have
been posted, or have another amount, under the same id; so the cursor remembers what was pending.
"""

from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, Self

from orchestrator.domain import ProviderTransaction, decimal_text

from .listing import Position, invalid_cursor, packed, unpacked
from .protocol import TransactionsRead, TransactionsRequest
from .window_reading import Found, Listed, WindowReading

__all__ = ["PendingStates", "RememberingReading"]

_KIND: Final = "p1"
_FIELDS: Final = 3
_ID_LETTERS: Final = 6
_STATE_LETTERS: Final = 4
_LETTERS: Final = _ID_LETTERS + _STATE_LETTERS
_MOST: Final = 50
"""Two memories of so many rows fit a cursor beside the rest of it."""
_TOO_MANY: Final = "*"
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PendingStates:
    """Rows that were told as pending: what stands for their id → what stands for their state.

    None: there were too many to remember, so any row may be one of them.
    """

    states: Mapping[str, str] | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Out of its text.

        Raises:
            ProviderFailure: `INVALID_CURSOR`.

        """
        if text == _TOO_MANY:
            return cls(None)
        if len(text) % _LETTERS or len(text) > _MOST * _LETTERS:
            raise invalid_cursor()
        rows = (text[at : at + _LETTERS] for at in range(0, len(text), _LETTERS))
        return cls({row[:_ID_LETTERS]: row[_ID_LETTERS:] for row in rows})

    def text(self) -> str:
        """As a cursor keeps it."""
        if self.states is None:
            return _TOO_MANY
        return "".join(row + state for row, state in sorted(self.states.items()))

    def adding(self, rows: Iterable[ProviderTransaction]) -> Self:
        """With those of the rows that are pending."""
        added = {_mark(row): _state(row) for row in rows if row.pending}
        if self.states is None or len(all_of := {**self.states, **added}) > _MOST:
            return type(self)(None)
        return type(self)(all_of)

    def changed_at(self, row: ProviderTransaction, had_since: datetime | None) -> datetime | None:
        """When a row last changed, as far as that can be known; None where it cannot.

        Args:
            row: as it is now.
            had_since: when the vendor first had it.

        """
        if self.states is None:
            return None
        before = self.states.get(_mark(row))
        if before is None:
            return had_since
        return _LONG_AGO if row.pending and before == _state(row) else None


@dataclass(frozen=True, slots=True)
class RememberingReading:
    """A `WindowReading` with what was pending at the reading before it, and so far in this one."""

    window: WindowReading
    before: PendingStates
    told: PendingStates

    @classmethod
    def of(cls, request: TransactionsRequest, now: datetime, *, overlap_days: int) -> Self:
        """The reading that a request asks for; see `WindowReading.of`.

        Raises:
            ProviderFailure: `INVALID_CURSOR`.

        """
        nothing = PendingStates({})
        if request.cursor is None:
            window = WindowReading.of(request, now, overlap_days=overlap_days)
            return cls(window, nothing, nothing)
        fields = unpacked(request.cursor, kind=_KIND, fields=_FIELDS)
        inner, before, told = fields.text(), fields.text(), fields.text()
        return cls(
            WindowReading.of(replace(request, cursor=inner), now, overlap_days=overlap_days),
            PendingStates.parse(before),
            PendingStates.parse(told),
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
        """As `WindowReading.answer`, where `changed_at` is when the vendor first had the row."""
        found = tuple(
            Listed(one.row, self.before.changed_at(one.row, one.changed_at))
            if isinstance(one, Listed)
            else one
            for one in listed
        )
        answer = self.window.answer(
            found,
            limit=limit,
            stale=stale,
            provider_account_ids=provider_account_ids,
            whole=whole,
        )
        last = Position.of(answer.transactions[-1]) if answer.has_more else None
        told = self.told.adding(
            one.row for one in found if isinstance(one, Listed) and self._covers(one.row, last)
        )
        before = self.before if answer.has_more else told
        kept = told if answer.has_more else PendingStates({})
        cursor = packed(_KIND, answer.next_cursor, before.text(), kept.text())
        return replace(answer, next_cursor=cursor)

    def _covers(self, row: ProviderTransaction, last: Position | None) -> bool:
        """Whether this answer has told the row, or left it out as known."""
        window, at = self.window, Position.of(row)
        return (
            window.start <= row.date
            and (window.end is None or row.date <= window.end)
            and (window.after is None or at > window.after)
            and (last is None or at <= last)
        )


def _mark(row: ProviderTransaction) -> str:
    return _digest(row.provider_transaction_id)[:_ID_LETTERS]


def _state(row: ProviderTransaction) -> str:
    text = f"{row.provider_account_id} {row.date} {decimal_text(row.amount)}"
    return _digest(text)[:_STATE_LETTERS]


def _digest(text: str) -> str:
    return urlsafe_b64encode(sha256(text.encode()).digest()).decode()
