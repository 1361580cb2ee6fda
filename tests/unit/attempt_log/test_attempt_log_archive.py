"""Old months leave the log for Parquet files, whole or not at all."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from orchestrator.attempt_log import AttemptLogStore, archive_months
from orchestrator.domain import StoreError
from tests.support.log_rows import attempt, change, request


def at(text: str) -> dt.datetime:
    """A time of a day."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AttemptLogStore]:
    """A log of three months."""
    made = AttemptLogStore(tmp_path / "attempts.duckdb", memory_limit_mb=64)
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
