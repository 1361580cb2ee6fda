"""Bitso's ledger, page by page, in either direction: no page twice, and no more than an answer bears."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Literal

import structlog

from orchestrator.domain import Credential

from .attempt_trace import current_attempt
from .bitso_client import BitsoClient
from .bitso_mapping import LedgerEntry, entry_of
from .bitso_reading import LedgerPlace, LedgerReading, LedgerWalk
from .payload import Payload, rows
from .wire_failures import WrongSuccess, wrong_success

__all__ = ["Ledger", "LedgerPages", "PageBudget"]

_PAGE_SIZE: Final = 100  # the largest
_MOST_PAGES: Final = 50
_CALLS_LEFT: Final = 4
"""A page, the two lists of transfers, and a look whether the ledger has what they show."""

_log = structlog.get_logger("provider")

Order = Literal["asc", "desc"]


class PageBudget:
    """How many pages one answer may take: a bound of its own, and the attempt's time.

    The first page is always allowed, so that every answer gets on; a further one while it and what
    follows the ledger fit into the time that is left, each as slow as the slowest page so far.

    Args:
        most: pages.

    """

    def __init__(self, most: int = _MOST_PAGES) -> None:
        self._most = most
        self._taken = 0
        self._left_s: float | None = None
        self._slowest_s = 0.0

    def take(self) -> bool:
        """Ask for one more page."""
        trace = current_attempt.get()
        left_s = math.inf if trace is None else trace.time_left_s()
        if self._left_s is not None and left_s < math.inf:
            self._slowest_s = max(self._slowest_s, self._left_s - left_s)
        self._left_s = left_s
        has_time = left_s > _CALLS_LEFT * self._slowest_s
        if self._taken and (self._taken >= self._most or not has_time):
            return False
        self._taken += 1
        return True


class LedgerPages:
    """The ledger from a marker on, or one of its parts by operation.

    `marker` is the last entry's id so far, `is_over` says that there are no further entries.
    """

    def __init__(
        self,
        client: BitsoClient,
        credential: Credential,
        entry: Callable[[Payload], LedgerEntry],
        *,
        feed: str = "ledger",
        sort: Order,
        marker: str | None,
    ) -> None:
        self.marker = marker
        self.is_over = False
        self._client = client
        self._credential = credential
        self._entry = entry
        self._feed = feed
        self._sort = sort
        self._seen: set[str] = set()

    async def next(self) -> tuple[LedgerEntry, ...]:
        """The entries of the next page, those that were seen before left out.

        Raises:
            ProviderFailure: Bitso's; `WRONG_SUCCESS_FROZEN` where the same page came again.

        """
        query = {"limit": str(_PAGE_SIZE), "sort": self._sort}
        if self.marker is not None:
            query["marker"] = self.marker
        page = tuple(
            self._entry(row)
            for row in rows(await self._client.get(self._credential, self._feed, query), "payload")
        )
        ids = [entry.eid for entry in page if entry.eid is not None]
        # Whether the marked entry itself comes, too, is nowhere said; further back it cannot stand.
        if self.marker in ids[1:]:
            raise wrong_success(WrongSuccess.FROZEN, "its ledger does not go on from the marker")
        known = self._seen if self.marker is None else {*self._seen, self.marker}
        self.is_over = len(page) < _PAGE_SIZE
        if not self.is_over and known.issuperset(ids):
            raise wrong_success(WrongSuccess.FROZEN, "its ledger repeats itself")
        self.marker = ids[-1] if ids else self.marker
        fresh = tuple(entry for entry in page if _name_of(entry) not in known)
        # Nameless entries at a page's end come again, as no marker can stand behind them.
        self._seen.update(name for entry in page if (name := _name_of(entry)) is not None)
        return fresh


def _name_of(entry: LedgerEntry) -> str | None:
    """What an entry is known by within a reading; None for one of which nothing is told."""
    if entry.eid is None and entry.legs:
        return entry.legs[0].provider_transaction_id
    return entry.eid


class Ledger:
    """One user's ledger, read for one answer.

    Args:
        client: to Bitso.
        credential: the user's key.
        client_id: the user's id there.
        names_the_nameless: whether entries without an id are told under one made up for them.

    """

    def __init__(
        self,
        client: BitsoClient,
        credential: Credential,
        *,
        client_id: str,
        names_the_nameless: bool,
    ) -> None:
        self._client = client
        self._credential = credential
        self._client_id = client_id
        self._names_the_nameless = names_the_nameless
        self._nameless = 0
        self._budget = PageBudget()

    def pages(self, sort: Order, marker: str | None, *, feed: str = "ledger") -> LedgerPages:
        """The ledger, or a part of it, from a marker on."""
        return LedgerPages(
            self._client, self._credential, self._entry_of, feed=feed, sort=sort, marker=marker
        )

    async def read(
        self, reading: LedgerReading, *, limit: int, account_id: str | None
    ) -> tuple[LedgerReading, LedgerWalk]:
        """What one answer tells of a reading, and the reading that goes on after it.

        Raises:
            ProviderFailure: Bitso's.

        """
        entries: tuple[LedgerEntry, ...] | None = None
        if reading.place is None:
            reading, entries = await self._sought(reading)
        if reading.place is None:
            nothing = LedgerWalk(reading, LedgerPlace(None), limit=limit, account_id=account_id)
            return reading, nothing
        walk = LedgerWalk(reading, reading.place, limit=limit, account_id=account_id)
        if entries is None:
            await self._walked(walk, reading.place)
        elif walk.take(entries):
            walk.end()
        self._tell_of_the_nameless()
        return reading.after(walk), walk

    async def _walked(self, walk: LedgerWalk, place: LedgerPlace) -> None:
        pages = self.pages("asc", place.eid)
        while self._budget.take():
            if not walk.take(await pages.next()):
                return
            if pages.is_over:
                walk.end()
                return

    async def _sought(
        self, reading: LedgerReading
    ) -> tuple[LedgerReading, tuple[LedgerEntry, ...] | None]:
        """Look back for the window's beginning.

        Answers the reading with its place, where that was found; and the window's entries in order
        where all of them came by on the way.
        """
        pages = self.pages("desc", reading.sought)
        found: list[LedgerEntry] = []
        place: LedgerPlace | None = None
        while place is None and self._budget.take():
            for entry in await pages.next():
                if entry.eid is not None and reading.is_before_window(entry.at):
                    place = LedgerPlace(entry.eid)
                    break
                found.append(entry)
            if place is None and pages.is_over:
                place = LedgerPlace(None)
        head = reading.head or next((e.eid for e in found if e.eid is not None), None)
        if place is None:
            return replace(reading, head=head, sought=pages.marker), None
        entries = tuple(reversed(found)) if reading.sought is None else None
        return replace(reading, place=place, head=head, sought=None), entries

    def _entry_of(self, row: Payload) -> LedgerEntry:
        entry = entry_of(
            row, client_id=self._client_id, names_the_nameless=self._names_the_nameless
        )
        self._nameless += entry.eid is None and not entry.legs
        return entry

    def _tell_of_the_nameless(self) -> None:
        if self._nameless:
            _log.warning("ledger_entries_without_id", provider="bitso", entries=self._nameless)
            self._nameless = 0
