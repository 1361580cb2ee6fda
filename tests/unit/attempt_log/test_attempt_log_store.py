"""Writing the attempt log: whole batches, once, and still there after a crash."""

import datetime as dt
import os
import random
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from orchestrator.attempt_log import AppendReport, AttemptLogStore, RequestStory, read_only
from orchestrator.attempt_log.schema import Table
from orchestrator.attempt_log.store import _insert_unknown
from orchestrator.domain import ConnectionAttempt, ErrorScope, StoreError
from tests.support.log_rows import NOW, attempt, change, failed, request, values_of

CONTRACT_COLUMNS = [
    "attempt_id",
    "request_id",
    "job_id",
    "operation",
    "provider",
    "region",
    "institution_id",
    "space_hash",
    "connection_id",
    "attempt_number",
    "hedge",
    "started_at",
    "latency_ms",
    "waited_ms",
    "http_calls",
    "outcome",
    "error_code",
    "error_scope",
    "http_status",
    "provider_request_id",
    "circuit_state",
    "priority",
    "failover",
    "candidates",
    "eligible",
    "propensity",
    "score",
    "policy",
    "model_version",
    "items",
    "node_id",
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the log's file is."""
    return tmp_path / "attempts.duckdb"


@pytest.fixture
def store(path: Path) -> Iterator[AttemptLogStore]:
    """An open log."""
    with AttemptLogStore(path) as opened:
        yield opened


def rows(store: AttemptLogStore) -> int:
    """How many attempts the log holds."""
    return store.stats(NOW.timestamp()).rows


def test_columns_stand_in_the_order_of_the_contract(store: AttemptLogStore) -> None:
    """The columns of table attempts are those of the contract, in its order."""
    frame = store.attempts_frame("select * from attempts", timeout_s=5, max_rows=10)

    assert list(frame.columns) == CONTRACT_COLUMNS


def test_what_is_appended_comes_back_whole(store: AttemptLogStore) -> None:
    """A request's story gives back the very values that were written."""
    first = failed(
        1,
        "provider_down",
        ErrorScope.INSTITUTION,
        request_id="req_1",
        job_id="job",
        started_at=NOW - dt.timedelta(microseconds=1),
        score=0.25,
        propensity=None,
        candidates=(),
        model_version="v1",
        node_id="n",
    )
    second = attempt(2, request_id="req_1", attempt_number=2, provider="mx", failover=True)
    record = request(1, failover=True, attempts=2, provider="mx")
    store.append([second, first], [], [record])

    assert RequestStory(record, (first, second)) == store.request_story("req_1")


def test_an_unknown_request_has_no_story(store: AttemptLogStore) -> None:
    """A request of which the log knows nothing has no story."""
    assert store.request_story("req_nobody") is None


def test_a_running_request_has_attempts_and_no_record(store: AttemptLogStore) -> None:
    """Before a request has ended its story holds its attempts alone."""
    store.append([attempt(1)])

    assert RequestStory(None, (attempt(1),)) == store.request_story("req_1")


def test_a_batch_sent_again_changes_nothing(store: AttemptLogStore) -> None:
    """Rows that are there already are counted as duplicates and stay as they are."""
    batch = ([attempt(1), attempt(2)], [change(1)], [request(1)])
    first = store.append(*batch)
    again = store.append(*batch)

    assert AppendReport(attempts=2, changes=1, requests=1, duplicates=0) == first
    assert AppendReport(attempts=0, changes=0, requests=0, duplicates=4) == again
    assert rows(store) == 2


def test_copies_within_a_batch_are_written_once(store: AttemptLogStore) -> None:
    """The first of several rows with one id is kept, however its UUID is spelled."""
    other_spelling = attempt(1).attempt_id.upper().replace("-", "")
    report = store.append(
        [attempt(1, latency_ms=1.0), attempt(1, attempt_id=other_spelling, latency_ms=2.0)]
    )
    story = store.request_story("req_1")

    assert AppendReport(attempts=1, changes=0, requests=0, duplicates=1) == report
    assert story is not None
    assert [row.latency_ms for row in story.attempts] == [1.0]


def test_an_old_batch_sent_again_is_recognised_after_a_restart(path: Path) -> None:
    """A batch of weeks ago, sent again to a reopened log beside new rows, adds the new alone."""
    old = [attempt(n, started_at=NOW - dt.timedelta(days=30, seconds=n)) for n in range(1, 50)]
    with AttemptLogStore(path) as store:
        store.append(old)
        store.append([attempt(n) for n in range(50, 99)])
    with AttemptLogStore(path) as store:
        report = store.append([*old, attempt(100)])

    assert AppendReport(attempts=1, changes=0, requests=0, duplicates=49) == report


def test_resent_batches_in_any_mix_leave_each_row_once(store: AttemptLogStore) -> None:
    """However batches overlap, the log ends with every row exactly once."""
    rng = random.Random(7)
    all_rows = [
        attempt(n, started_at=NOW - dt.timedelta(seconds=rng.randrange(86_400)))
        for n in range(1, 301)
    ]
    for _ in range(12):
        store.append(rng.sample(all_rows, 60))
    store.append(all_rows)
    frame = store.attempts_frame(
        "select count(*) n, count(distinct attempt_id) ids from attempts", timeout_s=5, max_rows=1
    )

    assert list(frame.itertuples(index=False, name=None)) == [(300, 300)]


def test_a_row_that_does_not_fit_spoils_its_whole_batch(store: AttemptLogStore) -> None:
    """A batch with a bad row raises StoreError and leaves nothing of itself behind."""
    for bad in (
        attempt(2, attempt_id="not-a-uuid"),
        attempt(2, latency_ms="slow"),
        attempt(2, http_calls=2**40),
    ):
        with pytest.raises(StoreError, match="does not fit"):
            store.append([attempt(1), bad], [change(1)])

    assert rows(store) == 0


def test_an_error_while_writing_rolls_all_tables_back(
    store: AttemptLogStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the last table cannot be written, the first has nothing either, and the log goes on."""
    with monkeypatch.context() as patched:
        patched.setattr(
            "orchestrator.attempt_log.store._insert_unknown",
            _failing_after(2),
        )
        with pytest.raises(StoreError, match="could not be written"):
            store.append([attempt(1)], [change(1)], [request(1)])

    assert rows(store) == 0
    assert store.append([attempt(1)]).attempts == 1


def _failing_after(calls: int) -> Callable[[duckdb.DuckDBPyConnection, Table, pa.Table], int]:
    made: list[Table] = []

    def insert(cursor: duckdb.DuckDBPyConnection, table: Table, batch: pa.Table) -> int:
        made.append(table)
        if len(made) > calls:
            raise duckdb.IOException("no space left")
        return _insert_unknown(cursor, table, batch)

    return insert


def test_nothing_to_append_is_no_error(store: AttemptLogStore) -> None:
    """An empty batch reports nothing."""
    assert AppendReport(0, 0, 0, 0) == store.append()


def test_rows_survive_a_killed_process(path: Path) -> None:
    """What append has returned for is there after kill -9, without a clean close."""
    script = f"""
        import os, signal, sys
        sys.path.insert(0, {str(Path(__file__).parents[3])!r})
        from pathlib import Path
        from tests.support.log_rows import attempt
        from orchestrator.attempt_log import AttemptLogStore
        store = AttemptLogStore(Path({str(path)!r}))
        store.append([attempt(n) for n in range(1, 501)])
        os.kill(os.getpid(), signal.SIGKILL)
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False)
    with read_only(path) as reader:
        seen_by_reader = reader.stats(NOW.timestamp()).rows
    with AttemptLogStore(path) as store:
        report = store.append([attempt(n) for n in range(1, 502)])

    assert ended.returncode == -signal.SIGKILL
    assert seen_by_reader == 500
    assert (report.attempts, report.duplicates) == (1, 500)


def test_checkpoint_empties_the_write_ahead_log(store: AttemptLogStore, path: Path) -> None:
    """After a checkpoint the rows are in the file itself."""
    store.append([attempt(n) for n in range(1, 200)])
    before = path.with_name("attempts.duckdb.wal").stat().st_size
    store.checkpoint()
    wal = path.with_name("attempts.duckdb.wal")
    after = wal.stat().st_size if wal.exists() else 0

    assert after < before
    assert rows(store) == 199


def test_a_checkpoint_goes_through_while_a_reader_reads(store: AttemptLogStore) -> None:
    """A reader's open transaction does not keep the writer from its checkpoint."""
    store.append([attempt(n) for n in range(1, 200)])
    reader = store._connection.cursor()
    reader.execute("begin transaction read only").fetchall()
    reader.execute("select count(*) from attempts").fetchall()
    store.append([attempt(500)])
    store.checkpoint()
    reader.close()

    assert rows(store) == 200


def test_a_file_in_use_says_so(path: Path) -> None:
    """Opening a log that another process writes says what to do, for writers and readers."""
    script = f"""
        import sys
        from pathlib import Path
        from orchestrator.attempt_log import AttemptLogStore
        store = AttemptLogStore(Path({str(path)!r}))
        print("open", flush=True)
        sys.stdin.read()
    """
    holder = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(StoreError, match="in use by another process"):
            AttemptLogStore(path)
        with pytest.raises(StoreError, match="in use by another process"):
            read_only(path)
    finally:
        holder.communicate()


@pytest.mark.parametrize("damage", ["garbage", "cut", "header"])
def test_a_damaged_file_says_what_to_do(path: Path, damage: str) -> None:
    """A file that is no log, or no longer one, raises StoreError with the way out."""
    with AttemptLogStore(path) as store:
        store.append([attempt(n) for n in range(1, 3000)])
    whole = path.read_bytes()
    path.write_bytes(
        {
            "garbage": b"\0" * 100 + os.urandom(20_000),
            "cut": whole[:5000],
            "header": whole[:4096] + bytes(8192) + whole[12_288:],
        }[damage]
    )

    with pytest.raises(StoreError, match="damaged or not a log"):
        AttemptLogStore(path)


def test_a_log_of_another_version_is_left_alone(path: Path) -> None:
    """A file whose tables have other columns is refused, and not changed."""
    with duckdb.connect(path) as other:
        other.execute("create table attempts (attempt_id uuid, something varchar)").fetchall()

    with pytest.raises(StoreError, match="another version"):
        AttemptLogStore(path)


def test_a_missing_folder_says_so(tmp_path: Path) -> None:
    """A log in a folder that is not there raises StoreError naming the folder."""
    with pytest.raises(StoreError, match="folder must be writable"):
        AttemptLogStore(tmp_path / "nowhere" / "attempts.duckdb")


def test_there_is_nothing_to_read_where_there_is_no_file(path: Path) -> None:
    """A reader of a missing file is told so, and makes none."""
    with pytest.raises(StoreError, match="there is no attempt log"):
        read_only(path)

    assert not path.exists()


def spooled(store: AttemptLogStore, *attempts: ConnectionAttempt) -> AppendReport:
    """Commit attempts as a spool gives them."""
    return store.append_spooled(
        [values_of(row) for row in attempts], [], [], positions={}, forgotten=()
    )


def test_what_comes_from_a_spool_comes_back_whole(store: AttemptLogStore) -> None:
    """Values as JSON has them are the very values that were spooled."""
    first = failed(
        1,
        "provider_down",
        ErrorScope.INSTITUTION,
        request_id="req_1",
        started_at=NOW - dt.timedelta(microseconds=1),
        candidates=(),
        propensity=None,
        node_id="n",
    )
    record = request(1)
    report = store.append_spooled(
        [values_of(first)],
        [values_of(change(1))],
        [values_of(record)],
        positions={"a": 7},
        forgotten=(),
    )

    assert AppendReport(attempts=1, changes=1, requests=1, duplicates=0) == report
    assert RequestStory(record, (first,)) == store.request_story("req_1")
    assert (change(1),) == store.stats(NOW.timestamp()).circuit_changes


def test_an_attempt_that_nobody_lived_to_count_is_written_once(store: AttemptLogStore) -> None:
    """A lost actor's intent and a router's hearsay are one attempt, in whichever batches they come."""
    lost = attempt(1, outcome="network", http_calls=None, node_id="host:1")
    told = attempt(1, outcome="network", http_calls=None, node_id=None)
    first = spooled(store, lost)

    assert AppendReport(attempts=0, changes=0, requests=0, duplicates=2) == spooled(
        store, told, lost
    )
    assert (1, 1) == (first.attempts, rows(store))


def test_an_attempts_own_row_comes_before_hearsay_of_the_same_batch(
    store: AttemptLogStore,
) -> None:
    """Whichever stands first there, the one of who made the attempt is kept."""
    told = attempt(1, outcome="network", http_calls=None, node_id=None)
    known = attempt(1, node_id="host:1")
    spooled(store, told, known, attempt(2, node_id="host:1"))

    assert RequestStory(None, (known,)) == store.request_story("req_1")
    assert 2 == rows(store)


def test_rows_that_no_table_takes_are_left_out_and_counted(store: AttemptLogStore) -> None:
    """The rows beside them are committed, and so is how far the spools were read."""
    bad = [
        values_of(attempt(2, attempt_id="no uuid")),
        values_of(attempt(3, latency_ms="slow")),
        values_of(attempt(4))[:-1],
    ]
    report = store.append_spooled(
        [values_of(attempt(1)), *bad], [], [], positions={"a": 7}, forgotten=()
    )

    assert AppendReport(1, 0, 0, duplicates=0, unfit=3) == report
    assert {"a": 7} == store.spool_positions()


def test_positions_are_the_latest_and_those_of_files_that_are_gone_go(path: Path) -> None:
    """However often files were read on, and after a restart too."""
    with AttemptLogStore(path) as store:
        for position in range(1, 600):
            store.append_spooled(
                [], [], [], positions={"a": position, "b": 2 * position}, forgotten=()
            )
        stored = store._connection.execute("select count(*) from spool_positions").fetchall()
        latest = store.spool_positions()
    with AttemptLogStore(path) as store:
        store.append_spooled([], [], [], positions={"b": 2000}, forgotten=("a", "never"))
        rest = store.spool_positions()

    assert {"a": 599, "b": 1198} == latest
    assert {"b": 2000} == rest
    assert stored[0][0] < 600


def test_hearsay_is_forgotten_in_order_when_there_is_much_of_it(
    store: AttemptLogStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past its bound only the latest rows still give way."""
    monkeypatch.setattr("orchestrator.attempt_log.hearsay._MOST", 2)
    told = [attempt(n, outcome="network", http_calls=None, node_id=None) for n in (1, 2, 3)]
    for row in told:
        spooled(store, row)
    spooled(store, *(attempt(n, http_calls=1, node_id="host:1") for n in (2, 3)))
    stories = [store.request_story(f"req_{n}") for n in (1, 2, 3)]

    assert ["network", "success", "success"] == [
        story.attempts[0].outcome for story in stories if story is not None
    ]
    assert 3 == rows(store)
