"""Readers' SELECTs: what they may ask, what is refused, and within which bounds."""

import datetime as dt
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from orchestrator.attempt_log import AttemptLogStore, LogReader, read_only
from orchestrator.attempt_log.allowed_functions import FUNCTIONS, TABLE_FUNCTIONS
from orchestrator.domain import ErrorScope, QueryRefused, StoreError
from tests.support.log_rows import NOW, attempt, change, failed, request

ALLOWED = [
    "select * from attempts",
    "select * from attempts order by started_at desc limit 100",
    "from attempts",
    "table attempts",
    "SELECT COUNT(*) FROM Main.Attempts;",
    "with a as (select * from attempts), b as (select * from a) select * from b join a using (attempt_id)",
    "with attempts_today as materialized (from attempts) select (select count(*) from attempts_today)",
    "select provider, quantile_cont(latency_ms, 0.95) p95 from attempts group by all order by 2",
    "select provider, count(*) filter (where outcome = 'success') / count(*) from attempts group by 1",
    "select *, row_number() over (partition by provider order by started_at) n from attempts qualify n = 1",
    "select a.provider, r.outcome from attempts a left join requests r using (request_id)",
    "select * from circuit_changes union all by name select * from circuit_changes",
    "select unnest(candidates) c, count(*) from attempts group by c having count(*) > 0",
    "select len([p for p in candidates if p <> provider]) from attempts",
    "select list_contains(eligible, 'plaid'), candidates[1], len(candidates) from attempts",
    "select date_trunc('hour', started_at), started_at + interval 1 day, started_at::date from attempts",
    "select started_at at time zone 'America/Mexico_City', strftime(started_at, '%H') from attempts",
    "select now() - max(started_at), current_date from attempts",
    "select r, count(attempt_id) from range(3) t(r) left join attempts on attempt_number = r group by r",
    "select story->>'$.policy', json_extract_string(story, '$.policy') from requests",
    "select case when latency_ms between 1 and 500 then 'ok' else 'slow' end, coalesce(job_id, '-') from attempts",
    "select * exclude (space_hash), columns('latency.*') from attempts using sample 50%",
    "select * from (values (1), (2)) v(x) where exists (select 1 from attempts where attempt_number = x)",
    "select try_cast(items as varchar) like '%2%', error_code ilike 'a%', not hedge from attempts",
    "(select 1 as x) -- a comment",
]

REFUSED = [
    # files, other databases, extensions
    "select * from read_csv('/etc/passwd')",
    "select * from read_csv_auto('/etc/passwd')",
    "select * from read_text('/etc/passwd')",
    "select * from read_blob('/etc/passwd')",
    "select * from read_json('/etc/passwd')",
    "select * from read_parquet('x.parquet')",
    "select * from parquet_metadata('x.parquet')",
    "select * from read_duckdb('other.duckdb')",
    "select * from sniff_csv('/etc/passwd')",
    "select * from glob('/*')",
    "select * from 'file.parquet'",
    "select * from '/etc/passwd'",
    'select * from "file.csv"',
    "copy attempts to '/tmp/out.csv'",
    "copy (select 1) to '/tmp/out.csv'",
    "copy attempts from '/etc/passwd'",
    "export database '/tmp/out'",
    "import database '/tmp/out'",
    "attach '/tmp/other.duckdb'",
    "detach attempts",
    "use memory",
    "install httpfs",
    "load httpfs",
    # settings, environment, catalogue
    "pragma database_list",
    "pragma version",
    "call pragma_version()",
    "set threads = 1",
    "set variable x = 1",
    "reset threads",
    "select getenv('HOME')",
    "select GetEnv('HOME')",
    "select current_setting('memory_limit')",
    "select main.current_setting('memory_limit')",
    "select 'memory_limit'.current_setting()",
    "select getvariable('x')",
    "select current_query()",
    "select * from duckdb_settings()",
    "select * from DUCKDB_SETTINGS()",
    "select * from system.main.duckdb_settings()",
    "select * from duckdb_secrets()",
    "select * from which_secret('a', 'b')",
    "select * from duckdb_tables()",
    "select * from duckdb_tables",
    "select * from duckdb_databases()",
    "select * from duckdb_functions()",
    "select * from duckdb_logs",
    "select * from pragma_table_info('attempts')",
    "select * from pragma_database_size()",
    "select * from information_schema.tables",
    "select * from pg_catalog.pg_class",
    "select * from pg_tables",
    "select * from sqlite_master",
    "select * from system.main.attempts",
    "select * from temp.attempts",
    "select * from batch",
    "describe attempts",
    "show tables",
    "select * from (show tables)",
    "select * from (describe attempts)",
    "summarize attempts",
    "explain select 1",
    "explain analyze select 1",
    # SQL in text
    "select * from query('select 42')",
    "select * from query_table('attempts')",
    "select * from query_table(['attempts', 'duckdb_settings'])",
    "select * from json_execute_serialized_sql(json_serialize_sql('select 1'))",
    "select json_serialize_sql('select 1')",
    "select * from seq_scan('attempts')",
    # writing
    "insert into attempts (request_id) values ('x')",
    "update attempts set provider = 'x'",
    "delete from attempts",
    "truncate attempts",
    "drop table attempts",
    "create table t as select 1",
    "create macro m() as 1",
    "alter table attempts add column x int",
    "merge into attempts using attempts b on false when not matched then insert values (1)",
    "with x as (insert into attempts (request_id) values ('x') returning 1) select * from x",
    "with x as (delete from attempts returning 1) select * from x",
    "select * from checkpoint()",
    "checkpoint",
    "vacuum",
    "begin",
    "prepare p as select 1",
    "execute p",
    "select write_log('x')",
    "select nextval('s')",
    "select setseed(0.5)",
    "select sleep_ms(1000)",
    "select pg_sleep(1)",
    # several, none, unfinished
    "select 1; select 2",
    "select 1; drop table attempts",
    "",
    "-- nothing",
    "select",
    "selct 1",
    "pivot attempts on provider",
    # WITH names do not open what they name elsewhere
    "with duckdb_settings as (select * from duckdb_settings) select * from duckdb_settings",
    "select * from (with duckdb_tables as (select 1) select 1) x, duckdb_tables",
    "with a as (with duckdb_tables as (select 1) select 1) select * from duckdb_tables",
    "with a as (from b), b as (select 1) select * from a",
    "with recursive duckdb_views as (from duckdb_views union all from duckdb_views) from duckdb_views",
    "select (select max(value) from duckdb_settings()) from attempts",
    "select * from attempts where provider in (select name from duckdb_settings())",
    "select * from attempts order by (select count(*) from duckdb_settings())",
    "select * from attempts limit (select count(*) from duckdb_settings())",
    "select sum(attempt_number) over (order by (select 1 from duckdb_settings())) from attempts",
    "select * from range((select count(*) from duckdb_settings()))",
    "select * from unnest((select list(name) from duckdb_settings()))",
    "select * from (values ((select 1 from duckdb_settings())))",
    "select [current_setting(x) for x in candidates] from attempts",
    # memory that DuckDB's bound does not hold
    "select repeat('x', 1000000000)",
    "select lpad('x', 1000000000, 'y')",
    "select rpad('x', 1000000000, 'y')",
    "select format('{:>1000000000}', 'x')",
    "select printf('%1000000000d', 1)",
    "select list_resize([1], 1000000000)",
    "select range(1000000000)",
    "select generate_series(1, 1000000000)",
    "select bitstring('1', 1000000000)",
    "select [[y for y in candidates] for x in candidates] from attempts",
    "with recursive t as (select 'x' s union all select s || s from t) select max(s) from t",
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AttemptLogStore]:
    """A log with a few rows."""
    with AttemptLogStore(tmp_path / "attempts.duckdb", memory_limit_mb=128) as opened:
        opened.append(
            [
                attempt(1, request_id="req_1"),
                failed(2, "rate_limit", ErrorScope.CLIENT, request_id="req_2", provider="mx"),
            ],
            [change(1)],
            [request(1), request(2, outcome="rate_limit", provider=None)],
        )
        yield opened


def ask(
    reader: LogReader, sql: str, *, timeout_s: float = 10, max_rows: int = 1000
) -> pd.DataFrame:
    """The answer within bounds that do not matter."""
    return reader.attempts_frame(sql, timeout_s=timeout_s, max_rows=max_rows)


@pytest.mark.parametrize("sql", ALLOWED)
def test_a_select_over_the_log_is_answered(store: AttemptLogStore, sql: str) -> None:
    """One SELECT over the log's tables gives a frame."""
    assert isinstance(ask(store, sql), pd.DataFrame)


@pytest.mark.parametrize("sql", REFUSED)
def test_anything_else_is_refused(store: AttemptLogStore, sql: str) -> None:
    """Everything but one SELECT over the log's tables raises QueryRefused."""
    with pytest.raises(QueryRefused):
        ask(store, sql)


@pytest.mark.parametrize(
    "sql",
    [
        "select * from duckdb_settings()",
        "delete from attempts",
        "select 1; select 2",
        "select * from read_text('/etc/passwd')",
        "select * from information_schema.tables",
    ],
)
def test_a_refusal_says_what_is_allowed(store: AttemptLogStore, sql: str) -> None:
    """The message of a refusal names the tables that may be asked."""
    with pytest.raises(QueryRefused, match="attempts, circuit_changes and requests"):
        ask(store, sql)


def test_refusals_change_nothing(store: AttemptLogStore) -> None:
    """After every attack the log's rows and settings are what they were."""
    for sql in REFUSED:
        with pytest.raises(QueryRefused):
            ask(store, sql)

    assert store.stats(NOW.timestamp()).rows == 2
    assert store.append([attempt(3)]).attempts == 1


def test_the_database_itself_is_locked_down(store: AttemptLogStore) -> None:
    """Below the check, DuckDB refuses files, extensions and changes of settings by itself."""
    raw = store._connection.cursor()
    for sql in (
        "select * from read_text('/etc/passwd')",
        "copy attempts to '/tmp/never.csv'",
        "attach '/tmp/never.duckdb'",
        "load httpfs",
        "set enable_external_access = true",
        "set lock_configuration = false",
    ):
        with pytest.raises(duckdb.Error, match=r"disabled|locked|[Cc]annot"):
            raw.execute(sql)


def test_a_query_that_slips_through_cannot_write(
    store: AttemptLogStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should the check ever miss a write, its transaction is read-only."""
    monkeypatch.setattr("orchestrator.attempt_log.queries.check_query", lambda _, sql: sql)
    with pytest.raises((QueryRefused, StoreError)):
        ask(store, "with x as (delete from attempts returning 1) select * from x")

    assert store.stats(NOW.timestamp()).rows == 2


def test_variables_of_this_process_are_no_tables(store: AttemptLogStore) -> None:
    """A data frame in the caller's frame is not found by its name."""
    secret_frame = pd.DataFrame({"x": [1]})

    with pytest.raises(QueryRefused):
        ask(store, "select * from secret_frame")
    assert len(secret_frame) == 1


def test_a_wrong_query_says_what_is_wrong(store: AttemptLogStore) -> None:
    """A column that is not there is named in the refusal."""
    with pytest.raises(QueryRefused, match="no_such_column"):
        ask(store, "select no_such_column from attempts")
    with pytest.raises(QueryRefused, match="the query is wrong"):
        ask(store, "select provider::integer from attempts")
    with pytest.raises(QueryRefused, match="PARAMETER"):
        ask(store, "select * from attempts where provider = ?")


def test_times_come_back_in_utc(store: AttemptLogStore) -> None:
    """Times are aware, in UTC, and arithmetic on them works without any extension to load."""
    frame = ask(
        store,
        "select started_at, date_trunc('day', started_at) as day, started_at::varchar as text "
        "from attempts order by started_at limit 1",
    )
    row = frame.iloc[0]

    assert str(frame["started_at"].dtype) == "datetime64[us, UTC]"
    assert NOW - dt.timedelta(minutes=1) == row["started_at"].to_pydatetime()
    assert NOW.replace(hour=0) == row["day"].to_pydatetime()
    assert row["text"] == "2026-03-01 11:59:00+00"


def test_the_local_time_zone_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine in another time zone truncates days in UTC all the same."""
    monkeypatch.setenv("TZ", "America/Mexico_City")
    time.tzset()
    try:
        with AttemptLogStore(tmp_path / "tz.duckdb") as store:
            store.append([attempt(1, started_at=dt.datetime(2026, 3, 1, 1, tzinfo=dt.UTC))])
            frame = ask(store, "select started_at::date::varchar as day from attempts")
    finally:
        monkeypatch.undo()
        time.tzset()

    assert list(frame["day"]) == ["2026-03-01"]


def test_lists_and_sums_are_plain_values(store: AttemptLogStore) -> None:
    """Lists come as sequences of text and sums of integers as numbers."""
    frame = ask(store, "select sum(attempt_number) as n, any_value(candidates) as c from attempts")

    assert list(frame["c"][0]) == ["plaid", "mx"]
    assert str(frame["n"].dtype) == "float64"
    assert frame["n"][0] == 2


def test_an_empty_answer_keeps_its_columns(store: AttemptLogStore) -> None:
    """No rows make an empty frame with its columns."""
    frame = ask(store, "select provider, latency_ms from attempts where false")

    assert (len(frame), list(frame.columns)) == (0, ["provider", "latency_ms"])


def test_too_many_rows_are_refused_and_never_cut(store: AttemptLogStore) -> None:
    """An answer may have as many rows as allowed, and not one more."""
    assert len(ask(store, "select * from range(100)", max_rows=100)) == 100
    with pytest.raises(QueryRefused, match="more than 100 rows"):
        ask(store, "select * from range(101)", max_rows=100)


def test_a_slow_query_is_interrupted(store: AttemptLogStore) -> None:
    """A query beyond its time is interrupted soon, and the log goes on."""
    began = time.monotonic()
    with pytest.raises(QueryRefused, match=r"took longer than 0\.2 s"):
        ask(store, "select count(*) from range(100000000000) a", timeout_s=0.2)

    assert time.monotonic() - began < 5
    assert len(ask(store, "select * from attempts")) == 2


def test_a_slow_answer_is_interrupted_between_its_pieces(store: AttemptLogStore) -> None:
    """An answer that flows without end is stopped by time when not by rows."""
    with pytest.raises(QueryRefused):
        ask(
            store,
            "select a.range from range(100000000000) a where a.range < 0",
            timeout_s=0.2,
            max_rows=10**12,
        )


def test_a_query_beyond_the_memory_bound_is_refused(store: AttemptLogStore) -> None:
    """A group that would not fit into the memory bound ends with a refusal."""
    with pytest.raises(QueryRefused, match="memory"):
        ask(store, "select len(list(range)) from range(100000000)")


def test_an_answer_larger_than_its_bound_is_refused(tmp_path: Path) -> None:
    """Rows may be few enough and their bytes still too many."""
    with (
        AttemptLogStore(tmp_path / "small.duckdb", answer_limit_mb=64) as store,
        pytest.raises(QueryRefused, match="larger than 64 MB"),
    ):
        ask(store, "select range, md5(range::varchar) from range(3000000)", max_rows=10**9)


def test_a_long_or_deep_query_is_refused(store: AttemptLogStore) -> None:
    """Texts that are too long, or nested beyond reason, are refused before they run."""
    with pytest.raises(QueryRefused, match="longer than"):
        ask(store, "select 1" + " " * 20_001)
    with pytest.raises(QueryRefused):
        ask(store, "select " + "(" * 4000 + "1" + ")" * 4000)
    with pytest.raises(QueryRefused):
        ask(store, "select " + "abs(" * 1500 + "1" + ")" * 1500)


def test_the_log_is_written_while_a_query_runs(store: AttemptLogStore) -> None:
    """A reader's long query in another thread holds no append up."""
    refused: list[str] = []

    def read() -> None:
        try:
            ask(store, "select count(*) from range(100000000000) a", timeout_s=1.5)
        except QueryRefused as error:
            refused.append(str(error))

    reader = threading.Thread(target=read)
    reader.start()
    began = time.monotonic()
    for number in range(10, 20):
        store.append([attempt(number)])
    waited_s = time.monotonic() - began
    still_reading = reader.is_alive()
    reader.join()

    assert still_reading
    assert waited_s < 1.5
    assert len(refused) == 1
    assert store.stats(NOW.timestamp()).rows == 12


def test_a_stopped_servers_file_is_read_with_the_same_refusals(tmp_path: Path) -> None:
    """`read_only` answers SELECTs and statistics, refuses the rest, and writes nothing."""
    path = tmp_path / "attempts.duckdb"
    with AttemptLogStore(path) as store:
        store.append([attempt(1)])
    before = path.read_bytes()
    with read_only(path) as reader:
        assert len(ask(reader, "select * from attempts")) == 1
        assert reader.stats(NOW.timestamp()).rows == 1
        for sql in REFUSED:
            with pytest.raises(QueryRefused):
                ask(reader, sql)

    assert before == path.read_bytes()


def test_an_export_holds_the_answer(store: AttemptLogStore, tmp_path: Path) -> None:
    """A Parquet file of all attempts reads back with the same values."""
    target = tmp_path / "out.parquet"
    exported = store.export_parquet(target)
    back = pd.read_parquet(target)
    expected = ask(store, "select * from attempts order by started_at")

    assert exported == 2
    assert list(expected["attempt_id"]) == list(back["attempt_id"])
    assert list(expected["started_at"]) == list(back["started_at"])
    assert [target.name] == [p.name for p in tmp_path.iterdir() if "parquet" in p.name]


def test_a_failed_export_leaves_what_was_there(store: AttemptLogStore, tmp_path: Path) -> None:
    """An export that is refused or cannot be written leaves no piece and no change."""
    target = tmp_path / "out.parquet"
    target.write_bytes(b"before")
    with pytest.raises(QueryRefused):
        store.export_parquet(target, sql="select * from duckdb_settings()")
    with pytest.raises(QueryRefused, match="took longer"):
        store.export_parquet(
            target, sql="select count(*) from range(100000000000) a", timeout_s=0.2
        )
    with pytest.raises(StoreError, match="cannot be written"):
        store.export_parquet(tmp_path / "nowhere" / "out.parquet")

    assert target.read_bytes() == b"before"
    assert [target.name] == [p.name for p in tmp_path.iterdir() if "parquet" in p.name]


def test_every_allowed_function_exists_and_reads_nothing() -> None:
    """The allow-list names functions of this DuckDB, none of which reads files or settings."""
    with duckdb.connect() as database:
        known = {
            name.casefold()
            for (name,) in database.execute(
                "select distinct function_name from duckdb_functions()"
            ).fetchall()
        }
    dangerous = {name for name in known if name.startswith(("read_", "duckdb_", "pragma_", "pg_"))}
    dangerous |= {"current_setting", "getvariable", "query", "query_table", "glob", "write_log"}

    assert set() == (FUNCTIONS | TABLE_FUNCTIONS) - known
    assert set() == (FUNCTIONS | TABLE_FUNCTIONS) & dangerous
