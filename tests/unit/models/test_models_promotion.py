"""Promotion: evidence, gates, the trial's way, what a router holds meanwhile."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import AttemptOutcome, ModelUnusable, SelectionContext, SelectionModel, SelectionPolicy
from models.evaluation import Estimate, PolicyValue
from models.evaluation.metrics import Calibration
from models.promotion import (
    Comparison,
    Gate,
    GateVerdict,
    Stage,
    Trial,
    Trialled,
    TrialOptions,
    TrialPolicy,
    TrialStore,
    TrialWatch,
    has_challenger,
)
from models.promotion.gates import (
    brier_gate,
    calibration_gate,
    first_choice_gate,
    schema_gate,
    table_gate,
)
from tests.support.promotion_rehearsal import rehearse, tried

OPTIONS = TrialOptions()
PASSED = (Gate("brier", GateVerdict.PASSED, ""), Gate("table", GateVerdict.CANNOT_TELL, ""))
FAILED = (Gate("brier", GateVerdict.FAILED, ""), *PASSED)
GOOD, BAD = Trialled(True, True), Trialled(True, False)
KEPT_GOOD, KEPT_BAD = Trialled(False, True), Trialled(False, False)


def shared(**changes: object) -> Trial:
    """A trial in SHARE since time 0."""
    values: dict[str, object] = {
        "challenger": "new", "champion": "old", "stage": Stage.SHARE, "since": 0.0, "why": "",
    }  # fmt: skip
    return Trial(**(values | changes))  # type: ignore[arg-type]  # checked at run time


@pytest.mark.parametrize(
    ("points", "calls", "trials", "least"), [(0.10, 600, 100, 0.95), (0.03, 8000, 20, 0.9)]
)
def test_a_worse_challenger_is_stopped_soon(
    points: float, calls: int, trials: int, least: float
) -> None:
    """One worse by 10 points within 600 of its calls, one worse by 3 within 8,000."""
    champion = np.array([0.93])
    stages = [
        tried(champion, champion - points, seed=seed, most_calls=calls).stage
        for seed in range(trials)
    ]

    assert stages.count(Stage.STOPPED) >= least * trials


def test_an_equal_challenger_is_not_promoted() -> None:
    """Of fifty challengers that are as good as the champion, none is promoted in 2,000 calls."""
    ratio = np.array([0.93])
    stages = [tried(ratio, ratio, seed=seed, most_calls=2000).stage for seed in range(50)]

    assert Stage.HOLD_BACK not in stages
    assert stages.count(Stage.STOPPED) <= 6


def test_trainings_of_the_same_are_not_promoted() -> None:
    """Of four A/A trainings, gates and trial included, none is promoted falsely."""
    found = [rehearse(seed, rows=800, most_calls=2000) for seed in range(4)]

    assert [one for one in found if one.falsely] == []


def test_a_better_challenger_is_promoted() -> None:
    """One better by 3 points is promoted within 8,000 of its calls."""
    champion = np.array([0.93])
    stages = [
        tried(champion, champion + 0.03, seed=seed, most_calls=8000).stage for seed in range(10)
    ]

    assert stages.count(Stage.HOLD_BACK) >= 9


def test_an_outage_of_both_is_no_evidence() -> None:
    """Where everything fails for everybody, neither is called better or worse."""
    random = np.random.default_rng(3)
    batch = [Trialled(bool(random.random() < 0.1), False) for _ in range(5000)]

    trial = shared().after(batch, now=1.0, options=OPTIONS)

    assert trial.stage is Stage.SHARE
    assert trial.comparison.evidence_better < 20


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60), st.floats(0.05, 0.95))
def test_capital_is_never_lost_whole(outcomes: list[tuple[bool, bool]], share: float) -> None:
    """Whatever comes, no stake loses everything, and in two steps it comes to the same as in one."""
    told = [Trialled(*one) for one in outcomes]

    at_once = Comparison().after(told, share=share)
    in_steps = Comparison().after(told[:20], share=share).after(told[20:], share=share)

    assert np.isfinite([*at_once.better, *at_once.worse]).all()
    assert at_once.challenger_worked == in_steps.challenger_worked
    assert at_once.better == pytest.approx(in_steps.better, abs=1e-9)


def test_a_fair_game_keeps_its_capital() -> None:
    """Over many games without a difference the mean capital is one at most, as a fair bet's is."""
    random = np.random.default_rng(5)
    ends = []
    for _ in range(400):
        told = [
            Trialled(bool(c), bool(w))
            for c, w in zip(random.random(100) < 0.3, random.random(100) < 0.9, strict=True)
        ]
        ends.append(Comparison().after(told, share=0.3).evidence_better)

    assert np.mean(ends) < 1.5


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_a_share_is_between(share: float) -> None:
    """Nobody can be compared where one side has all requests."""
    with pytest.raises(ValueError, match="share"):
        Comparison().after([GOOD], share=share)


def test_options_are_ratios() -> None:
    """Chances and shares outside 0 and 1 are refused."""
    with pytest.raises(ValueError, match="better_chance"):
        TrialOptions(better_chance=0.0)


def test_shadow_waits_for_its_rows() -> None:
    """Before enough attempts were scored nothing follows, whatever the gates say."""
    trial = Trial.begin("new", "old", now=0.0)

    assert trial == trial.after_shadow(FAILED, 199, now=5.0, options=OPTIONS)
    assert trial == trial.after([BAD] * 500, now=5.0, options=OPTIONS)


def test_shadow_leads_to_a_share() -> None:
    """With gates passed, or unable to tell, the challenger gets a tenth of the requests."""
    trial = Trial.begin("new", "old", now=0.0)

    shared = trial.after_shadow(PASSED, 200, now=5.0, options=OPTIONS)

    assert (trial.share(OPTIONS), shared.share(OPTIONS)) == (0.0, 0.1)
    assert (shared.stage, shared.since) == (Stage.SHARE, 5.0)


def test_shadow_stops_what_fails_its_gates() -> None:
    """A gate that fails on new attempts ends the trial and is named."""
    trial = Trial.begin("new", "old", now=0.0).after_shadow(FAILED, 200, now=5.0, options=OPTIONS)

    assert trial.stage is Stage.STOPPED
    assert "brier" in trial.why


def test_better_beyond_chance_leads_to_hold_back_and_then_to_all() -> None:
    """After the share it has all but a tenth; held well, it is promoted."""
    batch = [GOOD, *[KEPT_BAD, KEPT_GOOD] * 4, KEPT_GOOD] * 100
    held = shared().after(batch, now=1.0, options=OPTIONS)
    kept = held.after([KEPT_GOOD, *[GOOD] * 9] * 500, now=2.0, options=OPTIONS)

    assert (held.stage, held.share(OPTIONS)) == (Stage.HOLD_BACK, 0.9)
    assert held.comparison == Comparison()
    assert (kept.stage, kept.share(OPTIONS)) == (Stage.PROMOTED, 1.0)


def test_worse_in_hold_back_rolls_back() -> None:
    """What turns out worse once it has nearly everything is stopped, and has nothing again."""
    held = shared(stage=Stage.HOLD_BACK)

    stopped = held.after([KEPT_GOOD, *[GOOD, BAD] * 5] * 60, now=2.0, options=OPTIONS)

    assert (stopped.stage, stopped.share(OPTIONS)) == (Stage.STOPPED, 0.0)
    assert "worse" in stopped.why


@pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.SHARE, Stage.HOLD_BACK])
def test_a_stage_without_a_verdict_expires(stage: Stage) -> None:
    """After fourteen days without a finding the champion stays alone."""
    trial = shared(stage=stage)
    late = OPTIONS.longest_stage_s + 1.0
    after = (
        trial.after_shadow(PASSED, 10, now=late, options=OPTIONS)
        if stage is Stage.SHADOW
        else trial.after([], now=late, options=OPTIONS)
    )

    assert after.stage is Stage.EXPIRED


def test_a_clock_set_back_expires_nothing() -> None:
    """Time before the stage began counts as no time."""
    trial = shared(since=1e9)

    assert trial.after([], now=0.0, options=OPTIONS).stage is Stage.SHARE


@pytest.mark.parametrize("stage", [Stage.PROMOTED, Stage.STOPPED, Stage.EXPIRED])
def test_an_end_is_an_end(stage: Stage) -> None:
    """Nothing changes a trial that has ended."""
    trial = shared(stage=stage)

    assert stage.ended
    assert trial == trial.after([BAD] * 900, now=9.0, options=OPTIONS)
    assert trial == trial.after_shadow(FAILED, 900, now=9.0, options=OPTIONS)
    assert trial == trial.stop("operator", now=9.0)


def test_requests_are_split_by_hash_evenly_and_independently() -> None:
    """The same request is always the same side's; trials split independently of each other."""
    names = [f"req_{number}" for number in range(20_000)]
    one = np.array([has_challenger(name, "v1", 0.1) for name in names])
    other = np.array([has_challenger(name, "v2", 0.1) for name in names])

    assert one.mean() == pytest.approx(0.1, abs=0.01)
    assert (one & other).mean() == pytest.approx(0.01, abs=0.004)
    assert one.tolist() == [has_challenger(name, "v1", 0.1) for name in names]


MODEL = SelectionModel.of(
    trained_at=0.0,
    card={},
    table={("plaid", "getAccounts", "US", None): 0.7, ("mx", "getAccounts", "US", None): 0.95},
)
CONTEXT = SelectionContext(
    operation="getAccounts", region="US", institution_id=None, candidates=("plaid", "mx"), at=1e9
)


def trial_policy() -> TrialPolicy:
    """A cold champion that does not explore."""
    return TrialPolicy(SelectionPolicy(exploration_ratio=0.0))


def test_shares_of_requests_see_the_challengers_model() -> None:
    """About the share of requests carries the challenger's version, the rest the champion's."""
    policy = trial_policy()
    policy.try_out(MODEL, share=0.2)

    versions = [policy.decide(CONTEXT, f"req_{n}").model_version for n in range(500)]

    assert versions.count(MODEL.version) == pytest.approx(100, abs=30)
    assert set(versions) == {MODEL.version, None}


def test_in_shadow_the_champion_decides() -> None:
    """With a share of nought the challenger only tells what it would have done."""
    policy = trial_policy()
    policy.try_out(MODEL, share=0.0)
    decided, beside = policy.decide(CONTEXT, "req_1"), policy.shadow(CONTEXT, "req_1")

    assert decided.model_version is None
    assert beside is not None
    assert beside.model_version == MODEL.version


def test_without_a_trial_nothing_is_beside() -> None:
    """Before a trial and after it was given up, there is only the champion."""
    policy = trial_policy()
    policy.try_out(MODEL, share=1.0)
    policy.give_up()

    assert policy.shadow(CONTEXT, "req_1") is None
    assert policy.challenger_version is None
    assert policy.decide(CONTEXT, "req_1").model_version is None


def failed(at: float) -> AttemptOutcome:
    """An attempt at MX that found it down."""
    return AttemptOutcome(
        provider="mx",
        operation="getAccounts",
        region="US",
        institution_id=None,
        at=at,
        latency_s=0.1,
        outcome="provider_down",
        attempt_number=1,
        scope="provider",
    )


def test_live_health_reaches_both_sides_and_survives_promotion() -> None:
    """What failed before and during the trial is known to the challenger, also once promoted."""
    policy = trial_policy()
    for second in range(3):
        policy.observe(failed(1e9 + second))
    policy.try_out(MODEL, share=0.0)
    for second in range(3, 6):
        policy.observe(failed(1e9 + second))
    policy.swap(MODEL)

    assert policy.model_version == MODEL.version
    assert policy.challenger_version is None
    assert policy.decide(CONTEXT, "req_1").order == ("plaid", "mx")


def test_another_share_keeps_the_challengers_memory() -> None:
    """Moving from shadow to a share does not make it forget."""
    policy = trial_policy()
    policy.try_out(MODEL, share=0.0)
    for second in range(6):
        policy.observe(failed(1e9 + second))
    policy.try_out(MODEL, share=1.0)

    assert policy.decide(CONTEXT, "req_1").order == ("plaid", "mx")


def test_a_trial_is_kept_and_its_end_remembered(tmp_path: Path) -> None:
    """The store gives the trial back without its evidence, and nothing once it has ended."""
    store = TrialStore(tmp_path / "models")
    before = store.current()
    store.write(shared(comparison=Comparison().after([GOOD], share=0.1)))
    during = store.current()
    store.write(shared().stop("enough", now=9.0))

    assert before is None
    assert during == shared()
    assert store.current() is None
    assert [entry["why"] for entry in store.history()] == ["", "enough"]


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"trial": {"stage": "no such"}}', '{"trial": 3}', '{"history": 1}']
)
def test_a_damaged_trial_file_is_told_and_mended(tmp_path: Path, content: str) -> None:
    """It is an error to whoever reads it, and the next trial writes a whole one."""
    store = TrialStore(tmp_path)
    store.path.write_text(content)
    with pytest.raises(ModelUnusable, match=r"trial\.json"):
        (store.current(), store.history())
    store.write(shared())

    assert store.current() == shared()


def test_a_watch_tells_each_change_once(tmp_path: Path) -> None:
    """A new stage is told at the next look, and no second time."""
    store = TrialStore(tmp_path)
    watch = TrialWatch(store)
    told = [watch.poll()]
    store.write(shared())
    told += [watch.poll(), watch.poll()]
    kept = watch.trial
    store.write(shared().stop("enough", now=9.0))
    told += [watch.poll()]

    assert told == [False, True, False, True]
    assert kept == shared()
    assert watch.trial is None


def test_a_watch_keeps_the_trial_over_a_damaged_file(tmp_path: Path) -> None:
    """What cannot be read is told once, and the trial that was known goes on."""
    store = TrialStore(tmp_path)
    store.write(shared())
    watch = TrialWatch(store)
    watch.poll()
    store.path.write_text("{")
    with pytest.raises(ModelUnusable):
        watch.poll()

    assert watch.poll() is False
    assert watch.trial == shared()


def measured(error: float) -> Calibration:
    """A calibration with this error, a hundredth of it by chance."""
    return Calibration((0.9,), (0.9,), (10,), error, 0.01)


@pytest.mark.parametrize(
    ("gate", "verdict"),
    [
        (brier_gate(Estimate(0.001, -0.001, 0.003)), GateVerdict.PASSED),
        (brier_gate(Estimate(0.002, 0.001, 0.003)), GateVerdict.FAILED),
        (brier_gate(Estimate(0.002, float("nan"), float("nan"))), GateVerdict.CANNOT_TELL),
        (calibration_gate(measured(0.029)), GateVerdict.PASSED),
        (calibration_gate(measured(0.031)), GateVerdict.FAILED),
        (first_choice_gate(gain := PolicyValue({"snips": Estimate(0.01, -0.0019, 0.02)}, 150.0, 9)),
         GateVerdict.PASSED),
        (first_choice_gate(PolicyValue({"snips": Estimate(0.01, -0.0021, 0.02)}, 150.0, 9)),
         GateVerdict.FAILED),
        (first_choice_gate(PolicyValue(gain.estimates, 99.0, 9)), GateVerdict.CANNOT_TELL),
        (table_gate(MODEL, [("plaid", "getAccounts", "US")]), GateVerdict.PASSED),
        (table_gate(MODEL, [("belvo", "getAccounts", "MX")]), GateVerdict.FAILED),
        (schema_gate(MODEL, None), GateVerdict.PASSED),
        (schema_gate(MODEL, MODEL), GateVerdict.PASSED),
    ],
)  # fmt: skip
def test_gates_judge_at_their_edges(gate: Gate, verdict: GateVerdict) -> None:
    """Each gate passes on this side of its edge, fails on the other, or says it cannot tell."""
    assert (gate.verdict, gate.failed) == (verdict, verdict is GateVerdict.FAILED)
    assert json.dumps(gate.as_json())
