"""From the spools into the log's file, whatever the file is like."""

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from actors.log_collector import LogCollector
from orchestrator.attempt_log import AppendReport, AttemptLogStore
from orchestrator.domain import StoreError
from orchestrator.spool import SpoolWriter
from tests.support.log_rows import NOW, attempt, change, request


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[SpoolWriter]:
    """A process's spool."""
    writer = SpoolWriter(tmp_path / "spool", "provider-plaid")
    yield writer
    writer.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the log's file is."""
    return tmp_path / "attempts.duckdb"


@pytest.fixture
def collector(tmp_path: Path, path: Path) -> Iterator[LogCollector]:
    """A collector over the file."""
    made = LogCollector(lambda: AttemptLogStore(path, memory_limit_mb=64), tmp_path / "spool")
    yield made
    made.close()


def ids(collector: LogCollector) -> list[str]:
    """Ids of the attempts in the log, in order."""
    frame = collector.store().attempts_frame(
        "select attempt_id from attempts order by attempt_id", timeout_s=5, max_rows=1000
    )
    return [str(row) for row in frame["attempt_id"]]


def test_rows_of_all_kinds_are_committed(spool: SpoolWriter, collector: LogCollector) -> None:
    """What was written down is in the file, and nothing waits."""
    for row in (attempt(1), attempt(2), change(), request()):
        spool.put(row)

    assert 4 == collector.rows_waiting()

    collector.collect()

    assert [attempt(1).attempt_id, attempt(2).attempt_id] == ids(collector)
    assert (1, 1) == (
        collector.store().stats(NOW.timestamp()).requests_24h,
        len(collector.store().stats(NOW.timestamp()).circuit_changes),
    )
    assert (0, 0, None) == (collector.rows_waiting(), collector.lost, collector.problem)


def test_a_restart_commits_nothing_twice(
    spool: SpoolWriter, collector: LogCollector, path: Path, tmp_path: Path
) -> None:
    """Positions are committed with the rows, so a new process goes on after them."""
    spool.put(attempt(1))
    collector.collect()
    collector.close()
    spool.put(attempt(2))
    again = LogCollector(lambda: AttemptLogStore(path, memory_limit_mb=64), tmp_path / "spool")
    again.collect()

    assert [attempt(1).attempt_id, attempt(2).attempt_id] == ids(again)

    again.close()


def test_a_damaged_file_delays_rows_until_it_is_moved_away(
    spool: SpoolWriter, collector: LogCollector, path: Path
) -> None:
    """The alarm says what to do; rows wait, and are all there afterwards."""
    path.write_bytes(b"not a database" * 1000)
    spool.put(attempt(1))
    with pytest.raises(StoreError):
        collector.collect()
    spool.put(attempt(2))

    assert 2 == collector.rows_waiting()
    assert "move it away" in str(collector.problem)

    path.unlink()
    collector.collect()

    assert [attempt(1).attempt_id, attempt(2).attempt_id] == ids(collector)
    assert collector.problem is None


def test_a_file_in_use_delays_rows_until_it_is_free(
    spool: SpoolWriter, collector: LogCollector, path: Path
) -> None:
    """Somebody who has opened the file by hand stops nothing but the commits."""
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            textwrap.dedent(f"""
                import duckdb, sys
                held = duckdb.connect({str(path)!r})
                print("held", flush=True)
                sys.stdin.read()
            """),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert b"held\n" == holder.stdout.readline()
    spool.put(attempt(1))
    with pytest.raises(StoreError):
        collector.collect()

    assert "in use" in str(collector.problem)
    assert 1 == collector.rows_waiting()

    holder.communicate(timeout=20)
    collector.collect()

    assert [attempt(1).attempt_id] == ids(collector)


class FullOnce(AttemptLogStore):
    """A store whose first commit finds the disk full."""

    full = True

    def append_spooled(self, *rows: object, **over: object) -> AppendReport:
        """Fail once."""
        if FullOnce.full:
            FullOnce.full = False
            raise StoreError("the attempt log could not be written: IOException")
        return super().append_spooled(*rows, **over)  # type: ignore[arg-type]


def test_a_full_disk_delays_rows_until_there_is_room(
    spool: SpoolWriter, path: Path, tmp_path: Path
) -> None:
    """A commit that fails is done again, on a file that was opened anew."""
    opened: list[AttemptLogStore] = []

    def open_store() -> AttemptLogStore:
        opened.append(FullOnce(path, memory_limit_mb=64))
        return opened[-1]

    FullOnce.full = True
    collector = LogCollector(open_store, tmp_path / "spool")
    spool.put(attempt(1))
    with pytest.raises(StoreError):
        collector.collect()

    assert 1 == collector.rows_waiting()
    assert "could not be written" in str(collector.problem)

    collector.collect()

    assert [attempt(1).attempt_id] == ids(collector)
    assert 2 == len(opened)

    collector.close()


def test_a_row_that_no_table_takes_stops_no_other(
    spool: SpoolWriter, collector: LogCollector
) -> None:
    """It is counted as lost, and the rows around it are committed."""
    for row in (attempt(1), replace(attempt(2), attempt_id="no uuid"), attempt(3)):
        spool.put(row)
    collector.collect()

    assert [attempt(1).attempt_id, attempt(3).attempt_id] == ids(collector)
    assert 1 == collector.lost


def test_a_providers_own_row_replaces_a_routers(
    spool: SpoolWriter, collector: LogCollector
) -> None:
    """Who made an attempt knows better than who waited for it, whoever's row comes first."""
    told = attempt(1, outcome="network", error_code="ACTOR_LOST", http_calls=None, node_id=None)
    known = attempt(1, node_id="host:1")
    spool.put(told)
    collector.collect()
    spool.put(known)
    spool.put(told)
    collector.collect()
    frame = collector.store().attempts_frame(
        "select outcome, node_id from attempts", timeout_s=5, max_rows=10
    )

    assert [{"outcome": "success", "node_id": "host:1"}] == frame.to_dict(orient="records")


def test_a_routers_row_gives_way_after_a_restart_too(
    spool: SpoolWriter, collector: LogCollector, path: Path, tmp_path: Path
) -> None:
    """Rows that may be replaced are known to the next process."""
    spool.put(attempt(1, outcome="network", error_code="ACTOR_LOST", node_id=None))
    collector.collect()
    collector.close()
    spool.put(attempt(1, node_id="host:1"))
    again = LogCollector(lambda: AttemptLogStore(path, memory_limit_mb=64), tmp_path / "spool")
    again.collect()
    frame = again.store().attempts_frame("select outcome from attempts", timeout_s=5, max_rows=10)

    assert ["success"] == list(frame["outcome"])

    again.close()
