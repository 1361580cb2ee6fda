"""The attempt log's actor: the one process that writes the file."""

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import orjson

from actors.log_collector import LogCollector, Retention
from actors.ports import LogStanding
from orchestrator.attempt_log import AttemptLogStore, LogStats, RequestStory
from orchestrator.domain import Clock, Json, StoreError, to_wire

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AttemptLogDesk", "told_story", "window_s"]

_READERS: Final = 2
_READERS_NICENESS: Final = 5
_JSON_ROWS: Final = 1_000
_COLLECT_EVERY_S: Final = 0.05
_LONGEST_WINDOW_S: Final = 0.1
_WINDOW_RATIO: Final = 9.0
_LONGEST_PAUSE_S: Final = 5.0


def window_s(shortest_s: float, took_s: float) -> float:
    """How long rows gather before the next commit, after one that took so long.

    Nine times as long, so that commits are a tenth of the time, within what a row may wait.
    """
    return max(shortest_s, min(took_s * _WINDOW_RATIO, _LONGEST_WINDOW_S))


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
    """An `AttemptLogPort` over a store: collects and writes on one thread, reads on others.

    Args:
        open_store: opens the file; what it raises is told by whoever asks for rows, and the file is
            tried again.
        spool_folder: where every process of this installation spools its rows.
        clock: wall time, for the window of the statistics.
        query_timeout_s: bound of a reader's SELECT.
        query_max_rows: as above.
        retention: which months leave the file, and for where; None keeps all.
        collect_every_s: how long rows gather at the least before they are committed; None leaves
            it to `collect`.

    """

    def __init__(
        self,
        open_store: Callable[[], AttemptLogStore],
        spool_folder: Path,
        clock: Clock,
        *,
        query_timeout_s: float,
        query_max_rows: int,
        retention: Retention | None = None,
        collect_every_s: float | None = _COLLECT_EVERY_S,
    ) -> None:
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="log-writer")
        self._readers = ThreadPoolExecutor(
            _READERS, thread_name_prefix="log-reader", initializer=_give_way
        )
        self._collector = LogCollector(open_store, spool_folder, retention)
        self._clock = clock
        self._query_timeout_s = query_timeout_s
        self._query_max_rows = query_max_rows
        self._next: Future[None] | None = None
        # The writer's thread may begin before it is known here what it has been given.
        self._asking = threading.Lock()
        self._ending = threading.Event()
        # A thread, as an actor that Ray has restarted has no event loop yet when it is made.
        if collect_every_s is not None:
            threading.Thread(
                target=self._collect_forever,
                args=(collect_every_s,),
                name="log-collector",
                daemon=True,
            ).start()

    async def collect(self) -> None:
        """Commit all that stands in the spools now.

        Raises:
            StoreError: the file cannot be had or written; nothing is lost.

        """
        with self._asking:
            following = self._next
            if following is None:
                following = self._next = self._writer.submit(self._collect_next)
        # Not begun yet, so it will find what stood there when it was asked for.
        await asyncio.shield(asyncio.wrap_future(following))

    async def standing(self) -> LogStanding:
        """Whether the log is well, and what waits for it."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, self._standing)

    async def stats(self) -> LogStats:
        """What the last 24 hours look like.

        Raises:
            StoreError: the file cannot be had.

        """
        store = await self._store()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, store.stats, self._clock.unix_s())

    async def story(self, request_id: str) -> dict[str, Json] | None:
        """One request's record and its attempts.

        Raises:
            StoreError: the file cannot be had.

        """
        store = await self._store()
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._readers, store.request_story, request_id)
        return None if found is None else told_story(request_id, found)

    async def frame(self, sql: str) -> "pd.DataFrame":
        """Rows for one SELECT, as a frame.

        Raises:
            QueryRefused: not one SELECT over the log's tables, or out of bounds.
            StoreError: the file cannot be had.

        """
        store = await self._store()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self._frame, store, sql)

    async def query(self, sql: str) -> list[Json]:
        """Rows for one SELECT, as JSON data.

        Raises:
            QueryRefused: as above.
            StoreError: as above.

        """
        store = await self._store()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._readers, lambda: _json_rows(self._frame(store, sql))
        )

    async def export(self, sql: str, path: Path) -> int:
        """Write the rows for one SELECT to a Parquet file, in pieces; how many they are.

        Raises:
            QueryRefused: as above.
            StoreError: as above, or the file cannot be written.

        """
        store = await self._store()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._readers,
            lambda: store.export_parquet(path, sql=sql, timeout_s=self._query_timeout_s),
        )

    async def close(self) -> None:
        """Commit what is there and close the file."""
        self._ending.set()
        loop = asyncio.get_running_loop()
        with suppress(StoreError):
            await self.collect()
        await loop.run_in_executor(self._writer, self._collector.close)
        self._readers.shutdown(wait=False)
        self._writer.shutdown(wait=False)

    async def _store(self) -> AttemptLogStore:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writer, self._collector.store)

    def _frame(self, store: AttemptLogStore, sql: str) -> "pd.DataFrame":
        return store.attempts_frame(
            sql, timeout_s=self._query_timeout_s, max_rows=self._query_max_rows
        )

    def _collect_next(self) -> None:
        with self._asking:
            self._next = None
        self._collector.collect()

    def _collect_forever(self, every_s: float) -> None:
        pause_s = every_s
        while not self._ending.wait(pause_s):
            began_s = time.monotonic()
            try:
                self._writer.submit(self._collector.collect).result()
                pause_s = window_s(every_s, time.monotonic() - began_s)
            except StoreError:
                # The collector has said so; `standing` goes on saying it.
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
            except RuntimeError:
                # Closed meanwhile: the executor takes nothing any more.
                return

    def _standing(self) -> LogStanding:
        return LogStanding(
            pending=self._collector.rows_waiting(),
            lost=self._collector.lost,
            problem=self._collector.problem,
        )


def _give_way() -> None:
    """Let the thread that commits go first where both want the processor."""
    thread = threading.get_native_id()
    niceness = os.getpriority(os.PRIO_PROCESS, thread) + _READERS_NICENESS
    os.setpriority(os.PRIO_PROCESS, thread, niceness)


def _json_rows(frame: "pd.DataFrame") -> list[Json]:
    """A frame's rows, in pieces: while one is made, no other thread of this process runs."""
    rows: list[Json] = []
    for start in range(0, len(frame), _JSON_ROWS):
        piece = frame.iloc[start : start + _JSON_ROWS]
        rows += orjson.loads(piece.to_json(orient="records", date_format="iso", date_unit="ms"))
    return rows
