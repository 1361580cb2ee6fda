"""What Belvo has stored of a link: what its readings at the bank have seen, each at its own time.

Belvo reads a recurrent link by itself now and then, and any link when it is asked to. What changes
at the bank between two readings is not there to be listed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Self

from .connections import Connection
from .options import SandboxOptions
from .world import HISTORY, Login, Sighting

__all__ = ["LinkStore", "Reading", "StoredMovement", "note_reading"]

_KEPT: Final = 20


@dataclass(frozen=True, slots=True)
class Reading:
    """A reading at the bank that was asked for: when it ends, and of which days (None: of all)."""

    at: datetime
    first: date | None = None
    last: date | None = None

    def covers(self, day: date) -> bool:
        """Whether a movement that began on that day was looked at."""
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)

    def written(self) -> str:
        """As one text."""
        days = (day.isoformat() if day else "" for day in (self.first, self.last))
        return "|".join((self.at.isoformat(), *days))

    @classmethod
    def read(cls, text: str) -> Self:
        """From `written`."""
        at, first, last = text.split("|")
        return cls(
            datetime.fromisoformat(at),
            date.fromisoformat(first) if first else None,
            date.fromisoformat(last) if last else None,
        )


def note_reading(link: Connection, resource: str, reading: Reading) -> None:
    """Keep a reading with its link; the latest ones of each resource are remembered."""
    name = f"{resource}_read"
    kept = [*link.attributes.get(name, "").split(), reading.written()]
    link.attributes[name] = " ".join(kept[-_KEPT:])


@dataclass(frozen=True, slots=True)
class StoredMovement:
    """A movement as a reading left it. `generation` names the reading where ids are its own."""

    sighting: Sighting
    written_at: datetime
    generation: str = ""


class LinkStore:
    """What is stored of one link at one time.

    Args:
        link: whose.
        login: what it reads.
        options: how often Belvo reads by itself, and whether ids last.
        now: the time of looking.
        age: by how much what is shown lags behind.

    """

    def __init__(
        self,
        link: Connection,
        login: Login,
        options: SandboxOptions,
        now: datetime,
        age: timedelta = timedelta(),
    ) -> None:
        self._link = link
        self._login = login
        self._now = now
        self._age = age
        self._has_own_ids = options.belvo_movement_ids == "per_retrieval"
        recurrent = link.attributes.get("access_mode", "recurrent") == "recurrent"
        self._every = options.belvo_refresh_days if recurrent else 0
        self._gathered_at = link.linked_at + timedelta(seconds=options.belvo_gathering_s)

    @property
    def accessed_at(self) -> datetime | None:
        """When Belvo was last let in at the bank; None while it was not yet."""
        return max(
            filter(None, (self.read_at("accounts"), self.read_at("transactions"))), default=None
        )

    def read_at(self, resource: str) -> datetime | None:
        """When the newest of a resource was read; None while there is nothing."""
        times = [reading.at for reading in self._readings(resource)]
        if self._now >= self._gathered_at:
            times.append(self._by_itself_at())
        return max(times) - self._age if times else None

    def movements(self) -> list[StoredMovement]:
        """The transactions, the one that began first in front."""
        since = self._link.linked_at.date() - HISTORY
        base: list[Sighting] = []
        if self._now >= self._gathered_at:
            base += self._view(self._by_itself_at(), since)
        readings = self._readings("transactions")
        if self._has_own_ids:
            found = [StoredMovement(one, self._written_at(one, ())) for one in base]
            for reading in readings:
                found += [
                    StoredMovement(one, reading.at, reading.at.isoformat())
                    for one in self._seen_by(reading, since)
                ]
        else:
            for reading in readings:
                if self._now < self._gathered_at or reading.at > self._by_itself_at():
                    base = [one for one in base if not reading.covers(one.movement.authorized_on)]
                    base += self._seen_by(reading, since)
            found = [StoredMovement(one, self._written_at(one, readings)) for one in base]
        if readings:
            found.sort(key=_order)
        return found

    def seen_now(self, reading: Reading) -> list[StoredMovement]:
        """What a reading sees, whether or not it is kept."""
        generation = reading.at.isoformat() if self._has_own_ids else ""
        readings = (*self._readings("transactions"), reading)
        return [
            StoredMovement(
                one,
                reading.at if self._has_own_ids else self._written_at(one, readings),
                generation,
            )
            for one in self._seen_by(reading, self._link.linked_at.date() - HISTORY)
        ]

    def _readings(self, resource: str) -> list[Reading]:
        written = self._link.attributes.get(f"{resource}_read", "").split()
        readings = [Reading.read(text) for text in written]
        return [reading for reading in readings if reading.at <= self._now]

    def _view(self, at: datetime, since: date, until: date | None = None) -> Sequence[Sighting]:
        return self._login.view((at - self._age).date(), since=since, until=until)

    def _seen_by(self, reading: Reading, since: date) -> Sequence[Sighting]:
        first = since if reading.first is None else max(since, reading.first)
        return self._view(reading.at, first, reading.last)

    def _by_itself_at(self) -> datetime:
        """When Belvo last read the link by itself: at midnight of every so many days since."""
        if not self._every:
            return self._gathered_at
        days = (self._now.date() - self._link.linked_at.date()).days
        return self._midnight(days - days % self._every)

    def _midnight(self, days: int) -> datetime:
        if days <= 0:
            return self._gathered_at
        day = self._link.linked_at.date() + timedelta(days=days)
        return max(datetime.combine(day, time.min, UTC), self._gathered_at)

    def _written_at(self, sighting: Sighting, readings: Iterable[Reading]) -> datetime:
        """When a row came into its state: by the first reading that could see it so."""
        days = (sighting.changed_on - self._link.linked_at.date()).days
        asked = [
            reading.at
            for reading in readings
            if reading.at.date() >= sighting.changed_on
            and reading.covers(sighting.movement.authorized_on)
        ]
        if not self._every:
            return min([self._gathered_at, *asked] if days <= 0 else asked or [self._gathered_at])
        by_itself = self._midnight(days + -days % self._every)
        return min((by_itself, *asked))


def _order(row: StoredMovement) -> tuple[date, str]:
    return row.sighting.movement.authorized_on, row.sighting.movement.key
