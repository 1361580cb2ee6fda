"""Any sequence of calls, whatever its names and times, leaves every policy within its promises."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import POLICIES, AttemptOutcome, SelectionContext, SelectionPolicy
from models.context import OUTCOMES, SCOPES
from models.health import LiveHealth

names = st.sampled_from(["plaid", "mx", "finicity", "belvo", "bitso"])
operations = st.sampled_from(["createLink", "exchangeToken", "getAccounts"])
institutions = st.sampled_from([None, "ins_chase", "ins_citi"])
times = st.floats(min_value=-1e12, max_value=1e12)

outcomes = st.builds(
    AttemptOutcome,
    provider=names,
    operation=operations,
    region=st.just("US"),
    institution_id=institutions,
    at=times,
    latency_s=st.floats(),
    outcome=st.sampled_from(sorted(OUTCOMES)),
    attempt_number=st.integers(1, 5),
    scope=st.sampled_from([None, *sorted(SCOPES)]),
)
contexts = st.builds(
    SelectionContext,
    operation=operations,
    region=st.just("US"),
    institution_id=institutions,
    candidates=st.lists(names, min_size=1, unique=True).map(tuple),
    at=times,
)
calls = st.lists(st.one_of(outcomes, contexts), max_size=40)


@pytest.mark.parametrize("name", sorted(POLICIES))
@settings(max_examples=60, deadline=None)
@given(calls=calls, ratio=st.floats(0.0, 1.0), seed=st.integers(0, 2**32))
def test_decisions_are_sound_after_any_calls(
    name: str, calls: list[AttemptOutcome | SelectionContext], ratio: float, seed: int
) -> None:
    """Order, propensities and scores are sound, and exchanges never explore."""
    policy = SelectionPolicy(policy=name, seed=seed, exploration_ratio=ratio)
    for call in calls:
        if isinstance(call, AttemptOutcome):
            policy.observe(call)
            continue
        decision = policy.decide(call)

        assert sorted(call.candidates) == sorted(decision.order)
        assert math.isclose(1.0, sum(decision.propensities.values()), abs_tol=1e-9)
        assert min(decision.propensities.values()) >= 0.0
        assert decision.propensities[decision.order[0]] > 0.0
        assert all(0.0 < score < 1.0 for score in decision.scores.values())
        if call.operation == "exchangeToken":
            assert not decision.explored
            assert decision.propensities[decision.order[0]] == 1.0


@settings(max_examples=60, deadline=None)
@given(told=st.lists(outcomes, max_size=40), wait_s=st.floats(172_800.0, 1e7))
def test_everything_is_forgotten_in_time(told: list[AttemptOutcome], wait_s: float) -> None:
    """Two days without news restore full trust in everybody."""
    policy = SelectionPolicy(exploration_ratio=0.0)
    for each in told:
        policy.observe(each)
    latest = max((each.at for each in told), default=0.0)
    context = SelectionContext(
        operation="getAccounts",
        region="US",
        institution_id="ins_chase",
        candidates=("plaid", "mx", "finicity"),
        at=latest,
    )
    policy.decide(context)
    later = SelectionContext(
        operation="getAccounts",
        region="US",
        institution_id="ins_chase",
        candidates=("plaid", "mx", "finicity"),
        at=latest + wait_s,
    )

    scores = policy.decide(later).scores
    assert scores == pytest.approx({"plaid": 0.97, "mx": 0.96, "finicity": 0.95}, abs=0.004)


def test_a_full_memory_forgets_the_faintest() -> None:
    """Institutions without end do not make the state grow without end."""
    from models.blame import Verdict

    health = LiveHealth()
    for number in range(60_000):
        health.learn(
            Verdict.WORKED,
            provider="plaid",
            operation="getAccounts",
            institution_id=f"ins_{number}",
            ratio=0.97,
            weight=1.0,
            t_s=number * 0.01,
        )

    assert len(health) <= 20_000
