"""What a connection has shown before: an empty answer after it is not simply believed.

Pure: `now` is seconds of any clock that does not go back.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

__all__ = ["ShownBefore"]

_ACCOUNTS: Final = "accounts"
_LISTING: Final = "listing"
_BELIEVED_AFTER_ANSWERS: Final = 3
_BELIEVED_AFTER_S: Final = 3600.0


@dataclass(slots=True)
class ShownBefore:
    """One connection's memory, for as long as its process lives.

    Three empty answers in a row, over an hour at least, are taken as true after all.
    """

    _newest: dict[str | None, dt.date] = field(default_factory=dict)
    _doubts: dict[tuple[str, str | None], tuple[int, float]] = field(default_factory=dict)
    _accounts_gone: bool = False

    def doubts_accounts(self, *, seen: int, known: int, now: float) -> bool:
        """Whether an answer with `seen` accounts contradicts the `known` ones."""
        key = (_ACCOUNTS, None)
        if seen:
            self._accounts_gone = False
            self._doubts.pop(key, None)
            return False
        if not known or self._accounts_gone:
            return False
        self._accounts_gone = self._is_believed(key, now)
        return not self._accounts_gone

    def doubts_listing(self, now: float) -> bool:
        """Whether a whole listing that shows nothing of what was seen is still to be believed."""
        return not self._is_believed((_LISTING, None), now)

    def trusts_listing(self) -> None:
        """Note a listing that goes on from what was seen."""
        self._doubts.pop((_LISTING, None), None)

    def doubts_movements(
        self,
        account_id: str | None,
        posted: Iterable[dt.date],
        *,
        start: dt.date,
        end: dt.date,
        now: float,
    ) -> bool:
        """Whether an answer for a window contradicts what the window held before.

        Args:
            account_id: the account that was asked for, None for all.
            posted: dates of the posted movements in the answer.
            start: first day of the window.
            end: its last day.
            now: seconds.

        """
        key = ("movements", account_id)
        newest = max(posted, default=None)
        before = self._newest.get(account_id)
        if newest is not None:
            self._newest[account_id] = newest if before is None else max(newest, before)
            self._doubts.pop(key, None)
            return False
        if before is None or not start <= before <= end:
            return False
        if self._is_believed(key, now):
            del self._newest[account_id]
            return False
        return True

    def _is_believed(self, key: tuple[str, str | None], now: float) -> bool:
        answers, since = self._doubts.get(key, (0, now))
        answers += 1
        if answers >= _BELIEVED_AFTER_ANSWERS and now - since >= _BELIEVED_AFTER_S:
            self._doubts.pop(key, None)
            return True
        self._doubts[key] = (answers, since)
        return False
