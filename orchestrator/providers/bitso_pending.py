"""Bitso's money on its way in or out, told as pending until the ledger has it.

The lists of fundings and withdrawals show it; the ledger's entry names the transfer that it settles.
What the ledger has already is not told from the lists, and what was told from them is taken back
when the ledger has it, or when it failed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from orchestrator.domain import Credential, ErrorClass, ProviderFailure, ProviderTransaction

from .bitso_client import BitsoClient
from .bitso_errors import NOT_PERMITTED
from .bitso_ledger import Ledger
from .bitso_mapping import Transfer, TransferKind, TransferState, transfer_of
from .bitso_reading import LedgerReading
from .payload import rows

__all__ = ["PendingMoney", "PendingUpdate", "settled_only"]

_log = structlog.get_logger("provider")
_LISTED: Final = "100"  # the most there can be
_LONGEST_UNDER_WAY: Final = timedelta(days=14)
_MOST_TOLD_CHARACTERS: Final = 900
_LEDGER_PAGES: Final = 5
"""How far back the ledger's own fundings or withdrawals are searched for one that is under way."""


@dataclass(frozen=True, slots=True)
class PendingUpdate:
    """What the lists add to an answer.

    `told` are the pending movements that are under way after it; `is_over` is False where others
    found no room in it.
    """

    rows: tuple[ProviderTransaction, ...]
    removed: tuple[str, ...]
    told: tuple[str, ...]
    is_over: bool = True


class PendingMoney:
    """One user's transfers under way, for one answer.

    Args:
        client: to Bitso.
        credential: the user's key.
        ledger: the user's ledger.
        client_id: the user's id there.
        account_id: the account to which the answer is narrowed, None for all.
        now: the time of the answer.

    """

    def __init__(
        self,
        client: BitsoClient,
        credential: Credential,
        ledger: Ledger,
        *,
        client_id: str,
        account_id: str | None,
        now: datetime,
    ) -> None:
        self._client = client
        self._credential = credential
        self._ledger = ledger
        self._client_id = client_id
        self._account_id = account_id
        self._now = now

    async def update(
        self, reading: LedgerReading, *, settled: frozenset[str], room: int
    ) -> PendingUpdate:
        """What is newly under way, and what of that told before no longer is.

        Args:
            reading: with what was told; its window bounds what is told now.
            settled: transfers that the ledger's entries in this answer settle.
            room: how many movements fit into the answer.

        Raises:
            ProviderFailure: Bitso's.

        """
        try:
            listed = [transfer for kind in TransferKind for transfer in await self._listed(kind)]
        except ProviderFailure as error:
            if error.failure.code != NOT_PERMITTED:
                raise
            # The ledger, which this key may read, has every movement in the end.
            _log.warning("pending_money_not_permitted", provider="bitso")
            return settled_only(reading.told, settled)
        kept, removed = await self._follow(reading.told, listed, settled)
        fresh = [
            transfer
            for transfer in listed
            if transfer.state is TransferState.UNDER_WAY
            and _mark(transfer) not in reading.told
            and transfer.transfer_id not in settled
            and self._account_id in (None, transfer.movement.provider_account_id)
            and reading.tells(transfer.movement.date)
        ]
        told, found = list(kept), list[ProviderTransaction]()
        is_over = True
        in_ledger = await self._in_ledger(fresh)
        for transfer in sorted(fresh, key=lambda one: one.at):
            if transfer.transfer_id in in_ledger or _is_too_long(told, transfer):
                continue
            if len(found) == room:
                is_over = False
                break
            found.append(transfer.movement)
            told.append(_mark(transfer))
        return PendingUpdate(tuple(found), tuple(removed), tuple(told), is_over)

    async def _listed(self, kind: TransferKind) -> list[Transfer]:
        answer = await self._client.get(self._credential, kind.value, {"limit": _LISTED})
        listed = (
            transfer_of(row, kind, client_id=self._client_id) for row in rows(answer, "payload")
        )
        return [transfer for transfer in listed if transfer is not None]

    async def _follow(
        self, told: Iterable[str], listed: Iterable[Transfer], settled: frozenset[str]
    ) -> tuple[list[str], list[str]]:
        """Of the movements told before: those still under way, and the ids of those that are not."""
        by_mark = {_mark(transfer): transfer for transfer in listed}
        kept: list[str] = []
        removed: list[str] = []
        for mark in told:
            letter, movement_id, transfer_id = _parts(mark)
            if transfer_id in settled:
                removed.append(movement_id)
                continue
            transfer = by_mark.get(mark) or await self._asked(letter, transfer_id)
            if transfer is not None and self._is_under_way(transfer):
                kept.append(mark)
            else:
                removed.append(movement_id)
        return kept, removed

    def _is_under_way(self, transfer: Transfer) -> bool:
        """Whether the ledger may still settle it: one that is done was not seen there yet."""
        young = self._now - transfer.at <= _LONGEST_UNDER_WAY
        return transfer.state is TransferState.UNDER_WAY or (
            transfer.state is TransferState.DONE and young
        )

    async def _asked(self, letter: str, transfer_id: str) -> Transfer | None:
        """A transfer that the lists no longer show; None where Bitso does not know it."""
        kind = next((kind for kind in TransferKind if kind.value[0] == letter), None)
        if kind is None:
            return None
        try:
            answer = await self._client.get(self._credential, f"{kind.value}/{transfer_id}")
        except ProviderFailure as error:
            if error.failure.error_class is not ErrorClass.VALIDATION:
                raise
            return None
        asked = (
            transfer_of(row, kind, client_id=self._client_id) for row in rows(answer, "payload")
        )
        return next((one for one in asked if one and one.transfer_id == transfer_id), None)

    async def _in_ledger(self, transfers: Iterable[Transfer]) -> set[str]:
        """Which of these the ledger has although the lists say that they are under way."""
        found: set[str] = set()
        for kind in TransferKind:
            oldest = min((one.at for one in transfers if one.kind is kind), default=None)
            if oldest is None:
                continue
            pages = self._ledger.pages("desc", None, feed=f"ledger/{kind.value}")
            for _ in range(_LEDGER_PAGES):
                entries = await pages.next()
                found.update(entry.settles for entry in entries if entry.settles is not None)
                if pages.is_over or not entries or entries[-1].at < oldest:
                    break
        return found


def _mark(transfer: Transfer) -> str:
    return f"{transfer.kind.value[0]}/{transfer.movement.provider_transaction_id}"


def _parts(mark: str) -> tuple[str, str, str]:
    """The first letter of a movement's list, its id, and its transfer's id."""
    letter, _, movement_id = mark.partition("/")
    return letter, movement_id, movement_id.partition(":")[0]


def settled_only(told: Iterable[str], settled: frozenset[str]) -> PendingUpdate:
    """What is known of movements told before without looking at the lists."""
    parts = {mark: _parts(mark) for mark in told}
    return PendingUpdate(
        rows=(),
        removed=tuple(movement for _, movement, one in parts.values() if one in settled),
        told=tuple(mark for mark, (_, _, one) in parts.items() if one not in settled),
    )


def _is_too_long(told: list[str], transfer: Transfer) -> bool:
    return len(" ".join([*told, _mark(transfer)])) > _MOST_TOLD_CHARACTERS
