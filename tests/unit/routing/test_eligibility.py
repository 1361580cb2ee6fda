"""Why a provider is not asked."""

from dataclasses import replace

import pytest
from routing_builders import PLAID, limited, opened

from orchestrator.domain import IneligibilityReason
from orchestrator.routing import Block, CandidateFacts, ineligibility

WELL = CandidateFacts(
    candidate=PLAID,
    configured=True,
    in_region=True,
    covers_institution=True,
    linked=True,
    needs_user=False,
    block=None,
)


def test_a_provider_with_nothing_against_it_is_eligible() -> None:
    """Nothing speaks against it."""
    assert ineligibility(WELL) is None


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (replace(WELL, in_region=False), "region"),
        (replace(WELL, configured=False), "not_configured"),
        (replace(WELL, covers_institution=False), "institution"),
        (replace(WELL, linked=False), "not_linked"),
        (replace(WELL, needs_user=True), "needs_user"),
        (replace(WELL, block=opened()), "circuit_open"),
        (replace(WELL, block=Block(IneligibilityReason.FORCED_OPEN, None)), "forced_open"),
        (replace(WELL, block=limited(1.0)), "rate_limited"),
    ],
)
def test_each_reason_of_the_contract_is_told(facts: CandidateFacts, expected: str) -> None:
    """What speaks against a provider is told by the contract's word."""
    assert expected == ineligibility(facts)


def test_lasting_reasons_are_told_before_passing_ones() -> None:
    """With everything against it, what would take longest to mend comes first."""
    facts = replace(
        WELL,
        in_region=False,
        configured=False,
        covers_institution=False,
        linked=False,
        needs_user=True,
        block=opened(),
    )
    mended = [
        facts,
        replace(facts, in_region=True),
        replace(facts, in_region=True, configured=True),
        replace(facts, in_region=True, configured=True, covers_institution=True),
        replace(WELL, needs_user=True, block=opened()),
        replace(WELL, block=opened()),
    ]

    expected = "region not_configured institution not_linked needs_user circuit_open"
    assert expected.split() == [ineligibility(one) for one in mended]
