"""The sandbox's own table of banks."""

from collections import Counter
from importlib.resources import files

from sandbox.banks import BANKS, bank_at, banks_of
from sandbox.server import VENDORS


def test_banks_agree_with_the_catalogue() -> None:
    """The sandbox's copy of the shipped catalogue is the catalogue, to the byte."""
    theirs = files("orchestrator.catalogue").joinpath("institutions.csv").read_bytes()

    assert theirs == files("sandbox").joinpath("banks.csv").read_bytes()


def test_vendor_ids_lead_back_to_their_bank() -> None:
    """A vendor's id finds its bank at that vendor and at no other."""
    for bank in BANKS.values():
        for vendor, vendor_id in bank.ids.items():
            assert bank is bank_at(vendor, vendor_id)
            assert bank.id_at(vendor) == vendor_id

    assert bank_at("mx", "ins_56") is None
    assert bank_at("plaid", None) is None
    assert BANKS["ins_bitso"].id_at("another") is None


def test_no_id_stands_for_two_banks() -> None:
    """Ids are unique: ours, and each vendor's."""
    ids = Counter(pair for bank in BANKS.values() for pair in bank.ids.items())

    assert [] == [pair for pair, count in ids.items() if count > 1]


def test_every_vendor_has_banks_to_serve() -> None:
    """Each vendor of the sandbox serves banks of the catalogue, all of them known by its ids."""
    for vendor in VENDORS:
        assert [bank for bank in banks_of(vendor.name) if not bank.test_only]


def test_the_vendors_own_test_banks_are_there() -> None:
    """A vendor's documented test institution is served by that vendor alone."""
    told = {bank.name: dict(bank.ids) for bank in BANKS.values() if bank.test_only}

    assert {
        "First Platypus Bank": {"plaid": "ins_109508"},
        "MX Bank": {"mx": "mxbank"},
        "FinBank": {"finicity": "101732"},
        "Erebor Mexico": {"belvo": "erebor_mx_retail"},
    } == told
