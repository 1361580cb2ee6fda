"""The banks of the sandbox's world and the id of each at every vendor.

The sandbox stands alone, so it keeps its own copy of the product's catalogue; a test holds that
both agree. Beside it stand the vendors' own test institutions.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

__all__ = ["BANKS", "Bank", "bank_at", "banks_of"]

_FOLDER: Final = Path(__file__).parent
_OWN_COLUMNS: Final = ("institution_id", "name", "region")


@dataclass(frozen=True, slots=True)
class Bank:
    """One bank. `ids` holds its id at each vendor that serves it.

    `test_only`: one that a vendor has made up for its customers' tests.
    """

    key: str
    name: str
    region: str
    ids: Mapping[str, str] = field(hash=False)
    test_only: bool = False

    @property
    def currency(self) -> str:
        """ISO 4217 code of its accounts."""
        return "MXN" if self.region == "MX" else "USD"

    def id_at(self, provider: str) -> str | None:
        """This bank's own id at `provider`, or None where it is not served there."""
        return self.ids.get(provider)


def _read(name: str, *, test_only: bool) -> Iterator[Bank]:
    with (_FOLDER / name).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            ids = {c: value for c, value in row.items() if c not in _OWN_COLUMNS and value}
            yield Bank(
                row["institution_id"], row["name"], row["region"], MappingProxyType(ids), test_only
            )


_ALL: Final = (
    *_read("banks.csv", test_only=False),
    *_read("vendors_own_banks.csv", test_only=True),
)

BANKS: Final = MappingProxyType({bank.key: bank for bank in _ALL})
"""Every bank by our own institution id, in the catalogue's order."""

_BY_VENDOR_ID: Final = MappingProxyType(
    {(vendor, vendor_id): bank for bank in _ALL for vendor, vendor_id in bank.ids.items()}
)


def bank_at(provider: str, vendor_id: object) -> Bank | None:
    """The bank that `provider` calls `vendor_id`, or None."""
    return _BY_VENDOR_ID.get((provider, vendor_id)) if isinstance(vendor_id, str) else None


def banks_of(provider: str) -> tuple[Bank, ...]:
    """Every bank that `provider` serves, in the catalogue's order."""
    return tuple(bank for bank in _ALL if provider in bank.ids)
