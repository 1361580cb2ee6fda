"""One movement of Belvo's under several ids, where a further reading at the bank gives it a new one.

Belvo does not say whether a movement keeps its id when the same days are read at the bank again.
Where it does not, what is stored holds the movement once for each reading.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable
from datetime import UTC, datetime
from typing import Final

from .belvo_mapping import day_of
from .payload import Payload, optional_decimal, optional_instant, optional_text, section

__all__ = ["latest_of"]

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


def latest_of(rows: Iterable[Payload]) -> tuple[Payload, ...]:
    """The rows without those that a later reading at the bank has told again.

    Rows that agree in account, date, amount, direction and the bank's own words are one movement
    seen by several readings, or several equal movements seen by one: `collected_at` tells which.
    So of equal rows those of the latest reading are kept, all of them.

    Raises:
        ProviderFailure: `MALFORMED`.

    """
    alike: defaultdict[Hashable, list[tuple[datetime, Payload]]] = defaultdict(list)
    for row in rows:
        alike[_likeness(row)].append((optional_instant(row, "collected_at") or _NEVER, row))
    kept: list[Payload] = []
    for equal in alike.values():
        latest = max(read_at for read_at, _ in equal)
        kept += (row for read_at, row in equal if read_at == latest)
    return tuple(kept)


def _likeness(row: Payload) -> Hashable:
    words = ("type", "internal_identification", "reference", "description")
    return (
        optional_text(section(row, "account"), "id"),
        day_of(row),
        optional_decimal(row, "amount"),
        *(optional_text(row, name) for name in words),
    )
