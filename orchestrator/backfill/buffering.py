"""What has been answered and is not on the disk yet."""

from dataclasses import dataclass, field
from typing import Final

from .chunk import Chunk, Ending
from .rows import Dataset, Page, rows_bytes, table_of
from .verdicts import OpenItem

__all__ = ["Buffer"]

_MOST_ROWS: Final = 2_000
"""Of them as many again may fill up while these are written: this bounds a job's memory."""


@dataclass(slots=True)
class Buffer:
    """Fills while the one before it is written.

    `held` are the items among `going_on` that go on once their page is on the disk.
    """

    pages: list[Page] = field(default_factory=list)
    endings: list[Ending] = field(default_factory=list)
    going_on: list[OpenItem] = field(default_factory=list)
    held: list[OpenItem] = field(default_factory=list)
    attempts: int = 0
    rows: int = 0

    def read(self, page: Page) -> None:
        """Note what one operation brought."""
        self.pages.append(page)
        self.rows += len(page.records)

    def go_on(self, item: OpenItem) -> None:
        """Note an item whose page must be on the disk before the next is asked for."""
        self.going_on.append(item)
        self.held.append(item)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (self.pages or self.endings or self.going_on or self.attempts)

    @property
    def is_full(self) -> bool:
        """Whether so much waits that nothing more should be asked for."""
        return self.rows >= _MOST_ROWS or len(self.endings) >= _MOST_ROWS

    def chunk(self, dataset: Dataset, job_id: str) -> Chunk:
        """All of it, as it is written."""
        records = removed = b""
        if self.rows or any(page.gone for page in self.pages):
            rows, gone = table_of(dataset, job_id, self.pages)
            records, removed = rows_bytes(rows), rows_bytes(gone)
        return Chunk(self.endings, self.going_on, self.attempts, self.rows, records, removed)
