"""From an input to a job's folder, whole or not at all.

Everything that can be known before the start is said here: missing columns, wrong cells, an empty
input, another input under a job's name. The items are copied into the job's folder, so that the job
needs neither the notebook nor the file any more.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal
from uuid import uuid4

import duckdb
import pandas as pd

from orchestrator.domain import Operation
from orchestrator.domain.params import IDENTIFIER

from .chunk import NewJob
from .database import connect, quoted
from .ledger import Ledger
from .places import is_running
from .plan import (
    INPUT_FILE,
    LEDGER_FILE,
    REJECTED_FILE,
    BackfillPlan,
    BackfillRefused,
    JobState,
    jobs_folder,
)
from .sources import COLUMNS, ID_COLUMNS, MARK, Source, spill

__all__ = ["BadRows", "prepare"]

BadRows = Literal["refuse", "report"]
"""What becomes of rows that cannot be asked for: the job is refused, or they fail in its report."""

_IDENTITY: Final = (*ID_COLUMNS, "startDate", "endDate")
_TARGETS: Final = ("accountId", "institutionId", "connectionId")
_TOLD_ROWS: Final = 1000
_DAY: Final = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_RAW_FILE: Final = "raw.parquet"


@dataclass(frozen=True, slots=True)
class _Read:
    """An input in a draft folder: its items, counted, and the digest of what they are."""

    items: int
    duplicates: int
    rejected: int
    digest: str


def prepare(
    data_dir: Path,
    source: Source,
    plan: BackfillPlan,
    *,
    providers: frozenset[str],
    bad_rows: BadRows = "refuse",
) -> Path:
    """Make the job's folder, or check that the one there is of the same job; answers it.

    A run of the job is asked for with it, unless one is under way.

    Args:
        data_dir: of the installation.
        source: the items; see `sources`.
        plan: what to ask of them; without a `job_id`, the job is named after its input.
        providers: names that `preferredProvider` may take.
        bad_rows: see `BadRows`.

    Raises:
        BackfillRefused: nothing was begun; says what is wrong.

    """
    plan.check()
    folder = jobs_folder(data_dir)
    folder.mkdir(parents=True, exist_ok=True)
    with _draft(folder) as draft:
        columns = spill(source, draft / _RAW_FILE)
        _check_columns(columns, plan.operation)
        read = _read(draft, plan, providers, columns, bad_rows)
        plan = replace(plan, job_id=plan.job_id or f"backfill-{read.digest[:12]}")
        folder /= plan.job_id
        if not (folder / LEDGER_FILE).exists():
            _place(draft, folder, plan, read)
            return folder
    with closing(Ledger(folder)) as ledger:
        before = ledger.plan()
        if not before.asks_alike(plan):
            raise BackfillRefused(
                f"job {plan.job_id!r} was started with another operation, region or dates: "
                "give this one another job_id"
            )
        if ledger.digest() != read.digest:
            raise BackfillRefused(
                f"job {plan.job_id!r} was started with another input ({ledger.total()} items, "
                f"these are {read.items}): give this one another job_id"
            )
        ledger.change_plan(plan)
        # Where a process is at it, its run goes on; a paused one does so, too.
        if is_running(folder):
            ledger.note(wanted=JobState.RUNNING)
        else:
            ledger.ask_for_run()
    return folder


@contextmanager
def _draft(folder: Path) -> Iterator[Path]:
    draft = folder / f".{uuid4().hex}"
    draft.mkdir()
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _place(draft: Path, folder: Path, plan: BackfillPlan, read: _Read) -> None:
    (draft / _RAW_FILE).unlink()
    new = NewJob(plan, read.digest, read.items, read.duplicates, read.rejected)
    Ledger.create(draft, new)
    for path in draft.iterdir():
        if path.is_file():
            _sync(path)
    try:
        draft.rename(folder)
    except OSError:
        raise BackfillRefused(
            f"job {plan.job_id!r} was started by somebody else at this moment: try again"
        ) from None
    _sync(folder.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_columns(columns: tuple[str, ...], operation: Operation) -> None:
    if "spaceId" not in columns:
        raise BackfillRefused("the input has no column 'spaceId'")
    if operation is Operation.SYNC_TRANSACTIONS and not set(_TARGETS) & set(columns):
        raise BackfillRefused(
            "the input has no column 'accountId' (nor institutionId, connectionId)"
        )


def _read(
    draft: Path,
    plan: BackfillPlan,
    providers: frozenset[str],
    columns: tuple[str, ...],
    bad_rows: BadRows,
) -> _Read:
    with closing(connect(draft)) as database:
        problem = _problem(plan, providers, columns)
        database.execute(
            f"create view judged as select *, {problem} as problem "  # noqa: S608  our own names
            f"from read_parquet({quoted(draft / _RAW_FILE)})"
        )
        # Counted in one streamed pass each; only wrong rows are ever held.
        total, rejected = database.execute(
            "select count(*), count(problem) from judged"
        ).fetchall()[0]
        if total == 0:
            raise BackfillRefused("the input has no rows")
        if rejected and (bad_rows == "refuse" or rejected == total):
            raise _refusal(database, rejected, total)
        if rejected:
            database.execute(
                f"copy (select row, {_ids()}, problem from judged where problem is not null "  # noqa: S608
                f"order by row) to {quoted(draft / REJECTED_FILE)} (format parquet)"
            )
        identity = ", ".join(f'"{name}"' for name in _IDENTITY)
        database.execute(
            f'copy (select min(row) as row, {identity}, arg_min_null("deadlineMs", row) as '  # noqa: S608
            '"deadlineMs", arg_min_null("preferredProvider", row) as "preferredProvider" '
            f"from judged where problem is null group by {identity} order by min(row)) "
            f"to {quoted(draft / INPUT_FILE)} (format parquet, row_group_size 4096)"
        )
        told = ", chr(31), ".join(f'coalesce("{name}", chr(30))' for name in _IDENTITY)
        items, digest = database.execute(
            f"select count(*), bit_xor(md5_number(concat({told}))) "  # noqa: S608  as above
            f"from read_parquet({quoted(draft / INPUT_FILE)})"
        ).fetchall()[0]
    # The order of rows does not count: a query gives them in another one each time.
    asked = (plan.operation, plan.region, plan.start_date, plan.end_date)
    whole = hashlib.sha256(json.dumps([items, str(digest), *asked]).encode()).hexdigest()
    return _Read(int(items), int(total - rejected - items), int(rejected), whole)


def _ids() -> str:
    return ", ".join(f'"{name}"' for name in COLUMNS[: len(ID_COLUMNS)])


def _refusal(database: duckdb.DuckDBPyConnection, rejected: int, total: int) -> BackfillRefused:
    rows: pd.DataFrame = database.execute(
        "select row, problem from judged where problem is not null order by row limit ?",
        [_TOLD_ROWS],
    ).df()
    first = rows.iloc[0]
    return BackfillRefused(
        f"{rejected} of {total} rows cannot be asked for, the first is row {first['row']}: "
        f"{first['problem']}",
        rows,
    )


def _problem(plan: BackfillPlan, providers: frozenset[str], columns: tuple[str, ...]) -> str:
    """The first thing that is wrong with a row, as SQL."""
    cases = ["when \"spaceId\" is null then 'spaceId is empty'"]
    for name in COLUMNS:
        marked = f'starts_with("{name}", {quoted(MARK)})'
        wanted = "a day" if name.endswith("Date") else "text"
        cases.append(f"when {marked} then '{name} holds ' || \"{name}\"[2:] || ', not {wanted}'")
    identifier = quoted(IDENTIFIER.removeprefix("^").removesuffix("$"))
    for name in ID_COLUMNS:
        valid = f'regexp_full_match("{name}", {identifier})'
        cases.append(f"when not {valid} then '{name} is not an identifier'")
    if plan.operation is Operation.SYNC_TRANSACTIONS:
        given = [name for name in _TARGETS if name in columns]
        none = " and ".join(f'"{name}" is null' for name in given)
        cases.append(f"when {none} then '{' and '.join(given)} empty'")
    for name in ("startDate", "endDate"):
        day = f'regexp_full_match("{name}", \'{_DAY}\') and try_cast("{name}" as date) is not null'
        cases.append(
            f'when "{name}" is not null and not coalesce({day}, false) '
            f"then '{name} is not a date as YYYY-MM-DD'"
        )
    start = f'coalesce("startDate", {_literal(plan.start_date)})'
    end = f'coalesce("endDate", {_literal(plan.end_date)})'
    cases.append(f"when {start} > {end} then 'endDate is before startDate'")
    deadline = 'try_cast("deadlineMs" as double)'
    whole = f"{deadline} between 100 and 600000 and {deadline} = floor({deadline})"
    cases.append(
        f'when "deadlineMs" is not null and not coalesce({whole}, false) '
        "then 'deadlineMs is no whole number from 100 to 600000'"
    )
    known = ", ".join(quoted(name) for name in sorted(providers))
    cases.append(
        f"when \"preferredProvider\" not in ({known}) then 'preferredProvider is not known'"
    )
    return f"case {' '.join(cases)} end"


def _literal(text: str | None) -> str:
    return "null::varchar" if text is None else quoted(text)
