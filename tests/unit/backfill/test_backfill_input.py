"""What a job's input may be, and what is said of a wrong one before anything begins."""

import datetime as dt
import gzip
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from orchestrator.backfill import (
    BackfillPlan,
    BackfillRefused,
    BadRows,
    JobState,
    Source,
    jobs_folder,
    prepare,
    report,
    standing,
)
from orchestrator.backfill.item import Item
from orchestrator.backfill.items import read_items
from orchestrator.domain import Operation
from tests.support.backfill_router import PROVIDERS, PagedRouter, accounts, run_job

PLAN = BackfillPlan("job")


def make(
    data_dir: Path, source: Source, plan: BackfillPlan = PLAN, bad_rows: BadRows = "refuse"
) -> Path:
    """Prepare a job."""
    return prepare(data_dir, source, plan, providers=PROVIDERS, bad_rows=bad_rows)


def items(folder: Path) -> list[Item]:
    """All of a job's items."""
    return list(read_items(folder, lambda _first, _end: frozenset()))


def told(data_dir: Path, source: Source, plan: BackfillPlan = PLAN) -> str:
    """Why a job is refused; nothing of it may be left."""
    with pytest.raises(BackfillRefused) as refused:
        make(data_dir, source, plan)
    assert [] == list(jobs_folder(data_dir).glob("*")) + list(jobs_folder(data_dir).glob(".*"))
    return str(refused.value)


def test_frames_files_queries_and_relations_hold_the_same_items(tmp_path: Path) -> None:
    """Five ways to say the same, and the same job each time."""
    frame = accounts(5).assign(startDate="2026-01-01", unknown=1)
    csv, parquet = tmp_path / "a.csv", tmp_path / "a.parquet"
    frame.to_csv(csv, index=False)
    frame.to_parquet(parquet)
    sources: list[Source] = [
        frame,
        csv,
        str(parquet),
        f"select * from read_parquet('{parquet}') order by accountId desc",
        duckdb.connect().read_csv(str(csv)),
    ]

    folders = {make(tmp_path, source) for source in sources}
    found = items(folders.pop())

    assert set() == folders
    assert [f"acc_{n}" for n in range(5)] == [item.account_id for item in found]
    assert [(0, 1), (4, 5)] == [(item.position, item.row) for item in (found[0], found[4])]
    assert {"2026-01-01"} == {item.start_date for item in found}


def test_snake_case_columns_are_taken_too(tmp_path: Path) -> None:
    """As Python and SQL spell them."""
    frame = accounts(1).rename(columns={"spaceId": "space_id", "accountId": "account_id"})

    assert ["acc_0"] == [item.account_id for item in items(make(tmp_path, frame))]


def test_days_and_deadlines_come_as_their_own_types(tmp_path: Path) -> None:
    """Dates, midnights and whole numbers are taken as they are."""
    frame = accounts(3).assign(
        startDate=[dt.date(2026, 1, 1), pd.Timestamp("2026-01-02"), None],
        deadlineMs=[1000, np.nan, 2000],
        preferredProvider=["mx", None, None],
    )
    frame.to_parquet(tmp_path / "a.parquet")
    typed = "select spaceId, accountId, startDate::timestamp as startDate from "

    found = items(make(tmp_path, frame))
    read = items(
        make(
            tmp_path,
            f"{typed} (select * replace ('2026-01-01' as startDate) from '{tmp_path}/a.parquet')",
            BackfillPlan("typed"),
        )
    )

    assert ["2026-01-01", "2026-01-02", None] == [item.start_date for item in found]
    assert [1000, None, 2000] == [item.deadline_ms for item in found]
    assert ["mx", None, None] == [item.preferred_provider for item in found]
    assert {"2026-01-01"} == {item.start_date for item in read}


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (accounts(3).drop(columns="spaceId"), "no column 'spaceId'"),
        (accounts(3).drop(columns="accountId"), "no column 'accountId'"),
        (accounts(0), "no rows"),
        (accounts(3).assign(spaceId=["a", None, "b"]), "row 2: spaceId is empty"),
        (accounts(3).assign(accountId=["a", "b", 3]), "row 3: accountId holds int, not text"),
        (accounts(2).assign(accountId=[1, 2]), "2 of 2 rows"),
        (accounts(2).assign(accountId=["a", "b c"]), "row 2: accountId is not an identifier"),
        (accounts(2).assign(accountId=["a", ""]), "row 2: accountId empty"),
        (accounts(1).assign(startDate="2026-02-30"), "startDate is not a date"),
        (accounts(1).assign(startDate=pd.Timestamp(2026, 1, 1, 5)), "startDate holds Timestamp"),
        (accounts(1).assign(startDate="2026-02-02", endDate="2026-02-01"), "endDate is before"),
        (accounts(1).assign(deadlineMs=50), "deadlineMs is no whole number from 100 to 600000"),
        (accounts(1).assign(deadlineMs="soon"), "deadlineMs is no whole number"),
        (accounts(1).assign(preferredProvider="citibank"), "preferredProvider is not known"),
    ],
)
def test_a_wrong_frame_is_refused_with_its_reason(
    tmp_path: Path, frame: pd.DataFrame, words: str
) -> None:
    """Said before the start; nothing is left of the job."""
    reason = told(tmp_path, frame)

    assert words in reason, reason


def test_wrong_files_are_refused_with_their_reason(tmp_path: Path) -> None:
    """Missing, empty, of an unknown kind, torn, or with numbers for ids."""
    empty, header, torn = (tmp_path / f"{name}.csv" for name in ("empty", "header", "torn"))
    empty.touch()
    header.write_text("spaceId,accountId\n")
    torn.write_text("spaceId,accountId\na,b\nc,d,e,f\n")
    broken, other, ints = (tmp_path / n for n in ("broken.parquet", "a.txt", "ints.parquet"))
    broken.write_bytes(b"PAR1 no")
    other.write_text("x")
    accounts(2).assign(accountId=[1, 2]).to_parquet(ints)

    assert "is no file" in told(tmp_path, tmp_path / "none.csv")
    assert "is empty" in told(tmp_path, empty)
    assert "no rows" in told(tmp_path, header)
    assert "cannot be read" in told(tmp_path, torn)
    assert "cannot be read" in told(tmp_path, broken)
    assert "neither .csv" in told(tmp_path, other)
    assert "column 'accountId' holds BIGINT, not text" in told(tmp_path, ints)
    assert "cannot be read" in told(tmp_path, "select * from nowhere")


@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_csv_files_are_read_as_their_header_says(tmp_path: Path, between: str) -> None:
    """Whatever stands between the columns, quoted or not, with a byte order mark or packed."""
    path = tmp_path / "a.csv.gz"
    text = f'\ufeffspaceId{between}note{between}accountId\na{between}"x{between}y"{between}1\n'
    path.write_bytes(gzip.compress(text.encode()))

    assert [("a", "1")] == [(i.space_id, i.account_id) for i in items(make(tmp_path, path))]


def test_one_bad_row_in_a_million_is_named_and_can_be_reported_instead(tmp_path: Path) -> None:
    """Refused with the row; or, when asked for, done without it and told in the report."""
    frame = accounts(1_000_000)
    frame.loc[654_321, "accountId"] = None

    with pytest.raises(BackfillRefused, match=r"1 of 1000000 rows.*row 654322") as refused:
        make(tmp_path, frame)
    left = list(jobs_folder(tmp_path).glob("*")) + list(jobs_folder(tmp_path).glob(".*"))
    folder = make(tmp_path, frame, bad_rows="report")
    failures = report(folder).failures

    assert refused.value.rows is not None
    assert [654_322] == list(refused.value.rows["row"])
    assert [] == left
    assert 999_999 == sum(1 for _ in read_items(folder, lambda _first, _end: frozenset()))
    assert [(654_322, "INVALID_ROW", "accountId empty")] == list(
        failures[["row", "code", "message"]].itertuples(index=False, name=None)
    )
    assert (1_000_000, 1) == (standing(folder).total, standing(folder).failed)


def test_rows_that_repeat_an_item_are_counted_and_asked_for_once(tmp_path: Path) -> None:
    """The first of them stands; the same account for other days is another item."""
    frame = pd.concat([accounts(3), accounts(2), accounts(1).assign(startDate="2026-01-01")])

    folder = make(tmp_path, frame)

    assert 4 == len(items(folder))
    assert 2 == standing(folder).duplicates


async def test_another_input_or_other_dates_under_a_jobs_name_are_refused(tmp_path: Path) -> None:
    """The same rows in another order are the same input; one row more is not."""
    folder = make(tmp_path, accounts(4))
    await run_job(folder, PagedRouter())

    make(tmp_path, accounts(4).iloc[::-1])
    with pytest.raises(BackfillRefused, match="another input"):
        make(tmp_path, accounts(5))
    with pytest.raises(BackfillRefused, match="another input"):
        make(tmp_path, accounts(4).assign(endDate="2026-01-01"))
    with pytest.raises(BackfillRefused, match="other"):
        make(tmp_path, accounts(4), replace(PLAN, start_date="2026-01-01"))

    assert JobState.RUNNING is standing(folder).state


def test_an_unnamed_job_is_named_after_what_it_asks_for(tmp_path: Path) -> None:
    """The same input resumes; other dates are another job."""
    unnamed = BackfillPlan("")

    one, same = make(tmp_path, accounts(2), unnamed), make(tmp_path, accounts(2), unnamed)
    other = make(tmp_path, accounts(2), replace(unnamed, end_date="2026-01-01"))

    assert one == same
    assert one != other


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (BackfillPlan("../up"), "job_id"),
        (BackfillPlan("j", operation=Operation.EXCHANGE_TOKEN), "operation"),
        (BackfillPlan("j", max_in_flight=0), "max_in_flight"),
        (BackfillPlan("j", deadline_ms=5), "deadline_ms"),
        (BackfillPlan("j", max_tries=0), "max_tries"),
        (BackfillPlan("j", max_wait_s=-1.0), "max_wait_s"),
        (BackfillPlan("j", start_date="soon"), "start_date"),
        (BackfillPlan("j", start_date="2026-02-02", end_date="2026-02-01"), "end_date"),
        (BackfillPlan("j", operation=Operation.GET_ACCOUNTS, end_date="2026-02-01"), "only"),
    ],
)
def test_a_wrong_plan_is_refused(tmp_path: Path, plan: BackfillPlan, words: str) -> None:
    """Named by its argument."""
    assert words in told(tmp_path, accounts(1), plan)


def test_accounts_are_asked_for_by_space_alone(tmp_path: Path) -> None:
    """A getAccounts job needs no account."""
    plan = BackfillPlan("j", operation=Operation.GET_ACCOUNTS)

    folder = make(tmp_path, accounts(4)[["spaceId"]], plan)

    assert ["space_0", "space_1"] == [item.space_id for item in items(folder)]
