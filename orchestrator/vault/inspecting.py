"""A look at the vault's database that changes nothing, for whoever wants to know what is wrong."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

from .address import is_sqlite, place_of
from .cipher import VaultCipher
from .database import Database
from .key_check import keys_fit
from .migrating import check_known, revision_of
from .schema import REVISION

__all__ = ["VaultLook", "look_at_vault"]


@dataclass(frozen=True, slots=True)
class VaultLook:
    """How the vault's database stands.

    `place` is for people. `revision` is None where no vault has been made there yet. `keys_fit`
    tells whether it was made under the keys at hand.
    """

    place: str
    revision: str | None
    keys_fit: bool

    @property
    def up_to_date(self) -> bool:
        """Whether its schema is this program's."""
        return self.revision == REVISION


def look_at_vault(url: URL, cipher: VaultCipher) -> VaultLook:
    """See whether the vault can be opened, and what is in it.

    Raises:
        StoreError: it cannot be opened, or belongs to a newer program.

    """
    place = place_of(url)
    if is_sqlite(url) and not Path(url.database or "").exists():
        return VaultLook(place, None, keys_fit=True)
    database = Database(url)
    try:
        with database.reading() as connection:
            revision = revision_of(connection)
            check_known(revision)
            # An older schema has no place for what tells.
            fit = revision != REVISION or keys_fit(connection, cipher)
    finally:
        database.close()
    return VaultLook(place, revision, keys_fit=fit)
