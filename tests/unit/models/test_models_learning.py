"""What training makes of outages, links, latencies, drift; and of logs that are strange."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models import (
    AttemptOutcome,
    Decision,
    ModelRegistry,
    SelectionContext,
    SelectionModel,
    SelectionPolicy,
    train,
)
from models.backtest import backtest
from models.drift import PageTest, mix_alarms, stability_index
from models.drift_file import DriftFile
from models.evaluation import logged_choices
from models.evaluation.replay import model_choices, replayed
from models.promotion import Stage, Trial, TrialOptions, TrialStore, has_challenger
from models.retraining import advance, drift_alarms, gates_of, register, retrain, trialled
from models.training.attempts import read_attempts
from models.training.link_reward import LINK_LIFE_S, SYNC_WITHIN_S, link_rewards
from models.training.outages import belief_up
from models.training.rows import training_rows
from tests.support.promotion_rehearsal import NAMES, START, World

END = START + 1200 * 20.0


def calm(rows: int = 1200, seed: int = 1, start_s: float = START) -> pd.DataFrame:
    """A log of a calm world."""
    return World.of(1).log(rows, seed=seed, start_s=start_s)


def prior(model: SelectionModel, provider: str) -> float:
    """The success ratio of reading accounts at Chase."""
    found = model.prior(provider, "getAccounts", "US", "ins_chase")
    assert found is not None
    return found


def with_outage(attempts: pd.DataFrame, provider: str, from_row: int, rows: int) -> pd.DataFrame:
    """The same log, one provider down for so many rows."""
    hit = (attempts["provider"] == provider) & attempts.index.isin(range(from_row, from_row + rows))
    return attempts.assign(outcome=attempts["outcome"].mask(hit, "provider_down"))


def test_one_outage_does_not_make_a_provider_bad() -> None:
    """An hour and a half down in six hours costs a few points of the prior, not a quarter."""
    quiet = train(calm(), now=END)
    stormy = train(with_outage(calm(), "plaid", 300, 270), now=END)
    seen = with_outage(calm(), "plaid", 300, 270)
    naive = (seen[seen["provider"] == "plaid"]["outcome"] == "success").mean()

    assert naive < 0.75
    assert prior(stormy, "plaid") > prior(quiet, "plaid") - 0.05
    assert stormy.card["inOutages"] > 0.15


def test_a_provider_that_is_always_poor_is_scored_poor() -> None:
    """Failing evenly is no outage: a ratio of one half stays about that."""
    random = np.random.default_rng(3)
    attempts = calm()
    poor = (attempts["provider"] == "plaid") & (random.random(len(attempts)) < 0.5)

    model = train(attempts.assign(outcome=attempts["outcome"].mask(poor, "network")), now=END)

    assert 0.35 < prior(model, "plaid") < 0.6


def test_belief_falls_in_an_outage_and_returns_after_it() -> None:
    """Rows inside count next to nothing, rows outside nearly whole."""
    frame = training_rows(read_attempts(with_outage(calm(), "plaid", 300, 270))).frame

    belief = belief_up(frame, np.ones(len(frame)))

    own = (frame["provider"] == "plaid").to_numpy()
    inside = np.arange(len(frame))[own & (frame.index >= 320) & (frame.index < 550)]
    outside = np.arange(len(frame))[own & (frame.index >= 620)]
    assert belief[inside].max() < 0.2
    assert belief[outside].mean() > 0.9
    assert belief[~own].mean() > 0.9


def test_few_attempts_are_believed() -> None:
    """Three failures in a row are too few to speak of an outage."""
    frame = training_rows(read_attempts(calm(25).assign(outcome="network"))).frame

    assert belief_up(frame, np.ones(25)).tolist() == [1.0] * 25


Event = tuple[str, str, str | None, str, str | None, float]


def links(*events: Event) -> pd.DataFrame:
    """Outcomes of one space at a time: space, operation, institution, outcome, scope, hour."""
    return pd.DataFrame(
        {
            "provider": "plaid",
            "region": "US",
            "space": [space for space, *_ in events],
            "operation": [event[1] for event in events],
            "institution": [event[2] for event in events],
            "outcome": [event[3] for event in events],
            "scope": [event[4] for event in events],
            "attempt_number": 1.0,
            "started_s": [event[5] * 3600.0 for event in events],
            "ended_s": [event[5] * 3600.0 + 0.5 for event in events],
        }
    )


def link(space: str, hour: float, institution: str | None = "ins_chase") -> Event:
    """An answered `createLink`."""
    return (space, "createLink", institution, "success", None, hour)


def exchange(space: str, hour: float, institution: str | None = "ins_chase") -> Event:
    """An exchange that worked."""
    return (space, "exchangeToken", institution, "success", None, hour)


def sync(space: str, hour: float, outcome: str = "success", scope: str | None = None) -> Event:
    """A sync."""
    return (space, "syncTransactions", "ins_chase", outcome, scope, hour)


LONG_AFTER = 100 * 3600.0


@pytest.mark.parametrize(
    ("events", "label"),
    [
        ([link("a", 0), exchange("a", 1), sync("a", 2)], 1.0),
        ([link("a", 0), exchange("a", 1), sync("a", 2, "auth", "connection")], 0.0),
        ([link("a", 0), exchange("a", 1), sync("a", 2, "network"), sync("a", 3)], 1.0),
        ([link("a", 0), exchange("a", 1)], 1.0),
        ([link("a", 0)], 0.0),
        ([link("a", 0), exchange("a", LINK_LIFE_S / 3600 + 1)], 0.0),
        ([link("a", 0), exchange("b", 1), sync("b", 2)], 0.0),
        ([link("a", 0), exchange("a", 1, "ins_citi")], 0.0),
        ([link("a", 0, None), exchange("a", 1, "ins_citi")], 1.0),
    ],
    ids=[
        "works", "first sync refused", "outage, then works", "never read", "never linked",
        "linked too late", "another space linked", "another bank linked", "bank chosen later",
    ],
)  # fmt: skip
def test_what_a_link_came_to(events: list[Event], label: float) -> None:
    """Linked within its life, and working after the first sync that an outage did not prevent."""
    known = links(*events, link("other", 0), exchange("other", 1))

    labels = link_rewards(known, now=LONG_AFTER)

    assert labels is not None
    assert labels[0] == label


def test_a_label_is_known_only_once_it_can_be() -> None:
    """Before the session's life is over, and before the first sync, there is none."""
    waiting = links(
        link("a", 0), link("b", 0), exchange("b", 1), link("c", 0), exchange("c", 1), sync("c", 2)
    )

    labels = link_rewards(waiting, now=3 * 3600.0)
    later = link_rewards(waiting, now=LINK_LIFE_S + SYNC_WITHIN_S + 3600.0)

    assert labels is not None
    assert later is not None
    assert np.isnan(labels[[0, 1]]).all()
    assert (labels[3], later[0], later[1]) == (1.0, 0.0, 1.0)


def test_only_the_latest_open_link_is_completed() -> None:
    """Two links, one exchange: the second came to something, the first did not."""
    labels = link_rewards(links(link("a", 0), link("a", 1), exchange("a", 2)), now=LONG_AFTER)

    assert labels is not None
    assert labels[:2].tolist() == [0.0, 1.0]


def test_a_log_without_exchanges_cannot_tell() -> None:
    """Links of a log that holds no exchange, or no spaces, have no label."""
    assert link_rewards(links(link("a", 0)), now=LONG_AFTER) is None
    nobody = links(link("a", 0), exchange("a", 1)).assign(space=None)
    assert link_rewards(nobody, now=LONG_AFTER) is None


def link_log() -> pd.DataFrame:
    """Links that Plaid answers always and users seldom finish, and MX the other way round."""
    rows = []
    for number in range(600):
        provider = ("plaid", "mx")[number % 2]
        finished = number % 10 < (2 if provider == "plaid" else 9)
        at = START + number * 600.0
        base = {
            "provider": provider, "region": "US", "institution_id": "ins_chase",
            "space_hash": f"space{number}", "attempt_number": 1, "latency_ms": 100.0,
            "outcome": "success", "error_scope": None,
        }  # fmt: skip
        rows.append(base | {"operation": "createLink", "started_at": at})
        if finished:
            rows.append(base | {"operation": "exchangeToken", "started_at": at + 60.0})
            rows.append(base | {"operation": "syncTransactions", "started_at": at + 90.0})
    return pd.DataFrame(rows)


def test_links_are_ranked_by_what_they_come_to() -> None:
    """Both answer alike, so the prior is alike; the reward is that of a finished, working link."""
    model = train(link_log(), now=START + 600 * 600.0)
    plaid, mx = (
        (
            model.prior(name, "createLink", "US", "ins_chase"),
            model.reward(name, "createLink", "US", "ins_chase"),
        )
        for name in ("plaid", "mx")
    )

    assert plaid[0] == pytest.approx(mx[0], abs=0.02)
    assert plaid[1] == pytest.approx(0.2, abs=0.1)
    assert mx[1] == pytest.approx(0.9, abs=0.1)
    assert model.reward("plaid", "syncTransactions", "US", None) == model.prior(
        "plaid", "syncTransactions", "US", None
    )
    assert model.card["links"]["reward"] == "working connection"


def test_latency_is_learned_beside_success() -> None:
    """The usual time of a success, by provider, whatever failures took."""
    attempts = calm()
    slow = attempts["provider"] == "plaid"
    attempts["latency_ms"] = np.where(slow, 900.0, 150.0)
    attempts["latency_ms"] = attempts["latency_ms"].mask(attempts["outcome"] != "success", 9e3)

    model = train(attempts, now=END)

    assert model.latency("plaid", "getAccounts", "US", "ins_chase") == pytest.approx(0.9, rel=0.1)
    assert model.latency("mx", "getAccounts", "US", "ins_new") == pytest.approx(0.15, rel=0.3)
    assert model.latency("belvo", "getAccounts", "MX", None) is None


def test_everything_comes_back_from_the_registry(tmp_path: Path) -> None:
    """Latencies and what links come to are stored with the scores, and the card has its page."""
    model = train(link_log(), now=START + 600 * 600.0)
    registry = ModelRegistry(tmp_path)

    loaded = registry.load(registry.save(model))

    assert loaded == model
    assert loaded.completion
    assert loaded.latency_s
    assert model.version in (tmp_path / model.version / "card.md").read_text()


def test_boosting_is_another_kind() -> None:
    """Histogram boosting learns the same world, and says so in its card."""
    model, usual = train(calm(), now=END, kind="boosting"), train(calm(), now=END)

    assert model.card["method"] == "boosting"
    assert all(0.0 < score < 1.0 for score in model.table.values())
    assert prior(model, "plaid") == pytest.approx(prior(usual, "plaid"), abs=0.12)


def test_an_unknown_kind_is_refused() -> None:
    """What cannot be fitted is named."""
    with pytest.raises(ValueError, match="logistic, boosting"):
        train(calm(), now=END, kind="magic")  # type: ignore[arg-type]  # what is refused


def test_the_later_part_is_what_the_champion_has_not_seen() -> None:
    """Where enough attempts came after the champion was trained, both are judged on those alone."""
    champion = train(calm(), now=END)
    both = pd.concat([calm(), calm(1200, seed=2, start_s=END)], ignore_index=True)

    fresh = train(both, now=END + 1200 * 20.0, champion=champion)
    again = train(calm(), now=END + 1.0, champion=champion)

    assert fresh.card["evaluation"]["seenByChampion"] is False
    assert fresh.card["champion"] == champion.version
    assert "champion" in fresh.card["evaluation"]["metrics"]
    assert again.card["evaluation"]["seenByChampion"] is True
    verdicts = {gate.name: gate.verdict.value for gate in gates_of(again)}
    assert verdicts["brier"] == verdicts["first_choice"] == "cannot_tell"


def test_a_replay_sees_only_what_had_ended() -> None:
    """A policy beside the log is shown each outcome once, in order, and never one from the future."""
    rows = training_rows(read_attempts(calm(200)))
    choices = logged_choices(rows.frame)

    class Spy(SelectionPolicy):
        """Notes what it is told when."""

        latest: float = -np.inf
        told: int = 0

        def decide(self, context: SelectionContext) -> Decision:
            """As usual."""
            assert self.latest <= context.at
            return super().decide(context)

        def observe(self, outcome: AttemptOutcome) -> None:
            """As usual, noting its time."""
            assert outcome.at >= self.latest
            self.latest, self.told = outcome.at, self.told + 1
            super().observe(outcome)

    spy = Spy()
    matrix = replayed(spy, rows.outcomes, choices)

    assert matrix.sum(axis=1) == pytest.approx(np.ones(choices.rows))
    assert spy.told == 199


def test_a_backtest_finds_the_better_policy() -> None:
    """Where the priority order's first is poor, the adaptive policy gains beyond chance."""
    world = World(np.broadcast_to(np.array([0.6, 0.97, 0.9]), (2, 4, 3)).copy())

    found = backtest(world.log(3000, seed=4))
    gains = {one.policy: one.gain.snips for one in found.policies}

    assert gains["adaptive"].low > 0.1
    assert gains["priority"].value == 0.0
    assert found.trained_rows > 1000


def test_a_backtest_refuses_unknown_policies() -> None:
    """The known ones are named."""
    with pytest.raises(ValueError, match="known are"):
        backtest(calm(), ["magic"])


def test_a_model_without_knowledge_follows_the_priority_order() -> None:
    """No model, and one that knows none of the candidates, choose the first."""
    choices = logged_choices(training_rows(read_attempts(calm(300))).frame)
    stranger = SelectionModel.of(
        trained_at=0.0, table={("belvo", "getAccounts", "MX", None): 0.9}, card={}
    )

    assert (model_choices(stranger, choices) == model_choices(None, choices)).all()


def shifted(ratio: float, *, seed: int) -> pd.DataFrame:
    """Attempts after the calm log's end, in a world of other success ratios."""
    return World(World.of(1).ratios * ratio).log(2500, seed=seed, start_s=END + 20.0)


@pytest.mark.parametrize(("ratio", "alarmed"), [(1.0, False), (0.85, True)])
def test_calibration_drift_raises_an_alarm(ratio: float, alarmed: bool) -> None:
    """Outcomes that fall short of the model are noticed, the same world is not."""
    alarms = drift_alarms(train(calm(), now=END), shifted(ratio, seed=5), now=1e10)

    assert ("calibration" in {alarm.what for alarm in alarms}) == alarmed


def test_an_outage_is_no_drift() -> None:
    """A provider that is down for a while is live health's business."""
    attempts = with_outage(shifted(1.0, seed=5), "plaid", 500, 300)

    assert drift_alarms(train(calm(), now=END), attempts, now=1e10) == ()


def test_another_mix_raises_an_alarm() -> None:
    """When requests move to another operation and to unknown banks, both are told."""
    moved = shifted(1.0, seed=5).assign(operation="getAccounts", institution_id="ins_new")

    alarms = drift_alarms(train(calm(), now=END), moved, now=1e10)

    assert {"operation", "institution"} <= {alarm.what for alarm in alarms}


def test_few_attempts_raise_no_alarm() -> None:
    """Below 200 attempts nothing is said."""
    assert drift_alarms(train(calm(), now=END), shifted(0.2, seed=5).head(199), now=1e10) == ()


def test_residuals_that_are_none_are_left_out() -> None:
    """A NaN among residuals changes nothing."""
    assert PageTest().after([0.1, float("nan"), 0.1]) == PageTest().after([0.1, 0.1])


def test_an_empty_mix_is_stable() -> None:
    """Without a share on either side there is nothing to compare."""
    assert stability_index({}, {"a": 1.0}) == 0.0
    assert mix_alarms({"operation": {}}, {}) == ()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"alarms": [1]}'])
def test_a_damaged_drift_file_shows_no_alarm(tmp_path: Path, content: str) -> None:
    """It is written anew at the next look."""
    (tmp_path / "drift.json").write_text(content)

    assert DriftFile(tmp_path).alarms() == ()


def named(attempts: pd.DataFrame, trial: Trial, share: float) -> pd.DataFrame:
    """The same attempts, by the model that each request's hash names."""
    ours = [has_challenger(name, trial.challenger, share) for name in attempts["request_id"]]
    return attempts.assign(model_version=np.where(ours, trial.challenger, trial.champion))


def test_a_trial_goes_from_training_to_a_stop(tmp_path: Path) -> None:
    """Trained, in shadow, on a share; then worse than the champion, and stopped by the log alone."""
    first = retrain(calm(), tmp_path, now=END)
    grown = pd.concat([calm(), calm(1200, seed=2, start_s=END)], ignore_index=True)
    second = retrain(grown, tmp_path, now=END + 24_000.0)
    shadowed = advance(calm(400, seed=3, start_s=END + 24_010.0), tmp_path, now=END + 33_000.0)
    assert shadowed is not None
    tried = named(calm(4000, seed=4, start_s=END + 33_010.0), shadowed, 0.1)
    ours = (tried["model_version"] == second.version) & (np.arange(4000) % 2 == 0)
    stopped = advance(
        tried.assign(outcome=tried["outcome"].mask(ours, "network")), tmp_path, now=END + 120_000.0
    )

    assert (first.active, second.active) == (True, False)
    assert shadowed.stage is Stage.SHARE
    assert stopped is not None
    assert stopped.stage is Stage.STOPPED
    assert ModelRegistry(tmp_path).active() == first.version
    assert TrialStore(tmp_path).current() is None
    assert advance(tried, tmp_path, now=END + 130_000.0) is None


def test_a_challenger_that_holds_becomes_the_champion(tmp_path: Path) -> None:
    """At the end of hold-back the registry's active model is the challenger, with who and why."""
    first = retrain(calm(), tmp_path, now=END)
    model = train(calm(seed=9), now=END + 5.0)
    ModelRegistry(tmp_path).save(model)
    trial = Trial(model.version, first.version, Stage.HOLD_BACK, END, "")
    TrialStore(tmp_path).write(trial)
    attempts = named(calm(6000, seed=4, start_s=END + 10.0), trial, 0.9)

    ended = advance(attempts, tmp_path, now=END + 130_000.0)

    registry = ModelRegistry(tmp_path)
    assert ended is not None
    assert ended.stage is Stage.PROMOTED
    assert registry.active() == model.version
    assert registry.history()[-1]["by"] == "trial"


def test_a_trial_ends_when_another_model_is_activated(tmp_path: Path) -> None:
    """What it was compared with is no longer there."""
    first = retrain(calm(), tmp_path, now=END)
    TrialStore(tmp_path).write(Trial(first.version, "other", Stage.SHARE, END, ""))

    stopped = advance(calm(), tmp_path, now=END)

    assert stopped is not None
    assert "another model became active" in stopped.why


def test_a_trial_of_a_lost_model_ends(tmp_path: Path) -> None:
    """A challenger that is not stored, or damaged, is stopped and the champion stays."""
    first = retrain(calm(), tmp_path, now=END)
    lost = "20260101T000000Z-00000000"
    TrialStore(tmp_path).write(Trial(lost, first.version, Stage.SHARE, END, ""))

    stopped = advance(calm(), tmp_path, now=END)

    assert stopped is not None
    assert stopped.stage is Stage.STOPPED
    assert lost in stopped.why


def test_a_failed_gate_registers_and_nothing_else(tmp_path: Path) -> None:
    """It is stored for whoever wants to look, neither active nor on trial."""
    model = train(calm(), now=END)
    gates = [{"name": "calibration", "verdict": "failed", "detail": "0.2"}]
    bad = SelectionModel.of(
        trained_at=END, table=model.table, card=dict(model.card) | {"gates": gates}
    )

    registered = register(bad, tmp_path, now=END)

    assert (registered.active, registered.trial) == (False, None)
    assert "calibration" in registered.why
    assert ModelRegistry(tmp_path).active() is None


def test_a_trial_with_requests_is_not_disturbed(tmp_path: Path) -> None:
    """A newer challenger replaces one in shadow, and waits for one that has a share."""
    first = retrain(calm(), tmp_path, now=END)
    store = TrialStore(tmp_path)
    store.write(Trial("older", first.version, Stage.SHADOW, END, ""))
    replacing = register(train(calm(seed=7), now=END + 1.0), tmp_path, now=END + 1.0)
    store.write(Trial("older", first.version, Stage.SHARE, END, ""))
    waiting = register(train(calm(seed=8), now=END + 2.0), tmp_path, now=END + 2.0)

    assert replacing.trial is not None
    assert replacing.trial.challenger == replacing.version
    assert waiting.trial is not None
    assert waiting.trial.challenger == "older"
    current = store.current()
    assert current is not None
    assert current.challenger == "older"


def test_only_the_trials_own_requests_count() -> None:
    """Users' errors, single candidates, later attempts and strangers' decisions are no part of it."""
    trial = Trial("new", "old", Stage.SHARE, START, "")
    attempts = named(calm(1000), trial, 0.1)
    attempts.loc[0:99, "outcome"] = "auth"
    attempts.loc[0:99, "error_scope"] = "connection"
    attempts.loc[100:199, "attempt_number"] = 2
    attempts.loc[200:299, "model_version"] = "older"
    attempts["eligible"] = [list(NAMES)] * 900 + [["plaid"]] * 100

    found = trialled(read_attempts(attempts), trial, TrialOptions())

    assert len(found) == 600
    assert sum(one.by_challenger for one in found) == pytest.approx(60, abs=25)


@pytest.mark.parametrize("kind", ["logistic", "boosting"])
@pytest.mark.parametrize("strange", ["one provider", "one class", "one row each", "clock back"])
def test_strange_logs_make_a_sensible_model(kind: str, strange: str) -> None:
    """One provider, one outcome, each bank once, times out of order: finite scores, no warning."""
    attempts = calm(400)
    if strange == "one provider":
        attempts = attempts[attempts["provider"] == "plaid"]
    if strange == "one class":
        attempts = attempts.assign(outcome="success")
    if strange == "one row each":
        attempts["institution_id"] = [f"ins_{number}" for number in range(400)]
    if strange == "clock back":
        attempts["started_at"] = attempts["started_at"].to_numpy()[::-1] - 1e6

    model = train(attempts, now=END, kind=kind)  # type: ignore[arg-type]  # one of the two

    assert all(0.0 < score < 1.0 for score in model.table.values())
    assert not [
        gate for gate in gates_of(model) if gate.name in {"table", "schema"} and gate.failed
    ]
