"""A job's own file: what is settled, what is under way, and rows that are not published yet.

One SQLite database a job. An item's end and its rows are one transaction, synced to the disk, so
that no kill can come between them; `publishing` then moves the rows to where they are read.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from orchestrator.domain import OperationError, StoreError

from .chunk import Chunk, NewJob, Tally, counted
from .item import Item
from .ledger_file import SCHEMA, Transaction, open_file
from .plan import LEDGER_FILE, BackfillPlan, JobState
from .verdicts import OpenItem

__all__ = ["Ledger"]


class Ledger:
    """The ledger of a job's folder. One process at a time runs the job; any may read it.

    Raises:
        StoreError: there is none, or it cannot be read or written.

    """

    def __init__(self, folder: Path) -> None:
        path = folder / LEDGER_FILE
        if not path.exists():
            raise StoreError(f"there is no job in {folder}")
        self._database = open_file(path)

    @staticmethod
    def create(folder: Path, new: NewJob) -> None:
        """Write a new job's ledger into its draft folder."""
        database = open_file(folder / LEDGER_FILE)
        try:
            database.executescript(SCHEMA)
            facts = {
                "plan": new.plan.to_json(),
                "digest": new.digest,
                "items": new.items,
                "duplicates": new.duplicates,
                "rejected": new.rejected,
                "wanted": JobState.RUNNING,
                "state": JobState.RUNNING,
                "run": 0,
                "asked_runs": 1,
                "publication": 1,
                "tally": json.dumps(asdict(Tally())),
            }
            with database:
                database.executemany(
                    "insert into facts values (?, ?)",
                    [(name, str(value)) for name, value in facts.items()],
                )
            # The file is renamed with its folder: nothing of it may be left beside it.
            database.execute("pragma wal_checkpoint(truncate)")
        finally:
            database.close()

    def close(self) -> None:
        """Let the file go."""
        self._database.close()

    def fact(self, name: str) -> str | None:
        """One of the job's facts."""
        found = self._database.execute("select value from facts where name = ?", [name]).fetchone()
        return None if found is None else str(found[0])

    def note(self, **facts: object) -> None:
        """Write facts down; None takes one away."""
        with self._transaction():
            self._note(facts)

    def plan(self) -> BackfillPlan:
        """What the job is asked to do."""
        return BackfillPlan.from_json(self._known("plan"))

    def change_plan(self, plan: BackfillPlan) -> None:
        """Take other bounds for the same questions."""
        self.note(plan=plan.to_json())

    def digest(self) -> str:
        """Of the items."""
        return self._known("digest")

    def total(self) -> int:
        """Items of the job."""
        return int(self._known("items"))

    def rejected(self) -> int:
        """Rows of the input that are no items."""
        return int(self._known("rejected"))

    def duplicates(self) -> int:
        """Rows of the input that repeat an item."""
        return int(self._known("duplicates"))

    def tally(self) -> Tally:
        """Counts of the run."""
        return Tally(**json.loads(self._known("tally")))

    def state(self) -> JobState:
        """Where the job stands."""
        return JobState(self._known("state"))

    def wanted(self) -> JobState:
        """Where somebody wants it to stand."""
        return JobState(self._known("wanted"))

    def ask_for_run(self) -> None:
        """Have the next process that runs the job begin a new run of it."""
        with self._transaction():
            self._note(
                {
                    "wanted": JobState.RUNNING,
                    "state": JobState.RUNNING,
                    "asked_runs": int(self._known("asked_runs")) + 1,
                    "problem": None,
                }
            )

    def begin(self, now: float) -> Tally:
        """Begin the run that was asked for, or go on with the one that was cut off.

        A new run asks again for what failed, and for what a provider was still gathering.
        """
        with self._transaction():
            asked, run = int(self._known("asked_runs")), int(self._known("run"))
            tally = self.tally()
            if asked > run:
                self._database.execute("delete from settled where not done or stale")
                self._database.execute("delete from failures")
                self._database.execute("update open_items set tries = 0")
                skipped = self._database.execute("select count(*) from settled").fetchone()[0]
                tally = Tally(skipped=int(skipped))
                self._note({"run": asked, "tally": json.dumps(asdict(tally)), "started_at": now})
            self._note({"problem": None, "ended_at": None})
            return tally

    def settled_between(self, first: int, end: int) -> frozenset[int]:
        """Settled positions from `first` to before `end`."""
        rows = self._database.execute(
            "select position from settled where position >= ? and position < ?", [first, end]
        )
        return frozenset(row[0] for row in rows)

    def has_open_items(self) -> bool:
        """Whether any item has come some way without being read to its end."""
        row = self._database.execute("select exists (select 1 from open_items)").fetchone()
        return bool(row[0])

    def open_item(self, item: Item) -> OpenItem:
        """An item as far as it has come."""
        found = self._database.execute(
            "select cursor, pages, rows, tries, attempts, stale from open_items where position = ?",
            [item.position],
        ).fetchone()
        if found is None:
            return OpenItem(item)
        cursor, pages, rows, tries, attempts, stale = found
        return OpenItem(item, cursor, pages, rows, tries, attempts, bool(stale))

    def commit(self, chunk: Chunk, tally: Tally, live: str) -> Tally:
        """Make a chunk durable, with the counts that follow from it, which are answered.

        Args:
            chunk: what ended and what went on.
            tally: the counts before.
            live: JSON for whoever watches.

        """
        run = int(self._known("run"))
        after = counted(tally, chunk)
        with self._transaction():
            self._database.executemany(
                "insert into settled values (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        e.open.item.position,
                        run,
                        e.error is None,
                        e.open.stale,
                        e.provider,
                        e.open.attempts,
                        e.open.rows,
                    )
                    for e in chunk.endings
                ],
            )
            self._database.executemany(
                "insert into failures values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [_failure(e.open, e.error) for e in chunk.endings if e.error is not None],
            )
            self._keep_open(
                [*chunk.going_on, *(e.open for e in chunk.endings if e.error is not None)]
            )
            self._database.executemany(
                "delete from open_items where position = ?",
                [(e.open.item.position,) for e in chunk.endings if e.error is None],
            )
            if chunk.records:
                self._database.execute(
                    "insert into unpublished (rows, records, removed) values (?, ?, ?)",
                    [chunk.rows, chunk.records, chunk.removed],
                )
            self._note({"tally": json.dumps(asdict(after)), "live": live})
        return after

    def failures(self) -> list[tuple[object, ...]]:
        """What failed in the run, by row: row, ids, type, code, message, retryable, action, attempts."""
        return self._database.execute(
            "select row, space_id, account_id, institution_id, connection_id, type, code, message, "
            "retryable, user_action, attempts from failures order by position"
        ).fetchall()

    def unpublished(self, most_rows: int) -> list[tuple[int, bytes, bytes]]:
        """The oldest chunks whose rows are not published, up to about so many rows."""
        found, rows = [], 0
        for number, count, records, removed in self._database.execute(
            "select number, rows, records, removed from unpublished order by number"
        ):
            found.append((int(number), bytes(records), bytes(removed)))
            rows += count
            if rows >= most_rows:
                break
        return found

    def has_unpublished(self) -> bool:
        """Whether rows wait to be published."""
        row = self._database.execute("select exists (select 1 from unpublished)").fetchone()
        return bool(row[0])

    def publication(self) -> int:
        """The number of the next publication; files of it and of later ones are not valid."""
        return int(self._known("publication"))

    def published(self, last_number: int) -> None:
        """Forget the chunks up to this one: their rows are in place."""
        with self._transaction():
            self._database.execute("delete from unpublished where number <= ?", [last_number])
            self._note({"publication": self.publication() + 1})

    def end(self, state: JobState, now: float, problem: str | None = None) -> None:
        """Write down that the run is over."""
        self.note(state=state, ended_at=now, problem=problem, live=None)

    def _keep_open(self, items: Sequence[OpenItem]) -> None:
        self._database.executemany(
            "insert or replace into open_items values (?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    one.item.position,
                    one.cursor,
                    one.pages,
                    one.rows,
                    one.tries,
                    one.attempts,
                    one.stale,
                )
                for one in items
            ],
        )

    def _known(self, name: str) -> str:
        value = self.fact(name)
        if value is None:
            raise StoreError(f"the job's ledger has no {name}")
        return value

    def _note(self, facts: Mapping[str, object]) -> None:
        for name, value in facts.items():
            if value is None:
                self._database.execute("delete from facts where name = ?", [name])
            else:
                self._database.execute(
                    "insert or replace into facts values (?, ?)", [name, str(value)]
                )

    def _transaction(self) -> Transaction:
        return Transaction(self._database)


def _failure(failed: OpenItem, error: OperationError) -> tuple[object, ...]:
    item = failed.item
    return (
        item.position,
        item.row,
        item.space_id,
        item.account_id,
        item.institution_id,
        item.connection_id,
        error.type.value,
        error.code,
        error.message,
        error.retryable,
        error.user_action,
        failed.attempts,
    )
