"""From the spools into the log's file: batches with their positions, and a file that may be away.

Belongs to one thread. Where the file is in use, damaged or its disk is full, rows stay in the
spools, and everything is tried again.
"""

import datetime as dt
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from orchestrator.attempt_log import AttemptLogStore, archive_months
from orchestrator.domain import StoreError
from orchestrator.spool import SpoolBatch, SpoolReader

__all__ = ["LogCollector", "Retention"]

_BATCH_ROWS: Final = 5_000
_CHECKPOINT_EVERY_ROWS: Final = 50_000

_log = structlog.get_logger("attempt_log")


@dataclass(frozen=True, slots=True)
class Retention:
    """How long rows stay in the log's file.

    Months that ended `days` ago move to Parquet files in `folder`. `today` tells the UTC date.
    """

    days: int
    folder: Path
    today: Callable[[], dt.date]


class LogCollector:
    """Commits what stands in the spools.

    Args:
        open_store: opens the log's file; raises `StoreError` while it cannot be had.
        folder: of all spools.
        retention: which months leave the file, and for where; None keeps all.

    """

    def __init__(
        self,
        open_store: Callable[[], AttemptLogStore],
        folder: Path,
        retention: Retention | None = None,
    ) -> None:
        self._retention = retention
        self._looked_at: dt.date | None = None
        self._open_store = open_store
        self._folder = folder
        self._store: AttemptLogStore | None = None
        self._reader = SpoolReader(folder, {})
        self._since_checkpoint = 0
        self._unfit = 0
        self.problem: str | None = None

    @property
    def lost(self) -> int:
        """Records that were damaged or fit no table."""
        return self._reader.damaged + self._unfit

    def store(self) -> AttemptLogStore:
        """The file, opened if need be.

        Raises:
            StoreError: it cannot be had now.

        """
        if self._store is None:
            try:
                store = self._open_store()
                self._reader = SpoolReader(self._folder, store.spool_positions())
            except StoreError as error:
                self._note(error)
                raise
            self._store = store
        return self._store

    def collect(self) -> None:
        """Commit all that is there now.

        Raises:
            StoreError: the file cannot be had or written; nothing is lost.

        """
        store = self.store()
        more = True
        while more:
            batch = self._reader.read(_BATCH_ROWS)
            if batch.is_empty:
                break
            try:
                self._commit(store, batch)
            except StoreError as error:
                self._note(error)
                # A full disk leaves DuckDB's instance unusable: the next round opens it anew.
                self.close()
                raise
            self._reader.committed(batch)
            more = batch.more
        self.problem = None
        self._retain(store)

    def rows_waiting(self) -> int:
        """Rows in the spools that are not committed."""
        return self._reader.rows_waiting()

    def close(self) -> None:
        """Let the file go."""
        if self._store is not None:
            with suppress(StoreError):
                self._store.checkpoint()
            self._store.close()
            self._store = None

    def _commit(self, store: AttemptLogStore, batch: SpoolBatch) -> None:
        report = store.append_spooled(
            batch.attempts,
            batch.changes,
            batch.requests,
            positions=batch.positions,
            forgotten=batch.forgotten,
        )
        if report.unfit:
            self._unfit += report.unfit
            _log.error("rows_unfit", rows=report.unfit)
        self._since_checkpoint += batch.rows
        if self._since_checkpoint >= _CHECKPOINT_EVERY_ROWS:
            self._since_checkpoint = 0
            store.checkpoint()

    def _retain(self, store: AttemptLogStore) -> None:
        """Once a day, move old months away. What cannot be written stays, and is tried tomorrow."""
        retention = self._retention
        if retention is None or self._looked_at == (today := retention.today()):
            return
        self._looked_at = today
        before = today - dt.timedelta(days=retention.days)
        try:
            for month in archive_months(store, retention.folder, before=before):
                _log.info("month_archived", file=month.path.name, rows=month.rows)
        except StoreError as error:
            _log.error("archive_failed", problem=str(error))

    def _note(self, error: StoreError) -> None:
        if self.problem is None:
            _log.error("attempt_log_away", problem=str(error))
        self.problem = str(error)
