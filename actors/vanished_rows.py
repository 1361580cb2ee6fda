"""Movements that a vendor no longer lists, at vendors that tell of no removals.

The vault keeps what a connection's listings have shown; what a whole listing lacks is gone. One that
suddenly shows nothing of what was there is not simply believed.
"""

from actors.attempt_failures import wrongly_empty
from actors.opened_connections import OpenedConnection
from actors.ports import VaultPort
from orchestrator.domain import Clock, CompleteListing, ProviderFailure
from orchestrator.providers.protocol import TransactionsRead
from orchestrator.vault import ListingDoubted, ListingNoted

__all__ = ["VanishedRows"]


class VanishedRows:
    """Compares listings with what was seen before.

    Args:
        vault: keeps what was seen.
        clock: monotonic and wall time.

    """

    def __init__(self, vault: VaultPort, clock: Clock) -> None:
        self._vault = vault
        self._clock = clock

    async def removed(self, opened: OpenedConnection, read: TransactionsRead) -> tuple[str, ...]:
        """The vendor's ids of all movements that are gone since the reading before this one.

        Raises:
            ProviderFailure: `WRONG_SUCCESS_EMPTY`, where nothing is left of what was seen and it is
                too early to believe it.

        """
        if read.listing is None:
            return read.removed
        noted = await self._note(opened, read.listing, read, believed=False)
        if isinstance(noted, ListingDoubted):
            if opened.shown.doubts_listing(self._clock.now_s()):
                raise ProviderFailure(wrongly_empty("movements"))
            noted = await self._note(opened, read.listing, read, believed=True)
        else:
            opened.shown.trusts_listing()
        gone = noted.gone if isinstance(noted, ListingNoted) else ()
        return tuple(dict.fromkeys((*read.removed, *gone)))

    async def _note(
        self,
        opened: OpenedConnection,
        listing: CompleteListing,
        read: TransactionsRead,
        *,
        believed: bool,
    ) -> ListingNoted | ListingDoubted:
        # Noted as of the reading's beginning, which is what its cursor will compare with.
        now = self._clock.unix_s() if read.listed_at is None else read.listed_at.timestamp()
        return await self._vault.note_listing(
            opened.connection_id,
            listing,
            told_since=None if read.told_since is None else read.told_since.timestamp(),
            now=now,
            believed=believed,
        )
