"""The retraining job: when it looks, when it trains, and what it tells."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from actors.model_trial import TrialFollowing
from actors.ports import ActorLost
from actors.retraining import RetrainingJob
from actors.retraining_look import LookOrder, Seen, look
from models import ModelRegistry, SelectionContext, SelectionModel, SelectionPolicy, train
from models.promotion import Stage, Trial, TrialPolicy, TrialStore, TrialWatch
from orchestrator.domain import Json, StoreError, from_unix
from orchestrator.settings import LearningSection
from tests.support.clock import SteppedClock
from tests.support.promotion_rehearsal import World

HOUR_S = 3600.0
NOW = SteppedClock(running=False).unix_s()
START = NOW - 1200 * 20.0
OPTIONS = LearningSection(retrain_every_s=6 * HOUR_S, look_every_s=60, window_days=30)


CONTEXT = SelectionContext(
    operation="getAccounts", region="US", institution_id=None, candidates=("plaid", "mx"), at=1e9
)


class Log:
    """A log of one frame, or one that fails."""

    def __init__(self, frame: pd.DataFrame, failure: Exception | None = None) -> None:
        self.frame_now = frame
        self.failure = failure
        self.asked: list[str] = []
        self.fresh: int | None = None

    async def query(self, sql: str) -> list[Json]:
        """How many rows there are; new are as many as told, else all."""
        self._asked(sql)
        rows = len(self.frame_now)
        return [{"n": rows, "fresh": rows if self.fresh is None else self.fresh}]

    async def export(self, sql: str, path: str) -> int:
        """The frame as a file, whatever was asked."""
        self._asked(sql)
        self.frame_now.to_parquet(path)
        return len(self.frame_now)

    def _asked(self, sql: str) -> None:
        self.asked.append(sql)
        if self.failure is not None:
            raise self.failure


def log(rows: int = 1200) -> pd.DataFrame:
    """Attempts in a calm world, as the log answers them."""
    return World.of(1).log(rows, seed=1, start_s=START).assign(space_hash=None, model_version=None)


@pytest.fixture
def clock() -> SteppedClock:
    """A clock at the end of the log."""
    return SteppedClock(running=False)


def job(
    log: Log, folder: Path, clock: SteppedClock, options: LearningSection = OPTIONS
) -> RetrainingJob:
    """The job over a log and a folder of models."""

    async def looking(order: LookOrder) -> Seen:
        return look(order)

    return RetrainingJob(log, looking, str(folder), clock, options)


async def test_it_trains_when_it_is_due(tmp_path: Path, clock: SteppedClock) -> None:
    """Nothing at the first look; a model once six hours have gone by, active as the first one."""
    retraining = job(Log(log()), tmp_path, clock)
    await retraining.step()
    before = ModelRegistry(tmp_path).versions()
    clock.jump(6 * HOUR_S)
    await retraining.step()
    await retraining.step()

    assert before == []
    assert [card.active for card in ModelRegistry(tmp_path).versions()] == [True]
    assert retraining.standing()["problem"] is None


@pytest.mark.parametrize("rows", [0, 999])
async def test_a_thin_log_trains_nothing(tmp_path: Path, clock: SteppedClock, rows: int) -> None:
    """Below a thousand attempts the schedule leaves things as they are."""
    retraining = job(Log(log().head(rows)), tmp_path, clock)
    await retraining.step()
    clock.jump(7 * HOUR_S)
    await retraining.step()

    assert ModelRegistry(tmp_path).versions() == []


async def test_never_means_never(tmp_path: Path, clock: SteppedClock) -> None:
    """With an interval of nought it looks and trains nothing."""
    retraining = job(Log(log()), tmp_path, clock, OPTIONS.model_copy(update={"retrain_every_s": 0}))
    await retraining.step()
    clock.jump(1000 * HOUR_S)
    await retraining.step()

    assert ModelRegistry(tmp_path).versions() == []


@pytest.mark.parametrize("failure", [StoreError("locked"), ActorLost("gone")])
async def test_a_log_that_fails_is_told_and_asked_again(
    tmp_path: Path, clock: SteppedClock, failure: Exception
) -> None:
    """The problem shows in its standing until a look succeeds."""
    broken = Log(log(), failure)
    retraining = job(broken, tmp_path, clock)
    await retraining.step()
    during = retraining.standing()["problem"]
    broken.failure = None
    await retraining.step()

    assert type(failure).__name__ in str(during)
    assert retraining.standing()["problem"] is None


async def test_drift_is_told_and_trains_early(tmp_path: Path, clock: SteppedClock) -> None:
    """When outcomes no longer fit the model an alarm stands, and a challenger comes within hours."""
    calm = log()
    model = train(calm, now=NOW)
    registry = ModelRegistry(tmp_path)
    registry.activate(registry.save(model))
    worse = World(World.of(1).ratios * 0.75).log(2500, seed=2, start_s=model.trained_at + 20.0)
    clock.jump(2500 * 20.0 + 60.0)
    everything = pd.concat([calm, worse], ignore_index=True)
    retraining = job(Log(everything), tmp_path, clock)
    await retraining.step()
    alarms = retraining.standing()["driftAlarms"]
    clock.jump(HOUR_S)
    await retraining.step()

    assert any("outcomes are worse" in str(alarm) for alarm in alarms or [])
    assert len(registry.versions()) == 2


async def test_only_the_window_is_read(tmp_path: Path, clock: SteppedClock) -> None:
    """The log is asked for what is not older than the window, and for no free text."""
    asked = Log(log())
    retraining = job(asked, tmp_path, clock)
    await retraining.step()
    clock.jump(6 * HOUR_S)
    await retraining.step()

    since = [from_unix(NOW + gone - 30 * 86_400.0).isoformat() for gone in (0.0, 6 * HOUR_S)]
    assert since[0] in asked.asked[0]
    assert since[1] in asked.asked[-1]
    assert "select *" not in " ".join(asked.asked)


async def test_a_look_that_could_tell_nothing_is_left_out(
    tmp_path: Path, clock: SteppedClock
) -> None:
    """Rows are read where there is a model to mind and two hundred new attempts, and not before."""
    asked = Log(log())
    retraining = job(asked, tmp_path, clock)
    await retraining.step()
    without_model = len(asked.asked)
    registry = ModelRegistry(tmp_path)
    registry.activate(registry.save(train(asked.frame_now, now=NOW)))
    await retraining.step()
    with_model = len(asked.asked)
    asked.fresh = 199
    await retraining.step()

    assert [1, 3, 4] == [without_model, with_model, len(asked.asked)]
    assert not [name for name in os.listdir(tmp_path) if "window" in name]  # noqa: PTH208


async def test_a_look_whose_process_is_lost_is_told_and_made_again(
    tmp_path: Path, clock: SteppedClock
) -> None:
    """The schedule goes on when the process of a look dies."""
    lost = [True]

    async def looking(order: LookOrder) -> Seen:
        if lost:
            raise ActorLost("killed")
        return look(order)

    retraining = RetrainingJob(Log(log()), looking, str(tmp_path), clock, OPTIONS)
    await retraining.step()
    clock.jump(6 * HOUR_S)
    await retraining.step()
    during = retraining.standing()["problem"]
    lost.clear()
    await retraining.step()

    assert "killed" in str(during)
    assert retraining.standing()["problem"] is None
    assert len(ModelRegistry(tmp_path).versions()) == 1


def following(folder: Path) -> tuple[TrialFollowing, TrialPolicy]:
    """A router's side over a folder of models."""
    policy = TrialPolicy(SelectionPolicy(exploration_ratio=0.0))
    watch = TrialWatch(TrialStore(folder))
    return TrialFollowing(ModelRegistry(folder), watch, policy), policy


def stored(folder: Path) -> SelectionModel:
    """A model that prefers MX."""
    model = SelectionModel.of(
        trained_at=0.0,
        card={},
        table={("plaid", "getAccounts", "US", None): 0.5, ("mx", "getAccounts", "US", None): 0.9},
    )
    ModelRegistry(folder).save(model)
    return model


def test_a_router_follows_a_trial_through_its_stages(tmp_path: Path) -> None:
    """In shadow the champion decides, in hold-back mostly the challenger, after a stop none of it."""
    model = stored(tmp_path)
    follows, policy = following(tmp_path)
    store = TrialStore(tmp_path)
    shares = []
    for stage in (Stage.SHADOW, Stage.HOLD_BACK, Stage.STOPPED):
        store.write(Trial(model.version, None, stage, 0.0, stage.value))
        follows.poll()
        firsts = [policy.decide(CONTEXT, f"req_{n}").order[0] for n in range(200)]
        shares.append(firsts.count("mx"))

    # A champion that is not sure draws the other one now and then.
    assert max(shares[0], shares[2]) <= 20
    assert shares[1] == pytest.approx(180, abs=20)
    assert follows.describe() is None


def test_a_trial_of_a_damaged_model_leaves_the_champion_alone(tmp_path: Path) -> None:
    """A challenger that cannot be read decides nothing."""
    model = stored(tmp_path)
    (tmp_path / model.version / "scores.npz").write_bytes(b"no scores")
    TrialStore(tmp_path).write(Trial(model.version, None, Stage.HOLD_BACK, 0.0, ""))
    follows, policy = following(tmp_path)
    follows.poll()

    assert policy.challenger_version is None
    assert np.isfinite(list(policy.decide(CONTEXT, "req_1").scores.values())).all()
