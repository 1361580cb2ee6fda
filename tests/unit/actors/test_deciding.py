"""Ordering one request's candidates."""

import pytest

from actors.deciding import Decided, decide
from models import SelectionPolicy
from models.promotion import TrialPolicy
from orchestrator.domain import IneligibilityReason, Operation, OperationRequest
from orchestrator.routing import Block, Candidate, CandidateFacts
from tests.support.orders import params_of


def _facts(name: str, *, block: Block | None = None, linked: bool = True) -> CandidateFacts:
    return CandidateFacts(
        Candidate(name, f"conn_{name}", "ins_chase"),
        configured=True,
        in_region=True,
        covers_institution=True,
        linked=linked,
        needs_user=False,
        block=block,
    )


def _decide(*facts: CandidateFacts, preferred: str | None = None) -> Decided:
    request = OperationRequest(
        "req_1", Operation.SYNC_TRANSACTIONS, params_of(), "US", preferred_provider=preferred
    )
    policy = TrialPolicy(SelectionPolicy(policy="priority", seed=0))
    return decide(facts, policy, request, "US", "ins_chase", at_unix_s=1000.0)


def _order(decided: Decided) -> list[str]:
    return [candidate.provider for candidate in decided.order]


OPEN = Block(IneligibilityReason.CIRCUIT_OPEN, 30.0, by_failures=True)


def test_policy_orders_the_eligible() -> None:
    """Order eligible candidates by policy, with propensities that sum to one."""
    decided = _decide(_facts("plaid"), _facts("mx"))

    assert ["plaid", "mx"] == _order(decided)
    assert 1.0 == sum(seen.propensity for seen in decided.summary.candidates)
    assert ("plaid", "mx") == decided.providers == decided.eligible


def test_preferred_provider_leads_with_certainty() -> None:
    """Put the preferred provider first, with propensity one and the others at zero."""
    decided = _decide(_facts("plaid"), _facts("mx"), preferred="mx")

    assert ["mx", "plaid"] == _order(decided)
    assert [0.0, 1.0] == [seen.propensity for seen in decided.summary.candidates]


@pytest.mark.parametrize("preferred", ["mx", "finicity"])
def test_preferred_provider_that_is_not_eligible_changes_nothing(preferred: str) -> None:
    """Go by the policy where the preferred provider is blocked or no candidate at all."""
    decided = _decide(_facts("plaid"), _facts("mx", block=OPEN), preferred=preferred)

    assert ["plaid"] == _order(decided)
    assert 1.0 == decided.of("plaid").propensity


def test_blocked_candidates_are_kept_for_the_plan() -> None:
    """Hand the plan what is blocked for the moment, and not what never could serve."""
    decided = _decide(_facts("plaid", block=OPEN), _facts("mx", block=OPEN, linked=False))

    assert [] == _order(decided)
    assert ["plaid"] == [candidate.provider for candidate, _ in decided.blocked]
    assert ["circuit_open", "not_linked"] == [seen.reason for seen in decided.summary.candidates]


def test_nobody_eligible_still_names_the_policy() -> None:
    """Name the policy and every candidate where none is eligible."""
    decided = _decide(_facts("plaid", linked=False))

    assert "priority" == decided.summary.policy
    assert (None, 0.0, False) == (
        decided.of("plaid").score,
        decided.of("plaid").propensity,
        decided.of("plaid").eligible,
    )


def test_refusal_of_a_guard_corrects_the_summary() -> None:
    """Note a candidate that its own guard refused, and leave the others as they were."""
    decided = _decide(_facts("plaid"), _facts("mx"))
    decided.correct("plaid", IneligibilityReason.RATE_LIMITED)

    assert ("mx",) == decided.eligible
    assert "rate_limited" == decided.of("plaid").reason
    assert decided.of("mx").reason is None
