"""What Belvo can be asked to read at a bank: accounts as they are, or the transactions of some days."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

from .payload import Payload

__all__ = ["Resource", "Wanted"]


class Resource(StrEnum):
    """What is read at a bank, by its name in Belvo's paths."""

    ACCOUNTS = "accounts"
    TRANSACTIONS = "transactions"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A reading at the bank: accounts as they are, or the transactions of some days."""

    resource: Resource
    days: tuple[date, date] | None = None

    def body(self, link_id: str) -> Payload:
        """The request's body; what is read is kept at Belvo, where it is then listed."""
        asked: dict[str, object] = {"link": link_id, "save_data": True}
        if self.days is not None:
            asked |= {"date_from": self.days[0].isoformat(), "date_to": self.days[1].isoformat()}
        return asked

    @property
    def halves(self) -> tuple["Wanted", "Wanted"] | None:
        """The later and the earlier half of the days, None where there is nothing to halve."""
        if self.days is None or self.days[0] == self.days[1]:
            return None
        first, last = self.days
        middle = first + (last - first) // 2
        later = replace(self, days=(middle + timedelta(days=1), last))
        return later, replace(self, days=(first, middle))
