"""Rows on their way to the attempt log."""

import asyncio

import pytest

from actors import outbox as outbox_module
from actors.outbox import LogOutbox
from actors.ports import ActorLost
from tests.support.orders import RecordingLog, attempt


async def test_rows_that_wait_go_together() -> None:
    """Send what has gathered while the log was busy as one batch, in order."""
    log = RecordingLog()
    log.gate.clear()
    outbox = LogOutbox(log)
    rows = [attempt(number) for number in range(5)]
    outbox.put(rows[0])
    await asyncio.sleep(0)
    outbox.put(*rows[1:])
    log.gate.set()
    await outbox.close(1.0)

    assert [rows[:1], rows[1:]] == log.batches


async def test_batches_are_bounded() -> None:
    """Cut what waits into batches of a thousand rows."""
    log = RecordingLog()
    outbox = LogOutbox(log)
    outbox.put(*(attempt(number) for number in range(2500)))
    await outbox.close(1.0)

    assert [1000, 1000, 500] == [len(batch) for batch in log.batches]


async def test_unacknowledged_batch_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send a batch whose acknowledgement was lost again, whole, before any later row."""
    monkeypatch.setattr(outbox_module, "_FIRST_PAUSE_S", 0.001)
    log = RecordingLog([ActorLost("gone"), RuntimeError("odd")])
    outbox = LogOutbox(log)
    rows = [attempt(1), attempt(2)]
    outbox.put(*rows)

    assert await outbox.close(1.0)
    assert [rows, rows, rows] == log.batches
    assert (0, 0) == (outbox.pending, outbox.lost)


async def test_rows_are_pending_until_acknowledged() -> None:
    """Count a row as pending while its batch is on its way."""
    log = RecordingLog()
    log.gate.clear()
    outbox = LogOutbox(log)
    outbox.put(attempt(1), attempt(2))
    flushed = await outbox.flush(0.01)
    waiting = outbox.pending
    log.gate.set()
    await outbox.close(1.0)

    assert (False, 2, 0) == (flushed, waiting, outbox.pending)


async def test_oldest_rows_are_lost_past_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drop and count the oldest rows when the log has been away for too long."""
    monkeypatch.setattr(outbox_module, "_MOST_WAITING", 3)
    log = RecordingLog()
    log.gate.clear()
    outbox = LogOutbox(log)
    rows = [attempt(number) for number in range(5)]
    outbox.put(*rows)
    log.gate.set()
    await outbox.close(1.0)

    assert 2 == outbox.lost
    assert rows[2:] == log.rows


async def test_rows_dropped_in_flight_take_no_others_with_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Keep every newer row when rows of the batch under way are dropped past the bound."""
    monkeypatch.setattr(outbox_module, "_MOST_WAITING", 3)
    log = RecordingLog()
    log.gate.clear()
    outbox = LogOutbox(log)
    rows = [attempt(number) for number in range(5)]
    outbox.put(*rows[:3])
    await asyncio.sleep(0)
    outbox.put(*rows[3:])
    log.gate.set()
    await outbox.close(1.0)

    assert [rows[:3], rows[3:]] == log.batches
    assert 2 == outbox.lost


async def test_closed_outbox_leaves_no_task() -> None:
    """Leave nothing running behind after closing, and begin again with the next row."""
    log = RecordingLog()
    outbox = LogOutbox(log)
    outbox.put(attempt(1))
    await outbox.close(1.0)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    outbox.put(attempt(2))
    await outbox.close(1.0)

    assert set() == left
    assert [attempt(1), attempt(2)] == log.rows


async def test_nothing_to_send_is_flushed_at_once() -> None:
    """Answer a flush at once where nothing waits."""
    outbox = LogOutbox(RecordingLog())
    outbox.put()

    assert await outbox.flush(0.0)
