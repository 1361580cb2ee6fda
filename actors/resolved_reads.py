"""Where reads can go, worked out once for as long as a space's connections are the same."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from actors.router_candidates import linked_connection
from orchestrator.routing import ReadTarget, Resolution, resolve_read
from orchestrator.vault import ConnectionRecord

__all__ = ["ResolvedReads"]

_MOST_KEPT: Final = 20_000

Records = tuple[ConnectionRecord, ...]


class ResolvedReads:
    """Answers as `resolve_read` would.

    Args:
        priority: provider order by region.
        most_kept: answers that are remembered.

    """

    def __init__(
        self, priority: Mapping[str, tuple[str, ...]], *, most_kept: int = _MOST_KEPT
    ) -> None:
        self._priority = dict(priority)
        self._most_kept = most_kept
        self._kept: OrderedDict[tuple[str, ReadTarget], tuple[Records, Resolution]] = OrderedDict()

    def of(self, space_id: str, records: Records, target: ReadTarget) -> Resolution:
        """Where a read can go.

        Args:
            space_id: whose connections these are.
            records: the same object as long as nothing has changed.
            target: what was asked for.

        Raises:
            RequestRefused: see `resolve_read`.

        """
        key = (space_id, target)
        kept = self._kept.get(key)
        if kept is not None and kept[0] is records:
            self._kept.move_to_end(key)
            return kept[1]
        found = resolve_read(
            [linked_connection(record) for record in records], target, self._priority
        )
        self._kept[key] = (records, found)
        self._kept.move_to_end(key)
        if len(self._kept) > self._most_kept:
            self._kept.popitem(last=False)
        return found
