"""A space's connections as the router knows them: read from the vault once, good until they change."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from actors.change_marks import ChangeMarks, Marks
from actors.ports import VaultPort
from orchestrator.vault import ConnectionRecord

__all__ = ["KnownConnections"]

_MOST_KEPT: Final = 20_000


@dataclass(frozen=True, slots=True)
class _Known:
    records: tuple[ConnectionRecord, ...]
    names: tuple[str, ...]
    marks: Marks


class KnownConnections:
    """Answers as the vault would, of memory where nothing has changed since it was asked.

    Args:
        vault: holds them.
        marks: where the vault tells what has changed; None asks it every time.
        most_kept: spaces that are remembered.

    """

    def __init__(
        self, vault: VaultPort, marks: ChangeMarks | None, *, most_kept: int = _MOST_KEPT
    ) -> None:
        self._vault = vault
        self._marks = marks
        self._most_kept = most_kept
        self._kept: OrderedDict[str, _Known] = OrderedDict()

    async def of_space(self, space_id: str) -> tuple[ConnectionRecord, ...]:
        """A space's connections, oldest first."""
        marks = self._marks
        if marks is None:
            return await self._vault.connections(space_id)
        known = self._kept.get(space_id)
        if known is not None and known.marks == marks.of(known.names):
            self._kept.move_to_end(space_id)
            return known.records
        before = marks.total
        records = await self._vault.connections(space_id)
        names = (space_id, *(record.connection_id for record in records))
        taken = marks.of(names)
        if records and before == marks.total:
            self._keep(space_id, _Known(records, names, taken))
        else:
            self._kept.pop(space_id, None)
        return records

    def _keep(self, space_id: str, known: _Known) -> None:
        self._kept[space_id] = known
        self._kept.move_to_end(space_id)
        if len(self._kept) > self._most_kept:
            self._kept.popitem(last=False)
