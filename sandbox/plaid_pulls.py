"""When Plaid last read an Item's bank, and how much of it can be seen by now.

Plaid gathers a new Item's data in two phases and reads its bank anew every night; a refresh reads
it once more. What is seen is as of that reading.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from .connections import Connection
from .options import SandboxOptions
from .plaid_errors import NOT_READY
from .wire import Call

__all__ = ["Pulled", "first_pulls", "pulled", "refresh"]

_DEFAULT_DAYS: Final = 90
_FIRST_BATCH: Final = timedelta(days=30)
_LAST: Final = "pulled_at"
_DUE: Final = "pull_due_at"


@dataclass(frozen=True, slots=True)
class Pulled:
    """What Plaid holds of an Item: movements begun from `since` on, as of the day of `at`.

    `at` is None while nothing is gathered. `whole`: the older history is there too.
    """

    at: datetime | None
    since: date
    whole: bool

    @property
    def status(self) -> str:
        """`transactions_update_status`."""
        if self.at is None:
            return "NOT_READY"
        return "HISTORICAL_UPDATE_COMPLETE" if self.whole else "INITIAL_UPDATE_COMPLETE"


def first_pulls(connection: Connection, options: SandboxOptions) -> tuple[datetime, datetime]:
    """When the first batch of an Item is there, and when the older history is."""
    first = connection.linked_at + timedelta(seconds=options.plaid_not_ready_s)
    return first, first + timedelta(seconds=options.plaid_initial_s)


def pulled(call: Call, connection: Connection, options: SandboxOptions) -> Pulled:
    """What Plaid holds of an Item at the time of a call."""
    first_at, whole_at = first_pulls(connection, options)
    days = int(connection.attributes.get("days_requested") or _DEFAULT_DAYS)
    linked_on = connection.linked_at.date()
    since = linked_on - timedelta(days=days)
    whole = call.now >= whole_at
    if not whole:
        since = max(since, linked_on - _FIRST_BATCH)
    if call.now < first_at or call.error_code == NOT_READY:
        return Pulled(None, since, whole=False)
    times = [first_at]
    if options.plaid_pulls_itself:
        times.append(call.now.replace(hour=0, minute=0, second=0, microsecond=0))
    times += [
        datetime.fromisoformat(connection.attributes[name])
        for name in (_LAST, _DUE)
        if name in connection.attributes
    ]
    return Pulled(max(at for at in times if at <= call.now), since, whole)


def refresh(call: Call, connection: Connection, options: SandboxOptions) -> datetime:
    """Have the bank read once more; answers when that will be done."""
    due = connection.attributes.get(_DUE)
    if due is not None and datetime.fromisoformat(due) <= call.now:
        connection.attributes[_LAST] = due
    done_at = call.now + timedelta(seconds=options.plaid_refresh_s)
    connection.attributes[_DUE] = done_at.isoformat()
    return done_at
