"""The sandbox's own table of banks."""

import csv
from importlib.resources import files

from sandbox.banks import BANKS, bank_at

PROVIDERS = ("plaid", "mx", "finicity", "belvo", "bitso")


def test_banks_agree_with_the_catalogue() -> None:
    """Every institution of the product's catalogue has the same name, region and vendor ids here."""
    text = files("orchestrator.catalogue").joinpath("institutions.csv").read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    theirs = {
        row["institution_id"]: (row["name"], row["region"], *(row[p] or None for p in PROVIDERS))
        for row in rows
    }
    ours = {
        key: (bank.name, bank.region, *(bank.id_at(p) for p in PROVIDERS))
        for key, bank in BANKS.items()
        if not bank.test_only
    }

    assert theirs == ours


def test_vendor_ids_lead_back_to_their_bank() -> None:
    """A vendor's id finds its bank at that vendor and at no other."""
    for bank in BANKS.values():
        for provider in PROVIDERS:
            vendor_id = bank.id_at(provider)
            if vendor_id is not None:
                assert bank is bank_at(provider, vendor_id)

    assert bank_at("mx", "ins_56") is None
    assert bank_at("plaid", None) is None
    assert BANKS["ins_bitso"].id_at("another") is None
