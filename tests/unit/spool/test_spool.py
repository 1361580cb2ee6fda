"""A process's rows on the disk, and whoever reads them for the log."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import pytest

from orchestrator.domain import ConnectionAttempt, ErrorScope
from orchestrator.spool import Row, SpoolBatch, SpoolReader, SpoolWriter
from orchestrator.spool.reader import _read
from orchestrator.spool.records import (
    Kind,
    encoded_intent,
    encoded_row,
    id_in,
    kind_of,
    rows_in,
    values_in,
)
from tests.support.log_rows import attempt, attempts_of, change, request, row_in, rows_of

LOST = attempt(1, outcome="network", error_code="ACTOR_LOST", http_calls=None)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[SpoolWriter]:
    """A process's spool."""
    made = SpoolWriter(tmp_path, "provider-plaid")
    yield made
    made.close()


def taken(reader: SpoolReader, most_rows: int = 1000) -> list[Row]:
    """All rows that are there, committed as they come."""
    rows: list[Row] = []
    while not (batch := reader.read(most_rows)).is_empty:
        rows += rows_of(batch)
        reader.committed(batch)
    return rows


def killed(writer: SpoolWriter) -> None:
    """End a writer as SIGKILL would: its descriptors go, and nothing else happens."""
    if writer._descriptor is not None:
        os.close(writer._descriptor)
        writer._descriptor = None


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        (Kind.INTENT, LOST),
        (Kind.ATTEMPT, attempt(2, error_scope=ErrorScope.INSTITUTION, outcome="provider_down")),
        (Kind.CHANGE, change()),
        (Kind.REQUEST, request(story='{"a": "b\\nc\\r\\u2028"}')),
    ],
)
def test_a_record_reads_back_as_it_was_written(kind: Kind, row: Row) -> None:
    """Every field survives, on one line."""
    intent = kind is Kind.INTENT and isinstance(row, ConnectionAttempt)
    line = encoded_intent(row) if intent else encoded_row(row)

    assert 1 == len(line.splitlines())
    assert (kind, row) == (kind_of(line[:-1]), row_in(line))
    assert (kind is not Kind.INTENT) == rows_in(line)


def test_an_id_is_told_apart_without_reading_the_row() -> None:
    """Intent and outcome of an attempt have the same one, another attempt has not."""
    ids = [
        id_in(line) for line in (encoded_intent(LOST), *map(encoded_row, (attempt(1), attempt(2))))
    ]

    assert [row.attempt_id.encode() for row in (LOST, attempt(1), attempt(2))] == ids


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"00000000 ",
        b"nonsense",
        b"\xff" * 40,
        encoded_row(change())[:-20],
        encoded_row(change()).replace(b"plaid", b"plaif"),
    ],
)
def test_a_damaged_record_says_nothing(line: bytes) -> None:
    """A checksum that does not fit is no row, and no exception."""
    assert kind_of(line) is None


@pytest.mark.parametrize("text", [b'A{"attempt_id":"x"}', b'A["x",1]', b"A[", b"A]", b"A[1],[2]"])
def test_a_record_of_another_version_is_left_out(text: bytes) -> None:
    """Whole by its checksum, and no row of ours; those beside it are read."""
    strange = b"%08x%b" % (crc32(text), text)
    whole = encoded_row(attempt(1))[:-1]

    assert kind_of(strange) is Kind.ATTEMPT
    assert [attempt(1)] * 2 == attempts_of(values_in(Kind.ATTEMPT, [whole, strange, whole]))


def test_a_record_of_an_unknown_kind_says_nothing() -> None:
    """A letter that no version of this program has used is damage."""
    assert kind_of(b"%08x%b" % (crc32(b"Z[]"), b"Z[]")) is None


def test_what_was_put_is_read_in_order(tmp_path: Path, writer: SpoolWriter) -> None:
    """Attempts, changes and requests come back, intents alone do not."""
    writer.intend(LOST)
    for row in (attempt(1), change(), request(), attempt(2)):
        writer.put(row)
    reader = SpoolReader(tmp_path, {})

    assert 4 == reader.rows_waiting()
    assert [attempt(1), attempt(2), change(), request()] == taken(reader)
    assert 0 == reader.rows_waiting()
    assert [] == taken(reader)


def test_an_open_intent_of_a_living_process_is_waited_for(
    tmp_path: Path, writer: SpoolWriter
) -> None:
    """As long as its owner may tell how an attempt went, nobody else does."""
    writer.intend(LOST)
    reader = SpoolReader(tmp_path, {})

    assert [] == taken(reader)

    writer.put(attempt(1))

    assert [attempt(1)] == taken(reader)


def test_an_attempt_whose_process_died_gets_its_row(tmp_path: Path, writer: SpoolWriter) -> None:
    """An intent without an outcome, of an owner that is gone, is the row itself; the file goes."""
    writer.intend(LOST)
    writer.intend(replace(LOST, attempt_id=attempt(2).attempt_id))
    writer.put(attempt(2))
    killed(writer)

    assert [attempt(2), LOST] == taken(SpoolReader(tmp_path, {}))
    assert [] == list(tmp_path.iterdir())


def test_rows_are_read_again_until_they_are_committed(tmp_path: Path, writer: SpoolWriter) -> None:
    """A reader whose commit failed has the same rows next time, and another one as well."""
    writer.intend(LOST)
    writer.put(attempt(1))
    writer.put(attempt(2))
    reader = SpoolReader(tmp_path, {})
    first = reader.read(1000)

    assert (
        first.attempts == reader.read(1000).attempts == SpoolReader(tmp_path, {}).read(9).attempts
    )

    reader.committed(first)

    assert reader.read(1000).is_empty


def test_a_new_reader_goes_on_at_the_committed_positions(
    tmp_path: Path, writer: SpoolWriter
) -> None:
    """What was committed before a restart is not told again, and its intents are known."""
    writer.intend(LOST)
    writer.put(attempt(2))
    first = SpoolReader(tmp_path, {}).read(1000)
    writer.put(attempt(3))
    killed(writer)
    again = SpoolReader(tmp_path, first.positions)

    assert 1 == again.rows_waiting()
    assert [attempt(3), LOST] == taken(again)


def test_positions_of_files_that_are_gone_may_go(tmp_path: Path, writer: SpoolWriter) -> None:
    """A deleted file is named once, so that nobody keeps its position for ever."""
    writer.put(attempt(1))
    killed(writer)
    reader = SpoolReader(tmp_path, {"old-1-x.00000001.spool": 77})
    first = reader.read(1000)
    reader.committed(first)
    second = reader.read(1000)
    reader.committed(second)

    assert ("old-1-x.00000001.spool",) == first.forgotten
    assert first.ended == second.forgotten
    assert reader.read(1000).is_empty


def test_full_files_are_followed_by_others_and_used_up_ones_deleted(tmp_path: Path) -> None:
    """A process that lives on leaves no more behind than its last file and open intents."""
    writer = SpoolWriter(tmp_path, "router", segment_bytes=700)
    writer.intend(LOST)
    rows = [attempt(number) for number in range(2, 12)]
    for row in rows:
        writer.put(row)
    reader = SpoolReader(tmp_path, {})
    several = len(list(tmp_path.iterdir()))

    assert rows == taken(reader)
    assert several > 3
    # The first file holds the open intent, the last one is still written to.
    assert 2 == len(list(tmp_path.iterdir()))

    writer.put(attempt(1))

    assert [attempt(1)] == taken(reader)
    assert 1 == len(list(tmp_path.iterdir()))
    writer.close()


def test_a_large_backlog_comes_in_pieces(tmp_path: Path, writer: SpoolWriter) -> None:
    """A reader takes about as many rows as it is asked for and says that there are more."""
    for number in range(25):
        writer.put(attempt(number))
    reader = SpoolReader(tmp_path, {})
    batch: SpoolBatch = reader.read(10)

    assert (10, True) == (batch.rows, batch.more)

    reader.committed(batch)

    assert 15 == reader.rows_waiting()
    assert [attempt(number) for number in range(10, 25)] == taken(reader, 10)


def test_a_torn_end_of_a_dead_process_is_counted(tmp_path: Path, writer: SpoolWriter) -> None:
    """Half a record at the end of a file is lost, and said to be; the rest is there."""
    writer.put(attempt(1))
    (path,) = tmp_path.iterdir()
    killed(writer)
    with path.open("ab") as file:
        file.write(encoded_row(attempt(2))[:50])
    reader = SpoolReader(tmp_path, {})

    assert [attempt(1)] == taken(reader)
    assert 1 == reader.damaged


def test_a_damaged_record_stops_nobody(tmp_path: Path, writer: SpoolWriter) -> None:
    """The rows around it are read, and it is counted."""
    writer.put(attempt(1))
    (path,) = tmp_path.iterdir()
    with path.open("ab") as file:
        file.write(b"0000abcd not a record\n")
    writer.put(attempt(2))
    reader = SpoolReader(tmp_path, {})

    assert [attempt(1), attempt(2)] == taken(reader)
    assert 1 == reader.damaged


def test_a_disk_that_takes_nothing_delays_rows_and_loses_none(
    tmp_path: Path, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows wait in memory, in order, and go first as soon as there is room."""
    writer.put(attempt(1))

    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("orchestrator.spool.writer.os.write", full)
        writer.put(attempt(2))
        writer.put(attempt(3))

        assert (2, False) == (writer.waiting, writer.retry())

    writer.put(attempt(4))

    assert (0, 0) == (writer.waiting, writer.lost)
    assert [attempt(number) for number in (1, 2, 3, 4)] == taken(SpoolReader(tmp_path, {}))


def test_half_a_write_is_taken_back(
    tmp_path: Path, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fills within a record leaves no torn one behind."""
    writer.put(attempt(1))
    write = os.write

    def part(descriptor: int, data: bytes) -> int:
        return write(descriptor, data[: len(data) // 2])

    with monkeypatch.context() as patch:
        patch.setattr("orchestrator.spool.writer.os.write", part)
        writer.put(attempt(2))

    assert writer.retry()

    reader = SpoolReader(tmp_path, {})

    assert [attempt(1), attempt(2)] == taken(reader)
    assert 0 == reader.damaged


def test_memory_is_bounded_and_what_it_drops_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past its bound the oldest waiting rows go, and `lost` says how many."""
    blocker = tmp_path / "file"
    blocker.write_text("no folder")
    writer = SpoolWriter(blocker / "spool", "router", most_waiting=3)
    for number in range(5):
        writer.put(attempt(number))

    assert (3, 2) == (writer.waiting, writer.lost)


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    """Before anybody has written, there is nothing to read."""
    reader = SpoolReader(tmp_path / "spool", {})

    assert reader.read(10).is_empty
    assert 0 == reader.rows_waiting()


def test_strange_files_are_left_alone(tmp_path: Path) -> None:
    """What is no spool's is neither read nor deleted."""
    for name in ("notes.txt", ".draft.00000001.spool", "x.spool", "a.b.spool"):
        (tmp_path / name).write_text("mine")

    assert [] == taken(SpoolReader(tmp_path, {}))
    assert 4 == len(list(tmp_path.iterdir()))


def test_kinds_of_rows_go_where_they_belong(tmp_path: Path, writer: SpoolWriter) -> None:
    """A batch keeps tables apart."""
    for row in (request(), change(), attempt(1)):
        writer.put(row)
    batch = SpoolReader(tmp_path, {}).read(10)

    assert [attempt(1), change(), request()] == rows_of(batch)
    assert (1, 1, 1) == (len(batch.attempts), len(batch.changes), len(batch.requests))


def test_what_a_process_writes_before_it_begins_another_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is let go of while it is read goes only once all of it is committed."""
    writer = SpoolWriter(tmp_path, "router", segment_bytes=1_000)
    writer.put(attempt(1))
    reader = SpoolReader(tmp_path, {})

    def read_then_written(path: Path, position: int) -> bytes:
        chunk = _read(path, position)
        if not writer_is_on():
            for number in (2, 3, 4, 5):
                writer.put(attempt(number))
        return chunk

    def writer_is_on() -> bool:
        return len(list(tmp_path.iterdir())) > 1

    with monkeypatch.context() as patch:
        patch.setattr("orchestrator.spool.reader._read", read_then_written)
        first = reader.read(100)
    reader.committed(first)

    assert [attempt(1)] == rows_of(first)
    assert [attempt(number) for number in (2, 3, 4, 5)] == taken(reader)

    writer.close()
