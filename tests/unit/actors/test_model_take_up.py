"""Taking up the active model while the router runs."""

import asyncio
from pathlib import Path

from actors.model_watch import ModelTakeUp
from models import ActiveModelWatch, ModelRegistry, SelectionModel, SelectionPolicy
from models.promotion import TrialPolicy


def _model(ratio: float) -> SelectionModel:
    return SelectionModel.of(
        trained_at=1_750_000_000.0, card={}, table={("plaid", "getAccounts", "US", None): ratio}
    )


def _take_up(folder: Path) -> tuple[ModelRegistry, TrialPolicy, ModelTakeUp]:
    registry = ModelRegistry(folder)
    policy = TrialPolicy(SelectionPolicy(policy="adaptive", seed=0))
    return registry, policy, ModelTakeUp(ActiveModelWatch(registry), policy)


def test_no_model_is_told_as_none(tmp_path: Path) -> None:
    """Tell of the policy alone where no model is active."""
    _, _, models = _take_up(tmp_path)
    models.poll()

    assert {"version": None, "policy": "adaptive", "trainedAt": None} == models.describe()


def test_active_model_is_taken_up(tmp_path: Path) -> None:
    """Hand the policy a model once it is active, and tell of it."""
    registry, policy, models = _take_up(tmp_path)
    version = registry.save(_model(0.9))
    registry.activate(version)
    models.poll()

    assert version == policy.model_version
    assert {
        "version": version,
        "policy": "adaptive",
        "trainedAt": "2025-06-15T15:06:40.000Z",
    } == models.describe()


def test_deactivated_model_is_let_go(tmp_path: Path) -> None:
    """Go back to no model when none is active any more."""
    registry, policy, models = _take_up(tmp_path)
    registry.activate(registry.save(_model(0.9)))
    models.poll()
    registry.deactivate()
    models.poll()

    assert policy.model_version is None
    assert models.describe()["version"] is None


def test_damaged_model_leaves_the_old_one(tmp_path: Path) -> None:
    """Keep the model in use when the next one cannot be read."""
    registry, policy, models = _take_up(tmp_path)
    good, bad = registry.save(_model(0.9)), registry.save(_model(0.2))
    registry.activate(good)
    models.poll()
    registry.activate(bad)
    for file in (tmp_path / bad).iterdir():
        file.write_bytes(b"damaged")
    models.poll()

    assert good == policy.model_version == models.describe()["version"]


async def test_looking_begins_at_the_start_and_stops_when_told(tmp_path: Path) -> None:
    """Look at once when started, and leave no task behind when stopped."""
    registry, policy, models = _take_up(tmp_path)
    version = registry.save(_model(0.9))
    registry.activate(version)
    models.start()
    models.start()
    await models.stop()
    await models.stop()

    assert version == policy.model_version
    assert {asyncio.current_task()} == asyncio.all_tasks()
