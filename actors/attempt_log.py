"""The attempt log's actor: the one process that writes the file."""

import asyncio
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, cast

from actors.ports import LogRow
from orchestrator.attempt_log import AttemptLogStore, LogStats, RequestStory
from orchestrator.domain import (
    CircuitChange,
    Clock,
    ConnectionAttempt,
    Json,
    RequestRecord,
    to_wire,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AttemptLogDesk", "told_story"]

_READERS: Final = 2
_CHECKPOINT_EVERY_ROWS: Final = 50_000


def told_story(request_id: str, found: RequestStory) -> dict[str, Json]:
    """One request's record and attempts as JSON data."""
    told: dict[str, Json] = {"requestId": request_id, "request": None}
    if found.request is not None:
        told["request"] = {
            **cast("dict[str, Json]", json.loads(found.request.story)),
            "at": to_wire(found.request.at),
            "outcome": found.request.outcome,
            "totalMs": found.request.total_ms,
        }
    told["attempts"] = [to_wire(attempt) for attempt in found.attempts]
    return told


class AttemptLogDesk:
    """An `AttemptLogPort` over a store: writes on one thread, reads on others.

    Args:
        open_store: opens it.
        clock: wall time, for the window of the statistics.
        query_timeout_s: bound of a reader's SELECT.
        query_max_rows: as above.

    Raises:
        StoreError: the file cannot be opened.

    """

    def __init__(
        self,
        open_store: Callable[[], AttemptLogStore],
        clock: Clock,
        *,
        query_timeout_s: float,
        query_max_rows: int,
    ) -> None:
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="log-writer")
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="log-reader")
        self._store = self._writer.submit(open_store).result()
        self._clock = clock
        self._query_timeout_s = query_timeout_s
        self._query_max_rows = query_max_rows
        self._since_checkpoint = 0

    async def append(self, rows: Sequence[LogRow]) -> None:
        """Commit rows; rows that are there already change nothing."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._writer, self._append, rows)

    async def stats(self) -> LogStats:
        """What the last 24 hours look like."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self._store.stats, self._clock.unix_s())

    async def story(self, request_id: str) -> dict[str, Json] | None:
        """One request's record and its attempts."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._readers, self._store.request_story, request_id)
        return None if found is None else told_story(request_id, found)

    async def frame(self, sql: str) -> "pd.DataFrame":
        """Rows for one SELECT, as a frame.

        Raises:
            QueryRefused: not one SELECT over the log's tables, or out of bounds.

        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self._query, sql)

    async def query(self, sql: str) -> list[Json]:
        """Rows for one SELECT, as JSON data.

        Raises:
            QueryRefused: as above.

        """
        frame = await self.frame(sql)
        rows = frame.to_json(orient="records", date_format="iso", date_unit="ms")
        return cast("list[Json]", json.loads(rows or "[]"))

    async def close(self) -> None:
        """Commit and close the file."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._writer, self._close)
        self._readers.shutdown(wait=False)
        self._writer.shutdown(wait=False)

    def _append(self, rows: Sequence[LogRow]) -> None:
        self._store.append(
            [row for row in rows if isinstance(row, ConnectionAttempt)],
            [row for row in rows if isinstance(row, CircuitChange)],
            [row for row in rows if isinstance(row, RequestRecord)],
        )
        self._since_checkpoint += len(rows)
        if self._since_checkpoint >= _CHECKPOINT_EVERY_ROWS:
            self._since_checkpoint = 0
            self._store.checkpoint()

    def _query(self, sql: str) -> "pd.DataFrame":
        return self._store.attempts_frame(
            sql, timeout_s=self._query_timeout_s, max_rows=self._query_max_rows
        )

    def _close(self) -> None:
        self._store.checkpoint()
        self._store.close()
