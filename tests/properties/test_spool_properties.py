"""Spools and their reader under kills, failed commits and restarts: every row once, none lost."""

import os
import tempfile
from pathlib import Path
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from orchestrator.domain import ConnectionAttempt
from orchestrator.spool import SpoolReader, SpoolWriter, Values
from tests.support.log_rows import attempt, attempts_of

_SEGMENT_BYTES = 900


def lost(number: int) -> ConnectionAttempt:
    """An attempt as its intent tells it."""
    return attempt(number, outcome="network", error_code="ACTOR_LOST", http_calls=None)


def number_of(row: ConnectionAttempt) -> int:
    """The number an attempt was made from."""
    return attempt_numbers[row.attempt_id]


attempt_numbers = {str(UUID(int=n, version=4)): n for n in range(2_000)}


class SpoolMachine(RuleBasedStateMachine):
    """Two processes write, one reads; each of them may be killed at any time.

    `committed` is the log: rows and positions, changed together or not at all.
    """

    writers = Bundle("writers")
    intents = Bundle("intents")

    def __init__(self) -> None:
        super().__init__()
        self._kept = tempfile.TemporaryDirectory()
        self.folder = Path(self._kept.name)
        self.numbers = iter(range(2_000))
        self.committed: list[ConnectionAttempt] = []
        self.positions: dict[str, int] = {}
        self.told: dict[int, ConnectionAttempt] = {}
        self.open: dict[int, SpoolWriter] = {}
        self.alive: list[SpoolWriter] = []

    @initialize()
    def start(self) -> None:
        """The reader's process begins."""
        self.reader = SpoolReader(self.folder, {})

    @rule(target=writers, what=st.sampled_from(["provider-mx", "router"]))
    def another_process(self, what: str) -> SpoolWriter:
        """A process begins."""
        writer = SpoolWriter(self.folder, what, segment_bytes=_SEGMENT_BYTES)
        self.alive.append(writer)
        return writer

    @rule(target=intents, writer=writers)
    def intend(self, writer: SpoolWriter) -> object:
        """An attempt is about to be sent."""
        if writer not in self.alive:
            return multiple()
        number = next(self.numbers)
        writer.intend(lost(number))
        self.open[number] = writer
        self.told[number] = lost(number)
        return number

    @rule(number=consumes(intents))
    def end(self, number: int) -> None:
        """An attempt ends, if its process lives."""
        writer = self.open.pop(number)
        if writer in self.alive:
            row = attempt(number)
            writer.put(row)
            self.told[number] = row

    @rule(writer=writers)
    def put(self, writer: SpoolWriter) -> None:
        """A row without an intent."""
        if writer in self.alive:
            number = next(self.numbers)
            self.told[number] = attempt(number)
            writer.put(attempt(number))

    @rule(writer=consumes(writers))
    def kill(self, writer: SpoolWriter) -> None:
        """A process ends without a word."""
        if writer in self.alive:
            self.alive.remove(writer)
            if writer._descriptor is not None:
                os.close(writer._descriptor)

    @rule(most=st.integers(1, 30))
    def collect(self, most: int) -> None:
        """The reader's process commits a batch and lives."""
        batch = self.reader.read(most)
        self._commit(batch.attempts, batch.positions)
        self.reader.committed(batch)

    @rule(most=st.integers(1, 30))
    def collect_in_vain(self, most: int) -> None:
        """The commit fails: the disk is full, say."""
        self.reader.read(most)

    @rule(most=st.integers(1, 30), in_time=st.booleans())
    def kill_reader(self, most: int, in_time: bool) -> None:
        """The reader's process ends, before or after a commit that it no longer acts upon."""
        if in_time:
            batch = self.reader.read(most)
            self._commit(batch.attempts, batch.positions)
        self.reader = SpoolReader(self.folder, self.positions)

    @invariant()
    def every_row_is_committed_once(self) -> None:
        """No id twice in the log."""
        ids = [row.attempt_id for row in self.committed]

        assert len(set(ids)) == len(ids)

    def teardown(self) -> None:
        """At the end all that was told is there, as it was told last, and no file is left."""
        for writer in self.alive:
            if writer._descriptor is not None:
                os.close(writer._descriptor)
        while not (batch := self.reader.read(50)).is_empty:
            self._commit(batch.attempts, batch.positions)
            self.reader.committed(batch)

        assert self.told == {number_of(row): row for row in self.committed}
        assert 0 == self.reader.rows_waiting() == self.reader.damaged
        assert [] == list(self.folder.iterdir())

        self._kept.cleanup()

    def _commit(self, rows: list[Values], positions: dict[str, int]) -> None:
        """As the store does: of those whose calls nobody counted, what is there already stays."""
        known = {row.attempt_id for row in self.committed}
        self.committed += [
            row
            for row in attempts_of(rows)
            if row.http_calls is not None or row.attempt_id not in known
        ]
        self.positions |= positions


SpoolMachine.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, derandomize=True
)
TestSpool = SpoolMachine.TestCase
