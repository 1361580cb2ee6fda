"""Readings that remember what was pending, over any number of answers."""

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from scripted_vendor import transactions_request

from orchestrator.domain import Credential, Direction, ProviderFailure, ProviderTransaction
from orchestrator.providers.remembered_pending import PendingStates, RememberingReading
from orchestrator.providers.window_reading import Listed

START = datetime(2026, 3, 18, 15, 30, tzinfo=UTC)
NOBODY = Credential({"x": "y"})


def row(number: int, day: date, *, pending: bool, cents: int = 100) -> ProviderTransaction:
    """A movement."""
    return ProviderTransaction(
        provider_transaction_id=f"t{number}",
        provider_account_id="a",
        date=day,
        posted_at=None,
        authorized_date=None,
        amount=Decimal(-cents),
        direction=Direction.OUT,
        currency="USD",
        description="",
        merchant_name=None,
        category=None,
        pending=pending,
    )


class Vendor:
    """Rows with the time at which it had them first; changes do not move it."""

    def __init__(self) -> None:
        self.now = START
        self.rows: dict[str, tuple[ProviderTransaction, datetime]] = {}

    def add(self, movement: ProviderTransaction) -> None:
        """A new row."""
        self.rows[movement.provider_transaction_id] = (movement, self.now)

    def change(self, transaction_id: str, **over: object) -> None:
        """The same row, otherwise."""
        movement, since = self.rows[transaction_id]
        self.rows[transaction_id] = (replace(movement, **over), since)  # type: ignore[arg-type]

    def read(self, cursor: str | None, limit: int) -> tuple[list[ProviderTransaction], str]:
        """All answers of one reading; what they told, and the cursor for the next."""
        told: list[ProviderTransaction] = []
        while True:
            request = transactions_request(
                NOBODY,
                cursor=cursor,
                limit=limit,
                start_date=date(2026, 3, 1),
                end_date=self.now.date(),
                today=self.now.date(),
            )
            reading = RememberingReading.of(request, self.now, overlap_days=15)
            listed = (
                Listed(movement, since)
                for movement, since in self.rows.values()
                if movement.date >= reading.window.first_day
            )
            answer = reading.answer(listed, limit=limit, stale=False)
            told += answer.transactions
            cursor = answer.next_cursor
            assert len(cursor) <= 1500
            if not answer.has_more:
                return told, cursor


@pytest.mark.parametrize("limit", [1, 2, 7, 100])
@pytest.mark.parametrize("seed", range(8))
def test_whoever_follows_the_cursor_knows_every_row_as_it_is(seed: int, limit: int) -> None:
    """Rows come, change while pending and are posted in place; nothing unchanged is told again."""
    dice, vendor = random.Random(seed), Vendor()
    known: dict[str, ProviderTransaction] = {}
    cursor: str | None = None
    for number in range(60):
        if number % 5 == 0:
            before = dict(known)
            vendor.now += timedelta(hours=2)  # over the slack for clocks that differ
            told, cursor = vendor.read(cursor, limit)
            known |= {one.provider_transaction_id: one for one in told}

            assert known == {key: movement for key, (movement, _) in vendor.rows.items()}
            assert not set(told) & set(before.values())
        vendor.now += timedelta(hours=dice.randint(2, 5))
        age = timedelta(days=dice.randint(0, 3))
        vendor.add(row(number, (vendor.now - age).date(), pending=dice.random() < 0.5))
        open_rows = [key for key, (movement, _) in vendor.rows.items() if movement.pending]
        if open_rows and dice.random() < 0.6:
            vendor.change(dice.choice(open_rows), pending=False)
        if open_rows and dice.random() < 0.3:
            vendor.change(open_rows[-1], amount=Decimal(-dice.randint(101, 999)))


def test_more_pending_rows_than_a_cursor_holds_are_all_told_again() -> None:
    """Nothing is lost: whoever keeps rows sees which are the same."""
    vendor = Vendor()
    for number in range(80):
        vendor.add(row(number, date(2026, 3, 15), pending=True))
    _, cursor = vendor.read(None, 1000)
    vendor.now += timedelta(days=1)
    vendor.change("t3", pending=False)

    told, cursor = vendor.read(cursor, 1000)
    for number in range(79):
        vendor.change(f"t{number}", pending=False)
    vendor.now += timedelta(days=1)
    again, cursor = vendor.read(cursor, 1000)
    vendor.now += timedelta(days=1)
    last, _ = vendor.read(cursor, 1000)

    assert [80, 80, 0] == [len(told), len(again), len(last)]


def test_a_row_outside_of_the_window_is_not_taken_as_told() -> None:
    """A window that ends in the past leaves what came after it to the cursor."""
    vendor = Vendor()
    vendor.add(row(1, date(2026, 3, 17), pending=True))
    request = transactions_request(
        NOBODY, start_date=date(2026, 3, 1), end_date=date(2026, 3, 10), today=START.date()
    )
    listed = [Listed(*entry) for entry in vendor.rows.values()]
    first = RememberingReading.of(request, START, overlap_days=15).answer(
        listed, limit=10, stale=False
    )
    told, _ = vendor.read(first.next_cursor, 10)

    assert first.transactions == ()
    assert ["t1"] == [one.provider_transaction_id for one in told]


@pytest.mark.parametrize("text", ["x", "a" * 11, "a" * 1000])
def test_a_memory_of_another_length_is_refused(text: str) -> None:
    """It is none that was given out."""
    with pytest.raises(ProviderFailure, match="INVALID_CURSOR"):
        PendingStates.parse(text)


def test_a_memory_survives_its_text() -> None:
    """As a cursor keeps it."""
    memory = PendingStates({}).adding(
        row(number, date(2026, 3, 1), pending=number % 2 == 0) for number in range(20)
    )

    assert len(memory.text()) == 100
    assert memory == PendingStates.parse(memory.text())
