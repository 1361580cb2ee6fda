"""The adaptive policy: who is tried first, and why."""

import random
from dataclasses import replace

import pytest

from models import (
    AttemptOutcome,
    Decision,
    Preference,
    SelectionContext,
    SelectionModel,
    SelectionPolicy,
)
from models.adaptive import AdaptivePolicy

NOON = 1_790_000_000.0
US = ("plaid", "mx", "finicity")


def choice(
    policy: SelectionPolicy,
    at: float = NOON,
    *,
    operation: str = "getAccounts",
    institution: str | None = "ins_chase",
    lane: str = "interactive",
) -> Decision:
    """A decision among the three US providers."""
    return policy.decide(
        SelectionContext(
            operation=operation,
            region="US",
            institution_id=institution,
            candidates=US,
            at=at,
            lane=lane,
        )
    )


def ask(
    policy: SelectionPolicy,
    at: float = NOON,
    *,
    operation: str = "getAccounts",
    institution: str | None = "ins_chase",
) -> tuple[str, ...]:
    """The three by what is expected of them: the order without the draw of the first."""
    scores = choice(policy, at, operation=operation, institution=institution).scores
    return tuple(sorted(US, key=scores.__getitem__, reverse=True))


def tell(
    policy: SelectionPolicy,
    outcome: str,
    *,
    times: int = 1,
    at: float = NOON,
    provider: str = "plaid",
    operation: str = "getAccounts",
    institution: str | None = "ins_chase",
    scope: str | None = None,
    number: int = 1,
) -> None:
    """So many attempts, a second apart, that ended like this."""
    for second in range(times):
        policy.observe(
            AttemptOutcome(
                provider=provider,
                operation=operation,
                region="US",
                institution_id=institution,
                at=at + second,
                latency_s=0.2,
                outcome=outcome,
                attempt_number=number,
                scope=scope,
            )
        )


@pytest.fixture
def policy() -> SelectionPolicy:
    """Cold and not exploring."""
    return SelectionPolicy(exploration_ratio=0.0)


def test_cold_order_is_the_priority_order(policy: SelectionPolicy) -> None:
    """Where nothing is known, the priority order decides, gently falling."""
    context = SelectionContext(
        operation="getAccounts", region="US", institution_id=None, candidates=US, at=NOON
    )

    decision = policy.decide(context)

    assert decision.order == US
    assert decision.scores == pytest.approx({"plaid": 0.97, "mx": 0.96, "finicity": 0.95})


@pytest.mark.parametrize("outcome", ["provider_down", "network", "rate_limit"])
def test_lone_failure_is_doubted_and_three_are_believed(
    policy: SelectionPolicy, outcome: str
) -> None:
    """After one failure a provider keeps a part of its traffic, after three next to nothing."""
    tell(policy, outcome)
    once = choice(policy, NOON + 1).propensities["plaid"]

    tell(policy, outcome, times=2, at=NOON + 2)
    thrice = choice(policy, NOON + 4).propensities["plaid"]

    assert 0.03 < once < 0.9
    assert thrice < 0.08
    assert ask(policy, NOON + 4) == ("mx", "finicity", "plaid")


def test_lone_failure_is_soon_forgotten(policy: SelectionPolicy) -> None:
    """A failure between successes leaves no mark that five successes do not wipe out."""
    tell(policy, "provider_down")
    tell(policy, "success", times=5, at=NOON + 1)

    assert choice(policy, NOON + 6).propensities["plaid"] > 0.9


def test_a_busy_good_past_does_not_hide_a_fall(policy: SelectionPolicy) -> None:
    """After a thousand successes three failures in a row are still enough."""
    for step in range(1000):
        tell(policy, "success", at=NOON + step * 0.1)

    tell(policy, "provider_down", times=3, at=NOON + 101)

    assert ask(policy, NOON + 104)[0] == "mx"
    assert choice(policy, NOON + 104).propensities["plaid"] < 0.2


@pytest.mark.parametrize(
    ("outcome", "scope"),
    [
        ("auth", "connection"),
        ("auth", None),
        ("validation", "request"),
        ("validation", None),
        ("network", "request"),
    ],
)
def test_user_errors_move_nobody(policy: SelectionPolicy, outcome: str, scope: str | None) -> None:
    """A storm of wrong passwords or bad requests says nothing about a provider."""
    tell(policy, outcome, times=50, scope=scope)

    assert ask(policy, NOON + 50) == US


@pytest.mark.parametrize("scope", ["client", "provider"])
def test_auth_failures_that_are_not_the_users_count(policy: SelectionPolicy, scope: str) -> None:
    """Our own refused keys, or a provider that refuses everybody, move it down."""
    tell(policy, "auth", times=3, scope=scope)

    assert ask(policy, NOON + 3)[-1] == "plaid"


def test_institution_failures_stay_at_the_institution(policy: SelectionPolicy) -> None:
    """A bank that is down through a provider moves the provider for that bank alone."""
    tell(policy, "provider_down", times=10, scope="institution")

    assert ask(policy, NOON + 10)[-1] == "plaid"
    assert ask(policy, NOON + 10, institution="ins_citi") == US
    assert ask(policy, NOON + 10, institution=None) == US


def test_institution_failures_without_an_institution_are_the_providers(
    policy: SelectionPolicy,
) -> None:
    """Where nobody knows which bank it was, the provider answers for it."""
    tell(policy, "provider_down", times=3, scope="institution", institution=None)

    assert ask(policy, NOON + 3)[-1] == "plaid"


def test_one_broken_operation_leaves_the_others(policy: SelectionPolicy) -> None:
    """Where one operation fails and others work, soon only that one is moved."""
    for step in range(40):
        tell(policy, "provider_down", operation="syncTransactions", at=NOON + 2 * step)
        tell(policy, "success", operation="getAccounts", at=NOON + 2 * step + 1, institution=None)

    assert ask(policy, NOON + 80, operation="syncTransactions")[-1] == "plaid"
    assert ask(policy, NOON + 80, institution="ins_citi") == US


def test_later_attempts_count(policy: SelectionPolicy) -> None:
    """A backup that fails as the second attempt loses its place too."""
    tell(policy, "provider_down", times=3, provider="mx", number=2)

    assert ask(policy, NOON + 3) == ("plaid", "finicity", "mx")


@pytest.mark.parametrize("failures", [3, 5, 100])
def test_recovery_is_looked_for_more_as_time_passes(policy: SelectionPolicy, failures: int) -> None:
    """Whoever failed is asked now and then, the oftener the longer ago, and at last as before."""
    tell(policy, "provider_down", times=failures)
    end = NOON + failures
    chances = [
        choice(policy, end + 60.0 * minutes).propensities["plaid"] for minutes in (0, 1, 5, 120)
    ]

    assert chances == sorted(chances)
    assert chances[0] < 0.1
    assert 0.002 < chances[1] < 0.15
    assert chances[3] > 0.9


def test_recovery_is_found_sooner_by_successes(policy: SelectionPolicy) -> None:
    """Attempts that work again bring a provider back before time alone would."""
    tell(policy, "provider_down", times=12)
    tell(policy, "success", times=2, at=NOON + 12)
    doubted = choice(policy, NOON + 14).propensities["plaid"]
    tell(policy, "success", times=10, at=NOON + 14)

    assert 0.05 < doubted < 0.8
    assert ask(policy, NOON + 24)[0] == "plaid"


def test_lasting_weakness_at_one_bank_is_remembered(policy: SelectionPolicy) -> None:
    """A provider that fails every fourth time at a bank stays behind there for an hour's part."""
    for step in range(400):
        outcome = "success" if step % 4 else "network"
        tell(policy, outcome, at=NOON + 15.0 * step, scope=None if step % 4 else "institution")
        tell(policy, "success", at=NOON + 15.0 * step + 5.0, institution="ins_citi")
    end = NOON + 6000.0

    assert ask(policy, end + 3600.0)[0] == "mx"
    assert ask(policy, end + 3600.0, institution="ins_citi")[0] == "plaid"


def test_a_better_provider_rises_above_the_priority_order(policy: SelectionPolicy) -> None:
    """What is seen over an hour outweighs an order that was only a guess."""
    for step in range(300):
        tell(policy, "success" if step % 12 else "network", at=NOON + 10.0 * step)
        tell(policy, "success", at=NOON + 10.0 * step + 5.0, provider="mx")

    assert ask(policy, NOON + 3000.0)[0] == "mx"


def test_an_outage_passes_for_no_lasting_trait(policy: SelectionPolicy) -> None:
    """After an outage of a quarter of an hour and some successes, the old order is back."""
    tell(policy, "provider_down", times=900)
    tell(policy, "success", times=8, at=NOON + 900)

    assert choice(policy, NOON + 910.0).propensities["plaid"] > 0.8


def test_late_outcome_weighs_as_if_it_had_aged(policy: SelectionPolicy) -> None:
    """Failures an hour old, told now, change nothing."""
    tell(policy, "success", provider="mx", at=NOON)

    tell(policy, "provider_down", times=10, at=NOON - 3600.0)

    assert ask(policy, NOON) == US


def test_clock_set_back_does_not_stop_forgetting(policy: SelectionPolicy) -> None:
    """After the clock was set back a day, evidence goes on ageing."""
    tell(policy, "provider_down", times=5)
    assert ask(policy, NOON - 86_400.0)[-1] == "plaid"

    assert ask(policy, NOON - 86_400.0 + 7200.0) == US


MODEL = SelectionModel.of(
    trained_at=NOON,
    table={
        ("plaid", "getAccounts", "US", None): 0.90,
        ("mx", "getAccounts", "US", None): 0.98,
        ("mx", "getAccounts", "US", "ins_citi"): 0.70,
        ("plaid", "createLink", "US", None): 0.9600,
        ("mx", "createLink", "US", None): 0.9610,
    },
    card={},
)


def test_trained_prior_orders_and_backs_off() -> None:
    """The model's table decides, by the institution where it has a row; the unknown come last."""
    policy = SelectionPolicy(model=MODEL, exploration_ratio=0.0)

    assert ask(policy) == ("mx", "plaid", "finicity")
    assert ask(policy, institution="ins_citi") == ("plaid", "mx", "finicity")
    assert ask(policy, operation="syncTransactions") == US


def test_priority_order_outweighs_a_hair_of_difference() -> None:
    """A difference within noise does not overturn the order that the operator chose."""
    policy = SelectionPolicy(model=MODEL, exploration_ratio=0.0)

    assert ask(policy, operation="createLink", institution=None)[0] == "plaid"


def test_swap_keeps_live_health(policy: SelectionPolicy) -> None:
    """A new model is taken up at once and what was seen of late still counts."""
    tell(policy, "provider_down", times=5, provider="mx")

    policy.swap(MODEL)

    assert policy.model_version == MODEL.version
    assert ask(policy, NOON + 5)[0] == "plaid"
    policy.swap(None)
    assert ask(policy, NOON + 5) == ("plaid", "finicity", "mx")


def test_exploration_is_even_flagged_and_exact() -> None:
    """The share asked for is drawn evenly over all candidates and flagged as such."""
    policy = SelectionPolicy(seed=3, exploration_ratio=0.3)

    decisions = [choice(policy) for _ in range(20_000)]

    explored = [decision.order[0] for decision in decisions if decision.explored]
    assert len(explored) / 20_000 == pytest.approx(0.3, abs=0.015)
    for name in US:
        assert explored.count(name) / len(explored) == pytest.approx(1 / 3, abs=0.03)
        assert decisions[0].propensities[name] >= 0.1


def test_backfill_explores_more_than_people_do() -> None:
    """A request that nobody waits for is the cheaper one to learn from."""
    policy = SelectionPolicy(exploration_ratio=0.02)

    person, backfill = (
        choice(policy, lane=lane).propensities["plaid"] for lane in ("interactive", "backfill")
    )

    assert backfill < person


def test_even_draws_leave_out_who_is_believed_down() -> None:
    """The even share goes to the candidates that may work."""
    policy = SelectionPolicy(exploration_ratio=0.2)
    tell(policy, "provider_down", times=10)

    chances = choice(policy, NOON + 10).propensities

    assert chances["plaid"] < 0.01
    assert chances["finicity"] >= 0.1


def test_an_overdue_attempt_counts_before_it_has_failed(policy: SelectionPolicy) -> None:
    """Attempts that are not back by their usual time speak against a provider that is silent."""
    for step in range(50):
        tell(policy, "success", at=NOON + step)
    asked = SelectionContext(
        operation="getAccounts",
        region="US",
        institution_id="ins_chase",
        candidates=US,
        at=NOON + 50,
    )
    for _ in range(4):
        policy.dispatch(asked, "plaid", 1, NOON + 50)
    before = choice(policy, NOON + 50.1).propensities["plaid"]

    after = choice(policy, NOON + 53.0).propensities["plaid"]

    assert before > 0.9
    assert after < 0.1


def test_an_overdue_attempt_counts_once(policy: SelectionPolicy) -> None:
    """Its failure, told at last, is no second failure; its success is a success."""
    for step in range(50):
        tell(policy, "success", at=NOON + step)
    asked = SelectionContext(
        operation="getAccounts",
        region="US",
        institution_id="ins_chase",
        candidates=US,
        at=NOON + 50,
    )
    policy.dispatch(asked, "plaid", 1, NOON + 50)
    overdue = choice(policy, NOON + 58.0).scores["plaid"]

    tell(policy, "network", at=NOON + 58.0)

    assert choice(policy, NOON + 58.0).scores["plaid"] == overdue


def test_a_withdrawn_attempt_is_never_overdue(policy: SelectionPolicy) -> None:
    """What was not sent says nothing, however long ago it was to be."""
    for step in range(50):
        tell(policy, "success", at=NOON + step)
    asked = SelectionContext(
        operation="getAccounts",
        region="US",
        institution_id="ins_chase",
        candidates=US,
        at=NOON + 50,
    )
    for _ in range(4):
        policy.dispatch(asked, "plaid", 1, NOON + 50)
        policy.withdraw(asked, "plaid", NOON + 50)

    assert choice(policy, NOON + 60.0).propensities["plaid"] > 0.9


def test_scarce_quota_is_left_to_those_who_need_it(policy: SelectionPolicy) -> None:
    """A provider near its limit stands back where another does as well, not where none does."""
    values = {"operation": "getAccounts", "region": "US", "institution_id": None, "at": NOON}
    scarce = SelectionContext(**values, candidates=US, quota_left={"plaid": 0.02})  # type: ignore[arg-type]
    tell(policy, "provider_down", times=5, provider="mx", institution=None)
    tell(policy, "provider_down", times=5, provider="finicity", institution=None)
    needed = policy.decide(scarce).propensities["plaid"]
    fresh = SelectionPolicy(exploration_ratio=0.0)

    assert fresh.decide(scarce).propensities["plaid"] < 0.1
    assert needed > 0.9


def test_cost_and_time_move_the_first_choice_by_their_weights() -> None:
    """With a weight on cost, a provider as good and cheaper comes first."""
    dear = Preference(cost_weight=0.05, costs={"plaid": 1.0})
    policy = SelectionPolicy(exploration_ratio=0.0, preference=dear)

    assert choice(policy).order[0] == "mx"


def test_exchange_never_explores() -> None:
    """An exchange is sent once, so its first choice is certain."""
    policy = SelectionPolicy(exploration_ratio=1.0)
    context = SelectionContext(
        operation="exchangeToken", region="US", institution_id=None, candidates=US, at=NOON
    )

    decision = policy.decide(context)

    assert (decision.order, decision.explored) == (US, False)
    assert decision.propensities["plaid"] == 1.0


def test_seeds_make_different_draws() -> None:
    """Two seeds explore at different requests."""
    context = SelectionContext(
        operation="getAccounts", region="US", institution_id=None, candidates=US, at=NOON
    )
    draws = [
        [policy.decide(context).order for _ in range(50)]
        for policy in (SelectionPolicy(seed=seed, exploration_ratio=0.5) for seed in (1, 2))
    ]

    assert draws[0] != draws[1]


def test_it_beats_the_priority_order_through_an_outage() -> None:
    """With an hour's outage of the first provider, more first attempts work than in plain order."""
    worked = {}
    for name in ("priority", "adaptive"):
        policy = SelectionPolicy(policy=name, seed=1)
        world = random.Random(5)
        hits = 0
        for step in range(2000):
            at = NOON + 3.0 * step
            up = {"plaid": 0.0 if 400 <= step < 1600 else 0.98, "mx": 0.96, "finicity": 0.95}
            for number, provider in enumerate(ask(policy, at), start=1):
                success = world.random() < up[provider]
                hits += success and number == 1
                outcome = "success" if success else "provider_down"
                tell(policy, outcome, provider=provider, at=at + 0.2, number=number)
                if success:
                    break
        worked[name] = hits / 2000

    assert worked["priority"] < 0.45
    assert worked["adaptive"] > 0.85


@pytest.mark.parametrize("ratio", [-0.1, 1.1, float("nan")])
@pytest.mark.parametrize("name", ["adaptive", "priority"])
def test_exploration_ratio_is_a_ratio(name: str, ratio: float) -> None:
    """A share outside 0 to 1 is refused, whatever the policy."""
    with pytest.raises(ValueError, match="within 0 and 1"):
        SelectionPolicy(policy=name, exploration_ratio=ratio)


def test_policy_refuses_the_same_without_the_facade() -> None:
    """The policy itself checks its share too."""
    with pytest.raises(ValueError, match="within 0 and 1"):
        AdaptivePolicy(exploration_ratio=2.0)


def test_unknown_policy_is_refused() -> None:
    """The message names the policies that there are."""
    with pytest.raises(ValueError, match="known are adaptive, priority, round_robin"):
        SelectionPolicy(policy="oracle")


def test_mere_slowness_is_no_lasting_trait() -> None:
    """An attempt that was overdue and then worked leaves no failure behind, once it is back."""
    calm, late = (AdaptivePolicy(None, exploration_ratio=0.0) for _ in range(2))
    asked = SelectionContext(
        operation="getAccounts",
        region="US",
        institution_id="ins_chase",
        candidates=US,
        at=NOON,
    )
    back = AttemptOutcome(
        provider="plaid",
        operation="getAccounts",
        region="US",
        institution_id="ins_chase",
        at=NOON,
        latency_s=0.2,
        outcome="success",
        attempt_number=1,
    )
    for policy in (calm, late):
        for step in range(200):
            at = NOON + 10.0 * step
            policy.dispatch(replace(asked, at=at), "plaid", 1, at)
            if policy is late and step >= 30 and step % 5 == 0:
                policy.decide(replace(asked, at=at + 8.0))
            policy.observe(replace(back, at=at + 9.0 * (policy is late)))
    at = NOON + 30_000.0
    scores = [policy.decide(replace(asked, at=at)).scores["plaid"] for policy in (calm, late)]

    assert scores[0] == pytest.approx(scores[1], abs=0.01)


def test_a_storm_of_users_errors_hides_no_successes() -> None:
    """With most answers users' own errors, a failure rate is still that of all calls answered."""
    plain, stormy = (AdaptivePolicy(None, exploration_ratio=0.0) for _ in range(2))
    asked = SelectionContext(
        operation="getAccounts",
        region="US",
        institution_id="ins_chase",
        candidates=US,
        at=NOON,
    )
    for policy in (plain, stormy):
        for step in range(1000):
            failed = step % 20 == 10
            users_own = policy is stormy and step % 10 < 7 and not failed
            kind = "network" if failed else "auth" if users_own else "success"
            policy.observe(
                AttemptOutcome(
                    provider="plaid",
                    operation="getAccounts",
                    region="US",
                    institution_id="ins_chase",
                    at=NOON + 5.0 * step,
                    latency_s=0.2,
                    outcome=kind,
                    attempt_number=1,
                    scope="connection" if users_own else None,
                )
            )
    at = NOON + 20_000.0
    scores = [policy.decide(replace(asked, at=at)).scores["plaid"] for policy in (plain, stormy)]

    assert scores[0] == pytest.approx(scores[1], abs=2e-3)


def test_a_newcomer_gets_a_small_share_until_it_is_known() -> None:
    """Whom the model does not know is tried now and then, makes its way if it is good, or not."""
    shares = {}
    for failing in (0, 3):
        policy = SelectionPolicy(model=MODEL, exploration_ratio=0.0)
        first = choice(policy).propensities["finicity"]
        for step in range(700):
            kind = "provider_down" if step % 10 < failing else "success"
            tell(policy, kind, provider="finicity", at=NOON + 20.0 * step)
        shares[failing] = first, choice(policy, NOON + 20_000.0).propensities["finicity"]

    assert 0.1 < shares[0][0] < 0.2
    assert shares[0][1] > 0.9
    assert shares[3][1] < 0.05
