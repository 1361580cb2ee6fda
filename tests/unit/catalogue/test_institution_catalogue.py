"""The institution catalogue: lookups both ways, search, and files that are wrong."""

from pathlib import Path

import pytest

from orchestrator.catalogue import Catalogue
from orchestrator.domain import ConfigurationError


@pytest.fixture(scope="module")
def shipped() -> Catalogue:
    """The catalogue that ships."""
    return Catalogue.load()


def written(tmp_path: Path, text: str) -> Path:
    """A catalogue file with this text."""
    path = tmp_path / "institutions.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("institution_id", "region", "providers"),
    [
        *(
            (f"ins_{name}", "US", {"plaid", "mx", "finicity"})
            for name in ("chase", "bank_of_america", "wells_fargo", "citi", "capital_one")
        ),
        *((f"ins_{name}_mx", "MX", {"belvo", "mx"}) for name in ("bbva", "santander", "banorte")),
        ("ins_bitso", "MX", {"bitso"}),
    ],
)
def test_the_contracts_institutions_ship(
    shipped: Catalogue, institution_id: str, region: str, providers: set[str]
) -> None:
    """Each institution of the contract is there with its region and its providers."""
    institution = shipped.get(institution_id)

    assert institution is not None
    assert institution.region == region
    assert set(institution.provider_ids) == providers


def test_a_providers_id_leads_back_to_ours(shipped: Catalogue) -> None:
    """For every provider that covers an institution, its id finds that institution again."""
    for institution in shipped.search(None, ""):
        for provider, provider_id in institution.provider_ids.items():
            assert shipped.institution_of(provider, provider_id) is institution
            assert shipped.provider_id(institution.institution_id, provider) == provider_id


def test_what_is_not_there_is_none(shipped: Catalogue) -> None:
    """Unknown institutions and providers that do not cover one give None."""
    assert shipped.get("ins_nowhere") is None
    assert shipped.provider_id("ins_nowhere", "plaid") is None
    assert shipped.provider_id("ins_bitso", "plaid") is None
    assert shipped.institution_of("plaid", "ins_0") is None


@pytest.mark.parametrize("text", ["mexico", "MÉXICO", "méx", "Bbva Mex"])
def test_search_passes_over_case_and_accents(shipped: Catalogue, text: str) -> None:
    """A name is found whatever the case and accents of the question."""
    assert "ins_bbva_mx" in [found.institution_id for found in shipped.search("MX", text)]


def test_search_keeps_to_its_region(shipped: Catalogue) -> None:
    """Institutions of another region are not found; without a region all are."""
    assert shipped.search("US", "mexico") == ()
    assert {found.region for found in shipped.search("US", "")} == {"US"}
    assert len(shipped.search(None, "")) == len(shipped)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("institution_id,name\nins_a,A\n", "no column 'region'"),
        ("institution_id,name,region,plaid\nins_a,A,US,1\n,B,US,2\n", "line 3: institution_id"),
        ("institution_id,name,region,plaid\nins_a,A,,1\n", "line 2: region"),
        ("institution_id,name,region,plaid\nins_a,A,US,1\nins_a,B,US,2\n", "ins_a twice"),
        ("institution_id,name,region,plaid\nins_a,A,US,1\nins_b,B,US,1\n", "plaid's id 1 to two"),
        ("", "no column"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(tmp_path: Path, text: str, told: str) -> None:
    """A wrong file raises ConfigurationError that says what is wrong."""
    with pytest.raises(ConfigurationError, match=told):
        Catalogue.load(written(tmp_path, text))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """A missing file, and one that is not UTF-8, raise ConfigurationError."""
    with pytest.raises(ConfigurationError):
        Catalogue.load(tmp_path / "nowhere.csv")
    path = tmp_path / "latin.csv"
    path.write_bytes(b"institution_id,name,region\nins_a,M\xe9xico,MX\n")
    with pytest.raises(ConfigurationError):
        Catalogue.load(path)
