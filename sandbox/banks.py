"""The banks of the sandbox's world and the name of each at every vendor.

The sandbox stands alone, so it keeps its own table; a test holds that it agrees with the product's
catalogue. Rows with `test_only` are the vendors' own test institutions.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

__all__ = ["BANKS", "Bank", "bank_at"]


@dataclass(frozen=True, slots=True)
class Bank:
    """One bank. Vendor fields are None where that vendor does not serve it."""

    key: str
    name: str
    region: str
    plaid: str | None = None
    mx: str | None = None
    finicity: str | None = None
    belvo: str | None = None
    bitso: str | None = None
    test_only: bool = False

    @property
    def currency(self) -> str:
        """ISO 4217 code of its accounts."""
        return "MXN" if self.region == "MX" else "USD"

    def id_at(self, provider: str) -> str | None:
        """This bank's own id at `provider`, or None where it is not served there."""
        ids = {
            "plaid": self.plaid,
            "mx": self.mx,
            "finicity": self.finicity,
            "belvo": self.belvo,
            "bitso": self.bitso,
        }
        return ids.get(provider)


_ROWS: Final = (
    Bank("ins_chase", "Chase", "US", "ins_56", "chase", "5"),
    Bank("ins_bank_of_america", "Bank of America", "US", "ins_127989", "bank_of_america", "14007"),
    Bank("ins_wells_fargo", "Wells Fargo", "US", "ins_127991", "wells_fargo", "5371"),
    Bank("ins_citi", "Citibank", "US", "ins_5", "citibank", "11"),
    Bank("ins_capital_one", "Capital One", "US", "ins_128026", "capital_one", "170778"),
    Bank("ins_bbva_mx", "BBVA México", "MX", mx="bbva_mexico", belvo="bbva_mx_retail"),
    Bank(
        "ins_santander_mx",
        "Santander México",
        "MX",
        mx="santander_mexico",
        belvo="santander_mx_retail",
    ),
    Bank("ins_banorte_mx", "Banorte", "MX", mx="banorte", belvo="banorte_mx_retail"),
    Bank("ins_bitso", "Bitso", "MX", bitso="bitso"),
    Bank("test_platypus", "First Platypus Bank", "US", plaid="ins_109508", test_only=True),
    Bank("test_mxbank", "MX Bank", "US", mx="mxbank", test_only=True),
    Bank("test_finbank", "FinBank", "US", finicity="101732", test_only=True),
    Bank("test_erebor", "Erebor Mexico", "MX", belvo="erebor_mx_retail", test_only=True),
)

BANKS: Final = MappingProxyType({bank.key: bank for bank in _ROWS})
"""Every bank by our own institution id, in the catalogue's order."""

_BY_VENDOR_ID: Final = MappingProxyType(
    {
        (provider, vendor_id): bank
        for bank in _ROWS
        for provider in ("plaid", "mx", "finicity", "belvo", "bitso")
        if (vendor_id := bank.id_at(provider)) is not None
    }
)


def bank_at(provider: str, vendor_id: object) -> Bank | None:
    """The bank that `provider` calls `vendor_id`, or None."""
    return _BY_VENDOR_ID.get((provider, vendor_id)) if isinstance(vendor_id, str) else None
