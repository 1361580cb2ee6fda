"""Plaid's transaction feed: opaque cursors over what changed between two days.

A cursor names the last day whose changes were all told and, inside an update of several pages, the
day up to which it tells and how far it came. It is sealed, so that only what was given out is
taken back, and belongs to one Item and one stream (the Item's, or one account's).
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import date
from hmac import compare_digest
from typing import Final

import orjson

from .accounts import AccountKind
from .faults import FaultKind
from .identifiers import digest
from .movements import Movement
from .world import Login, Sighting

__all__ = ["BadCursor", "Feed", "MutatedMeanwhile", "Update"]

_SEAL_BYTES: Final = 8
_MOST_CUT: Final = 100


class BadCursor(ValueError):
    """A cursor that was never given out, or for another Item or stream."""


class MutatedMeanwhile(Exception):
    """The data changed between two pages of one update; the caller has to begin it again."""


@dataclass(frozen=True, slots=True)
class _Position:
    told_until: date | None
    telling_until: date
    offset: int


@dataclass(frozen=True, slots=True)
class Update:
    """One page of an update."""

    added: tuple[Sighting, ...]
    removed: tuple[Movement, ...]
    next_cursor: str
    has_more: bool


class Feed:
    """The feed of one Item, or of one account of it."""

    def __init__(
        self, seed: int, login: Login, item_id: str, since: date, account: AccountKind | None
    ) -> None:
        self._login = login
        self._since = since
        self._account = account
        self._stream = (seed, item_id, account.value if account else "")

    def page(self, cursor: str, count: int, today: date, kind: FaultKind | None) -> Update:
        """The page after `cursor` (empty: from the beginning), with at most `count` changes.

        Raises:
            BadCursor: not a cursor of this stream.
            MutatedMeanwhile: new data came in since the update's first page.

        """
        position = self._open(cursor) if cursor else None
        told_until = position.told_until if position else None
        offset = position.offset if position else 0
        if told_until is not None and today < told_until:
            today = told_until
        if position is not None and offset and position.telling_until != today:
            if self._changes(position.telling_until, today):
                raise MutatedMeanwhile
            today = position.telling_until
        changes = self._changes(told_until, today)
        if kind is FaultKind.EMPTY:
            changes = []
        if kind is FaultKind.TRUNCATED:
            # The newest go, not half of two years: what is left has to look believable.
            changes = changes[: max(len(changes) // 2, len(changes) - _MOST_CUT)]
        chosen = changes[offset : offset + count]
        has_more = offset + count < len(changes)
        if has_more:
            next_cursor = self._seal(_Position(told_until, today, offset + count))
        else:
            next_cursor = self._seal(_Position(today, today, 0))
        if kind is FaultKind.FROZEN:
            has_more = True
            next_cursor = cursor or self._seal(_Position(None, today, 0))
        return Update(
            added=tuple(change for change in chosen if isinstance(change, Sighting)),
            removed=tuple(change for change in chosen if isinstance(change, Movement)),
            next_cursor=next_cursor,
            has_more=has_more,
        )

    def _changes(self, before: date | None, today: date) -> list[Sighting | Movement]:
        found = self._login.changes(before, today, since=self._since)
        changes: list[Sighting | Movement] = [
            sighting
            for sighting in found.added
            if self._account is None or sighting.movement.account is self._account
        ]
        changes += [
            movement
            for movement in found.gone
            if self._account is None or movement.account is self._account
        ]
        return changes

    def _seal(self, position: _Position) -> str:
        body = orjson.dumps([position.told_until, position.telling_until, position.offset])
        return urlsafe_b64encode(self._mark(body) + body).decode()

    def _open(self, cursor: str) -> _Position:
        try:
            raw = urlsafe_b64decode(cursor.encode())
        except (binascii.Error, ValueError):
            raise BadCursor from None
        seal, body = raw[:_SEAL_BYTES], raw[_SEAL_BYTES:]
        if not compare_digest(seal, self._mark(body)):
            raise BadCursor
        told, telling, offset = orjson.loads(body)
        return _Position(
            date.fromisoformat(told) if told else None, date.fromisoformat(telling), offset
        )

    def _mark(self, body: bytes) -> bytes:
        return digest(*self._stream, body.hex(), size=_SEAL_BYTES)
