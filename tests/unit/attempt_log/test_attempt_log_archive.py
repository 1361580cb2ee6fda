"""Old months leave the log for Parquet files, whole or not at all."""

import datetime as dt
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

from orchestrator.attempt_log import AttemptLogStore, archive_months, read_only
from orchestrator.domain import QueryRefused, StoreError
from tests.support.log_rows import attempt, change, request


def at(text: str) -> dt.datetime:
    """A time of a day."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AttemptLogStore]:
    """A log of three months."""
    made = AttemptLogStore(
        tmp_path / "attempts.duckdb", memory_limit_mb=64, archive=tmp_path / "shown"
    )
    made.append(
        [
            attempt(1, started_at=at("2026-01-31T23:59:59.999999")),
            attempt(2, started_at=at("2026-02-01T00:00:00")),
            attempt(3, started_at=at("2026-02-28T23:59:59.999999")),
            attempt(4, started_at=at("2026-03-01T00:00:00")),
        ],
        [change(1, at=at("2026-01-05T12:00:00"))],
        [request(1, at=at("2026-02-05T12:00:00"))],
    )
    yield made
    made.close()


def numbers(store: AttemptLogStore) -> list[str]:
    """Request ids of the attempts that are still in the log."""
    frame = store.attempts_frame(
        "select request_id from attempts order by started_at", timeout_s=5, max_rows=100
    )
    return list(frame["request_id"])


def archived(folder: Path) -> dict[str, int]:
    """Rows of each file."""
    return {path.name: pq.read_metadata(path).num_rows for path in sorted(folder.iterdir())}


def test_whole_months_before_the_day_move_and_the_rest_stays(
    store: AttemptLogStore, tmp_path: Path
) -> None:
    """A month is cut at its own midnights, table by table."""
    done = archive_months(store, tmp_path / "archive", before=dt.date(2026, 3, 15))

    assert {
        "attempts-2026-01.parquet": 1,
        "attempts-2026-02.parquet": 2,
        "circuit_changes-2026-01.parquet": 1,
        "requests-2026-02.parquet": 1,
    } == archived(tmp_path / "archive")
    assert ["req_4"] == numbers(store)
    assert 4 == len(done)
    assert () == archive_months(store, tmp_path / "archive", before=dt.date(2026, 3, 15))


def test_an_archived_row_is_as_it_was(store: AttemptLogStore, tmp_path: Path) -> None:
    """Every column goes along, times in UTC."""
    archive_months(store, tmp_path, before=dt.date(2026, 2, 1))
    (row,) = pq.read_table(tmp_path / "attempts-2026-01.parquet").to_pylist()

    assert ("req_1", "plaid", ["plaid", "mx"], at("2026-01-31T23:59:59.999999")) == (
        row["request_id"],
        row["provider"],
        row["candidates"],
        row["started_at"],
    )


def test_late_rows_of_an_archived_month_get_a_file_of_their_own(
    store: AttemptLogStore, tmp_path: Path
) -> None:
    """What was archived before is never written over."""
    archive_months(store, tmp_path / "archive", before=dt.date(2026, 2, 1))
    store.append([attempt(9, started_at=at("2026-01-02T00:00:00"))])
    archive_months(store, tmp_path / "archive", before=dt.date(2026, 2, 1))

    assert 1 == archived(tmp_path / "archive")["attempts-2026-01.parquet"]
    assert 1 == archived(tmp_path / "archive")["attempts-2026-01.2.parquet"]


def test_a_file_that_was_not_committed_is_made_again(
    store: AttemptLogStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash between file and deletion leaves the rows in the log, and no row twice afterwards."""

    def crash(*_: object) -> None:
        raise StoreError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(AttemptLogStore, "forget_month", crash)
        with pytest.raises(StoreError):
            archive_months(store, tmp_path / "archive", before=dt.date(2026, 2, 1))

    assert "req_1" in numbers(store)

    archive_months(store, tmp_path / "archive", before=dt.date(2026, 2, 1))

    assert {"attempts-2026-01.parquet": 1, "circuit_changes-2026-01.parquet": 1} == archived(
        tmp_path / "archive"
    )


def test_a_folder_that_cannot_be_made_keeps_the_month(
    store: AttemptLogStore, tmp_path: Path
) -> None:
    """Nothing leaves the log for nowhere."""
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StoreError):
        archive_months(store, tmp_path / "file" / "archive", before=dt.date(2026, 2, 1))

    assert 4 == len(numbers(store))


def test_readers_see_archived_months_too(store: AttemptLogStore, tmp_path: Path) -> None:
    """What was asked before a month moved is answered the same after it."""
    asked = (
        "select * from attempts order by started_at",
        "select request_id from main.attempts where started_at < '2026-02-01' order by 1",
        "with late as (select * from attempts where outcome = 'success') select count(*) from late",
        "select * from requests",
        "select * from circuit_changes",
    )
    before = [store.attempts_frame(sql, timeout_s=5, max_rows=100) for sql in asked]
    archive_months(store, tmp_path / "shown", before=dt.date(2026, 3, 15))
    after = [store.attempts_frame(sql, timeout_s=5, max_rows=100) for sql in asked]
    rows = store.export_parquet(tmp_path / "all.parquet")

    for was, now in zip(before, after, strict=True):
        assert_frame_equal(was, now)
    assert 4 == rows == pq.read_metadata(tmp_path / "all.parquet").num_rows


def test_a_month_is_archived_once_though_readers_see_it(
    store: AttemptLogStore, tmp_path: Path
) -> None:
    """Late rows alone go into a further file."""
    archive_months(store, tmp_path / "shown", before=dt.date(2026, 2, 1))
    store.append([attempt(9, started_at=at("2026-01-02T00:00:00"))])
    archive_months(store, tmp_path / "shown", before=dt.date(2026, 2, 1))

    assert 1 == archived(tmp_path / "shown")["attempts-2026-01.2.parquet"]
    assert ["req_9", "req_1", "req_2", "req_3", "req_4"] == numbers(store)


def test_a_stopped_servers_archive_is_read_too(store: AttemptLogStore, tmp_path: Path) -> None:
    """Without the folder, or with a file that was moved away, the rest is there."""
    archive_months(store, tmp_path / "shown", before=dt.date(2026, 3, 15))
    store.close()
    counted = "select count(*) as n from attempts"
    found = []
    for archive in (tmp_path / "shown", None, tmp_path / "nowhere"):
        with read_only(tmp_path / "attempts.duckdb", archive=archive) as log:
            found.append(int(log.attempts_frame(counted, timeout_s=5, max_rows=1)["n"][0]))

    assert [4, 1, 1] == found


@pytest.mark.parametrize(
    "sql",
    [
        "select * from archived_attempts",
        "select * from temp.main.attempts",
        "select * from read_parquet('{file}')",
        "select * from '{file}'",
        "copy attempts to '{file}'",
    ],
)
def test_readers_cannot_name_the_files(sql: str, store: AttemptLogStore, tmp_path: Path) -> None:
    """Archived rows are in the tables, and nowhere else."""
    archive_months(store, tmp_path / "shown", before=dt.date(2026, 3, 15))
    file = tmp_path / "shown" / "attempts-2026-01.parquet"

    with pytest.raises(QueryRefused):
        store.attempts_frame(sql.format(file=file), timeout_s=5, max_rows=100)
    with pytest.raises(duckdb.Error), closing(store._connection.cursor()) as cursor:
        cursor.execute(f"select * from read_parquet('{file}')").fetchall()


def test_a_damaged_archive_is_told(store: AttemptLogStore, tmp_path: Path) -> None:
    """No answer that lacks rows without a word."""
    archive_months(store, tmp_path / "shown", before=dt.date(2026, 2, 1))
    (tmp_path / "shown" / "attempts-2026-01.parquet").write_bytes(b"no parquet")

    with pytest.raises(StoreError):
        numbers(store)
