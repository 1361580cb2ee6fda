"""The institution catalogue: what ships, lookups both ways, search."""

from collections import Counter

import pytest

from orchestrator.catalogue import Catalogue, Institution
from orchestrator.domain import Provider
from orchestrator.domain.params import CreateLinkParams
from orchestrator.provider_registry import REGISTRY


@pytest.fixture(scope="module")
def shipped() -> Catalogue:
    """The catalogue that ships."""
    return Catalogue.load()


def catalogue_of(*names: str) -> Catalogue:
    """Institutions of these names, all in one region and at one provider."""
    return Catalogue(
        Institution(f"ins_{n}", name, "US", {"plaid": f"p{n}"}) for n, name in enumerate(names)
    )


def found(catalogue: Catalogue, text: str, region: str | None = None) -> list[str]:
    """The names that a search tells, in its order."""
    return [one.name for one in catalogue.search(region, text)]


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
    assert set(institution.provider_ids) & set(Provider) == providers


def test_enough_institutions_ship_to_be_of_use(shipped: Catalogue) -> None:
    """The sample holds more than 40 American and 20 Mexican institutions."""
    regions = Counter(one.region for one in shipped)

    assert {"US", "MX"} == set(regions)
    assert regions["US"] >= 45
    assert regions["MX"] >= 23


def test_not_every_provider_covers_every_institution(shipped: Catalogue) -> None:
    """The sample has banks that only one provider of their region covers, and every pair of two."""
    covered = {(one.region, *sorted(set(one.provider_ids) & set(Provider))) for one in shipped}

    assert {
        ("US", "plaid"),
        ("US", "mx"),
        ("US", "finicity"),
        ("US", "mx", "plaid"),
        ("US", "finicity", "plaid"),
        ("US", "finicity", "mx"),
        ("US", "finicity", "mx", "plaid"),
        ("MX", "belvo"),
        ("MX", "mx"),
        ("MX", "belvo", "mx"),
        ("MX", "bitso"),
    } == covered


def test_every_provider_of_the_registry_covers_something(shipped: Catalogue) -> None:
    """Each registered provider has an institution to be tried with."""
    assert set(REGISTRY) == {provider for one in shipped for provider in one.provider_ids}


def test_every_shipped_id_can_be_asked_for(shipped: Catalogue) -> None:
    """What the catalogue lists is what createLink takes."""
    for one in shipped:
        params = CreateLinkParams.model_validate(
            {"spaceId": "space_1", "institutionId": one.institution_id}
        )

        assert one.institution_id == params.institution_id


def test_a_providers_id_leads_back_to_ours(shipped: Catalogue) -> None:
    """For every provider that covers an institution, its id finds that institution again."""
    for institution in shipped:
        for provider, provider_id in institution.provider_ids.items():
            assert shipped.institution_of(provider, provider_id) is institution
            assert shipped.provider_id(institution.institution_id, provider) == provider_id


def test_what_is_not_there_is_none(shipped: Catalogue) -> None:
    """Unknown institutions and providers that do not cover one give None."""
    assert shipped.get("ins_nowhere") is None
    assert shipped.provider_id("ins_nowhere", "plaid") is None
    assert shipped.provider_id("ins_bitso", "plaid") is None
    assert shipped.institution_of("plaid", "ins_0") is None


@pytest.mark.parametrize("text", ["mexico", "MÉXICO", "méx", "Bbva Mex", "  bbva   mex "])
def test_search_passes_over_case_accents_and_spaces(shipped: Catalogue, text: str) -> None:
    """A name is found whatever the case, accents and spaces of the question."""
    assert "BBVA México" in found(shipped, text, "MX")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("us bank", "U.S. Bank"),
        ("u.s. bank", "U.S. Bank"),
        ("employees credit", "State Employees' Credit Union (NC)"),
        ("state employees\u2019", "State Employees' Credit Union (NC)"),
        ("m&t", "M&T Bank"),
    ],
)
def test_search_passes_over_dots_and_apostrophes(shipped: Catalogue, text: str, name: str) -> None:
    """Marks that people leave out may be left out, or be there."""
    assert name in found(shipped, text)


def test_search_keeps_to_its_region(shipped: Catalogue) -> None:
    """Institutions of another region are not found; without a region all are."""
    assert shipped.search("US", "mexico") == ()
    assert {one.region for one in shipped.search("US", "")} == {"US"}
    assert len(shipped.search(None, "")) == len(shipped)
    assert shipped.search("BR", "") == ()


def test_search_tells_the_likeliest_first() -> None:
    """First names that begin so, then names with a word that does, then the rest; each by name."""
    catalogue = catalogue_of(
        "Riverbank", "First Bank", "Bankia", "Embanks", "Ártico Bank", "Bank A"
    )

    assert ["Bank A", "Bankia", "Ártico Bank", "First Bank", "Embanks", "Riverbank"] == found(
        catalogue, "bank"
    )


def test_search_for_nothing_tells_all_by_name() -> None:
    """An empty question is answered with everything, accents sorted as their letters."""
    assert ["Abel", "Élan", "Fonda", "Zeta"] == found(
        catalogue_of("Zeta", "Fonda", "Élan", "Abel"), ""
    )


def test_two_banks_of_one_name_keep_their_order() -> None:
    """The same question gets the same order, whatever order the file had."""
    one = Institution("ins_a", "Unity", "US", {"plaid": "1"})
    other = Institution("ins_b", "Unity", "MX", {"mx": "1"})

    assert Catalogue([one, other]).search(None, "unity") == (one, other)
    assert Catalogue([other, one]).search(None, "unity") == (one, other)
