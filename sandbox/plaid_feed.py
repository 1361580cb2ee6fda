"""Plaid's transaction feed: opaque cursors over what changed between two looks at a login.

A cursor names the last look whose changes were all told and, inside an update of several pages, the
look up to which it tells and how far it came. It is sealed, so that only what was given out is
taken back, and belongs to one Item and one stream (the Item's, or one account's).
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from hmac import compare_digest
from typing import Final

import orjson

from .accounts import AccountKind
from .faults import FaultKind
from .identifiers import digest
from .movements import Movement
from .world import Login, Sighting

__all__ = ["BadCursor", "Feed", "Look", "MutatedMeanwhile", "Stream", "Update", "is_named"]

_SEAL_BYTES: Final = 8
_MOST_CUT: Final = 100
_FROM_NOW_ON: Final = "now"
_ONE_IN: Final = 8
_LONGEST_PENDING: Final = timedelta(days=14)


class BadCursor(ValueError):
    """A cursor that was never given out, is too old, or is for another Item or stream."""


class MutatedMeanwhile(Exception):
    """The data changed between two pages of one update; the caller has to begin it again."""


@dataclass(frozen=True, slots=True)
class Look:
    """What could be seen: movements begun from `since` on, as of `on`, and `own` made-up ones."""

    on: date
    since: date
    own: int = 0


@dataclass(frozen=True, slots=True)
class _Position:
    told: Look | None
    telling: Look
    offset: int


@dataclass(frozen=True, slots=True)
class Update:
    """One page of an update, whose rows are as of the day `on`."""

    on: date
    added: tuple[Sighting, ...]
    modified: tuple[Sighting, ...]
    removed: tuple[Movement, ...]
    next_cursor: str
    has_more: bool


@dataclass(frozen=True, slots=True)
class Stream:
    """Whose changes are told: an Item's, or one account's of it.

    `own` are movements made up by the client, all posted. `shows_pending`: some banks show none.
    `cursor_days` is how long a cursor is taken; 0 means for ever.
    """

    seed: int
    login: Login
    item_id: str
    account: AccountKind | None = None
    own: Sequence[Movement] = ()
    shows_pending: bool = True
    cursor_days: int = 0


def is_named(login: Login, sighting: Sighting, today: date) -> bool:
    """Whether Plaid has found out yet who the merchant is: of a few rows only a day after posting."""
    movement = sighting.movement
    is_slow = digest("named late", login.user, login.bank.key, movement.key)[0] % _ONE_IN == 0
    return not is_slow or (not sighting.pending and movement.settles_on < today)


class Feed:
    """Pages of a stream's updates."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._login = stream.login
        account = stream.account.value if stream.account else ""
        self._seal_parts = (stream.seed, stream.item_id, account)

    def page(
        self,
        cursor: str,
        count: int,
        now: Look,
        kind: FaultKind | None,
        *,
        mutating: bool = False,
    ) -> Update:
        """The page after `cursor` (empty: from the beginning), with at most `count` changes.

        Args:
            cursor: of the page before, or of the update before; `now` skips all there is.
            count: of changes, at most.
            now: what can be seen.
            kind: a fault that shows in the data.
            mutating: each later page of an update finds the data changed.

        Raises:
            BadCursor: not a cursor of this stream.
            MutatedMeanwhile: new data came in since the update's first page.

        """
        if cursor == _FROM_NOW_ON:
            return Update(now.on, (), (), (), self._seal(_Position(now, now, 0)), has_more=False)
        position = self._open(cursor, now.on) if cursor else _Position(None, now, 0)
        told, telling = position.told, now
        if told is not None and now.on < told.on:
            telling = told
        if position.offset:
            if mutating or (position.telling != now and self._changes(position.telling, now)):
                raise MutatedMeanwhile
            telling = position.telling
        changes = self._changes(told, telling)
        if kind is FaultKind.EMPTY:
            changes = []
        if kind is FaultKind.TRUNCATED:
            # The newest go, not half of two years: what is left has to look believable.
            changes = changes[: max(len(changes) // 2, len(changes) - _MOST_CUT)]
        upto = position.offset + count
        chosen = changes[position.offset : upto]
        has_more = upto < len(changes)
        following = _Position(told, telling, upto) if has_more else _Position(telling, telling, 0)
        next_cursor = self._seal(following)
        if kind is FaultKind.FROZEN:
            has_more = True
            next_cursor = cursor or self._seal(_Position(None, telling, 0))
        return Update(
            on=telling.on,
            added=tuple(s for s in chosen if isinstance(s, Sighting)),
            modified=tuple(c.sighting for c in chosen if isinstance(c, _Correction)),
            removed=tuple(m for m in chosen if isinstance(m, Movement)),
            next_cursor=next_cursor,
            has_more=has_more,
        )

    def _changes(self, told: Look | None, now: Look) -> "list[_Change]":
        sightings: list[Sighting] = []
        gone: list[Movement] = []
        corrections: list[_Correction] = []
        if told is None:
            sightings += self._login.view(now.on, since=now.since)
        else:
            between = self._login.changes(told.on, now.on, since=told.since)
            sightings += between.added
            gone += between.gone
            if now.since < told.since:
                until = told.since - timedelta(days=1)
                sightings += self._login.view(now.on, since=now.since, until=until)
            corrections += self._corrections(told, now)
        first = 0 if told is None else told.own
        sightings += [Sighting(m, pending=False) for m in self._stream.own[first : now.own]]
        shows_pending = self._stream.shows_pending
        changes: list[_Change] = [
            s for s in sightings if self._has(s.movement) and (shows_pending or not s.pending)
        ]
        changes += [c for c in corrections if self._has(c.sighting.movement)]
        changes += [m for m in gone if self._has(m) and shows_pending]
        return changes

    def _corrections(self, told: Look, now: Look) -> "list[_Correction]":
        """Rows told as posted before their merchant was known, which it is by now."""
        if now.on <= told.on:
            return []
        began = max(told.since, told.on - _LONGEST_PENDING)
        return [
            _Correction(sighting)
            for sighting in self._login.view(now.on, since=began, until=told.on)
            if sighting.movement.settles_on == told.on
            and not is_named(self._login, sighting, told.on)
        ]

    def _has(self, movement: Movement) -> bool:
        return self._stream.account in (None, movement.account)

    def _seal(self, position: _Position) -> str:
        told, telling = position.told, position.telling
        body = orjson.dumps(
            [
                None if told is None else [told.on, told.since, told.own],
                [telling.on, telling.since, telling.own],
                position.offset,
            ]
        )
        return urlsafe_b64encode(self._mark(body) + body).decode()

    def _open(self, cursor: str, today: date) -> _Position:
        try:
            raw = urlsafe_b64decode(cursor.encode())
        except (binascii.Error, ValueError):
            raise BadCursor from None
        seal, body = raw[:_SEAL_BYTES], raw[_SEAL_BYTES:]
        if not compare_digest(seal, self._mark(body)):
            raise BadCursor
        told, telling, offset = orjson.loads(body)
        position = _Position(_look(told) if told else None, _look(telling), offset)
        age_days = (today - position.telling.on).days
        if 0 < self._stream.cursor_days < age_days:
            raise BadCursor
        return position

    def _mark(self, body: bytes) -> bytes:
        return digest(*self._seal_parts, body.hex(), size=_SEAL_BYTES)


@dataclass(frozen=True, slots=True)
class _Correction:
    """A posted row that is shown anew under its id."""

    sighting: Sighting


_Change = Sighting | Movement | _Correction


def _look(parts: list[str | int]) -> Look:
    on, since, own = parts
    return Look(date.fromisoformat(str(on)), date.fromisoformat(str(since)), int(own))
