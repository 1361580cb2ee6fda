"""Our institution ids, and what each provider calls the same institution."""

import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Self

from .csv_file import read_institutions
from .institution import Institution

__all__ = ["SHIPPED_FILE", "Catalogue"]

SHIPPED_FILE: Final = Path(__file__).parent / "institutions.csv"
"""A sample of well-known institutions; production replaces it with its own export."""

_LEFT_OUT: Final = str.maketrans("", "", ".'\u2019")
"""Marks that people leave out when they type a name: U.S. Bank, Employees'."""


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.translate(_LEFT_OUT))
    bare = "".join(mark for mark in plain if not unicodedata.combining(mark))
    return " ".join(bare.casefold().split())


class Catalogue:
    """All institutions; immutable. Iterating gives them in the order in which they were told.

    Args:
        institutions: with ids that are unique, ours and each provider's.

    """

    def __init__(self, institutions: Iterable[Institution]) -> None:
        self._by_id = {one.institution_id: one for one in institutions}
        self._by_provider_id = {
            pair: one for one in self._by_id.values() for pair in one.provider_ids.items()
        }
        self._by_name = sorted(
            ((_folded(one.name), one) for one in self._by_id.values()),
            key=lambda entry: (entry[0], entry[1].institution_id),
        )

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """The catalogue of a CSV file; see `read_institutions`.

        Args:
            path: the file, the shipped one when left out.

        Raises:
            ConfigurationError: it cannot be read, or a line is wrong; says which.

        """
        return cls(read_institutions(path or SHIPPED_FILE))

    def get(self, institution_id: str) -> Institution | None:
        """The institution of our id."""
        return self._by_id.get(institution_id)

    def provider_id(self, institution_id: str, provider: str) -> str | None:
        """What a provider calls our institution, None where it does not cover it."""
        institution = self._by_id.get(institution_id)
        return None if institution is None else institution.provider_ids.get(provider)

    def institution_of(self, provider: str, provider_id: str) -> Institution | None:
        """The institution that a provider means by its id."""
        return self._by_provider_id.get((provider, provider_id))

    def search(self, region: str | None, text: str) -> tuple[Institution, ...]:
        """Institutions of a region whose name holds the text, whatever its case and accents.

        First those whose name begins with it, then those with a word that does, then the rest;
        within these by name. The same question always gets the same order.
        """
        wanted = _folded(text)
        found: tuple[list[Institution], ...] = ([], [], [])
        for name, institution in self._by_name:
            if region is not None and institution.region != region:
                continue
            at = name.find(wanted)
            if at < 0:
                continue
            begins_word = f" {wanted}" in name
            found[0 if at == 0 else 1 if begins_word else 2].append(institution)
        return tuple(one for rank in found for one in rank)

    def __iter__(self) -> Iterator[Institution]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)
