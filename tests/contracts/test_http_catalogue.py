"""Institutions over HTTP: how they are listed, and that links go only where they are covered."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from orchestrator.catalogue import Catalogue
from tests.support.system import Answer, System, by_provider, running_system

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONFIG = '[selection]\npolicy = "priority"\n'
OWN_FILE = """\
institution_id,name,region,plaid,mx
bank:1,My Own Chase,US,ins_56,
bank:2,Only There,US,,wells_fargo
"""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """One system for the whole module, with the shipped catalogue."""
    async with running_system(tmp_path_factory.mktemp("catalogue"), config=CONFIG) as running:
        yield running


def ids(answer: Answer) -> list[str]:
    """The institutions of an answer, in its order."""
    assert 200 == answer.status, answer.body
    return [row["institutionId"] for row in answer.body["institutions"]]


def reasons(answer: Answer) -> dict[str, Any]:
    """What spoke against each candidate."""
    return {
        name: row["reason"]
        for name, row in by_provider(answer.body["decision"]["candidates"]).items()
    }


async def test_institutions_are_told_with_their_region_and_providers(system: System) -> None:
    """Tell of each institution our id, its name, its region, and who covers it in our order."""
    answer = await system.get("/v1/institutions?region=MX&q=bbva")

    assert {
        "institutions": [
            {
                "institutionId": "ins_bbva_mx",
                "name": "BBVA México",
                "region": "MX",
                "providers": ["mx", "belvo"],
            }
        ],
        "nextOffset": None,
    } == answer.body


@pytest.mark.parametrize("query", ["", "?region=", "?region=&q="])
async def test_all_institutions_are_told_unless_asked_otherwise(system: System, query: str) -> None:
    """Tell the whole sample, by name, where nothing or an empty text is asked."""
    told = ids(await system.get(f"/v1/institutions{query}"))

    assert [one.institution_id for one in Catalogue.load().search(None, "")] == told


async def test_names_that_begin_so_come_first(system: System) -> None:
    """Find by part of a name, whatever its case and accents, the likeliest first."""
    assert ["ins_santander_us", "ins_santander_mx"] == ids(
        await system.get("/v1/institutions?q=SANTÁNDER")
    )
    assert ["ins_hsbc_mx"] == ids(await system.get("/v1/institutions?q=hsbc&region=MX"))
    assert [] == ids(await system.get("/v1/institutions?q=no+such+bank"))
    assert [] == ids(await system.get("/v1/institutions?region=BR"))


async def test_a_listing_can_be_walked_in_parts(system: System) -> None:
    """Going on at `nextOffset` tells every institution once, in the order of the whole."""
    whole = ids(await system.get("/v1/institutions?q=bank"))
    told: list[str] = []
    offset: int | None = 0
    while offset is not None:
        answer = await system.get(f"/v1/institutions?q=bank&limit=7&offset={offset}")
        assert len(ids(answer)) <= 7
        told += ids(answer)
        offset = answer.body["nextOffset"]

    assert len(whole) > 14
    assert whole == told
    assert [] == ids(await system.get("/v1/institutions?offset=5000"))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("region=us", "region"),
        ("region=USA", "region"),
        ("region=U", "region"),
        ("region=%C3%9CS", "region"),
        ("region=US%0A", "region"),
        (f"q={'a' * 201}", "q"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=many", "limit"),
        ("offset=-1", "offset"),
        ("offset=1e9", "offset"),
    ],
)
async def test_a_malformed_question_is_refused(system: System, query: str, field: str) -> None:
    """Answer 422, naming what is wrong with the question."""
    answer = await system.get(f"/v1/institutions?{query}")

    assert (422, "validation", "INVALID_FIELD") == (
        answer.status,
        answer.error["type"],
        answer.error["code"],
    )
    assert answer.error["message"].startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("institution", "region", "provider", "against"),
    [
        ("ins_venmo", "US", "plaid", {"mx": "institution"}),
        ("ins_zions", "US", "mx", {"plaid": "institution"}),
        ("ins_chime", "US", "plaid", {"mx": None}),
        ("ins_nu_mx", "MX", "belvo", {"mx": "institution"}),
        ("ins_mifel_mx", "MX", "mx", {"belvo": "institution"}),
        ("ins_hsbc_mx", "MX", "belvo", {"mx": None}),
    ],
)
async def test_a_link_goes_only_where_the_institution_is_covered(
    system: System, institution: str, region: str, provider: str, against: dict[str, str | None]
) -> None:
    """Take the first provider that covers it, and say of the others that they do not."""
    answer = await system.call(
        "createLink", {"spaceId": "covered", "institutionId": institution}, region=region
    )
    told = reasons(answer)

    assert provider == answer.data["provider"]
    assert [provider] == [attempt["provider"] for attempt in answer.body["attempts"]]
    assert told[provider] is None
    assert against == {name: told[name] for name in against}


@pytest.mark.parametrize(
    ("institution", "region", "preferred", "provider"),
    [
        ("ins_venmo", "US", "mx", "plaid"),
        ("ins_zions", "US", "plaid", "mx"),
        ("ins_mifel_mx", "MX", "belvo", "mx"),
        ("ins_nu_mx", "MX", "mx", "belvo"),
    ],
)
async def test_a_preferred_provider_that_does_not_cover_it_is_not_asked(
    system: System, institution: str, region: str, preferred: str, provider: str
) -> None:
    """Go where the institution is covered, without a call to the preferred one, and say why."""
    seen = await system.calls(preferred, "createLink")
    answer = await system.call(
        "createLink",
        {"spaceId": "preferring", "institutionId": institution},
        region=region,
        preferredProvider=preferred,
    )

    assert provider == answer.data["provider"]
    assert "institution" == reasons(answer)[preferred]
    assert seen == await system.calls(preferred, "createLink")


async def test_a_link_does_not_fail_over_to_who_does_not_cover_it(system: System) -> None:
    """Fail, where the only provider that covers the institution is down."""
    seen = await system.calls("mx", "createLink")
    await system.sandbox.put_faults({"provider": "plaid", "kind": "down", "forS": 3600})
    answer = await system.call("createLink", {"spaceId": "alone", "institutionId": "ins_venmo"})
    await system.sandbox.clear_faults()

    assert (503, "provider_down") == (answer.status, answer.error["type"])
    assert {"plaid"} == {attempt["provider"] for attempt in answer.body["attempts"]}
    assert seen == await system.calls("mx", "createLink")


@pytest.mark.parametrize(
    ("institution", "region", "code"),
    [
        ("ins_nowhere", "US", "UNKNOWN_INSTITUTION"),
        ("INS_CHASE", "US", "UNKNOWN_INSTITUTION"),
        ("ins_56", "US", "UNKNOWN_INSTITUTION"),
        ("ins_bbva_mx", "US", "NO_CANDIDATE"),
        ("ins_chase", "MX", "NO_CANDIDATE"),
        ("ins_bitso", "US", "NO_CANDIDATE"),
    ],
)
async def test_institution_that_nobody_covers_is_refused(
    system: System, institution: str, region: str, code: str
) -> None:
    """Tell an institution that is not in the catalogue from one that nobody covers there."""
    answer = await system.call(
        "createLink", {"spaceId": "s", "institutionId": institution}, region=region
    )

    assert (422, "validation", code) == (
        answer.status,
        answer.error["type"],
        answer.error["code"],
    )


async def test_a_link_leads_to_the_institution_that_was_asked_for(system: System) -> None:
    """Linked through whichever provider, the connection is to our institution."""
    for institution, provider, region in (
        ("ins_zions", "mx", "US"),
        ("ins_truist", "plaid", "US"),
        ("ins_nu_mx", "belvo", "MX"),
        ("ins_monex_mx", "mx", "MX"),
    ):
        linked = await system.link("several", institution, provider, region)

        assert institution == linked.institution_id


async def test_a_catalogue_of_ones_own_holds_everywhere(tmp_path: Path) -> None:
    """Listing, candidates and the provider's own mapping all go by the configured file alone."""
    (tmp_path / "banks.csv").write_text(OWN_FILE, encoding="utf-8")
    config = f'{CONFIG}[catalogue]\nfile = "banks.csv"\n'
    async with running_system(tmp_path, config=config) as system:
        listed = await system.get("/v1/institutions")
        shipped = await system.call("createLink", {"spaceId": "own", "institutionId": "ins_chase"})
        only = await system.call("createLink", {"spaceId": "own", "institutionId": "bank:2"})
        made = await system.call("createLink", {"spaceId": "own", "institutionId": "bank:1"})
        exchanged = await system.exchange(
            {
                "spaceId": "own",
                "linkSessionId": made.data["linkSessionId"],
                "temporaryToken": await system.sandbox.complete(token=made.data["linkToken"]),
            }
        )

    assert ["bank:1", "bank:2"] == ids(listed)
    assert "UNKNOWN_INSTITUTION" == shipped.error["code"]
    assert "mx" == only.data["provider"]
    assert "bank:1" == exchanged.data["institutionId"]


async def test_only_callers_with_a_key_learn_what_is_wrong(tmp_path: Path) -> None:
    """Where keys are wanted, a malformed question without one is refused for the missing key."""
    async with running_system(tmp_path, environment={"ORCHESTRATOR_API_KEYS": "k"}) as system:
        without = await system.get("/v1/institutions?region=nowhere")
        with_key = await system.get(
            "/v1/institutions?region=nowhere", headers={"Authorization": "Bearer k"}
        )

    assert [401, 422] == [without.status, with_key.status]
