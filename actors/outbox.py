"""Rows on their way to the attempt log: sent in batches, kept until acknowledged, sent again."""

import asyncio
import contextlib
from collections import deque
from typing import Final

import structlog

from actors.ports import AttemptLogPort
from orchestrator.domain import CircuitChange, ConnectionAttempt, RequestRecord

__all__ = ["LogOutbox"]

_BATCH_ROWS: Final = 1000
_MOST_WAITING: Final = 200_000
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0

Row = ConnectionAttempt | CircuitChange | RequestRecord

_log = structlog.get_logger("outbox")


class LogOutbox:
    """Sends rows in order and forgets none before the log has acknowledged it.

    A batch whose acknowledgement was lost is sent again whole; the log de-duplicates by id. Bounded:
    past 200,000 waiting rows the oldest are dropped and counted in `lost`.
    """

    def __init__(self, log: AttemptLogPort) -> None:
        self._log = log
        self._rows: deque[Row] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._sender: asyncio.Task[None] | None = None
        self.lost = 0

    @property
    def pending(self) -> int:
        """Rows that the log has not acknowledged."""
        return len(self._rows)

    def put(self, *rows: Row) -> None:
        """Take rows for sending; returns at once."""
        if not rows:
            return
        self._rows.extend(rows)
        while len(self._rows) > _MOST_WAITING:
            self._rows.popleft()
            self.lost += 1
        self._idle.clear()
        self._wake.set()
        if self._sender is None:
            self._sender = asyncio.get_running_loop().create_task(self._send_forever())

    async def flush(self, timeout_s: float) -> bool:
        """Wait until everything is acknowledged; False when that took longer than allowed."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), timeout_s)
        return not self._rows

    async def close(self, timeout_s: float) -> bool:
        """Flush, then stop sending; False where rows were left. A later `put` begins again."""
        flushed = await self.flush(timeout_s)
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
            self._sender = None
        return flushed

    async def _send_forever(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._rows:
                batch = [self._rows[i] for i in range(min(_BATCH_ROWS, len(self._rows)))]
                lost_before = self.lost
                try:
                    await self._log.append(batch)
                except Exception as error:  # noqa: BLE001  whatever it is, the rows wait and go again
                    _log.warning("attempt_log_unreachable", error=type(error).__name__)
                    await asyncio.sleep(pause_s)
                    pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
                    continue
                pause_s = _FIRST_PAUSE_S
                for _ in range(len(batch) - (self.lost - lost_before)):
                    self._rows.popleft()
            self._idle.set()
