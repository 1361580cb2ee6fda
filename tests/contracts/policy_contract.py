"""What every selection policy promises; a class of tests that each one inherits."""

import copy
import itertools
import pickle  # noqa: TID251  Ray pickles policies, so the contract does too

import pytest

from models import AttemptOutcome, Decision, SelectionContext, SelectionModel, SelectionPolicy

__all__ = ["PolicyContract", "context", "outcome"]

NOON = 1_790_000_000.0
PROVIDERS = ("plaid", "mx", "finicity")


def context(at: float = NOON, **changes: object) -> SelectionContext:
    """A choice among three providers."""
    values: dict[str, object] = {
        "operation": "getAccounts",
        "region": "US",
        "institution_id": "ins_chase",
        "candidates": PROVIDERS,
        "at": at,
    }
    return SelectionContext(**(values | changes))  # type: ignore[arg-type]  # checked at run time


def outcome(at: float = NOON, **changes: object) -> AttemptOutcome:
    """An attempt at the first of them that worked."""
    values: dict[str, object] = {
        "provider": "plaid",
        "operation": "getAccounts",
        "region": "US",
        "institution_id": "ins_chase",
        "at": at,
        "latency_s": 0.2,
        "outcome": "success",
        "attempt_number": 1,
    }
    return AttemptOutcome(**(values | changes))  # type: ignore[arg-type]  # checked at run time


MODEL = SelectionModel.of(
    trained_at=NOON,
    table={
        ("plaid", "getAccounts", "US", None): 0.80,
        ("mx", "getAccounts", "US", None): 0.95,
        ("mx", "getAccounts", "US", "ins_chase"): 0.90,
    },
    card={},
)


class PolicyContract:
    """Needs fixture `policy_name`, a name in `POLICIES`; every test runs cold and trained."""

    @pytest.fixture(params=[None, MODEL], ids=["cold", "trained"])
    def model(self, request: pytest.FixtureRequest) -> SelectionModel | None:
        """The model that the policy starts with."""
        return request.param  # type: ignore[no-any-return]

    @pytest.fixture
    def policy(self, policy_name: str, model: SelectionModel | None) -> SelectionPolicy:
        """A policy that explores often, so that both of its ways are walked."""
        return self.make(policy_name, model)

    def make(
        self, name: str, model: SelectionModel | None, seed: int = 7, ratio: float = 0.2
    ) -> SelectionPolicy:
        """A policy of this name."""
        return SelectionPolicy(model=model, seed=seed, policy=name, exploration_ratio=ratio)

    def story(self, policy: SelectionPolicy) -> list[Decision]:
        """Decisions through calm, an outage of the first provider, and after it."""
        decisions = []
        for step in range(120):
            at = NOON + 5.0 * step
            decision = policy.decide(context(at))
            decisions.append(decision)
            first = decision.order[0]
            down = first == "plaid" and 40 <= step < 80
            policy.dispatch(context(at), first, 1, at)
            policy.observe(
                outcome(
                    at + 0.2,
                    provider=first,
                    outcome="provider_down" if down else "success",
                    scope="provider" if down else None,
                )
            )
        return decisions

    def test_order_is_a_permutation_of_the_candidates(self, policy: SelectionPolicy) -> None:
        """Every candidate is in the order once, whatever happened before."""
        for decision in self.story(policy):
            assert sorted(PROVIDERS) == sorted(decision.order)
            assert set(PROVIDERS) == set(decision.scores)

    def test_propensities_are_a_distribution(self, policy: SelectionPolicy) -> None:
        """Propensities are not negative, sum to 1, and allow the first that was chosen."""
        for decision in self.story(policy):
            assert set(PROVIDERS) == set(decision.propensities)
            assert all(p >= 0.0 for p in decision.propensities.values())
            assert sum(decision.propensities.values()) == pytest.approx(1.0, abs=1e-9)
            assert decision.propensities[decision.order[0]] > 0.0

    def test_same_seed_and_calls_make_the_same_decisions(
        self, policy_name: str, model: SelectionModel | None
    ) -> None:
        """Nothing but the seed and the calls goes into a decision."""
        stories = [self.story(self.make(policy_name, model)) for _ in range(2)]

        assert stories[0] == stories[1]

    def test_input_is_not_changed(self, policy: SelectionPolicy) -> None:
        """Contexts and outcomes come back as they went in."""
        asked, told = context(), outcome(outcome="network")
        before = copy.deepcopy((asked, told))

        policy.observe(told)
        policy.decide(asked)

        assert before == (asked, told)

    def test_decision_names_its_policy(self, policy: SelectionPolicy, policy_name: str) -> None:
        """A decision says which policy and which model made it."""
        decision = policy.decide(context())

        assert (policy.name, policy.model_version) == (decision.policy, decision.model_version)
        assert policy_name == policy.name

    def test_unknown_names_are_taken(self, policy: SelectionPolicy) -> None:
        """A provider, operation, region or institution never seen before is no error."""
        policy.observe(
            outcome(
                provider="new",
                operation="payBills",
                region="XX",
                institution_id=None,
                attempt_number=9,
            )
        )
        decision = policy.decide(
            context(
                candidates=("new", "newer"), operation="payBills", region="XX", institution_id=None
            )
        )

        assert {"new", "newer"} == set(decision.order)

    def test_one_candidate_is_certain(self, policy: SelectionPolicy) -> None:
        """With one candidate there is nothing to choose."""
        decision = policy.decide(context(candidates=("mx",)))

        assert (decision.order, dict(decision.propensities)) == (("mx",), {"mx": 1.0})

    @pytest.mark.parametrize("latency_s", [float("nan"), float("inf"), -1.0])
    def test_odd_latency_is_taken(self, policy: SelectionPolicy, latency_s: float) -> None:
        """A latency that is no duration neither fails nor spoils the scores."""
        policy.observe(outcome(latency_s=latency_s, outcome="network"))

        scores = policy.decide(context(NOON + 1)).scores.values()
        assert all(0.0 <= score <= 1.0 for score in scores)

    def test_clock_going_back_is_taken(self, policy: SelectionPolicy) -> None:
        """Times in any order are no error and leave the scores finite."""
        for at in (NOON, NOON - 1e6, NOON + 1e6, 0.0, NOON):
            policy.observe(outcome(at, outcome="provider_down"))
            decision = policy.decide(context(at - 0.5))

            assert all(0.0 <= score <= 1.0 for score in decision.scores.values())

    def test_pickles_with_its_state(self, policy: SelectionPolicy) -> None:
        """A policy goes on after pickling as if nothing had happened."""
        self.story(policy)
        twin = pickle.loads(pickle.dumps(policy))

        assert self.story(policy) == self.story(twin)

    def test_frequencies_are_the_logged_propensities(self, policy: SelectionPolicy) -> None:
        """Drawn often from one state, each candidate is first as often as its propensity says."""
        policy.observe(outcome(outcome="network"))
        draws = 20_000
        counts = dict.fromkeys(PROVIDERS, 0)
        propensities = policy.decide(context()).propensities

        for _ in range(draws):
            decision = policy.decide(context())
            assert propensities == decision.propensities
            counts[decision.order[0]] += 1

        for name, propensity in propensities.items():
            deviation = (propensity * (1.0 - propensity) / draws) ** 0.5
            assert propensity == pytest.approx(counts[name] / draws, abs=5.0 * deviation)

    def test_swapping_models_changes_the_version_only_where_one_is_used(
        self, policy: SelectionPolicy, policy_name: str
    ) -> None:
        """After a swap decisions carry the new model's version, or none where none is used."""
        policy.swap(MODEL)
        uses = policy.model_version is not None
        policy.swap(None)

        assert policy.model_version is None
        assert uses == (policy_name == "adaptive")

    def test_all_orders_of_candidates_are_served(self, policy: SelectionPolicy) -> None:
        """The priority order may differ from one call to the next."""
        for candidates in itertools.permutations(PROVIDERS):
            decision = policy.decide(context(candidates=candidates))

            assert sorted(candidates) == sorted(decision.order)

    def test_user_errors_move_nothing(self, policy: SelectionPolicy) -> None:
        """In calm, a storm of wrong passwords and bad requests leaves every choice as it was."""
        before = policy.decide(context())

        for provider in ("plaid", "mx"):
            for _ in range(50):
                for kind, scope in (
                    ("auth", "connection"),
                    ("validation", "request"),
                    ("auth", None),
                ):
                    policy.observe(outcome(provider=provider, outcome=kind, scope=scope))

        after = policy.decide(context())
        assert before.scores == after.scores
        assert before.propensities == after.propensities

    def test_user_errors_never_lower_a_score(self, policy: SelectionPolicy) -> None:
        """After an outage they may show that a provider works again, and never that it does not."""
        self.story(policy)
        at = NOON + 600.0
        before = policy.decide(context(at)).scores

        for _ in range(50):
            policy.observe(outcome(at, outcome="auth", scope="connection"))

        after = policy.decide(context(at)).scores
        assert all(after[name] >= before[name] - 1e-12 for name in PROVIDERS)

    def test_an_exchange_is_never_left_to_chance(self, policy: SelectionPolicy) -> None:
        """What is sent once goes to one provider with certainty, after whatever happened."""
        self.story(policy)
        exchanges = [
            policy.decide(context(NOON + 700.0, operation="exchangeToken")) for _ in range(50)
        ]

        assert {exchange.order for exchange in exchanges} == {exchanges[0].order}
        for exchange in exchanges:
            assert exchange.propensities[exchange.order[0]] == 1.0
            assert not exchange.explored

    def test_a_start_may_be_told_and_taken_back(self, policy: SelectionPolicy) -> None:
        """What was told as started and then withdrawn leaves everything as it was."""
        self.story(policy)
        at = NOON + 700.0
        before = policy.decide(context(at))

        for _ in range(20):
            policy.dispatch(context(at), "plaid", 1, at)
            policy.withdraw(context(at), "plaid", at)

        after = policy.decide(context(at))
        assert (before.scores, before.propensities) == (after.scores, after.propensities)

    def test_names_without_end_take_no_memory_without_end(self, policy_name: str) -> None:
        """From twenty thousand banks on, new ones take the place of others."""
        policy = self.make(policy_name, None)
        sizes = []
        for number in range(66_000):
            policy.observe(outcome(NOON + 0.01 * number, institution_id=f"ins_{number:05d}"))
            if number in (21_999, 65_999):
                sizes.append(len(pickle.dumps(policy)))

        # Sweeps halve what is kept, so that it comes and goes; three times as many is no bound.
        assert sizes[1] <= 2.2 * sizes[0]

    def test_quota_is_taken_and_may_leave_candidates_out(self, policy: SelectionPolicy) -> None:
        """What is left of limits may be told for some of the candidates, in any measure."""
        for left in ({}, {"plaid": 0.0}, {"mx": 1.0, "plaid": float("nan"), "other": 0.3}):
            decision = policy.decide(context(quota_left=left))

            assert sorted(PROVIDERS) == sorted(decision.order)
            assert sum(decision.propensities.values()) == pytest.approx(1.0)
