"""Our institution ids, and what each provider calls the same institution."""

import csv
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from orchestrator.domain import ConfigurationError

__all__ = ["Catalogue", "Institution"]

_SHIPPED: Final = Path(__file__).parent / "institutions.csv"
_OWN_COLUMNS: Final = ("institution_id", "name", "region")


@dataclass(frozen=True, slots=True)
class Institution:
    """An institution in one region. `provider_ids` holds only the providers that cover it."""

    institution_id: str
    name: str
    region: str
    provider_ids: Mapping[str, str]


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text)
    return "".join(c for c in plain if not unicodedata.combining(c)).casefold()


class Catalogue:
    """All institutions; immutable.

    Raises:
        ConfigurationError: an id is there twice, or two institutions share a provider's id.

    """

    def __init__(self, institutions: Iterable[Institution]) -> None:
        self._by_id: dict[str, Institution] = {}
        self._by_provider_id: dict[tuple[str, str], Institution] = {}
        for institution in institutions:
            if institution.institution_id in self._by_id:
                raise ConfigurationError(
                    f"the institution catalogue names {institution.institution_id} twice"
                )
            self._by_id[institution.institution_id] = institution
            for key in institution.provider_ids.items():
                if key in self._by_provider_id:
                    raise ConfigurationError(
                        f"the institution catalogue gives {key[0]}'s id {key[1]} to two institutions"
                    )
                self._by_provider_id[key] = institution

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """The catalogue of a CSV file: `institution_id,name,region`, then a column a provider.

        Args:
            path: the file, the shipped one when left out.

        Raises:
            ConfigurationError: it cannot be read, or a row is wrong; says which.

        """
        source = path or _SHIPPED
        try:
            with source.open(encoding="utf-8", newline="") as file:
                return cls(_rows(source, csv.DictReader(file, strict=True)))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise ConfigurationError(f"the institution catalogue {source}: {error}") from None

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
        """Institutions of a region whose name holds the text, whatever its case and accents."""
        wanted = _folded(text.strip())
        return tuple(
            institution
            for institution in self._by_id.values()
            if (region is None or institution.region == region)
            and wanted in _folded(institution.name)
        )

    def __len__(self) -> int:
        return len(self._by_id)


def _rows(source: Path, reader: "csv.DictReader[str]") -> Iterable[Institution]:
    missing = [name for name in _OWN_COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise ConfigurationError(f"the institution catalogue {source}: no column {missing[0]!r}")
    providers = [name for name in reader.fieldnames or () if name not in _OWN_COLUMNS]
    for row in reader:
        for name in _OWN_COLUMNS:
            if not (row[name] or "").strip():
                raise ConfigurationError(
                    f"the institution catalogue {source}, line {reader.line_num}: {name} is empty"
                )
        yield Institution(
            institution_id=row["institution_id"].strip(),
            name=row["name"].strip(),
            region=row["region"].strip(),
            provider_ids={p: row[p].strip() for p in providers if (row[p] or "").strip()},
        )
