"""One thing that a job asks for."""

from dataclasses import dataclass

__all__ = ["Item"]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to ask for. `position` counts items from 0, `row` is the input's, from 1."""

    position: int
    row: int
    space_id: str
    account_id: str | None
    institution_id: str | None
    connection_id: str | None
    start_date: str | None
    end_date: str | None
    deadline_ms: int | None
    preferred_provider: str | None
